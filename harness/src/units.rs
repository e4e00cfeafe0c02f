//! Units of what is told.

/// Bytes of a mebibyte.
pub const MIB: f64 = 1_048_576.0;

/// Bytes of a gibibyte.
pub const GIB: f64 = 1024.0 * MIB;
