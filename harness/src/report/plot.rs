//! Draws series as an SVG. What is drawn is decided in [`super::figure`].

use super::stroke::Stroke;
use crate::atomic::write_atomically;
use crate::error::Error;
use plotters::coord::{ranged1d::Ranged, types::RangedCoordf64};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use std::ops::Range;
use std::path::{Path, PathBuf};

const SIZE: (u32, u32) = (800, 500);

/// What is further from 0 has no place in a chart: sums and differences of the rest are numbers.
const FURTHEST: f64 = 1e100;

/// A chart.
#[derive(Clone)]
pub struct Plot {
    /// Over it.
    pub title: String,
    /// Along the bottom.
    pub x_label: String,
    /// Along the side.
    pub y_label: String,
    /// Where the bottom axis has labels, and which.
    pub ticks: Vec<(f64, String)>,
    /// What the side axis may show.
    pub scale: Scale,
    /// How the spread is drawn.
    pub spread: Spread,
    /// The lines.
    pub series: Vec<Line>,
}

/// What the side axis shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// Percentages: within 0 and 100, as close to the points as can be.
    Percent,
    /// Any numbers, of either sign: as close to the points as can be.
    Any,
    /// Amounts: from 0, so that heights compare.
    Amount,
}

/// How a point's range is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spread {
    /// A light band behind the line.
    Band,
    /// A bar at each point.
    Bars,
}

/// A line.
#[derive(Clone)]
pub struct Line {
    /// Decides its colour, so that a row looks the same in every figure of a report.
    pub index: usize,
    /// In the legend.
    pub label: String,
    /// In the legend, below the label and smaller.
    pub remark: String,
    /// From left to right.
    pub points: Vec<Point>,
    /// Written beside the points, one each, or none at all.
    pub tags: Vec<String>,
    /// What theory says, drawn as crosses of the line's colour.
    pub model: Vec<(f64, f64)>,
}

/// A point with its range.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// Place.
    pub x: f64,
    /// Value.
    pub y: f64,
    /// Lower end of the range.
    pub low: f64,
    /// Upper end of the range.
    pub high: f64,
}

/// An axis with its ticks at given places; plotters' own `with_key_points` has no formatter for its labels.
struct Ticked {
    range: RangedCoordf64,
    ticks: Vec<f64>,
}

impl Ranged for Ticked {
    type FormatOption = plotters::coord::ranged1d::DefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        self.range.map(value, limit)
    }

    fn key_points<Hint: plotters::coord::ranged1d::KeyPointHint>(&self, _: Hint) -> Vec<f64> {
        self.ticks.clone()
    }

    fn range(&self) -> Range<f64> {
        self.range.range()
    }
}

fn has_place(value: f64) -> bool {
    value.abs() <= FURTHEST
}

impl Line {
    /// The same without points that have no place.
    fn placed(&self) -> Self {
        let there = |(index, _): &(usize, &Point)| has_place(self.points[*index].x) && has_place(self.points[*index].y);
        let ranged = |point: &Point| {
            let end = |end| if has_place(end) { end } else { point.y };
            Point { low: end(point.low), high: end(point.high), ..*point }
        };
        let kept = || self.points.iter().enumerate().filter(there);
        Self {
            points: kept().map(|(_, point)| ranged(point)).collect(),
            tags: kept().filter_map(|(index, _)| self.tags.get(index).cloned()).collect(),
            model: self.model.iter().copied().filter(|(x, y)| has_place(*x) && has_place(*y)).collect(),
            ..self.clone()
        }
    }
}

/// `low..high`, or some range where there is nothing.
fn ends(low: f64, high: f64) -> (f64, f64) {
    if low <= high { (low, high) } else { (0.0, 1.0) }
}

impl Plot {
    /// Writes the picture to `path`, and says where it is.
    pub fn save(&self, path: &Path) -> crate::error::Result<PathBuf> {
        let svg = self.svg().map_err(|e| Error::Failed(format!("cannot draw {}: {e}", path.display())))?;
        write_atomically(path, svg.as_bytes())?;
        Ok(path.to_path_buf())
    }

    /// The picture, of what has a place in one: a diverged run's numbers may be none.
    pub fn svg(&self) -> Result<String, String> {
        let ticks = self.ticks.iter().filter(|tick| has_place(tick.0)).cloned().collect();
        let placed = Self { ticks, series: self.series.iter().map(Line::placed).collect(), ..self.clone() };
        placed.draw().map_err(|error| error.to_string())
    }

    fn draw(&self) -> Result<String, Box<dyn std::error::Error + '_>> {
        let mut text = String::new();
        {
            let root = SVGBackend::with_string(&mut text, SIZE).into_drawing_area();
            root.fill(&WHITE)?;
            // The legend has a strip of its own, so that it can never lie on a line.
            let widest = self.series.iter().map(|line| line.label.chars().count().max(line.remark.chars().count()));
            let legend = (50 + 7 * widest.max().unwrap_or(0) as u32).clamp(130, 300);
            let (left, right) = root.split_horizontally(SIZE.0 - legend);
            self.chart(&left)?;
            self.legend(&right)?;
            root.present()?;
        }
        Ok(text)
    }

    fn points(&self) -> impl Iterator<Item = &Point> {
        self.series.iter().flat_map(|line| &line.points)
    }

    /// All that is drawn and a little more; nothing is clipped.
    fn y_range(&self) -> Range<f64> {
        let model = || self.series.iter().flat_map(|line| &line.model).map(|point| point.1);
        let low = self.points().map(|p| p.low).chain(model()).fold(f64::INFINITY, f64::min);
        let high = self.points().map(|p| p.high).chain(model()).fold(f64::NEG_INFINITY, f64::max);
        let (low, high) = ends(low, high);
        match self.scale {
            Scale::Percent => {
                let room = 0.06 * (high - low).max(1.0);
                (low - room).max(0.0)..(high + room).min(100.0).max(low)
            }
            Scale::Any => {
                let room = if high > low { 0.06 * (high - low) } else { 0.5 };
                low - room..high + room
            }
            Scale::Amount => low.min(0.0)..high + 0.06 * high.max(f64::MIN_POSITIVE),
        }
    }

    fn x_range(&self) -> Range<f64> {
        let places = || self.ticks.iter().map(|tick| tick.0).chain(self.points().map(|p| p.x));
        let (low, high) = ends(places().fold(f64::INFINITY, f64::min), places().fold(f64::NEG_INFINITY, f64::max));
        let room = if high > low { 0.03 * (high - low) } else { 0.5 };
        low - room..high + room
    }

    fn chart<DB: DrawingBackend>(&self, area: &Area<DB>) -> Drawn<DB> {
        let ticks = self.ticks.iter().map(|tick| tick.0).collect();
        let mut chart = ChartBuilder::on(area)
            .caption(&self.title, ("sans-serif", 17))
            .margin(12)
            .x_label_area_size(46)
            .y_label_area_size(60)
            .build_cartesian_2d(Ticked { range: self.x_range().into(), ticks }, self.y_range())?;
        let label = |x: &f64| {
            let tick = self.ticks.iter().find(|tick| tick.0 == *x);
            tick.map_or(String::new(), |tick| tick.1.clone())
        };
        let decimals = match self.y_range().end - self.y_range().start {
            span if span < 0.5 => 2,
            span if span < 5.0 => 1,
            _ => 0,
        };
        chart
            .configure_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(BLACK.mix(0.12))
            .x_desc(&self.x_label)
            .y_desc(&self.y_label)
            .x_label_formatter(&label)
            .y_label_formatter(&|y: &f64| format!("{y:.decimals$}"))
            .y_labels(8)
            .label_style(("sans-serif", 13))
            .axis_desc_style(("sans-serif", 15))
            .draw()?;
        // Every band lies behind every line.
        self.series.iter().try_for_each(|line| self.draw_spread(&mut chart, line))?;
        self.series.iter().try_for_each(|line| draw_line(&mut chart, line))
    }

    fn draw_spread<DB: DrawingBackend, X: Ranged<ValueType = f64>>(
        &self,
        chart: &mut Chart<DB, X>,
        line: &Line,
    ) -> Drawn<DB> {
        let colour = Stroke::of(line.index).colour;
        let ranged = line.points.iter().any(|p| p.high > p.low);
        match self.spread {
            _ if !ranged => {}
            Spread::Band => {
                let upper = line.points.iter().map(|p| (p.x, p.high));
                let lower = line.points.iter().rev().map(|p| (p.x, p.low));
                chart.draw_series([Polygon::new(upper.chain(lower).collect::<Vec<_>>(), colour.mix(0.15))])?;
            }
            Spread::Bars => {
                let cap = 0.008 * (self.x_range().end - self.x_range().start);
                let bars = line.points.iter().filter(|p| p.high > p.low).flat_map(|p| {
                    let across = |y| vec![(p.x - cap, y), (p.x + cap, y)];
                    [vec![(p.x, p.low), (p.x, p.high)], across(p.low), across(p.high)]
                });
                chart.draw_series(bars.map(|bar| PathElement::new(bar, colour)))?;
            }
        }
        Ok(())
    }

    fn legend<DB: DrawingBackend>(&self, area: &Area<DB>) -> Drawn<DB> {
        let (_, height) = area.dim_in_pixel();
        let step = ((height as usize - 60) / self.series.len().max(1)).min(44) as i32;
        for (i, line) in self.series.iter().enumerate() {
            let y = 52 + i as i32 * step;
            let key = Stroke::of(line.index);
            let path = vec![(4, y), (30, y)];
            match key.dash {
                None => area.draw(&PathElement::new(path, key.style()))?,
                Some(dash) => {
                    let pieces = [(4, 4 + dash), (4 + 2 * dash, 30)];
                    pieces.iter().try_for_each(|(from, to)| {
                        area.draw(&PathElement::new(vec![(*from, y), (*to, y)], key.style()))
                    })?;
                }
            }
            let middle = Pos::new(HPos::Left, VPos::Center);
            let label = ("sans-serif", 14).into_font().into_text_style(area).pos(middle);
            area.draw_text(&line.label, &label, (38, y))?;
            if step >= 30 {
                let small = ("sans-serif", 12).into_font().color(&BLACK.mix(0.65)).pos(middle);
                area.draw_text(&line.remark, &small, (38, y + 16))?;
            }
        }
        Ok(())
    }
}

type Area<DB> = DrawingArea<DB, plotters::coord::Shift>;
type Chart<'a, DB, X> = ChartContext<'a, DB, Cartesian2d<X, plotters::coord::types::RangedCoordf64>>;
type Drawn<DB> = Result<(), DrawingAreaErrorKind<<DB as DrawingBackend>::ErrorType>>;

fn draw_line<DB: DrawingBackend, X: Ranged<ValueType = f64>>(chart: &mut Chart<DB, X>, line: &Line) -> Drawn<DB> {
    let key = Stroke::of(line.index);
    let points = line.points.iter().map(|p| (p.x, p.y));
    match key.dash {
        None => chart.draw_series(LineSeries::new(points.clone(), key.style()))?,
        Some(dash) => chart.draw_series(DashedLineSeries::new(points.clone(), dash, dash, key.style()))?,
    };
    if line.points.len() <= 20 {
        chart.draw_series(points.clone().map(|point| Circle::new(point, 3, key.colour.filled())))?;
    }
    let tag = ("sans-serif", 11).into_font().color(&key.colour).pos(Pos::new(HPos::Center, VPos::Bottom));
    let above = |(point, text): (_, &String)| {
        EmptyElement::at(point) + plotters::element::Text::new(text.clone(), (0, -6), tag.clone())
    };
    chart.draw_series(points.zip(&line.tags).map(above))?;
    chart.draw_series(line.model.iter().map(|&point| Cross::new(point, 6, key.colour)))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plot(ys: &[f64]) -> Plot {
        let points = ys.iter().enumerate().map(|(i, y)| Point { x: i as f64, y: *y, low: y - 1.0, high: y + 0.5 });
        Plot {
            title: "A & B".into(),
            x_label: "epoch".into(),
            y_label: "accuracy (%)".into(),
            ticks: vec![(0.0, "0".into())],
            scale: Scale::Percent,
            spread: Spread::Band,
            series: vec![Line {
                index: 8,
                label: "SLL".into(),
                remark: "n=3".into(),
                points: points.collect(),
                tags: vec![],
                model: vec![],
            }],
        }
    }

    #[test]
    fn the_range_holds_every_point_and_stays_within_percent() {
        let high = plot(&[98.0, 99.8]).y_range();
        assert!(high.start > 90.0 && high.start < 97.0 && high.end == 100.0, "{high:?}");
        let low = plot(&[0.5, 99.0]).y_range();
        assert_eq!(low.start, 0.0);
    }

    #[test]
    fn any_numbers_may_be_negative_and_close_together_and_carry_tags() {
        let mut any = Plot { scale: Scale::Any, ..plot(&[-0.31, -0.3]) };
        any.series[0].points.iter_mut().for_each(|p| (p.low, p.high) = (p.y, p.y));
        assert!(any.y_range().start < -0.31 && any.y_range().end < -0.29, "{:?}", any.y_range());
        any.series[0].tags = vec!["first tag".into(), "second tag".into()];
        let svg = any.svg().unwrap();
        assert!(svg.contains("first tag") && svg.contains("second tag") && svg.contains("-0.30"), "{svg}");
    }

    #[test]
    fn amounts_start_at_zero_have_no_upper_end_and_keep_theory_in_sight() {
        let mut amounts = Plot { scale: Scale::Amount, ..plot(&[400.0, 900.0]) };
        assert_eq!(amounts.y_range().start, 0.0);
        assert!(amounts.y_range().end > 900.0);
        let circles = amounts.svg().unwrap().matches("<line").count();
        amounts.series[0].model = vec![(0.0, 1200.0)];
        assert!(amounts.y_range().end > 1200.0);
        assert!(amounts.svg().unwrap().matches("<line").count() >= circles + 2, "a cross is two lines");
    }

    #[test]
    fn what_is_no_number_is_left_out_and_harms_nothing() {
        for wild in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MAX, f64::MIN] {
            for scale in [Scale::Percent, Scale::Any, Scale::Amount] {
                let mut sound = Plot { scale, ..plot(&[10.0, 30.0]) };
                sound.series[0].points[0].low = 10.0;
                let mut plot = Plot { scale, ..plot(&[10.0, wild, 30.0]) };
                (plot.series[0].points[2].x, plot.series[0].points[0].low) = (1.0, wild);
                plot.series[0].model = vec![(wild, 1.0), (1.0, wild)];
                plot.ticks.push((wild, "wild".into()));
                assert_eq!(plot.svg().unwrap(), sound.svg().unwrap(), "{wild}");
                plot.series[0].points.iter_mut().for_each(|point| point.x = wild);
                assert!(plot.svg().unwrap().contains("SLL"), "{wild}");
            }
        }
    }

    #[test]
    fn a_single_point_is_drawn_and_text_is_escaped() {
        for spread in [Spread::Band, Spread::Bars] {
            let svg = Plot { spread, ..plot(&[50.0]) }.svg().unwrap();
            assert!(svg.starts_with("<svg") && svg.contains("A &amp; B") && svg.contains("SLL"), "{svg}");
        }
    }
}
