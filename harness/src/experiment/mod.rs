//! Tables, sweeps and calibrations as data: which runs fill which cell. Memory's are in [`memory`].
//!
//! An experiment is a TOML file, built in from `experiments/` or the user's own: rows are rules, columns are data sets
//! with their network and recipe, and a sweep replaces its column by one for each value of a parameter, or pair of
//! values of two. A calibration's rows have a data set, network and recipe of their own (`calibration.rs`).

mod authors;
mod calibration;
pub mod catalogue;
mod choices;
mod column;
mod expand;
pub mod memory;
mod settle;
mod table;

pub use authors::{Authors, Read, Theirs};
pub use catalogue::Kind;
pub use choices::Choices;
pub use column::{Amount, Column, Profile};
pub use expand::{Plan, PlannedCell, PlannedColumn, expand};
pub use table::{Changes, Experiment, Parameter, Row, Sweep, shown};

use crate::error::{Error, Result};
use crate::suggest::of_serde;

/// The experiment called `name`, or in the file `name` if that ends in `.toml`, of one of `kinds`.
pub fn find(name: &str, kinds: &[Kind]) -> Result<Experiment> {
    let (text, origin) = catalogue::read(name, kinds)?;
    parse(&text, &origin)
}

/// Reads an experiment; `origin` names it in errors.
pub fn parse(text: &str, origin: &str) -> Result<Experiment> {
    let read = match catalogue::kind_of(text, origin)? {
        Kind::Calibration => toml::from_str::<calibration::File>(text).map(Experiment::from),
        _ => toml::from_str(text),
    };
    let experiment = read.map_err(|e| Error::Input(format!("{origin}: {}", of_serde(&e.to_string()))))?;
    let experiment = Experiment { origin: origin.to_string(), ..experiment };
    experiment.validate()?;
    Ok(experiment)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::paper;
    use baselines::RuleSpec;

    fn all() -> Vec<Experiment> {
        let of = |kind| catalogue::names(&[kind]).into_iter().map(move |name| find(name, &[kind]).unwrap());
        of(Kind::Table).chain(of(Kind::Sweep)).chain(of(Kind::Calibration)).collect()
    }

    #[test]
    fn every_built_in_experiment_parses_under_its_own_name() {
        let names = [Kind::Table, Kind::Sweep, Kind::Calibration].map(|kind| catalogue::names(&[kind])).concat();
        for (name, experiment) in names.iter().zip(all()) {
            assert_eq!(experiment.name, *name);
            assert_eq!(experiment.kind == Kind::Sweep, experiment.sweep.is_some(), "{name}");
        }
    }

    #[test]
    fn every_rule_of_the_register_has_a_row_in_rules_mlp() {
        let experiment = find("rules_mlp", &[Kind::Table]).unwrap();
        let labels: Vec<_> = experiment.rows.iter().map(|row| row.label.as_str()).collect();
        for info in baselines::rules() {
            assert!(labels.contains(&info.title), "{} has no row", info.title);
        }
    }

    #[test]
    fn every_number_that_the_paper_prints_stands_in_some_experiment() {
        let places: Vec<_> = all()
            .iter()
            .flat_map(|experiment| {
                let columns = experiment.columns.iter().filter_map(|column| column.quoted.clone());
                let place = |column: String| experiment.rows.iter().map(move |row| (column.clone(), row.label.clone()));
                let places: Vec<_> = columns.flat_map(place).collect();
                places.into_iter().map(|(column, row)| (experiment.paper().to_string(), column, row))
            })
            .filter_map(|(table, column, row)| paper::quoted(&table, &column, &row).map(|_| (table, column, row)))
            .collect();
        // 20 of Table 1, 42 of Table 2, 10 of Table 3, 10 of appendix A.2.1.
        assert_eq!(
            ["table1", "table2", "table3", "small_cnn"].map(|of| places.iter().filter(|p| p.0 == of).count()),
            [20, 42, 10, 10]
        );
    }

    #[test]
    fn no_two_rows_of_an_experiment_are_one() {
        for Experiment { name, rows, .. } in all() {
            for (i, row) in rows.iter().enumerate() {
                // With all settings, those that are left out included.
                let rule = |row: &Row| row.rule.clone().map(|rule| rule.try_into::<RuleSpec>().unwrap());
                let same = |other: &&Row| {
                    (rule(other), &other.recipe, &other.network) == (rule(row), &row.recipe, &row.network)
                };
                // Rows of a calibration that cannot run, or stand in settings of their own, may be of one rule.
                if row.authors.is_some() {
                    continue;
                }
                assert!(!rows[..i].iter().any(|other| same(&other)), "{name}: {} twice", row.label);
            }
        }
    }

    #[test]
    fn mistakes_in_a_file_of_ones_own_name_the_file_and_the_key() {
        let text = include_str!("../../experiments/ablation_width.toml");
        let error = |from: &str, to: &str| {
            assert!(text.contains(from), "{from}");
            parse(&text.replacen(from, to, 1), "my.toml").unwrap_err().to_string()
        };
        for (from, to, word) in [
            ("name = \"ablation_width\"", "name = \"../x\"", "`name`"),
            ("parameter = \"network.width\"", "parameter = \"width\"", "`parameter`"),
            ("kind = \"sweep\"", "kind = \"table\"", "[sweep]"),
            ("[sweep]", "[sweep.and]\nparameter = \"network.width\"\nlabel = \"w\"\nvalues = [1]\n\n[sweep]", "twice"),
            ("title =", "titel =", "titel"),
            ("profile.quick", "profile.quik", "did you mean `quick`"),
            ("seeds = 3", "seeds = 0", "`seeds` = 0"),
            ("title =", "reference = \"BPP\"\ntitle =", "`reference`"),
        ] {
            let error = error(from, to);
            assert!(error.contains("my.toml") && error.contains(word), "{error}");
        }
    }

    #[test]
    fn a_wrong_name_gets_the_right_ones() {
        let error = find("table9", &[Kind::Table]).unwrap_err().to_string();
        assert!(error.contains("table9") && error.contains("did you mean `table"), "{error}");
        assert!(find("table1", &[Kind::Sweep]).unwrap_err().to_string().contains("`harness table table1`"));
    }
}
