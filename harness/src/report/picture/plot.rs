//! A chart before it is drawn.

use super::scale::Scale;
use super::stroke::Stroke;

/// What is further from 0 has no place in a chart: sums and differences of the rest are numbers.
const FURTHEST: f64 = 1e100;

/// A chart.
#[derive(Clone, Debug)]
pub struct Plot {
    /// Over it.
    pub title: String,
    /// Settings and what else there is to know, below the title and smaller.
    pub subtitle: String,
    /// Along the bottom.
    pub x_label: String,
    /// Over the side axis.
    pub y_label: String,
    /// After it: what else is drawn.
    pub y_remark: String,
    /// Where the bottom axis has labels, and which.
    pub ticks: Vec<(f64, String)>,
    /// What the side axis may show.
    pub scale: Scale,
    /// How the spread is drawn.
    pub spread: Spread,
    /// Whether places along the bottom are kinds of things, between which there is nothing: points then have no line.
    pub kinds: bool,
    /// The place from which on points decide what the side axis shows; those before may lie outside.
    pub settled: f64,
    /// The lines, the first ones below the others.
    pub series: Vec<Line>,
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
#[derive(Clone, Debug)]
pub struct Line {
    /// How it is drawn.
    pub stroke: Stroke,
    /// At its end.
    pub label: String,
    /// Beside the label and smaller.
    pub remark: String,
    /// In the order in which the line goes through them.
    pub points: Vec<Point>,
    /// Written beside the points, one each, or none at all.
    pub tags: Vec<String>,
    /// What theory says, drawn as crosses of the line's colour.
    pub model: Vec<(f64, f64)>,
    /// The paper's value, drawn as a thin line across.
    pub quoted: Option<f64>,
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

impl Default for Plot {
    fn default() -> Self {
        Self {
            title: String::new(),
            subtitle: String::new(),
            x_label: String::new(),
            y_label: String::new(),
            y_remark: String::new(),
            ticks: Vec::new(),
            scale: Scale::Any,
            spread: Spread::Band,
            kinds: false,
            settled: f64::NEG_INFINITY,
            series: Vec::new(),
        }
    }
}

fn has_place(value: f64) -> bool {
    value.abs() <= FURTHEST
}

/// `low..high`, or some range where there is nothing.
fn ends(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), x| (low.min(x), high.max(x)));
    if low <= high { (low, high) } else { (0.0, 1.0) }
}

impl Line {
    /// A line of points alone.
    pub fn new(stroke: Stroke, label: impl Into<String>, remark: impl Into<String>, points: Vec<Point>) -> Self {
        let (label, remark) = (label.into(), remark.into());
        Self { stroke, label, remark, points, tags: Vec::new(), model: Vec::new(), quoted: None }
    }

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
            quoted: self.quoted.filter(|value| has_place(*value)),
            ..self.clone()
        }
    }

    /// The least and the greatest value that is drawn from `settled` on; of all of it where nothing is.
    pub fn range(&self, settled: f64) -> (f64, f64) {
        let values = |from: f64| {
            let points = self.points.iter().filter(move |point| point.x >= from);
            let model = self.model.iter().filter(move |point| point.0 >= from).map(|point| point.1);
            points.flat_map(|point| [point.low, point.high]).chain(model)
        };
        match values(settled).next() {
            Some(_) => ends(values(settled)),
            None => ends(values(f64::NEG_INFINITY)),
        }
    }
}

impl Plot {
    /// The same of what has a place in a picture: a diverged run's numbers may have none. Lines without points go, and
    /// labels beyond all points.
    #[must_use]
    pub fn placed(&self) -> Self {
        let series: Vec<Line> = self.series.iter().map(Line::placed).filter(|line| !line.points.is_empty()).collect();
        let (low, high) = ends(series.iter().flat_map(|line| &line.points).map(|point| point.x));
        let seen = |tick: &&(f64, String)| (low..=high).contains(&tick.0) || self.kinds && has_place(tick.0);
        Self { ticks: self.ticks.iter().filter(seen).cloned().collect(), series, ..self.clone() }
    }

    /// The bottom axis' ends: all points and labels, and a little more.
    pub fn x_range(&self) -> (f64, f64) {
        let points = self.series.iter().flat_map(|line| &line.points).map(|point| point.x);
        let (low, high) = ends(self.ticks.iter().map(|tick| tick.0).chain(points));
        let room = match self.kinds {
            true => 0.5,
            false if high > low => 0.025 * (high - low),
            false => 0.5,
        };
        (low - room, high + room)
    }
}
