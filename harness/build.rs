//! Puts the git commit into the binary, for provenance.

use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    // Sources too, so that a build of uncommitted changes says so.
    for path in ["../.git/HEAD", "../.git/index", "src", "../sll-core/src", "../baselines/src", "../datasets/src"] {
        if Path::new(path).exists() {
            println!("cargo:rerun-if-changed={path}");
        }
    }
    let git = |args: &[&str]| {
        let output = Command::new("git").args(args).output().ok().filter(|o| o.status.success())?;
        Some(String::from_utf8_lossy(&output.stdout).trim().to_string())
    };
    let sources = ["status", "--porcelain", "-uno", "--", "..", ":!../results", ":!../*.md"];
    let changed = git(&sources).is_some_and(|status| !status.is_empty());
    let commit = git(&["rev-parse", "--short=12", "HEAD"]).unwrap_or("no git commit".into());
    let changed = if changed { " + uncommitted changes" } else { "" };
    println!("cargo:rustc-env=SLL_VERSION={} ({commit}{changed})", env!("CARGO_PKG_VERSION"));
}
