//! Which colour, dash and marker a rule has in every figure: the one list. Colours are Okabe and Ito's and, for the
//! rules that come up less, Tol's muted ones, which the colour-blind can tell apart; where two of them come close, dash
//! and marker tell their rules from each other.

use super::colour::Colour;
use super::stroke::{Dash, Marker, Stroke};
use Dash::{Dashed, Dotted, Long, Mixed, Solid};
use Marker::{Bowtie, Circle, Diamond, Down, Plus, Right, Square, Up};

/// By the name in specs.
const RULES: &[(&str, Colour, Dash, Marker)] = &[
    ("bp", Colour(0, 0, 0), Solid, Circle),
    ("bp-checkpoint", Colour(110, 110, 110), Dashed, Square),
    ("bp-fused", Colour(150, 150, 150), Long, Right),
    ("shallow", Colour(187, 187, 187), Solid, Down),
    ("fa", Colour(213, 94, 0), Dashed, Up),
    ("dfa", Colour(230, 159, 0), Solid, Square),
    ("dkp", Colour(204, 102, 119), Mixed, Diamond),
    ("drtp", Colour(170, 68, 153), Dotted, Down),
    ("dtp", Colour(140, 81, 10), Long, Diamond),
    ("pepita", Colour(204, 121, 167), Solid, Down),
    ("sp", Colour(0, 158, 115), Solid, Up),
    ("softhebb", Colour(153, 153, 51), Dashed, Bowtie),
    ("sgr", Colour(51, 34, 136), Mixed, Square),
    ("lls", Colour(136, 34, 85), Long, Diamond),
    ("similarity", Colour(68, 170, 153), Dashed, Plus),
    ("ff", Colour(17, 119, 51), Dashed, Right),
    ("lc-ff", Colour(120, 150, 30), Dotted, Plus),
    ("tff", Colour(86, 180, 233), Dotted, Bowtie),
    ("df", Colour(191, 129, 45), Mixed, Right),
    ("sll", Colour(0, 114, 178), Solid, Circle),
];

/// Of rules that have no line above, in the register's order.
const SPARE: [Colour; 4] = [Colour(221, 204, 119), Colour(150, 60, 40), Colour(100, 100, 200), Colour(0, 90, 90)];

/// The rule's own stroke.
pub fn of_rule(name: &str) -> Stroke {
    match RULES.iter().find(|(rule, ..)| *rule == name) {
        Some(&(_, colour, dash, marker)) => Stroke { colour, dash, marker },
        None => Stroke { colour: SPARE[unlisted(name) % SPARE.len()], dash: Mixed, marker: Bowtie },
    }
}

/// The rule's place among those that have no line.
fn unlisted(name: &str) -> usize {
    let mut names: Vec<&str> = baselines::rules().iter().map(|info| info.settings.name()).collect();
    names.dedup();
    names.retain(|name| !RULES.iter().any(|(rule, ..)| rule == name));
    names.iter().position(|other| *other == name).unwrap_or(names.len())
}

/// The stroke of what is no rule, like a part of a total: greys, `index` by `index`.
pub fn of_part(index: usize) -> Stroke {
    let colour = Colour(60, 60, 60).lighter(0.25 * (index % 3) as f64);
    Stroke { colour, dash: [Dotted, Mixed, Long][index % 3], marker: [Plus, Bowtie, Right][index % 3] }
}

/// Ten that the colour-blind can mostly tell apart: Okabe and Ito's, and two of Tol's.
const CLASSES: [Colour; 10] = [
    Colour(0, 0, 0),
    Colour(230, 159, 0),
    Colour(86, 180, 233),
    Colour(0, 158, 115),
    Colour(240, 228, 66),
    Colour(0, 114, 178),
    Colour(213, 94, 0),
    Colour(204, 121, 167),
    Colour(136, 34, 85),
    Colour(153, 153, 153),
];

/// The colour of a class's points; from ten classes on, the same again, lighter.
pub fn of_class(class: usize) -> Colour {
    let round = class / CLASSES.len();
    CLASSES[class % CLASSES.len()].lighter(0.3 * (round % 3) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Machado, Oliveira and Fernandes 2009, severity 1, on linear light: protanopia, deuteranopia, tritanopia.
    const BLINDNESS: [[[f64; 3]; 3]; 3] = [
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
    ];

    fn linear(colour: Colour) -> [f64; 3] {
        [colour.0, colour.1, colour.2].map(|channel| {
            let share = f64::from(channel) / 255.0;
            if share <= 0.04045 { share / 12.92 } else { ((share + 0.055) / 1.055).powf(2.4) }
        })
    }

    fn product(matrix: &[[f64; 3]; 3], of: [f64; 3]) -> [f64; 3] {
        matrix.map(|row| row.iter().zip(of).map(|(a, b)| a * b).sum())
    }

    /// CIE L*a*b* of linear light, D65.
    fn lab(light: [f64; 3]) -> [f64; 3] {
        let to_xyz = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]];
        let xyz = product(&to_xyz, light.map(|channel| channel.clamp(0.0, 1.0)));
        let f = |t: f64| if t > 0.008856 { t.cbrt() } else { 7.787 * t + 16.0 / 116.0 };
        let [x, y, z] = [f(xyz[0] / 0.9505), f(xyz[1]), f(xyz[2] / 1.089)];
        [116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z)]
    }

    /// The least distance that two colours have for any of four kinds of eyes; about 2 is just seen side by side.
    fn apart(a: Colour, b: Colour) -> f64 {
        let distance =
            |a: [f64; 3], b: [f64; 3]| lab(a).iter().zip(lab(b)).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt();
        let (a, b) = (linear(a), linear(b));
        let blind = BLINDNESS.iter().map(|eye| distance(product(eye, a), product(eye, b)));
        blind.fold(distance(a, b), f64::min)
    }

    #[test]
    fn every_rule_of_the_register_has_a_colour_of_its_own() {
        let mut names: Vec<&str> = baselines::rules().iter().map(|info| info.settings.name()).collect();
        names.dedup();
        for (index, name) in names.iter().enumerate() {
            let own = of_rule(name).colour;
            let taken = names[..index].iter().any(|other| of_rule(other).colour == own);
            assert!(!taken, "`{name}` has another's colour: it needs a line in palette.rs");
        }
        RULES.iter().for_each(|(rule, ..)| assert!(names.contains(rule), "`{rule}` in palette.rs is no rule's name"));
    }

    #[test]
    fn colours_that_come_close_for_some_eyes_differ_in_dash_and_marker() {
        for (index, a) in RULES.iter().enumerate() {
            for b in &RULES[..index] {
                let told = a.2 != b.2 && a.3 != b.3;
                assert!(told || apart(a.1, b.1) > 12.0, "{} and {}: {}", a.0, b.0, apart(a.1, b.1));
            }
        }
    }

    #[test]
    fn the_rules_of_the_papers_first_table_are_told_apart_by_colour_alone() {
        let names = ["bp", "dtp", "fa", "dfa", "pepita", "sp", "sll"];
        for (index, a) in names.iter().enumerate() {
            for b in &names[..index] {
                let distance = apart(of_rule(a).colour, of_rule(b).colour);
                assert!(distance > 9.0, "{a} and {b}: {distance}");
            }
        }
    }
}
