//! Where the parts of a chart are.

use super::font::{width, wrapped};
use super::frame::{At, Frame};
use super::panels::{Panels, split};
use super::plot::{Line, Plot};
use super::scale::{Scale, Spacing, Span};
use super::spread::spread;

/// Pixels of a whole chart; it grows where its labels ask for more.
const WIDTH: f64 = 860.0;
const HEIGHT: f64 = 470.0;
/// What the lines have at least.
const LEAST_WIDTH: f64 = 430.0;
/// Around a picture.
pub const MARGIN: f64 = 14.0;
/// What the side axis' labels take.
const LEFT: f64 = 58.0;
/// What the bottom axis' labels take.
const BELOW: f64 = 48.0;
/// Between two panels.
const GAP: f64 = 16.0;
/// The share of the height that lines which are far off take.
const FAR: f64 = 0.22;
/// How much further than its lines a panel may reach for the paper's values.
const QUOTED: f64 = 2.2;
/// The size of a title's letters.
pub const TITLE: f64 = 16.0;
/// The size of a subtitle's.
pub const SUBTITLE: f64 = 11.5;
/// The size of a label's.
pub const LABEL: f64 = 12.0;
/// Other sizes of letters.
pub const REMARK: f64 = 10.5;
pub const TICK: f64 = 11.0;
/// Between the frame and the labels at its right, with the lines that lead there.
pub const LEADER: f64 = 22.0;
/// The piece of a line before its label.
pub const SWATCH: f64 = 26.0;
const SPACE: f64 = 6.0;
/// What a label and its remark may take beside each other; else the remark goes below.
const BESIDE: f64 = 235.0;

/// A part of the side axis with the lines that it is for.
pub struct Panel {
    /// Where it is.
    pub frame: Frame,
    /// What it shows.
    pub span: Span,
    /// Its lines.
    pub lines: Vec<usize>,
}

/// Places of everything.
pub struct Layout {
    /// Of the whole picture.
    pub size: (f64, f64),
    /// The title's lines and the subtitle's, with the heights of their middles.
    pub title: Vec<(f64, String)>,
    /// Smaller ones.
    pub subtitle: Vec<(f64, String)>,
    /// The side axis' label, with the height of its middle.
    pub y_label: Vec<(f64, String)>,
    /// From above to below.
    pub panels: Vec<Panel>,
    /// The bottom axis' ends.
    pub x_range: (f64, f64),
    /// For each line, the middle of its label.
    pub labels: Vec<f64>,
    /// Whether remarks are below their labels.
    pub stacked: bool,
    /// Left end of the labels' swatches.
    pub strip: f64,
}

impl Layout {
    /// Of a chart whose lines all have points.
    pub fn of(plot: &Plot) -> Self {
        let beside = |line: &Line| {
            let remark = if line.remark.is_empty() { 0.0 } else { SPACE + width(&line.remark, REMARK) };
            width(&line.label, LABEL) + remark
        };
        let above = |line: &Line| width(&line.label, LABEL).max(width(&line.remark, REMARK));
        let widest = |of: &dyn Fn(&Line) -> f64| plot.series.iter().map(of).fold(0.0, f64::max);
        let stacked = widest(&beside) > BESIDE;
        let text = if stacked { widest(&above) } else { widest(&beside) };
        let strip_width = LEADER + SWATCH + SPACE + text + MARGIN;
        let right = (WIDTH - strip_width).max(LEFT + LEAST_WIDTH);
        let picture = right + strip_width;

        let mut y = MARGIN;
        let room = picture - 2.0 * MARGIN;
        let mut lines = |words: &str, size: f64, space: f64| {
            let placed: Vec<(f64, String)> = if words.is_empty() {
                Vec::new()
            } else {
                let each = wrapped(words, size, room).into_iter().enumerate();
                each.map(|(i, line)| (y + (0.5 + i as f64) * 1.3 * size, line)).collect()
            };
            y += placed.len() as f64 * 1.3 * size + space;
            placed
        };
        let title = lines(&plot.title, TITLE, 2.0);
        let subtitle = lines(&plot.subtitle, SUBTITLE, 6.0);
        let most = plot.series.iter().map(|line| line.range(plot.settled).1).fold(f64::NEG_INFINITY, f64::max);
        let spacing = Spacing::of(plot.scale, most);
        let remarks = [&plot.y_label, spacing.remark(), &plot.y_remark].map(String::from);
        let y_label =
            lines(&remarks.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("; "), SUBTITLE, 8.0);
        let top = y;

        let label_height = if stacked { 28.0 } else { 16.5 };
        let height = (HEIGHT - top - BELOW).max(label_height * plot.series.len() as f64);
        let all = Frame { left: LEFT, top, right, bottom: top + height };
        let panels = panels(plot, spacing, all);

        let mut layout = Self {
            size: (picture, all.bottom + BELOW),
            title,
            subtitle,
            y_label,
            panels,
            x_range: plot.x_range(),
            labels: Vec::new(),
            stacked,
            strip: right + LEADER,
        };
        let wanted: Vec<f64> = (0..plot.series.len()).map(|index| layout.end(plot, index).1).collect();
        layout.labels = if plot.kinds {
            // Nothing leads to them: a list.
            (0..plot.series.len()).map(|i| top + (i as f64 + 0.5) * label_height).collect()
        } else {
            spread(&wanted, &vec![label_height; wanted.len()], top, all.bottom)
        };
        layout
    }

    /// The panel of a line.
    pub fn panel(&self, line: usize) -> &Panel {
        self.panels.iter().find(|panel| panel.lines.contains(&line)).unwrap_or(&self.panels[0])
    }

    /// Where `x` is, from the left.
    pub fn across(&self, x: f64) -> f64 {
        let Frame { left, right, .. } = self.panels[0].frame;
        left + (right - left) * (x - self.x_range.0) / (self.x_range.1 - self.x_range.0)
    }

    /// Where a line ends, within its panel.
    pub fn end(&self, plot: &Plot, line: usize) -> At {
        let panel = self.panel(line);
        let last = plot.series[line].points.last().expect("lines have points");
        let (x, y) = panel.at(self, last.x, last.y);
        (x, y.clamp(panel.frame.top, panel.frame.bottom))
    }
}

impl Panel {
    /// The place of a value.
    pub fn at(&self, layout: &Layout, x: f64, y: f64) -> At {
        (layout.across(x), self.height(y))
    }

    /// The height of a value.
    pub fn height(&self, y: f64) -> f64 {
        self.frame.bottom - self.span.share(y) * (self.frame.bottom - self.frame.top)
    }
}

/// One panel, or two where some lines are far off.
fn panels(plot: &Plot, spacing: Spacing, all: Frame) -> Vec<Panel> {
    let range = |line: &Line| {
        let (low, high) = line.range(plot.settled);
        (spacing.place(low), spacing.place(high))
    };
    let split = match plot.scale {
        // Heights are to be compared.
        Scale::Amount => Panels::one(plot.series.len()),
        _ => split(&plot.series.iter().map(range).collect::<Vec<_>>()),
    };
    let panel = |lines: &[usize], frame: Frame| {
        let span = span(plot, spacing, lines);
        Panel { frame, span, lines: lines.to_vec() }
    };
    if split.far.is_empty() {
        return vec![panel(&split.main, all)];
    }
    let height = FAR * (all.bottom - all.top - GAP);
    let cut = if split.below { all.bottom - height - GAP } else { all.top + height };
    let (upper, lower) = (Frame { bottom: cut, ..all }, Frame { top: cut + GAP, ..all });
    match split.below {
        true => vec![panel(&split.main, upper), panel(&split.far, lower)],
        false => vec![panel(&split.far, upper), panel(&split.main, lower)],
    }
}

/// What a panel shows: its lines, and the paper's values where these do not take up most of it.
fn span(plot: &Plot, spacing: Spacing, lines: &[usize]) -> Span {
    let ranges = lines.iter().map(|line| plot.series[*line].range(plot.settled));
    let (low, high) = ranges.fold((f64::INFINITY, f64::NEG_INFINITY), |a, b| (a.0.min(b.0), a.1.max(b.1)));
    let (low, high) = if low <= high { (low, high) } else { (0.0, 1.0) };
    let extent = |(low, high): (f64, f64)| {
        let span = Span::around(plot.scale, spacing, low, high);
        span.high - span.low
    };
    let away = |value: f64| (spacing.place(low) - spacing.place(value)).max(spacing.place(value) - spacing.place(high));
    let mut quoted: Vec<f64> = lines.iter().filter_map(|line| plot.series[*line].quoted).collect();
    quoted.sort_by(|a, b| away(*a).total_cmp(&away(*b)));
    let mut shown = (low, high);
    for value in quoted {
        let more = (shown.0.min(value), shown.1.max(value));
        if extent(more) <= QUOTED * extent((low, high)) {
            shown = more;
        }
    }
    Span::around(plot.scale, spacing, shown.0, shown.1)
}
