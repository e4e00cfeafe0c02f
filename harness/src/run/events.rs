//! What a run tells its caller while it works, and asks it.

use crate::error::{Error, Result};
use crate::record::{DataInfo, EpochPoint};
use std::time::Duration;

/// News of a finished epoch.
pub struct EpochNews<'a> {
    /// The epoch.
    pub point: &'a EpochPoint,
    /// Epochs in all.
    pub epochs: usize,
}

/// Where a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Epochs done.
    pub epochs: usize,
    /// Steps done of the next one.
    pub steps: usize,
}

/// What a run tells its caller while it works, and asks it.
pub trait Events {
    /// A step is done.
    fn step(&mut self, epoch: usize, step: usize, steps: usize);
    /// An epoch is done.
    fn epoch(&mut self, news: &EpochNews);
    /// A run starts, or resumes from a checkpoint.
    fn start(&mut self, from: Place, data: &DataInfo);
    /// A part of the run took so long, of all workers together where there are several.
    fn spent(&mut self, _part: Activity, _took: Duration) {}
    /// A sentence that is no news of the training, like one about a file that cannot be used.
    fn note(&mut self, sentence: &str);
    /// Whether to stop at once.
    fn interrupted(&self) -> bool;
}

/// What a run does, epoch by epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activity {
    /// Makes batches.
    Data,
    /// Trains on them.
    Step,
    /// Predicts what is evaluated.
    Evaluation,
    /// Writes checkpoints.
    Checkpoint,
}

/// What fails once the run is to stop.
pub(super) fn stop(events: &dyn Events) -> impl Fn() -> Result<()> {
    move || if events.interrupted() { Err(Error::Interrupted) } else { Ok(()) }
}
