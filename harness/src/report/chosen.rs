//! What a sweep on held-out images says of each row: its best value, how sure that is, and whether it lies at the edge
//! of what was tried, where a better one may lie beyond.

use super::grid::{Grid, escape};
use super::stats::{Aggregate, CellStats, aggregate_text};
use super::{Cell, Report};
use std::collections::HashSet;

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
    /// Columns whose accuracy is within twice the standard error of a difference, `2 √2` times `error`, of the best. It
    /// does not shrink with seeds, which see the same images.
    pub level: Vec<usize>,
    /// Which edge of the values that were run, diverged or not, the best one lies at.
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
/// see the number, or were run at one value alone, are left out, and of equal values the one that stands first is best.
pub fn all(report: &Report) -> Vec<Chosen> {
    let held_out = report.runs().all(|run| run.evaluated_on == "validation");
    match held_out && report.is_sweep() && !report.is_grid() {
        true => (0..report.rows.len()).filter_map(|row| of(report, row)).collect(),
        false => Vec::new(),
    }
}

fn of(report: &Report, row: usize) -> Option<Chosen> {
    let columns = report.columns.iter().enumerate().filter_map(|(column, planned)| {
        let cell = report.cell(row, column);
        Some((column, planned.number().filter(|_| !cell.runs.is_empty())?, cell))
    });
    choose(row, &columns.collect::<Vec<_>>())
}

/// Of `row`, from its columns that have runs, each with its number.
fn choose(row: usize, tried: &[(usize, f64, &Cell)]) -> Option<Chosen> {
    let ids: Vec<&String> = tried.iter().flat_map(|(.., cell)| cell.runs.iter().map(|run| &run.run_id)).collect();
    // The runs of a row that does not see the number are the same in every column.
    if tried.len() < 2 || ids.iter().collect::<HashSet<_>>().len() < ids.len() {
        return None;
    }
    // A value at which a run diverged was tried and is no choice.
    let sound = |cell: &Cell| Some(CellStats::of(cell)).filter(|stats| stats.diverged == 0)?.accuracy;
    let sound = tried.iter().filter_map(|(column, number, cell)| Some((*column, *number, sound(cell)?)));
    let sound: Vec<(usize, f64, Aggregate)> = sound.collect();
    let (column, number, best) = sound.iter().copied().reduce(|a, b| if b.2.mean > a.2.mean { b } else { a })?;
    let images = tried.iter().find(|(other, ..)| *other == column)?.2.runs.first()?.data.test as f64;
    let error = (best.mean * (100.0 - best.mean) / images).sqrt();
    let near = best.mean - 2.0 * 2.0f64.sqrt() * error;
    let level = sound.iter().filter(|(other, _, found)| *other != column && found.mean >= near);
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
        [&escape(&report.row_axis), &format!("best {axis}"), "accuracy", "standard error", "level with it", "edge"];
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
    use crate::experiment::{Kind, find};
    use crate::record::RunResult;
    use crate::report::example;
    use crate::report::parquet::read_labelled;
    use std::collections::BTreeMap;
    use std::path::Path;

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
        // Standard error of 90 % on 10,000: sqrt(90 * 10 / 10000) = 0.3; twice that of a difference is 0.849.
        let report = held_out([90.0, 89.2], 10_000);
        let found = all(&report);
        assert!(!found.is_empty());
        for chosen in &found {
            assert_eq!((chosen.column, chosen.edge), (0, Some(Edge::Smallest)));
            assert!((chosen.error - 0.3).abs() < 1e-9 && !chosen.level.is_empty(), "{chosen:?}");
        }
        let page = section(&report).unwrap();
        assert!(page.contains("**the smallest tried**") && page.contains("| 0.30"), "{page}");
        assert!(all(&held_out([90.0, 89.1], 10_000)).iter().all(|chosen| chosen.level.is_empty()));
    }

    /// The rates of `table` in its first column are the best ones of the committed `sweep`, or level with those, with a
    /// rate tried on either side; but for the rows `others`, which the sweep does not have.
    fn rates_are_of(table: &str, sweep: &str, others: &[&str]) {
        let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../results").join(sweep).join("short-flex");
        let table = find(table, &[Kind::Table]).unwrap();
        let usual = table.columns[0].recipe["lr"].as_float().unwrap();
        let mut cells: BTreeMap<String, Vec<(f64, Cell)>> = BTreeMap::new();
        for run in read_labelled(&page, &mut |told| panic!("{told}")).unwrap() {
            let row = cells.entry(run.row).or_default();
            row.push((run.value.unwrap(), Cell { runs: vec![run.run], ..Cell::default() }));
        }
        let mut without = Vec::new();
        for row in &table.rows {
            // The sweep calls Table 2's reference rows by their rules alone.
            let Some(found) = cells.get(row.label.trim_end_matches("-CNN")).or(cells.get(&row.label)) else {
                without.push(row.label.as_str());
                continue;
            };
            let tried: Vec<_> = found.iter().enumerate().map(|(i, (number, cell))| (i, *number, cell)).collect();
            let chosen = choose(0, &tried).unwrap();
            let rate = row.recipe.get("lr").map_or(usual, |lr| lr.as_float().unwrap());
            let at = tried.iter().position(|(_, number, _)| *number == rate).unwrap();
            let inside = tried.iter().any(|tried| tried.1 < rate) && tried.iter().any(|tried| tried.1 > rate);
            assert!(inside && (at == chosen.column || chosen.level.contains(&at)), "{}: {rate}, {chosen:?}", row.label);
        }
        assert_eq!(without, others);
    }

    #[test]
    fn rates_of_tables_are_the_sweeps_and_none_lies_at_its_edge() {
        // PEPITA's rates are those of another optimiser, and the other forms of BP have BP's.
        rates_are_of("table2", "tune_cnn", &["PEPITA"]);
        rates_are_of("rules_mlp", "tune_mlp", &["BP, checkpointed", "BP, fused update", "PEPITA", "MEMPEPITA"]);
        rates_are_of("small_cnn", "tune_small_cnn", &[]);
    }

    #[test]
    fn a_value_that_diverged_was_tried_and_is_not_chosen() {
        // Of the first row 100 is best at first; of equals the first.
        let mut report = held_out([90.0, 91.0], 10_000);
        let first = |report: &Report| all(report).into_iter().find(|chosen| chosen.row == 0).unwrap();
        assert_eq!((first(&report).column, first(&report).edge), (1, None));
        report.cells[2].runs.iter_mut().for_each(|run| run.test_accuracy = Some(92.0));
        assert_eq!((first(&report).column, first(&report).edge), (2, Some(Edge::Largest)));
        let diverged = RunResult { run_id: "2-0".into(), evaluated_on: "validation".into(), ..example::diverged(0) };
        report.cells[2].runs[0] = diverged;
        assert_eq!((first(&report).column, first(&report).edge), (1, None));
    }

    #[test]
    fn what_was_seen_on_test_images_and_rows_that_do_not_change_choose_nothing() {
        assert_eq!(section(&example::sweep()), None);
        let mut alike = held_out([90.0, 89.0], 100);
        for run in alike.cells.iter_mut().flat_map(|cell| &mut cell.runs) {
            run.run_id = run.spec.seed.to_string();
        }
        assert_eq!(section(&alike), None);
    }
}
