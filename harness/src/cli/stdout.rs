//! What goes to stdout.

use crate::error::{Error, Result};

/// Prints `value` on stdout as indented JSON. A closed pipe (`| head`) is no error.
pub fn print_json(value: &impl serde::Serialize) -> Result<()> {
    print(&serde_json::to_string_pretty(value).expect("plain data"))
}

/// Prints a line on stdout. A closed pipe is no error.
pub fn print(line: &str) -> Result<()> {
    use std::io::Write;
    match writeln!(std::io::stdout(), "{line}") {
        Err(e) if e.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Error::Missing(format!("cannot write to stdout: {e}")))
        }
        _ => Ok(()),
    }
}
