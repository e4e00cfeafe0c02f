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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// Epochs done.
    pub epochs: usize,
    /// Steps done of the next one.
    pub steps: usize,
}

/// What a run tells its caller while it works, and asks it.
///
/// ```
/// use harness::record::DataInfo;
/// use harness::run::{EpochNews, Events, Place, train};
/// use harness::spec::RunSpec;
///
/// /// Keeps the accuracy after every epoch.
/// #[derive(Default)]
/// struct Curve(Vec<Option<f64>>);
///
/// impl Events for Curve {
///     fn step(&mut self, _epoch: usize, _step: usize, _steps: usize) {}
///     fn epoch(&mut self, news: &EpochNews) {
///         self.0.push(Some(news.point.test_accuracy));
///     }
///     fn start(&mut self, _from: Place, data: &DataInfo) {
///         assert_eq!(data.train, 64);
///     }
///     fn note(&mut self, _sentence: &str) {}
///     fn interrupted(&self) -> bool {
///         false
///     }
/// }
///
/// let text = r#"
///     dataset = "mnist-sample"
///     network = { name = "mlp-2x800", width = 8 }
///     rule = { name = "sll" }
///     recipe = { epochs = 2, batch = 32, train_limit = 64 }
/// "#;
/// let (spec, mut curve) = (RunSpec::from_toml(text, "my.toml")?, Curve::default());
/// let trained = train(&spec, &datasets::LoadOptions::default(), None, None, &mut curve)?;
/// assert_eq!((curve.0.len(), curve.0[1]), (2, trained.result.test_accuracy));
/// # Ok::<(), harness::error::Error>(())
/// ```
pub trait Events {
    /// A step is done.
    fn step(&mut self, epoch: usize, step: usize, steps: usize);
    /// So many of the images `of` an evaluation are predicted.
    fn evaluated(&mut self, _images: usize, _of: usize) {}
    /// An epoch is done.
    fn epoch(&mut self, news: &EpochNews);
    /// A run starts, or resumes from a checkpoint.
    fn start(&mut self, from: Place, data: &DataInfo);
    /// The epochs of an earlier part of a run that resumes; none of one that starts.
    fn before(&mut self, _curve: &[EpochPoint]) {}
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

/// What an evaluation calls after every batch: it tells how far that is, and fails once the run is to stop.
pub(super) fn evaluating(events: &mut dyn Events) -> impl FnMut(usize, usize) -> Result<()> {
    move |images, of| {
        events.evaluated(images, of);
        if events.interrupted() { Err(Error::Interrupted) } else { Ok(()) }
    }
}
