//! Bottom axes of figures.

/// About ten round epochs up to `last`.
pub fn epoch_ticks(last: usize) -> Vec<usize> {
    let steps = (0..).flat_map(|power| [1, 2, 5].map(|digit| digit * 10usize.pow(power)));
    let step = steps.into_iter().find(|step| last / step <= 10).unwrap_or(last);
    (0..=last / step).map(|i| i * step).collect()
}

/// Up to `most` round numbers and one from `low` to `high`, `high >= low`; none where these are none.
pub fn round_ticks(low: f64, high: f64, most: usize) -> Vec<(f64, String)> {
    if !(high - low).is_finite() {
        return Vec::new();
    }
    let most = most.max(1) as f64;
    let span = (high - low).max(1e-9 * high.abs()).max(f64::MIN_POSITIVE);
    let power = (span / most).log10().floor();
    let steps = [1.0, 2.0, 5.0, 10.0].map(|digit: f64| digit * 10f64.powf(power));
    let step = steps.into_iter().find(|step| span / step <= most).unwrap_or(span);
    let decimals = (-step.log10().floor()).max(0.0) as usize;
    let ticks = (low / step).ceil() as i64..=(high / step).floor() as i64;
    ticks.map(|i| (i as f64 * step, format!("{:.decimals$}", i as f64 * step))).collect()
}

/// The swept number's axis: logarithmic where positive values span more than a factor of 20. A zero among them then
/// stands apart, a step left of the smallest.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Axis {
    /// As it is.
    Linear,
    /// Its decimal logarithm.
    Log {
        /// Where zero is drawn, if it is among the values.
        zero: Option<f64>,
    },
}

impl Axis {
    /// For `values`.
    pub fn of(values: &[f64]) -> Self {
        let positive = || values.iter().copied().filter(|value| *value > 0.0);
        let (least, most) = (positive().fold(f64::INFINITY, f64::min), positive().fold(0.0, f64::max));
        if values.iter().any(|value| *value < 0.0) || most <= 20.0 * least {
            return Axis::Linear;
        }
        let apart = least.log10() - 0.15 * (most / least).log10();
        Axis::Log { zero: values.contains(&0.0).then_some(apart) }
    }

    /// Where `value` is drawn.
    pub fn place(self, value: f64) -> f64 {
        match self {
            Axis::Linear => value,
            Axis::Log { zero: Some(apart) } if value == 0.0 => apart,
            Axis::Log { .. } => value.log10(),
        }
    }

    /// What its label has to say.
    pub fn remark(self) -> &'static str {
        match self {
            Axis::Linear => "",
            Axis::Log { zero: None } => " (logarithmic)",
            Axis::Log { zero: Some(_) } => " (logarithmic, 0 apart)",
        }
    }

    /// Labels at the values themselves, as many as fit side by side.
    pub fn ticks(self, values: &[f64]) -> Vec<(f64, String)> {
        let mut values = values.to_vec();
        values.sort_by(f64::total_cmp);
        let ends = values.first().zip(values.last()).map_or(0.0, |(a, b)| self.place(*b) - self.place(*a));
        let mut ticks: Vec<(f64, String)> = Vec::new();
        for value in values {
            let place = self.place(value);
            if ticks.last().is_none_or(|last| place - last.0 >= 0.06 * ends && place > last.0) {
                ticks.push((place, value.to_string()));
            }
        }
        ticks
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_are_logarithmic_over_wide_spans() {
        assert_eq!(Axis::of(&[0.0, 0.5, 0.7]), Axis::Linear);
        assert_eq!(Axis::of(&[1.0, 20.0]), Axis::Linear);
        assert_eq!(Axis::of(&[1.0, 21.0]), Axis::Log { zero: None });
        let ticks = Axis::of(&[0.0, 0.1, 10.0]).ticks(&[0.1, 0.0, 10.0]);
        assert_eq!(ticks.iter().map(|tick| tick.1.as_str()).collect::<Vec<_>>(), ["0", "0.1", "10"]);
        assert!(ticks[0].0 < ticks[1].0);
        assert_eq!(Axis::of(&[5.0]).ticks(&[5.0]), [(5.0, "5".to_string())]);
    }

    #[test]
    fn ticks_are_round_numbers_inside_the_range() {
        let labels = |low, high| round_ticks(low, high, 10).into_iter().map(|tick| tick.1).collect::<Vec<_>>();
        assert_eq!(labels(2.58, 4.15), ["2.6", "2.8", "3.0", "3.2", "3.4", "3.6", "3.8", "4.0"]);
        assert_eq!(labels(-20.0, 60.0), ["-20", "-10", "0", "10", "20", "30", "40", "50", "60"]);
        assert!(labels(7.0, 7.0).len() <= 10);
        for wild in [f64::NAN, f64::INFINITY, f64::MAX] {
            assert_eq!(labels(-wild, wild), [""; 0], "{wild}");
            assert!(labels(0.0, wild).len() <= 11);
        }
    }

    #[test]
    fn epochs_are_labelled_at_round_numbers() {
        assert_eq!(epoch_ticks(3), [0, 1, 2, 3]);
        assert_eq!(epoch_ticks(100).len(), 11);
        assert_eq!(epoch_ticks(500)[1], 50);
    }
}
