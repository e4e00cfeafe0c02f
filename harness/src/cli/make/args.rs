//! Options that tables and sweeps share.

use super::batch::EngineArgs;
use super::part::PartArgs;
use crate::cli::options::{DataOptions, KeepOptions, LogOptions, ResultOptions};
use crate::experiment::Profile;
use crate::report::place::ShelfFlags;
use crate::spec::DeviceName;
use clap::Args;

/// An experiment, and what stands in place of its profile's epochs and of the device that would be chosen.
#[derive(Args, Debug)]
pub struct NamedArgs {
    /// Its name (below), or a .toml file of the same form, as docs/formats.md describes it.
    pub name: String,
    /// Epochs in place of the profile's.
    #[arg(long, value_name = "N")]
    pub epochs: Option<usize>,
    /// flex, cpu-tch or cuda:N; the first GPU if this build and machine have one, else flex.
    #[arg(long)]
    pub device: Option<DeviceName>,
}

/// Which runs of an experiment.
#[derive(Args, Debug)]
pub struct SelectArgs {
    /// How much to run; quick without a GPU, short with one.
    #[arg(long, value_enum)]
    pub profile: Option<Profile>,
    /// Seeds 0..N in place of the profile's; of more, those that have been run before stay.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=10_000))]
    pub seeds: Option<u64>,
    /// Run this row only (repeatable); the others show what has been run before.
    #[arg(long = "row", value_name = "LABEL")]
    pub rows: Vec<String>,
    /// Let runs of earlier versions' numerics stand where there is none of this one's; they are marked.
    #[arg(long)]
    pub older: bool,
    #[command(flatten)]
    pub data: DataOptions,
    #[command(flatten)]
    pub results: ResultOptions,
}

/// What tables and sweeps take alike.
#[derive(Args, Debug)]
pub struct MakeArgs {
    #[command(flatten)]
    pub select: SelectArgs,
    /// Keep every run's state after its last epoch, so that a profile of more epochs resumes from it.
    #[arg(long)]
    pub keep_state: bool,
    #[command(flatten)]
    pub keep: KeepOptions,
    #[command(flatten)]
    pub log: LogOptions,
    /// Say what would be run, a line a run on stdout, check all that the runs check, say what they would cost, and
    /// stop. Of a batch system, print the script.
    #[arg(long)]
    pub dry_run: bool,
    /// Run nothing: write what the store has.
    #[arg(long, conflicts_with = "dry_run")]
    pub no_run: bool,
    /// Processes at once, on this machine or in a task of a batch system; by default as many as there are cores here,
    /// one on a GPU, and one in a task.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=256))]
    pub jobs: Option<u64>,
    #[command(flatten)]
    pub part: PartArgs,
    #[command(flatten)]
    pub engine: EngineArgs,
    #[command(flatten)]
    pub shelf: ShelfFlags,
}
