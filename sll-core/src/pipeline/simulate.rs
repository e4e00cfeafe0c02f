//! What a schedule of measured times would take, batch by batch, on more workers or devices than there are.

/// Seconds until `steps` batches have gone through all of `stages`, whose seconds a batch are given, in two schedules:
///
/// - [`carried`]: each of `workers` carries a batch through all stages and fetches another, as [`super::Pipeline`] does
///   where all workers reach all weights;
/// - [`handed`]: each of `workers` owns a run of stages, chosen by [`balanced`], and hands batches on through queues of
///   one batch, as devices with memories of their own would. Handing on takes no time here.
///
/// A stage has one batch at a time, in order.
///
/// ```
/// use sll_core::pipeline::simulate::{carried, handed};
///
/// // 1 + 1 + 1 seconds: two runs are of 2 and 1; two workers that carry batches are busy all the time.
/// let (stages, steps) = ([1.0, 1.0, 1.0], 1000);
/// assert_eq!(carried(&stages, 1, steps), 3000.0);
/// assert!((carried(&stages, 2, steps) / 1500.0 - 1.0).abs() < 0.01);
/// assert!((handed(&stages, 2, steps) / 2000.0 - 1.0).abs() < 0.01);
/// ```
pub fn carried(stages: &[f64], workers: usize, steps: usize) -> f64 {
    // When each stage is free, and each worker.
    let (mut free, mut idle) = (vec![0.0; stages.len()], vec![0.0; workers.max(1)]);
    for step in 0..steps {
        let worker = step % idle.len();
        idle[worker] = stages.iter().zip(&mut free).fold(idle[worker], |now: f64, (seconds, free)| {
            *free = now.max(*free) + seconds;
            *free
        });
    }
    idle.into_iter().fold(0.0, f64::max)
}

/// See [`carried`].
pub fn handed(stages: &[f64], workers: usize, steps: usize) -> f64 {
    let shares: Vec<f64> = balanced(stages, workers).into_iter().map(|share| stages[share].iter().sum()).collect();
    // When each share began with its last batch, and when it was rid of it: a queue has room for one, so that a batch
    // is handed on once the next share has begun with the one before.
    let mut began = vec![0.0; shares.len() + 1];
    let mut left = vec![0.0; shares.len()];
    for _ in 0..steps {
        let mut ready = 0.0;
        for (index, seconds) in shares.iter().enumerate() {
            let begins = f64::max(left[index], ready);
            let next_began = began[index + 1];
            began[index] = begins;
            left[index] = (begins + seconds).max(next_began);
            ready = left[index];
        }
    }
    left.last().copied().unwrap_or(0.0)
}

/// Contiguous runs of `stages`, at most `count` of them, whose largest sum is as small as it can be.
pub fn balanced(stages: &[f64], count: usize) -> Vec<std::ops::Range<usize>> {
    let count = count.clamp(1, stages.len().max(1));
    let sum = |from: usize, to: usize| stages[from..to].iter().sum::<f64>();
    // The largest sum of the first `n` stages in so many runs, and where the last run begins.
    let mut best: Vec<(f64, usize)> = (0..=stages.len()).map(|n| (sum(0, n), 0)).collect();
    let mut cuts = Vec::new();
    for _ in 1..count {
        let cut = |n: usize| {
            let last = |from: usize| (best[from].0.max(sum(from, n)), from);
            (0..=n).map(last).min_by(|a, b| a.0.total_cmp(&b.0)).expect("a place to cut at")
        };
        let next: Vec<_> = (0..=stages.len()).map(cut).collect();
        cuts.push(std::mem::replace(&mut best, next));
    }
    cuts.push(best);
    let (mut end, mut shares) = (stages.len(), Vec::new());
    for row in cuts.iter().rev() {
        let from = row[end].1;
        if from < end {
            shares.push(from..end);
        }
        end = from;
    }
    shares.reverse();
    shares
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every way to cut `stages` into at most `count` runs; the smallest largest sum.
    fn exhaustive(stages: &[f64], count: usize) -> f64 {
        let all: f64 = stages.iter().sum();
        if count == 1 || stages.len() < 2 {
            return all;
        }
        let cut = |at: usize| stages[..at].iter().sum::<f64>().max(exhaustive(&stages[at..], count - 1));
        (1..stages.len()).map(cut).fold(all, f64::min)
    }

    #[test]
    fn runs_are_as_even_as_they_can_be() {
        for stages in [vec![0.8, 1.0, 1.0, 0.01], vec![3.0, 1.0, 1.0, 1.0, 2.0, 5.0, 0.5], vec![1.0], vec![2.0; 9]] {
            for count in 1..=stages.len() + 1 {
                let shares = balanced(&stages, count);
                assert_eq!(shares.iter().cloned().flatten().collect::<Vec<_>>(), (0..stages.len()).collect::<Vec<_>>());
                assert!(shares.len() <= count);
                let largest = shares.iter().map(|share| stages[share.clone()].iter().sum()).fold(0.0, f64::max);
                assert!((largest - exhaustive(&stages, count)).abs() < 1e-12, "{stages:?} in {count}: {shares:?}");
            }
        }
    }

    #[test]
    fn a_step_takes_what_the_module_says() {
        let stages = [0.2, 0.8, 1.0, 1.0, 0.01];
        let (total, slowest): (f64, f64) = (stages.iter().sum(), 1.0);
        for workers in 1..=6 {
            let steps = 3000;
            let step = |seconds: f64| seconds / steps as f64;
            let expected = (total / workers as f64).max(slowest);
            assert!((step(carried(&stages, workers, steps)) / expected - 1.0).abs() < 0.01, "{workers} carry");
            let owned =
                balanced(&stages, workers).into_iter().map(|share| stages[share].iter().sum()).fold(0.0, f64::max);
            assert!((step(handed(&stages, workers, steps)) / owned - 1.0).abs() < 0.01, "{workers} hand on");
        }
        assert_eq!(carried(&stages, 3, 1), handed(&stages, 1, 1));
    }
}
