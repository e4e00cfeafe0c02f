//! `harness footprint`: figures and tables of memory. Measures what is missing and writes what was asked for.

use super::options::ResultOptions;
use super::stdout::print;
use crate::error::{Error, Result};
use crate::experiment::memory::{Figure, MemoryExperiment, Table, figure, find, table};
use crate::pool::{Pool, room};
use crate::report::memory::parquet::{self, Measured};
use crate::report::memory::{self, draw, page};
use crate::report::place::{About, Shelf, ShelfFlags, folder, tidy, variant, write_index};
use crate::spec::{DeviceName, Request};
use crate::store::Store;
use crate::talk::say;
use crate::units::GIB;
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
    device: DeviceName,
    /// Measurements at once, as far as memory goes; by default as many as there are cores.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=256))]
    jobs: Option<u64>,
    /// The most memory that measurements may take together; less where the machine has less.
    #[arg(long, value_name = "GIB", default_value_t = 16.0)]
    memory: f64,
    /// Tables: leave the real batches alone and extrapolate; what was measured at them before still stands.
    #[arg(long)]
    extrapolate: bool,
    /// Print the measurements that are missing, a line each, and stop.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    shelf: ShelfFlags,
    #[command(flatten)]
    results: ResultOptions,
}

/// Makes every experiment asked for. What could be made is written down even if some of it failed.
pub fn main(args: FootprintArgs) -> Result<()> {
    if !(args.memory.is_finite() && args.memory > 0.0) {
        return Err(Error::Input(format!("--memory {}: must be a positive number of GiB", args.memory)));
    }
    let experiments: Vec<MemoryExperiment> = args.names.iter().map(|name| find(name)).collect::<Result<_>>()?;
    crate::device::open(args.device)?;
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let limit = room((args.memory * GIB) as u64);
    let at_once = args.jobs.map_or(cores, |n| n as usize);
    let pool = Pool { at_once, memory: Some(limit), ..Pool::default() };
    if args.dry_run {
        return args.names.iter().zip(&experiments).try_for_each(|(name, what)| listed(name, what, &args, &pool));
    }
    let store = Store::open(&args.results.results)?;
    say!(
        "device {}; at most {} measurements at once, one thread each, within {:.1} GiB",
        args.device,
        pool.at_once,
        limit as f64 / GIB
    );
    let mut failures = Vec::new();
    let mut any_kept = false;
    for (name, experiment) in args.names.iter().zip(&experiments) {
        let extrapolate = if args.extrapolate { " --extrapolate" } else { "" };
        let file = name.rsplit('/').next().unwrap_or(name);
        let command = format!("harness footprint {file} --device {}{extrapolate}", args.device);
        let outcome = match experiment {
            MemoryExperiment::MemoryFigure(what) => make_figure(what, &args, &pool, &store, &command),
            MemoryExperiment::MemoryTable(what) => make_table(what, &args, &pool, &store, &command),
        };
        match outcome {
            Ok((shelf, outcome)) => {
                any_kept |= shelf == Shelf::Kept;
                match outcome {
                    Err(Error::Failed(why)) => failures.push(why),
                    other => other?,
                }
            }
            Err(other) => return Err(other),
        }
    }
    if any_kept {
        // A file of somebody's own is no part of the page.
        if args.names.iter().all(|name| !name.ends_with(".toml")) {
            page::write(&args.results.results)?.iter().for_each(|path| say!("wrote {}", path.display()));
        }
        say!("wrote {}", write_index(&args.results.results)?.display());
    }
    match failures.is_empty() {
        true => Ok(()),
        false => Err(Error::Failed(failures.join("\n"))),
    }
}

/// Prints what the store lacks of an experiment.
fn listed(name: &str, what: &MemoryExperiment, args: &FootprintArgs, pool: &Pool) -> Result<()> {
    let store = Store::at(&args.results.results);
    let jobs = match what {
        MemoryExperiment::MemoryFigure(what) => figure::jobs(what, &figure::cells(what, args.device)?),
        MemoryExperiment::MemoryTable(what) => table::jobs(what, &choices(args, pool, ""), &store)?,
    };
    let left: Vec<_> = jobs.iter().filter(|job| !matches!(store.find(&job.request), Ok(Some(_)))).collect();
    say!("{name}: {} measurements: {} already there, {} to do", jobs.len(), jobs.len() - left.len(), left.len());
    left.iter().try_for_each(|job| print(&format!("{}  {}", job.request.id(), job.title)))
}

/// Makes a figure; says on which shelf it is, and what failed.
fn make_figure(
    what: &Figure,
    args: &FootprintArgs,
    pool: &Pool,
    store: &Store,
    command: &str,
) -> Result<(Shelf, Result<()>)> {
    let cells = figure::cells(what, args.device)?;
    let outcome = match pool.make(&figure::jobs(what, &cells), store) {
        Err(Error::Interrupted) => return Err(Error::Interrupted),
        other => other,
    };
    let drawn = figure::collect(what, &cells, store, command)?;
    let items: Vec<Measured> = drawn
        .each()
        .map(|(column, line, _, found)| Measured { column, row: &line.label, role: "depth", found })
        .collect();
    let (shelf, dir) = place(&what.name, &what.title, command, &items, args)?;
    let mut written = vec![parquet::write(&what.name, &items, &dir)?, memory::figure::write(&drawn, &dir)?];
    written.extend(draw::write(&drawn, &dir)?);
    show(&written, &dir)?;
    Ok((shelf, outcome.and_then(|()| drawn.check())))
}

fn choices<'a>(args: &FootprintArgs, pool: &'a Pool, command: &'a str) -> table::MemoryChoices<'a> {
    let limit = pool.memory.unwrap_or(u64::MAX);
    table::MemoryChoices { device: args.device, pool, limit, extrapolate: args.extrapolate, command }
}

/// Makes a table; says on which shelf it is, and what failed.
fn make_table(
    what: &Table,
    args: &FootprintArgs,
    pool: &Pool,
    store: &Store,
    command: &str,
) -> Result<(Shelf, Result<()>)> {
    let (report, outcome) = table::make(what, &choices(args, pool, command), store)?;
    let items: Vec<Measured> =
        report.each().map(|(column, row, role, found)| Measured { column, row, role, found }).collect();
    let (shelf, dir) = place(&what.name, &what.title, command, &items, args)?;
    let written = [parquet::write(&what.name, &items, &dir)?, memory::table::write(&report, &dir)?];
    show(&written, &dir)?;
    Ok((shelf, outcome))
}

/// The folder of an experiment's page.
fn place(name: &str, title: &str, command: &str, items: &[Measured], args: &FootprintArgs) -> Result<(Shelf, PathBuf)> {
    let about = About::measurements(title, command, items.iter().map(|item| item.found));
    let results = &args.results.results;
    let variant = variant(None, args.device, None);
    let stamps = items.iter().map(|item| item.found.stamp()).collect();
    let kept = parquet::read_stamps(&results.join(name).join(&variant).join(parquet::FILE))?;
    let (shelf, why) = Shelf::of(&about, &stamps, &kept, false, args.shelf);
    why.into_iter().for_each(|why| say!("{name} is not among what is kept: {why}"));
    let dir = folder(results, shelf, name, &variant)?;
    about.write(&dir)?;
    Ok((shelf, dir))
}

/// Says what was written, and prints the text.
fn show(written: &[PathBuf], dir: &Path) -> Result<()> {
    tidy(dir, written);
    written.iter().for_each(|path| say!("wrote {}", path.display()));
    print(&std::fs::read_to_string(dir.join("README.md")).unwrap_or_default())
}
