//! Where a run stood, after an epoch or within one, so that a killed one resumes with the same numbers.

use super::events::Place;
use crate::atomic::write_parts;
use crate::error::{Error, Result};
use crate::record::{EpochDiagnostics, EpochPoint, EpochRepresentations, Maker, PeakBytes, Pipelined};
use crate::store::{CheckpointFiles, first_block, pack, unpack};
use serde::{Deserialize, Serialize};
use sll_core::Network;
use sll_core::optim::Updater;
use sll_core::rule::LearningRule;
use std::path::Path;
use std::time::Duration;

/// Where a run keeps its state while it is unfinished, and how often.
#[derive(Clone, Copy, Debug)]
pub struct Keeping<'a> {
    /// The file.
    pub kept: &'a CheckpointFiles,
    /// Within an epoch it is written whenever so much time has passed; after one it is in any case.
    pub every: Duration,
}

/// What is done of an epoch that is unfinished. Orders and draws are functions of seed, epoch and step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Partial {
    /// Its steps that are done.
    pub steps: usize,
    /// All of its steps; states of before do not say.
    #[serde(default)]
    pub total: usize,
    /// The sum of their losses.
    #[serde(with = "sll_core::real")]
    pub loss_sum: f64,
}

/// How far an unfinished run is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Progress {
    /// Where it stands.
    pub place: Place,
    /// Epochs that are done, with the part that is done of the next one.
    pub epochs: f64,
}

/// What is kept besides the tensors.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Checkpoint {
    /// The run's name.
    pub run_id: String,
    /// SHA-256 of the data set's content.
    pub data_digest: String,
    /// Who made it so far, oldest first; states of before do not say.
    #[serde(default)]
    pub makers: Vec<Maker>,
    /// Epochs finished.
    pub epochs: usize,
    /// What is done of the one after them, if it has begun.
    #[serde(default)]
    pub partial: Option<Partial>,
    /// Their points.
    pub curve: Vec<EpochPoint>,
    /// What was measured of each layer so far, where it is asked for.
    #[serde(default)]
    pub diagnostics: Vec<EpochDiagnostics>,
    /// What was measured of each layer's output so far, where it is asked for.
    #[serde(default)]
    pub representations: Vec<EpochRepresentations>,
    /// Peaks so far.
    pub peak_bytes: PeakBytes,
    /// Layers and modules of the rule that have been moved so far, each of which has its optimiser state booked.
    pub trained: usize,
    /// What workers did so far, where a pipeline made steps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pipeline: Option<Pipelined>,
    /// Seconds so far.
    #[serde(with = "sll_core::real")]
    pub seconds: f64,
    /// Steps so far.
    pub steps: u64,
}

/// The tensors as they are stored: the optimiser, one block a layer, then what the rule has learned.
pub struct Tensors {
    optimizer: Vec<u8>,
    layers: Vec<Vec<u8>>,
    learned: Vec<Vec<u8>>,
}

impl Checkpoint {
    /// Writes the state to `kept`, whole or not at all; what was kept before stays beside it.
    pub fn save(
        &self,
        kept: &CheckpointFiles,
        net: &Network,
        rule: &dyn LearningRule,
        updater: &Updater,
    ) -> Result<()> {
        let mut blocks = vec![serde_json::to_vec(self).expect("a checkpoint is plain data"), updater.record()?];
        blocks.extend(net.record()?);
        blocks.extend(rule.record()?);
        kept.make_room()?;
        write_parts(kept.path(), &pack(&blocks))
    }

    /// How far the run is whose state is kept in `kept`, for people: where a process is just replacing it, or it is
    /// damaged, there is nothing to tell.
    pub fn progress(kept: &CheckpointFiles) -> Option<Progress> {
        let state: Self = serde_json::from_slice(&first_block(kept.path())?).ok()?;
        let partial = state.partial.unwrap_or_default();
        let part = if partial.total == 0 { 0.0 } else { partial.steps as f64 / partial.total as f64 };
        let place = Place { epochs: state.epochs, steps: partial.steps };
        Some(Progress { place, epochs: state.epochs as f64 + part })
    }

    /// Reads the state at `path` for the run called `id` of `epochs` epochs on a network of `layers` layers; `None`
    /// where there is none.
    ///
    /// # Errors
    /// Says in words what is wrong with the file; an outer error is the system's.
    pub fn read(
        path: &Path,
        (id, epochs, layers): (&str, usize, usize),
    ) -> Result<Option<std::result::Result<(Self, Tensors), String>>> {
        let bytes = match std::fs::read(path) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(Error::file("read", path, e)),
        };
        Ok(Some(unpack(&bytes).and_then(|blocks| Self::check(blocks, (id, epochs, layers)))))
    }

    fn check(
        mut blocks: Vec<Vec<u8>>,
        (id, epochs, layers): (&str, usize, usize),
    ) -> std::result::Result<(Self, Tensors), String> {
        if blocks.len() < 2 + layers {
            return Err("it ends early".into());
        }
        let learned = blocks.split_off(2 + layers);
        let layers = blocks.split_off(2);
        let state: Self = serde_json::from_slice(&blocks[0]).map_err(|e| format!("its head cannot be read: {e}"))?;
        if state.run_id != id {
            return Err(format!("it is run {}'s", state.run_id));
        }
        if state.epochs > epochs || state.curve.len() != state.epochs {
            let points = state.curve.len();
            return Err(format!("it tells of {} epochs and has {points} points, in a run of {epochs}", state.epochs));
        }
        Ok((state, Tensors { optimizer: blocks.swap_remove(1), layers, learned }))
    }
}

impl Tensors {
    /// Puts the state into `net`, `rule` and `updater`, which are of no use if it does not fit.
    pub fn restore(
        self,
        net: &mut Network,
        rule: &mut dyn LearningRule,
        updater: &mut Updater,
    ) -> sll_core::Result<()> {
        net.load(self.layers)?;
        rule.load(self.learned)?;
        updater.load(self.optimizer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unfinished_epoch_counts_by_its_steps() {
        let folder = tempfile::tempdir().unwrap();
        let kept = CheckpointFiles::at(folder.path().join("checkpoint.bin"));
        assert_eq!(Checkpoint::progress(&kept), None);
        let progress = |partial: Option<Partial>| {
            let state = Checkpoint { epochs: 3, partial, ..Checkpoint::default() };
            write_parts(kept.path(), &pack(&[serde_json::to_vec(&state).unwrap()])).unwrap();
            let Progress { place, epochs } = Checkpoint::progress(&kept).unwrap();
            (place.epochs, place.steps, epochs)
        };
        let partial = |total| Some(Partial { steps: 50, total, loss_sum: 1.0 });
        assert_eq!(progress(partial(200)), (3, 50, 3.25));
        // A state of before does not say how many there are.
        assert_eq!(progress(partial(0)), (3, 50, 3.0));
        assert_eq!(progress(None), (3, 0, 3.0));
    }
}
