//! Tables, sweeps and calibrations as data: which runs fill which cell. Memory's are in [`memory`].
//!
//! An experiment is a TOML file, built in from `experiments/` or the user's own: rows are rules, columns are data sets
//! with their network and recipe, and a sweep replaces its column by one for each value of a parameter, or pair of
//! values of two. A calibration's rows have a data set, network and recipe of their own ([`calibration`]).

pub mod calibration;
pub mod catalogue;
mod expand;
pub mod memory;
mod settle;

pub use calibration::{Authors, Read, Theirs};
pub use catalogue::Kind;
pub use expand::{Choices, Plan, PlannedCell, PlannedColumn, expand, shown};

use crate::error::{Error, Result};
use crate::spec::DeviceName;
use crate::suggest::{did_you_mean, of_serde};
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
    /// `table`, `sweep` or `calibration`.
    pub kind: Kind,
    /// Headline.
    pub title: String,
    /// The table of `paper.toml` whose numbers stand beside ours, where it has another name.
    pub paper: Option<String>,
    /// Lines under the table.
    #[serde(default)]
    pub notes: Vec<String>,
    /// What its author read from the runs of a profile, by profile. Each says on which runs it was written.
    #[serde(default)]
    pub reading: BTreeMap<String, Vec<String>>,
    /// The label of the row that the others are compared with, seed by seed.
    #[serde(default)]
    pub reference: Option<String>,
    /// Rows.
    pub rows: Vec<Row>,
    /// Columns; of a sweep, what is swept over; of a calibration none.
    pub columns: Vec<Column>,
    /// What is swept.
    pub sweep: Option<Sweep>,
    /// Where it was read, for errors.
    #[serde(skip)]
    pub origin: String,
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
    /// Changes that hold in one column, by the column's label; they come last.
    #[serde(default)]
    pub on: BTreeMap<String, Changes>,
    /// Why there is no rule.
    pub missing: Option<String>,
    /// A reference line of a sweep: the swept parameter does not apply to it.
    #[serde(default)]
    pub fixed: bool,
    /// Of a calibration: its authors' setting and numbers.
    #[serde(skip)]
    pub authors: Option<Authors>,
}

/// What a row changes in one column, such as a rate that was chosen on that column's held-out images.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Changes {
    /// Changes to the rule.
    #[serde(default)]
    pub rule: toml::Table,
    /// Changes to the recipe.
    #[serde(default)]
    pub recipe: toml::Table,
    /// Changes to the network.
    #[serde(default)]
    pub network: toml::Table,
    /// Why the row has no run there.
    pub missing: Option<String>,
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

/// The profile of the embedded sample, beside those of [`Profile`].
const SAMPLE: &str = "sample";

impl Column {
    /// What is wrong with the profiles in words, where something is.
    fn check_profiles(&self) -> std::result::Result<(), String> {
        let known = [Profile::Quick, Profile::Short, Profile::Paper].map(Profile::name);
        for (name, amount) in &self.profile {
            if name != SAMPLE && !known.contains(&name.as_str()) {
                let (all, close) = (known.join(", "), did_you_mean(name, known.into_iter().chain([SAMPLE])));
                let label = &self.label;
                return Err(format!("column {label}: `profile.{name}`: profiles are {all} and {SAMPLE}{close}"));
            }
            for amount in [Some(amount), amount.on_flex.as_deref()].into_iter().flatten() {
                let zero =
                    [("epochs", amount.epochs as u64), ("seeds", amount.seeds)].into_iter().find(|(_, n)| *n == 0);
                if let Some((key, _)) = zero {
                    return Err(format!("column {}: `profile.{name}`: `{key}` = 0: take at least 1", self.label));
                }
            }
        }
        Ok(())
    }

    /// How much of the column `profile` runs on `device`.
    pub fn amount(&self, profile: &str, device: DeviceName) -> Option<Amount> {
        let amount = self.profile.get(profile)?;
        let here = amount.on_flex.as_deref().filter(|_| device == DeviceName::Flex);
        Some(here.unwrap_or(amount).clone())
    }
}

/// A swept parameter, or two, of which every pair of values is run.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sweep {
    /// Its place in a run's spec, like `network.width`.
    pub parameter: String,
    /// Its name in tables and figures.
    pub label: String,
    /// Its values.
    pub values: Vec<toml::Value>,
    /// The second parameter.
    pub and: Option<Parameter>,
}

/// One swept parameter.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Parameter {
    /// Its place in a run's spec, like `network.width`.
    pub parameter: String,
    /// Its name for people.
    pub label: String,
    /// Its values.
    pub values: Vec<toml::Value>,
}

impl Sweep {
    /// Every swept parameter.
    pub fn parameters(&self) -> Vec<Parameter> {
        let Sweep { parameter, label, values, and } = self.clone();
        [Some(Parameter { parameter, label, values }), and].into_iter().flatten().collect()
    }
}

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

impl Experiment {
    /// The table of `paper.toml` whose numbers stand beside ours.
    pub fn paper(&self) -> &str {
        self.paper.as_deref().unwrap_or(&self.name)
    }

    /// Whether it is one of the program's own.
    pub fn is_built_in(&self) -> bool {
        self.origin == catalogue::origin(&self.name)
    }

    /// The index of the row that the others are compared with.
    pub fn reference(&self) -> Option<usize> {
        let label = self.reference.as_ref()?;
        self.rows.iter().position(|row| row.label == *label)
    }

    /// Checks what can be checked without data.
    pub fn validate(&self) -> Result<()> {
        let wrong = |what: String| Err(Error::Input(format!("{}: {what}", self.origin)));
        catalogue::check_name(&self.name, &self.origin)?;
        let needed = if self.kind == Kind::Calibration { "`rows`" } else { "`rows` and `columns`" };
        if self.rows.is_empty() || (self.columns.is_empty() && self.kind != Kind::Calibration) {
            return wrong(format!("it needs {needed}"));
        }
        for row in &self.rows {
            if let Some(problem) = row.authors.as_ref().and_then(Authors::problem) {
                return wrong(format!("row {}: {problem}", row.label));
            }
        }
        let labels =
            |labels: Vec<&str>| labels.iter().position(|label| labels.iter().filter(|l| *l == label).count() > 1);
        for all in [
            self.rows.iter().map(|row| row.label.as_str()).collect::<Vec<_>>(),
            self.columns.iter().map(|column| column.label.as_str()).collect(),
        ] {
            if let Some(twice) = labels(all.clone()) {
                return wrong(format!("`label` = \"{}\" stands twice", all[twice]));
            }
        }
        self.columns.iter().try_for_each(|column| column.check_profiles().or_else(wrong))?;
        if let Some(label) = self.reference.as_ref().filter(|_| self.reference().is_none()) {
            let rows = self.rows.iter().map(|row| row.label.as_str());
            return wrong(format!("`reference` = \"{label}\" is no row's `label`{}", did_you_mean(label, rows)));
        }
        for parameter in self.sweep.iter().flat_map(Sweep::parameters) {
            let head = parameter.parameter.split('.').next().unwrap_or_default();
            if !["network", "rule", "recipe"].contains(&head) || !parameter.parameter.contains('.') {
                return wrong(format!(
                    "`parameter` = \"{}\": a key of a run's network, rule or recipe, like network.width",
                    parameter.parameter
                ));
            }
            if parameter.values.is_empty() {
                return wrong(format!("`{}` has no `values`", parameter.parameter));
            }
            let twice = |(i, value): &(usize, &toml::Value)| parameter.values[..*i].contains(value);
            if let Some((_, value)) = parameter.values.iter().enumerate().find(twice) {
                return wrong(format!("`{}`: {} stands twice among its values", parameter.parameter, shown(value)));
            }
        }
        if let Some(Sweep { parameter, and: Some(other), .. }) = &self.sweep
            && *parameter == other.parameter
        {
            return wrong(format!("`{parameter}` is swept twice; give all its values at once, or another parameter"));
        }
        match (self.kind, &self.sweep) {
            (Kind::Sweep, None) => wrong("a sweep needs [sweep] with `parameter`, `label` and `values`".into()),
            (Kind::Table | Kind::Calibration, Some(_)) => wrong("a table has no [sweep]; kind = \"sweep\" has".into()),
            _ => Ok(()),
        }
    }
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
