//! Measurements as local processes: one fresh process each, so that nothing of one is in another's memory, and no more
//! at once than fit side by side.

use super::spec::MemorySpec;
use super::store::Store;
use crate::engine::{spawn, this_program, told};
use crate::error::{Error, Result};
use crate::interrupt;
use crate::room::available;
use crate::talk::say;
use std::collections::{HashSet, VecDeque};
use std::io::{BufRead, BufReader};
use std::process::{Child, Command};
use std::thread::JoinHandle;
use std::time::Duration;

/// What a measurement of unknown size is taken to need.
const ASSUMED: u64 = 3 << 30;

/// A measurement to make.
#[derive(Clone, Debug)]
pub struct Job {
    /// For people.
    pub title: String,
    /// What to measure.
    pub spec: MemorySpec,
    /// Bytes that it will need, where that is known.
    pub need: Option<u64>,
}

/// How many measurements go on side by side.
#[derive(Clone, Copy, Debug)]
pub struct Crew {
    /// Processes at once.
    pub at_once: usize,
    /// Bytes that all of them together may need. One alone is started in any case.
    pub limit: u64,
}

struct Process {
    child: Child,
    title: String,
    spec: MemorySpec,
    need: u64,
    /// Gives the last line that was an error.
    listener: Option<JoinHandle<String>>,
}

/// Processes under way; none outlives this one, however it ends.
struct Running(Vec<Process>);

impl Drop for Running {
    fn drop(&mut self) {
        for process in &mut self.0 {
            // Errors mean that it has ended already.
            let _ = process.child.kill();
            let _ = process.child.wait();
        }
    }
}

impl Crew {
    /// Makes every measurement of `jobs` that `store` lacks, in this order. One that fails does not stop the others; the
    /// failures come back as one error at the end.
    pub fn measure(&self, jobs: &[Job], store: &Store) -> Result<()> {
        let (mut seen, mut pending) = (HashSet::new(), VecDeque::new());
        for job in jobs {
            // One that cannot be read is measured again.
            if seen.insert(job.spec.id()) && !matches!(store.get(&job.spec), Ok(Some(_))) {
                pending.push_back(job);
            }
        }
        let to_do = pending.len();
        say!("{} measurements: {} already done, {to_do} to do", seen.len(), seen.len() - to_do);
        let (mut running, mut failures, mut started) = (Running(Vec::new()), Vec::new(), 0);
        loop {
            while let Some(job) = pending.front().filter(|job| self.has_room(&running.0, job)) {
                started += 1;
                let title = format!("[{started}/{to_do}] {}", job.title);
                match start(job, store, &title) {
                    Ok(process) => running.0.push(process),
                    Err(error) => failures.push(format!("  {title}: {error}")),
                }
                pending.pop_front();
            }
            if running.0.is_empty() && pending.is_empty() {
                break;
            }
            if interrupt::requested() {
                return Err(Error::Interrupted);
            }
            std::thread::sleep(Duration::from_millis(20));
            reap(&mut running.0, store, &mut failures);
        }
        match failures.len() {
            0 => Ok(()),
            n => Err(Error::Failed(format!(
                "{n} of {to_do} measurements failed; the others are kept\n{}",
                failures.join("\n")
            ))),
        }
    }

    fn has_room(&self, running: &[Process], job: &Job) -> bool {
        let taken: u64 = running.iter().map(|process| process.need).sum();
        running.is_empty() || (running.len() < self.at_once && taken + job.need.unwrap_or(ASSUMED) <= self.limit)
    }
}

fn start(job: &Job, store: &Store, title: &str) -> Result<Process> {
    let mut command = Command::new(this_program()?);
    command.args(["memory", "--spec", "-"]).arg("--results").arg(store.results());
    command.arg("--parent").arg(std::process::id().to_string());
    command.env("RAYON_NUM_THREADS", job.spec.threads.to_string());
    let mut child = spawn(&mut command, &job.spec.to_toml())?;
    let lines = BufReader::new(child.stderr.take().expect("stderr is piped")).lines();
    let prefix = title.to_string();
    let listener = std::thread::spawn(move || {
        let mut error = String::new();
        for line in lines.map_while(std::result::Result::ok) {
            if line.starts_with("error: ") {
                error = line;
            } else {
                say!("{prefix}: {line}");
            }
        }
        error
    });
    let (title, spec) = (title.to_string(), job.spec.clone());
    Ok(Process { child, title, spec, need: job.need.unwrap_or(ASSUMED), listener: Some(listener) })
}

fn reap(running: &mut Vec<Process>, store: &Store, failures: &mut Vec<String>) {
    let mut index = 0;
    while index < running.len() {
        let ended = match running[index].child.try_wait() {
            Ok(None) => {
                index += 1;
                continue;
            }
            Ok(Some(status)) => (!status.success()).then(|| told(status)),
            Err(error) => Some(format!("it cannot be followed: {error}")),
        };
        let mut process = running.remove(index);
        let error = process.listener.take().and_then(|listener| listener.join().ok()).unwrap_or_default();
        match ended.map_or_else(|| store.get(&process.spec).map_err(|error| error.to_string()), Err) {
            Ok(Some(found)) => say!(
                "{}: step peak {:.1} MiB, total {:.1} MiB, {:.2} s a step",
                process.title,
                found.step_peak as f64 / 1_048_576.0,
                found.peak as f64 / 1_048_576.0,
                found.seconds_per_step
            ),
            outcome => {
                let why = outcome.err().unwrap_or_else(|| "it left no measurement".into());
                let why = if error.is_empty() { why } else { error };
                say!("{}: {why}", process.title);
                failures.push(format!("  {}: {why}", process.title));
            }
        }
    }
}

/// Bytes that measurements may take here: what the system says is available less 2 GiB, at most `most`.
pub fn room(most: u64) -> u64 {
    available().map_or(most, |bytes| most.min(bytes.saturating_sub(2 << 30)))
}
