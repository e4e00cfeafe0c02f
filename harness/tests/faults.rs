//! Faults that users meet: signals, closed streams, numbers that are none, damaged and foreign files, killed processes.
//! The real program, on real files.

mod common;

use common::{clean, harness, run, stderr};
use serde_json::Value;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// A run of many short epochs.
const LONG: &[&str] = &["run", "--width", "32", "--dropout", "0.2", "--epochs", "40", "--train-limit", "1000"];
/// Three epochs of it.
const SHORT: &[&str] = &["run", "--width", "16", "--epochs", "3", "--train-limit", "256"];
/// A run whose weights are no numbers after its first step or its fourth.
const WILD: &[&str] = &[
    "run",
    "--rule",
    "sll",
    "--network",
    "cnn-1",
    "--width",
    "8",
    "--optimizer",
    "sgd",
    "--lr",
    "10",
    "--batch",
    "8",
    "--train-limit",
    "32",
];

/// The program behind a shell that does `before` first.
fn behind(before: &str, results: &Path, args: &[&str]) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", &format!("{before}; exec \"$0\" \"$@\""), env!("CARGO_BIN_EXE_harness")]).args(args);
    clean(&mut command, results);
    command
}

fn json(output: &Output) -> Value {
    assert!(output.status.success(), "{}", stderr(output));
    serde_json::from_slice(&output.stdout).expect("one JSON object on stdout")
}

/// Loss and accuracy of every epoch.
fn curve(result: &Value) -> Vec<(Value, Value)> {
    let points = result["curve"].as_array().unwrap();
    points.iter().map(|point| (point["train_loss"].clone(), point["test_accuracy"].clone())).collect()
}

fn fails(output: &Output, code: i32, words: &[&str]) {
    let text = stderr(output);
    assert_eq!(output.status.code(), Some(code), "{text}");
    for word in words {
        assert!(text.contains(word), "no `{word}` in: {text}");
    }
}

/// Starts `command` and gives it with the lines of its stderr, once one has had `word`.
fn until(mut command: Command, word: &str) -> (Child, impl Iterator<Item = String> + use<>) {
    let mut child = command.stderr(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
    assert!(lines.any(|line| line.contains(word)), "never said: {word}");
    (child, lines)
}

fn signal(pid: u32, name: &str) {
    assert!(Command::new("kill").args([name, &pid.to_string()]).status().unwrap().success());
}

fn wait_until(what: &str, done: impl Fn() -> bool) {
    let began = Instant::now();
    while !done() {
        assert!(began.elapsed() < Duration::from_secs(30), "never: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The folder of the only run under `results`.
fn folder(results: &Path) -> PathBuf {
    let mut folders = fs::read_dir(results.join("runs")).unwrap();
    let folder = folders.next().unwrap().unwrap().path();
    assert!(folders.next().is_none(), "one run");
    folder
}

#[test]
fn a_signal_that_was_ignored_stays_ignored() {
    let results = tempfile::tempdir().unwrap();
    let (child, lines) = until(behind("trap '' HUP INT", results.path(), LONG), "epoch 1/40");
    signal(child.id(), "-HUP");
    signal(child.id(), "-INT");
    assert!(lines.last().unwrap().contains("epoch 40/40"));
    assert!(child.wait_with_output().unwrap().status.success());
    // One that was not ignored still ends a run.
    let (child, _lines) =
        until(behind("trap '' HUP", results.path(), &[LONG, &["--seed", "1"]].concat()), "epoch 1/40");
    signal(child.id(), "-INT");
    assert_eq!(child.wait_with_output().unwrap().status.code(), Some(130));
}

#[test]
#[cfg(target_os = "linux")]
fn children_are_followed_though_the_parent_ignored_their_signal() {
    let results = tempfile::tempdir().unwrap();
    let mut command = Command::new("env");
    command.args(["--ignore-signal=CHLD", env!("CARGO_BIN_EXE_harness")]);
    command.args(["table", "table1", "--profile", "quick", "--epochs", "1", "--seeds", "1", "--row", "BP"]);
    clean(&mut command, results.path());
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
}

#[test]
fn what_has_nothing_to_keep_ends_at_once() {
    let results = tempfile::tempdir().unwrap();
    let ends = |mut command: Command, name: &str| {
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(1500));
        assert!(child.try_wait().unwrap().is_none(), "it ended by itself: {command:?}");
        let began = Instant::now();
        signal(child.id(), name);
        let output = child.wait_with_output().unwrap();
        assert!(began.elapsed() < Duration::from_secs(3), "{:?}: {command:?}", began.elapsed());
        output
    };
    // A step of many seconds.
    let mut memory = harness(results.path());
    memory.args(["memory", "--rule", "bp", "--network", "vit-7", "--batch", "256"]);
    fails(&ends(memory, "-TERM"), 130, &["interrupted"]);
    // A table that times the steps of its runs.
    let table = || {
        let mut table = harness(results.path());
        table.args(["table", "rules-mlp", "--profile", "quick"]);
        table
    };
    fails(&ends(table(), "-INT"), 130, &["interrupted"]);
    // Its timers, which hold its stderr open, hear of its death.
    assert!(ends(table(), "-KILL").status.signal().is_some());
}

#[test]
fn numbers_that_are_none_are_kept_and_read_again() {
    let results = tempfile::tempdir().unwrap();
    let args = [WILD, &["--epochs", "3", "--diagnostics"]].concat();
    let first = run(results.path(), &args);
    let result = json(&first);
    assert!(!result["diverged_at_step"].is_null(), "{result}");
    assert!(result["diagnostics"].to_string().contains("\"NaN\""), "{result}");
    let second = run(results.path(), &args);
    assert!(stderr(&second).contains("in the store already"), "{}", stderr(&second));
    assert_eq!(first.stdout, second.stdout);
}

#[test]
fn divergence_in_the_last_step_is_seen() {
    let results = tempfile::tempdir().unwrap();
    let result = json(&run(results.path(), &[WILD, &["--epochs", "1"]].concat()));
    assert_eq!(result["diverged_at_step"], 4, "{result}");
    assert_eq!(curve(&result), [], "no accuracy of such weights");
}

#[test]
fn talk_that_nobody_hears_harms_no_run_and_no_table() {
    let results = tempfile::tempdir().unwrap();
    let table =
        ["table", "table1", "--profile", "quick", "--epochs", "1", "--seeds", "1", "--row", "BP", "--row", "FA"];
    for args in [SHORT, &table] {
        let full =
            harness(results.path()).args(args).stderr(File::options().write(true).open("/dev/full").unwrap()).output();
        assert_eq!(full.unwrap().status.code(), Some(0), "stderr on a full disk: {args:?}");
        let results = tempfile::tempdir().unwrap();
        let mut child =
            harness(results.path()).args(args).stderr(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        drop(child.stderr.take());
        assert_eq!(child.wait_with_output().unwrap().status.code(), Some(0), "stderr closed: {args:?}");
        let mut child =
            harness(results.path()).args(args).stderr(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        assert_eq!(child.wait().unwrap().code(), Some(0), "stdout closed: {args:?}");
    }
    let full =
        harness(results.path()).args(SHORT).stdout(File::options().write(true).open("/dev/full").unwrap()).output();
    fails(&full.unwrap(), 3, &["cannot write to stdout"]);
}

#[test]
fn a_variable_set_to_nothing_is_not_set() {
    let results = tempfile::tempdir().unwrap();
    let mut command = harness(results.path());
    for name in ["SLL_DATA_DIR", "SLL_RESULTS", "SLL_OFFLINE", "RAYON_NUM_THREADS", "SLL_CACHE", "HF_HOME"] {
        command.env(name, "");
    }
    let output = command.env("HOME", results.path()).current_dir(results.path()).args(SHORT).output().unwrap();
    json(&output);
    assert!(results.path().join("results/runs").is_dir());
}

#[test]
fn junk_and_numbers_beyond_all_use_are_named() {
    let results = tempfile::tempdir().unwrap();
    let wrong = |args: &[&str], words: &[&str]| fails(&run(results.path(), args), 2, words);
    for size in
        ["3xfoox32x32", "3x32", "3x32x32x", "x3x32x32", "3x+32x32", "3x 32x32", "3x0x32", "3x32x99999999999999999999"]
    {
        wrong(&["networks", "--input", size], &[size, "3x32x32"]);
        wrong(&["memory", "--image", size], &[size, "3x32x32"]);
    }
    for most in ["9223372036854775807", "18446744073709551615", "1000001"] {
        wrong(&["run", "--epochs", most], &["`epochs`", "at most 1000000"]);
        wrong(&["run", "--batch", most], &["`batch`", "at most 1000000"]);
        wrong(&["run", "--depth", most], &["`depth`", "at most"]);
        wrong(&["run", "--width", most], &["`width`", "at most"]);
        wrong(&["table", "table1", "--epochs", most], &["`epochs`", "at most"]);
        wrong(&["networks", "mlp-2x800", "--width", most], &["`width`", "at most"]);
    }
    wrong(&["table", "table1", "--seeds", "18446744073709551615"], &["--seeds"]);
    wrong(&["run", "--set", "rule.align_weight=nan"], &["rule.align_weight", "finite"]);
    wrong(&["run", "--set", "recipe.epochs=3\nseed = 7"], &["epochs"]);
    wrong(&["run", "--device", "cuda:+1"], &["cuda:+1", "cuda:N"]);
}

#[test]
fn a_run_that_cannot_fit_is_refused_before_it_starts() {
    let results = tempfile::tempdir().unwrap();
    let wide = run(results.path(), &["run", "--width", "1000000"]);
    fails(&wide, 3, &["GiB available", "--width"]);
    for args in [["memory", "--width", "1000000"], ["networks", "--width", "1000000"]] {
        fails(&run(results.path(), &args), 3, &["GiB available", "--width"]);
    }
    // This process's own limit counts as well.
    let limited = behind("ulimit -v 2000000", results.path(), &["run", "--width", "20000"]).output().unwrap();
    fails(&limited, 3, &["GiB available", "--width"]);
    // Its inverses have no model: the end of memory is the process's, which says so.
    let args = ["run", "--rule", "dtp", "--width", "4000", "--epochs", "1", "--train-limit", "256"];
    let ended = behind("ulimit -c 0; ulimit -v 900000", results.path(), &args).output().unwrap();
    assert!(ended.status.signal() == Some(6) && stderr(&ended).contains("error: there is no more memory"), "{ended:?}");
    // The weights fit, a step does not.
    let large = run(results.path(), &["memory", "--batch", "1000000", "--width", "60000", "--depth", "1"]);
    fails(&large, 3, &["GiB available", "--batch"]);
}

#[test]
fn what_is_read_back_is_whole_and_the_runs_own() {
    let (results, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let expected = json(&run(other.path(), LONG));
    let (mut child, _lines) = until(
        {
            let mut command = harness(results.path());
            command.args(LONG);
            command
        },
        "epoch 3/40",
    );
    child.kill().unwrap();
    child.wait().unwrap();
    let run_folder = folder(results.path());
    let (latest, previous) = (run_folder.join("checkpoint.bin"), run_folder.join("checkpoint.bin.previous"));
    // A flipped bit in the middle: the one before it is taken.
    let mut bytes = fs::read(&latest).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 4;
    fs::write(&latest, &bytes).unwrap();
    fs::write(run_folder.join(".writing-left"), "half").unwrap();
    let resumed = run(results.path(), LONG);
    let said = stderr(&resumed);
    assert!(said.contains("checkpoint.bin.damaged") && said.contains("digest differs"), "{said}");
    assert!(said.contains("resumes after epoch"), "{said}");
    let result = json(&resumed);
    assert_eq!(curve(&expected), curve(&result));
    let left: Vec<_> = fs::read_dir(&run_folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name == ".writing-left" || name == "checkpoint.bin"), "{left:?}");
    // Another run's state, and another run's result.
    let seed = [LONG, &["--seed", "1"]].concat();
    let foreign = tempfile::tempdir().unwrap();
    fs::write(&previous, &bytes).unwrap();
    fs::rename(run_folder.join("result.json"), foreign.path().join("result.json")).unwrap();
    let (mut child, _lines) = until(
        {
            let mut command = harness(foreign.path());
            command.args(&seed);
            command
        },
        "epoch 2/40",
    );
    child.kill().unwrap();
    child.wait().unwrap();
    fs::copy(folder(foreign.path()).join("checkpoint.bin"), &latest).unwrap();
    let again = run(results.path(), LONG);
    assert!(stderr(&again).contains("it is run ") && !stderr(&again).contains("goes on"), "{}", stderr(&again));
    assert_eq!(curve(&expected), curve(&json(&again)));
    fs::copy(foreign.path().join("result.json"), folder(foreign.path()).join("result.json")).unwrap();
    let own = run(foreign.path(), &seed);
    assert!(stderr(&own).contains("result.json.damaged"), "{}", stderr(&own));
    assert_eq!(json(&own)["spec"]["seed"], 1);
}

#[test]
fn a_run_killed_again_and_again_loses_no_finished_epoch() {
    let (results, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let expected = json(&run(other.path(), LONG));
    let mut kept = 0;
    for stop in [2, 3, 7, 8, 13, 21] {
        let mut command = harness(results.path());
        command.args(LONG);
        let (mut child, _lines) = until(command, &format!("epoch {stop}/40"));
        child.kill().unwrap();
        child.wait().unwrap();
        kept = stop;
    }
    let last = run(results.path(), LONG);
    let from = stderr(&last)
        .split("resumes after epoch ")
        .nth(1)
        .and_then(|rest| rest.trim_start().lines().next()?.parse().ok());
    assert!(from.is_some_and(|from: usize| from >= kept), "{}", stderr(&last));
    let result = json(&last);
    assert_eq!(curve(&expected), curve(&result));
    assert_eq!(expected["unit_accuracy"], result["unit_accuracy"]);
    assert_eq!(expected["peak_bytes"], result["peak_bytes"]);
}

#[test]
fn a_resumed_run_has_the_numbers_and_bytes_of_one_in_one_go() {
    // A rule with a phase, and one with many units on convolutions.
    let softhebb = ["run", "--rule", "softhebb", "--width", "64", "--train-limit", "1000", "--lr", "0.003"];
    let sll = ["run", "--rule", "sll", "--network", "cnn-1", "--width", "8", "--batch-norm", "--train-limit", "320"];
    // What is measured of layers is measured once an epoch, and once before training.
    let measured = ["run", "--rule", "sll", "--width", "48", "--train-limit", "1000", "--representations"];
    let both = [&measured[..], &["--diagnostics"]].concat();
    for args in [&softhebb[..], &sll, &measured, &both] {
        resumes(&[args, &["--epochs", "4"]].concat());
    }
}

fn resumes(args: &[&str]) {
    let other = tempfile::tempdir().unwrap();
    let expected = json(&run(other.path(), args));
    for stop in 1..=3 {
        let results = tempfile::tempdir().unwrap();
        let mut command = harness(results.path());
        command.args(args);
        let (mut child, _lines) = until(command, &format!("epoch {stop}/4"));
        child.kill().unwrap();
        child.wait().unwrap();
        let result = json(&run(results.path(), args));
        assert_eq!(curve(&expected), curve(&result), "{args:?} after epoch {stop}");
        assert_eq!(expected["peak_bytes"], result["peak_bytes"], "{args:?} after epoch {stop}");
        for list in ["diagnostics", "representations"] {
            let measured = |run: &Value| {
                let mut points = run[list].as_array().cloned().unwrap_or_default();
                points.iter_mut().for_each(|point| point["seconds"] = Value::Null);
                points
            };
            let (points, asked) = (measured(&result), args.contains(&format!("--{list}").as_str()));
            assert_eq!(points.len(), if asked { 5 } else { 0 }, "{list} of {args:?} after epoch {stop}");
            assert_eq!(measured(&expected), points, "{list} of {args:?} after epoch {stop}");
        }
    }
}

#[test]
fn a_fault_in_one_runs_files_costs_that_run_alone() {
    let results = tempfile::tempdir().unwrap();
    let rows = ["--row", "BP", "--row", "FA", "--row", "DFA"];
    let table = |rows: &[&str]| {
        let args = ["table", "table1", "--profile", "quick", "--epochs", "1", "--seeds", "1", "--jobs", "2"];
        run(results.path(), &[&args, rows].concat())
    };
    assert!(table(&rows).status.success());
    let folders: Vec<PathBuf> = fs::read_dir(results.path().join("runs")).unwrap().map(|e| e.unwrap().path()).collect();
    fs::write(folders[0].join("result.json"), "").unwrap();
    let again = table(&rows);
    assert!(again.status.success(), "{}", stderr(&again));
    assert!(stderr(&again).contains("1 to do") && stderr(&again).contains("result.json.damaged"), "{}", stderr(&again));
    // A file where a run's folder should be.
    fs::remove_dir_all(&folders[1]).unwrap();
    fs::write(&folders[1], "").unwrap();
    fs::remove_file(folders[2].join("result.json")).unwrap();
    let broken = table(&rows);
    fails(&broken, 1, &["1 of 2 runs failed", "cannot create"]);
    assert!(stderr(&broken).contains("wrote") && folders[2].join("result.json").exists());
    // Rows that are only shown: what cannot be read is told, and the table is there.
    fs::write(folders[0].join("result.json"), "{}").unwrap();
    fs::remove_file(&folders[1]).unwrap();
    let shown = table(&["--row", "SP"]);
    fails(&shown, 1, &["the table lacks runs", "result.json cannot be used"]);
    assert!(stderr(&shown).contains("wrote"));
}

#[test]
fn runs_of_a_killed_table_stop_at_their_next_step() {
    let results = tempfile::tempdir().unwrap();
    let mut command = harness(results.path());
    command.args([
        "table",
        "table1",
        "--profile",
        "quick",
        "--epochs",
        "1000",
        "--seeds",
        "1",
        "--jobs",
        "2",
        "--row",
        "BP",
    ]);
    let (mut child, _lines) = until(command, "training images");
    let of = |pid: u32| fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    let runs: Vec<String> = of(child.id()).split_whitespace().map(String::from).collect();
    assert!(!runs.is_empty());
    child.kill().unwrap();
    child.wait().unwrap();
    wait_until("the runs end", || runs.iter().all(|pid| !Path::new(&format!("/proc/{pid}/exe")).exists()));
}

#[test]
fn a_write_that_fails_names_the_file_how_far_it_went_and_what_is_kept() {
    let results = tempfile::tempdir().unwrap();
    // Files end after some kilobytes, which is an error of the write and no signal.
    let output = behind("ulimit -f 60", results.path(), SHORT).output().unwrap();
    assert!(output.status.signal().is_none(), "{:?}", output.status);
    fails(&output, 3, &["checkpoint.bin", "after ", " of its ", " bytes", "is kept", "ulimit -f"]);
    json(&run(results.path(), SHORT));
}
