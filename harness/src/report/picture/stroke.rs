//! What tells one row's line from another's: colour, dash and marker. The rule decides all three
//! (`palette.rs`); its variants differ in shade, dash and marker (`variants.rs`).

use super::colour::Colour;

/// How a line is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dash {
    /// Not at all.
    Solid,
    /// Dashes.
    Dashed,
    /// Dots.
    Dotted,
    /// Dash and dot in turns.
    Mixed,
    /// Long dashes.
    Long,
}

/// All of them, in the order in which variants of a rule take them.
pub(super) const DASHES: [Dash; 5] = [Dash::Solid, Dash::Dashed, Dash::Dotted, Dash::Mixed, Dash::Long];

impl Dash {
    /// Pixels drawn and left out in turns; none of a whole line.
    pub fn pattern(self) -> Option<&'static [f64]> {
        match self {
            Dash::Solid => None,
            Dash::Dashed => Some(&[7.0, 4.0]),
            Dash::Dotted => Some(&[2.0, 3.0]),
            Dash::Mixed => Some(&[8.0, 3.0, 2.0, 3.0]),
            Dash::Long => Some(&[14.0, 4.0]),
        }
    }
}

/// What stands at a point. A diagonal cross is none: those are of theory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Marker {
    /// A disc.
    Circle,
    /// A square on its side.
    Square,
    /// A triangle that points up.
    Up,
    /// A triangle that points down.
    Down,
    /// A square on its corner.
    Diamond,
    /// An upright cross.
    Plus,
    /// A triangle that points to the right.
    Right,
    /// Two triangles that meet at their tips.
    Bowtie,
}

/// All of them, in the order in which variants of a rule take them.
const MARKERS: [Marker; 8] = [
    Marker::Circle,
    Marker::Square,
    Marker::Up,
    Marker::Down,
    Marker::Diamond,
    Marker::Plus,
    Marker::Right,
    Marker::Bowtie,
];

/// How a row is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stroke {
    /// Its colour.
    pub colour: Colour,
    /// How its line is broken.
    pub dash: Dash,
    /// What stands at its points.
    pub marker: Marker,
}

/// Shades of a rule's colour that its variants take in turns.
const SHADES: usize = 3;

fn after<T: Copy + PartialEq>(all: &[T], one: T, steps: usize) -> T {
    let place = all.iter().position(|other| *other == one).unwrap_or(0);
    all[(place + steps) % all.len()]
}

impl Stroke {
    /// How many variants differ.
    pub(super) const VARIANTS: usize = SHADES * DASHES.len() * MARKERS.len();

    /// The stroke of a rule's variant `index`, counted from 0, the rule itself. All of the first fifteen differ in
    /// shade or dash.
    #[must_use]
    pub fn variant(self, index: usize) -> Self {
        let colour = match index % SHADES {
            0 => self.colour,
            1 => self.colour.lighter(0.4),
            _ => self.colour.darker(0.35),
        };
        // Black has no darker shade.
        let colour = if index % SHADES == 2 && colour == self.colour { self.colour.lighter(0.25) } else { colour };
        Self { colour, dash: after(&DASHES, self.dash, index), marker: after(&MARKERS, self.marker, index) }
    }

    /// The same for part `part` of `parts`, like a layer: from light to the stroke's own colour, in other dashes.
    #[must_use]
    pub fn part(self, part: usize, parts: usize) -> Self {
        let left = parts.saturating_sub(part + 1) as f64 / parts.max(1) as f64;
        Self {
            colour: self.colour.lighter(0.55 * left),
            dash: after(&DASHES, self.dash, part),
            marker: after(&MARKERS, self.marker, part),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_go_from_light_to_the_rows_own_colour() {
        let own = Stroke { colour: Colour(0, 114, 178), dash: Dash::Solid, marker: Marker::Circle };
        let parts: Vec<Stroke> = (0..3).map(|part| own.part(part, 3)).collect();
        assert!(parts[0].colour.0 > parts[1].colour.0 && parts[2].colour == own.colour);
        assert!(parts[0].dash != parts[1].dash && parts[1].dash != parts[2].dash);
    }
}
