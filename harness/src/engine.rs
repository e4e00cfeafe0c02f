//! Runs as local processes: one process a run, several at once, results through the store.

use crate::error::{Error, Result};
use crate::interrupt;
use crate::spec::RunSpec;
use crate::store::Store;
use crate::talk::say;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use std::io::{BufRead, BufReader, IsTerminal, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
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
    /// Its last error, else its last line.
    last_words: String,
}

impl Engine {
    /// Makes every run of `jobs` that `store` lacks. A run that fails does not stop the others; the failures come back
    /// as one error at the end, when all else is done and kept.
    pub fn execute(&self, jobs: Vec<Job>, store: &Store) -> Result<()> {
        let mut seen = std::collections::HashSet::new();
        let mut pending = Vec::new();
        for job in jobs {
            // A result that cannot be used is set aside by the run itself, which then makes it again.
            if seen.insert(job.spec.id()) && !matches!(store.result(&job.spec.id()), Ok(Some(_))) {
                pending.push(job);
            }
        }
        let (total, to_do) = (seen.len(), pending.len());
        say!("{total} runs: {} already done, {to_do} to do, {} at once", total - to_do, self.jobs.min(to_do).max(1));
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
                let title = format!("[{started}/{to_do}] {}", job.title);
                match self.start(&job, (started, &title), threads, store, terminal.then_some(&bars), &sender) {
                    Ok(process) => running.0.push(process),
                    Err(error) => failures.push(format!("  {title}: {error}")),
                }
            }
            show(&lines, &mut running.0, Duration::from_millis(100));
            if interrupt::requested() {
                return Err(Error::Interrupted);
            }
            reap(&mut running.0, &lines, &mut failures);
        }
        match failures.len() {
            0 => Ok(()),
            n => {
                Err(Error::Failed(format!("{n} of {to_do} runs failed; the others are kept\n{}", failures.join("\n"))))
            }
        }
    }

    fn start(
        &self,
        job: &Job,
        (number, title): (usize, &str),
        threads: usize,
        store: &Store,
        bars: Option<&MultiProgress>,
        sender: &Sender<(usize, String)>,
    ) -> Result<Process> {
        let mut command = Command::new(this_program()?);
        command.args(["run", "--spec", "-"]).arg("--results").arg(store.results());
        command.arg("--parent").arg(std::process::id().to_string());
        if let Some(dir) = &self.data_dir {
            command.arg("--data-dir").arg(dir);
        }
        if self.offline {
            command.arg("--offline");
        }
        command.env("RAYON_NUM_THREADS", threads.to_string());
        let mut child = spawn(&mut command, &job.spec.to_toml())?;
        let errors = child.stderr.take().expect("stderr is piped");
        let sender = sender.clone();
        std::thread::spawn(move || {
            for line in BufReader::new(errors).lines().map_while(std::result::Result::ok) {
                if sender.send((number, line)).is_err() {
                    break;
                }
            }
        });
        let title = title.to_string();
        let bar = bars.map(|bars| {
            let style = ProgressStyle::with_template("{spinner} {prefix}: {msg}").expect("a valid template");
            let bar = bars.add(ProgressBar::new_spinner()).with_style(style).with_prefix(title.clone());
            bar.enable_steady_tick(Duration::from_millis(200));
            bar
        });
        Ok(Process { child, title, bar, number, last_words: String::new() })
    }
}

/// Starts `command` and hands it `spec` on its stdin: nothing is written that could fail or be left behind.
pub(crate) fn spawn(command: &mut Command, spec: &str) -> Result<Child> {
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|e| Error::Missing(format!("cannot start a process: {e}")))?;
    let mut stdin = child.stdin.take().expect("stdin is piped");
    // One that ends before it has read it says why on its own.
    let _ = stdin.write_all(spec.as_bytes());
    Ok(child)
}

/// How a process ended, in words, with what to do about it.
pub(crate) fn told(status: ExitStatus) -> String {
    match status.signal() {
        Some(libc::SIGABRT) => {
            "it ended itself (SIGABRT), as a program does that gets no more memory; take a smaller --batch or --width, or \
             fewer --jobs"
                .into()
        }
        Some(libc::SIGKILL) => {
            "it was killed (SIGKILL), which the system does where memory ends; take a smaller --batch or --width, or fewer \
             --jobs, unless somebody did it by hand"
                .into()
        }
        Some(libc::SIGBUS) => "it could not reach its memory (SIGBUS), as when a disk is full; free some space".into(),
        Some(signal) => format!("it was ended by signal {signal}; run the same command again: it goes on from there"),
        None => status.to_string(),
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
        if line.starts_with("error: ") || !run.last_words.starts_with("error: ") {
            run.last_words.clone_from(&line);
        }
        match &run.bar {
            Some(bar) => bar.set_message(line),
            None => say!("[{}] {line}", run.number),
        }
    }
}

fn reap(running: &mut Vec<Process>, lines: &Receiver<(usize, String)>, failures: &mut Vec<String>) {
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
        show(lines, running, Duration::from_millis(20));
        let run = running.remove(index);
        if let Some(bar) = &run.bar {
            bar.finish();
        }
        if let Some(told) = ended {
            let why = match run.last_words.as_str() {
                error if error.starts_with("error: ") => error.to_string(),
                "" => told,
                words => format!("{told}; its last words: {words}"),
            };
            failures.push(format!("  {}: {why}", run.title));
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_a_process_ended_is_told_in_words_with_what_to_do() {
        let told = |raw| told(ExitStatus::from_raw(raw));
        for signal in [libc::SIGABRT, libc::SIGKILL] {
            let words = told(signal);
            assert!(["memory", "--batch", "--width", "--jobs"].iter().all(|word| words.contains(word)), "{words}");
        }
        assert!(told(libc::SIGBUS).contains("disk"));
        assert!(told(libc::SIGTERM).contains("signal 15") && told(libc::SIGTERM).contains("same command"));
        assert!(told(101 << 8).contains("101"));
    }
}
