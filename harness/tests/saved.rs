//! Trained networks that leave the house, by the real program: saved, read by others, evaluated again.

mod common;

use common::{run, stderr};
use serde_json::Value;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A short run: a rule, a network and what makes both small.
const SHORT: [&str; 9] =
    ["run", "--dataset", "mnist-sample", "--train-limit", "2000", "--lr", "0.003", "--epochs", "4"];

fn json(output: &Output) -> Value {
    assert!(output.status.success(), "{}", stderr(output));
    serde_json::from_slice(&output.stdout).expect("one JSON object")
}

fn path(results: &Path, name: &str) -> String {
    results.join(name).to_str().expect("UTF-8").to_string()
}

/// A short run with `more` arguments, saved to `file`.
fn saved(results: &Path, file: &str, more: &[&str]) -> Value {
    json(&run(results, &[&SHORT[..], more, &["--save", file]].concat()))
}

fn fails(output: &Output, code: i32, words: &[&str]) {
    let text = stderr(output);
    assert_eq!(output.status.code(), Some(code), "{text}");
    words.iter().for_each(|word| assert!(text.contains(word), "no `{word}` in: {text}"));
}

#[test]
fn the_accuracy_after_loading_is_the_runs_own() {
    let folder = tempfile::tempdir().unwrap();
    let results = folder.path();
    let mlp: &[&str] = &["--width", "64", "--dropout", "0.2"];
    let conv: &[&str] = &["--network", "cnn-1", "--width", "4", "--depth", "3", "--batch-norm"];
    let vit: &[&str] = &["--network", "vit-7", "--width", "24", "--depth", "2", "--set", "network.patch=7"];
    let triangle: &[&str] = &["--set", "network.activation=triangle"];
    let cases = [
        ("bp", mlp, &[][..]),
        ("sll", mlp, &[]),
        // Its `predict` counts goodness for every label; TFF's labels are learned.
        ("ff", mlp, &[]),
        ("tff", mlp, &[]),
        ("fa", mlp, &[]),
        ("dtp", mlp, &[]),
        ("sgr", mlp, &[]),
        ("softhebb", conv, triangle),
        ("bp", conv, &[]),
        ("sll", vit, &[]),
        ("bp", mlp, &["--set", "recipe.inputs=raw"]),
    ];
    for (index, (rule, network, more)) in cases.into_iter().enumerate() {
        let file = path(results, &format!("{index}.safetensors"));
        let own = saved(results, &file, &[&["--rule", rule], network, more].concat());
        let again = json(&run(results, &["evaluate", &file]));
        let accuracy = |value: &Value| value.as_f64().expect("a number").to_bits();
        assert_eq!(accuracy(&again["accuracy"]), accuracy(&own["test_accuracy"]), "{rule} on {network:?}");
        assert_eq!((again["n"].as_u64(), &again["run_id"]), (Some(1000), &own["run_id"]));
        assert_eq!(again["data_digest"], own["data"]["digest"]);
        let learned = own["test_accuracy"].as_f64() > Some(15.0);
        assert!(learned, "{rule} learned nothing, so that this shows nothing: {own}");
    }
}

#[test]
fn a_kept_state_is_saved_without_training_and_one_that_was_not_kept_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let results = folder.path();
    let (first, second) = (path(results, "first.safetensors"), path(results, "second.safetensors"));
    let small = [&SHORT[..], &["--rule", "sp", "--width", "16"]].concat();
    let own = json(&run(results, &[&small[..], &["--keep-state"]].concat()));
    let output = run(results, &[&small[..], &["--save", &first]].concat());
    assert!(stderr(&output).contains("in the store already"), "{}", stderr(&output));
    assert_eq!(json(&output), own);
    // The same run, trained once more.
    json(&run(results, &[&small[..], &["--force", "--save", &second]].concat()));
    let (first, second) = (json(&run(results, &["evaluate", &first])), json(&run(results, &["evaluate", &second])));
    assert_eq!((&first["tensors"], &first["accuracy"]), (&second["tensors"], &own["test_accuracy"]));
    assert_eq!(first["tensors"].as_str().unwrap().len(), "sha256:".len() + 64);
    // The second left no state.
    let third = path(results, "third.safetensors");
    let output = run(results, &[&small[..], &["--save", &third]].concat());
    fails(&output, 3, &["third.safetensors is not written", "--keep-state", "--force"]);
    assert!(!Path::new(&third).exists());
    let nowhere = path(results, "no/model.safetensors");
    fails(&run(results, &[&small[..], &["--dry-run", "--save", &nowhere]].concat()), 3, &["a folder that is there"]);
}

/// Images of `classes` stripes, each a folder.
fn stripes(dir: &Path, classes: usize) -> PathBuf {
    for (class, index) in (0..classes).flat_map(|class| (0..20).map(move |index| (class, index))) {
        let folder = dir.join(format!("class {class}"));
        std::fs::create_dir_all(&folder).unwrap();
        let image = image::GrayImage::from_fn(12, 12, |x, _| image::Luma([(x as usize * class * 40 + index) as u8]));
        image.save(folder.join(format!("{index}.png"))).unwrap();
    }
    dir.to_path_buf()
}

#[test]
fn other_data_are_taken_where_they_fit_and_refused_where_they_do_not() {
    let folder = tempfile::tempdir().unwrap();
    let results = folder.path();
    let digits = path(results, "digits.safetensors");
    saved(results, &digits, &["--rule", "bp", "--width", "16"]);
    let clothes = run(results, &["evaluate", &digits, "--dataset", "fashion-mnist-sample"]);
    assert!(stderr(&clothes).contains("other names"), "{}", stderr(&clothes));
    assert!(json(&clothes)["accuracy"].as_f64() < Some(50.0));
    fails(&run(results, &["evaluate", &digits, "--dataset", "cifar-10"]), 2, &["3x32x32", "1x28x28"]);

    let own = ["two", "three"].map(|name| stripes(&results.join(name), name.len().min(4) - 1));
    let [two, three] = own.each_ref().map(|dir| dir.to_str().unwrap());
    let model = path(results, "own.safetensors");
    let mut args = SHORT.to_vec();
    (args[2], args[4]) = (two, "30");
    let result = json(&run(results, &[&args[..], &["--rule", "bp", "--width", "8", "--save", &model]].concat()));
    fails(&run(results, &["evaluate", &model]), 2, &["`two`", "--dataset DIR"]);
    assert_eq!(json(&run(results, &["evaluate", &model, "--dataset", two]))["accuracy"], result["test_accuracy"]);
    fails(&run(results, &["evaluate", &model, "--dataset", three]), 2, &["3 classes", "tells 2 apart"]);
    assert!(
        !std::fs::read(&model)
            .unwrap()
            .windows(results.as_os_str().len())
            .any(|part| { part == results.as_os_str().as_encoded_bytes() })
    );
    fails(&run(results, &["evaluate", &path(results, "none.safetensors")]), 3, &["none.safetensors"]);
    let bytes = std::fs::read(&model).unwrap();
    std::fs::write(&model, &bytes[..bytes.len() - 1]).unwrap();
    fails(&run(results, &["evaluate", &model, "--dataset", two]), 2, &["own.safetensors", "damaged"]);
}

/// Whether a Python here has the packages; where not, says so on the terminal, past the test runner's capture.
fn python_reads_safetensors() -> bool {
    let found = Command::new("python3").args(["-c", "import numpy, safetensors"]).output();
    let found = found.is_ok_and(|output| output.status.success());
    if !found {
        let text = "SKIPPED: python3 with numpy and safetensors is not here, so that no Python read a saved network";
        std::io::stderr().write_all(format!("{text} (pip install numpy safetensors)\n").as_bytes()).unwrap();
    }
    found
}

#[test]
fn numpy_gives_the_scores_that_the_harness_gives() {
    let folder = tempfile::tempdir().unwrap();
    let results = folder.path();
    if !python_reads_safetensors() {
        return;
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace");
    for activation in ["relu", "tanh"] {
        let (model, scores) = (path(results, "model.safetensors"), path(results, "scores.safetensors"));
        let activation = format!("network.activation={activation}");
        saved(results, &model, &["--rule", "sll", "--width", "40", "--set", &activation]);
        let own = json(&run(results, &["evaluate", &model, "--scores", &scores]));
        let mut python = Command::new("python3");
        python
            .arg(root.join("scripts/reference/saved_mlp.py"))
            .arg(&model)
            .arg(root.join("datasets/samples/mnist-sample"));
        let found = json(&python.arg(&scores).output().expect("python3 starts"));
        assert_eq!((&found["right"], &found["n"]), (&own["right"], &own["n"]));
        assert!(found["largest_difference"].as_f64() < Some(1e-4), "{found}");
    }
}
