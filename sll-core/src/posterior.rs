//! What the posteriors of a network's units say on data: log-likelihood, accuracy, and how near each is to its
//! parent's.
//!
//! For unit `l` with logits `v_l [b, codes]` ([`LearningRule::unit_logits`]), `q_l = softmax(v_l)` and `p_l = q_{l-1}`:
//!
//! ```text
//! ℓ_l = E log q_l(y)        BC_l = E Σ_k √(p_k q_k)        R_l = E[-2 ln Σ_k √(p_k q_k)]        KL_l = E KL(q_l‖p_l)
//! ```
//!
//! `E` is the mean over all samples shown. The network runs without noise: no dropout, clean projections, running
//! statistics. These are what [`crate::bound::Bound`] is made of.

use crate::divergence::{Divergence, cross_entropy};
use crate::network::Network;
use crate::rule::{Batch, LearningRule};
use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

/// One unit's posterior on data.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct UnitPosterior {
    /// `ℓ_l`, nats a sample: minus the cross-entropy over all codes, those beyond the classes included.
    #[serde(with = "crate::real")]
    pub log_likelihood: f64,
    /// Percent of samples whose likeliest class is right.
    #[serde(with = "crate::real")]
    pub accuracy: f64,
    /// Nearness to the unit below; the lowest unit has none.
    pub parent: Option<Affinity>,
}

/// Nearness of a unit's posterior `q` to its parent's, `p`. Means over samples.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Affinity {
    /// The Bhattacharyya coefficient, 1 for equal posteriors.
    #[serde(with = "crate::real")]
    pub coefficient: f64,
    /// `-2 ln BC`, the surrogate that SLL trains by default.
    #[serde(with = "crate::real")]
    pub surrogate: f64,
    /// `KL(q‖p)`, the term of the ELBO in Theorem 1; at least the surrogate.
    #[serde(with = "crate::real")]
    pub kl: f64,
}

/// Log-probability that stands for none at all, where a parent has more codes than its child: small enough to add
/// nothing to any sum, large enough for f32.
const ABSENT: f32 = -80.0;

/// Shows `batches` of inputs `[b, features]` with their labels to an evaluation-mode network ([`Network::valid`]) and
/// gives one entry a unit, lowest first; none for rules whose units have no posterior, or without a sample.
pub fn measure(
    rule: &dyn LearningRule,
    net: &Network,
    batches: impl IntoIterator<Item = (Tensor<2>, Vec<usize>)>,
) -> Vec<UnitPosterior> {
    let (mut sums, mut samples) = (Vec::<Sums>::new(), 0);
    for (x, labels) in batches {
        let logits = rule.unit_logits(net, x.clone());
        sums.resize(logits.len(), Sums::default());
        samples += labels.len();
        let (batch, mut parent) = (Batch::new(x, labels, 0), None);
        for (sums, logits) in sums.iter_mut().zip(logits) {
            parent = Some(sums.add(logits, parent, &batch, net.classes()));
        }
    }
    sums.into_iter().map(|sums| sums.mean(samples as f64)).filter(|_| samples > 0).collect()
}

/// One unit's sums over samples.
#[derive(Clone, Default)]
struct Sums {
    log_likelihood: f64,
    right: f64,
    /// Coefficient, surrogate and KL.
    parent: Option<[f64; 3]>,
}

impl Sums {
    /// Adds a batch; gives the log-posterior, the next unit's parent.
    fn add(&mut self, logits: Tensor<2>, parent: Option<Tensor<2>>, batch: &Batch, classes: usize) -> Tensor<2> {
        let targets = batch.targets(logits.dims()[1], &logits.device());
        let (loss, log_q, _) = cross_entropy(logits, targets);
        self.log_likelihood -= sum(loss);
        let chosen = log_q.clone().narrow(1, 0, classes).argmax(1).into_data().convert::<i64>();
        let chosen = chosen.try_to_vec::<i64>().expect("class indices");
        self.right += chosen.iter().zip(&batch.labels).filter(|(c, label)| **c == **label as i64).count() as f64;
        if let Some(log_p) = parent {
            let codes = log_p.dims()[1].max(log_q.dims()[1]);
            let (log_p, log_q) = (widen(log_p, codes), widen(log_q.clone(), codes));
            let of = |d: Divergence| d.evaluate(log_p.clone(), log_q.clone()).value;
            let surrogate = of(Divergence::Neg2LogBc);
            let found = [sum((surrogate.clone() * -0.5).exp()), sum(surrogate), sum(of(Divergence::KlQp))];
            let sums = self.parent.get_or_insert([0.0; 3]);
            sums.iter_mut().zip(found).for_each(|(sum, found)| *sum += found);
        }
        log_q
    }

    fn mean(self, samples: f64) -> UnitPosterior {
        let affinity = |[coefficient, surrogate, kl]: [f64; 3]| Affinity {
            coefficient: coefficient / samples,
            surrogate: surrogate / samples,
            kl: kl / samples,
        };
        UnitPosterior {
            log_likelihood: self.log_likelihood / samples,
            accuracy: 100.0 * self.right / samples,
            parent: self.parent.map(affinity),
        }
    }
}

/// A log-posterior over `codes` codes; those that it lacks have no probability.
fn widen(log_q: Tensor<2>, codes: usize) -> Tensor<2> {
    let [b, own] = log_q.dims();
    match own < codes {
        true => Tensor::cat(vec![log_q.clone(), Tensor::full([b, codes - own], ABSENT, &log_q.device())], 1),
        false => log_q,
    }
}

/// The sum of per-sample values `[b, 1]`, in f64.
fn sum(values: Tensor<2>) -> f64 {
    let values = values.into_data().convert::<f32>().try_to_vec::<f32>().expect("f32 values");
    values.into_iter().map(f64::from).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::laws;
    use crate::sll::{Sll, SllConfig};

    fn log_softmax(v: &[f64]) -> Vec<f64> {
        let max = v.iter().copied().fold(f64::MIN, f64::max);
        let log_z = v.iter().map(|x| (x - max).exp()).sum::<f64>().ln() + max;
        v.iter().map(|x| x - log_z).collect()
    }

    /// `h R` for each row of `h [b, n]` and `R [n, codes]`, through log-softmax, in f64.
    fn log_posteriors(h: &[f32], n: usize, r: &[f32], codes: usize) -> Vec<Vec<f64>> {
        let logit =
            |row: &[f32], k: usize| -> f64 { (0..n).map(|j| f64::from(row[j]) * f64::from(r[j * codes + k])).sum() };
        h.chunks(n).map(|row| log_softmax(&(0..codes).map(|k| logit(row, k)).collect::<Vec<_>>())).collect()
    }

    /// The posteriors of a 12-16-16-4 network's three units, from its activations and projections, in plain loops.
    fn reference(net: &Network, sll: &Sll, batch: &Batch, codes: usize) -> Vec<UnitPosterior> {
        let projections = sll.projections();
        let mut posteriors: Vec<Vec<Vec<f64>>> = (0..2)
            .map(|l| log_posteriors(&laws::floats(laws::hidden(net, l + 1, batch)), 16, &projections[l], codes))
            .collect();
        let logits = laws::floats(laws::hidden(net, 3, batch));
        posteriors.push(
            logits.chunks(4).map(|v| log_softmax(&v.iter().map(|&x| f64::from(x)).collect::<Vec<_>>())).collect(),
        );
        let samples = batch.len() as f64;
        let mean = |value: &dyn Fn(usize) -> f64| (0..batch.len()).map(value).sum::<f64>() / samples;
        (0..3)
            .map(|l| {
                let own = &posteriors[l];
                let right = |s: usize| {
                    let best = (0..4).max_by(|&a, &b| own[s][a].total_cmp(&own[s][b])).unwrap();
                    f64::from(u8::from(best == batch.labels[s]))
                };
                let bc = |s: usize| -> f64 {
                    (0..4.max(own[s].len()))
                        .filter_map(|k| Some(((own[s].get(k)? + posteriors[l - 1][s][k]) / 2.0).exp()))
                        .sum()
                };
                let kl = |s: usize| -> f64 {
                    own[s].iter().zip(&posteriors[l - 1][s]).map(|(q, p)| q.exp() * (q - p)).sum()
                };
                UnitPosterior {
                    log_likelihood: mean(&|s| own[s][batch.labels[s]]),
                    accuracy: 100.0 * mean(&right),
                    parent: (l > 0).then(|| Affinity {
                        coefficient: mean(&bc),
                        surrogate: mean(&|s| -2.0 * bc(s).ln()),
                        kl: mean(&kl),
                    }),
                }
            })
            .collect()
    }

    #[test]
    fn measures_are_those_of_plain_loops_whatever_the_number_of_codes() {
        for codes in [4, 9] {
            let mut net = laws::small_mlp(2);
            let config = SllConfig { projection_dim: Some(codes), projection_gain: 3.0, ..SllConfig::default() };
            let build: laws::Build = &|net| Ok(Box::new(config.init(net, 3)?));
            laws::train(&mut net, build, 0..20);
            let (sll, valid) = (config.init(&net, 3).unwrap(), net.valid());
            let batches: Vec<Batch> = (0..3).map(|step| laws::batch(&net, step)).collect();
            let found = measure(&sll, &valid, batches.iter().map(|b| (b.x.clone(), b.labels.clone())));
            let each: Vec<Vec<UnitPosterior>> = batches.iter().map(|b| reference(&net, &sll, b, codes)).collect();
            assert_eq!(found.len(), 3);
            for (unit, found) in found.iter().enumerate() {
                let expect =
                    |value: &dyn Fn(&UnitPosterior) -> f64| each.iter().map(|e| value(&e[unit])).sum::<f64>() / 3.0;
                let close = |found: f64, value: &dyn Fn(&UnitPosterior) -> f64| {
                    assert!((found - expect(value)).abs() < 2e-5, "unit {unit}: {found}, expected {}", expect(value));
                };
                close(found.log_likelihood, &|u| u.log_likelihood);
                close(found.accuracy, &|u| u.accuracy);
                assert_eq!(found.parent.is_some(), unit > 0);
                let Some(parent) = found.parent else { continue };
                close(parent.coefficient, &|u| u.parent.unwrap().coefficient);
                close(parent.surrogate, &|u| u.parent.unwrap().surrogate);
                close(parent.kl, &|u| u.parent.unwrap().kl);
                assert!(parent.kl >= parent.surrogate && parent.surrogate > 0.0 && parent.coefficient < 1.0);
            }
        }
    }

    #[test]
    fn nothing_is_measured_of_nothing() {
        let net = laws::small_mlp(2);
        let sll = SllConfig::default().init(&net, 3).unwrap();
        assert_eq!(measure(&sll, &net.valid(), []), []);
    }
}
