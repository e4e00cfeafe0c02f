//! What a label is among more codes than there are classes; the paper, whose Figure 4b goes to hundreds of codes, does
//! not say.
//!
//! ```text
//! first     q(y) = q_y: the first K codes are the classes, the others never a label
//! grouped   q(y) = Σ q_k over the codes k with k mod K = y
//! coded     y is a code word: cross-entropy of q with the uniform law on a random half of the codes, fixed
//! ```
//!
//! `coded` is error-correcting output codes (Dietterich and Bakiri 1995) in a posterior: classes are told apart by the
//! half that holds the mass, `argmax_c Σ_k t_ck ln q_k`.

use crate::divergence::cross_entropy;
use crate::op::log_sum_exp;
use crate::rng::{Purpose, Stream, upload};
use crate::rule::Batch;
use burn::tensor::{Device, Tensor, activation};
use serde::{Deserialize, Serialize};

/// Stands for no probability: adds nothing to a sum of probabilities, and f32 holds it.
const ABSENT: f32 = -80.0;

/// What a label is among the codes of a unit below the output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Codes {
    /// The code of its number.
    #[default]
    First,
    /// All codes of its number modulo the number of classes.
    Grouped,
    /// A code word: a random half of the codes.
    Coded,
}

impl Codes {
    pub(super) fn is_usual(&self) -> bool {
        *self == Self::First
    }
}

/// Labels of a unit's posterior.
pub(super) enum Labels {
    First,
    /// `[K, d_o]`: 0 for a class's own codes, [`ABSENT`] for others.
    Grouped(Tensor<2>),
    /// `[K, d_o]`: a class's law over the codes.
    Coded(Tensor<2>),
}

impl Labels {
    /// Labels of `classes` classes among `codes` codes; words are drawn from `seed`.
    pub fn new(kind: Codes, classes: usize, codes: usize, seed: u64, device: &Device) -> Self {
        match kind {
            // Groups of one code each are the first codes.
            Codes::Grouped if codes > classes => {
                let own = |place: usize| if place % codes % classes == place / codes { 0.0 } else { ABSENT };
                Labels::Grouped(upload((0..classes * codes).map(own).collect(), [classes, codes], device))
            }
            Codes::Coded => Labels::Coded(upload(words(classes, codes, seed), [classes, codes], device)),
            _ => Labels::First,
        }
    }

    /// Cross-entropy with the batch's labels: per-sample value `[b, 1]`, log-posterior and gradient at the logits, both
    /// `[b, d_o]`.
    pub fn cross_entropy(&self, logits: Tensor<2>, batch: &Batch) -> (Tensor<2>, Tensor<2>, Tensor<2>) {
        let device = logits.device();
        // A row of a table for each sample, which is no product.
        let rows = |table: &Tensor<2>| batch.targets(table.dims()[0], &device).matmul(table.clone());
        match self {
            Labels::First => {
                let targets = batch.targets(logits.dims()[1], &device);
                cross_entropy(logits, targets)
            }
            Labels::Coded(table) => cross_entropy(logits, rows(table)),
            Labels::Grouped(table) => {
                let log_q = activation::log_softmax(logits, 1);
                let own = log_q.clone() + rows(table);
                let log_own = log_sum_exp(own.clone());
                // The group's own posterior, q_k / q(y), is what the codes are pulled to.
                let gradient = log_q.clone().exp() - (own - log_own.clone()).exp();
                (log_own * -1.0, log_q, gradient)
            }
        }
    }

    /// Logits of the posterior over classes `[b, K]` from logits over codes; over all codes where the classes are the
    /// first ones.
    pub fn of_classes(&self, logits: Tensor<2>) -> Tensor<2> {
        let log_q = |logits| activation::log_softmax(logits, 1);
        match self {
            Labels::First => logits,
            Labels::Coded(table) => log_q(logits).matmul(table.clone().transpose()),
            Labels::Grouped(table) => {
                let (log_q, [classes, codes]) = (log_q(logits), table.dims());
                let group = |class: usize| {
                    let own = table.clone().slice([class..class + 1, 0..codes]);
                    log_sum_exp(log_q.clone() + own)
                };
                Tensor::cat((0..classes).map(group).collect(), 1)
            }
        }
    }
}

/// A random half of the codes for each class, each code of it with the same probability.
fn words(classes: usize, codes: usize, seed: u64) -> Vec<f32> {
    let half = (codes / 2).max(1);
    let mut all = vec![0.0; classes * codes];
    for (class, word) in all.chunks_mut(codes).enumerate() {
        let keys = Stream::new(seed, Purpose::Projection, &[u64::MAX, class as u64]).uniform(codes, 1.0);
        let mut order: Vec<usize> = (0..codes).collect();
        order.sort_by(|a, b| keys[*a].total_cmp(&keys[*b]));
        order[..half].iter().for_each(|code| word[*code] = 1.0 / half as f32);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::laws::floats;

    const CLASSES: usize = 3;
    const CODES: usize = 8;

    fn labels(kind: Codes) -> Labels {
        Labels::new(kind, CLASSES, CODES, 5, &Device::flex())
    }

    fn logits() -> Vec<f64> {
        Stream::new(2, Purpose::Noise, &[]).normal(2 * CODES, 1.5).into_iter().map(f64::from).collect()
    }

    fn posterior(v: &[f64]) -> Vec<f64> {
        let sum: f64 = v.iter().map(|x| x.exp()).sum();
        v.iter().map(|x| x.exp() / sum).collect()
    }

    /// Minus the log-likelihood of class `y` as the module's formulas have it.
    fn reference(kind: Codes, v: &[f64], y: usize) -> f64 {
        let q = posterior(v);
        match kind {
            Codes::First => -q[y].ln(),
            Codes::Grouped => -q.iter().enumerate().filter(|(k, _)| k % CLASSES == y).map(|(_, q)| q).sum::<f64>().ln(),
            Codes::Coded => {
                let word = &words(CLASSES, CODES, 5)[y * CODES..(y + 1) * CODES];
                -word.iter().zip(q).map(|(t, q)| f64::from(*t) * q.ln()).sum::<f64>()
            }
        }
    }

    #[test]
    fn values_and_gradients_are_those_of_the_formulas() {
        let v = logits();
        let tensor = upload(v.iter().map(|x| *x as f32).collect(), [2, CODES], &Device::flex());
        let batch = Batch::new(Tensor::zeros([2, 1], &Device::flex()), vec![2, 0], 0);
        for kind in [Codes::First, Codes::Grouped, Codes::Coded] {
            let (value, log_q, gradient) = labels(kind).cross_entropy(tensor.clone(), &batch);
            let (value, log_q, gradient) = (floats(value), floats(log_q), floats(gradient));
            for (row, y) in [2, 0].into_iter().enumerate() {
                let v = &v[row * CODES..(row + 1) * CODES];
                assert!((f64::from(value[row]) - reference(kind, v, y)).abs() < 1e-5, "{kind:?}");
                for (k, q) in posterior(v).into_iter().enumerate() {
                    let at = |step: f64| {
                        let mut v = v.to_vec();
                        v[k] += step;
                        reference(kind, &v, y)
                    };
                    let slope = (at(1e-4) - at(-1e-4)) / 2e-4;
                    let place = row * CODES + k;
                    assert!((f64::from(gradient[place]) - slope).abs() < 1e-5, "{kind:?}: {} {slope}", gradient[place]);
                    assert!((f64::from(log_q[place]) - q.ln()).abs() < 1e-5);
                }
            }
        }
    }

    #[test]
    fn the_likeliest_class_is_the_one_of_the_least_cross_entropy() {
        let v = logits();
        let tensor = upload(v.iter().map(|x| *x as f32).collect(), [2, CODES], &Device::flex());
        for kind in [Codes::Grouped, Codes::Coded] {
            let found = floats(labels(kind).of_classes(tensor.clone()));
            for (row, scores) in found.chunks(CLASSES).enumerate() {
                for (y, score) in scores.iter().enumerate() {
                    let expected = -reference(kind, &v[row * CODES..(row + 1) * CODES], y);
                    assert!((f64::from(*score) - expected).abs() < 1e-5, "{kind:?}: {score} {expected}");
                }
            }
        }
    }

    #[test]
    fn words_are_halves_and_differ_and_as_many_codes_as_classes_need_no_groups() {
        let all = words(10, 20, 1);
        let words: Vec<&[f32]> = all.chunks(20).collect();
        assert!(words.iter().all(|word| word.iter().filter(|t| **t == 0.1).count() == 10));
        assert!((0..10).all(|i| !words[..i].contains(&words[i])));
        assert!(matches!(Labels::new(Codes::Grouped, 4, 4, 1, &Device::flex()), Labels::First));
    }
}
