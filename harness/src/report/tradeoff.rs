//! What a sweep's accuracy costs: against multiply-accumulates and against measured seconds, where the swept number
//! changes the work of a step.

use super::axis::round_ticks;
use super::labels::subtitle;
use super::labels::{remark, remarks, spread, y_label};
use super::picture::{Line, Plot, Point, Scale, Spread, Stroke};
use super::stats::{Aggregate, CellStats, mean};
use super::{Cell, Report};
use crate::record::RunResult;

/// `macs` and `seconds` of a sweep; nothing of a table, or where no row does three
/// kinds of work.
pub fn plots(report: &Report) -> Vec<(String, Plot)> {
    let works = |row: usize| {
        let runs = (0..report.columns.len()).flat_map(move |column| report.cell(row, column).sound());
        let mut works: Vec<u64> = runs.map(|run| run.macs.total()).collect();
        works.dedup();
        works.len()
    };
    if !report.is_sweep() || (0..report.rows.len()).all(|row| works(row) < 3) {
        return Vec::new();
    }
    let macs = |run: &RunResult| run.macs.total() as f64 / 1e6;
    let seconds = "seconds of a run, evaluation included (they vary with what else the machine does)";
    [
        ("macs", "million multiply-accumulates a sample and step", &macs as &dyn Fn(&RunResult) -> f64),
        ("seconds", seconds, &|run: &RunResult| run.seconds),
    ]
    .into_iter()
    .map(|(what, label, cost)| (what.to_string(), plot(report, label, cost)))
    .collect()
}

fn plot(report: &Report, x_label: &str, cost: &dyn Fn(&RunResult) -> f64) -> Plot {
    let drawn: Vec<&Cell> = report.cells.iter().filter(|cell| cell.sound().next().is_some()).collect();
    let rows = report.strokes().into_iter().enumerate();
    let series: Vec<Line> = rows.filter_map(|(row, stroke)| line(report, row, stroke, &drawn, cost)).collect();
    let places = || series.iter().flat_map(|line| &line.points).map(|point| point.x);
    let (low, high) = (places().fold(f64::INFINITY, f64::min), places().fold(f64::NEG_INFINITY, f64::max));
    Plot {
        title: report.title.clone(),
        subtitle: subtitle(report, &drawn),
        x_label: x_label.into(),
        y_label: y_label(&drawn),
        y_remark: remarks(
            [format!("beside the points: {}", report.column_axis), spread(&drawn, "bars: ± standard deviation")],
            "; ",
        ),
        ticks: round_ticks(low, high, 9),
        scale: Scale::Percent,
        spread: Spread::Bars,
        series,
        ..Plot::default()
    }
}

/// A row's cells in the sweep's order, each tagged with its value. A reference row, whose cells are one and the same
/// run, is one point without a tag.
fn line(
    report: &Report,
    row: usize,
    stroke: Stroke,
    drawn: &[&Cell],
    cost: &dyn Fn(&RunResult) -> f64,
) -> Option<Line> {
    let cells: Vec<&Cell> = (0..report.columns.len()).map(|column| report.cell(row, column)).collect();
    let id = |cell: &Cell| cell.runs.first().map(|run| run.run_id.clone());
    let one = cells.iter().all(|cell| id(cell) == id(cells[0]));
    let used = if one { 1 } else { cells.len() };
    let (mut points, mut tags) = (Vec::new(), Vec::new());
    for (cell, column) in cells[..used].iter().zip(&report.columns) {
        let costs: Vec<f64> = cell.sound().map(cost).collect();
        let (Some(Aggregate { mean: y, std, .. }), Some(x)) = (CellStats::of(cell).accuracy, mean(&costs)) else {
            continue;
        };
        let std = std.unwrap_or(0.0);
        points.push(Point { x, y, low: y - std, high: y + std });
        tags.extend((!one).then(|| column.label.clone()));
    }
    (!points.is_empty()).then(|| Line { tags, ..Line::new(stroke, &report.rows[row], remark(&cells, drawn), points) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::example;

    #[test]
    fn a_sweep_that_changes_the_work_is_drawn_against_it() {
        let mut report = example::sweep();
        assert!(plots(&report).is_empty(), "every run of the example does the same work");
        for (i, cell) in report.cells[..3].iter_mut().enumerate() {
            for (seed, run) in cell.runs.iter_mut().enumerate() {
                (run.macs.rule, run.seconds) = (i as u64 * 1_000_000, 10.0 + i as f64 + seed as f64);
                run.run_id = format!("{i}-{seed}");
            }
        }
        let drawn = plots(&report);
        assert_eq!(drawn.iter().map(|d| d.0.as_str()).collect::<Vec<_>>(), ["macs", "seconds"]);
        let [macs, seconds] = [0, 1].map(|i: usize| &drawn[i].1.series);
        let places = |line: &Line| line.points.iter().map(|p| (p.x * 10.0).round() / 10.0).collect::<Vec<_>>();
        assert_eq!(places(&macs[0]), [3.2, 4.2, 5.2]);
        assert_eq!(places(&seconds[0]), [10.5, 11.5, 12.5]);
        assert_eq!(macs[0].tags, ["1", "10", "100"]);
        assert_eq!((macs[0].points[0].y, macs[1].points.len()), (90.5, 2));
        let svg = drawn[0].1.svg().unwrap();
        assert!(svg.contains("multiply-accumulates") && svg.contains("beside the points: projection size"), "{svg}");
    }

    #[test]
    fn a_reference_row_is_one_point_and_a_table_has_none() {
        let mut report = example::sweep();
        let same = report.cells[3].runs.clone();
        report.cells[3..].iter_mut().for_each(|cell| cell.runs = same.clone());
        (0..2).for_each(|i| report.cells[i].runs[0].macs.rule = 5_000_000 + i as u64);
        report.cells[1].runs[0].run_id = "another".into();
        let drawn = plots(&report);
        assert_eq!((drawn[0].1.series[1].points.len(), drawn[0].1.series[1].tags.len()), (1, 0));
        assert!(plots(&example::table()).is_empty());
    }
}
