//! `harness run`: one run in this process.

use super::options::{DataOptions, KeepOptions, LogOptions, ResultOptions};
use super::spec_args::SpecArgs;
use super::stdout::print_json;
use crate::error::{Error, Result};
use crate::estimate::{self, Crew};
use crate::interrupt;
use crate::model;
use crate::pool::share;
use crate::progress::{RunProgress, Watched};
use crate::record::RunResult;
use crate::remedy;
use crate::run::{self, Events, Keeping, Trained};
use crate::spec::{Request, RunSpec, SmallData, name_dataset};
use crate::store::Store;
use crate::talk::say;
use clap::Args;
use datasets::{LoadOptions, Status};
use std::path::{Path, PathBuf};
use toml::Value;

/// Flags beat the spec file, which beats the defaults (SLL on mlp-2x800, mnist-sample, the paper's MLP recipe).
#[derive(Args, Debug)]
pub struct RunArgs {
    #[command(flatten)]
    spec: SpecArgs,
    /// Print the spec that would be run, check all that the run checks, say what it would cost, and stop.
    #[arg(long)]
    dry_run: bool,
    /// Keep the state after the last epoch, so that a run of more epochs resumes from it.
    #[arg(long)]
    keep_state: bool,
    #[command(flatten)]
    keep: KeepOptions,
    /// Write the trained network, and what its rule keeps and learned, to this file (safetensors; docs/formats.md).
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,
    /// Make the steps by this many workers, one thread each, that train units of the network at once on different
    /// batches: the same numbers in less time and with the memory of as many batches (docs/running.md). For local
    /// rules.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pipeline: Option<u16>,
    /// Run again from the start, whatever is stored; the new result takes the place of the old one when it is there.
    /// Interrupted, the same command goes on.
    #[arg(long)]
    force: bool,
    /// The process that this run is made for: it ends when that one is gone.
    #[arg(long, hide = true, value_name = "PID")]
    parent: Option<u32>,
    #[command(flatten)]
    log: LogOptions,
    #[command(flatten)]
    data: DataOptions,
    #[command(flatten)]
    results: ResultOptions,
}

/// Prints the spec, checks all that the run itself checks, and says what it would cost.
fn dry_run(spec: &RunSpec, options: &LoadOptions, online: bool) -> Result<()> {
    super::stdout::print(spec.to_toml().trim_end())?;
    run::check(spec)?;
    if let Status::Missing { next, .. } = datasets::status(&spec.dataset, options)? {
        let missing = format!("{} is not on this machine", spec.dataset);
        if !online || !datasets::manifest(&spec.dataset)?.is_fetchable() {
            return Err(Error::Missing(format!("{missing}; {}", remedy::advice(&next))));
        }
        say!("{missing}; the run fetches it first");
    }
    let folder = tempfile::tempdir().map_err(|e| Error::Missing(format!("cannot make a temporary folder: {e}")))?;
    let crew = Crew { jobs: 1, threads: share(1), keeps_state: false, results: folder.path() };
    let loads = estimate::measure(&[spec], crew, options)?;
    say!("{}", estimate::command_cost(&[spec], &loads, crew)?);
    Ok(())
}

/// Runs, or finds the result in the store, and prints it.
pub fn main(args: RunArgs) -> Result<()> {
    args.parent.into_iter().for_each(interrupt::follow);
    let permission = args.data.allow_unverified.then_some(("allow_unverified", Value::Boolean(true)));
    let options = args.data.load_options()?;
    let (mut table, origin) = args.spec.table(permission.into_iter().collect())?;
    name_dataset(&mut table, &options)?;
    let mut spec = RunSpec::from_table(table, &origin)?;
    let here = LoadOptions { online: !args.dry_run && options.online, ..options.clone() };
    match spec.pin_data(&here) {
        // The spec of a run on data that are not here yet is worth seeing, too.
        Err(Error::Missing(why)) if args.dry_run => say!("without `data_digest`: {why}"),
        outcome => outcome?,
    }
    args.save.as_deref().map_or(Ok(()), model::check_path)?;
    if args.dry_run {
        run::check_pipeline(&spec, args.pipeline.map(usize::from))?;
        return dry_run(&spec, &here, options.online);
    }
    let store = Store::at(&args.results.results);
    let id = spec.id();
    let save = args.save.as_deref();
    // One that cannot be used is set aside below, under the run's lock.
    if let (Ok(Some(result)), false) = (store.find(&spec), args.force) {
        say!("{id} is in the store already; --force runs it again");
        args.log.of_found(&result, &args.results.results)?;
        return found(result, &store, save);
    }
    // What cannot run leaves nothing in the store.
    let workers = args.pipeline.map(usize::from);
    run::check(&spec)?;
    run::check_pipeline(&spec, workers)?;
    if let Some(SmallData::Meant(note)) = spec.small_data()? {
        say!("{note}");
    }
    store.ready()?;
    let claim = store.claim(&spec, || say!("another process is working on {id}; waiting for it"))?;
    // The process waited for may have finished the very same run.
    if args.force {
        if claim.restart()? {
            say!("{id} was begun anew before and goes on");
        }
    } else if let Some(result) = claim.result(|sentence| say!("{sentence}"))? {
        return found(result, &store, save);
    }
    let title = format!("{} on {}, seed {}", spec.rule.title(), spec.dataset, spec.seed);
    let progress = RunProgress::new(id, title, spec.recipe.epochs);
    let mut progress = Watched::new(progress, args.log.board(&spec, &args.results.results)?);
    let kept = claim.checkpoint();
    if !args.force && !kept.exist() {
        claim.give_up()?;
        run::extend(&spec, &store, &kept)?.into_iter().for_each(|sentence| progress.note(&sentence));
    }
    let keeping = Keeping { kept: &kept, every: args.keep.every() };
    let outcome = run::train(&spec, &options, Some(keeping), workers, &mut progress);
    let mut trained = match outcome {
        Ok(trained) => trained,
        Err(error) => {
            progress.failed(&error);
            if !matches!(error, Error::Interrupted) {
                claim.give_up().unwrap_or_else(|other| say!("{other}"));
            }
            // Nor does one that ended before there was anything to resume.
            if !kept.exist() {
                claim.remove_if_bare().unwrap_or_else(|other| say!("{other}"));
            }
            return Err(error);
        }
    };
    // Before the checkpoint goes, which is all there is of the weights if the file cannot be written.
    let unsaved = save.and_then(|path| saved(&mut trained, path).err());
    match args.keep_state || unsaved.is_some() {
        true => claim.finish_with_state(&trained.result)?,
        false => claim.finish(&trained.result)?,
    }
    progress.end(&trained.result);
    if let Some(step) = trained.result.diverged_at_step {
        say!("loss or weights stopped being numbers at step {step}; the run is kept as diverged. Try a smaller --lr");
    }
    print_json(&trained.result)?;
    unsaved.map_or(Ok(()), |error| {
        say!("the weights are kept in the store; the same command saves them without training again");
        Err(error)
    })
}

/// A run that the store has: saved from the state that was kept of it, if that is asked for, and printed.
fn found(result: RunResult, store: &Store, save: Option<&Path>) -> Result<()> {
    print_json(&result)?;
    let Some(path) = save else { return Ok(()) };
    let id = result.run_id.clone();
    match run::restored(result, &store.state(&id))? {
        Some(mut trained) => saved(&mut trained, path),
        None => Err(Error::Missing(format!(
            "{} is not written: of run {id} the store has the result and not the weights, which --keep-state keeps; \
             add --force to train it again and save it",
            path.display()
        ))),
    }
}

fn saved(trained: &mut Trained, path: &Path) -> Result<()> {
    model::save(trained, path)?;
    say!("saved the network to {}", path.display());
    Ok(())
}
