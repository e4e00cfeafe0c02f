//! Memory as an experiment: a figure (rules against depth) or a table (rules against networks of the paper's sizes).
//!
//! A measurement is a fresh process that takes a few training steps on images of noise and weighs them
//! ([`crate::weigh`]). [`figure`] and [`table`] say which measurements are made, and collect them.

pub mod cell;
#[cfg(test)]
pub(crate) mod example;
pub mod figure;
pub mod law;
mod plan;
pub mod table;

pub use plan::quoted;

use super::catalogue;
use crate::error::{Error, Result};
use crate::spec::name_rule;
use crate::suggest::of_serde;
use baselines::RuleSpec;
use serde::Deserialize;
use sll_core::NetworkSpec;
use sll_core::optim::OptimizerKind;

/// A memory experiment.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Experiment {
    /// Training memory against depth.
    MemoryFigure(Figure),
    /// Training memory at given sizes, beside the paper's.
    MemoryTable(Table),
}

/// What a step sees.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// Channels, height and width.
    pub image: [usize; 3],
    /// Classes.
    pub classes: usize,
    /// The optimiser.
    pub optimizer: OptimizerKind,
    /// Steps of a measurement.
    pub steps: usize,
}

/// Training memory against depth.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Figure {
    /// Its name, also of its files.
    pub name: String,
    /// Headline.
    pub title: String,
    /// What depth counts, for the axis.
    pub depth: String,
    /// Lines under the tables.
    #[serde(default)]
    pub notes: Vec<String>,
    /// What a step sees.
    pub input: Input,
    /// Samples a step.
    pub batch: usize,
    /// Networks whose depth varies, one panel each.
    pub panels: Vec<Panel>,
    /// Rules.
    pub rows: Vec<Row>,
}

/// A network of varying depth.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Panel {
    /// For people.
    pub label: String,
    /// Appended to the figure's name in its files' names; empty for the main panel.
    pub suffix: String,
    /// The network, but for its depth.
    pub network: NetworkSpec,
    /// The depths.
    pub depths: Vec<usize>,
}

/// A rule.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// In legends and tables; a table finds the paper's number by it.
    pub label: String,
    /// The rule as in a run's spec.
    pub rule: toml::Table,
    /// The row of the paper that it is set against, where its own label is not that row's.
    pub quoted: Option<String>,
    /// Cut into units of at most this many layers, so that their number grows with depth and not their size.
    pub layers_per_unit: Option<usize>,
    /// Whether theory has the step's peak independent of depth. A figure in which it is not, fails.
    #[serde(default)]
    pub flat: bool,
}

/// Training memory at the paper's sizes.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Table {
    /// Its name, also of its files.
    pub name: String,
    /// Headline.
    pub title: String,
    /// Lines under the tables.
    #[serde(default)]
    pub notes: Vec<String>,
    /// Rules; the first is the one that others are compared with.
    pub rows: Vec<Row>,
    /// Tasks.
    pub columns: Vec<Column>,
}

/// A task of a table.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Column {
    /// For people.
    pub label: String,
    /// The column's name in `paper.toml`.
    pub quoted: Option<String>,
    /// What a step sees.
    pub input: Input,
    /// Two smaller batches, through which the law `bytes = a + b batch` is laid, and a third on which it is checked.
    pub probes: [usize; 3],
    /// Sizes that the paper's text allows. With several, the one whose first row comes nearest the paper's figure
    /// stands.
    pub sizes: Vec<Size>,
}

/// One reading of what the paper ran.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Size {
    /// For people.
    pub label: String,
    /// The network.
    pub network: NetworkSpec,
    /// Samples a step.
    pub batch: usize,
}

impl Experiment {
    /// Its name, also of its folder.
    pub fn name(&self) -> &str {
        match self {
            Experiment::MemoryFigure(figure) => &figure.name,
            Experiment::MemoryTable(table) => &table.name,
        }
    }
}

impl Row {
    /// The rule for a network that can be cut into `places` units.
    pub fn rule(&self, places: usize) -> Result<RuleSpec> {
        let mut rule = self.rule.clone();
        name_rule(&mut rule);
        if let Some(layers) = self.layers_per_unit {
            rule.insert("units".into(), toml::Value::Integer(places.div_ceil(layers.max(1)) as i64));
        }
        let wrong = |e: toml::de::Error| Error::Input(format!("row `{}`: {}", self.label, of_serde(e.message())));
        rule.try_into().map_err(wrong)
    }
}

/// The experiment called `name`, or the one in the file `name` if that ends in `.toml`.
pub fn find(name: &str) -> Result<Experiment> {
    let (text, origin) = catalogue::read(name, &catalogue::Kind::MEMORY)?;
    parse(&text, &origin)
}

/// Reads an experiment; `origin` names it in errors.
pub fn parse(text: &str, origin: &str) -> Result<Experiment> {
    let experiment: Experiment =
        toml::from_str(text).map_err(|e| Error::Input(format!("{origin}: {}", of_serde(&e.to_string()))))?;
    catalogue::check_name(experiment.name(), origin)?;
    let wrong = |what: &str| Err(Error::Input(format!("{origin}: {what}")));
    match &experiment {
        Experiment::MemoryFigure(figure) => {
            if figure.panels.iter().any(|panel| panel.depths.len() < 2 || !panel.depths.is_sorted()) {
                return wrong("`depths` needs at least two, in rising order");
            }
        }
        Experiment::MemoryTable(table) => {
            if table.rows.is_empty() || table.columns.iter().any(|column| column.sizes.is_empty()) {
                return wrong("a table needs `rows`, and every column `sizes`");
            }
            if table.columns.iter().any(|column| column.probes[0] >= column.probes[1]) {
                return wrong("the first of `probes` must be the smallest");
            }
        }
    }
    Ok(experiment)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_built_in_experiment_parses_under_its_own_name() {
        let names = catalogue::names(&catalogue::Kind::MEMORY);
        assert_eq!(names.len(), 4);
        for name in names {
            assert_eq!(find(name).unwrap().name(), name);
        }
    }

    #[test]
    fn table_3s_imagenette_has_the_401_tokens_that_the_printed_gigabytes_point_to() {
        let Experiment::MemoryTable(table) = find("table3").unwrap() else { panic!("it is a table") };
        let column = table.columns.iter().find(|column| column.label == "Imagenette, 160 px").unwrap();
        let [size] = column.sizes.as_slice() else { panic!("{} sizes", column.sizes.len()) };
        let [_, side, _] = column.input.image;
        let patch = size.network.patch.unwrap();
        assert_eq!(((side / patch) * (side / patch) + 1, size.batch), (401, 128));
        assert_eq!(size.network.name, "vit-7");
    }

    #[test]
    fn a_wrong_name_gets_the_right_ones_and_a_wrong_file_its_name() {
        assert!(find("figure9").unwrap_err().to_string().contains("figure2a, figure2b"));
        assert!(find("nowhere.toml").unwrap_err().to_string().contains("nowhere.toml"));
        let text = include_str!("../../../experiments/figure2a.toml");
        let error = parse(&text.replace("title =", "titel ="), "file.toml").unwrap_err().to_string();
        assert!(error.contains("file.toml") && error.contains("titel"), "{error}");
    }

    #[test]
    fn units_of_equal_size_grow_in_number() {
        let rule = "name = \"sll\"".parse().unwrap();
        let row = Row { label: "x".into(), rule, quoted: None, layers_per_unit: Some(2), flat: true };
        let units = |places| row.rule(places).unwrap().title();
        assert_eq!([units(3), units(4), units(9)], ["SLL2+", "SLL2+", "SLL5+"]);
    }
}
