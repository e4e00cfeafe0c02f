//! An SVG that grows by marks, in pixels from its upper left corner.

use super::colour::{Colour, WHITE};
use super::font::FAMILY;
use super::stroke::{Marker, Stroke};
use svg::node::element::{Circle, ClipPath, Definitions, Group, Line, Path, Polygon, Polyline, Rectangle, Text};
use svg::{Document, Node};

/// A place in pixels.
pub type At = (f64, f64);

/// A picture that is drawn.
pub struct Canvas {
    document: Document,
    /// Width and height.
    pub size: (u32, u32),
    clips: usize,
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

/// A rectangle.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Frame {
    /// Left edge.
    pub left: f64,
    /// Upper edge.
    pub top: f64,
    /// Right edge.
    pub right: f64,
    /// Lower edge.
    pub bottom: f64,
}

/// A hundredth of a pixel is nothing that anybody sees.
fn short(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

fn listed(points: &[At]) -> String {
    let one = |(x, y): &At| format!("{},{}", short(*x), short(*y));
    points.iter().map(one).collect::<Vec<_>>().join(" ")
}

impl Canvas {
    /// A white one.
    pub fn new(width: f64, height: f64) -> Self {
        let size = (width.ceil() as u32, height.ceil() as u32);
        let paper = Rectangle::new().set("width", size.0).set("height", size.1).set("fill", WHITE.to_string());
        let document = Document::new()
            .set("width", size.0)
            .set("height", size.1)
            .set("viewBox", (0, 0, size.0, size.1))
            .set("font-family", FAMILY)
            .add(paper);
        Self { document, size, clips: 0 }
    }

    /// The SVG's text.
    pub fn finish(self) -> String {
        self.document.to_string() + "\n"
    }

    /// A straight line.
    pub fn line(&mut self, from: At, to: At, colour: Colour, width: f64) {
        self.document.append(straight(from, to, colour, width));
    }

    /// A straight line of dots.
    pub fn dots(&mut self, from: At, to: At, colour: Colour) {
        self.document.append(straight(from, to, colour, 1.0).set("stroke-dasharray", "1 3"));
    }

    /// A filled rectangle with an edge.
    pub fn cell(&mut self, frame: Frame, fill: Colour, edge: Colour) {
        let cell = Rectangle::new()
            .set("x", short(frame.left))
            .set("y", short(frame.top))
            .set("width", short(frame.right - frame.left))
            .set("height", short(frame.bottom - frame.top))
            .set("fill", fill.to_string())
            .set("stroke", edge.to_string());
        self.document.append(cell);
    }

    /// Words, their middle at the height of `at`.
    pub fn text(&mut self, at: At, words: &str, size: f64, colour: Colour, anchor: Anchor) {
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        // Digits and capitals of the font are 0.73 of its size high.
        let text = Text::new(words)
            .set("x", short(at.0))
            .set("y", short(at.1 + 0.365 * size))
            .set("font-size", size)
            .set("fill", colour.to_string())
            .set("text-anchor", anchor);
        self.document.append(text);
    }

    /// What `draw` puts into a layer, cut off at `frame`.
    pub fn within(&mut self, frame: Frame, draw: impl FnOnce(&mut Layer)) {
        let id = format!("panel{}", self.clips);
        self.clips += 1;
        let hole = Rectangle::new()
            .set("x", short(frame.left))
            .set("y", short(frame.top))
            .set("width", short(frame.right - frame.left))
            .set("height", short(frame.bottom - frame.top));
        self.document.append(Definitions::new().add(ClipPath::new().set("id", id.clone()).add(hole)));
        let mut layer = Layer(Group::new().set("clip-path", format!("url(#{id})")));
        draw(&mut layer);
        self.document.append(layer.0);
    }

    /// A piece of a line with its marker, as a legend has it.
    pub fn swatch(&mut self, at: At, length: f64, stroke: Stroke) {
        let mut layer = Layer(Group::new());
        layer.curve(&[at, (at.0 + length, at.1)], stroke);
        layer.marker((at.0 + length / 2.0, at.1), stroke, 3.5, true);
        self.document.append(layer.0);
    }
}

fn straight(from: At, to: At, colour: Colour, width: f64) -> Line {
    Line::new()
        .set("x1", short(from.0))
        .set("y1", short(from.1))
        .set("x2", short(to.0))
        .set("y2", short(to.1))
        .set("stroke", colour.to_string())
        .set("stroke-width", width)
}

fn through(points: &[At], colour: Colour, width: f64) -> Polyline {
    Polyline::new()
        .set("points", listed(points))
        .set("fill", "none")
        .set("stroke", colour.to_string())
        .set("stroke-width", width)
        .set("stroke-linejoin", "round")
}

/// Marks in the frame of a panel.
pub struct Layer(Group);

impl Layer {
    /// A straight line that is not quite opaque.
    pub fn thin(&mut self, from: At, to: At, colour: Colour) {
        self.0.append(straight(from, to, colour, 1.0).set("opacity", 0.65));
    }

    /// A bar's lines.
    pub fn bar(&mut self, from: At, to: At, colour: Colour) {
        self.0.append(straight(from, to, colour, 1.25));
    }

    /// A line through `points`.
    pub fn curve(&mut self, points: &[At], stroke: Stroke) {
        let curve = through(points, stroke.colour, 2.0);
        self.0.append(match stroke.dash.pattern() {
            Some(pattern) => curve.set("stroke-dasharray", pattern),
            None => curve,
        });
    }

    /// A wide and pale line through `points`, which is seen at both sides of one that lies on it.
    pub fn halo(&mut self, points: &[At], colour: Colour, width: f64) {
        self.0.append(through(points, colour, width).set("opacity", 0.4));
    }

    /// A light area.
    pub fn area(&mut self, points: &[At], colour: Colour) {
        self.0
            .append(Polygon::new().set("points", listed(points)).set("fill", colour.to_string()).set("opacity", 0.14));
    }

    /// A saltire of theory.
    pub fn saltire(&mut self, (x, y): At, colour: Colour) {
        let r = 5.0;
        let path = format!("M{},{}L{},{}M{},{}L{},{}", x - r, y - r, x + r, y + r, x - r, y + r, x + r, y - r);
        self.0.append(Path::new().set("d", path).set("stroke", colour.to_string()).set("stroke-width", 1));
    }

    /// The stroke's marker, filled or as an outline.
    pub fn marker(&mut self, at: At, stroke: Stroke, radius: f64, filled: bool) {
        let (x, y) = (short(at.0), short(at.1));
        let (colour, fill) =
            (stroke.colour.to_string(), if filled { stroke.colour.to_string() } else { "none".into() });
        if stroke.marker == Marker::Circle {
            let disc = Circle::new().set("cx", x).set("cy", y).set("r", radius);
            self.0.append(disc.set("fill", fill).set("stroke", colour).set("stroke-width", 1.5));
        } else {
            let path = Path::new().set("d", outline(stroke.marker, x, y, radius));
            self.0.append(path.set("fill", fill).set("stroke", colour).set("stroke-width", 1.5));
        }
    }
}

/// A marker of other than round shape as a path.
fn outline(marker: Marker, x: f64, y: f64, r: f64) -> String {
    let at = |dx: f64, dy: f64| format!("{},{}", short(x + dx * r), short(y + dy * r));
    let shape = |corners: &[(f64, f64)]| {
        let corners: Vec<String> = corners.iter().map(|(dx, dy)| at(*dx, *dy)).collect();
        format!("M{}Z", corners.join("L"))
    };
    match marker {
        Marker::Circle | Marker::Square => shape(&[(-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)]),
        Marker::Up => shape(&[(0.0, -1.2), (1.1, 0.8), (-1.1, 0.8)]),
        Marker::Down => shape(&[(0.0, 1.2), (1.1, -0.8), (-1.1, -0.8)]),
        Marker::Diamond => shape(&[(0.0, -1.3), (1.3, 0.0), (0.0, 1.3), (-1.3, 0.0)]),
        Marker::Plus => format!("M{}L{}M{}L{}", at(-1.2, 0.0), at(1.2, 0.0), at(0.0, -1.2), at(0.0, 1.2)),
        Marker::Right => shape(&[(1.2, 0.0), (-0.8, 1.1), (-0.8, -1.1)]),
        Marker::Bowtie => shape(&[(-1.2, -0.9), (1.2, 0.9), (1.2, -0.9), (-1.2, 0.9)]),
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
        canvas.within(Frame { left: 1.0, top: 2.0, right: 9.0, bottom: 8.0 }, |layer| {
            layer.curve(&[(0.0, 0.0), (20.0, 1.0 / 3.0)], of_rule("fa"));
        });
        let text = canvas.finish();
        for part in ["height=\"51\"", "A &amp; &lt;B", "0,0 20,0.33", "clip-path=\"url(#panel0)\"", "stroke-dasharray"]
        {
            assert!(text.contains(part), "no {part} in {text}");
        }
    }

    #[test]
    fn every_marker_has_a_shape_of_its_own() {
        use Marker::*;
        let shapes = [Square, Up, Down, Diamond, Plus, Right, Bowtie].map(|marker| outline(marker, 0.0, 0.0, 3.0));
        (0..shapes.len()).for_each(|i| assert!(!shapes[..i].contains(&shapes[i])));
    }
}
