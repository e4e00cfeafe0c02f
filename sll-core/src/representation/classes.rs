//! How far classes lie apart.

use super::{Rows, squared_distance, wide};

/// Each class's mean and number of rows, those for which `take` holds.
fn means(rows: &Rows, labels: &[usize], classes: usize, take: impl Fn(usize) -> bool) -> Vec<(Vec<f64>, f64)> {
    let mut means: Vec<(Vec<f64>, f64)> = vec![(vec![0.0; rows.width()], 0.0); classes];
    for (row, label) in rows.rows().zip(labels).enumerate().filter(|(index, _)| take(*index)).map(|(_, pair)| pair) {
        let (mean, count) = &mut means[*label];
        mean.iter_mut().zip(wide(row)).for_each(|(sum, value)| *sum += value);
        *count += 1.0;
    }
    for (mean, count) in &mut means {
        mean.iter_mut().for_each(|sum| *sum /= count.max(1.0));
    }
    means
}

/// `Σ_c n_c ‖μ_c - μ‖² / Σ_i ‖h_i - μ_{y_i}‖²`; `None` where classes do not vary within.
pub fn scatter_ratio(rows: &Rows, labels: &[usize], classes: usize) -> Option<f64> {
    let means = means(rows, labels, classes, |_| true);
    let total: f64 = means.iter().map(|(_, count)| count).sum();
    let of = |j: usize| means.iter().map(|(mean, count)| mean[j] * count).sum::<f64>() / total;
    let all: Vec<f32> = (0..rows.width()).map(|j| of(j) as f32).collect();
    let between: f64 = means.iter().map(|(mean, count)| count * squared_distance(mean.iter().copied(), &all)).sum();
    let within: f64 =
        rows.rows().zip(labels).map(|(row, label)| squared_distance(means[*label].0.iter().copied(), row)).sum();
    (within > 0.0).then_some(between / within)
}

/// Percent of the samples whose nearest class mean is their own class's: those at even places by the means of those at
/// odd ones, and the other way round. `None` without a sample.
pub fn nearest_class_mean(rows: &Rows, labels: &[usize], classes: usize) -> Option<f64> {
    let halves = [0, 1].map(|half| means(rows, labels, classes, |index| index % 2 == half));
    let right = |(index, (row, label)): (usize, (&[f32], &usize))| {
        let others = halves[1 - index % 2].iter().enumerate().filter(|(_, (_, count))| *count > 0.0);
        let distances = others.map(|(class, (mean, _))| (squared_distance(mean.iter().copied(), row), class));
        distances.min_by(|a, b| a.0.total_cmp(&b.0)).is_some_and(|(_, class)| class == *label)
    };
    let count = rows.rows().zip(labels).enumerate().filter(|item| right(*item)).count();
    (!rows.is_empty()).then(|| 100.0 * count as f64 / rows.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Class 0 at -1 ± 1, class 1 at 3 ± 1 along the first axis; noise of ± 2 along the second.
    fn two_classes() -> (Rows, Vec<usize>) {
        let rows = vec![-2.0, 2.0, 0.0, 2.0, -2.0, -2.0, 0.0, -2.0, 2.0, 2.0, 4.0, 2.0, 2.0, -2.0, 4.0, -2.0];
        (Rows::new(rows, 2), vec![0, 0, 0, 0, 1, 1, 1, 1])
    }

    #[test]
    fn scatter_by_hand() {
        let (rows, labels) = two_classes();
        // Means (-1, 0) and (3, 0) around (1, 0): 8 * 2². Within: 1 along the first axis, 4 along the second, 8 times.
        assert!((scatter_ratio(&rows, &labels, 3).unwrap() - 32.0 / 40.0).abs() < 1e-12);
        // It does not see the scale.
        let larger = Rows::new((0..8).flat_map(|i| rows.row(i).to_vec()).map(|x| 7.0 * x).collect(), 2);
        assert!((scatter_ratio(&larger, &labels, 2).unwrap() - 0.8).abs() < 1e-6);
        assert_eq!(scatter_ratio(&Rows::new(vec![1.0, 2.0], 1), &[0, 1], 2), None);
    }

    #[test]
    fn a_sample_is_no_part_of_the_mean_that_judges_it() {
        let (rows, labels) = two_classes();
        // Even places: class 0 at -2, class 1 at 2; odd ones: 0 and 4. All second coordinates cancel. Of the even
        // samples, at -2, -2, 2, 2 against 0 and 4, those of class 1 lie half-way, and the first class takes them; of
        // the odd ones, at 0, 0, 4, 4 against -2 and 2, those of class 0 do, and it takes them, too: they are right.
        assert_eq!(nearest_class_mean(&rows, &labels, 2), Some(75.0));
        // With its own half's means a single sample of each class would always be right.
        assert_eq!(nearest_class_mean(&Rows::new(vec![0.0, 9.0], 1), &[0, 1], 2), Some(0.0));
        assert_eq!(nearest_class_mean(&Rows::new(vec![], 1), &[], 2), None);
    }
}
