//! A stroke for each row of a figure.

use super::palette::of_rule;
use super::stroke::{DASHES, Stroke};

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
        let free = (first..first + Stroke::VARIANTS).map(|index| of_rule(rule).variant(index));
        let own = of_rule(rule).variant(first);
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
            let lines: Vec<_> = (0..15).map(|index| of_rule(rule).variant(index)).map(|s| (s.colour, s.dash)).collect();
            (0..15).for_each(|i| assert!(!lines[..i].contains(&lines[i]), "{rule}: {i}"));
        }
    }
}
