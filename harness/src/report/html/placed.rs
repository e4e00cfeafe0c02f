//! The runs of a page in their places, from its `runs.parquet`.

use super::pages::Page;
use crate::error::Result;
use crate::record::RunResult;
use crate::report::parquet::{Row, file, read_runs};
use std::collections::BTreeMap;

/// A run in its place.
#[derive(Clone, Debug)]
pub struct Placed {
    /// Its row's label.
    pub row: String,
    /// Its column's label.
    pub column: String,
    /// The run.
    pub run: RunResult,
}

/// The runs of `page` that can be read, each with its row and column.
pub fn of_page(page: &Page) -> Result<Vec<Placed>> {
    let path = page.folder.join("runs.parquet");
    if !path.is_file() {
        return Ok(Vec::new());
    }
    let (runs, _) = read_runs(&path)?;
    let known: BTreeMap<&str, &RunResult> = runs.iter().map(|run| (run.run_id.as_str(), run)).collect();
    let frame = file::read(&path)?;
    let one = |index: usize| {
        let row = Row { frame: &frame, index };
        let run = (*known.get(row.text("run_id")?.as_str())?).clone();
        Some(Placed { row: row.text("row")?, column: row.text("column")?, run })
    };
    Ok((0..frame.height()).filter_map(one).collect())
}
