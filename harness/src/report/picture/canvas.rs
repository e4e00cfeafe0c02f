//! A picture that grows by marks, in pixels from its upper left corner, and plotters' SVG of them.

use super::colour::{Colour, WHITE};
use super::cut;
use super::font::FAMILY;
use super::frame::{At, Frame};
use super::stroke::{Marker, Stroke};
use plotters::coord::Shift;
use plotters::drawing::DrawingAreaErrorKind;
use plotters::element::{Circle, PathElement, Polygon, Text};
use plotters::prelude::{DrawingArea, DrawingBackend, IntoDrawingArea, IntoFont, RGBAColor, SVGBackend, ShapeStyle};
use plotters::style::TextStyle;
use plotters::style::text_anchor::{HPos, Pos, VPos};

/// Plotters draws on whole points; this many of them are a pixel's side.
const FINE: f64 = 10.0;

/// Plotters' SVG shrinks a font by this factor.
const SHRUNK: f64 = 1.24;

/// A picture that is drawn.
pub struct Canvas {
    marks: Layer,
    /// Width and height.
    pub size: (u32, u32),
}

/// Which end of a text its place is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anchor {
    /// The left end.
    Start,
    /// Its middle.
    Middle,
    /// The right end.
    End,
}

/// What is drawn, in pixels.
enum Mark {
    Line { points: Vec<At>, colour: RGBAColor, width: f64 },
    Area { points: Vec<At>, colour: RGBAColor },
    Disc { at: At, radius: f64, colour: RGBAColor, filled: bool },
    Words { at: At, words: String, size: f64, colour: RGBAColor, anchor: Anchor },
}

impl Mark {
    fn draw<B: DrawingBackend>(&self, paper: &DrawingArea<B, Shift>) -> Result<(), DrawingAreaErrorKind<B::ErrorType>> {
        match self {
            Mark::Area { points, colour } => {
                paper.draw(&Polygon::new(points.iter().copied().map(fine).collect::<Vec<_>>(), colour))
            }
            Mark::Line { points, colour, width } => {
                let style = ShapeStyle::from(colour).stroke_width((width * FINE).round() as u32);
                paper.draw(&PathElement::new(points.iter().copied().map(fine).collect::<Vec<_>>(), style))
            }
            Mark::Disc { at, radius, colour, filled } => {
                let style = ShapeStyle { color: *colour, filled: *filled, stroke_width: (1.5 * FINE) as u32 };
                paper.draw(&Circle::new(fine(*at), (radius * FINE).round() as i32, style))
            }
            Mark::Words { at, words, size, colour, anchor } => {
                let anchor = match anchor {
                    Anchor::Start => HPos::Left,
                    Anchor::Middle => HPos::Center,
                    Anchor::End => HPos::Right,
                };
                let style = TextStyle::from((FAMILY, size * FINE * SHRUNK).into_font()).color(colour);
                paper.draw(&Text::new(words.as_str(), fine(*at), style.pos(Pos::new(anchor, VPos::Center))))
            }
        }
    }
}

fn opaque(colour: Colour, opacity: f64) -> RGBAColor {
    RGBAColor(colour.0, colour.1, colour.2, opacity)
}

fn fine((x, y): At) -> (i32, i32) {
    ((x * FINE).round() as i32, (y * FINE).round() as i32)
}

fn corners(frame: Frame) -> Vec<At> {
    let Frame { left, top, right, bottom } = frame;
    vec![(left, top), (right, top), (right, bottom), (left, bottom)]
}

impl Canvas {
    /// A white one.
    pub fn new(width: f64, height: f64) -> Self {
        let size = (width.ceil() as u32, height.ceil() as u32);
        Self { marks: Layer::default(), size }
    }

    /// The SVG's text.
    pub fn finish(self) -> String {
        let (width, height) = self.size;
        let whole = (width * FINE as u32, height * FINE as u32);
        let mut text = String::new();
        {
            let paper = SVGBackend::with_string(&mut text, whole).into_drawing_area();
            let mut drawn = paper.fill(&opaque(WHITE, 1.0));
            drawn = drawn.and_then(|()| self.marks.0.iter().try_for_each(|mark| mark.draw(&paper)));
            drawn.and_then(|()| paper.present()).expect("a string takes every mark");
        }
        // Fine points are for places alone: the picture is as large as was asked for.
        let sides = |width: u32, height: u32| format!("width=\"{width}\" height=\"{height}\"");
        text.replacen(&sides(whole.0, whole.1), &sides(width, height), 1)
    }

    /// A straight line.
    pub fn line(&mut self, from: At, to: At, colour: Colour, width: f64) {
        self.marks.open(vec![from, to], opaque(colour, 1.0), width);
    }

    /// A straight line of dots.
    pub fn dots(&mut self, from: At, to: At, colour: Colour) {
        self.marks.dashed(&[from, to], opaque(colour, 1.0), 1.0, &[1.0, 3.0]);
    }

    /// A filled rectangle with an edge.
    pub fn cell(&mut self, frame: Frame, fill: Colour, edge: Colour) {
        self.marks.closed(corners(frame), opaque(fill, 1.0));
        let mut edges = corners(frame);
        edges.push(edges[0]);
        self.marks.open(edges, opaque(edge, 1.0), 1.0);
    }

    /// Words, their middle at the height of `at`.
    pub fn text(&mut self, at: At, words: &str, size: f64, colour: Colour, anchor: Anchor) {
        let (words, colour) = (words.to_string(), opaque(colour, 1.0));
        self.marks.0.push(Mark::Words { at, words, size, colour, anchor });
    }

    /// What `draw` puts into a layer, cut off at `frame`.
    pub fn within(&mut self, frame: Frame, draw: impl FnOnce(&mut Layer)) {
        let mut layer = Layer::default();
        draw(&mut layer);
        self.marks.0.extend(layer.0.into_iter().flat_map(|mark| cut_off(mark, frame)));
    }

    /// A piece of a line with its marker, as a legend has it.
    pub fn swatch(&mut self, at: At, length: f64, stroke: Stroke) {
        self.marks.curve(&[at, (at.0 + length, at.1)], stroke);
        self.marks.marker((at.0 + length / 2.0, at.1), stroke, 3.5, true);
    }
}

/// What of a mark lies within `frame`; what stands at a point is there as a whole or not at all.
fn cut_off(mark: Mark, frame: Frame) -> Vec<Mark> {
    match mark {
        Mark::Line { points, colour, width } => {
            cut::line(&points, frame).into_iter().map(|points| Mark::Line { points, colour, width }).collect()
        }
        Mark::Area { points, colour } => {
            let points = cut::area(&points, frame);
            if points.is_empty() { Vec::new() } else { vec![Mark::Area { points, colour }] }
        }
        Mark::Disc { at, .. } | Mark::Words { at, .. } if !cut::inside(at, frame) => Vec::new(),
        whole => vec![whole],
    }
}

/// Marks in the frame of a panel.
#[derive(Default)]
pub struct Layer(Vec<Mark>);

impl Layer {
    fn open(&mut self, points: Vec<At>, colour: RGBAColor, width: f64) {
        self.0.push(Mark::Line { points, colour, width });
    }

    fn closed(&mut self, points: Vec<At>, colour: RGBAColor) {
        self.0.push(Mark::Area { points, colour });
    }

    fn dashed(&mut self, points: &[At], colour: RGBAColor, width: f64, pattern: &[f64]) {
        cut::dashes(points, pattern).into_iter().for_each(|piece| self.open(piece, colour, width));
    }

    /// A straight line that is not quite opaque.
    pub fn thin(&mut self, from: At, to: At, colour: Colour) {
        self.open(vec![from, to], opaque(colour, 0.65), 1.0);
    }

    /// A bar's lines.
    pub fn bar(&mut self, from: At, to: At, colour: Colour) {
        self.open(vec![from, to], opaque(colour, 1.0), 1.25);
    }

    /// A line through `points`.
    pub fn curve(&mut self, points: &[At], stroke: Stroke) {
        match stroke.dash.pattern() {
            Some(pattern) => self.dashed(points, opaque(stroke.colour, 1.0), 2.0, pattern),
            None => self.open(points.to_vec(), opaque(stroke.colour, 1.0), 2.0),
        }
    }

    /// A wide and pale line through `points`, which is seen at both sides of one that lies on it.
    pub fn halo(&mut self, points: &[At], colour: Colour, width: f64) {
        self.open(points.to_vec(), opaque(colour, 0.4), width);
    }

    /// A light area.
    pub fn area(&mut self, points: &[At], colour: Colour) {
        self.closed(points.to_vec(), opaque(colour, 0.14));
    }

    /// A saltire of theory.
    pub fn saltire(&mut self, (x, y): At, colour: Colour) {
        let r = 5.0;
        self.open(vec![(x - r, y - r), (x + r, y + r)], opaque(colour, 1.0), 1.0);
        self.open(vec![(x - r, y + r), (x + r, y - r)], opaque(colour, 1.0), 1.0);
    }

    /// The stroke's marker, filled or as an outline.
    pub fn marker(&mut self, at: At, stroke: Stroke, radius: f64, filled: bool) {
        let colour = opaque(stroke.colour, 1.0);
        if stroke.marker == Marker::Circle {
            self.0.push(Mark::Disc { at, radius, colour, filled });
            return;
        }
        for line in outline(stroke.marker, at, radius) {
            let closed = line.len() > 2;
            if filled && closed {
                self.closed(line.clone(), colour);
            }
            let edge = if closed { line.iter().chain(&line[..1]).copied().collect() } else { line };
            self.open(edge, colour, 1.5);
        }
    }
}

/// The lines of a marker of other than round shape; those of more than two points are closed.
fn outline(marker: Marker, (x, y): At, r: f64) -> Vec<Vec<At>> {
    let shape = |corners: &[(f64, f64)]| corners.iter().map(|(dx, dy)| (x + dx * r, y + dy * r)).collect();
    match marker {
        Marker::Circle | Marker::Square => vec![shape(&[(-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)])],
        Marker::Up => vec![shape(&[(0.0, -1.2), (1.1, 0.8), (-1.1, 0.8)])],
        Marker::Down => vec![shape(&[(0.0, 1.2), (1.1, -0.8), (-1.1, -0.8)])],
        Marker::Diamond => vec![shape(&[(0.0, -1.3), (1.3, 0.0), (0.0, 1.3), (-1.3, 0.0)])],
        Marker::Plus => vec![shape(&[(-1.2, 0.0), (1.2, 0.0)]), shape(&[(0.0, -1.2), (0.0, 1.2)])],
        Marker::Right => vec![shape(&[(1.2, 0.0), (-0.8, 1.1), (-0.8, -1.1)])],
        Marker::Bowtie => vec![shape(&[(-1.2, -0.9), (1.2, 0.9), (1.2, -0.9), (-1.2, 0.9)])],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::picture::palette::of_rule;

    #[test]
    fn marks_are_cut_off_at_their_frame_and_text_is_escaped() {
        let mut canvas = Canvas::new(100.0, 50.5);
        canvas.text((1.0, 2.0), "A & <B>", 10.0, WHITE, Anchor::End);
        canvas.within(Frame { left: 1.0, top: 0.0, right: 9.0, bottom: 8.0 }, |layer| {
            layer.curve(&[(0.0, 3.0), (20.0, 3.0)], of_rule("bp"));
            layer.marker((30.0, 3.0), of_rule("bp"), 2.0, true);
        });
        let text = canvas.finish();
        for part in ["width=\"100\" height=\"51\"", "viewBox=\"0 0 1000 510\"", "A &amp; &lt;B", "10,30 90,30"] {
            assert!(text.contains(part), "no {part} in {text}");
        }
        assert!(!text.contains("<circle"), "{text}");
    }

    #[test]
    fn what_is_filled_keeps_its_corners() {
        let mut layer = Layer::default();
        // Bands of two points, and bowties: four corners that are no rectangle.
        layer.area(&[(0.0, 1.0), (5.0, 2.0), (5.0, 8.0), (0.0, 3.0)], WHITE);
        let Stroke { colour, dash, .. } = of_rule("bp");
        layer.marker((20.0, 20.0), Stroke { colour, dash, marker: Marker::Bowtie }, 10.0, true);
        let text = Canvas { marks: layer, size: (40, 40) }.finish();
        for corners in ["0,10 50,20 50,80 0,30", "80,110 320,290 320,110 80,290"] {
            assert!(text.contains(corners), "no {corners} in {text}");
        }
    }

    #[test]
    fn every_marker_has_a_shape_of_its_own() {
        use Marker::*;
        let shapes = [Square, Up, Down, Diamond, Plus, Right, Bowtie].map(|marker| outline(marker, (0.0, 0.0), 3.0));
        (0..shapes.len()).for_each(|i| assert!(!shapes[..i].contains(&shapes[i])));
    }
}
