//! Square panels in lines and columns under one heading: clouds of points by class, or tiles of an image's values.

use super::canvas::{Anchor, Canvas};
use super::colour::{Colour, FAINT, GREY, INK, WHITE};
use super::frame::Frame;
use super::heading::Heading;
use super::layout::{MARGIN, REMARK, SUBTITLE, TITLE};
use super::palette::of_class;
use super::stroke::{Dash, Marker, Stroke};

/// Pixels.
const SIDE: f64 = 190.0;
const GAP: f64 = 12.0;
/// Room over a panel for its name and what is said of it.
const HEAD: f64 = 32.0;
/// Between tiles, as a share of a tile.
const BETWEEN: f64 = 0.12;
/// Radius of a point.
const POINT: f64 = 2.0;

/// A sheet of panels.
#[derive(Clone, Debug, Default)]
pub struct Sheet {
    /// Over it.
    pub title: String,
    /// Below the title and smaller.
    pub subtitle: String,
    /// Panels in a line.
    pub across: usize,
    /// Line by line.
    pub panels: Vec<Panel>,
}

/// A panel.
#[derive(Clone, Debug)]
pub struct Panel {
    /// Over it.
    pub name: String,
    /// Below the name and smaller.
    pub remark: String,
    /// What is in it.
    pub content: Content,
}

/// What a panel shows.
#[derive(Clone, Debug)]
pub enum Content {
    /// Points between -1 and 1, each with its class.
    Points(Vec<([f64; 2], usize)>),
    /// Squares of `side` times `side` values between -1 and 1, of one channel (grey) or three (red, green, blue).
    Tiles {
        /// Values a side.
        side: usize,
        /// Tile by tile, value by value; the channels of each.
        tiles: Vec<Vec<[f64; 3]>>,
    },
}

impl Sheet {
    /// The picture as SVG; none without a panel.
    pub fn svg(&self) -> Option<String> {
        let across = self.across.clamp(1, self.panels.len().max(1));
        let width = 2.0 * MARGIN + across as f64 * (SIDE + GAP) - GAP;
        let heading = Heading::new([(self.title.clone(), TITLE), (self.subtitle.clone(), SUBTITLE)], width);
        let top = heading.bottom();
        let lines = self.panels.len().div_ceil(across);
        let mut canvas = Canvas::new(width, top + lines as f64 * (HEAD + SIDE + GAP) + MARGIN);
        heading.draw(&mut canvas);
        for (index, panel) in self.panels.iter().enumerate() {
            let left = MARGIN + (index % across) as f64 * (SIDE + GAP);
            let above = top + (index / across) as f64 * (HEAD + SIDE + GAP);
            canvas.text((left, above + 10.0), &panel.name, SUBTITLE, INK, Anchor::Start);
            canvas.text((left, above + 23.0), &panel.remark, REMARK, GREY, Anchor::Start);
            let frame = Frame { left, top: above + HEAD, right: left + SIDE, bottom: above + HEAD + SIDE };
            panel.content.draw(&mut canvas, frame);
        }
        (!self.panels.is_empty()).then(|| canvas.finish())
    }
}

impl Content {
    fn draw(&self, canvas: &mut Canvas, frame: Frame) {
        match self {
            Content::Points(points) => {
                canvas.cell(frame, WHITE, FAINT);
                let half = SIDE / 2.0 - 2.0 * POINT;
                let middle = ((frame.left + frame.right) / 2.0, (frame.top + frame.bottom) / 2.0);
                canvas.within(frame, |layer| {
                    for ([x, y], class) in points {
                        let stroke = Stroke { colour: of_class(*class), dash: Dash::Solid, marker: Marker::Circle };
                        layer.marker((middle.0 + half * x, middle.1 - half * y), stroke, POINT, true);
                    }
                });
            }
            Content::Tiles { side, tiles } => {
                let across = (tiles.len() as f64).sqrt().ceil().max(1.0);
                let (tile, side) = (SIDE / across, (*side).max(1));
                let dot = tile * (1.0 - BETWEEN) / side as f64;
                for (index, values) in tiles.iter().enumerate() {
                    let left = frame.left + tile * (index as f64 % across);
                    let top = frame.top + tile * (index as f64 / across).floor();
                    for (place, value) in values.iter().enumerate() {
                        let (x, y) = (left + dot * (place % side) as f64, top + dot * (place / side) as f64);
                        let colour = shade(*value);
                        canvas.cell(Frame { left: x, top: y, right: x + dot, bottom: y + dot }, colour, colour);
                    }
                }
            }
        }
    }
}

/// -1 is black, 0 is grey, 1 is white, channel by channel.
fn shade(value: [f64; 3]) -> Colour {
    let [r, g, b] = value.map(|x| (127.5 * (1.0 + x.clamp(-1.0, 1.0))).round() as u8);
    Colour(r, g, b)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn panel(name: &str, content: Content) -> Panel {
        Panel { name: name.into(), remark: "scatter 0.5".into(), content }
    }

    #[test]
    fn points_have_their_classes_colours_and_every_panel_its_name() {
        let points = vec![([-1.0, 1.0], 0), ([1.0, -1.0], 1), ([0.0, 0.0], 1)];
        let panels = vec![panel("h", Content::Points(points.clone())), panel("v", Content::Points(points))];
        let sheet = Sheet { title: "Figure 3".into(), subtitle: "n=1".into(), across: 2, panels };
        let svg = sheet.svg().unwrap();
        assert_eq!(svg.matches("<circle").count(), 6);
        for (class, times) in [(0, 2), (1, 4)] {
            assert_eq!(svg.matches(&of_class(class).to_string()).count(), times, "{svg}");
        }
        for part in ["Figure 3", "n=1", ">\nh\n<", ">\nv\n<", "scatter 0.5"] {
            assert!(svg.contains(part), "no {part:?} in {svg}");
        }
    }

    #[test]
    fn tiles_go_from_black_to_white() {
        assert_eq!(
            (shade([-1.0; 3]), shade([0.0; 3]), shade([1.0, -1.0, 9.0])),
            (Colour(0, 0, 0), Colour(128, 128, 128), Colour(255, 0, 255))
        );
        let tiles = Content::Tiles { side: 2, tiles: vec![vec![[1.0; 3], [-1.0; 3], [0.5; 3], [0.0; 3]]; 3] };
        let sheet = Sheet { across: 1, panels: vec![panel("SLL", tiles)], ..Sheet::default() };
        let svg = sheet.svg().unwrap();
        // An area and its edge each.
        assert_eq!(svg.matches(&Colour(0, 0, 0).to_string()).count(), 6, "{svg}");
    }

    #[test]
    fn nothing_is_drawn_of_nothing() {
        assert_eq!(Sheet::default().svg(), None);
    }
}
