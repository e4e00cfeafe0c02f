//! A table, sweep or calibration: its rows, its columns, and what is swept.

use super::authors::Authors;
use super::catalogue::{self, Kind};
use super::column::Column;
use crate::error::{Error, Result};
use crate::suggest::did_you_mean;
use serde::Deserialize;
use std::collections::BTreeMap;

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

/// A value as it is shown: TOML's form, but a string without its quotes.
pub fn shown(value: &toml::Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), String::from)
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
