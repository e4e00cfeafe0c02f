//! Runs handed to a batch system, and waiting for them.

use super::args::MakeArgs;
use super::batch::EngineArgs;
use super::collect::Finder;
use crate::cli::stdout::print;
use crate::engine::{self, Cluster, EngineName, Handed};
use crate::error::{Error, Result};
use crate::interrupt;
use crate::spec::Request;
use crate::talk::say;
use std::time::{Duration, Instant};

/// How often a batch system is asked, and for how long it may not answer.
const LOOK: Duration = Duration::from_secs(5);
const SILENCE: Duration = Duration::from_secs(900);
/// How often runs that a job left are handed over again.
const ROUNDS: usize = 4;

/// What became of the runs.
pub enum Way {
    /// They are to be made here.
    Here,
    /// A batch system has them.
    Over,
    /// A batch system had them.
    Ended,
}

impl EngineArgs {
    /// Hands the runs of `handed` that `finder` does not find to the batch system, if there is one. Prints the script
    /// where that is all that is asked for, and waits where that is asked for.
    pub fn hand_over(&self, handed: &Handed, finder: &Finder, args: &MakeArgs) -> Result<Way> {
        let Some(queue) = self.engine.queue() else { return Ok(Way::Here) };
        let cluster = self.asked(args.jobs)?;
        let unused = queue.unused(&cluster);
        if !unused.is_empty() {
            let keys = unused.join("`, `");
            let name = self.engine.name();
            return Err(Error::Input(format!("`{keys}` of a cluster: not for --engine {name}; leave it out")));
        }
        queue.check(&cluster)?;
        let command = command(args, &cluster)?;
        let mut before = usize::MAX;
        for _ in 0..ROUNDS {
            let left = left(handed, finder);
            if args.dry_run && left.is_empty() {
                say!("all runs are done: there is nothing to hand over");
                return Ok(Way::Over);
            }
            if left.is_empty() || left.len() >= before {
                break;
            }
            before = left.len();
            let work = handed.work(&left, cluster.clone(), command.clone())?;
            if args.dry_run {
                print(queue.script(&work).trim_end())?;
                return Ok(Way::Over);
            }
            engine::hand_over(self.engine, handed, &work)?;
            if !self.wait {
                say!("`harness status` tells how it goes; when it is done, the same command writes the page");
                return Ok(Way::Over);
            }
            wait(handed, self.engine)?;
        }
        Ok(Way::Ended)
    }
}

/// Numbers, from 1 on, of the lines whose runs are not done.
fn left(handed: &Handed, finder: &Finder) -> Vec<usize> {
    let jobs: Vec<_> = handed.lines.iter().map(crate::plan::PlanLine::job).collect();
    let left: std::collections::HashSet<String> = finder.left(&jobs).iter().map(|job| job.request.id()).collect();
    (1..).zip(&handed.lines).filter(|(_, line)| left.contains(&line.id)).map(|(number, _)| number).collect()
}

/// Waits until no task of `handed` is left. A batch system that does not answer for a while, as when it is restarted,
/// is asked again.
fn wait(handed: &Handed, engine: EngineName) -> Result<()> {
    let mut answered = Instant::now();
    loop {
        // What is taken to be gone was told where the work was handed over.
        match handed.alive_beside(Some(engine), &mut |_| {}) {
            Ok(0) => return Ok(()),
            Ok(_) => answered = Instant::now(),
            Err(error) if answered.elapsed() > SILENCE => return Err(error),
            Err(_) => {}
        }
        let next = Instant::now() + LOOK;
        while Instant::now() < next {
            if interrupt::requested() {
                say!("the batch system goes on; `harness cancel` ends it");
                return Err(Error::Interrupted);
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

/// `harness work` with all that a task needs to know but its plan and lines, which follow.
fn command(args: &MakeArgs, cluster: &Cluster) -> Result<Vec<String>> {
    let path = |path: &std::path::Path| {
        std::path::absolute(path).map(|path| path.display().to_string()).map_err(|e| Error::file("find", path, e))
    };
    let program = std::env::current_exe().map_err(|e| Error::Missing(format!("cannot find this program: {e}")))?;
    let mut words = vec![path(&program)?, "work".into()];
    words.extend(["--results".into(), path(&args.select.results.results)?]);
    words.extend(["--jobs".into(), cluster.jobs.to_string(), "--grace".into(), cluster.for_state().to_string()]);
    let data = &args.select.data;
    if let Some(dir) = &data.data_dir {
        words.extend(["--data-dir".into(), path(dir)?]);
    }
    words.extend(data.offline.then(|| "--offline".into()));
    words.extend(args.keep_state.then(|| "--keep-state".into()));
    let more = args.keep.arguments().into_iter().chain(args.log.arguments());
    words.extend(more.map(|word| word.to_string_lossy().into_owned()));
    words.extend(cluster.cpus.into_iter().flat_map(|cpus| {
        let threads = (cpus / cluster.jobs).max(1);
        ["--threads".to_string(), threads.to_string()]
    }));
    Ok(words)
}
