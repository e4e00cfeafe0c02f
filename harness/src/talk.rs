//! Talk for people, on stderr. It may find nobody: a closed pipe, a full disk or a terminal that is gone harms no run.

use std::fmt::Arguments;
use std::io::Write;

/// Writes a line to stderr, or nowhere.
pub fn tell(line: Arguments) {
    // In one piece, so that lines of several processes do not mix.
    let text = format!("{line}\n");
    let _ = std::io::stderr().write_all(text.as_bytes());
}

/// [`tell`] with a format string.
macro_rules! say {
    ($($line:tt)*) => { $crate::talk::tell(format_args!($($line)*)) };
}
pub(crate) use say;
