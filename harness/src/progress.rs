//! Progress of a run or a download: a bar on a terminal, a line an epoch or a file elsewhere, or JSON. All of it on
//! stderr.

use crate::error::{Error, Result};
use crate::interrupt;
use crate::news::{News, Outcome, eta};
use crate::record::{DataInfo, EpochPoint, RunResult};
use crate::run::{EpochNews, Events, Place};
use crate::talk::{self, say};
use crate::tensorboard::Board;
use indicatif::{ProgressBar, ProgressStyle};
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// The least time between two words about steps and images.
const SELDOM: Duration = Duration::from_secs(1);
/// Parts of a bar.
pub const PARTS: u64 = 1000;

/// A bar for what is called `title`, which is `PARTS` long.
pub fn bar(title: String) -> ProgressBar {
    let style = ProgressStyle::with_template("{prefix} {bar:24} {percent:>3}% {msg}").expect("a valid template");
    ProgressBar::new(PARTS).with_style(style).with_prefix(title)
}

/// Moves `bar` to what `news` says.
pub fn show(bar: &ProgressBar, news: &News) {
    if let Some(share) = news.share() {
        bar.set_position((share * PARTS as f64) as u64);
    }
    bar.set_message(news.short());
}

/// Shows a run.
pub struct RunProgress {
    bar: Option<ProgressBar>,
    run: String,
    title: String,
    epochs: usize,
    began: Instant,
    /// Where the run was when it began.
    from: Place,
    /// Epochs before the one under way.
    epoch: usize,
    /// Steps of an epoch, from the first step on.
    steps: usize,
    told: Instant,
}

impl RunProgress {
    /// Progress for the run named `run`, called `title`, of so many epochs.
    pub fn new(run: String, title: String, epochs: usize) -> Self {
        let bar = talk::draws().then(|| bar(title.clone()));
        let now = Instant::now();
        Self { bar, run, title, epochs, began: now, from: Place::default(), epoch: 0, steps: 0, told: now }
    }

    fn tell(&self, news: &News) {
        match &self.bar {
            Some(bar) => {
                bar.suspend(|| talk::report(news));
                show(bar, news);
            }
            None => talk::report(news),
        }
    }

    /// The epoch that was trained last, counted from 1: the one under way, or the last one, whose units are evaluated
    /// once more when all are done.
    fn trained(&self) -> usize {
        (self.epoch + 1).min(self.epochs)
    }

    /// Tells what only a bar and programs show.
    fn tell_quietly(&self, news: &News) {
        match &self.bar {
            Some(bar) => show(bar, news),
            None => talk::report(news),
        }
    }

    /// Whether enough time has passed since the last word about steps and images.
    fn is_time(&mut self) -> bool {
        let is_time = self.told.elapsed() >= SELDOM;
        if is_time {
            self.told = Instant::now();
        }
        is_time
    }

    fn eta(&self, epochs_done: f64) -> Option<f64> {
        let epochs = self.epochs.max(1) as f64;
        // Before a step nobody knows how many an epoch has.
        let steps = if self.steps > 0 { self.from.steps as f64 / self.steps as f64 } else { 0.0 };
        let from = self.from.epochs as f64 + steps;
        eta(self.began.elapsed().as_secs_f64(), from / epochs, epochs_done / epochs)
    }

    /// Tells that the run is over, and why where it failed.
    fn end(&self, outcome: Outcome, why: Option<String>) {
        talk::report(&News::End { run: self.run.clone(), title: self.title.clone(), outcome, why });
    }
}

impl Events for RunProgress {
    fn step(&mut self, epoch: usize, step: usize, steps: usize) {
        (self.epoch, self.steps) = (epoch, steps);
        if !self.is_time() {
            return;
        }
        let eta_seconds = self.eta(epoch as f64 + step as f64 / steps.max(1) as f64);
        let (run, epochs) = (self.run.clone(), self.epochs);
        self.tell_quietly(&News::Step { run, epoch: epoch + 1, epochs, step, steps, eta_seconds });
    }

    fn evaluated(&mut self, images: usize, of: usize) {
        if self.is_time() {
            let (run, epoch, epochs) = (self.run.clone(), self.trained(), self.epochs);
            self.tell_quietly(&News::Evaluation { run, epoch, epochs, images, of });
        }
    }

    fn epoch(&mut self, news: &EpochNews) {
        let point = news.point;
        self.tell(&News::Epoch {
            run: self.run.clone(),
            title: self.title.clone(),
            epoch: point.epoch,
            epochs: news.epochs,
            train_loss: Some(point.train_loss).filter(|loss| loss.is_finite()),
            test_accuracy: point.test_accuracy,
            seconds: point.seconds,
            eta_seconds: self.eta(point.epoch as f64),
        });
    }

    fn start(&mut self, from: Place, data: &DataInfo) {
        let unverified = match datasets::manifest(&data.name) {
            _ if data.verified => String::new(),
            Ok(manifest) if manifest.has_digest() => format!(", NOT {}", manifest.expected_content()),
            Ok(manifest) => format!(", not verified: {}", manifest.without_digest()),
            Err(_) => ", not verified".to_string(),
        };
        self.began = Instant::now();
        (self.from, self.epoch) = (from, from.epochs);
        self.tell(&News::Start {
            run: self.run.clone(),
            title: self.title.clone(),
            epochs: self.epochs,
            from_epoch: from.epochs,
            from_step: from.steps,
            images: data.train,
            data: format!("{} ({}{unverified})", data.name, data.source),
        });
    }

    fn note(&mut self, sentence: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| say!("{sentence}")),
            None => say!("{sentence}"),
        }
    }

    fn interrupted(&self) -> bool {
        interrupt::requested()
    }
}

impl Drop for RunProgress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// A run that is shown and, where that is asked for, logged.
pub struct Watched {
    progress: RunProgress,
    board: Option<Board>,
}

impl Watched {
    /// Both.
    pub fn new(progress: RunProgress, board: Option<Board>) -> Self {
        Self { progress, board }
    }

    /// The run is in the store.
    pub fn end(mut self, result: &RunResult) {
        self.complete(&result.curve);
        let outcome = if result.diverged_at_step.is_some() { Outcome::Diverged } else { Outcome::Done };
        self.progress.end(outcome, None);
    }

    /// There is no result.
    pub fn failed(self, error: &Error) {
        let outcome = if matches!(error, Error::Interrupted) { Outcome::Interrupted } else { Outcome::Failed };
        self.progress.end(outcome, Some(error.to_string()));
    }

    /// Logs what is not logged of the run so far.
    fn complete(&mut self, curve: &[EpochPoint]) {
        let outcome = self.board.as_mut().map_or(Ok(()), |board| board.complete(curve));
        self.logged(outcome);
    }

    /// A log that cannot be written harms no run.
    fn logged(&mut self, outcome: Result<()>) {
        if let Err(error) = outcome {
            self.progress.note(&format!("nothing more is logged: {error}"));
            self.board = None;
        }
    }
}

impl Events for Watched {
    fn step(&mut self, epoch: usize, step: usize, steps: usize) {
        self.progress.step(epoch, step, steps);
    }

    fn evaluated(&mut self, images: usize, of: usize) {
        self.progress.evaluated(images, of);
    }

    fn epoch(&mut self, news: &EpochNews) {
        let outcome = self.board.as_mut().map_or(Ok(()), |board| board.epoch(news.point));
        self.logged(outcome);
        self.progress.epoch(news);
    }

    fn start(&mut self, from: Place, data: &DataInfo) {
        self.progress.start(from, data);
    }

    fn before(&mut self, curve: &[EpochPoint]) {
        self.complete(curve);
    }

    fn note(&mut self, sentence: &str) {
        self.progress.note(sentence);
    }

    fn interrupted(&self) -> bool {
        self.progress.interrupted()
    }
}

/// Shows downloads.
pub fn downloads() -> datasets::Progress {
    let terminal = talk::draws();
    let shown: Mutex<Option<(String, ProgressBar)>> = Mutex::new(None);
    datasets::Progress::new(move |file, done, total| {
        let mut shown = shown.lock().expect("no other thread panics with it");
        if shown.as_ref().is_none_or(|(name, _)| name != file) {
            let bar = if terminal { ProgressBar::new(total) } else { ProgressBar::hidden() };
            let style = "{prefix} {bar:24} {bytes}/{total_bytes} {bytes_per_sec} {eta}";
            bar.set_style(ProgressStyle::with_template(style).expect("a valid template"));
            bar.set_prefix(file.to_string());
            if !terminal {
                let size = if total > 0 { format!(" ({:.1} MB)", total as f64 / 1e6) } else { String::new() };
                say!("fetching {file}{size}");
            }
            *shown = Some((file.to_string(), bar));
        }
        if let Some((_, bar)) = &*shown {
            bar.set_position(done);
            if done == total {
                bar.finish_and_clear();
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::example;

    #[test]
    fn an_evaluation_is_of_the_epoch_that_was_trained_last() {
        let mut progress = RunProgress::new("a1".into(), "BP".into(), 3);
        progress.step(0, 1, 10);
        assert_eq!(progress.trained(), 1);
        // A run that resumes at the end of its second epoch, and one that has nothing left but its units.
        let data = example::run(0, 90.0).data;
        progress.start(Place { epochs: 1, steps: 10 }, &data);
        assert_eq!(progress.trained(), 2);
        progress.start(Place { epochs: 3, steps: 0 }, &data);
        assert_eq!(progress.trained(), 3);
    }
}
