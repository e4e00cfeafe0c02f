//! How the real program talks: progress for people and for programs, event files, what shells and `man` know.

mod common;

use common::{harness, run, stderr};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const RUN: &[&str] = &["run", "--rule", "bp", "--dataset", "mnist-sample", "--width", "16", "--train-limit", "256"];

/// A table of one's own.
const TABLE: &str = include_str!("common/mine.toml");

/// What was told, a line of JSON each.
fn news(told: &str) -> Vec<serde_json::Value> {
    told.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{line}: {e}"))).collect()
}

#[test]
fn a_table_tells_programs_of_every_run_and_of_the_whole_and_nothing_else() {
    let results = tempfile::tempdir().unwrap();
    let file = results.path().join("mine.toml");
    std::fs::write(&file, TABLE.replace("epochs = 1", "epochs = 2")).unwrap();
    let output = run(results.path(), &["table", file.to_str().unwrap(), "--progress", "json"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let told = news(&stderr(&output));
    let of = |event: &str| told.iter().filter(move |news| news["event"] == event).collect::<Vec<_>>();
    assert_eq!((of("plan").len(), &of("plan")[0]["total"]), (1, &4.into()));
    let mut epochs: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
    for epoch in of("epoch") {
        assert!(epoch["train_loss"].is_number() && epoch["eta_seconds"].is_number(), "{epoch}");
        epochs.entry(epoch["run"].as_str().unwrap()).or_default().push(epoch["epoch"].as_u64().unwrap());
    }
    assert_eq!(epochs.values().cloned().collect::<Vec<_>>(), vec![vec![1, 2]; 4]);
    let ended: Vec<&str> = of("end").iter().map(|end| end["run"].as_str().unwrap()).collect();
    assert!(ended.len() == 4 && of("end").iter().all(|end| end["outcome"] == "done"), "{ended:?}");
    for run in ended {
        assert!(epochs.contains_key(run) && results.path().join("runs").join(run).join("result.json").is_file());
    }
    assert_eq!(of("start").len(), 4);
    assert!(of("note").iter().any(|note| note["text"].as_str().unwrap().starts_with("wrote ")));
}

#[test]
fn a_run_that_fails_says_so_to_programs_and_in_words_to_people() {
    let results = tempfile::tempdir().unwrap();
    let wrong = [RUN, &["--batch", "0"]].concat();
    let told = stderr(&run(results.path(), &[&wrong[..], &["--progress", "json"]].concat()));
    let last = news(&told).pop().unwrap();
    assert!(last["event"] == "note" && last["text"].as_str().unwrap().starts_with("error: "), "{told}");
    assert!(stderr(&run(results.path(), &wrong)).starts_with("error: "));
}

#[test]
fn a_run_that_is_asked_to_end_tells_programs_that_it_is_interrupted() {
    let results = tempfile::tempdir().unwrap();
    let mut command = harness(results.path());
    command.args(RUN).args(["--epochs", "2000", "--progress", "json"]).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
    lines.find(|line| line.contains(r#""event":"epoch""#)).expect("an epoch ends");
    assert!(Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap().success());
    let told = news(&lines.collect::<Vec<_>>().join("\n"));
    assert_eq!(child.wait().unwrap().code(), Some(130), "{told:?}");
    let ended: Vec<_> = told.iter().filter(|news| news["event"] == "end").map(|news| &news["outcome"]).collect();
    assert_eq!(ended, ["interrupted"], "{told:?}");
}

#[test]
fn in_a_pipe_there_are_sentences_with_the_time_to_go_and_no_colours_or_bars() {
    let results = tempfile::tempdir().unwrap();
    let told = stderr(&run(results.path(), &[RUN, &["--epochs", "3"]].concat()));
    assert!(told.contains("BP on mnist-sample, seed 0: epoch 1/3: loss ") && told.contains(" to go\n"), "{told}");
    assert!(!told.contains('\u{1b}') && !told.contains('\r'), "{told:?}");
}

/// `script` of util-linux gives a program a terminal.
#[cfg(target_os = "linux")]
#[test]
fn on_a_terminal_there_is_a_bar_that_has_no_colours() {
    let results = tempfile::tempdir().unwrap();
    let words = [&[env!("CARGO_BIN_EXE_harness")], RUN, &["--epochs", "80", "2>&1 >/dev/null"]].concat().join(" ");
    let mut command = Command::new("script");
    command.args(["--quiet", "--return", "--command", &words, "/dev/null"]);
    common::clean(&mut command, results.path());
    let output = command.env("NO_COLOR", "1").env("TERM", "xterm").output().expect("util-linux has `script`");
    let shown = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{shown}");
    assert!(shown.contains("% epoch ") && shown.contains("epoch 80/80: loss ") && shown.contains("\u{1b}["));
    let coloured = shown.split("\u{1b}[").skip(1).any(|rest| {
        let end = rest.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(0);
        rest[end..].starts_with('m') && !["", "0"].contains(&&rest[..end])
    });
    assert!(!coloured, "{shown:?}");
}

/// The records of the one event file of the one run below `results`.
fn records(results: &Path) -> (PathBuf, Vec<Vec<u8>>) {
    let only = |folder: &Path| {
        let found: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert_eq!(found.len(), 1, "{found:?}");
        found[0].clone()
    };
    let folder = only(&results.join("tensorboard"));
    let bytes = std::fs::read(only(&folder)).unwrap();
    let (mut rest, mut records) = (&bytes[..], Vec::new());
    while !rest.is_empty() {
        let length = u64::from_le_bytes(rest[..8].try_into().unwrap()) as usize;
        records.push(rest[12..12 + length].to_vec());
        rest = &rest[12 + length + 4..];
    }
    (folder, records)
}

#[test]
fn event_files_have_every_epoch_once_of_a_run_that_is_made_and_of_one_that_is_found() {
    let results = tempfile::tempdir().unwrap();
    let logged = [RUN, &["--epochs", "2", "--log", "tensorboard"]].concat();
    let has = |record: &[u8], text: &str| record.windows(text.len()).any(|part| part == text.as_bytes());
    for round in ["made", "found, logged", "found"] {
        if round == "found" {
            std::fs::remove_dir_all(results.path().join("tensorboard")).unwrap();
        }
        let output = run(results.path(), &logged);
        assert!(output.status.success(), "{}", stderr(&output));
        let (folder, records) = records(results.path());
        assert!(folder.file_name().unwrap().to_str().unwrap().starts_with("BP on mnist-sample, mlp-2x800, seed 0, "));
        assert_eq!(records.len(), 1 + 2, "{round}");
        assert!(has(&records[0], "brain.Event:2"));
        assert!(records[1..].iter().all(|record| has(record, "loss/train") && has(record, "accuracy/test")));
    }
    // An epoch whose record was cut off, as where the run was killed, is there again.
    let (folder, _) = records(results.path());
    let file = std::fs::read_dir(&folder).unwrap().next().unwrap().unwrap().path();
    let bytes = std::fs::read(&file).unwrap();
    std::fs::write(&file, &bytes[..bytes.len() - 3]).unwrap();
    let again = run(results.path(), &logged);
    assert!(again.status.success(), "{}", stderr(&again));
    let files = std::fs::read_dir(&folder).unwrap().map(|entry| std::fs::read(entry.unwrap().path()).unwrap());
    let accuracies: usize = files.map(|bytes| bytes.windows(13).filter(|part| *part == b"accuracy/test").count()).sum();
    // One whole and one cut in the first file, and the second epoch anew in the other.
    assert_eq!(accuracies, 3);
}

#[test]
fn bash_completes_commands_and_every_shell_has_a_script() {
    let folder = tempfile::tempdir().unwrap();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let output = run(folder.path(), &["completions", shell]);
        let script = String::from_utf8(output.stdout).unwrap();
        assert!(script.contains("harness") && script.contains("footprint"), "{shell}: {script}");
        std::fs::write(folder.path().join(shell), script).unwrap();
    }
    let ask = "source ./bash; COMP_WORDS=(harness fo); COMP_CWORD=1; _harness harness fo harness; echo ${COMPREPLY[@]}";
    let output = Command::new("bash").args(["-c", ask]).current_dir(folder.path()).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "footprint", "{output:?}");
}

#[test]
fn every_command_that_help_shows_has_a_man_page() {
    let folder = tempfile::tempdir().unwrap();
    let man = folder.path().join("man");
    let output = harness(folder.path()).arg("man").arg(&man).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let page = std::fs::read_to_string(man.join("harness.1")).unwrap();
    assert!(page.contains(".TH harness 1") && page.contains("harness\\-report(1)"), "{page}");
    assert!(man.join("harness-table.1").is_file() && man.join("harness-runs-list.1").is_file());
    assert!(!man.join("harness-pace.1").exists(), "it is hidden");
}
