//! Runs as local processes: one process a run, several at once, results through the store.

use crate::error::{Error, Result};
use crate::interrupt;
use crate::spec::RunSpec;
use crate::store::Store;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use std::io::{BufRead, BufReader, IsTerminal};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

/// How runs are executed.
#[derive(Clone, Debug)]
pub struct Engine {
    /// Processes at once.
    pub jobs: usize,
    /// Threads of each; the machine's are shared out when absent.
    pub threads: Option<usize>,
    /// Handed on to every run.
    pub data_dir: Option<PathBuf>,
    /// Whether runs must not fetch data.
    pub offline: bool,
}

/// A run to make.
#[derive(Clone, Debug)]
pub struct Job {
    /// For people.
    pub title: String,
    /// What to run.
    pub spec: RunSpec,
}

struct Process {
    child: Child,
    title: String,
    bar: Option<ProgressBar>,
    number: usize,
    last_error: String,
}

impl Engine {
    /// Makes every run of `jobs` that `store` lacks. A run that fails does not stop the others; the failures come back
    /// as one error at the end, when all else is done and kept.
    pub fn execute(&self, jobs: Vec<Job>, store: &Store) -> Result<()> {
        let mut seen = std::collections::HashSet::new();
        let mut pending = Vec::new();
        for job in jobs {
            if seen.insert(job.spec.id()) && store.result(&job.spec.id())?.is_none() {
                pending.push(job);
            }
        }
        let (total, to_do) = (seen.len(), pending.len());
        eprintln!(
            "{total} runs: {} already done, {to_do} to do, {} at once",
            total - to_do,
            self.jobs.min(to_do).max(1)
        );
        pending.reverse();
        let bars = MultiProgress::new();
        let terminal = std::io::stderr().is_terminal();
        let (sender, lines) = channel();
        let (mut running, mut failures, mut started) = (Running(Vec::new()), Vec::new(), 0);
        while !(pending.is_empty() && running.0.is_empty()) {
            while running.0.len() < self.jobs.max(1) && !interrupt::requested() {
                let Some(job) = pending.pop() else { break };
                started += 1;
                let threads = self.threads.unwrap_or_else(|| share(self.jobs.min(to_do)));
                running.0.push(self.start(job, (started, to_do), threads, store, &bars, terminal, &sender)?);
            }
            show(&lines, &mut running.0, Duration::from_millis(100));
            if interrupt::requested() {
                return Err(Error::Interrupted);
            }
            reap(&mut running.0, &lines, &mut failures)?;
        }
        match failures.len() {
            0 => Ok(()),
            n => {
                Err(Error::Failed(format!("{n} of {to_do} runs failed; the others are kept\n{}", failures.join("\n"))))
            }
        }
    }

    #[allow(clippy::too_many_arguments)] // one call site; a struct would only rename them
    fn start(
        &self,
        job: Job,
        (number, of): (usize, usize),
        threads: usize,
        store: &Store,
        bars: &MultiProgress,
        terminal: bool,
        sender: &Sender<(usize, String)>,
    ) -> Result<Process> {
        let folder = store.folder(&job.spec.id());
        std::fs::create_dir_all(&folder).map_err(|e| Error::file("create", &folder, e))?;
        let spec = folder.join("request.toml");
        crate::report::atomic::write_atomically(&spec, |file| {
            std::io::Write::write_all(file, job.spec.to_toml().as_bytes())
        })?;
        let mut command = Command::new(this_program()?);
        command.arg("run").arg("--spec").arg(&spec).arg("--results").arg(store.results());
        if let Some(dir) = &self.data_dir {
            command.arg("--data-dir").arg(dir);
        }
        if self.offline {
            command.arg("--offline");
        }
        command.env("RAYON_NUM_THREADS", threads.to_string());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|e| Error::Missing(format!("cannot start a run: {e}")))?;
        let errors = child.stderr.take().expect("stderr is piped");
        let sender = sender.clone();
        std::thread::spawn(move || {
            for line in BufReader::new(errors).lines().map_while(std::result::Result::ok) {
                if sender.send((number, line)).is_err() {
                    break;
                }
            }
        });
        let title = format!("[{number}/{of}] {}", job.title);
        let bar = terminal.then(|| {
            let style = ProgressStyle::with_template("{spinner} {prefix}: {msg}").expect("a valid template");
            let bar = bars.add(ProgressBar::new_spinner()).with_style(style).with_prefix(title.clone());
            bar.enable_steady_tick(Duration::from_millis(200));
            bar
        });
        Ok(Process { child, title, bar, number, last_error: String::new() })
    }
}

/// This very program, even if its file is replaced by a new build while a table is under way.
pub(crate) fn this_program() -> Result<PathBuf> {
    if cfg!(target_os = "linux") {
        return Ok(PathBuf::from("/proc/self/exe"));
    }
    std::env::current_exe().map_err(|e| Error::Missing(format!("cannot find this program: {e}")))
}

/// The machine's threads for each of `jobs` processes.
pub(crate) fn share(jobs: usize) -> usize {
    (std::thread::available_parallelism().map_or(1, usize::from) / jobs.max(1)).max(1)
}

fn show(lines: &Receiver<(usize, String)>, running: &mut [Process], wait: Duration) {
    let until = Instant::now() + wait;
    while let Ok((number, line)) = lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
        let Some(run) = running.iter_mut().find(|run| run.number == number) else { continue };
        if line.starts_with("error: ") {
            run.last_error.clone_from(&line);
        }
        match &run.bar {
            Some(bar) => bar.set_message(line),
            None => eprintln!("[{}] {line}", run.number),
        }
    }
}

fn reap(running: &mut Vec<Process>, lines: &Receiver<(usize, String)>, failures: &mut Vec<String>) -> Result<()> {
    let mut index = 0;
    while index < running.len() {
        let status = running[index].child.try_wait().map_err(|e| Error::Failed(format!("cannot follow a run: {e}")))?;
        let Some(status) = status else {
            index += 1;
            continue;
        };
        show(lines, running, Duration::from_millis(20));
        let run = running.remove(index);
        if let Some(bar) = &run.bar {
            bar.finish();
        }
        if !status.success() {
            failures.push(format!(
                "  {}: {}",
                run.title,
                if run.last_error.is_empty() { status.to_string() } else { run.last_error }
            ));
        }
    }
    Ok(())
}

/// Processes under way; none outlives this one, however it ends.
struct Running(Vec<Process>);

impl Drop for Running {
    /// Gives runs a moment to end by the signal that reached them too, then ends them; their checkpoints are whole either
    /// way.
    fn drop(&mut self) {
        let until = Instant::now() + Duration::from_secs(3);
        for run in &mut self.0 {
            while interrupt::requested() && Instant::now() < until && matches!(run.child.try_wait(), Ok(None)) {
                std::thread::sleep(Duration::from_millis(20));
            }
            // Errors mean that it has ended already.
            let _ = run.child.kill();
            let _ = run.child.wait();
        }
    }
}
