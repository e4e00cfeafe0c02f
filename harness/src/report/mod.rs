//! From runs to what people read: Parquet, Markdown, figures. Nothing here runs or decides anything.

pub mod axis;
mod calibration;
pub mod chosen;
pub mod claims;
pub mod curves;
mod details;
#[cfg(test)]
pub(crate) mod example;
pub mod figure;
pub mod grid;
mod heat;
pub mod html;
pub mod labels;
mod layers;
pub mod markdown;
pub mod memory;
pub mod paired;
pub mod parquet;
pub mod paths;
pub mod picture;
pub mod place;
mod representations;
pub mod settings;
pub mod stats;
mod theorem;
mod tradeoff;
pub mod verdict;

use crate::experiment::{Authors, Parameter, PlannedColumn};
use crate::paper::Quoted;
use crate::record::RunResult;
use picture::{Stroke, strokes};

/// A table or sweep with the runs that fill it.
#[derive(Clone, Debug)]
pub struct Report {
    /// The experiment's name, like `table1`.
    pub name: String,
    /// Headline.
    pub title: String,
    /// Lines of explanation under the table.
    pub notes: Vec<String>,
    /// What somebody who looked at the runs of this profile has to say, line by line.
    pub reading: Vec<String>,
    /// What tells its folder from those of other profiles and devices.
    pub variant: String,
    /// Profile it was run with.
    pub profile: String,
    /// The command that made it.
    pub command: String,
    /// What is swept: nothing, one parameter or two.
    pub swept: Vec<Parameter>,
    /// Label of the rows' axis, like `rule`.
    pub row_axis: String,
    /// Label of the columns' axis: `data set`, or the swept parameter.
    pub column_axis: String,
    /// Row labels in order.
    pub rows: Vec<String>,
    /// The row that the others are compared with.
    pub reference: Option<usize>,
    /// Column labels in order.
    pub columns: Vec<PlannedColumn>,
    /// One cell for each row and column, row by row.
    pub cells: Vec<Cell>,
}

/// What fills one cell.
#[derive(Clone, Debug, Default)]
pub struct Cell {
    /// Finished runs, one a seed.
    pub runs: Vec<RunResult>,
    /// The paper's number; of a calibration the authors'.
    pub quoted: Option<Quoted>,
    /// Of a calibration: all that the rule's authors have.
    pub authors: Option<Authors>,
    /// Why there is no run.
    pub missing: Option<String>,
}

impl Report {
    /// The cell at `row`, `column`.
    pub fn cell(&self, row: usize, column: usize) -> &Cell {
        &self.cells[row * self.columns.len() + column]
    }

    /// Every cell with the index of its row and of its column, row by row.
    pub fn each(&self) -> impl Iterator<Item = (usize, usize, &Cell)> {
        let columns = self.columns.len();
        self.cells.iter().enumerate().map(move |(i, cell)| (i / columns, i % columns, cell))
    }

    /// How each row is drawn in every figure of the report; a row without runs is in none.
    pub fn strokes(&self) -> Vec<Stroke> {
        let title = |row: usize| {
            let runs = (0..self.columns.len()).flat_map(move |column| &self.cell(row, column).runs);
            let titles: Vec<(&str, String)> = runs.map(|run| (run.spec.rule.name(), run.spec.rule.title())).collect();
            // A sweep may make another variant of the rule at some of its values.
            let often = |title: &&(&str, String)| titles.iter().filter(|other| other == title).count();
            titles.iter().max_by_key(often).cloned().unwrap_or_default()
        };
        let rows: Vec<(&str, String)> = (0..self.rows.len()).map(title).collect();
        strokes(rows.iter().map(|(rule, title)| (*rule, title.as_str())))
    }

    /// Every run.
    pub fn runs(&self) -> impl Iterator<Item = &RunResult> {
        self.cells.iter().flat_map(|cell| &cell.runs)
    }

    /// Whether its cells stand beside the numbers of the rules' authors.
    pub fn is_calibration(&self) -> bool {
        self.cells.iter().any(|cell| cell.authors.is_some())
    }

    /// Whether the columns are pairs of values of two parameters.
    pub fn is_grid(&self) -> bool {
        self.swept.len() == 2
    }

    /// Whether the columns are values of a number.
    pub fn is_sweep(&self) -> bool {
        !self.columns.is_empty() && self.columns.iter().all(|column| column.number().is_some())
    }
}

/// What `name` gives for each of `items`, every answer once, in order of appearance.
pub(crate) fn distinct<'a, T: 'a>(items: impl IntoIterator<Item = &'a T>, name: impl Fn(&T) -> String) -> String {
    each_once(items.into_iter().map(name))
}

/// The `answers`, every one once, in order of appearance.
pub(crate) fn each_once(answers: impl IntoIterator<Item = String>) -> String {
    let mut found: Vec<String> = Vec::new();
    for answer in answers {
        if !found.contains(&answer) {
            found.push(answer);
        }
    }
    found.join(", ")
}
