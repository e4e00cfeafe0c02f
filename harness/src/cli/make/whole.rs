//! A table or sweep from its plan to its page: what is missing is run, or handed over, and what there is written.

use super::args::MakeArgs;
use super::chosen::{Asked, Chosen, lines, tell_time};
use super::collect::{self, Finder};
use super::hand::Way;
use super::write;
use crate::cli::stdout::print;
use crate::engine;
use crate::error::{Error, Result};
use crate::estimate::Crew;
use crate::experiment::Experiment;
use crate::pool::{Job, Pool, share};
use crate::run;
use crate::spec::{DeviceName, Request, RunSpec};
use crate::store::Store;
use crate::talk::say;

/// An experiment as a command names it, without the folder of a file.
pub fn called(name: &str) -> String {
    name.rsplit('/').next().unwrap_or(name).to_string()
}

/// Makes `experiment`, which the command line called `words`.
pub fn make(
    experiment: Experiment,
    words: &str,
    device: Option<DeviceName>,
    epochs: Option<usize>,
    args: &MakeArgs,
) -> Result<()> {
    args.part.no_other_engine(&args.engine)?;
    args.engine.no_idle_flags()?;
    let select = &args.select;
    let store = Store::at(&select.results.results);
    // What is only written down, or handed to others, may be another machine's.
    let here = !args.no_run && args.engine.is_local();
    let chosen = Chosen::new(experiment, device, epochs, select, Asked { here, fetches: !args.dry_run })?;
    let Chosen { choices, jobs, .. } = &chosen;
    let finder = Finder { store: &store, older: select.older };
    let left = finder.left(jobs);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let at_once = args.jobs.map_or(if choices.device.card().is_some() { 1 } else { cores }, |n| n as usize);
    let outcome = match args.no_run {
        true => Ok(()),
        false => {
            // A dry run leaves nothing behind, not even what is written to see how fast the disk is.
            let scratch =
                tempfile::tempdir().map_err(|e| Error::file("create a folder in", &std::env::temp_dir(), e))?;
            let results = if args.dry_run { scratch.path() } else { store.results() };
            if !args.dry_run {
                store.ready()?;
            }
            let crew = Crew { jobs: at_once, threads: share(at_once), keeps_state: args.keep_state, results };
            let loads = match tell_time(&chosen, &left, crew) {
                Err(Error::Interrupted) => return Err(Error::Interrupted),
                // A table does not need to know how long it will take.
                Err(error) => {
                    say!("how long it will take is not known: {error}");
                    Vec::new()
                }
                Ok(loads) => loads,
            };
            if args.dry_run && here {
                say!("{} runs: {} already done, {} to do", jobs.len(), jobs.len() - left.len(), left.len());
                return listed(&left);
            }
            let handed = engine::place(store.results(), &chosen.name(), &lines(jobs, &left, &loads));
            match args.engine.hand_over(&handed, &finder, args)? {
                Way::Here => handed.write()?,
                Way::Over => return Ok(()),
                Way::Ended => say!("the batch system has no task of it left"),
            }
            let mut arguments = select.data.arguments();
            arguments.extend(args.keep.arguments());
            arguments.extend(args.log.arguments());
            arguments.extend(args.keep_state.then(|| "--keep-state".into()));
            let pool = Pool { at_once, arguments, until: args.part.until(), ..Pool::default() };
            match here {
                true => pool.make(&finder.given(args.part, jobs, &left), &store),
                false => missing(&finder.left(jobs), &store),
            }
        }
    };
    if matches!(outcome, Err(Error::Interrupted)) {
        return Err(Error::Interrupted);
    }
    if args.part.is_shard() {
        say!("a part of the runs: when all parts are done, the same command without --shard writes the page");
        return outcome;
    }
    // What ran is written down even if some runs failed.
    let Chosen { plan, choices, options, .. } = chosen;
    let (report, unread) = collect::report(plan, &choices, words, select, &finder, &options);
    if args.no_run && report.runs().next().is_none() {
        let store = select.results.results.display();
        return Err(Error::Missing(format!("nothing written: the store in {store} has none of its runs")));
    }
    let page = write::write(&report, &choices, args)?;
    let failed = |why: String| if unread.is_empty() { why } else { format!("{why}\n{}", unread.join("\n")) };
    match outcome {
        Err(Error::Failed(why)) => return Err(Error::Failed(failed(why))),
        Err(other) => return Err(other),
        Ok(()) if !unread.is_empty() => return Err(Error::Failed(failed("the table lacks runs".into()))),
        Ok(()) => {}
    }
    print(&std::fs::read_to_string(page).unwrap_or_default())
}

/// Fails if runs are `left`, with what is known of why.
fn missing(left: &[Job<RunSpec>], store: &Store) -> Result<()> {
    let why = |job: &Job<RunSpec>| {
        let why = store.failure::<RunSpec>(&job.request.id()).unwrap_or_else(|| "it is not finished".into());
        format!("  {}: {why}", job.title)
    };
    match left.len() {
        0 => Ok(()),
        n => Err(Error::Failed(format!(
            "{n} runs are not done; the same command hands them over again\n{}",
            left.iter().map(why).collect::<Vec<_>>().join("\n")
        ))),
    }
}

/// A line a run, and all that the runs themselves would be refused for.
fn listed(jobs: &[Job<RunSpec>]) -> Result<()> {
    jobs.iter().try_for_each(|job| print(&format!("{}  {}", job.request.id(), job.title)))?;
    let refused = |job: &Job<RunSpec>| run::check(&job.request).err().map(|why| format!("  {}: {why}", job.title));
    let refused: Vec<String> = jobs.iter().filter_map(refused).collect();
    match refused.is_empty() {
        true => Ok(()),
        false => {
            Err(Error::Input(format!("{} of {} runs would fail:\n{}", refused.len(), jobs.len(), refused.join("\n"))))
        }
    }
}
