//! Requests as local processes: one process each, so that nothing of one is in another's memory; several at once, as
//! far as their memory fits side by side; records through the store.

mod job;
mod process;
mod whole;

pub use job::Job;
pub(crate) use process::{this_program, told};

use crate::device;
use crate::error::{Error, Result};
use crate::interrupt;
use crate::news::News;
use crate::room::available;
use crate::spec::Request;
use crate::store::Store;
use crate::talk;
use indicatif::MultiProgress;
use process::{Lines, Process, Running, start};
use std::collections::{HashSet, VecDeque};
use std::ffi::OsString;
use std::time::{Duration, Instant};
use whole::Whole;

/// What a request of unknown size is taken to need where memory is shared out.
const ASSUMED: u64 = 3 << 30;

/// How long processes that are to end may take for the step that they are in and for keeping their state, where nobody
/// says.
const GRACE: Duration = Duration::from_secs(30);

/// How far apart processes may hear of the same signal.
const MOMENT: Duration = Duration::from_secs(1);

/// How requests are made.
#[derive(Clone, Debug, Default)]
pub struct Pool {
    /// Processes at once.
    pub at_once: usize,
    /// Threads of each, where the request does not say; the machine's are shared out when absent.
    pub threads: Option<usize>,
    /// Bytes that all of them together may need; one alone is started in any case.
    pub memory: Option<u64>,
    /// When to stop as at a signal, with the state of what is unfinished kept.
    pub until: Option<Instant>,
    /// How long processes may take to end when they are asked to; 30 seconds when absent.
    pub grace: Option<Duration>,
    /// Handed on to every process.
    pub arguments: Vec<OsString>,
}

impl Pool {
    /// Makes every one of `jobs` that `store` lacks, in this order, but those that another process works on after all
    /// others. One that fails does not stop the others; the failures come back as one error at the end, when all else
    /// is done and kept.
    pub fn make<R: Request>(&self, jobs: &[Job<R>], store: &Store) -> Result<()> {
        let mut seen = HashSet::new();
        let mut pending = VecDeque::new();
        for job in jobs {
            // A record that cannot be used is set aside by the process that makes it again.
            if seen.insert(job.request.id()) && !matches!(store.find(&job.request), Ok(Some(_))) {
                pending.push_back(job);
            }
        }
        let grace = self.grace.unwrap_or(GRACE);
        let to_do = pending.len();
        let at_once = self.at_once.min(to_do).max(1);
        let done = seen.len() - to_do;
        talk::report(&News::Plan { noun: R::NOUN.into(), total: seen.len(), done, at_once });
        let bars = talk::draws().then(MultiProgress::new);
        let mut whole = Whole::new(to_do, bars.as_ref());
        let mut lines = Lines::new();
        let mut running = Running(Vec::new());
        let mut failures = Vec::new();
        let (mut started, mut before) = (0, 0.0);
        while !(pending.is_empty() && running.0.is_empty()) {
            while !interrupt::requested() && self.has_a_place(&running) {
                // Another harness may be at the same work: who waits for it makes nothing.
                let free = pending.iter().position(|job| store.holder::<R>(&job.request.id()).is_none());
                let next = free.unwrap_or_default();
                if !pending.get(next).is_some_and(|job| self.has_room(&running, job)) {
                    break;
                }
                let Some(job) = pending.remove(next) else { break };
                started += 1;
                let title = format!("[{started}/{to_do}] {}", job.title);
                let threads = job.request.threads().or(self.threads).unwrap_or_else(|| share(at_once));
                match start(
                    job,
                    title.clone(),
                    started,
                    self.command(&job.request, threads, store),
                    bars.as_ref(),
                    &lines,
                ) {
                    Ok(process) => running.0.push(process),
                    Err(error) => failures.push(format!("  {title}: {error}")),
                }
            }
            lines.show(&mut running.0, Duration::from_millis(50));
            let sum = |of: fn(&Process<R>) -> f64| running.0.iter().map(of).sum::<f64>();
            whole.show(started - running.0.len(), sum(|process| process.share), before + sum(Process::done_before));
            if interrupt::requested() || self.out_of_time() {
                running.stop(grace);
                return Err(Error::Interrupted);
            }
            let ended = running.ended(&mut lines);
            // A signal that is for all may reach a run a moment before it reaches this process.
            if ended.iter().any(|process| process.was_interrupted()) && interrupt::requested_within(MOMENT) {
                ended.iter().for_each(Process::tell_stopped);
                running.stop(grace);
                return Err(Error::Interrupted);
            }
            for process in ended {
                before += process.done_before();
                failures.extend(process.outcome(store).err());
            }
        }
        match failures.len() {
            0 => Ok(()),
            n => Err(Error::Failed(format!(
                "{n} of {to_do} {}s failed; the others are kept\n{}",
                R::NOUN,
                failures.join("\n")
            ))),
        }
    }

    fn out_of_time(&self) -> bool {
        self.until.is_some_and(|until| Instant::now() >= until)
    }

    fn has_a_place<R>(&self, running: &Running<R>) -> bool {
        running.0.len() < self.at_once.max(1)
    }

    fn has_room<R: Request>(&self, running: &Running<R>, job: &Job<R>) -> bool {
        let needs: u64 = running.0.iter().map(|process| process.need.unwrap_or(ASSUMED)).sum();
        let fits = self.memory.is_none_or(|memory| needs + job.need.unwrap_or(ASSUMED) <= memory);
        running.0.is_empty() || fits
    }

    fn command<R: Request>(&self, request: &R, threads: usize, store: &Store) -> Result<std::process::Command> {
        let mut command = std::process::Command::new(this_program()?);
        command.args([R::SUBCOMMAND, "--spec", "-", "--parent"]).arg(std::process::id().to_string());
        command.arg("--results").arg(store.results()).args(&self.arguments).args(request.arguments());
        command.env("RAYON_NUM_THREADS", threads.to_string()).env(talk::VARIABLE, "json");
        Ok(command)
    }
}

/// The machine's threads, or as many as `RAYON_NUM_THREADS` gives, for each of `jobs` processes.
pub(crate) fn share(jobs: usize) -> usize {
    (device::threads() / jobs.max(1)).max(1)
}

/// Bytes that requests may take here: what the system says is available less 2 GiB, at most `most`.
pub fn room(most: u64) -> u64 {
    available().map_or(most, |bytes| most.min(bytes.saturating_sub(2 << 30)))
}
