//! What hidden layers represent, of runs that measured it: a table (`text.rs`), curves over epochs, distortion against
//! codes and distributions of weights (`plots.rs`), and the layers' images and kernels (`sheets.rs`: Figures 3 and 5).

mod plots;
mod sheets;
mod text;

pub use plots::plots;
pub use sheets::sheets;
pub use text::section;

use super::stats::mean;
use super::{Cell, labels};
use crate::record::{LayerRepresentation, RunResult};

/// Hidden layers of the networks in a cell.
fn depth(cell: &Cell) -> usize {
    cell.sound().flat_map(|run| &run.representations).map(|epoch| epoch.layers.len()).max().unwrap_or(0)
}

/// A hidden layer after the last epoch.
fn last(run: &RunResult, layer: usize) -> Option<&LayerRepresentation> {
    run.representations.last()?.layers.get(layer)
}

/// The mean over seeds of what `value` says of a hidden layer after the last epoch.
fn after_the_last(cell: &Cell, layer: usize, value: &dyn Fn(&LayerRepresentation) -> Option<f64>) -> Option<f64> {
    mean(&cell.sound().filter_map(|run| value(last(run, layer)?)).collect::<Vec<_>>())
}

/// A figure's name: the column's, and what it shows.
fn named(column: &str, what: &str) -> String {
    format!("{}-{what}", labels::file_name(column))
}
