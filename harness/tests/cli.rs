//! The real program, on real files, as a user runs it.

mod common;

use common::{harness, run, stderr};
use flate2::{Compression, write::GzEncoder};
use sll_core::memory::{ByCategory, StandingBytes};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// A small run: two epochs of an MLP of width 64 on 2,000 embedded images.
const SMALL: &[&str] = &["run", "--width", "64", "--train-limit", "2000", "--epochs", "2", "--lr", "0.003"];

fn json(output: &Output) -> serde_json::Value {
    assert!(output.status.success(), "{}", stderr(output));
    serde_json::from_slice(&output.stdout).expect("one JSON object on stdout")
}

/// Fails with exit code `code` and an error that has every one of `words`.
fn fails(output: &Output, code: i32, words: &[&str]) {
    let text = stderr(output);
    assert_eq!(output.status.code(), Some(code), "{text}");
    assert!(text.contains("error: "), "{text}");
    for word in words {
        assert!(text.contains(word), "no `{word}` in: {text}");
    }
}

#[test]
fn a_run_prints_one_object_and_the_second_time_comes_from_the_store() {
    let folder = tempfile::tempdir().unwrap();
    let first = run(folder.path(), SMALL);
    let result = json(&first);
    assert!(result["test_accuracy"].as_f64().unwrap() > 40.0, "{result}");
    for key in ["best_test_accuracy", "epochs", "seconds", "run_id", "peak_bytes", "parameters", "data", "provenance"] {
        assert!(!result[key].is_null(), "{key}");
    }
    let bytes = &result["peak_bytes"];
    let part = |key: &str| bytes[key].as_u64().unwrap();
    let standing = StandingBytes::CATEGORIES.iter().map(|category| part(category.key)).sum::<u64>();
    assert_eq!(standing + part("step_peak"), part("total"));
    let values = result["parameters"].as_u64().unwrap();
    // Tensor handles and graph nodes come on top of the values; those of parameters that the first step frees go off
    // the optimiser's state.
    let close = |measured: u64, exact: u64| measured + 4_096 >= exact && measured < exact + 20_000;
    assert!(close(part("parameters"), 4 * values) && close(part("optimizer_state"), 8 * values), "{bytes}");
    let second = run(folder.path(), SMALL);
    assert!(stderr(&second).contains("in the store already"));
    assert_eq!(first.stdout, second.stdout);
}

#[test]
fn an_interrupted_run_goes_on_with_the_same_numbers() {
    let (whole, broken) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let args =
        ["run", "--width", "32", "--dropout", "0.2", "--epochs", "60", "--train-limit", "1000", "--schedule", "cosine"];
    let expected = json(&run(whole.path(), &args));
    let interrupted = |more: &[&str]| {
        let mut command = harness(broken.path());
        let mut child = command.args(args).args(more).stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        lines.find(|line| line.as_ref().unwrap().contains("epoch 2/60")).expect("the second epoch ends").unwrap();
        Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
        let rest: Vec<String> = lines.map_while(Result::ok).collect();
        let status = child.wait().unwrap();
        assert_eq!(status.code(), Some(130), "{rest:?}");
        assert!(rest.iter().any(|line| line.contains("interrupted")), "{rest:?}");
    };
    interrupted(&[]);
    let resumed = run(broken.path(), &args);
    // By when the signal came, at an epoch's end or within one.
    let places = ["resumes after epoch", "resumes after step"];
    assert!(places.iter().any(|place| stderr(&resumed).contains(place)), "{}", stderr(&resumed));
    let resumed = json(&resumed);
    let losses = |r: &serde_json::Value| {
        let points = r["curve"].as_array().unwrap().clone();
        points.into_iter().map(|p| (p["train_loss"].clone(), p["test_accuracy"].clone())).collect::<Vec<_>>()
    };
    assert_eq!(losses(&expected), losses(&resumed));
    assert_eq!(expected["unit_accuracy"], resumed["unit_accuracy"]);
    let total = |r: &serde_json::Value| r["peak_bytes"]["total"].as_u64().unwrap() as f64;
    assert!((total(&expected) / total(&resumed) - 1.0).abs() < 0.01, "memory is told alike after a resume");
    // So does one that was begun anew beside its result; and what was finished is begun anew once more.
    let force = |more: &[&str]| run(broken.path(), &[&args[..], &["--force"], more].concat());
    interrupted(&["--force"]);
    let goes_on = force(&[]);
    let said = stderr(&goes_on);
    assert!(said.contains("begun anew before and goes on") && places.iter().any(|p| said.contains(p)), "{said}");
    assert_eq!(losses(&expected), losses(&json(&goes_on)));
    let anew = force(&[]);
    assert!(!stderr(&anew).contains("goes on") && !stderr(&anew).contains("resumes"), "{}", stderr(&anew));
}

#[test]
fn a_finished_run_is_extended_to_the_same_numbers_or_says_why_not() {
    let (whole, parts) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let of = |epochs: &'static str, more: &[&'static str]| {
        let base = ["run", "--width", "32", "--dropout", "0.2", "--train-limit", "1000", "--epochs", epochs];
        [&base[..], more].concat()
    };
    let expected = json(&run(whole.path(), &of("4", &[])));
    json(&run(parts.path(), &of("2", &["--keep-state"])));
    let longer = run(parts.path(), &of("4", &[]));
    assert!(stderr(&longer).contains("extends run") && stderr(&longer).contains("resumes after epoch 2"), "{longer:?}");
    let points = |r: &serde_json::Value| {
        let points = r["curve"].as_array().unwrap().clone();
        points.into_iter().map(|p| (p["train_loss"].clone(), p["test_accuracy"].clone())).collect::<Vec<_>>()
    };
    let longer = json(&longer);
    assert_eq!(points(&longer), points(&expected));
    assert_eq!((&longer["unit_accuracy"], &longer["run_id"]), (&expected["unit_accuracy"], &expected["run_id"]));
    // Its own state was not kept; and a cosine over more epochs is another run from its first step.
    let anew = run(parts.path(), &of("5", &[]));
    assert!(stderr(&anew).contains("--keep-state") && stderr(&anew).contains("starts anew"), "{anew:?}");
    json(&run(parts.path(), &of("2", &["--schedule", "cosine", "--keep-state"])));
    let anew = run(parts.path(), &of("3", &["--schedule", "cosine"]));
    assert!(stderr(&anew).contains("`cosine`") && !stderr(&anew).contains("goes on"), "{anew:?}");
}

#[test]
fn a_dry_run_of_a_run_refuses_what_the_real_one_does() {
    let folder = tempfile::tempdir().unwrap();
    let dry = |args: &[&str]| run(folder.path(), &[&["run", "--dry-run"], args].concat());
    fails(&dry(&["--units", "9"]), 2, &["units", "1 to 3"]);
    fails(&dry(&["--epochs", "-3"]), 2, &["--epochs", "write a whole number, not `-3`"]);
    fails(&dry(&["--seed", "-1"]), 2, &["--seed", "a whole number from 0 to "]);
    fails(&dry(&["--set", "rule.align_weight=x"]), 2, &["`rule.align_weight` is string \"x\"; expected a number"]);
    fails(&dry(&["--rule", "DTP", "--network", "cnn-1"]), 2, &["cannot run on this network"]);
    #[cfg(not(feature = "tch"))]
    fails(&dry(&["--device", "cuda:0"]), 3, &["--features tch"]);
    assert!(dry(&[]).status.success() && !folder.path().join("runs").exists());
    // The real one leaves nothing behind, whether it is refused before it starts or while it reads its data.
    fails(&run(folder.path(), &["run", "--units", "9"]), 2, &["units", "1 to 3"]);
    fails(&run(folder.path(), &["run", "--dataset", "cifar-100"]), 3, &["cifar-100"]);
    assert_eq!(std::fs::read_dir(folder.path().join("runs")).map_or(0, Iterator::count), 0);
}

#[test]
fn diagnostics_measure_every_layer_and_change_no_other_number() {
    let (plain, measured) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let plain = json(&run(plain.path(), SMALL));
    let args = [SMALL, &["--diagnostics"]].concat();
    let measured = json(&run(measured.path(), &args));
    let points = |r: &serde_json::Value| {
        let points = r["curve"].as_array().unwrap().clone();
        points.into_iter().map(|p| (p["train_loss"].clone(), p["test_accuracy"].clone())).collect::<Vec<_>>()
    };
    assert_eq!(points(&plain), points(&measured));
    assert_eq!(plain["unit_accuracy"], measured["unit_accuracy"]);
    assert_ne!(plain["run_id"], measured["run_id"]);
    assert!(plain["diagnostics"].is_null(), "nothing is measured unless it is asked for");
    let epochs = measured["diagnostics"].as_array().unwrap();
    assert_eq!(epochs.iter().map(|e| e["epoch"].as_u64().unwrap()).collect::<Vec<_>>(), [0, 1, 2]);
    for epoch in epochs {
        assert!(epoch["seconds"].as_f64().unwrap() > 0.0);
        let layers = epoch["layers"].as_array().unwrap();
        assert_eq!(layers.len(), 3);
        assert!(layers[0]["posterior"]["parent"].is_null());
        for layer in &layers[1..] {
            let parent = &layer["posterior"]["parent"];
            let [bc, surrogate, kl] = ["coefficient", "surrogate", "kl"].map(|key| parent[key].as_f64().unwrap());
            assert!(bc > 0.0 && bc < 1.0 && surrogate > 0.0 && surrogate <= kl, "{parent}");
        }
        assert!(layers[2]["angle"].as_f64().unwrap() < 0.5, "the output's update is BP's: {layers:?}");
    }
    let last = |layer: usize| measured["diagnostics"][2]["layers"][layer]["posterior"]["accuracy"].clone();
    assert_eq!(measured["unit_accuracy"], serde_json::json!([last(0), last(1), last(2)]));
}

#[test]
fn two_processes_on_one_run_make_it_once() {
    let folder = tempfile::tempdir().unwrap();
    let start = || harness(folder.path()).args(SMALL).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let (a, b) = (start(), start());
    let (a, b) = (a.wait_with_output().unwrap(), b.wait_with_output().unwrap());
    assert_eq!(json(&a), json(&b), "both print the one result");
    let trained = [&a, &b].iter().filter(|output| stderr(output).contains("epoch 2/2")).count();
    assert_eq!(trained, 1);
}

#[test]
fn wrong_words_are_named_with_the_right_ones() {
    let folder = tempfile::tempdir().unwrap();
    let fails = |args: &[&str], words: &[&str]| fails(&run(folder.path(), args), 2, words);
    fails(&["run", "--rule", "slll"], &["slll", "`dfa`"]);
    fails(&["run", "--network", "mlp"], &["mlp-2x800", "vit-12"]);
    fails(&["run", "--dataset", "imagnet"], &["imagnet", "mnist-sample"]);
    fails(&["run", "--set", "rule.gain=2"], &["gain", "projection_gain"]);
    fails(&["run", "--optimizer", "rmsprop"], &["rmsprop", "adamax"]);
    fails(&["run", "--epochs", "0"], &["epochs", "at least 1"]);
    fails(&["run", "--units", "9"], &["units", "1 to 3"]);
    fails(&["run", "--device", "gpu"], &["gpu", "flex"]);
    fails(&["run", "--spec", "nowhere.toml"], &["nowhere.toml"]);
    fails(&["table", "table7"], &["table7", "table1"]);
    fails(&["sweep", "width"], &["ablation_width"]);
    fails(&["networks", "resnet"], &["resnet", "cnn-1"]);
}

#[test]
fn what_is_missing_outside_is_exit_code_3() {
    let folder = tempfile::tempdir().unwrap();
    let fails = |args: &[&str], words: &[&str]| fails(&run(folder.path(), args), 3, words);
    fails(&["run", "--dataset", "cifar-100"], &["cifar-100", "SLL_DATA_DIR"]);
    fails(&["run", "--data-dir", "/nowhere"], &["/nowhere"]);
    #[cfg(not(feature = "tch"))]
    fails(&["run", "--device", "cuda:0"], &["--features tch"]);
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    fails(&["run", "--results", file.to_str().unwrap()], &["file"]);
}

fn idx(path: &Path, head: &[u8], values: usize) {
    let mut gz = GzEncoder::new(std::fs::File::create(path).unwrap(), Compression::fast());
    gz.write_all(head).unwrap();
    gz.write_all(&vec![0; values]).unwrap();
    gz.finish().unwrap();
}

#[test]
fn damaged_and_doctored_data_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("mnist");
    std::fs::create_dir(&dir).unwrap();
    for (name, count) in [("train", 60_000u32), ("t10k", 10_000)] {
        let size = |n: u32| n.to_be_bytes();
        let images = [&[0, 0, 8, 3][..], &size(count), &size(28), &size(28)].concat();
        idx(&dir.join(format!("{name}-images-idx3-ubyte.gz")), &images, count as usize * 784);
        idx(
            &dir.join(format!("{name}-labels-idx1-ubyte.gz")),
            &[&[0, 0, 8, 1][..], &size(count)].concat(),
            count as usize,
        );
    }
    let data = folder.path().to_str().unwrap();
    let args =
        ["run", "--dataset", "mnist", "--data-dir", data, "--width", "8", "--train-limit", "64", "--epochs", "1"];
    fails(&run(folder.path(), &args), 3, &["mnist", "train-images-idx3-ubyte", "--allow-unverified"]);
    let marked = json(&run(folder.path(), &[&args[..], &["--allow-unverified"]].concat()));
    assert_eq!(marked["data"]["verified"], false);
    fails(&run(folder.path(), &["data", "verify", "mnist", "--data-dir", data]), 1, &["t10k-labels-idx1-ubyte"]);
    idx(&dir.join("train-labels-idx1-ubyte.gz"), &[0, 0, 8, 1, 0, 0, 234, 96], 100);
    fails(
        &run(folder.path(), &[&args[..], &["--allow-unverified", "--seed", "1"]].concat()),
        3,
        &["train-labels-idx1-ubyte"],
    );
}

#[test]
fn a_diverging_run_is_kept_as_such() {
    let folder = tempfile::tempdir().unwrap();
    let output = run(
        folder.path(),
        &["run", "--width", "16", "--train-limit", "512", "--optimizer", "sgd", "--lr", "1e30", "--rule", "bp"],
    );
    let result = json(&output);
    assert!(result["diverged_at_step"].as_u64().unwrap() >= 2, "{result}");
    assert!(stderr(&output).contains("diverged"));
}

#[test]
fn a_table_fills_its_files_once_and_leaves_what_is_missing_empty() {
    let folder = tempfile::tempdir().unwrap();
    let args = ["table", "table1", "--profile", "quick", "--epochs", "2", "--seeds", "1", "--jobs", "2"];
    let first = run(folder.path(), &args);
    assert!(first.status.success(), "{}", stderr(&first));
    let talk = stderr(&first);
    assert!(
        talk.contains("profile quick") && talk.contains("device flex") && talk.contains("the paper's recipe"),
        "{talk}"
    );
    let page = folder.path().join("quick/table1/quick-flex-2-epochs");
    let pictures = ["mnist-sample.svg", "mnist-sample.png"];
    for file in ["README.md", "runs.parquet", "cells.parquet", "curves.parquet", "about.toml"].iter().chain(&pictures) {
        assert!(page.join(file).metadata().is_ok_and(|m| m.len() > 0), "{file}");
    }
    let text = std::fs::read_to_string(page.join("README.md")).unwrap();
    assert!(text.contains("99.25") && text.contains("cifar-100 is not on this machine"), "{text}");
    for rule in ["BP", "TP", "FA", "DFA", "PEPITA", "SP", "SLL"] {
        let line = text.lines().find(|line| line.starts_with(&format!("| {rule} "))).unwrap();
        assert!(line.contains("(n=1)"), "{line}");
    }
    let second = run(folder.path(), &args);
    assert!(stderr(&second).contains(" 0 to do"), "{}", stderr(&second));
    assert_eq!(text, std::fs::read_to_string(page.join("README.md")).unwrap());
    curves_of_own_choice_are_drawn(folder.path(), &page);
}

/// What the table left in the store at `results` and on its `page`.
fn curves_of_own_choice_are_drawn(results: &Path, page: &Path) {
    let out = results.join("own.svg");
    let plot = |more: &[&str]| run(results, &[&["plot", "--out", out.to_str().unwrap()], more].concat());
    // A line of a page with several columns names its own.
    let named = |text: &str, rule: &str| text.lines().any(|line| line.split(',').next() == Some(rule));
    let lines = |text: &str| ["BP", "FA", "SLL", "SP"].map(|rule| named(text, rule));
    let drawn = |more: &[&str]| {
        let output = plot(more);
        assert!(output.status.success(), "{}", stderr(&output));
        lines(&std::fs::read_to_string(&out).unwrap())
    };
    assert_eq!(drawn(&["--dataset", "mnist-sample", "--rule", "bp", "--rule", "SLL"]), [true, false, true, false]);
    let curves = page.join("curves.parquet");
    assert_eq!(drawn(&["--x", "seconds", "--y", "error", curves.to_str().unwrap()]), [true; 4]);
    let text = std::fs::read_to_string(&out).unwrap();
    assert!(text.contains("mlp-2x800 · 2 epochs") && text.contains("test error (%)"), "{text}");
    fails(&plot(&["--rule", "ff"]), 2, &["--rule ff", "no run in the store"]);
    fails(&plot(&["--rule", "bp", curves.to_str().unwrap()]), 2, &["curves.parquet", "runs.parquet"]);
    fails(&run(results, &["plot", "--out", "x.gif"]), 2, &["x.gif", ".svg"]);
}

#[test]
fn lists_speak_json_too() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(json(&run(folder.path(), &["networks", "--format", "json"])).as_array().unwrap().len(), 10);
    let rules = json(&run(folder.path(), &["rules", "--format", "json"]));
    let rules = rules.as_array().unwrap();
    assert!(rules.len() >= 30);
    assert!(rules.iter().all(|rule| rule["macs_of_bp"].as_f64().unwrap() > 0.4), "{rules:?}");
    let text = String::from_utf8(run(folder.path(), &["rules"]).stdout).unwrap();
    assert!(text.contains("SGR [reconstructed]") && text.contains("rule = { name = \"df\""), "{text}");
    assert!(run(folder.path(), &["doctor"]).status.success());
    let verified = run(folder.path(), &["data", "verify", "mnist-sample"]);
    assert!(verified.status.success(), "{}", stderr(&verified));
}

#[test]
fn a_dry_run_lists_its_runs_and_tells_their_time_before_the_papers() {
    let folder = tempfile::tempdir().unwrap();
    let args = ["table", "table1", "--profile", "quick", "--epochs", "1", "--seeds", "1", "--row", "BP", "--dry-run"];
    let output = run(folder.path(), &args);
    assert!(output.status.success(), "{}", stderr(&output));
    let listed = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(listed.lines().count() >= 2 && listed.lines().all(|line| line.contains("  BP | ")), "{listed}");
    let told = stderr(&output);
    let place = |words: &str| told.find(words).unwrap_or_else(|| panic!("no `{words}` in: {told}"));
    assert!(place("this command: ") < place("the paper's recipe for all of it: "), "{told}");
    assert!(place("of 1 epoch") > 0 && !folder.path().join("quick").exists() && !folder.path().join("table1").exists());
    assert_eq!(std::fs::read_dir(folder.path().join("runs")).map_or(0, Iterator::count), 0);
}

/// Weights between two layers of 34,000 units are 4.6 GB.
#[test]
fn what_is_too_large_to_try_is_told_and_leaves_the_others_their_time() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("large.toml");
    let text = "name = \"large\"\nkind = \"table\"\ntitle = \"Two widths\"\n\
                [[rows]]\nlabel = \"large\"\nrule = { name = \"bp\" }\nnetwork = { width = 34000 }\n\
                [[rows]]\nlabel = \"small\"\nrule = { name = \"bp\" }\n\
                [[columns]]\nlabel = \"sample\"\ndataset = \"mnist-sample\"\n\
                network = { name = \"mlp-2x800\", width = 16 }\n\
                profile.quick = { epochs = 1, seeds = 1, train_limit = 16 }\n";
    std::fs::write(&file, text).unwrap();
    let output = run(folder.path(), &["table", file.to_str().unwrap(), "--profile", "quick", "--dry-run"]);
    let told = stderr(&output);
    let said = told.lines().find(|line| line.starts_with("this command: 2 runs of 1 epoch"));
    let without = ", without \"BP\" on mnist-sample (to try it takes more than 4 GiB)";
    assert!(said.is_some_and(|said| said.contains(without) && said.contains("about ")), "{told}");
}

#[test]
fn a_bench_without_pytorch_measures_ours_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let args = [
        "bench",
        "--networks",
        "mlp-2x800",
        "--rule",
        "SLL",
        "--seconds",
        "0",
        "--steps",
        "2",
        "--threads",
        "1",
        "--allow-dirty",
    ];
    let output = harness(folder.path()).args(args).env("PYTHON", "false").output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let page = folder.path().join("bench/flex");
    let text = std::fs::read_to_string(page.join("README.md")).unwrap();
    assert_eq!(text, String::from_utf8_lossy(&output.stdout).trim_end_matches('\n').to_string() + "\n");
    for words in
        ["without PyTorch: the Python that PYTHON names", "| BP ", "| SLL ", "## Loading", "## Around the steps"]
    {
        assert!(text.contains(words), "no `{words}` in: {text}");
    }
    assert!(page.join("bench.parquet").exists() && page.join("bench.svg").exists());
    fails(&run(folder.path(), &["bench", "--rule", "SSL"]), 2, &["--rule SSL", "PEPITA"]);
}

#[test]
fn a_refused_run_leaves_nothing_in_the_store_and_says_what_was_meant() {
    let folder = tempfile::tempdir().unwrap();
    for (args, words) in [
        (vec!["--rule", "dtp", "--network", "cnn-1"], vec!["cannot run on this network"]),
        (vec!["--batch", "5000"], vec!["`batch` = 5000", "mnist-sample", "4000 training images", "--batch 4000"]),
        (vec!["--validation", "4000"], vec!["`validation` = 4000", "mnist-sample"]),
        (vec!["--rule", "slll"], vec!["did you mean `sll`?"]),
        (vec!["--dataset", "mnist-sampel"], vec!["did you mean `mnist-sample`?"]),
        (vec!["--network", "mlp-2x80"], vec!["did you mean `mlp-2x800`?"]),
        (vec!["--set", "recipe.epoch=3"], vec!["did you mean `epochs`?"]),
        (vec!["--set", "rule.align_weigth=1"], vec!["did you mean `align_weight`?"]),
        (vec!["--set", "align_weight=1"], vec!["did you mean `rule.align_weight`?"]),
        (vec!["--set", "width=3"], vec!["did you mean `network.width`?"]),
        (vec!["--set", "rule.train_limit=9"], vec!["did you mean `recipe.train_limit`?"]),
        (vec!["--set", "zzz=1"], vec!["unknown field `zzz`"]),
        (vec!["--set", "network.rule=1"], vec!["unknown field `rule`"]),
        (vec!["--lr", "-1"], vec!["`lr` = -1", "positive"]),
        (vec!["--train-limit", "-1"], vec!["'-1'", "--train-limit"]),
        (vec!["--width", "0"], vec!["`width` = 0", "at least 1"]),
    ] {
        for more in [&["--epochs", "1"][..], &["--epochs", "1", "--dry-run"]] {
            let output = run(folder.path(), &[&["run"], &args[..], more].concat());
            fails(&output, 2, &words);
            let suggested = stderr(&output).matches("did you mean").count();
            assert_eq!(suggested, words.iter().filter(|word| word.contains("did you mean")).count(), "{args:?}");
            assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "{args:?}");
        }
    }
    let over = |over: &str| run(folder.path(), &["sweep", "--over", over]);
    fails(&over("align_weight=0,1"), 2, &["--over align_weight", "`rule.align_weight`"]);
    fails(&over("rule.align_weight=0,,1"), 2, &["--over rule.align_weight=0,,1", "KEY=VALUE,VALUE"]);
    let (output, said) = (over("network.width=0,16"), "`width` = 0: must be at least 1");
    fails(&output, 2, &["row SLL", said]);
    assert_eq!(stderr(&output).matches(said).count(), 1, "{}", stderr(&output));
    fails(&run(folder.path(), &["table", "tabel1"]), 2, &["did you mean `table1`?"]);
    fails(&run(folder.path(), &["table", "table1", "--row", "SSL"]), 2, &["did you mean `SLL`?"]);
}

#[test]
fn a_step_of_fewer_images_than_its_batch_is_told_where_the_recipe_limits_them() {
    let folder = tempfile::tempdir().unwrap();
    let output = run(folder.path(), &["run", "--width", "16", "--epochs", "1", "--train-limit", "64", "--rule", "BP"]);
    assert_eq!(json(&output)["data"]["train"], 64);
    assert!(stderr(&output).contains("`train_limit` takes 64; a step takes 64"), "{}", stderr(&output));
}

#[test]
fn dry_runs_check_what_runs_check_and_tell_their_cost() {
    let folder = tempfile::tempdir().unwrap();
    let output = run(folder.path(), &["run", "--width", "16", "--epochs", "3", "--dry-run"]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(String::from_utf8_lossy(&output.stdout).contains("dataset = \"mnist-sample\""));
    for words in ["this command: 1 run of 3 epochs", "mnist-sample (4000 + 1000 images)", "disk: up to"] {
        assert!(stderr(&output).contains(words), "no `{words}` in {}", stderr(&output));
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    let missing = ["run", "--dataset", "cifar-10", "--dry-run", "--offline"];
    fails(&run(folder.path(), &missing), 3, &["cifar-10 is not on this machine", "harness data fetch cifar-10"]);
    let sweep = ["sweep", "--rule", "sll", "--width", "16", "--over", "rule.align_weight=0,1", "--dry-run"];
    let output = run(folder.path(), &[&sweep[..], &["--epochs", "1"]].concat());
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(String::from_utf8_lossy(&output.stdout).lines().count(), 2);
    let large = run(folder.path(), &[&sweep[..], &["--epochs", "1", "--batch", "5000"]].concat());
    fails(&large, 3, &["nothing to run", "`batch` = 5000"]);
}
