//! What requests leave: a run's `result.json` and a weighing's.

mod diagnostics;
#[cfg(test)]
pub(crate) mod example;
pub mod facts;
mod provenance;
mod representation;
mod run;
mod weighing;

pub use diagnostics::{EpochDiagnostics, LayerDiagnostics};
pub use provenance::{Maker, Provenance, each_maker};
pub use representation::{
    EpochRepresentations, FreshDistortion, Kernels, LayerPlanes, LayerRepresentation, Picture, Planes, Separation,
    WeightSpread,
};
pub use run::{DataInfo, EpochPoint, PeakBytes, Pipelined, RunResult};
pub use weighing::Footprint;

/// What tells a record from another one of the same spec, made again or on another machine: when it was finished and
/// the seconds that it took.
pub fn stamp(id: &str, finished_unix: u64, seconds: f64) -> String {
    format!("{id}@{finished_unix}/{seconds}")
}
