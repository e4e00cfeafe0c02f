//! Rules beside their authors' own numbers. A row has the network, data, recipe and epochs of a run that the rule's
//! authors published, and what came of it; `profile.paper` is that run whole, the others its first epochs.

use super::authors::{Authors, Theirs};
use super::catalogue::Kind;
use super::column::{Amount, Column};
use super::table::{Experiment, Row};
use serde::Deserialize;
use std::collections::BTreeMap;
use toml::Table;

/// A calibration as its file has it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    name: String,
    kind: Kind,
    title: String,
    #[serde(default)]
    notes: Vec<String>,
    #[serde(default)]
    reading: BTreeMap<String, Vec<String>>,
    rows: Vec<Entry>,
}

/// A row as the file has it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    label: String,
    rule: Option<Table>,
    dataset: Option<String>,
    #[serde(default)]
    network: Table,
    #[serde(default)]
    recipe: Table,
    #[serde(default)]
    profile: BTreeMap<String, Amount>,
    #[serde(default)]
    theirs: Vec<Theirs>,
    differs: Option<String>,
    #[serde(default)]
    reading: BTreeMap<String, String>,
    missing: Option<String>,
}

impl From<File> for Experiment {
    fn from(File { name, kind, title, notes, reading, rows }: File) -> Self {
        let rows = rows.into_iter().map(Row::from).collect();
        let (columns, sweep, reference, paper, origin) = (Vec::new(), None, None, None, String::new());
        Experiment { name, kind, title, notes, reading, reference, paper, rows, columns, sweep, origin }
    }
}

impl From<Entry> for Row {
    fn from(entry: Entry) -> Self {
        let Entry { label, rule, dataset, network, recipe, profile, theirs, differs, reading, missing } = entry;
        let setting = dataset.map(|dataset| {
            let (label, sample, quoted, missing) = (dataset.clone(), None, None, None);
            Box::new(Column { label, dataset, sample, quoted, network, recipe, profile, missing })
        });
        let authors = Some(Authors { setting, theirs, differs, reading });
        let (recipe, network, on) = (Table::new(), Table::new(), BTreeMap::new());
        Row { label, rule, recipe, network, on, missing, fixed: false, authors }
    }
}

#[cfg(test)]
mod tests {
    use crate::error::Result;
    use crate::experiment::{Choices, Experiment, Kind, PlannedCell, Profile, Read, expand, find, parse};
    use crate::run;
    use datasets::LoadOptions;

    const TEXT: &str = r#"
        name = "mine"
        kind = "calibration"
        title = "BP"
        [[rows]]
        label = "BP"
        rule = { name = "bp" }
        dataset = "mnist-sample"
        network = { name = "mlp-2x800", width = 20 }
        recipe = { lr = 0.25 }
        profile.quick = { epochs = 2, seeds = 2 }
        profile.short = { epochs = 5, seeds = 1 }
        profile.paper = { epochs = 9, seeds = 1 }
        theirs = [
            { epochs = 9, mean = 98.0, std = 0.1, n = 10, source = "Table 1" },
            { epochs = 2, mean = 91.0, read = "best", source = "their code" },
        ]
        [[rows]]
        label = "SGR"
        missing = "no code"
    "#;

    fn cells(text: &str, profile: Profile) -> Result<Vec<PlannedCell>> {
        let (device, seeds, epochs) = (crate::spec::DeviceName::Flex, None, None);
        let choices = Choices { profile, device, seeds, epochs, allow_unverified: false, assume_present: true };
        Ok(expand(parse(text, "mine.toml")?, &choices, &LoadOptions::default())?.cells)
    }

    #[test]
    fn a_row_runs_in_its_own_setting_beside_what_its_authors_have_after_as_many_epochs() {
        let planned = cells(TEXT, Profile::Quick).unwrap();
        let [bp, sgr] = planned.as_slice() else { panic!("{} cells", planned.len()) };
        let spec = &bp.specs[1];
        assert_eq!((bp.specs.len(), spec.network.width, spec.recipe.lr, spec.recipe.epochs), (2, Some(20), 0.25, 2));
        let authors = bp.authors.as_ref().unwrap();
        assert_eq!(authors.epochs(), Some(9));
        assert_eq!(authors.beside(2).map(|theirs| (theirs.mean, theirs.read)), Some((91.0, Read::Best)));
        assert_eq!(authors.beside(5).map(|theirs| (theirs.mean, theirs.read)), Some((98.0, Read::Last)));
        let quoted = bp.quoted.as_ref().unwrap();
        assert_eq!((quoted.mean, quoted.note.as_deref()), (91.0, Some("their code")));
        assert_eq!((sgr.specs.len(), sgr.missing.as_deref(), sgr.quoted.as_ref()), (0, Some("no code"), None));
        assert_eq!(cells(TEXT, Profile::Short).unwrap()[0].quoted.as_ref().unwrap().mean, 98.0);
    }

    #[test]
    fn mistakes_name_the_file_the_row_and_the_key() {
        for (from, to, word) in [
            ("mean = 98.0", "mean = 980.0", "`mean` = 980"),
            ("std = 0.1", "std = -0.1", "`std`"),
            ("source = \"Table 1\"", "source = \"\"", "`source`"),
            ("profile.paper", "profile.papers", "`profile.paper`"),
            ("theirs =", "their =", "their"),
            ("kind = \"calibration\"", "kind = \"calibration\"\ncolumns = []", "columns"),
        ] {
            assert!(TEXT.contains(from), "{from}");
            let error = parse(&TEXT.replacen(from, to, 1), "mine.toml").unwrap_err().to_string();
            assert!(error.contains("mine.toml") && error.contains(word), "{error}");
        }
    }

    #[test]
    fn every_row_of_the_built_in_one_runs_or_says_why_not() {
        let experiment: Experiment = find("calibration", &[Kind::Calibration]).unwrap();
        for profile in [Profile::Quick, Profile::Short, Profile::Paper] {
            let (device, seeds, epochs) = (crate::spec::DeviceName::Flex, None, None);
            let choices = Choices { profile, device, seeds, epochs, allow_unverified: false, assume_present: true };
            let plan = expand(experiment.clone(), &choices, &LoadOptions::default()).unwrap();
            for (row, cell) in experiment.rows.iter().zip(&plan.cells) {
                let (label, authors) = (&row.label, row.authors.as_ref().unwrap());
                assert_eq!(cell.specs.is_empty(), row.missing.is_some(), "{label}: {:?}", cell.missing);
                assert_eq!(authors.setting.is_none(), row.missing.is_some(), "{label}");
                cell.specs.iter().for_each(|spec| run::check(spec).unwrap_or_else(|why| panic!("{label}: {why}")));
            }
        }
    }

    #[test]
    fn every_rule_has_a_row_in_the_built_in_one() {
        let rows = find("calibration", &[Kind::Calibration]).unwrap().rows;
        // Those after a comma are variants of no authors' own, or of another row's.
        for info in baselines::rules().iter().filter(|info| !info.title.contains(", ")) {
            let named = rows.iter().any(|row| row.label.split(" (").next() == Some(info.title));
            assert!(named, "{} has no row", info.title);
        }
    }
}
