//! Side axes: which values they show, how these are spaced, and where they have labels.

use crate::report::axis::round_ticks;

/// What a side axis shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// Accuracy in percent: where the best is near 100, spaced by the logarithm of the error.
    Percent,
    /// Any numbers, of either sign: as close to the points as can be.
    Any,
    /// Amounts: from 0, so that heights compare.
    Amount,
    /// Positive numbers over orders of magnitude: spaced by their logarithm.
    Log,
}

/// How values are spaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spacing {
    /// Evenly.
    Even,
    /// By `-log10(100 - y)`: from 90 to 99 as far as from 99 to 99.9.
    Error,
    /// By `log10(y)`.
    Log,
}

/// The best accuracy from which on errors are what is compared.
const NEAR: f64 = 90.0;
/// The least error that an axis of errors shows, percent: of 0 there is no logarithm.
const LEAST: f64 = 1e-3;

impl Spacing {
    /// How a scale is spaced whose values go up to `most`.
    pub fn of(scale: Scale, most: f64) -> Self {
        match scale {
            Scale::Percent if most >= NEAR => Spacing::Error,
            Scale::Log => Spacing::Log,
            _ => Spacing::Even,
        }
    }

    /// The height of `value`, in units of its own.
    pub fn place(self, value: f64) -> f64 {
        match self {
            Spacing::Even => value,
            Spacing::Error => -(100.0 - value).max(LEAST).log10(),
            Spacing::Log => value.max(f64::MIN_POSITIVE).log10(),
        }
    }

    fn value(self, place: f64) -> f64 {
        match self {
            Spacing::Even => place,
            Spacing::Error => 100.0 - 10f64.powf(-place),
            Spacing::Log => 10f64.powf(place),
        }
    }

    /// What the axis' label has to say.
    pub fn remark(self) -> &'static str {
        match self {
            Spacing::Even => "",
            Spacing::Error => "spaced by the logarithm of the error",
            Spacing::Log => "logarithmic",
        }
    }
}

/// The part of a side axis that a panel shows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Span {
    /// How it is spaced.
    pub spacing: Spacing,
    /// Places of its ends.
    pub low: f64,
    /// Above `low`.
    pub high: f64,
}

impl Span {
    /// From the value `low` to the value `high` and a little more; nothing that is drawn touches the frame.
    pub fn around(scale: Scale, spacing: Spacing, low: f64, high: f64) -> Self {
        let (from, to) = (spacing.place(low), spacing.place(high));
        let room = if to > from { 0.06 * (to - from) } else { least_room(spacing, high) };
        let (mut from, mut to) = (from - room, to + room);
        if scale == Scale::Amount && low >= 0.0 {
            from = 0.0;
        }
        if scale == Scale::Percent && spacing == Spacing::Even {
            (from, to) = (from.max(0.0), to.min(100.0).max(from.max(0.0) + 1e-6));
        }
        Self { spacing, low: from, high: to }
    }

    /// The height of `value` as a share of the panel, 0 at its foot.
    pub fn share(self, value: f64) -> f64 {
        (self.spacing.place(value) - self.low) / (self.high - self.low)
    }

    /// Whether `value` lies in it.
    pub fn holds(self, value: f64) -> bool {
        (0.0..=1.0).contains(&self.share(value))
    }

    /// Labels at round values, about `most`, none of them closer to another than two thirds of a `most`-th of the
    /// panel.
    pub fn ticks(self, most: usize) -> Vec<(f64, String)> {
        let (low, high) = (self.spacing.value(self.low), self.spacing.value(self.high));
        let nice = match self.spacing {
            Spacing::Even => Vec::new(),
            Spacing::Error => errors(low, high),
            Spacing::Log => powers(low, high),
        };
        let even = || round_ticks(low, high, most);
        let all = if nice.len() >= 4 { nice } else { even() };
        let mut kept: Vec<(f64, String)> = Vec::new();
        for (value, label) in all.into_iter().rev().filter(|tick| self.holds(tick.0)) {
            let apart = |last: &(f64, String)| (self.share(last.0) - self.share(value)) * most as f64 >= 0.66;
            if kept.last().is_none_or(apart) {
                kept.push((value, label));
            }
        }
        kept
    }
}

/// The room around values that are all one.
fn least_room(spacing: Spacing, value: f64) -> f64 {
    match spacing {
        Spacing::Even => (0.05 * value.abs()).max(0.5),
        Spacing::Error | Spacing::Log => 0.05,
    }
}

/// Accuracies at errors of 1, 2 and 5 of every order of magnitude.
fn errors(low: f64, high: f64) -> Vec<(f64, String)> {
    let digits = (-3..=1).rev().flat_map(|power| [5.0, 2.0, 1.0].map(move |digit: f64| (power, digit)));
    let accuracy = |(power, digit): (i32, f64)| {
        let decimals = (-power).max(0) as usize;
        let value = 100.0 - digit * 10f64.powi(power);
        (value, format!("{value:.decimals$}"))
    };
    digits.map(accuracy).filter(|tick| (low..=high).contains(&tick.0)).collect()
}

/// 1, 2 and 5 of every order of magnitude.
fn powers(low: f64, high: f64) -> Vec<(f64, String)> {
    let orders = low.log10().floor() as i32..=high.log10().ceil() as i32;
    let value = |power: i32, digit: f64| {
        let value = digit * 10f64.powi(power);
        let decimals = (-power).max(0) as usize;
        (value, format!("{value:.decimals$}"))
    };
    let all = orders.flat_map(|power| [1.0, 2.0, 5.0].map(|digit| value(power, digit)));
    all.filter(|tick| (low..=high).contains(&tick.0)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(scale: Scale, low: f64, high: f64) -> Vec<String> {
        let span = Span::around(scale, Spacing::of(scale, high), low, high);
        span.ticks(8).into_iter().map(|tick| tick.1).collect()
    }

    #[test]
    fn near_perfection_errors_are_spaced_evenly() {
        let span = Span::around(Scale::Percent, Spacing::of(Scale::Percent, 99.9), 90.0, 99.9);
        let gaps = [span.share(99.0) - span.share(90.0), span.share(99.9) - span.share(99.0)];
        assert!((gaps[0] - gaps[1]).abs() < 1e-9, "{gaps:?}");
        assert_eq!(Spacing::of(Scale::Percent, 86.0), Spacing::Even);
        assert!(span.share(100.0).is_finite());
        assert_eq!(labels(Scale::Percent, 80.0, 99.0), ["99", "98", "95", "90", "80"]);
    }

    #[test]
    fn a_narrow_range_of_errors_has_labels_too() {
        let found = labels(Scale::Percent, 98.35, 98.5);
        assert!(found.len() >= 3, "{found:?}");
    }

    #[test]
    fn labels_are_never_closer_than_was_asked() {
        let wide = [(Scale::Percent, 5.0, 99.95), (Scale::Log, 0.003, 4000.0), (Scale::Any, -3.0, 7.0)];
        for (scale, low, high) in wide {
            let span = Span::around(scale, Spacing::of(scale, high), low, high);
            let ticks = span.ticks(8);
            assert!((3..=12).contains(&ticks.len()), "{ticks:?}");
            for pair in ticks.windows(2) {
                assert!(span.share(pair[0].0) - span.share(pair[1].0) >= 0.08, "{ticks:?}");
            }
        }
    }

    #[test]
    fn amounts_start_at_zero_and_percentages_end_at_a_hundred() {
        let amount = Span::around(Scale::Amount, Spacing::Even, 400.0, 900.0);
        assert!(amount.low == 0.0 && amount.high > 900.0);
        let percent = Span::around(Scale::Percent, Spacing::Even, 0.5, 99.0);
        assert_eq!((percent.low, percent.high), (0.0, 100.0));
        let negative = Span::around(Scale::Any, Spacing::Even, -0.31, -0.3);
        assert!(negative.low < -0.31 && negative.high > -0.3 && negative.high < -0.29);
        let lone = Span::around(Scale::Any, Spacing::Even, 3.0, 3.0);
        assert!(lone.holds(3.0) && !lone.holds(5.0));
    }
}
