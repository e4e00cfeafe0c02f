//! What a sweep on held-out images says of each row: its best value, how sure that is, and whether it lies at the edge
//! of what was tried, where a better one may lie beyond.

use super::Report;
use super::grid::{Grid, escape};
use super::stats::{Aggregate, CellStats, aggregate_text};
use crate::experiment::PlannedColumn;

/// A row's accuracies over the swept values.
#[derive(Clone, Debug, PartialEq)]
pub struct Chosen {
    /// Index of the row.
    pub row: usize,
    /// Index of the column with its best mean.
    pub column: usize,
    /// Its accuracy there.
    pub best: Aggregate,
    /// The standard error of one accuracy `a` in percent on `N` images, `√(a (100 - a) / N)`, in points.
    pub error: f64,
    /// Columns whose accuracy is within twice the standard error of a difference, `√2` times that, of the best.
    pub level: Vec<usize>,
    /// Which edge of the values that have runs the best one lies at.
    pub edge: Option<Edge>,
}

/// An edge of what was tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edge {
    /// The smallest value.
    Smallest,
    /// The largest.
    Largest,
}

/// Of each row of a sweep over one number whose runs were all evaluated on held-out training images; rows that do not
/// see the number, or were run at one value alone, are left out.
pub fn all(report: &Report) -> Vec<Chosen> {
    let held_out = report.runs().all(|run| run.evaluated_on == "validation");
    match held_out && report.is_sweep() && !report.is_grid() {
        true => (0..report.rows.len()).filter_map(|row| of(report, row)).collect(),
        false => Vec::new(),
    }
}

fn of(report: &Report, row: usize) -> Option<Chosen> {
    let tried = report.columns.iter().map(PlannedColumn::number).enumerate();
    let tried: Vec<(usize, f64, Aggregate)> = tried
        .filter_map(|(column, number)| Some((column, number?, CellStats::of(report.cell(row, column)).accuracy?)))
        .collect();
    let ids = tried.iter().flat_map(|(column, ..)| report.cell(row, *column).runs.iter().map(|run| &run.run_id));
    let distinct = ids.collect::<std::collections::HashSet<_>>().len();
    if tried.len() < 2 || distinct < tried.len() {
        return None;
    }
    let &(column, number, best) = tried.iter().max_by(|a, b| a.2.mean.total_cmp(&b.2.mean))?;
    let images = report.cell(row, column).runs.first()?.data.test as f64;
    let error = (best.mean * (100.0 - best.mean) / images).sqrt();
    let near = 2.0 * error * (2.0 / best.n as f64).sqrt();
    let level = tried.iter().filter(|(other, _, found)| *other != column && found.mean >= best.mean - near);
    let level = level.map(|(column, ..)| *column).collect();
    let bounds = tried.iter().fold((f64::MAX, f64::MIN), |(low, high), (_, n, _)| (low.min(*n), high.max(*n)));
    let edge = match number {
        n if n <= bounds.0 => Some(Edge::Smallest),
        n if n >= bounds.1 => Some(Edge::Largest),
        _ => None,
    };
    Some(Chosen { row, column, best, error, level, edge })
}

/// As a section of the page; nothing where nothing was chosen.
pub(super) fn section(report: &Report) -> Option<String> {
    let found = all(report);
    if found.is_empty() {
        return None;
    }
    let axis = escape(&report.column_axis);
    let header =
        [&escape(&report.row_axis), &format!("best {axis}"), "accuracy", "standard error", "level with it", ""];
    let mut grid = Grid::new(header.map(String::from));
    for chosen in &found {
        let label = |column: &usize| escape(&report.columns[*column].label);
        let level: Vec<String> = chosen.level.iter().map(label).collect();
        let edge = match chosen.edge {
            Some(Edge::Smallest) => "**the smallest tried**",
            Some(Edge::Largest) => "**the largest tried**",
            None => "",
        };
        grid.push(vec![
            escape(&report.rows[chosen.row]),
            label(&chosen.column),
            aggregate_text(chosen.best, 2),
            format!("{:.2}", chosen.error),
            if level.is_empty() { "—".into() } else { level.join(", ") },
            edge.into(),
        ]);
    }
    Some(format!(
        "## What held-out images prefer\n\n{grid}\nThe standard error is that of one run's accuracy a on N images, √(a \
         (100 − a) / N). Level are values within two standard errors of a difference. Beyond a best value at the edge \
         of what was tried a better one may lie.\n"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::example;

    fn held_out(accuracies: [f64; 2], images: usize) -> Report {
        let mut report = example::sweep();
        let columns = report.columns.len();
        for (index, cell) in report.cells.iter_mut().enumerate() {
            for run in &mut cell.runs {
                run.evaluated_on = "validation".into();
                run.data.test = images;
                run.run_id = format!("{index}-{}", run.spec.seed);
                run.test_accuracy = Some(accuracies[(index % columns).min(1)]);
            }
        }
        report
    }

    #[test]
    fn the_best_value_its_equals_and_its_place_are_told() {
        // Standard error of 90 % on 10,000: sqrt(90 * 10 / 10000) = 0.3; of a difference of means of two 0.3.
        let report = held_out([90.0, 89.5], 10_000);
        let found = all(&report);
        assert!(!found.is_empty());
        for chosen in &found {
            assert_eq!((chosen.column, chosen.edge), (0, Some(Edge::Smallest)));
            assert!((chosen.error - 0.3).abs() < 1e-9 && !chosen.level.is_empty(), "{chosen:?}");
        }
        assert!(all(&held_out([90.0, 88.0], 10_000)).iter().all(|chosen| chosen.level.is_empty()));
        let page = section(&report).unwrap();
        assert!(page.contains("**the smallest tried**") && page.contains("| 0.30"), "{page}");
    }

    #[test]
    fn what_was_seen_on_test_images_and_rows_that_do_not_change_choose_nothing() {
        assert_eq!(section(&example::sweep()), None);
        let mut alike = held_out([90.0, 89.0], 100);
        alike.cells.iter_mut().flat_map(|cell| &mut cell.runs).for_each(|run| run.run_id = "one".into());
        assert_eq!(section(&alike), None);
    }
}
