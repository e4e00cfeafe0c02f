//! Options that several subcommands share.

use crate::error::{Error, Result};
use crate::record::RunResult;
use crate::spec::RunSpec;
use crate::talk::say;
use crate::tensorboard::{self, Board};
use clap::Args;
use datasets::LoadOptions;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Where data come from.
#[derive(Args, Debug, Clone)]
pub struct DataOptions {
    /// Folder with data sets in their official layouts (mnist/, fashion-mnist/, cifar-10/cifar-10-batches-bin/, ...).
    #[arg(long, env = "SLL_DATA_DIR", value_name = "DIR", global = true)]
    pub data_dir: Option<PathBuf>,
    /// Use data whose content is not the official one, or of your own not what was described; every result says so.
    #[arg(long, global = true)]
    pub allow_unverified: bool,
    /// Fetch nothing: use what is on this machine.
    #[arg(long, global = true, env = "SLL_OFFLINE", value_parser = clap::builder::FalseyValueParser::new())]
    pub offline: bool,
}

impl DataOptions {
    /// As the `datasets` crate takes it.
    pub fn load_options(&self) -> Result<LoadOptions> {
        if let Some(dir) = &self.data_dir {
            let wrong = |problem: &str| {
                let next = "name a folder that holds data sets in their official layouts, or none";
                Err(Error::Missing(format!("--data-dir (or SLL_DATA_DIR) {}: {problem}; {next}", dir.display())))
            };
            match std::fs::read_dir(dir) {
                Ok(_) => {}
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => return wrong("there is no such folder"),
                Err(error) => return wrong(&format!("it cannot be read ({error})")),
            }
        }
        Ok(LoadOptions {
            data_dir: self.data_dir.clone(),
            allow_unverified: self.allow_unverified,
            online: !self.offline,
            progress: crate::progress::downloads(),
            notice: datasets::Notice::new(|sentence| say!("{sentence}")),
            stop: datasets::Stop::new(crate::interrupt::requested),
            ..LoadOptions::default()
        })
    }
}

impl DataOptions {
    /// The same options for a process that works for this one.
    pub fn arguments(&self) -> Vec<OsString> {
        let dir = self.data_dir.iter().flat_map(|dir| ["--data-dir".into(), dir.clone().into_os_string()]);
        dir.chain(self.offline.then(|| "--offline".into())).collect()
    }
}

/// How often a run keeps its state within an epoch.
#[derive(Args, Debug, Clone, Copy)]
pub struct KeepOptions {
    /// Keep a run's state every so many minutes within an epoch, beside after every one and at a signal; 0 for every
    /// step. Changes no number.
    #[arg(long, value_name = "N", default_value_t = 5.0, value_parser = minutes)]
    checkpoint_minutes: f64,
}

/// Minutes of a wait that is none or longer, up to a million.
fn minutes(text: &str) -> std::result::Result<f64, String> {
    let minutes = text.parse().ok().filter(|minutes| (0.0..=1e6).contains(minutes));
    minutes.ok_or_else(|| format!("write minutes as a number from 0 to 1000000, like 5 or 0.5, not `{text}`"))
}

impl KeepOptions {
    /// The time between two checkpoints.
    pub fn every(self) -> Duration {
        Duration::from_secs_f64(60.0 * self.checkpoint_minutes)
    }

    /// The same option for a process that works for this one.
    pub fn arguments(self) -> [OsString; 2] {
        ["--checkpoint-minutes".into(), self.checkpoint_minutes.to_string().into()]
    }
}

/// What learning curves are written to while they grow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Log {
    /// Event files below tensorboard/ in the results folder; `tensorboard --logdir` shows them.
    Tensorboard,
}

/// Where curves go beside the store.
#[derive(Args, Debug, Clone, Copy)]
pub struct LogOptions {
    /// Write each run's learning curve while it grows.
    #[arg(long, value_enum, value_name = "FORMAT")]
    log: Option<Log>,
}

impl LogOptions {
    /// Where a run that begins is logged.
    pub fn board(self, spec: &RunSpec, results: &Path) -> Result<Option<Board>> {
        self.log.map(|Log::Tensorboard| Board::open(spec, results)).transpose()
    }

    /// Logs a run that was found, unless it is logged.
    pub fn of_found(self, run: &RunResult, results: &Path) -> Result<()> {
        match self.log {
            Some(Log::Tensorboard) if tensorboard::lacks(run, results)? => {
                Board::open(&run.spec, results)?.complete(&run.curve)
            }
            _ => Ok(()),
        }
    }

    /// The same option for a process that works for this one.
    pub fn arguments(self) -> impl Iterator<Item = OsString> {
        self.log.into_iter().flat_map(|Log::Tensorboard| ["--log".into(), "tensorboard".into()])
    }
}

/// Where results go.
#[derive(Args, Debug, Clone)]
pub struct ResultOptions {
    /// Folder for tables, figures and the run store.
    #[arg(long, value_name = "DIR", default_value = "results", env = "SLL_RESULTS", global = true)]
    pub results: PathBuf,
}
