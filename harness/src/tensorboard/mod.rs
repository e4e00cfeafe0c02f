//! Learning curves as TensorBoard's event files: `tensorboard --logdir results/tensorboard` shows them while they grow.

mod event;
mod frame;

use crate::error::{Error, Result};
use crate::record::{EpochPoint, RunResult};
use crate::spec::{Request, RunSpec};
use event::Event;
use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// The folder of all runs' event files below the results.
pub const FOLDER: &str = "tensorboard";

/// The event file of a run.
pub struct Board {
    file: File,
    path: PathBuf,
    images: String,
    /// Epochs that the run's files have.
    written: BTreeSet<usize>,
}

impl Board {
    /// A new file for `spec`'s run, beside those of earlier parts of it.
    pub fn open(spec: &RunSpec, results: &Path) -> Result<Self> {
        let folder = folder(spec, results);
        std::fs::create_dir_all(&folder).map_err(|e| Error::file("create", &folder, e))?;
        let written = epochs(&folder)?;
        let now = now();
        // TensorBoard reads files of a folder in the order of their names.
        let path = folder.join(format!("events.out.tfevents.{:010}.{}", now as u64, std::process::id()));
        let file = OpenOptions::new().create(true).append(true).open(&path);
        let file = file.map_err(|e| Error::file("create", &path, e))?;
        let images = if spec.recipe.validation.is_some() { "validation" } else { "test" };
        let mut board = Self { file, path, images: images.into(), written };
        board.write(&Event::version(now))?;
        Ok(board)
    }

    /// Adds an epoch.
    pub fn epoch(&mut self, point: &EpochPoint) -> Result<()> {
        let values = [
            ("loss/train".to_string(), point.train_loss),
            (format!("accuracy/{}", self.images), point.test_accuracy),
            ("time/seconds".to_string(), point.seconds),
        ];
        self.written.insert(point.epoch);
        self.write(&Event::scalars(now(), point.epoch as i64, &values))
    }

    /// Adds those epochs of the run's curve that no file of it has, like the last one before it was killed.
    pub fn complete(&mut self, curve: &[EpochPoint]) -> Result<()> {
        let written = self.written.clone();
        curve.iter().filter(|point| !written.contains(&point.epoch)).try_for_each(|point| self.epoch(point))
    }

    fn write(&mut self, event: &Event) -> Result<()> {
        // In one piece, so that a reader sees whole records.
        self.file.write_all(&frame::of(&event.bytes())).map_err(|e| Error::file("write", &self.path, e))
    }
}

/// The epochs that event files in `folder` have.
fn epochs(folder: &Path) -> Result<BTreeSet<usize>> {
    let mut found = BTreeSet::new();
    let files = std::fs::read_dir(folder).map_err(|e| Error::file("read", folder, e))?;
    for path in files.flatten().map(|entry| entry.path()) {
        let bytes = std::fs::read(&path).map_err(|e| Error::file("read", &path, e))?;
        found.extend(frame::whole(&bytes).filter_map(Event::epoch));
    }
    Ok(found)
}

/// Whether an epoch of `run` is in no event file.
pub fn lacks(run: &RunResult, results: &Path) -> Result<bool> {
    let folder = folder(&run.spec, results);
    let written = if folder.is_dir() { epochs(&folder)? } else { BTreeSet::new() };
    Ok(run.curve.iter().any(|point| !written.contains(&point.epoch)))
}

/// `SLL on mnist, mlp-2x800, seed 0, 3f2a9c01`: what TensorBoard calls the run.
fn folder(spec: &RunSpec, results: &Path) -> PathBuf {
    let (title, network) = (spec.rule.title(), &spec.network.name);
    let name = format!("{title} on {}, {network}, seed {}, {}", spec.dataset, spec.seed, &spec.id()[..8]);
    results.join(FOLDER).join(name.replace(['/', '\\'], "-"))
}

/// Seconds since 1970.
fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}
