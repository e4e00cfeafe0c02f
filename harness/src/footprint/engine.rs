//! Measurements as local processes: one fresh process each, so that nothing of one is in another's memory, and no more
//! at once than fit side by side.

use super::spec::MemorySpec;
use super::store::Store;
use crate::engine::this_program;
use crate::error::{Error, Result};
use crate::interrupt;
use crate::report::atomic::write_atomically;
use std::collections::{HashSet, VecDeque};
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
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
            if seen.insert(job.spec.id()) && store.get(&job.spec)?.is_none() {
                pending.push_back(job);
            }
        }
        let to_do = pending.len();
        eprintln!("{} measurements: {} already done, {to_do} to do", seen.len(), seen.len() - to_do);
        let (mut running, mut failures, mut started) = (Running(Vec::new()), Vec::new(), 0);
        loop {
            while let Some(job) = pending.front().filter(|job| self.has_room(&running.0, job)) {
                started += 1;
                running.0.push(start(job, store, &format!("[{started}/{to_do}] {}", job.title))?);
                pending.pop_front();
            }
            if running.0.is_empty() {
                break;
            }
            if interrupt::requested() {
                return Err(Error::Interrupted);
            }
            std::thread::sleep(Duration::from_millis(20));
            reap(&mut running.0, store, &mut failures)?;
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
    let request = store.request(&job.spec);
    write_atomically(&request, |file| file.write_all(job.spec.to_toml().as_bytes()))?;
    let mut command = Command::new(this_program()?);
    command.arg("memory").arg("--spec").arg(&request).arg("--results").arg(store.results());
    command.env("RAYON_NUM_THREADS", job.spec.threads.to_string());
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|e| Error::Missing(format!("cannot start a measurement: {e}")))?;
    let lines = BufReader::new(child.stderr.take().expect("stderr is piped")).lines();
    let prefix = title.to_string();
    let listener = std::thread::spawn(move || {
        let mut error = String::new();
        for line in lines.map_while(std::result::Result::ok) {
            if line.starts_with("error: ") {
                error = line;
            } else {
                eprintln!("{prefix}: {line}");
            }
        }
        error
    });
    let (title, spec) = (title.to_string(), job.spec.clone());
    Ok(Process { child, title, spec, need: job.need.unwrap_or(ASSUMED), listener: Some(listener) })
}

fn reap(running: &mut Vec<Process>, store: &Store, failures: &mut Vec<String>) -> Result<()> {
    let mut index = 0;
    while index < running.len() {
        let status = running[index].child.try_wait();
        let Some(status) = status.map_err(|e| Error::Failed(format!("cannot follow a measurement: {e}")))? else {
            index += 1;
            continue;
        };
        let mut process = running.remove(index);
        let error = process.listener.take().and_then(|listener| listener.join().ok()).unwrap_or_default();
        // The request has served its purpose; a left-over one harms nobody.
        let _ = std::fs::remove_file(store.request(&process.spec));
        match store.get(&process.spec)?.filter(|_| status.success()) {
            Some(found) => eprintln!(
                "{}: step peak {:.1} MiB, total {:.1} MiB, {:.2} s a step",
                process.title,
                found.step_peak as f64 / 1_048_576.0,
                found.peak as f64 / 1_048_576.0,
                found.seconds_per_step
            ),
            None => {
                let why = if error.is_empty() { status.to_string() } else { error };
                eprintln!("{}: {why}", process.title);
                failures.push(format!("  {}: {why}", process.title));
            }
        }
    }
    Ok(())
}

/// Bytes that measurements may take here: what the system says is available less 2 GiB, at most `most`.
pub fn room(most: u64) -> u64 {
    let info = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kib = info.lines().find_map(|line| line.strip_prefix("MemAvailable:")?.trim().strip_suffix(" kB"));
    match kib.and_then(|kib| kib.trim().parse::<u64>().ok()) {
        Some(kib) => most.min((kib * 1024).saturating_sub(2 << 30)),
        None => most,
    }
}
