//! The real program, away from whatever this machine has or could fetch.

use std::path::Path;
use std::process::{Command, Output, Stdio};

/// Sets what the program reads from its surroundings; results go to `results`.
pub fn clean(command: &mut Command, results: &Path) {
    command.env("SLL_OFFLINE", "1").env("SLL_CACHE", results.join("cache")).env("HF_HOME", results.join("hub"));
    command.env("SLL_RESULTS", results).env("RAYON_NUM_THREADS", "1").env_remove("SLL_DATA_DIR").stdin(Stdio::null());
}

/// The program.
pub fn harness(results: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_harness"));
    clean(&mut command, results);
    command
}

/// The program with `args`, to its end.
pub fn run(results: &Path, args: &[&str]) -> Output {
    harness(results).args(args).output().expect("the program starts")
}

/// What it said.
pub fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
