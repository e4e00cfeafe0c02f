//! Accuracy over two swept parameters: a map for each row, all with one scale of colours.

use super::labels::{n_text, title, y_label};
use super::stats::CellStats;
use super::{Cell, Report, distinct};
use crate::atomic::write_atomically;
use crate::error::{Error, Result};
use crate::experiment::shown;
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use std::path::{Path, PathBuf};

/// Pixels: a panel, what its labels take at the left and below, and the title.
const PANEL: (u32, u32) = (400, 320);
const LEFT: i32 = 90;
const BELOW: i32 = 60;
const ABOVE: i32 = 30;
const TITLE: u32 = 40;
/// The ends of the scale: light for the least, dark for the most.
const ENDS: [RGBColor; 2] = [RGBColor(237, 243, 250), RGBColor(0, 82, 135)];

/// Maps side by side.
struct Maps {
    title: String,
    /// First and second parameter.
    labels: [String; 2],
    ticks: [Vec<String>; 2],
    /// A row of the report with the value at each pair, the second parameter fastest.
    panels: Vec<(String, Vec<Option<f64>>)>,
}

/// Writes `grid.svg` of a report over two parameters and says where it is; nothing of another, or without runs.
pub fn write(report: &Report, dir: &Path) -> Result<Option<PathBuf>> {
    let Some(maps) = Maps::of(report) else { return Ok(None) };
    let path = dir.join("grid.svg");
    let svg = maps.svg().map_err(|e| Error::Failed(format!("cannot draw {}: {e}", path.display())))?;
    write_atomically(&path, svg.as_bytes())?;
    Ok(Some(path))
}

impl Maps {
    fn of(report: &Report) -> Option<Self> {
        let [first, second] = report.swept.as_slice() else { return None };
        let drawn: Vec<&Cell> = report.cells.iter().filter(|cell| cell.sound().next().is_some()).collect();
        let data = distinct(drawn.iter().flat_map(|cell| cell.sound()), |run| run.data.name.clone());
        let value = |cell: &Cell| CellStats::of(cell).accuracy.map(|accuracy| accuracy.mean);
        let panel = |row: usize| {
            let cells: Vec<&Cell> = (0..report.columns.len()).map(|column| report.cell(row, column)).collect();
            let values: Vec<Option<f64>> = cells.iter().map(|cell| value(cell)).collect();
            let label = format!("{} ({})", report.rows[row], n_text(&cells));
            values.iter().any(Option::is_some).then_some((label, values))
        };
        let panels: Vec<_> = (0..report.rows.len()).filter_map(panel).collect();
        let what = y_label(&drawn, "mean over seeds");
        (!panels.is_empty()).then(|| Self {
            title: format!("{what}: {}", title(&data, &drawn)),
            labels: [first, second].map(|parameter| parameter.label.clone()),
            ticks: [first, second].map(|parameter| parameter.values.iter().map(shown).collect()),
            panels,
        })
    }

    fn svg(&self) -> std::result::Result<String, Box<dyn std::error::Error + '_>> {
        let across = self.panels.len().min(3);
        let down = self.panels.len().div_ceil(across);
        let size = (PANEL.0 * across as u32, TITLE + PANEL.1 * down as u32);
        let mut text = String::new();
        {
            let root = SVGBackend::with_string(&mut text, size).into_drawing_area();
            root.fill(&WHITE)?;
            let (head, body) = root.split_vertically(TITLE);
            let middle = Pos::new(HPos::Center, VPos::Center);
            let style = ("sans-serif", 16).into_font().into_text_style(&head).pos(middle);
            head.draw_text(&self.title, &style, (size.0 as i32 / 2, TITLE as i32 / 2))?;
            for (area, panel) in body.split_evenly((down, across)).iter().zip(&self.panels) {
                self.panel(area, panel)?;
            }
            root.present()?;
        }
        Ok(text)
    }

    fn panel<DB: DrawingBackend>(
        &self,
        area: &DrawingArea<DB, Shift>,
        (label, values): &(String, Vec<Option<f64>>),
    ) -> std::result::Result<(), DrawingAreaErrorKind<DB::ErrorType>> {
        let [rows, columns] = &self.ticks;
        let (width, height) = area.dim_in_pixel();
        let side = |pixels: i32, count: usize| (pixels / count.max(1) as i32).max(1);
        let cell = (side(width as i32 - LEFT - 12, columns.len()), side(height as i32 - ABOVE - BELOW, rows.len()));
        let at = |column: usize, row: usize| (LEFT + column as i32 * cell.0, ABOVE + row as i32 * cell.1);
        let words =
            |size: i32, h: HPos| ("sans-serif", size).into_font().into_text_style(area).pos(Pos::new(h, VPos::Center));
        let (low, high) = self.range();
        area.draw_text(label, &words(14, HPos::Center), (LEFT + cell.0 * columns.len() as i32 / 2, ABOVE / 2))?;
        for (index, value) in values.iter().enumerate() {
            let (row, column) = (index / columns.len(), index % columns.len());
            let (x, y) = at(column, row);
            let share = value.map(|value| if high > low { (value - low) / (high - low) } else { 1.0 });
            let colour = share.map_or(WHITE, mixed);
            area.draw(&Rectangle::new([(x, y), (x + cell.0, y + cell.1)], colour.filled()))?;
            area.draw(&Rectangle::new([(x, y), (x + cell.0, y + cell.1)], BLACK.mix(0.25).stroke_width(1)))?;
            let number = value.map_or("—".to_string(), |value| format!("{value:.1}"));
            let ink = if share.is_some_and(|share| share > 0.5) { WHITE } else { BLACK };
            let style = words(12, HPos::Center).color(&ink);
            area.draw_text(&number, &style, (x + cell.0 / 2, y + cell.1 / 2))?;
        }
        for (row, tick) in rows.iter().enumerate() {
            area.draw_text(tick, &words(12, HPos::Right), (LEFT - 6, at(0, row).1 + cell.1 / 2))?;
        }
        let bottom = ABOVE + cell.1 * rows.len() as i32;
        for (column, tick) in columns.iter().enumerate() {
            area.draw_text(tick, &words(12, HPos::Center), (at(column, 0).0 + cell.0 / 2, bottom + 12))?;
        }
        let axes = format!("down: {}; across: {}", self.labels[0], self.labels[1]);
        area.draw_text(&axes, &words(13, HPos::Center), (width as i32 / 2, bottom + 36))
    }

    fn range(&self) -> (f64, f64) {
        let values = || self.panels.iter().flat_map(|(_, values)| values).flatten().copied();
        (values().fold(f64::INFINITY, f64::min), values().fold(f64::NEG_INFINITY, f64::max))
    }
}

/// The colour at `share` of the scale.
fn mixed(share: f64) -> RGBColor {
    let channel = |low: u8, high: u8| (f64::from(low) + share * (f64::from(high) - f64::from(low))).round() as u8;
    let [low, high] = ENDS;
    RGBColor(channel(low.0, high.0), channel(low.1, high.1), channel(low.2, high.2))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::example;

    #[test]
    fn every_pair_of_values_has_its_number_in_its_rows_map() {
        let dir = tempfile::tempdir().unwrap();
        let path = write(&example::grid(), dir.path()).unwrap().unwrap();
        let svg = std::fs::read_to_string(path).unwrap();
        for part in ["SLL (n=1)", "alignment", "projection", "fan_in", "90.0", "95.0", "—"] {
            assert!(svg.contains(part), "no {part:?} in {svg}");
        }
        assert_eq!(svg.matches("SLL (n=1)").count(), 1, "a row without runs has no map");
    }

    #[test]
    fn other_reports_have_none() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(write(&example::table(), dir.path()).unwrap(), None);
        assert_eq!(write(&example::sweep(), dir.path()).unwrap(), None);
    }

    #[test]
    fn the_scale_goes_from_light_to_dark() {
        assert_eq!((mixed(0.0), mixed(1.0)), (ENDS[0], ENDS[1]));
    }
}
