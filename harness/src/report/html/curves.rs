//! Learning curves for the browser to draw: every run's, with the strokes of all other figures.

use super::pages::Page;
use crate::report::curves::{CurveRow, LONG, WARM};
use crate::report::parquet::LabelledRun;
use crate::report::picture::strokes;
use serde::Serialize;

/// All that the browser draws from.
#[derive(Clone, Debug, Serialize)]
pub struct Drawing {
    warm: Warm,
    curves: Vec<Curves>,
}

/// Which epochs decide no axis.
#[derive(Clone, Debug, Serialize)]
struct Warm {
    share: f64,
    epochs: usize,
}

impl Drawing {
    /// Of `curves`.
    pub fn of(curves: Vec<Curves>) -> Self {
        Self { warm: Warm { share: WARM, epochs: LONG }, curves }
    }
}

/// The curves of one page.
#[derive(Clone, Debug, Serialize)]
pub struct Curves {
    id: String,
    name: String,
    sets: Vec<Set>,
}

/// Those of one column of it.
#[derive(Clone, Debug, Serialize)]
struct Set {
    label: String,
    /// `test` or `validation`.
    evaluated: String,
    lines: Vec<Line>,
}

/// Those of one cell.
#[derive(Clone, Debug, Serialize)]
struct Line {
    label: String,
    colour: String,
    /// As SVG has it.
    dash: String,
    runs: Vec<Run>,
}

/// A run, epoch by epoch.
#[derive(Clone, Debug, Serialize)]
struct Run {
    #[serde(skip)]
    id: String,
    seed: u64,
    diverged: bool,
    epoch: Vec<usize>,
    accuracy: Vec<f64>,
    loss: Vec<f64>,
    seconds: Vec<f64>,
}

/// The curves of `page`, whose runs are `runs`; nothing where none has one. They are read from the runs' records, since
/// the `curves.parquet` of pages of before names no rules.
pub fn of_page(page: &Page, runs: &[LabelledRun]) -> Option<Curves> {
    let rows: Vec<CurveRow> = runs
        .iter()
        .flat_map(|placed| CurveRow::of_run(&page.experiment, &placed.row, &placed.column, &placed.run))
        .collect();
    if rows.is_empty() {
        return None;
    }
    let mut labels: Vec<(&str, &CurveRow)> = Vec::new();
    for row in &rows {
        if !labels.iter().any(|(label, _)| *label == row.row) {
            labels.push((&row.row, row));
        }
    }
    let looks = strokes(labels.iter().map(|(_, row)| (row.rule.as_str(), row.title.as_str())));
    let mut sets: Vec<Set> = Vec::new();
    for row in &rows {
        let label = if row.column.eq_ignore_ascii_case(&row.dataset) {
            row.column.clone()
        } else {
            format!("{}, {}", row.dataset, row.column)
        };
        let place = labels.iter().position(|(label, _)| *label == row.row).expect("every label is there");
        let set = found(
            &mut sets,
            |set| set.label == label,
            || Set { label: label.clone(), evaluated: row.evaluated_on.clone(), lines: Vec::new() },
        );
        let line = found(
            &mut set.lines,
            |line| line.label == row.row,
            || Line {
                label: row.row.clone(),
                colour: looks[place].colour.to_string(),
                dash: looks[place].dash.pattern().map_or(String::new(), |pattern| {
                    pattern.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
                }),
                runs: Vec::new(),
            },
        );
        let run = found(
            &mut line.runs,
            |run| run.id == row.run_id,
            || Run {
                id: row.run_id.clone(),
                seed: row.seed,
                diverged: row.diverged,
                epoch: Vec::new(),
                accuracy: Vec::new(),
                loss: Vec::new(),
                seconds: Vec::new(),
            },
        );
        run.epoch.push(row.point.epoch);
        run.accuracy.push(rounded(row.point.test_accuracy));
        run.loss.push(rounded(row.point.train_loss));
        run.seconds.push(rounded(row.point.seconds));
    }
    let shelf = page.shelf.map_or(String::new(), |shelf| format!(" ({shelf})"));
    Some(Curves { id: page.id.clone(), name: format!("{}/{}{shelf}", page.experiment, page.variant), sets })
}

/// Five digits, which is more than a picture shows.
fn rounded(value: f64) -> f64 {
    format!("{value:.4e}").parse().expect("a number")
}

/// The one that `is` it, made where there is none.
fn found<T>(items: &mut Vec<T>, is: impl Fn(&T) -> bool, make: impl FnOnce() -> T) -> &mut T {
    let index = items.iter().position(is).unwrap_or_else(|| {
        items.push(make());
        items.len() - 1
    });
    &mut items[index]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::place::About;
    use crate::report::{Report, example, parquet, picture};
    use crate::spec::Request;

    fn page(folder: &std::path::Path) -> Page {
        Page {
            id: "table1-quick-flex".into(),
            shelf: Some("quick"),
            experiment: "table1".into(),
            variant: "quick-flex".into(),
            folder: folder.to_path_buf(),
            about: About::default(),
        }
    }

    fn drawn(report: &Report) -> Option<Curves> {
        let folder = tempfile::tempdir().unwrap();
        parquet::write(report, folder.path()).unwrap();
        let page = page(folder.path());
        of_page(&page, &parquet::read_labelled(&page.folder, &mut |told| panic!("{told}")).unwrap())
    }

    #[test]
    fn every_run_of_a_cell_is_a_line_in_the_rules_own_stroke() {
        let mut report = example::table();
        // A run of its own, as a run that diverged is.
        let diverged = &mut report.cells[1].runs[2];
        diverged.spec.seed = 7;
        diverged.run_id = diverged.spec.id();
        let curves = drawn(&report).unwrap();
        assert_eq!(curves.name, "table1/quick-flex (quick)");
        let lines = &curves.sets[0].lines;
        assert_eq!((lines.len(), lines[0].runs.len(), lines[0].runs[0].epoch.len()), (1, 3, 3));
        assert_eq!(lines[0].colour, picture::of_rule("bp").colour.to_string());
        let diverged: usize =
            curves.sets.iter().flat_map(|s| &s.lines).flat_map(|l| &l.runs).filter(|r| r.diverged).count();
        assert_eq!(diverged, 1);
        assert_eq!((rounded(98.123_456), rounded(0.000_123_456)), (98.123, 0.000_123_46));
    }

    #[test]
    fn a_page_without_runs_has_none() {
        let mut bare = example::table();
        bare.cells.iter_mut().for_each(|cell| cell.runs.clear());
        assert!(drawn(&bare).is_none());
    }
}
