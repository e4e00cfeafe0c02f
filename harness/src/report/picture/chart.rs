//! Draws a [`Plot`].

use super::canvas::{Anchor, Canvas, Layer};
use super::colour::{FAINT, GREY, INK};
use super::cover::covers;
use super::font::width;
use super::frame::At;
use super::layout::{LABEL, LEADER, Layout, Panel, REMARK, SUBTITLE, SWATCH, TICK, TITLE};
use super::plot::{Line, Plot, Point, Spread};
use super::tags::Ink;

/// Points beyond which only some of them have markers.
const MARKED: usize = 22;
/// A line that lies under others is this much wider for each.
const UNDER: f64 = 4.0;

impl Plot {
    /// The picture as SVG, of what has a place in one; none where nothing has.
    pub fn svg(&self) -> Option<String> {
        let plot = self.placed();
        (!plot.series.is_empty()).then(|| Chart { layout: Layout::of(&plot), plot: &plot }.draw())
    }
}

struct Chart<'a> {
    plot: &'a Plot,
    layout: Layout,
}

impl Chart<'_> {
    fn draw(&self) -> String {
        let layout = &self.layout;
        let mut canvas = Canvas::new(layout.size.0, layout.size.1);
        let parts = [(&layout.title, TITLE, INK), (&layout.subtitle, SUBTITLE, GREY), (&layout.y_label, SUBTITLE, INK)];
        for (lines, size, colour) in parts {
            lines.iter().for_each(|(y, words)| canvas.text((14.0, *y), words, size, colour, Anchor::Start));
        }
        self.bottom_axis(&mut canvas);
        layout.panels.iter().for_each(|panel| self.side_axis(&mut canvas, panel));
        self.breaks(&mut canvas);
        layout.panels.iter().for_each(|panel| canvas.within(panel.frame, |layer| self.lines(layer, panel)));
        self.tags(&mut canvas);
        self.labels(&mut canvas);
        canvas.finish()
    }

    fn bottom_axis(&self, canvas: &mut Canvas) {
        let bottom = self.layout.panels.last().map_or(0.0, |panel| panel.frame.bottom);
        let mut free = f64::NEG_INFINITY;
        for (x, label) in &self.plot.ticks {
            let (x, half) = (self.layout.across(*x), width(label, TICK) / 2.0);
            for panel in &self.layout.panels {
                canvas.line((x, panel.frame.top), (x, panel.frame.bottom), FAINT, 1.0);
            }
            canvas.line((x, bottom), (x, bottom + 4.0), GREY, 1.0);
            if x - half >= free {
                canvas.text((x, bottom + 13.0), label, TICK, INK, Anchor::Middle);
                free = x + half + 6.0;
            }
        }
        let middle = (self.layout.panels[0].frame.left + self.layout.panels[0].frame.right) / 2.0;
        canvas.text((middle, bottom + 33.0), &self.plot.x_label, SUBTITLE, INK, Anchor::Middle);
    }

    fn side_axis(&self, canvas: &mut Canvas, panel: &Panel) {
        let frame = panel.frame;
        let most = ((frame.bottom - frame.top) / 34.0).max(4.0) as usize;
        for (value, label) in panel.span.ticks(most) {
            let y = panel.height(value);
            canvas.line((frame.left, y), (frame.right, y), FAINT, 1.0);
            canvas.text((frame.left - 7.0, y), &label, TICK, INK, Anchor::End);
        }
        canvas.line((frame.left, frame.top), (frame.left, frame.bottom), GREY, 1.0);
        canvas.line((frame.left, frame.bottom), (frame.right, frame.bottom), GREY, 1.0);
    }

    /// Two strokes where the side axis is broken.
    fn breaks(&self, canvas: &mut Canvas) {
        for pair in self.layout.panels.windows(2) {
            for y in [pair[0].frame.bottom + 2.0, pair[1].frame.top - 2.0] {
                let x = pair[0].frame.left;
                canvas.line((x - 6.0, y + 3.0), (x + 6.0, y - 3.0), GREY, 1.25);
            }
        }
    }

    fn lines(&self, layer: &mut Layer, panel: &Panel) {
        let series = || panel.lines.iter().map(|index| (*index, &self.plot.series[*index]));
        series().for_each(|(index, line)| self.spread(layer, panel, index, line));
        for (_, line) in series() {
            if let Some(value) = line.quoted.filter(|value| panel.span.holds(*value)) {
                let y = panel.height(value);
                layer.thin((panel.frame.left, y), (panel.frame.right, y), line.stroke.colour);
            }
        }
        let places: Vec<Vec<At>> = series()
            .map(|(index, line)| line.points.iter().map(|point| self.at(panel, index, point)).collect())
            .collect();
        let covers = covers(&places);
        let drawn = || series().zip(&places).zip(&covers);
        for (((_, line), _), cover) in drawn().filter(|_| !self.plot.kinds) {
            cover.parts.iter().for_each(|part| layer.halo(part, line.stroke.colour, 2.0 + UNDER * cover.by as f64));
        }
        for (((index, line), points), cover) in drawn() {
            if !self.plot.kinds {
                layer.curve(points, line.stroke);
            }
            let (step, first) = match points.len() {
                few if few <= MARKED => (1, 0),
                // Markers of lines that lie close do not all stand at the same places.
                many => (many.div_ceil(8), (index * many.div_ceil(8)) / self.plot.series.len().max(1)),
            };
            for at in points.iter().skip(first).step_by(step) {
                layer.marker(*at, line.stroke, 3.5 + 0.6 * UNDER * cover.by as f64, cover.by == 0);
            }
            for (x, y) in &line.model {
                let x = self.layout.across(*x) + self.aside(index);
                layer.saltire((x, panel.height(*y)), line.stroke.colour);
            }
        }
    }

    fn spread(&self, layer: &mut Layer, panel: &Panel, index: usize, line: &Line) {
        let at = |point: &Point, y: f64| self.at(panel, index, &Point { y, ..*point });
        if line.points.iter().all(|point| point.high <= point.low) {
            return;
        }
        match self.plot.spread {
            Spread::Band => {
                let upper = line.points.iter().map(|point| at(point, point.high));
                let lower = line.points.iter().rev().map(|point| at(point, point.low));
                layer.area(&upper.chain(lower).collect::<Vec<_>>(), line.stroke.colour);
            }
            Spread::Bars => {
                for point in line.points.iter().filter(|point| point.high > point.low) {
                    let (low, high) = (at(point, point.low), at(point, point.high));
                    layer.bar(low, high, line.stroke.colour);
                    for (x, y) in [low, high] {
                        layer.bar((x - 4.0, y), (x + 4.0, y), line.stroke.colour);
                    }
                }
            }
        }
    }

    fn at(&self, panel: &Panel, line: usize, point: &Point) -> At {
        let (x, y) = panel.at(&self.layout, point.x, point.y);
        (x + self.aside(line), y)
    }

    /// How far beside its place a line's points are, so that those of one kind do not lie on each other.
    fn aside(&self, line: usize) -> f64 {
        if !self.plot.kinds {
            return 0.0;
        }
        let (kind, lines) = (self.layout.across(1.0) - self.layout.across(0.0), self.plot.series.len() as f64);
        (line as f64 - (lines - 1.0) / 2.0) * (0.6 * kind / lines).min(18.0)
    }

    /// Words beside points.
    fn tags(&self, canvas: &mut Canvas) {
        let mut ink = Ink::default();
        for (index, line) in self.plot.series.iter().enumerate() {
            let at = |point: &Point, y: f64| self.at(self.layout.panel(index), index, &Point { y, ..*point });
            line.points.windows(2).for_each(|pair| ink.add_line(at(&pair[0], pair[0].y), at(&pair[1], pair[1].y)));
            line.points.iter().for_each(|point| ink.add_line(at(point, point.low), at(point, point.high)));
        }
        for (index, line) in self.plot.series.iter().enumerate() {
            let panel = self.layout.panel(index);
            for (point, words) in line.points.iter().zip(&line.tags) {
                let place = ink.place(self.at(panel, index, point), (width(words, REMARK), REMARK), panel.frame);
                canvas.text(place, words, REMARK, line.stroke.colour.readable(), Anchor::Middle);
            }
        }
    }

    /// Every line's name with a way to its end.
    fn labels(&self, canvas: &mut Canvas) {
        let strip = self.layout.strip;
        for (index, line) in self.plot.series.iter().enumerate() {
            let middle = self.layout.labels[index];
            if !self.plot.kinds {
                let end = self.layout.end(self.plot, index);
                let edge = self.layout.panel(index).frame.right;
                if edge - end.0 > 24.0 {
                    canvas.dots((end.0 + 6.0, end.1), (edge, end.1), line.stroke.colour);
                }
                canvas.line((edge + 2.0, end.1), (edge + LEADER - 4.0, middle), line.stroke.colour.lighter(0.4), 1.0);
            }
            canvas.swatch((strip, middle), SWATCH, line.stroke);
            let start = strip + SWATCH + 6.0;
            let (label, remark) = match self.layout.stacked && !line.remark.is_empty() {
                true => (middle - 6.0, (start, middle + 7.5)),
                false => (middle, (start + width(&line.label, LABEL) + 6.0, middle + 0.5)),
            };
            canvas.text((start, label), &line.label, LABEL, line.stroke.colour.readable(), Anchor::Start);
            canvas.text(remark, &line.remark, REMARK, GREY, Anchor::Start);
        }
    }
}
