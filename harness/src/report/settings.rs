//! The settings of a figure's runs, in its subtitle.

use super::{Cell, Report};
use crate::record::RunResult;
use crate::record::facts::{self, Fact};
use crate::units::counted;

/// A row of a figure with its runs.
pub type RowRuns<'a> = (&'a str, Vec<&'a RunResult>);

/// The rows of `report` with those of their runs that `cells` have and that did not diverge.
pub fn rows<'a>(report: &'a Report, cells: &[&'a Cell]) -> Vec<RowRuns<'a>> {
    let row = |(index, label): (usize, &'a String)| {
        let own = (0..report.columns.len()).map(|column| report.cell(index, column));
        let drawn = own.filter(|cell| cells.iter().any(|other| std::ptr::eq(*other, *cell)));
        (label.as_str(), drawn.flat_map(Cell::sound).collect::<Vec<_>>())
    };
    report.rows.iter().enumerate().map(row).filter(|(_, runs)| !runs.is_empty()).collect()
}

/// Network, recipe, epochs, n and device of the runs of `rows`. What more than half of them have stands for all; a row
/// that has something else says so, and what varies within rows is left out.
pub fn in_words(rows: &[RowRuns]) -> String {
    let runs: Vec<&RunResult> = rows.iter().flat_map(|(_, runs)| runs.iter().copied()).collect();
    let network = usual(&runs, |run| facts::network(&run.spec.network));
    let recipe = usual(&runs, |run| facts::recipe(&run.spec.recipe));
    let words = |facts: &[Option<Fact>]| facts::in_words(&facts.iter().flatten().cloned().collect::<Vec<_>>());
    let usually = [network.clone(), recipe.clone()].concat();
    let exceptions: Vec<String> = rows.iter().filter_map(|row| otherwise(row, &usually)).collect();
    let exceptions = if exceptions.is_empty() { String::new() } else { format!(" ({})", exceptions.join("; ")) };
    let epochs = counted(runs.iter().map(|run| run.epochs), "epoch");
    let device = super::distinct(runs, |run| run.provenance.device.to_string());
    let parts = [words(&network), words(&recipe) + &exceptions, epochs, device];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" · ")
}

/// Each fact as more than half of `runs` have it.
fn usual(runs: &[&RunResult], facts: impl Fn(&RunResult) -> Vec<Fact>) -> Vec<Option<Fact>> {
    let all: Vec<Vec<Fact>> = runs.iter().map(|run| facts(run)).collect();
    let one = |index: usize| {
        let often = |fact: &Fact| all.iter().filter(|other| other[index] == *fact).count();
        all.iter().map(|facts| &facts[index]).find(|fact| 2 * often(fact) > all.len()).cloned()
    };
    (0..all.first().map_or(0, Vec::len)).map(one).collect()
}

/// What all runs of a row have and most other runs do not; nothing where there is nothing to say.
fn otherwise((label, runs): &RowRuns, usually: &[Option<Fact>]) -> Option<String> {
    let own = usual(runs, |run| facts::all(&run.spec));
    let everywhere = |fact: &Fact, index: usize| runs.iter().all(|run| facts::all(&run.spec)[index] == *fact);
    let words: Vec<String> = own
        .into_iter()
        .zip(usually)
        .enumerate()
        .filter_map(|(index, (own, usual))| Some((index, own?, usual.as_ref()?)))
        .filter(|(index, own, usual)| own != *usual && everywhere(own, *index))
        .filter_map(|(_, own, _)| own.words)
        .collect();
    (!words.is_empty()).then(|| format!("{label}: {}", words.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::example;

    #[test]
    fn what_most_runs_have_stands_once_and_what_a_row_has_otherwise_beside_it() {
        let usual = [example::run(0, 98.0), example::run(1, 98.0)];
        let mut other = example::run(0, 97.0);
        (other.spec.recipe.lr, other.epochs) = (0.5, 5);
        let rows = [("BP", usual.iter().collect()), ("TP", vec![&other])];
        let expected = "mlp-2x800, dropout 0.2 · adamax, lr 0.001, batch 128, flip (TP: lr 0.5) · 3 to 5 epochs · flex";
        assert_eq!(in_words(&rows), expected);
    }

    #[test]
    fn what_varies_within_rows_is_left_out() {
        let widths = [50, 100, 200].map(|width| {
            let mut run = example::run(0, 98.0);
            run.spec.network.width = Some(width);
            run
        });
        let rows = [("BP", widths.iter().collect())];
        assert_eq!(in_words(&rows), "mlp-2x800, dropout 0.2 · adamax, lr 0.001, batch 128, flip · 3 epochs · flex");
    }
}
