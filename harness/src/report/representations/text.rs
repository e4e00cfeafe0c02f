//! The layers' numbers as Markdown.

use super::{after_the_last, depth};
use crate::record::{LayerRepresentation, RunResult, WeightSpread};
use crate::report::grid::{Grid, escape};
use crate::report::stats::mean;
use crate::report::{Cell, Report};
use std::collections::BTreeSet;

/// `What layers represent` and `How weights are spread`; nothing if nothing was measured.
pub fn section(report: &Report) -> Option<String> {
    let labelled = |(row, column, cell): (usize, usize, _)| {
        (vec![escape(&report.rows[row]), escape(&report.columns[column].label)], cell)
    };
    let cells: Vec<(Vec<String>, &Cell)> = report.each().filter(|(.., cell)| depth(cell) > 0).map(labelled).collect();
    let axes = [escape(&report.row_axis), escape(&report.column_axis)];
    (!cells.is_empty()).then(|| {
        format!(
            "## What layers represent\n\n{}\n{}\n## How weights are spread\n\n{}\n- std: of all weights of the layer, \
             biases and norms left out, after the last epoch and before training. Kurtosis: 3 of a normal law, 1.8 of \
             a uniform one.\n",
            layers(&axes, &cells),
            legend(&cells),
            weights(&axes, &cells)
        )
    })
}

fn layers(axes: &[String; 2], cells: &[(Vec<String>, &Cell)]) -> Grid {
    let codes: BTreeSet<usize> = cells
        .iter()
        .flat_map(|(_, cell)| cell.sound().flat_map(|run| &run.representations))
        .flat_map(|epoch| &epoch.layers)
        .flat_map(|layer| layer.fresh.iter().map(|fresh| fresh.codes))
        .collect();
    let header = ["layer", "effective rank", "scatter of h", "of v", "nearest mean of h", "of v", "own R: mean", "max"];
    let fresh = codes.iter().map(|codes| format!("R of {codes}"));
    let mut grid = Grid::new(axes.iter().cloned().chain(header.map(String::from)).chain(fresh));
    for (labels, cell) in cells {
        for l in 0..depth(cell) {
            let of = |value: &dyn Fn(&LayerRepresentation) -> Option<f64>, decimals: usize| {
                after_the_last(cell, l, value).map_or("—".to_string(), |mean| format!("{mean:.decimals$}"))
            };
            let mut line = labels.clone();
            line.extend([
                (l + 1).to_string(),
                of(&|layer| layer.effective_rank, 1),
                of(&|layer| layer.h.scatter_ratio, 3),
                of(&|layer| layer.v.scatter_ratio, 3),
                of(&|layer| layer.h.nearest_mean, 2),
                of(&|layer| layer.v.nearest_mean, 2),
                of(&|layer| Some(layer.own_distortion?.mean), 3),
                of(&|layer| Some(layer.own_distortion?.max), 2),
            ]);
            line.extend(codes.iter().map(|codes| {
                of(&|layer| Some(layer.fresh.iter().find(|fresh| fresh.codes == *codes)?.distortion.mean), 3)
            }));
            grid.push(line);
        }
    }
    grid
}

/// What the columns are.
fn legend(cells: &[(Vec<String>, &Cell)]) -> String {
    let runs = || cells.iter().flat_map(|(_, cell)| cell.sound());
    let seconds: Vec<f64> = runs().flat_map(|run| &run.representations).map(|epoch| epoch.seconds).collect();
    format!(
        "- After the last epoch, on the first evaluated images, means over seeds. v is R h with the rule's own R; of a \
         rule without one, with a fresh Gaussian R of as many codes as there are classes.\n\
         - effective rank: exp of the entropy of the singular values of h less its mean, over their sum (Roy and \
         Vetterli 2007), 500 images. A collapsed layer has few.\n\
         - scatter: between classes over within them (traces), 2,000 images. nearest mean: percent of these whose \
         nearest class mean is their own class's, each half judged by the other's means.\n\
         - own R, R of d_o: how far squared distances of a minibatch of 128 are off under R, \
         `|‖R h_i - R h_j‖² / (g ‖h_i - h_j‖²) - 1|` with R's expected gain g; mean over pairs, and the worst pair. \
         Fresh R are `N(0, 1/d_o)`, three draws. A Gaussian R is off by √(4 / (π d_o)) in the mean, whatever h is: \
         0.36 at 10 codes, 0.036 at 1,000.\n\
         - Measuring took {:.1} s an epoch beside training.\n",
        mean(&seconds).unwrap_or(0.0)
    )
}

fn weights(axes: &[String; 2], cells: &[(Vec<String>, &Cell)]) -> Grid {
    let header = ["layer", "std", "std before", "kurtosis"];
    let mut grid = Grid::new(axes.iter().cloned().chain(header.map(String::from)));
    for (labels, cell) in cells {
        let spreads = |run: &RunResult| run.picture.as_ref().map_or(Vec::new(), |picture| picture.weights.clone());
        let all: Vec<Vec<WeightSpread>> = cell.sound().map(spreads).collect();
        for l in 0..all.iter().map(Vec::len).max().unwrap_or(0) {
            let of = |value: fn(&WeightSpread) -> f64, decimals: usize| {
                let values: Vec<f64> = all.iter().filter_map(|run| run.get(l).map(value)).collect();
                mean(&values).map_or("—".to_string(), |mean| format!("{mean:.decimals$}"))
            };
            let numbers = [of(|w| w.std, 4), of(|w| w.initial_std, 4), of(|w| w.kurtosis, 2)];
            grid.push(labels.iter().cloned().chain([(l + 1).to_string()]).chain(numbers).collect());
        }
    }
    grid
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::example;

    #[test]
    fn every_layer_has_its_numbers_and_dashes_where_there_are_none() {
        let text = section(&example::represented()).unwrap();
        let line = |start: &str| -> Vec<String> {
            let found = text.lines().find(|line| line.replace(' ', "").starts_with(&start.replace(' ', ""))).unwrap();
            found.trim_matches('|').split('|').map(|cell| cell.trim().to_string()).collect()
        };
        let numbers = ["2", "30.0", "0.400", "0.500", "90.00", "80.00"];
        assert_eq!(line("| SLL | MNIST | 2 |")[2..8], numbers);
        assert_eq!(line("| SLL | MNIST | 2 |")[8..], ["0.300", "0.90", "0.360", "0.040"]);
        assert_eq!(line("| BP | MNIST | 1 |")[8..], ["—", "—", "0.360", "0.040"]);
        assert!(text.contains("R of 10 ") && text.contains("R of 1000 "), "{text}");
        assert!(text.contains("Measuring took 0.5 s"), "{text}");
        let weights = text.split("## How weights").nth(1).unwrap();
        let line = weights.lines().find(|line| line.contains("SLL")).unwrap();
        assert!(["0.0500", "0.0200", "4.50"].iter().all(|number| line.contains(number)), "{line}");
    }

    #[test]
    fn without_measurements_there_is_no_section() {
        assert_eq!(section(&example::table()), None);
    }
}
