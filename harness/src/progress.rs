//! Progress of a run or a download: a bar on a terminal, a line an epoch or a file elsewhere. All of it on stderr.

use crate::interrupt;
use crate::record::DataInfo;
use crate::run::{EpochNews, Events, Place};
use crate::talk::say;
use indicatif::{ProgressBar, ProgressStyle};
use std::io::IsTerminal;
use std::sync::Mutex;

/// Shows a run.
pub struct RunProgress {
    bar: Option<ProgressBar>,
    title: String,
    last: String,
}

impl RunProgress {
    /// Progress for the run called `title`.
    pub fn new(title: String) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let style = ProgressStyle::with_template("{prefix} {bar:24} {pos}/{len} {msg}").expect("a valid template");
            ProgressBar::new(0).with_style(style).with_prefix(title.clone())
        });
        Self { bar, title, last: String::new() }
    }

    fn say(&self, line: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| say!("{line}")),
            None => say!("{line}"),
        }
    }
}

impl Events for RunProgress {
    fn step(&mut self, epoch: usize, step: usize, steps: usize) {
        if let Some(bar) = &self.bar {
            bar.set_length(steps as u64);
            bar.set_position(step as u64);
            bar.set_message(format!("steps of epoch {}; {}", epoch + 1, self.last));
        }
    }

    fn epoch(&mut self, news: &EpochNews) {
        let point = news.point;
        self.last = format!(
            "epoch {}/{}: loss {:.4}, accuracy {:.2} %, {:.1} s",
            point.epoch, news.epochs, point.train_loss, point.test_accuracy, point.seconds
        );
        self.say(&format!("{}: {}", self.title, self.last));
    }

    fn start(&mut self, from: Place, data: &DataInfo) {
        let known = datasets::manifest(&data.name).is_ok_and(datasets::Manifest::has_digest);
        let unverified = match (data.verified, known) {
            (true, _) => "",
            (false, true) => ", NOT the official content",
            (false, false) => ", whose official digest nobody published",
        };
        let (name, source) = (&data.name, &data.source);
        self.say(&format!("{}: {} training images of {name} ({source}{unverified})", self.title, data.train));
        match from {
            Place { epochs: 0, steps: 0 } => {}
            Place { epochs, steps: 0 } => self.say(&format!("{}: resumes after epoch {epochs}", self.title)),
            Place { epochs, steps } => {
                self.say(&format!("{}: resumes after step {steps} of epoch {}", self.title, epochs + 1));
            }
        }
    }

    fn note(&mut self, sentence: &str) {
        self.say(sentence);
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

/// Shows downloads.
pub fn downloads() -> datasets::Progress {
    let terminal = std::io::stderr().is_terminal();
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
