//! `harness completions` and `harness man`: what shells and `man` know of the command line, made by clap's own
//! generators.

use crate::error::{Error, Result};
use crate::talk::say;
use clap::{Args, Command};
use clap_complete::Shell;
use std::io::Write;
use std::path::PathBuf;

/// The program's name.
const NAME: &str = "harness";

/// Options of `completions`.
#[derive(Args, Debug)]
pub struct CompletionsArgs {
    /// Which shell.
    shell: Shell,
}

/// Options of `man`.
#[derive(Args, Debug)]
pub struct ManArgs {
    /// The folder for the pages, which is made; `man -l DIR/harness.1` shows one.
    dir: PathBuf,
}

/// Prints the shell's script for the command line `whole`.
pub fn completions(args: CompletionsArgs, mut whole: Command) -> Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut whole, NAME, &mut script);
    match std::io::stdout().write_all(&script) {
        Err(e) if e.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Error::Missing(format!("cannot write to stdout: {e}")))
        }
        _ => Ok(()),
    }
}

/// Writes a page for the program, whose command line is `whole`, and one for each of its commands.
pub fn man(args: ManArgs, whole: Command) -> Result<()> {
    let dir = &args.dir;
    std::fs::create_dir_all(dir).map_err(|e| Error::file("create", dir, e))?;
    clap_mangen::generate_to(whole, dir).map_err(|e| Error::file("write to", dir, e))?;
    say!("wrote {}", dir.join(NAME).with_extension("1").display());
    Ok(())
}
