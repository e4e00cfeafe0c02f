//! Theorem 1 (paper, section 3.2 and appendix A.3.1): both sides of its bound and its two assumptions, from measured
//! numbers.
//!
//! With `ℓ_l = E log p(y|h_l)`, minus the cross-entropy of layer `l`'s own head, and `D_l` the divergence of its
//! posterior from its parent's, both in nats a sample, for `L` layers:
//!
//! ```text
//! network   L_net = ℓ_L - Σ_l D_l                       (eq. 21)
//! layer     L_l   = ℓ_l - D_l                           (eq. 19)
//! gain      Δ_l   = ℓ_L - ℓ_l                           (eq. 23)
//! theorem   (1/L) Σ_l L_l <= L_net
//! A3        Δ_l >= 0 for every l
//! A4        (1 - 1/L) Σ_l D_l <= (1/L) Σ_l Δ_l
//! identity  L_net - (1/L) Σ_l L_l = (1/L) Σ_l Δ_l - (1 - 1/L) Σ_l D_l      (eq. 26-29)
//! ```
//!
//! By the identity A4 *is* the theorem's inequality, term for term: where A4 is measured to hold the bound holds, where
//! not it does not, whatever A3 says. Both are measured here rather than assumed.
//!
//! What is measured stands in for the theorem's own terms: there `D_l` is the divergence of distributions of *latents*
//! and `p(y|h_l)` is left open; here both are of the categorical posteriors that fixed random heads give, as in the
//! rule's objective (the paper calls that "ELBO-inspired", not a bound). Of these, `D_l` is `KL(q_l‖p_l)`; the rule
//! trains a surrogate, `-2 ln BC`, that is never above it. A smaller `D` makes A4 easier, so a [`Bound`] is worked out
//! for each: see [`crate::posterior::Affinity`]. Layer 1's parent is the raw input, which has no posterior: `D_1 = 0`
//! here, as in the rule's own objective by default.

use crate::error::{Error, Result};

/// Both sides of Theorem 1 for one network at one time, in nats a sample.
#[derive(Clone, Debug, PartialEq)]
pub struct Bound {
    /// `L_net`, the greater side if the theorem holds.
    pub network: f64,
    /// `(1/L) Σ_l L_l`.
    pub mean_of_layers: f64,
    /// `Δ_l`, one a layer; the last is 0.
    pub gains: Vec<f64>,
    /// `(1 - 1/L) Σ_l D_l`, what A4 says is paid ...
    pub spent: f64,
    /// ... and `(1/L) Σ_l Δ_l`, what it may cost.
    pub budget: f64,
}

impl Bound {
    /// From `ℓ_l` and `D_l`, one of each a layer, lowest first.
    ///
    /// # Errors
    /// If there is no layer, or not one divergence a layer.
    pub fn of(log_likelihoods: &[f64], divergences: &[f64]) -> Result<Self> {
        let (count, Some(&output)) = (log_likelihoods.len(), log_likelihoods.last()) else {
            return Err(Error::setting("layers", 0, "the bound needs at least one layer with a posterior"));
        };
        if divergences.len() != count {
            let reason = format!("there are {count} layers; give one divergence each, 0 where there is no parent");
            return Err(Error::setting("divergences", divergences.len(), reason));
        }
        let layers = count as f64;
        let gains: Vec<f64> = log_likelihoods.iter().map(|own| output - own).collect();
        let divergence: f64 = divergences.iter().sum();
        Ok(Self {
            network: output - divergence,
            mean_of_layers: (log_likelihoods.iter().sum::<f64>() - divergence) / layers,
            spent: (1.0 - 1.0 / layers) * divergence,
            budget: gains.iter().sum::<f64>() / layers,
            gains,
        })
    }

    /// `L_net - (1/L) Σ_l L_l`: negative where the theorem's inequality fails.
    pub fn gap(&self) -> f64 {
        self.network - self.mean_of_layers
    }

    /// Assumption 3: no layer predicts better than the output.
    pub fn gains_hold(&self) -> bool {
        self.gains.iter().all(|gain| *gain >= 0.0)
    }

    /// Assumption 4, and with it the bound: the divergences cost no more than depth gains.
    pub fn budget_holds(&self) -> bool {
        self.spent <= self.budget
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, Stream};

    /// Likelihoods below 0 and, smaller, divergences above, for 1 to 6 layers.
    fn drawn(seed: u64) -> (Vec<f64>, Vec<f64>) {
        let (mut stream, layers) = (Stream::new(seed, Purpose::Noise, &[]), 1 + seed as usize % 6);
        let mut draw =
            |scale: f64| stream.normal(layers, 1.0).into_iter().map(|x| scale * f64::from(x).abs()).collect();
        (draw(-1.0), draw(0.15))
    }

    #[test]
    fn the_gap_is_gain_less_cost_and_assumption_4_is_the_theorem() {
        let mut seen = [0, 0];
        for seed in 0..400 {
            let (l, d) = drawn(seed);
            let bound = Bound::of(&l, &d).unwrap();
            // The two sides once more, straight from the definitions of L_net and L_l.
            let count = l.len() as f64;
            let (mut layers, mut divergence, mut gains) = (0.0, 0.0, 0.0);
            for (l_l, d_l) in l.iter().zip(&d) {
                layers += l_l - d_l;
                divergence += d_l;
                gains += l[l.len() - 1] - l_l;
            }
            let (network, mean) = (l[l.len() - 1] - divergence, layers / count);
            let identity = gains / count - (1.0 - 1.0 / count) * divergence;
            assert!((bound.network - network).abs() < 1e-12 && (bound.mean_of_layers - mean).abs() < 1e-12);
            assert!((bound.gap() - identity).abs() < 1e-12, "{} is not {identity}", bound.gap());
            assert!((bound.budget - bound.spent - bound.gap()).abs() < 1e-12);
            if l.len() > 1 {
                assert_eq!(bound.budget_holds(), mean <= network, "seed {seed}: {bound:?}");
                seen[usize::from(bound.budget_holds())] += 1;
            }
        }
        assert!(seen.iter().all(|n| *n > 20), "both outcomes were drawn: {seen:?}");
    }

    #[test]
    fn assumption_3_alone_gives_no_bound() {
        // Python: l=[-1.0,-0.6,-0.5]; d=[0,0.4,0.3]; L=3
        //         l[-1]-sum(d), sum(a-b for a,b in zip(l,d))/L  ->  -1.2, -0.9333333333333332
        let bound = Bound::of(&[-1.0, -0.6, -0.5], &[0.0, 0.4, 0.3]).unwrap();
        assert!(bound.gains_hold() && !bound.budget_holds());
        assert!((bound.network + 1.2).abs() < 1e-12 && (bound.mean_of_layers + 0.933_333_333_333_333_2).abs() < 1e-12);
        // And the bound may hold where a hidden layer predicts better than the output.
        let bound = Bound::of(&[-3.0, -0.4, -0.5], &[0.0, 0.1, 0.1]).unwrap();
        assert!(!bound.gains_hold() && bound.budget_holds() && bound.gap() > 0.0);
    }

    #[test]
    fn one_layer_is_its_network_and_what_does_not_fit_is_named() {
        let bound = Bound::of(&[-0.3], &[0.0]).unwrap();
        assert_eq!((bound.gap(), bound.network), (0.0, -0.3));
        assert!(bound.gains_hold() && bound.budget_holds());
        assert!(Bound::of(&[], &[]).unwrap_err().to_string().contains("layers"));
        assert!(Bound::of(&[-0.1, -0.2], &[0.0]).unwrap_err().to_string().contains("divergences"));
    }
}
