//! One process of a pool: its start, what it says, how it ends.

use super::job::Job;
use crate::error::{Error, Result};
use crate::interrupt;
use crate::news::{News, Outcome};
use crate::progress;
use crate::spec::Request;
use crate::store::Store;
use crate::talk::{self, Manner, say};
use indicatif::{MultiProgress, ProgressBar};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long the last lines of a process that has ended are waited for: a child of its own may still hold its stderr.
const LAST_LINES: Duration = Duration::from_secs(5);

/// A process that works on a request.
pub(super) struct Process<R> {
    child: Child,
    /// The number of the request before its title.
    heading: String,
    /// What the request is called here; its process knows no rows.
    title: String,
    request: R,
    pub need: Option<u64>,
    number: usize,
    /// Reads what it says; ends with its last line.
    listener: JoinHandle<()>,
    bar: Option<ProgressBar>,
    /// How much of its work is done, from 0 to 1.
    pub share: f64,
    /// How much of it was done when it began; known once it has made a step.
    from: Option<f64>,
    /// Its last error, else its last line.
    last_words: String,
    /// How it ended, once it has.
    ended: Option<std::result::Result<ExitStatus, std::io::Error>>,
}

/// This very program, even if its file is replaced by a new build while a table is under way.
pub(crate) fn this_program() -> Result<PathBuf> {
    if cfg!(target_os = "linux") {
        return Ok(PathBuf::from("/proc/self/exe"));
    }
    std::env::current_exe().map_err(|e| Error::Missing(format!("cannot find this program: {e}")))
}

/// Starts `command` and hands it `job`'s spec on its stdin: nothing is written that could fail or be left behind.
pub(super) fn start<R: Request>(
    job: &Job<R>,
    heading: String,
    number: usize,
    command: Result<Command>,
    bars: Option<&MultiProgress>,
    lines: &Lines,
) -> Result<Process<R>> {
    let mut command = command?;
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|e| Error::Missing(format!("cannot start a process: {e}")))?;
    let mut stdin = child.stdin.take().expect("stdin is piped");
    // One that ends before it has read it says why on its own.
    let _ = stdin.write_all(job.request.to_toml().as_bytes());
    drop(stdin);
    let listener = lines.listen(number, child.stderr.take().expect("stderr is piped"));
    let bar = bars.map(|bars| bars.add(progress::bar(heading.clone())));
    let (title, request, need) = (job.title.clone(), job.request.clone(), job.need);
    let last_words = String::new();
    Ok(Process {
        child,
        heading,
        title,
        request,
        need,
        number,
        listener,
        bar,
        last_words,
        share: 0.0,
        from: None,
        ended: None,
    })
}

/// What all processes say.
pub(super) struct Lines {
    sender: Sender<(usize, String)>,
    receiver: Receiver<(usize, String)>,
}

impl Lines {
    pub fn new() -> Self {
        let (sender, receiver) = channel();
        Self { sender, receiver }
    }

    fn listen(&self, number: usize, errors: impl std::io::Read + Send + 'static) -> JoinHandle<()> {
        let sender = self.sender.clone();
        std::thread::spawn(move || {
            for line in BufReader::new(errors).lines().map_while(std::result::Result::ok) {
                if sender.send((number, line)).is_err() {
                    break;
                }
            }
        })
    }

    /// Shows what comes within `wait`, and remembers the last of it.
    pub fn show<R>(&mut self, running: &mut [Process<R>], wait: Duration) {
        let until = Instant::now() + wait;
        while let Ok((number, line)) = self.receiver.recv_timeout(until.saturating_duration_since(Instant::now())) {
            let Some(process) = running.iter_mut().find(|process| process.number == number) else { continue };
            process.heard(&line);
        }
    }
}

/// Processes under way; none outlives this one, however it ends.
pub(super) struct Running<R>(pub Vec<Process<R>>);

impl<R> Running<R> {
    /// Takes out those that have ended.
    pub fn ended(&mut self, lines: &mut Lines) -> Vec<Process<R>> {
        for process in &mut self.0 {
            process.ended = process.child.try_wait().transpose();
        }
        // Their last lines are still on the way, for a moment if the machine is busy.
        let until = Instant::now() + LAST_LINES;
        while Instant::now() < until && self.0.iter().any(|p| p.ended.is_some() && !p.listener.is_finished()) {
            lines.show(&mut self.0, Duration::from_millis(5));
        }
        if self.0.iter().any(|process| process.ended.is_some()) {
            lines.show(&mut self.0, Duration::ZERO);
        }
        self.0.extract_if(.., |process| process.ended.is_some()).collect()
    }
}

impl<R: Request> Running<R> {
    /// Has every process end its work as a signal does, and gives it so much time for the step that it is in and for
    /// keeping its state.
    pub fn stop(&mut self, grace: Duration) {
        self.0.iter().for_each(|process| interrupt::ask_to_end(process.child.id()));
        let until = Instant::now() + grace;
        for process in &mut self.0 {
            while Instant::now() < until && matches!(process.child.try_wait(), Ok(None)) {
                std::thread::sleep(Duration::from_millis(20));
            }
            process.ended = process.child.try_wait().transpose();
            process.tell_stopped();
        }
    }
}

impl<R> Drop for Running<R> {
    /// Ends what is still running; its checkpoints are whole either way.
    fn drop(&mut self) {
        for process in &mut self.0 {
            // Errors mean that it has ended already.
            let _ = process.child.kill();
            let _ = process.child.wait();
        }
    }
}

impl<R> Process<R> {
    /// Takes in a line: news, or the words of a program that has none.
    fn heard(&mut self, line: &str) {
        let news = News::parse(line).map_or_else(|| News::Note { text: line.into() }, |news| news.called(&self.title));
        self.share = news.share().unwrap_or(self.share);
        self.from = self.from.or_else(|| done_at_start(&news));
        let sentences = news.sentences();
        if let Some(last) = sentences.iter().rfind(|sentence| sentence.starts_with("error: ")).or(sentences.last())
            && (last.starts_with("error: ") || !self.last_words.starts_with("error: "))
        {
            self.last_words.clone_from(last);
        }
        match (&self.bar, &news) {
            (Some(_), News::End { outcome: Outcome::Interrupted, .. }) => {}
            (Some(bar), News::End { .. }) => bar.set_position(progress::PARTS),
            (Some(bar), news) => progress::show(bar, news),
            // That there is no result, and why, is told once, when it has ended.
            (None, News::End { outcome: Outcome::Failed | Outcome::Interrupted, .. }) => {}
            (None, news) if talk::manner() == Manner::Json && !matches!(news, News::Note { .. }) => talk::report(news),
            (None, _) => sentences.iter().for_each(|sentence| say!("[{}] {sentence}", self.number)),
        }
    }
}

impl<R> Process<R> {
    /// How much of its work was done when it began, from 0 to 1.
    pub fn done_before(&self) -> f64 {
        self.from.unwrap_or(self.share)
    }
}

impl<R: Request> Process<R> {
    /// Whether it ended because it was asked to.
    pub fn was_interrupted(&self) -> bool {
        let interrupted = i32::from(Error::Interrupted.exit_code());
        matches!(&self.ended, Some(Ok(status)) if status.code() == Some(interrupted))
    }

    /// What came of a process that has ended: a line about what it made, or why there is nothing. A failure is noted in
    /// the store.
    pub fn outcome(self, store: &Store) -> std::result::Result<(), String> {
        if let Some(bar) = &self.bar {
            bar.finish();
        }
        let why = match &self.ended {
            Some(Ok(status)) if status.success() => match store.find(&self.request) {
                Ok(Some(record)) => {
                    R::summary(&record).into_iter().for_each(|summary| say!("{}: {summary}", self.heading));
                    return Ok(());
                }
                Ok(None) => "it left no result".into(),
                Err(error) => error.to_string(),
            },
            Some(Ok(status)) => with_words(*status, &self.last_words),
            Some(Err(error)) => format!("it cannot be followed: {error}"),
            None => "it has not ended".into(),
        };
        // What was asked to end has its state and waits for whoever resumes it.
        if !self.was_interrupted() {
            store.note_failure::<R>(&self.request.id(), &why);
        }
        self.tell_end(Some(why.clone()));
        Err(format!("  {}: {why}", self.heading))
    }

    /// Tells programs that it was to end, unless it was done by then.
    pub fn tell_stopped(&self) {
        if !matches!(&self.ended, Some(Ok(status)) if status.success()) {
            let (run, title) = (self.request.id(), self.heading.clone());
            talk::report(&News::End { run, title, outcome: Outcome::Interrupted, why: None });
        }
    }

    /// Tells programs that there is no result.
    fn tell_end(&self, why: Option<String>) {
        let outcome = if self.was_interrupted() { Outcome::Interrupted } else { Outcome::Failed };
        talk::report(&News::End { run: self.request.id(), title: self.heading.clone(), outcome, why });
    }
}

/// How much of its work a process had done when it began, if `news`, its first with a share, tell. A start knows of an
/// epoch under way only that it is; the first step after it does.
fn done_at_start(news: &News) -> Option<f64> {
    match news {
        News::Start { from_step: 1.., .. } => None,
        news => news.share(),
    }
}

/// How a process ended that said `words` last.
fn with_words(status: ExitStatus, words: &str) -> String {
    match (words.starts_with("error: "), status.signal(), words) {
        (true, None, error) => error.into(),
        (true, Some(signal), error) => format!("{error} (it ended by {})", name_of(signal)),
        (false, _, "") => told(status),
        (false, _, words) => format!("{}; its last words: {words}", told(status)),
    }
}

/// A signal by number and name.
fn name_of(signal: i32) -> String {
    match signal_hook::low_level::signal_name(signal) {
        Some(name) => format!("signal {signal}, {name}"),
        None => format!("signal {signal}"),
    }
}

/// How a process ended, in words, with what to do about it.
pub(crate) fn told(status: ExitStatus) -> String {
    match status.signal() {
        Some(libc::SIGABRT) => {
            "it ended itself (SIGABRT), as a program does that gets no more memory; take a smaller --batch or --width, \
             or fewer --jobs"
                .into()
        }
        Some(libc::SIGKILL) => {
            "it was killed (SIGKILL), which the system does where memory ends; take a smaller --batch or --width, or \
             fewer --jobs, unless somebody did it by hand"
                .into()
        }
        Some(libc::SIGBUS) => "it could not reach its memory (SIGBUS), as when a disk is full; free some space".into(),
        Some(signal) => {
            format!("it was ended by {}; run the same command again: it resumes there", name_of(signal))
        }
        None => status.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_done_before_is_told_by_a_start_or_by_the_first_step_after_one_within_an_epoch() {
        let start = |from_step| News::Start {
            run: "a".into(),
            title: "BP".into(),
            epochs: 4,
            from_epoch: 1,
            from_step,
            images: 64,
            data: "x".into(),
        };
        let step = News::Step { run: "a".into(), epoch: 2, epochs: 4, step: 5, steps: 10, eta_seconds: None };
        let found = [start(0), start(4), step].map(|news| done_at_start(&news));
        assert_eq!(found, [Some(0.25), None, Some(0.375)]);
    }

    #[test]
    fn how_a_process_ended_is_told_in_words_with_what_to_do() {
        let told = |raw| told(ExitStatus::from_raw(raw));
        for signal in [libc::SIGABRT, libc::SIGKILL] {
            let words = told(signal);
            assert!(["memory", "--batch", "--width", "--jobs"].iter().all(|word| words.contains(word)), "{words}");
        }
        assert!(told(libc::SIGBUS).contains("disk"));
        assert!(told(libc::SIGTERM).contains("signal 15") && told(libc::SIGTERM).contains("same command"));
        assert!(told(libc::SIGSEGV).contains("SIGSEGV") && told(101 << 8).contains("101"));
        let words = |raw, words| with_words(ExitStatus::from_raw(raw), words);
        assert_eq!(words(3 << 8, "error: no"), "error: no");
        assert!(words(libc::SIGABRT, "error: no").starts_with("error: no (it ended by signal 6, SIGABRT"));
        assert!(words(libc::SIGSEGV, "epoch 3").ends_with("its last words: epoch 3"));
    }
}
