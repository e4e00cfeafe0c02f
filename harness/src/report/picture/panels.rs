//! Which lines share a panel: one that is far from all others has a panel of its own, so that it does not flatten them.

/// A second panel is worth its room where the rest then takes up at most this share of the whole range.
const FLAT: f64 = 0.3;

/// Lines by their indices, in one panel or in two.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Panels {
    /// Most of the lines.
    pub main: Vec<usize>,
    /// Those that are far off, if there are any.
    pub far: Vec<usize>,
    /// Whether they lie below the others.
    pub below: bool,
}

impl Panels {
    /// One for all of `lines` lines.
    pub fn one(lines: usize) -> Self {
        Self { main: (0..lines).collect(), far: Vec::new(), below: true }
    }
}

/// Panels for lines that range from the first to the second place each.
pub fn split(ranges: &[(f64, f64)]) -> Panels {
    let whole = || Panels::one(ranges.len());
    let span = |members: &[usize]| {
        let low = members.iter().map(|i| ranges[*i].0).fold(f64::INFINITY, f64::min);
        let high = members.iter().map(|i| ranges[*i].1).fold(f64::NEG_INFINITY, f64::max);
        (low, high)
    };
    let everything = span(&whole().main);
    let mut best: Option<(f64, Panels)> = None;
    for below in [true, false] {
        let mut order = whole().main;
        order.sort_by(|a, b| match below {
            true => ranges[*a].1.total_cmp(&ranges[*b].1),
            false => ranges[*b].0.total_cmp(&ranges[*a].0),
        });
        // The message of two lines is how far they are apart.
        for count in 1..=ranges.len() / 3 {
            let (far, main) = order.split_at(count);
            let ((far_low, far_high), (low, high)) = (span(far), span(main));
            let apart = if below { low > far_high } else { far_low > high };
            let share = (high - low) / (everything.1 - everything.0);
            if apart && share <= FLAT && best.as_ref().is_none_or(|(least, _)| share < 0.5 * least) {
                let (mut main, mut far) = (main.to_vec(), far.to_vec());
                main.sort_unstable();
                far.sort_unstable();
                best = Some((share, Panels { main, far, below }));
            }
        }
    }
    best.map_or_else(whole, |(_, panels)| panels)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_rule_at_chance_has_a_panel_of_its_own() {
        let ranges = [(95.0, 98.5), (9.8, 11.3), (94.0, 98.4), (96.0, 98.6)];
        assert_eq!(split(&ranges), Panels { main: vec![0, 2, 3], far: vec![1], below: true });
        let upside_down: Vec<_> = ranges.iter().map(|(low, high)| (-high, -low)).collect();
        assert_eq!(split(&upside_down), Panels { main: vec![0, 2, 3], far: vec![1], below: false });
    }

    #[test]
    fn lines_that_fill_the_range_or_are_two_stay_together() {
        for ranges in [
            vec![(10.0, 90.0), (12.0, 95.0), (11.0, 92.0)],
            vec![(1.0, 2.0), (90.0, 91.0)],
            vec![(5.0, 5.0); 4],
            vec![],
        ] {
            assert_eq!(split(&ranges).far, [0; 0], "{ranges:?}");
        }
    }

    #[test]
    fn no_more_lines_are_set_apart_than_it_takes() {
        let ranges = [(10.0, 11.0), (90.0, 91.0), (92.0, 93.0), (94.0, 95.0), (96.0, 97.0), (95.0, 98.0), (96.0, 98.0)];
        assert_eq!(split(&ranges).far, [0]);
    }
}
