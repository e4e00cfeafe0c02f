//! What tells one row's line from another's.

use plotters::style::{Color, RGBColor, ShapeStyle};

/// Okabe and Ito's colours, which the colour-blind can tell apart, without yellow, which white paper swallows.
const COLOURS: [RGBColor; 7] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(0, 0, 0),
    RGBColor(86, 180, 233),
    RGBColor(230, 159, 0),
];

/// Rows beyond the colours start over with dashes.
pub struct Stroke {
    /// Its colour.
    pub colour: RGBColor,
    /// Length of its dashes in pixels, unless it is whole.
    pub dash: Option<i32>,
}

impl Stroke {
    /// Of the row `index`.
    pub fn of(index: usize) -> Self {
        Self { colour: COLOURS[index % COLOURS.len()], dash: (index / COLOURS.len() % 2 == 1).then_some(8) }
    }

    /// For plotters.
    pub fn style(&self) -> ShapeStyle {
        self.colour.stroke_width(2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_beyond_the_colours_are_dashed() {
        assert_eq!((Stroke::of(6).dash, Stroke::of(7).dash), (None, Some(8)));
    }
}
