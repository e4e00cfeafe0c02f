//! What requests leave: a run's `result.json` and a weighing's.

mod diagnostics;
#[cfg(test)]
pub(crate) mod example;
pub mod facts;
mod provenance;
mod run;
mod weighing;

pub use diagnostics::{EpochDiagnostics, LayerDiagnostics};
pub use provenance::Provenance;
pub use run::{DataInfo, EpochPoint, PeakBytes, Pipelined, RunResult};
pub use weighing::Footprint;
