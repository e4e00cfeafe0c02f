//! Ctrl-C while data are fetched: the real program, a hub on this machine that falls silent, and a lock that somebody
//! holds.
#![cfg(unix)]

#[allow(dead_code, reason = "each test takes what it needs of it")]
#[path = "../../datasets/src/testing/server.rs"]
mod server;

use server::{Fault, Server};
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// `data fetch imagenette-160` with every cache in `folder`. The internet is out of reach: its proxy is a closed port.
fn fetch(folder: &Path, server: &Server) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_harness"));
    command.env("SLL_CACHE", folder.join("cache")).env("HF_HOME", folder.join("hub")).env("HOME", folder.join("home"));
    command
        .env("HF_ENDPOINT", &server.address)
        .env("NO_PROXY", "127.0.0.1,localhost")
        .env("no_proxy", "127.0.0.1,localhost");
    for name in ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy"] {
        command.env(name, "http://127.0.0.1:9");
    }
    for name in ["SLL_DATA_DIR", "SLL_OFFLINE", "HF_TOKEN", "HF_TOKEN_PATH", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"] {
        command.env_remove(name);
    }
    command.args(["data", "fetch", "imagenette-160"]).stderr(Stdio::piped()).spawn().expect("the program starts")
}

/// Sends the first Ctrl-C and gives what came of it, within far less than a server may be silent.
fn interrupt(process: Child) {
    let sent = Instant::now();
    assert!(Command::new("kill").args(["-INT", &process.id().to_string()]).status().unwrap().success());
    let output = process.wait_with_output().unwrap();
    assert!(sent.elapsed() < Duration::from_secs(20), "it waited {} s", sent.elapsed().as_secs());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(130), "{said}");
    assert!(said.contains("interrupted") && said.contains("the same command resumes"), "{said}");
}

fn wait_until(what: &str, done: impl Fn() -> bool) {
    let began = Instant::now();
    while !done() {
        assert!(began.elapsed().as_secs() < 60, "never: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn the_first_ctrl_c_ends_a_fetch_and_the_next_one_goes_on() {
    let (folder, server) = (tempfile::tempdir().unwrap(), Server::start());
    let source = &datasets::manifest("imagenette-160").unwrap().hub[0];
    for pattern in [&source.train, &source.test] {
        server.hub_at(&source.repo, &source.revision);
        server.hub_file(&format!("{}/{}", source.repo, pattern.replace('*', "00000-of-00001")), vec![0; 10_000]);
    }
    server.fault(&source.train.replace('*', "00000-of-00001"), Fault::Silent { bytes: 4000 });
    let blobs =
        folder.path().join("hub/hub").join(format!("datasets--{}", source.repo.replace('/', "--"))).join("blobs");
    let part = || {
        let files = fs::read_dir(&blobs).into_iter().flatten().flatten();
        files.filter_map(|file| file.metadata().ok()).any(|file| file.len() == 4000)
    };
    let process = fetch(folder.path(), &server);
    wait_until("4000 bytes are there", part);
    interrupt(process);
    assert!(part(), "what was downloaded is gone");
    server.heal();
    fetch(folder.path(), &server).wait().unwrap();
    assert!(server.log().iter().any(|line| line.contains("bytes=4000-")), "{:?}", server.log());
}

#[test]
fn who_waits_for_another_process_says_so_and_can_be_interrupted() {
    let (folder, server) = (tempfile::tempdir().unwrap(), Server::start());
    let locks = folder.path().join("cache/.locks");
    fs::create_dir_all(&locks).unwrap();
    let held = fs::File::create(locks.join("imagenette-160")).unwrap();
    held.lock().unwrap();
    let mut process = fetch(folder.path(), &server);
    // Its first line is that it waits.
    let (mut line, mut stderr) = (Vec::new(), process.stderr.take().unwrap());
    while !line.ends_with(b"\n") {
        let mut byte = [0];
        std::io::Read::read_exact(&mut stderr, &mut byte).unwrap();
        line.push(byte[0]);
    }
    let line = String::from_utf8(line).unwrap();
    assert!(
        line.contains("another process fetches imagenette-160") && line.contains(".locks/imagenette-160"),
        "{line}"
    );
    process.stderr = Some(stderr);
    interrupt(process);
    assert!(server.log().is_empty(), "{:?}", server.log());
}
