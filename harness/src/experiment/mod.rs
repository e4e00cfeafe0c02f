//! Tables and sweeps as data: which runs fill which cell.
//!
//! An experiment is a TOML file in `experiments/`: rows are rules, columns are data sets with their network and recipe,
//! and a sweep replaces each column by one for each value of a parameter. Adding one is adding a file.

mod expand;
mod overrides;

pub use expand::{Choices, Plan, PlannedCell, expand};
pub use overrides::{merge, set};

use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How much is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Profile {
    /// Minutes on two CPU cores; embedded samples stand, under their own names, where data are not on the machine.
    Quick,
    /// The paper's networks and data, fewer epochs and seeds: about an hour of one GPU.
    Short,
    /// The paper's recipe to the letter.
    Paper,
}

impl Profile {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Profile::Quick => "quick",
            Profile::Short => "short",
            Profile::Paper => "paper",
        }
    }
}

/// A table or a sweep.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Experiment {
    /// Its name, also of its files.
    pub name: String,
    /// `table` or `sweep`.
    pub kind: Kind,
    /// Headline.
    pub title: String,
    /// Lines under the table.
    #[serde(default)]
    pub notes: Vec<String>,
    /// What its author read from the runs of a profile, by profile. Each says on which runs it was written.
    #[serde(default)]
    pub reading: BTreeMap<String, Vec<String>>,
    /// Rows.
    pub rows: Vec<Row>,
    /// Columns; of a sweep, what is swept over.
    pub columns: Vec<Column>,
    /// The swept parameter.
    pub sweep: Option<Sweep>,
}

/// What an experiment is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Rules against data sets.
    Table,
    /// Rules against values of one parameter.
    Sweep,
}

/// One row: a rule, or a row that the paper prints and this version cannot run.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// Its label, by which the paper's number is found.
    pub label: String,
    /// The rule as in a run's spec.
    pub rule: Option<toml::Table>,
    /// Changes to the columns' recipe.
    #[serde(default)]
    pub recipe: toml::Table,
    /// Changes to the columns' network.
    #[serde(default)]
    pub network: toml::Table,
    /// Why there is no rule.
    pub missing: Option<String>,
    /// A reference line of a sweep: the swept parameter does not apply to it.
    #[serde(default)]
    pub fixed: bool,
}

/// One column: a data set with network and recipe.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Column {
    /// Its label.
    pub label: String,
    /// The data set.
    pub dataset: String,
    /// The embedded sample that the `quick` profile runs, under its own name, where the data set is missing.
    pub sample: Option<String>,
    /// The column's name in `paper.toml`.
    pub quoted: Option<String>,
    /// Network as in a run's spec.
    pub network: toml::Table,
    /// Recipe as in a run's spec, epochs aside.
    #[serde(default)]
    pub recipe: toml::Table,
    /// Epochs and seeds by profile (`sample` for the embedded sample); a profile left out leaves the column out.
    pub profile: BTreeMap<String, Amount>,
    /// Why no run of it is possible in this version.
    pub missing: Option<String>,
}

/// How much of a column a profile runs.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Amount {
    /// Epochs.
    pub epochs: usize,
    /// Seeds `0..seeds`.
    pub seeds: u64,
    /// Train on the first this many images only.
    pub train_limit: Option<usize>,
    /// Changes to the column's network; its label then names them.
    #[serde(default)]
    pub network: toml::Table,
    /// What stands in for all of this on a processor without a GPU.
    pub on_flex: Option<Box<Amount>>,
}

impl Column {
    /// How much of the column `profile` runs on `device`.
    pub fn amount(&self, profile: &str, device: &str) -> Option<Amount> {
        let amount = self.profile.get(profile)?;
        let here = amount.on_flex.as_deref().filter(|_| device == "flex");
        Some(here.unwrap_or(amount).clone())
    }
}

/// A swept parameter.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sweep {
    /// Its place in a run's spec, like `network.width`.
    pub parameter: String,
    /// Its name for people.
    pub label: String,
    /// Its values.
    pub values: Vec<toml::Value>,
}

macro_rules! builtin {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("../../experiments/", $name, ".toml")))),*]
    };
}

const BUILTIN: &[(&str, &str)] = builtin![
    "table1",
    "table2",
    "small_cnn",
    "rules_mlp",
    "floors_cnn",
    "theorem1",
    "ablation_width",
    "ablation_depth",
    "ablation_projection",
    "ablation_projection_seed",
    "ablation_alignment",
    "ablation_dropout",
    "precision",
    "tune_dropout",
    "tune_cnn",
    "tune_dkp",
    "tune_drtp",
    "tune_dtp",
    "tune_ff",
    "tune_ff_cnn",
    "tune_lls",
    "tune_pepita",
    "tune_pepita_cnn",
    "tune_similarity",
    "tune_softhebb",
    "tune_sp",
];

/// Names of the experiments of a kind.
pub fn names(kind: Kind) -> Vec<&'static str> {
    let of_kind = |(name, _): &&(&'static str, &str)| parse(name).is_ok_and(|e| e.kind == kind);
    BUILTIN.iter().filter(of_kind).map(|(name, _)| *name).collect()
}

/// The experiment called `name`, of the kind asked for.
pub fn find(name: &str, kind: Kind) -> Result<Experiment> {
    match parse(name) {
        Ok(experiment) if experiment.kind == kind => Ok(experiment),
        Err(error @ Error::Failed(_)) => Err(error),
        _ => {
            let what = if kind == Kind::Table { "table" } else { "sweep" };
            Err(Error::Input(format!("there is no {what} `{name}`; choose one of {}", names(kind).join(", "))))
        }
    }
}

fn parse(name: &str) -> Result<Experiment> {
    // `tune-ff` and `tune_ff` are one.
    let plain = |name: &str| name.replace('-', "_");
    let (_, text) = BUILTIN
        .iter()
        .find(|(known, _)| plain(known) == plain(name))
        .ok_or_else(|| Error::Input(format!("there is no experiment `{name}`")))?;
    toml::from_str(text).map_err(|e| Error::Failed(format!("experiments/{name}.toml: {e}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_built_in_experiment_parses_under_its_own_name() {
        for (name, _) in BUILTIN {
            let experiment = parse(name).unwrap();
            assert_eq!(experiment.name, *name);
            assert_eq!(experiment.kind == Kind::Sweep, experiment.sweep.is_some(), "{name}");
        }
    }

    #[test]
    fn every_rule_of_the_register_has_a_row_in_rules_mlp() {
        let experiment = parse("rules_mlp").unwrap();
        let labels: Vec<_> = experiment.rows.iter().map(|row| row.label.as_str()).collect();
        for info in baselines::rules() {
            assert!(labels.contains(&info.title), "{} has no row", info.title);
        }
    }

    #[test]
    fn no_two_rows_of_an_experiment_are_one() {
        for (name, _) in BUILTIN {
            let rows = parse(name).unwrap().rows;
            for (i, row) in rows.iter().enumerate() {
                let same = |other: &&Row| {
                    (&other.rule, &other.recipe, &other.network) == (&row.rule, &row.recipe, &row.network)
                };
                assert!(!rows[..i].iter().any(|other| same(&other)), "{name}: {} twice", row.label);
            }
        }
    }

    #[test]
    fn a_wrong_name_gets_the_right_ones() {
        let error = find("table9", Kind::Table).unwrap_err().to_string();
        assert!(error.contains("table9") && error.contains("table1"), "{error}");
        assert!(find("table1", Kind::Sweep).unwrap_err().to_string().contains("ablation_width"));
    }
}
