//! Peer normalisation: a small force on units that are much more or less active than their layer (Hinton 2022; in the
//! code of Löwe 2023 with weight 0.03).
//!
//! ```text
//! m <- 0.9 m + 0.1 mean over positives of h,   L = weight · mean_j (mean(m) - m_j)²
//! ```
//!
//! The gradient goes through the present batch's part of `m`: `dh_j = weight · 0.1 · 2 (m_j - mean(m)) / (n b)` for
//! each of the `b` positive samples.

use burn::tensor::Tensor;
use sll_core::learned::{Learned, Matrix, Part, load_all};
use sll_core::{Error, Network, Result};
use std::ops::Range;

/// How much of the running mean stays in a step.
const MOMENTUM: f64 = 0.9;
/// What running means start at.
const START: f32 = 0.5;

/// Running means of each hidden unit's output.
pub struct Peers {
    weight: f64,
    /// `m [1, n]` of each hidden unit; none without a weight.
    means: Vec<Learned<Matrix>>,
}

impl Peers {
    /// For the hidden `units` of `net`.
    pub fn new(net: &Network, units: &[Range<usize>], weight: f64) -> Result<Self> {
        if !(weight.is_finite() && weight >= 0.0) {
            return Err(Error::setting("peer_weight", weight, "must be 0 or positive (default 0; the authors' 0.03)"));
        }
        let means = |unit: &Range<usize>| {
            let n = net.output_of(unit.end - 1).len();
            Learned::new(Matrix::new(vec![START; n], [1, n], net.device()))
        };
        let hidden = &units[..units.len() - 1];
        Ok(Self { weight, means: if weight > 0.0 { hidden.iter().map(means).collect() } else { Vec::new() } })
    }

    /// The force of hidden unit `unit`.
    pub fn unit(&mut self, unit: usize) -> Peer<'_> {
        Peer { weight: self.weight, means: self.means.get_mut(unit) }
    }

    /// The force of each hidden unit.
    pub fn units(&mut self) -> impl Iterator<Item = Peer<'_>> {
        let weight = self.weight;
        let means = self.means.iter_mut().map(Some).chain(std::iter::repeat_with(|| None));
        means.map(move |means| Peer { weight, means })
    }

    /// See [`sll_core::rule::LearningRule::parts`].
    pub fn parts(&self) -> Vec<Part<'_>> {
        Part::learned_list("peers", &self.means)
    }

    /// See [`sll_core::rule::LearningRule::load`].
    pub fn load(&mut self, record: Vec<Vec<u8>>) -> Result<()> {
        load_all(&mut self.means, record)
    }
}

/// The force on one unit; none without a weight.
pub struct Peer<'a> {
    weight: f64,
    means: Option<&'a mut Learned<Matrix>>,
}

impl Peer<'_> {
    /// `signal` with the force on the unit, whose output is `h`: `b` positive rows, then negative ones.
    pub fn pull(&mut self, h: &Tensor<2>, b: usize, signal: Tensor<2>) -> Tensor<2> {
        let Some(means) = self.means.as_deref_mut() else { return signal };
        let n = h.dims()[1];
        let seen = h.clone().narrow(0, 0, b).mean_dim(0);
        let mean = means.get().plain() * MOMENTUM + seen * (1.0 - MOMENTUM);
        *means.get_mut() = Matrix::from_plain(mean.clone());
        let away = mean.clone() - mean.mean_dim(1);
        let force = away * (self.weight * (1.0 - MOMENTUM) * 2.0 / n as f64 / b as f64);
        let positive = signal.clone().narrow(0, 0, b) + force;
        let negative = signal.narrow(0, b, h.dims()[0] - b);
        Tensor::cat(vec![positive, negative], 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sll_core::laws::{self, floats};
    use sll_core::rng::{Purpose, Stream, upload};

    #[test]
    fn the_force_is_the_losss_slope() {
        let net = laws::small_mlp(1);
        let units = net.units(sll_core::Cut::EveryLayer).unwrap();
        let (b, n) = (3, 16);
        let h = Stream::new(1, Purpose::Noise, &[]).normal(2 * b * n, 1.0);
        let loss = |h: &[f64]| -> f64 {
            let m: Vec<f64> =
                (0..n).map(|j| 0.9 * 0.5 + 0.1 * (0..b).map(|s| h[s * n + j]).sum::<f64>() / b as f64).collect();
            let mean = m.iter().sum::<f64>() / n as f64;
            0.7 * m.iter().map(|m| (mean - m).powi(2)).sum::<f64>() / n as f64
        };
        let wide: Vec<f64> = h.iter().map(|v| f64::from(*v)).collect();
        let x = upload(h, [2 * b, n], &burn::tensor::Device::flex());
        let mut peers = Peers::new(&net, &units, 0.7).unwrap();
        let found = floats(peers.unit(0).pull(&x, b, x.zeros_like()));
        for (i, found) in found.iter().enumerate() {
            let at = |by: f64| {
                let mut h = wide.clone();
                h[i] += by;
                loss(&h)
            };
            let slope = (at(1e-4) - at(-1e-4)) / 2e-4;
            assert!((slope - f64::from(*found)).abs() < 1e-7, "h[{i}]: {slope}, {found}");
        }
        assert!(Peers::new(&net, &units, -1.0).is_err());
    }
}
