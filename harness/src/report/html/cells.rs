//! The table of all cells: what `cells.parquet` says of each, and the runs that fill it.

use super::pages::Page;
use crate::error::Result;
use crate::record::{RunResult, facts};
use crate::report::parquet::{FrameRow, LabelledRun, file};
use crate::report::stats::quoted_text;
use serde::Serialize;
use std::collections::BTreeSet;

/// One cell.
#[derive(Clone, Debug, Serialize)]
pub struct CellRow {
    page: String,
    variant: String,
    experiment: String,
    profile: String,
    device: String,
    /// The row's label.
    row: String,
    /// The rule that most of its runs have, by the name that tables give it.
    rule: String,
    dataset: String,
    /// The column's label, where it is not the data set.
    setting: String,
    network: String,
    epochs: String,
    n: u64,
    run: String,
    quoted: String,
    quoted_network: String,
    caveats: Vec<String>,
    command: String,
}

/// What the table can be narrowed down to.
#[derive(Clone, Debug, Serialize)]
pub struct Filters {
    experiment: BTreeSet<String>,
    dataset: BTreeSet<String>,
    rule: BTreeSet<String>,
    profile: BTreeSet<String>,
    device: BTreeSet<String>,
}

impl Filters {
    /// Every answer that one of `cells` gives.
    pub fn of(cells: &[CellRow]) -> Self {
        let each = |of: fn(&CellRow) -> &String| {
            cells.iter().map(of).filter(|answer| !answer.is_empty()).cloned().collect::<BTreeSet<_>>()
        };
        Self {
            experiment: each(|cell| &cell.experiment),
            dataset: each(|cell| &cell.dataset),
            rule: each(|cell| &cell.rule),
            profile: each(|cell| &cell.profile),
            device: each(|cell| &cell.device),
        }
    }
}

/// The cells of `page`; none of a page that is not of runs.
pub fn of_page(page: &Page, runs: &[LabelledRun]) -> Result<Vec<CellRow>> {
    let path = page.folder.join("cells.parquet");
    if !path.is_file() {
        return Ok(Vec::new());
    }
    let frame = file::read(&path)?;
    let rows = (0..frame.height()).map(|index| cell(page, &FrameRow { frame: &frame, index }, runs));
    Ok(rows.collect())
}

fn cell(page: &Page, cell: &FrameRow, runs: &[LabelledRun]) -> CellRow {
    let text = |column: &str| cell.text(column).unwrap_or_default();
    let (row, column) = (text("row"), text("column"));
    let own: Vec<&RunResult> =
        runs.iter().filter(|placed| placed.row == row && placed.column == column).map(|placed| &placed.run).collect();
    // Runs of the row's other cells say what the rule is where this one has none.
    let alike: Vec<&RunResult> = runs.iter().filter(|placed| placed.row == row).map(|placed| &placed.run).collect();
    let each = |name: &dyn Fn(&RunResult) -> String| crate::report::distinct(own.iter().copied(), name);
    let dataset = if own.is_empty() { column.to_lowercase() } else { each(&|run| run.data.name.clone()) };
    let mean = |mean: &str, std: &str| cell.number(mean).map(|mean| quoted_text(mean, cell.number(std)));
    let quoted_network = [cell.text("quoted_network"), cell.text("quoted_note")].into_iter().flatten();
    CellRow {
        page: page.id.clone(),
        variant: page.variant.clone(),
        experiment: page.experiment.clone(),
        profile: cell.text("profile").unwrap_or_else(|| page.variant.clone()),
        device: text("device"),
        rule: alike.first().map_or_else(|| row.clone(), |run| base_title(run)),
        setting: if dataset.eq_ignore_ascii_case(&column) { String::new() } else { column.clone() },
        dataset,
        network: each(&|run| facts::in_words(&facts::network(&run.spec.network))),
        epochs: cell.count("epochs").map_or(String::new(), |epochs| epochs.to_string()),
        n: cell.count("n").unwrap_or(0),
        run: mean("mean", "std").unwrap_or_default(),
        quoted: mean("quoted_mean", "quoted_std").unwrap_or_default(),
        quoted_network: quoted_network.collect::<Vec<_>>().join("; "),
        caveats: caveats(cell, &own),
        command: format!("{} --row '{}'", page.about.command, row.replace('\'', "'\\''")),
        row,
    }
}

/// The rule's name without its variants'.
fn base_title(run: &RunResult) -> String {
    let name = run.spec.rule.name();
    let first = baselines::rules().iter().find(|info| info.settings.name() == name);
    first.map_or_else(|| run.spec.rule.title(), |info| info.title.to_string())
}

/// What is to be known before the cell's number is compared with others.
fn caveats(cell: &FrameRow, runs: &[&RunResult]) -> Vec<String> {
    let count = |is: &dyn Fn(&RunResult) -> bool| runs.iter().filter(|run| is(run)).count();
    let dirty = count(&|run| run.provenance.is_dirty());
    let earlier = count(&|run| run.numerics != run.spec.numerics());
    let diverged = cell.count("diverged").unwrap_or(0);
    let (finished, evaluated) = (cell.count("n").unwrap_or(0), cell.text("evaluated_on"));
    let some = |number: usize, what: &str| (number > 0).then(|| format!("{number} of {what}"));
    let held_out = evaluated.filter(|images| !images.is_empty() && images != "test");
    [
        cell.text("missing"),
        held_out.map(|images| format!("on {images} images")),
        (cell.flag("verified") == Some(false)).then(|| "data are not verified".into()),
        (diverged > 0).then(|| format!("{diverged} of {} diverged", diverged + finished)),
        some(earlier, "earlier numerics"),
        some(dirty, "uncommitted code"),
    ]
    .into_iter()
    .flatten()
    .collect()
}
