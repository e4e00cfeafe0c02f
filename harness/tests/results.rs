//! What commands leave in the results folder, with the real program: experiments of one's own, what is kept and what is
//! not, runs carried from one store to another.

mod common;

use common::{run, stderr};
use std::path::{Path, PathBuf};

/// A table of one's own.
const TABLE: &str = include_str!("common/mine.toml");

/// A sweep over pairs without a file.
const GRID: &[&str] = &[
    "sweep",
    "--rule",
    "sll",
    "--width",
    "16",
    "--train-limit",
    "256",
    "--epochs",
    "1",
    "--over",
    "rule.align_weight=0,1",
    "--over",
    "network.dropout=0.0,0.2",
    "--as",
    "grid",
];

fn ok(results: &Path, args: &[&str]) -> (String, String) {
    let output = run(results, args);
    assert!(output.status.success(), "{args:?}: {}", stderr(&output));
    (String::from_utf8(output.stdout.clone()).unwrap(), stderr(&output))
}

fn fails(results: &Path, args: &[&str], code: i32, words: &[&str]) {
    let output = run(results, args);
    let text = stderr(&output);
    assert_eq!(output.status.code(), Some(code), "{args:?}: {text}");
    words.iter().for_each(|word| assert!(text.contains(word), "no `{word}` in: {text}"));
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        match entry.path() {
            path if path.is_dir() => found.extend(files(&path)),
            path => found.push(path),
        }
    }
    found
}

#[test]
fn a_table_of_ones_own_is_made_from_its_file_and_what_is_kept_changes_only_on_purpose() {
    let folder = tempfile::tempdir().unwrap();
    let results = folder.path().join("results");
    let file = folder.path().join("my.toml");
    std::fs::write(&file, TABLE).unwrap();
    let file = file.to_str().unwrap();
    let (list, told) = ok(&results, &["table", file, "--dry-run"]);
    assert!(list.lines().count() == 4 && told.contains("4 to do") && !results.exists(), "{list}{told}");
    assert!(!told.contains("the paper's recipe"), "it is no table of the paper's: {told}");
    let (text, told) = ok(&results, &["table", file]);
    assert!(text.contains("# A table of my own") && text.contains("harness table my.toml --profile quick"), "{text}");
    assert!(told.contains("4 runs: 0 already done, 4 to do"), "{told}");
    assert!(results.join("quick/mine/quick-flex/README.md").exists() && !results.join("mine").exists());

    // Short asks for the same runs; its page is kept, with an index.
    let short = ["table", file, "--profile", "short", "--allow-dirty"];
    let (_, told) = ok(&results, &short);
    assert!(told.contains("4 already done, 0 to do"), "{told}");
    let kept = results.join("mine/short-flex");
    let index = std::fs::read_to_string(results.join("README.md")).unwrap();
    assert!(
        index.contains("[mine/short-flex](mine/short-flex/README.md)") && index.contains("A table of my own"),
        "{index}"
    );
    let experiment = std::fs::read_to_string(results.join("mine/README.md")).unwrap();
    assert!(experiment.contains("short-flex/README.md") && experiment.contains("| SLL "), "{experiment}");
    // No page tells where anything lies on this machine.
    let here = folder.path().to_str().unwrap();
    for path in files(&results).iter().filter(|path| !path.to_str().unwrap().contains("runs/")) {
        let bytes = std::fs::read(path).unwrap();
        assert!(!String::from_utf8_lossy(&bytes).contains(here), "{}", path.display());
    }

    // Another machine, whose store is empty, makes half of it: what is kept stays, until it has taken the runs over.
    let before = std::fs::read(kept.join("README.md")).unwrap();
    std::fs::rename(results.join("runs"), folder.path().join("elsewhere")).unwrap();
    let (_, told) = ok(&results, &[&short[..], &["--row", "BP", "--seeds", "1"]].concat());
    assert!(told.contains("not among what is kept") && told.contains("runs import"), "{told}");
    assert!(results.join("local/mine/short-flex/README.md").exists());
    assert_eq!(std::fs::read(kept.join("README.md")).unwrap(), before);
    // Its own run of the same spec is another one than the one that is kept.
    let of_kept = kept.join("runs.parquet");
    let import = ["runs", "import", of_kept.to_str().unwrap()];
    let (_, told) = ok(&results, &import);
    assert!(told.contains("3 runs taken, 1 there already"), "{told}");
    let (_, told) = ok(&results, &short);
    assert!(told.contains("0 to do") && told.contains("not among what is kept"), "{told}");
    let (list, _) = ok(&results, &["runs", "list", "--rule", "bp"]);
    let own = list.lines().skip(1).filter_map(|line| line.split_whitespace().next());
    ok(&results, &own.fold(vec!["runs", "rm"], |args, id| [&args[..], &[id]].concat()));
    ok(&results, &import);
    let (_, told) = ok(&results, &[&short[..], &["--row", "BP", "--seeds", "1"]].concat());
    assert!(told.contains("0 to do") && !told.contains("not among what is kept"), "{told}");
    let text = std::fs::read_to_string(kept.join("README.md")).unwrap();
    assert_eq!(text.matches("(n=2)").count() / 3, 2, "fewer seeds asked for take no run away: {text}");
}

#[test]
fn two_parameters_without_a_file_make_a_map_and_mistakes_say_what_to_write() {
    let folder = tempfile::tempdir().unwrap();
    let (text, told) = ok(folder.path(), GRID);
    assert!(told.contains("4 runs: 0 already done, 4 to do"), "{told}");
    let page = folder.path().join("quick/grid/quick-flex");
    for file in ["grid.svg", "grid.png", "runs.parquet", "README.md"] {
        assert!(page.join(file).exists(), "{file}");
    }
    assert!(text.contains("| SLL, rule.align\\_weight") || text.contains("| SLL, rule.align_weight"), "{text}");
    assert!(text.contains("--over 'rule.align_weight=0,1' --over 'network.dropout=0.0,0.2'"), "{text}");
    fails(folder.path(), &["sweep"], 2, &["--over KEY=VALUES"]);
    fails(folder.path(), &["sweep", "--over", "rule.x"], 2, &["--over rule.x", "KEY=VALUE"]);
    fails(folder.path(), &["sweep", "--over", "network.width=16,16"], 2, &["network.width", "stands twice"]);
    fails(folder.path(), &["sweep", "--over", "seed=1,2"], 2, &["seed", "network.width"]);
    fails(folder.path(), &["sweep", "--over", "rule.align=1,2"], 2, &["align", "align_weight"]);
    fails(folder.path(), &["sweep", "ablation_width", "--lr", "1"], 2, &["--over"]);
    fails(folder.path(), &["table", "nowhere.toml"], 2, &["nowhere.toml"]);
    let wrong = folder.path().join("wrong.toml");
    std::fs::write(&wrong, TABLE.replace("train_limit = 256", "lr = -1.0")).unwrap();
    fails(folder.path(), &["table", wrong.to_str().unwrap()], 2, &["wrong.toml, row BP, column digits", "`lr` = -1"]);
    std::fs::write(&wrong, TABLE.replace("label = \"SLL\"", "label = \"BP\"")).unwrap();
    fails(folder.path(), &["table", wrong.to_str().unwrap()], 2, &["wrong.toml", "stands twice"]);
    fails(folder.path(), &["sweep", wrong.to_str().unwrap()], 2, &["harness table"]);
}

#[test]
fn kept_runs_are_listed_compared_removed_and_carried_away_and_back() {
    let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let run = |rule: &str, seed: &str| {
        let args = ["run", "--rule", rule, "--seed", seed, "--width", "16", "--train-limit", "256", "--epochs", "1"];
        let (text, _) = ok(folder.path(), &args);
        let result: serde_json::Value = serde_json::from_str(&text).unwrap();
        (result["run_id"].as_str().unwrap().to_string(), result)
    };
    let (bp, whole) = run("bp", "0");
    let (sll, _) = run("sll", "0");
    let (second, _) = run("sll", "1");
    let ids = |args: &[&str]| {
        let (text, _) = ok(folder.path(), &[&["runs"], args].concat());
        text.lines().skip(1).map(|line| line.split_whitespace().next().unwrap().to_string()).collect::<Vec<_>>()
    };
    assert_eq!(ids(&["list"]).len(), 3);
    assert_eq!(ids(&["list", "--rule", "BP"]).join(" "), bp);
    let misspelt = ["runs", "list", "--rule", "sll", "--dataset", "minst-sample"];
    fails(folder.path(), &misspelt, 2, &["--dataset minst-sample", "did you mean `mnist-sample`"]);
    let (text, _) = ok(folder.path(), &["runs", "best"]);
    assert!(text.starts_with("mnist-sample, test images (what is chosen by test images"), "{text}");
    assert!(text.lines().count() == 3 && text.contains(&format!("{sll} {second}")) && text.contains("(n=2)"), "{text}");
    assert_eq!(ids(&["best", "--top", "1"]).len(), 1);
    let (text, _) = ok(folder.path(), &["runs", "show", &bp[..8]]);
    assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), whole);
    let (text, _) = ok(folder.path(), &["runs", "compare", &sll, &second]);
    assert!(text.lines().any(|line| line.split_whitespace().collect::<Vec<_>>() == ["seed", "0", "1"]), "{text}");
    assert!(!text.contains("recipe.lr") && text.contains("accuracy, last epoch"), "{text}");

    let files = ["all.parquet", "all.csv"].map(|name| folder.path().join(name));
    for file in &files {
        ok(folder.path(), &["runs", "export", file.to_str().unwrap(), "--rule", "sll"]);
    }
    let csv = std::fs::read_to_string(&files[1]).unwrap();
    assert!(csv.lines().count() == 3 && csv.starts_with("rule,run_id,") && csv.contains(&second), "{csv}");
    ok(other.path(), &["runs", "import", files[0].to_str().unwrap()]);
    let (text, _) = ok(other.path(), &["runs", "show", &second]);
    let (here, _) = ok(folder.path(), &["runs", "show", &second]);
    assert_eq!(text, here);
    fails(other.path(), &["runs", "import", files[1].to_str().unwrap()], 1, &["all.csv", "no Parquet file"]);
    fails(folder.path(), &["runs", "export", "all.txt"], 2, &[".parquet or .csv"]);

    fails(folder.path(), &["runs", "rm", &bp, "zzzzz"], 2, &["zzzzz", "runs list"]);
    fails(folder.path(), &["runs", "rm", ""], 2, &["first 4 letters"]);
    ok(folder.path(), &["runs", "rm", &bp]);
    assert_eq!(ids(&["list"]).len(), 2);
    fails(folder.path(), &["runs", "show", &bp], 2, &[&bp]);
}
