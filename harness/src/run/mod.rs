//! One run in this process: data in, epochs, result out.

mod books;
mod checkpoint;
mod data;
mod diagnostics;
mod evaluate;
mod events;
mod extend;
mod loader;
mod losses;
mod picture;
mod pipelined;
mod representations;
mod resident;
mod subject;
mod trained;
mod trainer;

pub use checkpoint::{Checkpoint, Keeping, Partial, Progress};
pub use evaluate::{Evaluated, evaluate};
pub use events::{Activity, EpochNews, Events, Place};
pub use extend::extend;
pub use loader::Loader;
pub use trained::{Trained, restored};
pub use trainer::train;

use crate::device;
use crate::error::{Error, Result};
use crate::room;
use crate::spec::{RunSpec, made_small};
use baselines::bp::Bp;
use sll_core::rule::LearningRule;
use sll_core::{NetworkSpec, Precision};

/// Multiply-accumulates of backpropagation's step on a run's network, per sample: from shapes, whatever its number
/// format.
pub fn macs_of_bp(spec: &RunSpec) -> Result<u64> {
    let manifest = datasets::manifest(&spec.dataset)?;
    let network = NetworkSpec { precision: Precision::F32, ..spec.network.clone() };
    let net = network.build(manifest.shape, manifest.classes, 0, &burn::tensor::Device::flex())?;
    Ok(Bp.cost(&net, spec.recipe.batch).total())
}

/// Refuses `workers` that cannot train the rule of `spec` at once.
pub fn check_pipeline(spec: &RunSpec, workers: Option<usize>) -> Result<()> {
    let Some(workers) = workers else { return Ok(()) };
    let manifest = datasets::manifest(&spec.dataset)?;
    let (net, rule) = made_small(&spec.rule, &spec.network, manifest.shape, manifest.classes)?;
    pipelined::refusal(spec, &net, &mut *rule?, workers).map_or(Ok(()), |why| Err(Error::Input(why)))
}

/// Checks all of a run that can be checked without its data: device, sizes, and whether the rule runs on the network.
pub fn check(spec: &RunSpec) -> Result<()> {
    device::open(spec.device)?;
    let manifest = datasets::manifest(&spec.dataset)?;
    room::check_weights(&spec.network, manifest.shape, manifest.classes)?;
    spec.unsupported()?.map_or(Ok(()), |reason| Err(Error::Input(reason)))
}
