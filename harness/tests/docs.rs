//! What the documentation shows is run as it stands there.

mod common;

use common::{run, stderr};
use harness::experiment::{Kind, catalogue};
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
    let bold = page.split("**").skip(1).step_by(2);
    let headings = page.lines().filter_map(|line| line.strip_prefix("## "));
    let cells = page.lines().filter_map(|line| line.strip_prefix("| ")?.split(" |").next());
    let places: Vec<&str> = headings.chain(cells).chain(bold).collect();
    let word = |text: &str, name: &str| {
        let edge = |c: Option<char>| c.is_none_or(|c| !(c.is_alphanumeric() || c == '-'));
        text.match_indices(name)
            .any(|(at, _)| edge(text[..at].chars().next_back()) && edge(text[at + name.len()..].chars().next()))
    };
    for info in baselines::rules() {
        // A variant's title has its setting behind the comma.
        let name = info.title.split(',').next().unwrap();
        assert!(
            places.iter().any(|place| word(place, name)),
            "docs/rules.md has {name} under no heading, in no bold and in no table's first cell"
        );
    }
}

/// The numbers of `text` with two digits on either side of their point.
fn accuracies(text: &str) -> Vec<&str> {
    let words = text.split(|c: char| !(c.is_ascii_digit() || c == '.')).map(|word| word.trim_matches('.'));
    let two = |part: Option<&str>| part.is_some_and(|part| part.len() == 2);
    words.filter(|word| two(word.split('.').next()) && two(word.split('.').nth(1))).collect()
}

#[test]
fn numbers_of_a_reading_stand_on_its_page_or_on_one_that_it_names() {
    let results = Path::new(env!("CARGO_MANIFEST_DIR")).join("../results");
    let page = |name: &str, variant: &str| {
        let text = std::fs::read_to_string(results.join(name).join(variant).join("README.md")).ok()?;
        // A reading does not vouch for itself.
        Some(text.split("\n## ").filter(|section| !section.starts_with("Reading")).collect::<String>())
    };
    let (mut wrong, mut seen) = (Vec::new(), 0);
    for name in catalogue::names(&Kind::TRAINING) {
        let experiment = harness::experiment::find(name, &Kind::TRAINING).unwrap();
        for (variant, lines) in &experiment.reading {
            let Some(own) = page(&experiment.name, variant) else { continue };
            for line in lines {
                let named = catalogue::names(&Kind::TRAINING).into_iter();
                let named = named.filter(|other| line.contains(&format!("results/{other}")) || line.contains(other));
                let variants = |other: &str| {
                    let folders = std::fs::read_dir(results.join(other)).into_iter().flatten().flatten();
                    folders.filter_map(|folder| folder.file_name().into_string().ok()).collect::<Vec<_>>()
                };
                let others = named.flat_map(|other| variants(other).into_iter().map(move |v| (other, v)));
                let pages = others.filter_map(|(other, variant)| page(other, &variant));
                let pages: Vec<String> = pages.chain([own.clone()]).collect();
                for number in accuracies(line) {
                    seen += 1;
                    if !pages.iter().any(|page| page.contains(number)) {
                        wrong.push(format!("{name}/{variant}: {number}"));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty() && seen > 20, "{seen} numbers, of which no page has {wrong:?}");
}

#[test]
fn numbers_of_what_came_out_stand_among_the_claims() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let read = |name: &str| std::fs::read_to_string(root.join(name)).unwrap();
    let (readme, claims) = (read("README.md"), read("results/CLAIMS.md"));
    let section = readme.split("\n## ").find(|section| section.starts_with("What came out")).unwrap();
    let bare = |word: &str| word.trim_matches(|c: char| "(),;:*".contains(c)).to_string();
    let words: Vec<String> = section.split_whitespace().map(bare).collect();
    let is_number = |word: &&String| word.contains('.') && word.parse::<f64>().is_ok();
    let numbers: Vec<&String> = words.iter().filter(is_number).collect();
    let wrong: Vec<&&String> = numbers.iter().filter(|number| !claims.contains(number.as_str())).collect();
    assert!(wrong.is_empty() && numbers.len() > 10, "of {numbers:?} CLAIMS.md has no {wrong:?}");
    // The first of two is SLL's, which a claim names first.
    let against: Vec<&[String]> =
        words.windows(3).filter(|three| three[1] == "against" && is_number(&&three[0])).collect();
    for three in &against {
        let in_order = |line: &str| {
            line.split_once(&format!("{}, ", three[0])).is_some_and(|(_, rest)| {
                rest.split_once(':').is_some_and(|(other, _)| other.ends_with(&format!(" {}", three[2])))
            })
        };
        assert!(claims.lines().any(in_order), "CLAIMS.md has no {three:?}");
    }
    assert!(against.len() > 3, "{against:?}");
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
