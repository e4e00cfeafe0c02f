//! Accuracy over two swept parameters: a map for each row, all with one scale of colours.

use super::labels::{n_text, remarks, spread, subtitle, y_label};
use super::picture::canvas::{Anchor, Canvas};
use super::picture::colour::{Colour, GREY, INK, WHITE};
use super::picture::frame::Frame;
use super::picture::{Heading, LABEL, MARGIN, SUBTITLE, TITLE, save};
use super::stats::CellStats;
use super::{Cell, Report};
use crate::error::Result;
use crate::experiment::shown;
use std::path::{Path, PathBuf};

/// Pixels: a panel, what its labels take at the left and below.
const PANEL: (f64, f64) = (400.0, 320.0);
const LEFT: f64 = 90.0;
const BELOW: f64 = 60.0;
const ABOVE: f64 = 30.0;
/// Panels side by side.
const ACROSS: usize = 3;
/// The ends of the scale: light for the least, dark for the most.
const ENDS: [Colour; 2] = [Colour(237, 243, 250), Colour(0, 82, 135)];

/// What stands at a pair of values.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Value {
    /// The mean of its runs.
    Mean(f64),
    /// All of its runs diverged.
    Diverged,
    /// It has not been run.
    Nothing,
}

impl Value {
    fn of(cell: &Cell) -> Self {
        match CellStats::of(cell) {
            CellStats { accuracy: Some(accuracy), .. } => Value::Mean(accuracy.mean),
            CellStats { diverged: 0, .. } => Value::Nothing,
            _ => Value::Diverged,
        }
    }

    fn mean(self) -> Option<f64> {
        if let Value::Mean(mean) = self { Some(mean) } else { None }
    }

    fn text(self) -> String {
        match self {
            Value::Mean(mean) => format!("{mean:.1}"),
            Value::Diverged => "div.".into(),
            Value::Nothing => "—".into(),
        }
    }
}

/// Maps side by side.
struct Maps {
    /// Over them.
    head: Heading,
    /// First and second parameter.
    labels: [String; 2],
    ticks: [Vec<String>; 2],
    /// A row of the report with the value at each pair, the second parameter fastest.
    panels: Vec<(String, Vec<Value>)>,
}

/// Writes `grid` of a report over two parameters, as SVG and as PNG, and says where they are; nothing of another, or
/// without runs.
pub fn write(report: &Report, dir: &Path) -> Result<Vec<PathBuf>> {
    Maps::of(report).map_or(Ok(Vec::new()), |maps| save(&maps.svg(), dir, "grid"))
}

impl Maps {
    fn of(report: &Report) -> Option<Self> {
        let [first, second] = report.swept.as_slice() else { return None };
        let drawn: Vec<&Cell> = report.cells.iter().filter(|cell| cell.sound().next().is_some()).collect();
        let panel = |row: usize| {
            let cells: Vec<&Cell> = (0..report.columns.len()).map(|column| report.cell(row, column)).collect();
            let values: Vec<Value> = cells.iter().map(|cell| Value::of(cell)).collect();
            let label = format!("{} ({})", report.rows[row], n_text(&cells));
            values.iter().any(|value| value.mean().is_some()).then_some((label, values))
        };
        let panels: Vec<_> = (0..report.rows.len()).filter_map(panel).collect();
        let width = PANEL.0 * panels.len().min(ACROSS) as f64;
        let parts = [
            (report.title.clone(), TITLE),
            (subtitle(report, &drawn), SUBTITLE),
            (remarks([y_label(&drawn), spread(&drawn, "mean over seeds")], "; "), SUBTITLE),
        ];
        (!panels.is_empty()).then(|| Self {
            head: Heading::new(parts, width),
            labels: [first, second].map(|parameter| parameter.label.clone()),
            ticks: [first, second].map(|parameter| parameter.values.iter().map(shown).collect()),
            panels,
        })
    }

    fn svg(&self) -> String {
        let across = self.panels.len().min(ACROSS);
        let down = self.panels.len().div_ceil(across);
        let head = self.head.bottom();
        let mut canvas = Canvas::new(PANEL.0 * across as f64, head + PANEL.1 * down as f64);
        self.head.draw(&mut canvas);
        for (index, panel) in self.panels.iter().enumerate() {
            let corner = (PANEL.0 * (index % across) as f64, head + PANEL.1 * (index / across) as f64);
            self.panel(&mut canvas, corner, panel);
        }
        canvas.finish()
    }

    fn panel(&self, canvas: &mut Canvas, (left, top): (f64, f64), (label, values): &(String, Vec<Value>)) {
        let [rows, columns] = &self.ticks;
        let cell = (
            (PANEL.0 - LEFT - MARGIN) / columns.len().max(1) as f64,
            (PANEL.1 - ABOVE - BELOW) / rows.len().max(1) as f64,
        );
        let at = |column: f64, row: f64| (left + LEFT + column * cell.0, top + ABOVE + row * cell.1);
        let (low, high) = self.range();
        let middle = columns.len() as f64 / 2.0;
        canvas.text((at(middle, 0.0).0, top + ABOVE / 2.0), label, LABEL, INK, Anchor::Middle);
        for (index, value) in values.iter().enumerate() {
            let (row, column) = ((index / columns.len()) as f64, (index % columns.len()) as f64);
            let ((x, y), (right, bottom)) = (at(column, row), at(column + 1.0, row + 1.0));
            let share = value.mean().map(|value| if high > low { (value - low) / (high - low) } else { 1.0 });
            let fill = share.map_or(WHITE, |share| ENDS[0].mixed(ENDS[1], share));
            canvas.cell(Frame { left: x, top: y, right, bottom }, fill, GREY.lighter(0.5));
            let ink = if share.is_some_and(|share| share > 0.5) { WHITE } else { INK };
            canvas.text((x + cell.0 / 2.0, y + cell.1 / 2.0), &value.text(), LABEL, ink, Anchor::Middle);
        }
        for (row, tick) in rows.iter().enumerate() {
            canvas.text((left + LEFT - 6.0, at(0.0, row as f64 + 0.5).1), tick, LABEL, INK, Anchor::End);
        }
        let bottom = at(0.0, rows.len() as f64).1;
        for (column, tick) in columns.iter().enumerate() {
            canvas.text((at(column as f64 + 0.5, 0.0).0, bottom + 12.0), tick, LABEL, INK, Anchor::Middle);
        }
        let axes = format!("down: {}; across: {}", self.labels[0], self.labels[1]);
        canvas.text((left + PANEL.0 / 2.0, bottom + 36.0), &axes, LABEL, INK, Anchor::Middle);
    }

    fn range(&self) -> (f64, f64) {
        let values = || self.panels.iter().flat_map(|(_, values)| values).filter_map(|value| value.mean());
        (values().fold(f64::INFINITY, f64::min), values().fold(f64::NEG_INFINITY, f64::max))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::example;

    #[test]
    fn every_pair_of_values_has_its_number_in_its_rows_map() {
        let dir = tempfile::tempdir().unwrap();
        let paths = write(&example::grid(), dir.path()).unwrap();
        let svg = std::fs::read_to_string(&paths[0]).unwrap();
        assert!(paths[1].ends_with("grid.png") && paths[1].exists());
        for part in ["SLL (n=1)", "alignment", "projection", "fan_in", "90.0", "95.0", "—"] {
            assert!(svg.contains(part), "no {part:?} in {svg}");
        }
        assert_eq!(svg.matches("SLL (n=1)").count(), 1, "a row without runs has no map");
    }

    #[test]
    fn other_reports_have_none() {
        let dir = tempfile::tempdir().unwrap();
        assert!(write(&example::table(), dir.path()).unwrap().is_empty());
        assert!(write(&example::sweep(), dir.path()).unwrap().is_empty());
    }

    #[test]
    fn the_least_value_is_light_and_the_most_dark() {
        let dir = tempfile::tempdir().unwrap();
        let svg = std::fs::read_to_string(&write(&example::grid(), dir.path()).unwrap()[0]).unwrap();
        ENDS.iter().for_each(|end| assert_eq!(svg.matches(&end.to_string()).count(), 1, "{end} in {svg}"));
    }
}
