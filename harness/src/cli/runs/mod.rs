//! `harness runs`: the runs that are kept, listed, compared, removed, and carried to and from other machines.

mod best;
mod filter;
mod group;
mod print;
mod transfer;

pub use filter::Filter;
pub use group::by_settings;
pub use print::{rule_settings, settings};

use super::options::ResultOptions;
use super::stdout::print_json;
use crate::error::{Error, Result};
use crate::record::RunResult;
use crate::spec::RunSpec;
use crate::store::Store;
use crate::talk::say;
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// Options of `runs`.
#[derive(Args, Debug)]
pub struct RunsArgs {
    #[command(subcommand)]
    command: RunsCommand,
    #[command(flatten)]
    results: ResultOptions,
}

#[derive(Subcommand, Debug)]
enum RunsCommand {
    /// One line a run, newest last.
    List {
        #[command(flatten)]
        filter: Filter,
    },
    /// Print the whole record of a run as JSON.
    Show {
        /// The run's name, or its beginning.
        id: String,
    },
    /// Settings by the mean accuracy of their seeds after the last epoch, best first, a list for each data set.
    Best {
        #[command(flatten)]
        filter: Filter,
        /// How many of each data set.
        #[arg(long, value_name = "N", default_value_t = 10)]
        top: usize,
    },
    /// What two runs have different settings in, and their numbers side by side.
    Compare {
        /// A run's name, or its beginning.
        a: String,
        /// Another's.
        b: String,
    },
    /// Remove runs, finished or not, with their checkpoints.
    Rm {
        /// Their names, or their beginnings.
        #[arg(required = true)]
        ids: Vec<String>,
    },
    /// Write runs to FILE.parquet, which `import` takes back, or FILE.csv.
    Export {
        /// The file.
        file: PathBuf,
        #[command(flatten)]
        filter: Filter,
    },
    /// Take the runs of a `runs.parquet` into the store, so that a table asks only for those that nobody has made.
    Import {
        /// The files.
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
}

/// Runs one of the subcommands.
pub fn main(args: RunsArgs) -> Result<()> {
    let store = Store::at(&args.results.results);
    match args.command {
        RunsCommand::List { filter } => print::list(&chosen(&store, &filter)?),
        RunsCommand::Show { id } => print_json(&one(&store, &id)?),
        RunsCommand::Best { filter, top } => best::print(&chosen(&store, &filter)?, top),
        RunsCommand::Compare { a, b } => print::compare(&one(&store, &a)?, &one(&store, &b)?),
        RunsCommand::Rm { ids } => remove(&store, &ids),
        RunsCommand::Export { file, filter } => transfer::export(&chosen(&store, &filter)?, &file),
        RunsCommand::Import { files } => transfer::import(&store, &files),
    }
}

/// The finished runs that `filter` lets through, oldest first; what cannot be read is told.
///
/// # Errors
/// Where the filter asks for what no run in the store has.
pub fn chosen(store: &Store, filter: &Filter) -> Result<Vec<RunResult>> {
    let accepts = filter.prepared()?;
    let mut all = Vec::new();
    for id in store.ids::<RunSpec>()? {
        match store.named::<RunSpec>(&id) {
            Ok(run) => all.extend(run),
            Err(error) => say!("{error}"),
        }
    }
    if all.is_empty() {
        say!("no finished run in {}", store.results().display());
    }
    filter.check(&all)?;
    let mut runs: Vec<RunResult> = all.into_iter().filter(|run| accepts(run)).collect();
    runs.sort_by_key(|run| run.provenance.finished_unix);
    Ok(runs)
}

/// A name's beginning has at least so many letters, so that a slip of the hand means no run.
const BEGINNING: usize = 4;

/// The name that begins with `start`.
fn id(store: &Store, start: &str) -> Result<String> {
    if start.len() < BEGINNING {
        return Err(Error::Input(format!(
            "`{start}`: give at least the first {BEGINNING} letters of a run's name; `harness runs list` has them"
        )));
    }
    let all = store.ids::<RunSpec>()?;
    let mut found: Vec<String> = all.into_iter().filter(|id| id.starts_with(start)).collect();
    match found.len() {
        1 => Ok(found.remove(0)),
        0 => Err(Error::Input(format!("no run's name begins with `{start}`; `harness runs list` lists them"))),
        n => Err(Error::Input(format!("{n} runs' names begin with `{start}`: {}", found.join(", ")))),
    }
}

/// The finished run whose name begins with `start`.
pub fn one(store: &Store, start: &str) -> Result<RunResult> {
    let id = id(store, start)?;
    let unfinished = || Error::Failed(format!("run {id} is not finished; its spec is in its folder, spec.toml"));
    store.named::<RunSpec>(&id)?.ok_or_else(unfinished)
}

fn remove(store: &Store, starts: &[String]) -> Result<()> {
    // All names first: a wrong one removes nothing.
    let ids: Vec<String> = starts.iter().map(|start| id(store, start)).collect::<Result<_>>()?;
    for id in ids {
        let at_work = || Error::Failed(format!("run {id} is being worked on; stop that process first"));
        store.try_lock::<RunSpec>(&id)?.ok_or_else(at_work)?.remove()?;
        say!("removed {id}");
    }
    Ok(())
}
