//! Mean, spread and what a cell's runs come to.

use super::Cell;
use crate::record::RunResult;
use statrs::distribution::{ContinuousCDF, StudentsT};

/// `x̄ = (1/n) Σ x_i`; nothing of nothing.
pub fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// The sample standard deviation `s = √( Σ (x_i - x̄)² / (n - 1) )`; nothing below two values.
pub fn sample_std(values: &[f64]) -> Option<f64> {
    let centre = mean(values).filter(|_| values.len() >= 2)?;
    let squares: f64 = values.iter().map(|x| (x - centre).powi(2)).sum();
    Some((squares / (values.len() - 1) as f64).sqrt())
}

/// [`sample_std`] of values of which not all are alike, but for rounding; nothing of others, whose spread nobody knows.
pub fn spread(values: &[f64]) -> Option<f64> {
    let largest = values.iter().fold(1.0, |largest: f64, value| largest.max(value.abs()));
    sample_std(values).filter(|std| *std > 1e-9 * largest)
}

/// Half the width of the 95 % confidence interval of the mean, `t(0.975, n - 1) s / √n`; nothing below two values, or
/// of values that are all alike.
pub fn half_width_95(values: &[f64]) -> Option<f64> {
    half_width(values, 1)
}

/// Half the width that leaves a chance of 5 % to all of `tests` intervals like this one together (Bonferroni),
/// `t(1 - 0.025 / tests, n - 1) s / √n`; nothing where there is no [`spread`].
pub fn half_width(values: &[f64], tests: usize) -> Option<f64> {
    let outside = 0.025 / tests.max(1) as f64;
    spread(values).map(|s| t(1.0 - outside, values.len() - 1) * s / (values.len() as f64).sqrt())
}

/// Lower quartile, median and upper quartile, between neighbours by their distance (Hyndman & Fan 1996, type 7);
/// nothing of nothing.
pub fn quartiles(values: &[f64]) -> Option<[f64; 3]> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let last = sorted.len().checked_sub(1)?;
    Some([0.25, 0.5, 0.75].map(|part| {
        let place = part * last as f64;
        let (below, above) = (sorted[place.floor() as usize], sorted[place.ceil() as usize]);
        below + (above - below) * place.fract()
    }))
}

/// The `p` quantile of Student's t with `dof` ≥ 1 degrees of freedom.
fn t(p: f64, dof: usize) -> f64 {
    let student = StudentsT::new(0.0, 1.0, dof as f64).expect("a scale of one and at least one degree of freedom");
    student.inverse_cdf(p)
}

/// A number over several runs, with how many they were.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Aggregate {
    /// How many values.
    pub n: usize,
    /// [`mean`].
    pub mean: f64,
    /// [`sample_std`].
    pub std: Option<f64>,
}

impl Aggregate {
    /// Of `values`; nothing of nothing.
    pub fn of(values: &[f64]) -> Option<Self> {
        Some(Self { n: values.len(), mean: mean(values)?, std: sample_std(values) })
    }
}

/// What a cell's runs come to. A run that diverged is in no mean; it is counted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CellStats {
    /// Percent right after the last epoch.
    pub accuracy: Option<Aggregate>,
    /// Percent right after each run's best epoch: optimistic.
    pub best: Option<Aggregate>,
    /// Runs that diverged.
    pub diverged: usize,
}

impl CellStats {
    /// Of `cell`'s runs.
    pub fn of(cell: &Cell) -> Self {
        Self {
            accuracy: Aggregate::of(&cell.accuracies()),
            best: Aggregate::of(&cell.sound().filter_map(|run| run.best_test_accuracy).collect::<Vec<_>>()),
            diverged: cell.runs.len() - cell.sound().count(),
        }
    }

    /// Runs in the means.
    pub fn n(&self) -> usize {
        self.accuracy.map_or(0, |accuracy| accuracy.n)
    }
}

impl Cell {
    /// The runs that did not diverge.
    pub fn sound(&self) -> impl Iterator<Item = &RunResult> {
        self.runs.iter().filter(|run| run.diverged_at_step.is_none())
    }

    /// The accuracies after the last epoch of the runs that did not diverge.
    pub fn accuracies(&self) -> Vec<f64> {
        self.sound().filter_map(|run| run.test_accuracy).collect()
    }

    /// `value` over the runs that did not diverge.
    pub fn aggregate(&self, value: impl Fn(&RunResult) -> f64) -> Option<Aggregate> {
        Aggregate::of(&self.sound().map(value).collect::<Vec<_>>())
    }
}

/// `98.13 ± 0.25 (n=3)`; without ± for one run.
pub fn aggregate_text(aggregate: Aggregate, decimals: usize) -> String {
    let Aggregate { n, mean, std } = aggregate;
    let spread = std.map_or(String::new(), |std| format!(" ± {std:.decimals$}"));
    format!("{mean:.decimals$}{spread} (n={n})")
}

/// `98.13 ± 0.25`, as the paper prints it.
pub fn quoted_text(mean: f64, std: Option<f64>) -> String {
    format!("{mean:.2}{}", std.map_or(String::new(), |std| format!(" ± {std:.2}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::example;

    fn close(got: Option<f64>, expected: f64) {
        assert!((got.unwrap() - expected).abs() < 1e-9, "{got:?} is not {expected}");
    }

    // python3 -c "
    // import statistics as s
    // v = [98.1, 98.4, 97.9]
    // t = 4.302652729911275  # the quantile of t for two degrees: sqrt(2) p / sqrt(1 - p ** 2) at p = 0.95
    // print(s.mean(v), s.stdev(v), t * s.stdev(v) / 3 ** 0.5)"
    #[test]
    fn three_values_give_the_numbers_of_pythons_statistics() {
        let values = [98.1, 98.4, 97.9];
        close(mean(&values), 98.13333333333333);
        close(sample_std(&values), 0.2516611478423591);
        close(half_width_95(&values), 0.6251609479375796);
    }

    // python3 -c "import statistics as s; print(s.quantiles([5, 1, 2, 9], n=4, method='inclusive'))"
    #[test]
    fn quartiles_lie_between_neighbours() {
        assert_eq!(quartiles(&[5.0, 1.0, 2.0, 9.0]), Some([1.75, 3.5, 6.0]));
        assert_eq!((quartiles(&[3.0]), quartiles(&[])), (Some([3.0; 3]), None));
    }

    #[test]
    fn spread_needs_two_values_and_a_mean_one() {
        assert_eq!((mean(&[]), sample_std(&[]), half_width_95(&[])), (None, None, None));
        assert_eq!((mean(&[3.0]), sample_std(&[3.0]), half_width_95(&[3.0])), (Some(3.0), None, None));
        // Both are 0.2, but for rounding.
        let alike = [98.1 - 97.9, 98.3 - 98.1];
        assert!(alike[0] != alike[1] && spread(&alike).is_none() && half_width_95(&alike).is_none());
        assert_eq!(spread(&[0.0, 1e-14, -1e-14]), None);
        assert_eq!(Aggregate::of(&[]), None);
        assert_eq!(Aggregate::of(&[3.0]), Some(Aggregate { n: 1, mean: 3.0, std: None }));
    }

    // NIST/SEMATECH e-Handbook of Statistical Methods, 1.3.6.7.2, upper critical values of Student's t, column 0.975.
    #[test]
    fn quantiles_are_those_of_the_handbook() {
        assert!((1..100).all(|dof| t(0.975, dof) >= t(0.975, dof + 1)));
        for (dof, expected) in [(1, 12.706), (2, 4.303), (4, 2.776), (30, 2.042), (100, 1.984)] {
            assert!((t(0.975, dof) - expected).abs() < 5e-4, "{dof}: {}", t(0.975, dof));
        }
        // Its column 0.995: five intervals at 95 % together are one at 99 %.
        let values = [98.1, 98.4, 97.9];
        let ratio = half_width(&values, 5).unwrap() / half_width_95(&values).unwrap();
        assert!((ratio - 9.925 / 4.303).abs() < 1e-3, "{ratio}");
    }

    #[test]
    fn a_diverged_run_is_counted_and_in_no_mean() {
        let mut cell = Cell { runs: vec![example::run(0, 90.0), example::run(1, 92.0)], ..Cell::default() };
        cell.runs.push(example::diverged(2));
        let stats = CellStats::of(&cell);
        assert_eq!((stats.n(), stats.diverged), (2, 1));
        assert_eq!(stats.accuracy.unwrap().mean, 91.0);
        assert_eq!(stats.best.unwrap().mean, 91.5);
        cell.runs.drain(..2);
        assert_eq!(CellStats::of(&cell), CellStats { accuracy: None, best: None, diverged: 1 });
    }
}
