//! What was measured of every layer, as Markdown: Theorem 1's quantities, its assumptions, its two sides, and angles.

use super::grid::{Grid, escape};
use super::stats::mean;
use super::{Cell, Report};
use crate::record::{EpochDiagnostics, LayerDiagnostics, RunResult};
use sll_core::bound::Bound;
use sll_core::posterior::Affinity;

/// One of the divergences that were measured.
type Divergence = fn(&Affinity) -> f64;

/// Those for which the bound is worked out.
const DIVERGENCES: [(&str, Divergence); 2] = [("KL(q‖p)", |a| a.kl), ("-2 ln BC", |a| a.surrogate)];

/// `Theorem 1, measured`; nothing if nothing was measured.
pub fn section(report: &Report) -> Option<String> {
    let measured = |cell: &Cell| cell.sound().any(|run| !run.diagnostics.is_empty());
    let cells: Vec<(Vec<String>, &Cell)> = report
        .each()
        .filter(|(.., cell)| measured(cell))
        .map(|(row, column, cell)| (vec![escape(&report.rows[row]), escape(&report.columns[column].label)], cell))
        .collect();
    (!cells.is_empty()).then(|| {
        let axes = [escape(&report.row_axis), escape(&report.column_axis)];
        let bounds = bounds(&axes, &cells);
        let sides = if bounds.is_empty() { String::new() } else { format!("\n{bounds}\n{}\n", legend()) };
        format!("## Theorem 1, measured\n\n{}\n{}\n{sides}", layers(&axes, &cells), cost(&cells))
    })
}

/// Every layer after the last epoch, means over seeds.
fn layers(axes: &[String; 2], cells: &[(Vec<String>, &Cell)]) -> Grid {
    let header = ["layer", "ℓ = E log p(y\\|h)", "accuracy", "gain Δ", "BC", "-2 ln BC", "KL(q‖p)", "degrees from BP"];
    let mut grid = Grid::new(axes.iter().cloned().chain(header.map(String::from)));
    for (labels, cell) in cells {
        let last: Vec<&EpochDiagnostics> = cell.sound().filter_map(|run| run.diagnostics.last()).collect();
        let depth = last.iter().map(|epoch| epoch.layers.len()).max().unwrap_or(0);
        for l in 0..depth {
            let of = |value: &dyn Fn(&LayerDiagnostics) -> Option<f64>, decimals: usize| {
                let values: Vec<f64> = last.iter().filter_map(|epoch| value(epoch.layers.get(l)?)).collect();
                mean(&values).map_or("—".to_string(), |mean| format!("{mean:.decimals$}"))
            };
            let affinity = |value: fn(&Affinity) -> f64| {
                of(&move |layer| layer.posterior.and_then(|unit| unit.parent).as_ref().map(value), 4)
            };
            let gains = last.iter().filter_map(|epoch| gain(epoch, l)).collect::<Vec<_>>();
            let mut line = labels.clone();
            line.extend([
                (l + 1).to_string(),
                of(&|layer| layer.posterior.map(|unit| unit.log_likelihood), 4),
                of(&|layer| layer.posterior.map(|unit| unit.accuracy), 2),
                mean(&gains).map_or("—".to_string(), |gain| format!("{gain:.4}")),
                affinity(|a| a.coefficient),
                affinity(|a| a.surrogate),
                affinity(|a| a.kl),
                of(&|layer| layer.angle, 1),
            ]);
            grid.push(line);
        }
    }
    grid
}

/// `Δ` of the unit that ends with layer `l`.
fn gain(epoch: &EpochDiagnostics, l: usize) -> Option<f64> {
    epoch.layers.get(l)?.posterior?;
    let unit = epoch.layers[..l].iter().filter(|layer| layer.posterior.is_some()).count();
    epoch.bound(|_| 0.0)?.gains.get(unit).copied()
}

/// Both sides after the last epoch, and how often each assumption held over all epochs and seeds.
fn bounds(axes: &[String; 2], cells: &[(Vec<String>, &Cell)]) -> Grid {
    let header = ["D", "L_net", "mean of L_l", "gap", "A3 held", "A4 (the bound) held"];
    let mut grid = Grid::new(axes.iter().cloned().chain(header.map(String::from)));
    for (labels, cell) in cells {
        for (name, divergence) in DIVERGENCES {
            let of = |epoch: &EpochDiagnostics| epoch.bound(divergence).filter(|bound| bound.gains.len() > 1);
            let all: Vec<Bound> = cell.sound().flat_map(|run| &run.diagnostics).filter_map(of).collect();
            let last: Vec<Bound> = cell.sound().filter_map(|run| of(run.diagnostics.last()?)).collect();
            let held = |holds: fn(&Bound) -> bool| {
                format!("{} of {}", all.iter().filter(|bound| holds(bound)).count(), all.len())
            };
            let side = |value: fn(&Bound) -> f64| {
                mean(&last.iter().map(value).collect::<Vec<_>>()).map(|mean| format!("{mean:.4}"))
            };
            let (Some(network), Some(layers), Some(gap)) =
                (side(|b| b.network), side(|b| b.mean_of_layers), side(Bound::gap))
            else {
                continue;
            };
            let mut line = labels.clone();
            line.extend([name.into(), network, layers, gap, held(Bound::gains_hold), held(Bound::budget_holds)]);
            grid.push(line);
        }
    }
    grid
}

/// What the columns mean, and what measuring cost.
fn cost(cells: &[(Vec<String>, &Cell)]) -> String {
    let runs = || cells.iter().flat_map(|(_, cell)| cell.sound());
    let each: Vec<f64> = runs().flat_map(|run| &run.diagnostics).map(|epoch| epoch.seconds).collect();
    let training = |run: &RunResult| run.seconds / run.epochs.max(1) as f64;
    let epochs: Vec<f64> = runs().filter(|run| !run.diagnostics.is_empty()).map(training).collect();
    let (each, epoch) = (mean(&each).unwrap_or(0.0), mean(&epochs).unwrap_or(0.0));
    format!(
        "After the last epoch, means over seeds, on all evaluated images, without noise. ℓ, accuracy: of the layer's \
         own posterior, in nats a sample and percent; Δ: how much better the output's ℓ is. BC, -2 ln BC and KL(q‖p) \
         are the layer's posterior q against its parent's p, the one below. Degrees: between the rule's update of the \
         layer's weights and BP's, on the same training batches, weights and masks. Measuring took {each:.1} s an \
         epoch beside {epoch:.1} s of training and evaluation; it is in no other number."
    )
}

/// What the second table's columns mean.
fn legend() -> &'static str {
    "L_net = ℓ_L - Σ D_l, L_l = ℓ_l - D_l; layer 1 has no parent and D_1 = 0. A3: every Δ_l is 0 or more. A4: (1 - \
     1/L) Σ D_l is at most (1/L) Σ Δ_l, which is the same inequality as the theorem's, mean of L_l at most L_net. \
     Held: measurements, all epochs and seeds, the one before training included. Posteriors of fixed heads stand in \
     for the theorem's own p(y|h) and for its divergence between latents, as in the rule's objective. Of them, D is KL \
     in the theorem; the rule trains -2 ln BC, which is never more, so its bound holds more easily."
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::example;

    #[test]
    fn layers_and_both_sides_are_told_with_what_held_and_what_it_cost() {
        let text = section(&example::measured()).unwrap();
        let line = |start: &str| {
            let words = |line: &str| line.split('|').map(|word| word.trim().to_string()).collect::<Vec<_>>();
            let found = text.lines().map(words).find(|words| words.join(" ").trim().starts_with(start));
            found.unwrap_or_else(|| panic!("no line {start} in:\n{text}"))
        };
        let sll = line("SLL MNIST 2");
        assert_eq!(sll[3..11], ["2", "-0.3000", "95.00", "0.2000", "0.9500", "0.0500", "0.1000", "70.0"]);
        assert_eq!(line("BP MNIST 3")[3..11], ["3", "—", "—", "—", "—", "—", "—", "0.0"]);
        // KL: -0.1 - 0.4 against (-0.5 - 0.4 - 0.4)/3; -2 ln BC: -0.1 - 0.15 against (-0.5 - 0.35 - 0.2)/3.
        assert_eq!(line("SLL MNIST KL(q‖p)")[3..9], ["KL(q‖p)", "-0.5000", "-0.4333", "-0.0667", "4 of 4", "2 of 4"]);
        assert_eq!(line("SLL MNIST -2 ln BC")[4..9], ["-0.2500", "-0.3500", "0.1000", "4 of 4", "4 of 4"]);
        assert!(!text.contains("BP    | MNIST   | KL"), "BP has no bound:\n{text}");
        assert!(text.contains("took 0.5 s an epoch beside 4.0 s"), "{text}");
    }

    #[test]
    fn without_measurements_there_is_no_section() {
        assert_eq!(section(&example::table()), None);
    }
}
