//! Files that several processes share.

pub(crate) mod atomic;
pub(crate) mod lock;
