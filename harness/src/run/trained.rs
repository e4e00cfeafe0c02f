//! What a run trained: its network and rule as they were after the last epoch.

use super::checkpoint::Checkpoint;
use super::subject::subject;
use crate::device;
use crate::error::{Error, Result};
use crate::record::RunResult;
use crate::store::CheckpointFiles;
use sll_core::Network;
use sll_core::rule::LearningRule;

/// A finished run with what it trained.
pub struct Trained {
    /// What is kept of the run.
    pub result: RunResult,
    /// The network.
    pub net: Network,
    /// The rule, with what it learned.
    pub rule: Box<dyn LearningRule>,
}

/// The finished run that left `result`, from the state that was kept in `kept`; none where none was.
pub fn restored(result: RunResult, kept: &CheckpointFiles) -> Result<Option<Trained>> {
    let (spec, path) = (&result.spec, kept.path());
    let manifest = datasets::manifest(&spec.dataset)?;
    let device = device::open(spec.device)?;
    let (mut net, mut rule, mut updater) = subject(spec, manifest.shape, manifest.classes, &device)?;
    let unusable =
        |why: String| Error::Failed(format!("{} cannot be used: {why}; --force trains the run again", path.display()));
    let Some(found) = Checkpoint::read(path, (&result.run_id, spec.recipe.epochs, net.depth()))? else {
        return Ok(None);
    };
    let (state, tensors) = found.map_err(unusable)?;
    if state.epochs != result.epochs {
        return Err(unusable(format!("it was kept after {} of {} epochs", state.epochs, result.epochs)));
    }
    tensors.restore(&mut net, &mut *rule, &mut updater).map_err(|error| unusable(error.to_string()))?;
    Ok(Some(Trained { result, net, rule }))
}
