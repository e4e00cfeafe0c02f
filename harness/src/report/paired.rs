//! Rows beside the reference row: what two rules differ by over the seeds that both have.
//!
//! Runs of one seed share their images' order and, layer for layer, their first weights, so that differences are taken
//! seed by seed: `d_i = a_i - b_i`, and `t = d̄ √n / s_d` is compared with Student's t of `n - 1` degrees of freedom.
//! The p values of one page are adjusted together (Holm 1979), since each row is one more chance to be lucky.

use super::Report;
use super::grid::{Grid, escape};
use super::stats::{half_width_95, mean, spread};
use crate::record::RunResult;
use statrs::distribution::{ContinuousCDF, StudentsT};

/// Fewer pairs than this say little, whatever their p.
const FEW: usize = 5;

/// The differences of a cell from the reference row's cell in the same column.
#[derive(Clone, Debug, PartialEq)]
pub struct Paired {
    /// Index of the row.
    pub row: usize,
    /// Index of the column.
    pub column: usize,
    /// `a_i - b_i` in points, by seed.
    pub differences: Vec<f64>,
}

impl Paired {
    /// Of `row` and the reference row in `column`, over the seeds of which neither run diverged, nor is of a rule as it
    /// was before it changed.
    pub fn of(report: &Report, reference: usize, row: usize, column: usize) -> Self {
        let of = |row| report.cell(row, column).sound().filter(|run| !run.is_of_a_former_rule());
        let pairs = pairs(of(row), of(reference));
        let difference = |(a, b): (&RunResult, &RunResult)| Some(a.test_accuracy? - b.test_accuracy?);
        Self { row, column, differences: pairs.into_iter().filter_map(difference).collect() }
    }

    /// The two-sided p of the paired t-test; nothing below two pairs, or where all pairs differ alike.
    pub fn p(&self) -> Option<f64> {
        two_sided_p(&self.differences)
    }
}

/// Each of `left` with the one of `right` that has its seed, data set and number of epochs.
pub fn pairs<'a>(
    left: impl Iterator<Item = &'a RunResult>,
    right: impl Iterator<Item = &'a RunResult>,
) -> Vec<(&'a RunResult, &'a RunResult)> {
    let alike =
        |a: &RunResult, b: &RunResult| (a.spec.seed, a.epochs, &a.data.name) == (b.spec.seed, b.epochs, &b.data.name);
    let right: Vec<&RunResult> = right.collect();
    left.filter_map(|run| Some((run, *right.iter().find(|other| alike(run, other))?))).collect()
}

/// Every row but the reference in every column in which both have a run of the same seed and epochs.
pub fn all(report: &Report) -> Vec<Paired> {
    let Some(reference) = report.reference else { return Vec::new() };
    let pairs = report
        .each()
        .filter(|(row, ..)| *row != reference)
        .map(|(row, column, _)| Paired::of(report, reference, row, column));
    pairs.filter(|paired| !paired.differences.is_empty()).collect()
}

/// `P(|T| ≥ |t|)` for the mean of `differences` being zero.
pub fn two_sided_p(differences: &[f64]) -> Option<f64> {
    let n = differences.len();
    let (centre, std) = (mean(differences)?, spread(differences)?);
    let t = centre * (n as f64).sqrt() / std;
    let student = StudentsT::new(0.0, 1.0, (n - 1) as f64).expect("a scale of one and at least one degree of freedom");
    Some(2.0 * student.sf(t.abs()))
}

/// Holm's adjusted p values: with `p_(1) ≤ .. ≤ p_(m)`, `max over j ≤ i of min(1, (m - j + 1) p_(j))`.
pub fn holm(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|a, b| values[*a].total_cmp(&values[*b]));
    let mut adjusted = vec![0.0; values.len()];
    let mut largest: f64 = 0.0;
    for (rank, index) in order.into_iter().enumerate() {
        largest = largest.max(((values.len() - rank) as f64 * values[index]).min(1.0));
        adjusted[index] = largest;
    }
    adjusted
}

/// `Beside REFERENCE`; nothing where no row shares a seed with it.
pub fn section(report: &Report) -> Option<String> {
    let reference = &report.rows[report.reference?];
    let pairs = all(report);
    let tested: Vec<(usize, f64)> = pairs.iter().enumerate().filter_map(|(i, pair)| Some((i, pair.p()?))).collect();
    let adjusted = holm(&tested.iter().map(|(_, p)| *p).collect::<Vec<_>>());
    let adjusted = |index: usize| tested.iter().position(|(i, _)| *i == index).map(|place| adjusted[place]);
    let axes = [&report.row_axis, &report.column_axis].map(|axis| escape(axis));
    let rest = ["pairs", "difference, points", "95 % interval", "p, paired t", "p, Holm", "reads"].map(String::from);
    let mut grid = Grid::new(axes.into_iter().chain(rest));
    for (index, pair) in pairs.iter().enumerate() {
        let labels = [&report.rows[pair.row], &report.columns[pair.column].label].map(|label| escape(label));
        let centre = mean(&pair.differences).expect("pairs without differences are left out");
        let interval = half_width_95(&pair.differences)
            .map_or("—".into(), |half| format!("{:+.2} to {:+.2}", centre - half, centre + half));
        let numbers = [
            pair.differences.len().to_string(),
            format!("{centre:+.2}"),
            interval,
            pair.p().map_or("—".into(), probability),
            adjusted(index).map_or("—".into(), probability),
            reads(pair.differences.len(), centre, adjusted(index)),
        ];
        grid.push(labels.into_iter().chain(numbers).collect());
    }
    (!grid.is_empty()).then(|| {
        format!(
            "## Beside {reference}, seed by seed\n\n{grid}\nDifference: the row's accuracy less that of {reference} \
             with the same seed, which gives both the same order of images; mean over pairs with its 95 % interval by \
             Student's t, over seeds, on these test images. Holm: adjusted for the {} tests on this page. *Above* and \
             *below* are said where the adjusted p is under 0.05. Fewer than {FEW} pairs are few: no difference seen \
             is not no difference.\n",
            tested.len(),
            reference = escape(reference),
        )
    })
}

/// What the numbers allow to be said.
fn reads(n: usize, difference: f64, p: Option<f64>) -> String {
    let few = if n < FEW { ", few pairs" } else { "" };
    match p {
        Some(p) if p < 0.05 => format!("{}{few}", if difference > 0.0 { "above" } else { "below" }),
        Some(_) => format!("not told apart{few}"),
        None if n == 1 => "one pair: no test".into(),
        None => "every pair differs alike: no test".into(),
    }
}

fn probability(p: f64) -> String {
    if p < 0.001 { "< 0.001".into() } else { format!("{p:.3}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Cell, example};

    fn close(got: f64, expected: f64) {
        assert!((got - expected).abs() < 1e-9 * expected.abs().max(1.0), "{got} is not {expected}");
    }

    // scipy.stats.ttest_rel([98.1, 98.4, 97.9, 98.3], [98.0, 98.1, 98.0, 98.1]) of SciPy 1.16: statistic 1.4638501,
    // p 0.23945; by hand: d = .1, .3, -.1, .2, mean .125, s .17078, t 1.46385, and P(|T_3| >= t) in closed form,
    // 1 - 2/pi (a / (1 + a^2) + atan a) with a = t / sqrt 3.
    #[test]
    fn p_is_that_of_the_closed_form_for_three_degrees_of_freedom() {
        let differences = [0.1, 0.3, -0.1, 0.2];
        let t = 0.125 * 2.0 / (0.0875_f64 / 3.0).sqrt();
        let a = t / 3.0_f64.sqrt();
        let expected = 1.0 - 2.0 / std::f64::consts::PI * (a / (1.0 + a * a) + a.atan());
        close(two_sided_p(&differences).unwrap(), expected);
        assert_eq!((two_sided_p(&[0.3]), two_sided_p(&[0.3, 0.3])), (None, None));
    }

    // R: p.adjust(c(0.01, 0.04, 0.03, 0.005), "holm") gives 0.03 0.06 0.06 0.02.
    #[test]
    fn holm_gives_the_numbers_of_r() {
        let adjusted = holm(&[0.01, 0.04, 0.03, 0.005]);
        for (got, expected) in adjusted.into_iter().zip([0.03, 0.06, 0.06, 0.02]) {
            close(got, expected);
        }
        assert_eq!(holm(&[0.8, 0.9]), [1.0, 1.0]);
    }

    #[test]
    fn pairs_are_of_one_seed_and_diverged_runs_are_in_none() {
        let mut report = example::table();
        report.reference = Some(0);
        let mut runs: Vec<_> = [(2, 97.0), (0, 97.5), (7, 90.0)].map(|(seed, x)| example::run(seed, x)).into();
        runs.push(example::diverged(1));
        report.cells[2] = Cell { runs, ..Cell::default() };
        let pairs = all(&report);
        assert_eq!(pairs.len(), 1);
        assert_eq!((pairs[0].row, pairs[0].column), (1, 0));
        let expected = [97.0 - 97.9, 97.5 - 98.1];
        pairs[0].differences.iter().zip(expected).for_each(|(got, expected)| close(*got, expected));
        let text = section(&report).unwrap();
        assert!(text.contains("| TP | MNIST") || text.contains("| TP   | MNIST"), "{text}");
        assert!(text.contains("few pairs") && text.contains("-0.75"), "{text}");
    }

    #[test]
    fn a_rule_as_it_was_before_it_changed_is_in_no_pair() {
        let tff = baselines::rules().iter().find(|info| info.title == "TFF").unwrap().settings;
        let of = |before: u32| {
            let mut report = example::table();
            report.reference = Some(0);
            let mut run = example::run(0, 97.5);
            run.spec.rule = tff;
            run.numerics = tff.numerics(&run.spec.network) - before;
            report.cells[2] = Cell { runs: vec![run], ..Cell::default() };
            all(&report).len()
        };
        assert_eq!([of(0), of(1)], [1, 0]);
    }

    #[test]
    fn without_a_reference_or_pairs_nothing_is_said() {
        let mut report = example::table();
        assert_eq!(section(&report), None);
        report.reference = Some(0);
        assert_eq!(section(&report), None);
    }

    #[test]
    fn small_samples_are_called_so() {
        assert_eq!(reads(3, 0.4, Some(0.01)), "above, few pairs");
        assert_eq!(reads(5, -0.4, Some(0.01)), "below");
        assert_eq!(reads(5, -0.4, Some(0.2)), "not told apart");
        assert_eq!((reads(1, 0.4, None), reads(2, 0.4, None).contains("alike")), ("one pair: no test".into(), true));
    }
}
