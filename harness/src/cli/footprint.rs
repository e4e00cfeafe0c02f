//! `harness footprint`: figures and tables of memory. Measures what is missing and writes what was asked for.

use super::{ResultOptions, print};
use crate::error::{Error, Result};
use crate::footprint::engine::{Crew, room};
use crate::footprint::experiment::{Experiment, Figure, Table, find};
use crate::footprint::parquet::{self, Measured};
use crate::footprint::store::Store;
use crate::footprint::{figure, page, table};
use crate::talk::say;
use clap::Args;
use std::path::{Path, PathBuf};

/// Options of memory experiments.
#[derive(Args, Debug)]
pub struct FootprintArgs {
    /// figure2a, figure2b, figure2c, table3, or a .toml file of the same form.
    #[arg(required = true, value_name = "NAME")]
    names: Vec<String>,
    /// flex, cpu-tch or cuda:N. Exact numbers are flex's.
    #[arg(long, default_value = "flex")]
    device: String,
    /// Measurements at once, as far as memory goes; by default as many as there are cores.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=256))]
    jobs: Option<u64>,
    /// The most memory that measurements may take together; less where the machine has less.
    #[arg(long, value_name = "GIB", default_value_t = 16.0)]
    memory: f64,
    /// Tables: leave the real batches alone and extrapolate; what was measured at them before still stands.
    #[arg(long)]
    extrapolate: bool,
    #[command(flatten)]
    results: ResultOptions,
}

/// Makes every experiment asked for. What could be made is written down even if some of it failed.
pub fn main(args: FootprintArgs) -> Result<()> {
    if !(args.memory.is_finite() && args.memory > 0.0) {
        return Err(Error::Input(format!("--memory {}: must be a positive number of GiB", args.memory)));
    }
    let experiments: Vec<Experiment> = args.names.iter().map(|name| find(name)).collect::<Result<_>>()?;
    crate::device::open(&args.device)?;
    let store = Store::open(&args.results.results)?;
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let limit = room((args.memory * table::GIB) as u64);
    let crew = Crew { at_once: args.jobs.map_or(cores, |n| n as usize), limit };
    say!(
        "device {}; at most {} measurements at once, one thread each, within {:.1} GiB",
        args.device,
        crew.at_once,
        limit as f64 / table::GIB
    );
    let mut failures = Vec::new();
    for (name, experiment) in args.names.iter().zip(&experiments) {
        let command = format!(
            "harness footprint {name} --device {}{}",
            args.device,
            if args.extrapolate { " --extrapolate" } else { "" }
        );
        let outcome = match experiment {
            Experiment::MemoryFigure(what) => make_figure(what, &args, crew, &store, &command),
            Experiment::MemoryTable(what) => make_table(what, &args, crew, &store, &command),
        };
        match outcome {
            Ok(()) => {}
            Err(Error::Failed(why)) => failures.push(why),
            Err(other) => return Err(other),
        }
    }
    // A file of somebody's own is no part of the page.
    if args.names.iter().all(|name| !name.ends_with(".toml")) {
        say!("wrote {}", page::write(&args.results.results)?.display());
    }
    match failures.is_empty() {
        true => Ok(()),
        false => Err(Error::Failed(failures.join("\n"))),
    }
}

fn make_figure(what: &Figure, args: &FootprintArgs, crew: Crew, store: &Store, command: &str) -> Result<()> {
    let cells = figure::cells(what, &args.device)?;
    let outcome = match crew.measure(&figure::jobs(what, &cells), store) {
        Err(Error::Interrupted) => return Err(Error::Interrupted),
        other => other,
    };
    let drawn = figure::collect(what, &cells, store, command)?;
    let dir = &args.results.results;
    let items: Vec<Measured> = drawn
        .each()
        .map(|(column, line, _, found)| Measured { column, row: &line.label, role: "depth", found })
        .collect();
    let mut written = vec![parquet::write(&what.name, &items, dir)?, figure::write_text(&drawn, dir)?];
    written.extend(figure::draw(&drawn, dir)?);
    show(&written, &dir.join(format!("{}.md", what.name)))?;
    outcome?;
    drawn.check()
}

fn make_table(what: &Table, args: &FootprintArgs, crew: Crew, store: &Store, command: &str) -> Result<()> {
    let choices = table::Choices { device: &args.device, crew, extrapolate: args.extrapolate, command };
    let (report, outcome) = table::make(what, &choices, store)?;
    let dir = &args.results.results;
    let items: Vec<Measured> =
        report.each().map(|(column, row, role, found)| Measured { column, row, role, found }).collect();
    let written = [parquet::write(&what.name, &items, dir)?, table::write(&report, dir)?];
    show(&written, &dir.join(format!("{}.md", what.name)))?;
    outcome
}

/// Says what was written, and prints the text.
fn show(written: &[PathBuf], text: &Path) -> Result<()> {
    written.iter().for_each(|path| say!("wrote {}", path.display()));
    print(&std::fs::read_to_string(text).unwrap_or_default())
}
