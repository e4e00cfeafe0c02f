//! What tells one row's line from another's: colour, dash and marker. The rule decides all three
//! (`palette.rs`); its variants differ in shade, dash and marker.

use super::colour::Colour;
use super::palette::of_rule;

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
const DASHES: [Dash; 5] = [Dash::Solid, Dash::Dashed, Dash::Dotted, Dash::Mixed, Dash::Long];

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
    /// The rule's stroke for its variant `index`, counted from 0, the rule itself. All of the first fifteen differ in
    /// shade or dash.
    pub fn variant(rule: &str, index: usize) -> Self {
        let own = of_rule(rule);
        let colour = match index % SHADES {
            0 => own.colour,
            1 => own.colour.lighter(0.4),
            _ => own.colour.darker(0.35),
        };
        // Black has no darker shade.
        let colour = if index % SHADES == 2 && colour == own.colour { own.colour.lighter(0.25) } else { colour };
        Self { colour, dash: after(&DASHES, own.dash, index), marker: after(&MARKERS, own.marker, index) }
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

/// The place of a title among its rule's variants: those of the register in their order, `SLLi+` by its `i` after them.
fn preferred(rule: &str, title: &str) -> usize {
    let variants: Vec<&str> =
        baselines::rules().iter().filter(|info| info.settings.name() == rule).map(|info| info.title).collect();
    let units = title.trim_end_matches('+').trim_start_matches(|c: char| !c.is_ascii_digit()).parse::<usize>();
    match variants.iter().position(|variant| *variant == title) {
        Some(place) => place,
        None => variants.len() + units.unwrap_or(0) % DASHES.len(),
    }
}

/// A stroke for each of the rows of one figure, given their rules' names in specs and their titles: a rule's own where
/// it can be, and no stroke twice.
pub fn strokes<'a>(rows: impl IntoIterator<Item = (&'a str, &'a str)>) -> Vec<Stroke> {
    let mut taken: Vec<Stroke> = Vec::new();
    for (rule, title) in rows {
        let first = preferred(rule, title);
        // More variants of a rule than there are strokes share them from there on.
        let free = (first..first + SHADES * DASHES.len() * MARKERS.len()).map(|index| Stroke::variant(rule, index));
        let own = Stroke::variant(rule, first);
        taken.push(free.into_iter().find(|stroke| !taken.contains(stroke)).unwrap_or(own));
    }
    taken
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_entry_of_the_register_has_a_stroke_of_its_own_wherever_it_stands() {
        let all = || baselines::rules().iter().map(|info| (info.settings.name(), info.title));
        let together = strokes(all());
        for (index, (rule, title)) in all().enumerate() {
            assert!(!together[..index].contains(&together[index]), "{title} has another's stroke");
            assert_eq!(strokes([(rule, title)])[0], together[index], "{title} alone looks otherwise");
        }
    }

    #[test]
    fn a_rule_keeps_its_colour_whoever_is_beside_it_and_its_like_differ() {
        let blue = of_rule("sll").colour;
        let figure = strokes([("bp", "BP"), ("sll", "SLL"), ("sll", "SLL2+"), ("sll", "SLL"), ("sll", "SLL7+")]);
        assert_eq!((figure[0], figure[1]), (of_rule("bp"), of_rule("sll")));
        assert_eq!(figure[1].colour, blue);
        for index in 0..figure.len() {
            assert!(!figure[..index].contains(&figure[index]), "{figure:?}");
        }
    }

    #[test]
    fn fifteen_variants_of_a_rule_differ_in_what_a_line_shows() {
        for (rule, _) in baselines::rules().iter().map(|info| (info.settings.name(), info.title)) {
            let lines: Vec<_> = (0..15).map(|index| Stroke::variant(rule, index)).map(|s| (s.colour, s.dash)).collect();
            (0..15).for_each(|i| assert!(!lines[..i].contains(&lines[i]), "{rule}: {i}"));
        }
    }

    #[test]
    fn parts_go_from_light_to_the_rows_own_colour() {
        let own = of_rule("sll");
        let parts: Vec<Stroke> = (0..3).map(|part| own.part(part, 3)).collect();
        assert!(parts[0].colour.0 > parts[1].colour.0 && parts[2].colour == own.colour);
        assert!(parts[0].dash != parts[1].dash && parts[1].dash != parts[2].dash);
    }
}
