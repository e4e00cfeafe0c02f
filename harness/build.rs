//! Puts three things into the binary: the git commit and burn's version, for provenance, and a fingerprint of the code
//! that decides how much memory a training step holds, under which measurements are kept.

use std::path::{Path, PathBuf};
use std::process::Command;

/// What decides a step's memory besides the tensor library: the layers, the rules, the measurement itself.
const DECIDES_MEMORY: [&str; 5] =
    ["../sll-core/src", "../sll-core/shim", "../baselines/src", "src/weigh", "src/step.rs"];
/// What the program is made of: code, and what is compiled in as it stands.
const SOURCES: [&str; 11] = [
    "src",
    "experiments",
    "claims.toml",
    "paper.toml",
    "../sll-core/src",
    "../sll-core/shim",
    "../baselines/src",
    "../datasets/src",
    "../datasets/manifests",
    "../Cargo.toml",
    "../Cargo.lock",
];
/// Where the tensor library's versions stand.
const LOCK: &str = "../Cargo.lock";

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let git = |args: &[&str]| {
        let output = Command::new("git").args(args).output().ok().filter(|o| o.status.success())?;
        Some(String::from_utf8_lossy(&output.stdout).trim().to_string())
    };
    // Asked of git, since in a worktree they are elsewhere. `logs/HEAD` changes with every commit, `HEAD` with a
    // branch.
    let of_git = ["HEAD", "logs/HEAD", "index"].map(|name| git(&["rev-parse", "--git-path", name]).unwrap_or_default());
    // Sources too, so that a build of uncommitted changes says so.
    let sources = SOURCES.map(String::from);
    for path in of_git.iter().chain(&sources).filter(|path| Path::new(path).exists()) {
        println!("cargo:rerun-if-changed={path}");
    }
    let sources = ["status", "--porcelain", "-uno", "--", "..", ":!../results", ":!../*.md"];
    let changed = git(&sources).is_some_and(|status| !status.is_empty());
    let commit = git(&["rev-parse", "--short=12", "HEAD"]).unwrap_or("no git commit".into());
    let changed = if changed { " + uncommitted changes" } else { "" };
    println!("cargo:rustc-env=SLL_VERSION={} ({commit}{changed})", env!("CARGO_PKG_VERSION"));
    let lock = std::fs::read_to_string(LOCK).unwrap_or_default();
    let burn: Vec<Vec<&str>> = packages_of_burn(&lock).collect();
    let version = burn.iter().find(|lines| lines[0] == "name = \"burn\"").and_then(|lines| lines.get(1));
    let version = version.and_then(|line| line.split('"').nth(1)).unwrap_or("of unknown version");
    println!("cargo:rustc-env=SLL_BURN_VERSION={version}");
    println!("cargo:rustc-env=SLL_MEMORY_CODE={:016x}", fingerprint(&burn));
}

/// The first three lines, name and version among them, of the locked packages of burn.
fn packages_of_burn(lock: &str) -> impl Iterator<Item = Vec<&str>> {
    let packages = lock.split("[[package]]").map(|package| package.trim_start().lines().take(3).collect::<Vec<_>>());
    packages.filter(|lines| lines.first().is_some_and(|name| name.starts_with("name = \"burn")))
}

/// FNV-1a, 64 bits, over the paths and contents of [`DECIDES_MEMORY`] and the locked packages of burn.
fn fingerprint(burn: &[Vec<&str>]) -> u64 {
    let mut files = Vec::new();
    DECIDES_MEMORY.iter().for_each(|path| collect(Path::new(path), &mut files));
    files.sort();
    let versions: Vec<u8> = burn.iter().flatten().flat_map(|line| line.bytes()).collect();
    let bytes = files.iter().flat_map(|path| {
        let content = std::fs::read(path).unwrap_or_default();
        path.to_string_lossy().into_owned().into_bytes().into_iter().chain(content)
    });
    bytes
        .chain(versions)
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

fn collect(path: &Path, files: &mut Vec<PathBuf>) {
    match std::fs::read_dir(path) {
        Ok(entries) => entries.flatten().for_each(|entry| collect(&entry.path(), files)),
        Err(_) => files.push(path.to_path_buf()),
    }
}
