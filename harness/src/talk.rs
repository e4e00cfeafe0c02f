//! Talk, on stderr: sentences for people, or lines of JSON for programs. It may find nobody: a closed pipe, a full disk
//! or a terminal that is gone harms no run.

use crate::news::News;
use std::fmt::Arguments;
use std::io::{IsTerminal, Write};
use std::sync::OnceLock;

/// How progress is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Manner {
    /// Bars on a terminal, lines elsewhere.
    #[default]
    Auto,
    /// Lines.
    Plain,
    /// A line of JSON for each thing that happens, and nothing else (docs/formats.md).
    Json,
}

/// Says how a process talks that has no flag for it, like one that works for another.
pub const VARIABLE: &str = "SLL_PROGRESS";

static MANNER: OnceLock<Manner> = OnceLock::new();

/// Decides how this process talks, once.
pub fn decide(manner: Manner) {
    // The first decision stands.
    let _ = MANNER.set(manner);
}

/// How this process talks.
pub fn manner() -> Manner {
    MANNER.get().copied().unwrap_or_default()
}

/// Whether bars are drawn.
pub fn draws() -> bool {
    manner() == Manner::Auto && std::io::stderr().is_terminal()
}

/// Writes a line to stderr, or nowhere.
pub fn tell(line: Arguments) {
    match manner() {
        Manner::Json => write(&News::Note { text: line.to_string() }.line()),
        _ => write(&line.to_string()),
    }
}

/// Tells what happened.
pub fn report(news: &News) {
    match manner() {
        Manner::Json => write(&news.line()),
        _ => news.sentences().iter().for_each(|sentence| write(sentence)),
    }
}

fn write(line: &str) {
    // In one piece, so that lines of several processes do not mix.
    let text = format!("{line}\n");
    let _ = std::io::stderr().write_all(text.as_bytes());
}

/// [`tell`] with a format string.
macro_rules! say {
    ($($line:tt)*) => { $crate::talk::tell(format_args!($($line)*)) };
}
pub(crate) use say;
