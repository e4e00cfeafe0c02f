//! Divergences between the categorical posteriors of neighbouring units, with closed-form gradients.
//!
//! `p` is the parent's posterior, `q = softmax(v)` the child's; `BC(p, q) = Σ_k √(p_k q_k)` (paper, section 3.3).
//! For every pair `2(1 - BC) <= -2 ln BC <= KL(q‖p)`, and `<= KL(p‖q)` too.
//!
//! With `s_k = √(p_k q_k) / BC`, the gradients at the child's logits `v` and the parent's logits `u` are
//!
//! | divergence | `∂/∂v` | `∂/∂u` |
//! |---|---|---|
//! | `-2 ln BC` | `q - s` | `p - s` |
//! | `-ln BC` | `(q - s)/2` | `(p - s)/2` |
//! | `2(1 - BC)` | `BC (q - s)` | `BC (p - s)` |
//! | `KL(q‖p)` | `q (ln q/p - KL)` | `p - q` |
//! | `KL(p‖q)` | `q - p` | `p (ln p/q - KL)` |

use crate::op::log_sum_exp;
use burn::tensor::{Tensor, activation};
use serde::{Deserialize, Serialize};

/// Which divergence aligns a unit with its parent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Divergence {
    /// `-2 ln BC`: the Rényi divergence of order 1/2, the tightest of the bounds on KL.
    #[default]
    Neg2LogBc,
    /// `-ln BC`: the Bhattacharyya distance.
    NegLogBc,
    /// `2(1 - BC)`: twice the squared Hellinger distance.
    Hellinger,
    /// `KL(q‖p)`, child from parent: the term of the layer's ELBO.
    KlQp,
    /// `KL(p‖q)`, parent from child.
    KlPq,
}

/// Value and gradients of a divergence for a batch.
pub struct Diverged {
    /// Per sample, `[b, 1]`.
    pub value: Tensor<2>,
    /// `∂D/∂v` at the child's logits, per sample, `[b, d_o]`.
    pub child: Tensor<2>,
    /// `∂D/∂u` at the parent's logits, per sample, `[b, d_o]`.
    pub parent: Tensor<2>,
}

impl Divergence {
    /// Value and gradient at the child's logits alone, for a parent that is held constant.
    pub fn of_child(self, log_p: Tensor<2>, log_q: Tensor<2>) -> (Tensor<2>, Tensor<2>) {
        if self == Divergence::Neg2LogBc {
            let (log_bc, s) = half_way(log_p, log_q.clone());
            return (log_bc * -2.0, log_q.exp() - s);
        }
        let Diverged { value, child, .. } = self.evaluate(log_p, log_q);
        (value, child)
    }

    /// `D(p, q)` from log-probabilities `[b, d_o]`, in the log domain throughout.
    pub fn evaluate(self, log_p: Tensor<2>, log_q: Tensor<2>) -> Diverged {
        match self {
            Divergence::KlQp => {
                let (value, child, parent) = kl(log_q, log_p);
                Diverged { value, child, parent }
            }
            Divergence::KlPq => {
                let (value, parent, child) = kl(log_p, log_q);
                Diverged { value, child, parent }
            }
            _ => {
                let (log_bc, s) = half_way(log_p.clone(), log_q.clone());
                let (child, parent) = (log_q.exp() - s.clone(), log_p.exp() - s);
                match self {
                    Divergence::Neg2LogBc => Diverged { value: log_bc * -2.0, child, parent },
                    Divergence::NegLogBc => Diverged { value: log_bc * -1.0, child: child * 0.5, parent: parent * 0.5 },
                    _ => {
                        let bc = log_bc.exp();
                        let value = (bc.clone() * -1.0 + 1.0) * 2.0;
                        Diverged { value, child: child * bc.clone(), parent: parent * bc }
                    }
                }
            }
        }
    }
}

/// `KL(a‖b)`, its gradient at the logits of `a`, and at those of `b`.
fn kl(log_a: Tensor<2>, log_b: Tensor<2>) -> (Tensor<2>, Tensor<2>, Tensor<2>) {
    let (a, ratio) = (log_a.clone().exp(), log_a - log_b.clone());
    let value = (a.clone() * ratio.clone()).sum_dim(1);
    (value.clone(), a.clone() * (ratio - value), log_b.exp() - a)
}

/// `ln BC` and `s`.
fn half_way(log_p: Tensor<2>, log_q: Tensor<2>) -> (Tensor<2>, Tensor<2>) {
    let halfway = (log_p + log_q) * 0.5;
    let log_bc = log_sum_exp(halfway.clone());
    let s = (halfway - log_bc.clone()).exp();
    (log_bc, s)
}

/// Cross-entropy of `softmax(v)` with one-hot targets `y`: per-sample value `[b, 1]`, log-probabilities and gradient
/// `q - y` at the logits, both `[b, codes]`. Codes beyond the classes are never a target.
pub fn cross_entropy(logits: Tensor<2>, targets: Tensor<2>) -> (Tensor<2>, Tensor<2>, Tensor<2>) {
    let log_q = activation::log_softmax(logits, 1);
    let value = (targets.clone() * log_q.clone()).sum_dim(1) * -1.0;
    let grad = log_q.clone().exp() - targets;
    (value, log_q, grad)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, Stream};
    use burn::tensor::{Device, Tolerance};

    const ALL: [Divergence; 5] =
        [Divergence::Neg2LogBc, Divergence::NegLogBc, Divergence::Hellinger, Divergence::KlQp, Divergence::KlPq];

    fn log_softmax(v: &[f64]) -> Vec<f64> {
        let max = v.iter().copied().fold(f64::MIN, f64::max);
        let log_z = v.iter().map(|x| (x - max).exp()).sum::<f64>().ln() + max;
        v.iter().map(|x| x - log_z).collect()
    }

    /// The definitions in plain loops, in f64, from logits.
    fn reference(divergence: Divergence, u: &[f64], v: &[f64]) -> f64 {
        let (lp, lq) = (log_softmax(u), log_softmax(v));
        let pairs = || lp.iter().zip(&lq);
        let bc: f64 = pairs().map(|(a, b)| (a.exp() * b.exp()).sqrt()).sum();
        match divergence {
            Divergence::Neg2LogBc => -2.0 * bc.ln(),
            Divergence::NegLogBc => -bc.ln(),
            Divergence::Hellinger => pairs().map(|(a, b)| (a.exp().sqrt() - b.exp().sqrt()).powi(2)).sum(),
            Divergence::KlQp => pairs().map(|(a, b)| b.exp() * (b - a)).sum(),
            Divergence::KlPq => pairs().map(|(a, b)| a.exp() * (a - b)).sum(),
        }
    }

    fn row(v: &[f64]) -> Tensor<2> {
        let v: Vec<f32> = v.iter().map(|x| *x as f32).collect();
        Tensor::<1>::from_floats(v.as_slice(), &Device::flex()).unsqueeze()
    }

    fn logits(seed: u64, scale: f64) -> (Vec<f64>, Vec<f64>) {
        let mut stream = Stream::new(seed, Purpose::Weights, &[]);
        let mut draw = || stream.normal(6, scale).into_iter().map(f64::from).collect();
        (draw(), draw())
    }

    #[test]
    fn values_and_gradients_agree_with_finite_differences() {
        for seed in 0..20 {
            let (u, v) = logits(seed, 1.5);
            for divergence in ALL {
                let out = divergence.evaluate(row(&log_softmax(&u)), row(&log_softmax(&v)));
                let value = f64::from(out.value.into_scalar::<f32>());
                assert!((value - reference(divergence, &u, &v)).abs() < 1e-4, "{divergence:?} {value}");
                let (alone, at_child) = divergence.of_child(row(&log_softmax(&u)), row(&log_softmax(&v)));
                assert_eq!(f64::from(alone.into_scalar::<f32>()), value);
                at_child.into_data().assert_eq(&out.child.clone().into_data(), true);
                let h = 1e-5;
                let child = out.child.into_data().try_to_vec::<f32>().unwrap();
                let parent = out.parent.into_data().try_to_vec::<f32>().unwrap();
                for k in 0..6 {
                    let slope = |at_child: bool| {
                        let at = |step: f64| {
                            let (mut u, mut v) = (u.clone(), v.clone());
                            if at_child {
                                v[k] += step;
                            } else {
                                u[k] += step;
                            }
                            reference(divergence, &u, &v)
                        };
                        (at(h) - at(-h)) / (2.0 * h)
                    };
                    assert!((f64::from(child[k]) - slope(true)).abs() < 2e-4, "{divergence:?} child {k}");
                    assert!((f64::from(parent[k]) - slope(false)).abs() < 2e-4, "{divergence:?} parent {k}");
                }
            }
        }
    }

    #[test]
    fn the_surrogates_bound_kl_from_below() {
        for seed in 0..200 {
            let (u, v) = logits(seed, 3.0);
            let value =
                |d: Divergence| d.evaluate(row(&log_softmax(&u)), row(&log_softmax(&v))).value.into_scalar::<f32>();
            let (hellinger, renyi) = (value(Divergence::Hellinger), value(Divergence::Neg2LogBc));
            assert!(hellinger <= renyi + 1e-5 && renyi <= value(Divergence::KlQp) + 1e-4);
            assert!(renyi <= value(Divergence::KlPq) + 1e-4);
        }
    }

    #[test]
    fn equal_posteriors_cost_nothing_and_far_ones_stay_finite() {
        for divergence in ALL {
            let same = row(&log_softmax(&[1.0, -2.0, 0.5]));
            let out = divergence.evaluate(same.clone(), same);
            assert!(out.value.into_scalar::<f32>().abs() < 1e-6);
            assert!(out.child.abs().max().into_scalar::<f32>() < 1e-6);
            let far = divergence.evaluate(row(&log_softmax(&[90.0, -90.0])), row(&log_softmax(&[-90.0, 90.0])));
            assert!(far.value.into_scalar::<f32>().is_finite());
            assert!(far.child.abs().sum().into_scalar::<f32>().is_finite());
        }
    }

    #[test]
    fn cross_entropy_gradient_is_q_minus_y() {
        let targets = row(&[0.0, 1.0, 0.0]);
        let (value, _, grad) = cross_entropy(row(&[0.2, -0.4, 1.0]), targets);
        // Python: import math; z=[.2,-.4,1.]; s=sum(map(math.exp,z))
        //         -math.log(math.exp(-.4)/s), [math.exp(a)/s for a in z]
        assert!((value.into_scalar::<f32>() - 1.928_228_9).abs() < 1e-5);
        let expected = row(&[0.264_946_1, 0.145_405_5 - 1.0, 0.589_648_4]);
        grad.into_data().assert_approx_eq::<f32>(&expected.into_data(), Tolerance::absolute(1e-6));
    }
}
