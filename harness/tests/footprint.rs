//! Memory experiments with the real program.

use harness::experiment::memory::{MemoryExperiment, figure, parse};
use harness::spec::DeviceName;

use harness::store::Store;
use sll_core::memory::{ByCategory, StandingBytes, StepBytes};
use std::path::Path;
use std::process::{Command, Output, Stdio};

const FIGURE: &str = r#"
kind = "memory-figure"
name = "small"
title = "Small nets"
depth = "layers"
batch = 32
input = { image = [1, 8, 8], classes = 10, optimizer = "adam", steps = 3 }
panels = [
    { label = "mlp", suffix = "-mlp", network = { name = "mlp-2x800", width = 64 }, depths = [4, 6, 10] },
    { label = "cnn", suffix = "-cnn", network = { name = "cnn-equal", width = 8 }, depths = [4, 6, 10] },
    { label = "vit", suffix = "-vit", network = { name = "vit-7", width = 24 }, depths = [4, 6, 10] },
]
rows = [
    { label = "BP", rule = { name = "bp" } },
    { label = "SLL", rule = { name = "sll" }, flat = true },
    { label = "SLLi+, units of 2", rule = { name = "sll" }, layers_per_unit = 2, flat = true },
]
"#;

const TABLE: &str = r#"
kind = "memory-table"
name = "small-table"
title = "A small table"
rows = [
    { label = "BP", rule = { name = "bp" } },
    { label = "SLL7+", rule = { name = "sll", units = 3 } },
    { label = "SLL12+", rule = { name = "sll", units = 12 } },
]
[[columns]]
label = "CIFAR-10"
quoted = "cifar-10"
probes = [8, 16, 24]
input = { image = [1, 8, 8], classes = 10, optimizer = "adamw", steps = 2 }
sizes = [
    { label = "two", network = { name = "vit-7", width = 24, depth = 3 }, batch = 32 },
    { label = "four", network = { name = "vit-7", width = 24, depth = 4 }, batch = 32 },
]
"#;

fn harness(results: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_harness"));
    command.env("SLL_RESULTS", results).env_remove("RAYON_NUM_THREADS").stdin(Stdio::null());
    command.args(args).output().expect("the program starts")
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn json(output: &Output) -> serde_json::Value {
    assert!(output.status.success(), "{}", stderr(output));
    serde_json::from_slice(&output.stdout).expect("one JSON object on stdout")
}

#[test]
fn a_measurement_is_one_object_with_every_byte_and_is_made_once() {
    let folder = tempfile::tempdir().unwrap();
    let args = ["memory", "--rule", "dfa", "--image", "1x8x8", "--width", "64", "--batch", "32"];
    let first = json(&harness(folder.path(), &args));
    let bytes = &first["bytes"];
    let part = |name: &str| bytes[name].as_u64().unwrap();
    let standing = StandingBytes::CATEGORIES.iter().map(|category| part(category.key)).sum::<u64>();
    let step = StepBytes::CATEGORIES.iter().map(|category| part(category.key)).sum::<u64>();
    assert_eq!(first["live"], standing);
    assert_eq!(first["step_peak"], step);
    assert_eq!(first["peak"], standing + step);
    // Handles come on top of the values: 64-64x3-10, Adamax's two moments, and DFA's B for three hidden layers.
    let values = first["values"].as_u64().unwrap();
    assert_eq!(values, 3 * (64 * 64 + 64) + 64 * 10 + 10);
    let close = |measured: u64, exact: u64| measured >= exact && measured < exact + 16_384;
    assert!(close(part("parameters"), 4 * values) && close(part("optimizer_state"), 8 * values), "{bytes}");
    assert!(close(part("fixed"), 4 * 3 * 64 * 10), "{bytes}");
    // The batch alone is 8 KiB; the process holds all of it and more.
    assert!(step > 32 * 64 * 4 && first["peak_rss"].as_u64().unwrap() > standing + step);
    assert_eq!(first["provenance"]["threads"], 1, "one thread, whatever the machine has");
    assert!(first["macs"]["forward"].as_u64().unwrap() > 0 && first["seconds_per_step"].as_f64().unwrap() > 0.0);
    let second = harness(folder.path(), &args);
    assert!(stderr(&second).contains("measured before"));
    assert_eq!(json(&second), first);
    let forced = json(&harness(folder.path(), &[&args[..], &["--force"]].concat()));
    // All but what libraries keep for themselves, where a line of text more or less is no news.
    for (name, bytes) in first["bytes"].as_object().unwrap() {
        let (then, now) = (bytes.as_u64().unwrap(), forced["bytes"][name].as_u64().unwrap());
        assert!(then.abs_diff(now) <= if name == "library" { 1024 } else { 0 }, "{name}: {then} bytes, then {now}");
    }
}

#[test]
fn a_figure_is_measured_once_and_slls_peak_is_flat_on_every_kind_of_network() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("small.toml");
    std::fs::write(&file, FIGURE).unwrap();
    let args = ["footprint", file.to_str().unwrap(), "--allow-dirty"];
    let dry = || harness(folder.path(), &[&args[..], &["--dry-run"]].concat());
    let listed = String::from_utf8(dry().stdout).unwrap();
    assert_eq!(listed.lines().filter(|line| line.contains("small | mlp | BP | depth")).count(), 3, "{listed}");
    assert!(!folder.path().join("memory-runs").exists(), "a dry run leaves nothing");
    let output = harness(folder.path(), &args);
    assert!(output.status.success(), "{}", stderr(&output));
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(text.matches("its activations: SLL; SLLi+, units of 2.").count(), 3, "{text}");
    for name in ["README.md", "measurements.parquet", "peak-mlp.svg", "total-vit.svg", "peak-mlp.png"] {
        assert!(folder.path().join("small/flex").join(name).metadata().is_ok_and(|m| m.len() > 0), "{name}");
    }
    let again = harness(folder.path(), &args);
    assert!(stderr(&again).contains("27 already done, 0 to do"), "{}", stderr(&again));
    assert_eq!(text, String::from_utf8(again.stdout).unwrap());
    assert!(stderr(&dry()).contains("27 measurements: 27 already there, 0 to do"), "{}", stderr(&dry()));

    // What was measured, against what must be so: BP keeps at least each layer's output, once the nets are deep enough
    // that this and not one layer's temporaries is where the peak is.
    let MemoryExperiment::MemoryFigure(asked) = parse(FIGURE, "test").unwrap() else { panic!("a figure") };
    let cells = figure::cells(&asked, DeviceName::Flex).unwrap();
    let store = Store::open(folder.path()).unwrap();
    let drawn = figure::collect(&asked, &cells, &store, "test").unwrap();
    let outputs = [32 * 64 * 4, 32 * 8 * 16 * 4, 32 * 5 * 24 * 4].map(f64::from);
    for (lines, output) in drawn.panels.iter().zip(outputs) {
        let [.., (shallow, less), (deep, more)] = &lines[0].points[..] else { panic!("three depths") };
        let bp = (more.step_peak - less.step_peak) as f64 / (deep - shallow) as f64;
        assert!(bp >= output, "BP keeps {bp} bytes a layer; its output alone has {output}");
    }
    drawn.check().unwrap();
}

#[test]
fn a_table_extrapolates_what_it_may_not_measure_and_is_right_about_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("table.toml");
    std::fs::write(&file, TABLE).unwrap();
    let run = |more: &[&str]| {
        let output = harness(folder.path(), &[&["footprint", file.to_str().unwrap()], more].concat());
        assert!(output.status.success(), "{}", stderr(&output));
        String::from_utf8(output.stdout).unwrap()
    };
    // BP at two batches of either size, both rules at three of the first, which two of those are, and its real batch.
    assert_eq!(run(&["--dry-run"]).lines().count(), 4 + 6 - 2 + 2);
    let law = run(&["--extrapolate"]);
    assert!(law.contains("extrapolated") && !law.contains("| measured"), "{law}");
    // Both sizes are far below the paper's; the larger one is nearer.
    assert!(law.contains("## CIFAR-10: four") && law.contains("1 to 4 units"), "{law}");
    assert_eq!(run(&["--dry-run"]).lines().count(), 2, "the real batches");
    assert_eq!(run(&["--dry-run", "--memory", "0.001"]), "", "which are known to have no room in a megabyte");
    assert!(run(&["--memory", "0.001", "--jobs", "1"]).contains("extrapolated"), "nothing fits in a megabyte");
    let real = run(&[]);
    assert!(real.contains("| measured") && !real.contains("| extrapolated"), "{real}");
    assert_eq!(run(&["--dry-run"]), "", "nothing is left");
    let value = |text: &str, label: &str| -> f64 {
        let line = text.lines().filter(|line| line.starts_with(&format!("| {label} "))).nth(1).unwrap();
        line.split('|').rev().nth(1).unwrap().trim().parse().unwrap()
    };
    for label in ["BP", "SLL7+"] {
        let (law, real) = (value(&law, label), value(&real, label));
        assert!((law / real - 1.0).abs() < 0.02, "{label}: {law} MiB by the law, {real} measured");
    }
}

#[test]
fn wrong_words_are_named_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let fails = |args: &[&str], code: i32, words: &[&str]| {
        let output = harness(folder.path(), args);
        let text = stderr(&output);
        assert_eq!(output.status.code(), Some(code), "{text}");
        assert!(words.iter().all(|word| text.contains(word)), "{text}");
    };
    fails(&["memory", "--rule", "slll"], 2, &["slll", "`dfa`"]);
    fails(&["memory", "--network", "mlp"], 2, &["mlp-2x800"]);
    fails(&["memory", "--steps", "1"], 2, &["`steps` = 1"]);
    fails(&["memory", "--image", "32x32"], 2, &["CxHxW"]);
    fails(&["memory", "--units", "9"], 2, &["1 to 4"]);
    fails(&["memory", "--spec", "nowhere.toml"], 2, &["nowhere.toml"]);
    fails(&["footprint", "figure9"], 2, &["figure9", "figure2a"]);
    fails(&["footprint", "table3", "--memory", "0"], 2, &["--memory"]);
    fails(&["footprint", "figure2a", "--device", "gpu"], 2, &["gpu", "flex"]);
}
