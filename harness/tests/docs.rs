//! What the documentation shows is run as it stands there.

mod common;

use common::{run, stderr};
use std::path::Path;

/// The blocks of `language` under the heading `heading` of a document.
fn blocks(document: &str, heading: &str, language: &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").join(document);
    let text = std::fs::read_to_string(&path).unwrap();
    let section = text.split("\n## ").find(|section| section.starts_with(heading)).expect("the heading");
    let blocks = section.split("\n```").skip(1).step_by(2);
    blocks.filter_map(|block| Some(block.strip_prefix(language)?.trim_start().to_string())).collect()
}

#[test]
fn every_rule_stands_beside_its_authors_code() {
    let page = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/rules.md")).unwrap();
    for info in baselines::rules() {
        // A variant's title has its setting behind the comma.
        let name = info.title.split(',').next().unwrap();
        assert!(page.contains(name), "docs/rules.md says nothing of {name}");
    }
}

#[test]
fn the_calibration_that_is_shown_is_one() {
    let shown = blocks("docs/formats.md", "A calibration", "toml");
    let experiment = harness::experiment::parse(&shown[0], "docs/formats.md").unwrap();
    let authors = experiment.rows[0].authors.as_ref().unwrap();
    assert_eq!((authors.epochs(), authors.beside(1).map(|theirs| theirs.mean)), (Some(100), Some(98.01)));
}

#[test]
fn the_sweep_that_is_shown_runs_and_names_its_profiles() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("gain.toml");
    let shown = blocks("docs/formats.md", "An experiment", "toml");
    assert_eq!(shown.len(), 1);
    std::fs::write(&file, &shown[0]).unwrap();
    let results = folder.path().join("results");
    let sweep = |more: &[&str]| run(&results, &[&["sweep", file.to_str().unwrap()], more].concat());
    let made = sweep(&[]);
    assert!(made.status.success(), "{}", stderr(&made));
    assert!(results.join("quick/gain/quick-flex/cells.parquet").is_file());
    let none = stderr(&sweep(&["--profile", "paper"]));
    assert!(none.contains("no runs in the profile paper; it has some in quick"), "{none}");
}
