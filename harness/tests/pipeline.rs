//! Runs whose units are trained at once, by the real program.

mod common;

use common::{run, stderr};
use serde_json::Value;
use std::path::Path;
use std::process::Output;

const SHORT: [&str; 9] =
    ["run", "--dataset", "mnist-sample", "--train-limit", "1000", "--lr", "0.003", "--batch", "50"];
const MLP: [&str; 4] = ["--width", "32", "--dropout", "0.2"];

fn json(output: &Output) -> Value {
    assert!(output.status.success(), "{}", stderr(output));
    serde_json::from_slice(&output.stdout).expect("one JSON object")
}

/// A run with `more` arguments, saved to `file`; its numbers without what differs from run to run, the file's bytes from
/// its tensors on, and its books.
fn numbers(results: &Path, file: &str, more: &[&str]) -> (Value, Vec<u8>, Value) {
    let path = results.join(file);
    let path = path.to_str().expect("UTF-8");
    let mut own = json(&run(results, &[&SHORT[..], more, &["--force", "--save", path]].concat()));
    let books = own["peak_bytes"].clone();
    let object = own.as_object_mut().expect("an object");
    ["seconds", "provenance", "pipeline", "peak_bytes"].iter().for_each(|key| drop(object.remove(*key)));
    for point in object["curve"].as_array_mut().expect("a curve") {
        point.as_object_mut().expect("a point").remove("seconds");
    }
    let bytes = std::fs::read(path).expect("saved");
    let head = u64::from_le_bytes(bytes[..8].try_into().expect("a length")) as usize;
    (own, bytes[8 + head..].to_vec(), books)
}

#[test]
fn a_pipelines_run_has_the_serial_runs_name_numbers_weights_and_books() {
    let folder = tempfile::tempdir().unwrap();
    let results = folder.path();
    for rule in ["sll", "lls", "ff"] {
        let more = [&MLP[..], &["--rule", rule, "--epochs", "2"]].concat();
        let serial = numbers(results, "serial.safetensors", &more);
        let pipelined = numbers(results, "pipelined.safetensors", &[&more[..], &["--pipeline", "2"]].concat());
        assert_eq!(serial.0, pipelined.0, "{rule}");
        assert!(serial.1 == pipelined.1, "{rule}: other weights");
        // To the few bytes that a thread keeps for itself.
        let close = |key: &str| serial.2[key].as_i64().unwrap().abs_diff(pipelined.2[key].as_i64().unwrap()) < 4096;
        for key in ["parameters", "fixed", "optimizer_state", "step_peak"] {
            assert!(close(key), "{rule}, {key}: {} and {}", serial.2, pipelined.2);
        }
    }
}

#[test]
fn what_the_workers_did_is_in_the_record_and_their_memory_is_more_than_one_steps() {
    let folder = tempfile::tempdir().unwrap();
    let own = json(&run(folder.path(), &[&SHORT[..], &MLP, &["--epochs", "1", "--pipeline", "3"]].concat()));
    let found = &own["pipeline"];
    assert_eq!((found["workers"].as_u64(), found["steps"].as_u64()), (Some(3), Some(18)));
    let seconds = found["unit_seconds"].as_array().unwrap();
    assert!(seconds.len() == 3 && seconds.iter().all(|seconds| seconds.as_f64() > Some(0.0)), "{found}");
    let parts = ["activations", "gradients", "workspace"].map(|part| found["step"][part].as_u64().unwrap());
    let (together, alone) = (found["step_peak"].as_u64().unwrap(), own["peak_bytes"]["step_peak"].as_u64().unwrap());
    assert_eq!(parts.iter().sum::<u64>(), together);
    assert!(together > alone, "{together} against {alone}");
}

#[test]
fn a_run_goes_on_with_another_number_of_workers_to_the_same_numbers() {
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let of = |results: &Path, epochs: &str, more: &[&str]| {
        let small = [&SHORT[..], &MLP, &["--epochs", epochs, "--keep-state"], more].concat();
        let own = json(&run(results, &small));
        (own["test_accuracy"].clone(), own["curve"].as_array().unwrap().last().unwrap()["train_loss"].clone())
    };
    let whole = of(one.path(), "3", &[]);
    of(other.path(), "1", &["--pipeline", "2"]);
    of(other.path(), "2", &["--pipeline", "3"]);
    assert_eq!(of(other.path(), "3", &[]), whole);
}

#[test]
fn what_cannot_be_trained_at_once_is_refused_with_its_reason_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let results = folder.path();
    let refused = |more: &[&str], words: &[&str]| {
        let output = run(results, &[&SHORT[..], &MLP, &["--epochs", "1"], more].concat());
        let text = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{text}");
        words.iter().for_each(|word| assert!(text.contains(word), "no `{word}` in: {text}"));
    };
    refused(&["--rule", "bp", "--pipeline", "2"], &["BP cannot train units at once", "every layer above"]);
    refused(&["--rule", "fa", "--pipeline", "2", "--dry-run"], &["FA cannot", "the weights of every layer above"]);
    refused(&["--rule", "dfa", "--pipeline", "2"], &["DFA cannot", "until the output"]);
    refused(&["--rule", "tff", "--pipeline", "2"], &["TFF cannot", "the next layer"]);
    refused(&["--rule", "sll", "--set", "rule.stop_gradient=false", "--pipeline", "2"], &["with these settings"]);
    refused(&["--rule", "sll", "--pipeline", "5"], &["3 units", "at most 4 workers"]);
    refused(&["--rule", "sll", "--pipeline", "0"], &["--pipeline"]);
    assert_eq!(std::fs::read_dir(results.join("runs")).map_or(0, Iterator::count), 0);
}

#[test]
fn the_comparison_writes_its_page_and_figures() {
    let folder = tempfile::tempdir().unwrap();
    let small = ["--networks", "mlp-2x800", "--workers", "1,2", "--seconds", "0", "--threads", "1", "--allow-dirty"];
    let output = run(folder.path(), &[&["pipeline"][..], &small].concat());
    assert!(output.status.success(), "{}", stderr(&output));
    let page = folder.path().join("pipeline/flex");
    let text = std::fs::read_to_string(page.join("README.md")).unwrap();
    assert!(text.contains("SLL, 2 workers") && text.contains("harness pipeline --networks mlp-2x800"), "{text}");
    for file in ["pipeline.parquet", "throughput-mlp-2x800.svg", "memory-mlp-2x800.png"] {
        assert!(page.join(file).exists(), "{file}");
    }
}
