//! LC-FF: forward-forward with layer collaboration (Lorberbom, Gat, Adi, Schwing & Hazan 2024).
//!
//! ```text
//! p_l = σ(s (G_l - θ + sg(γ_l))),   γ_l = Σ_t (G_t - θ) over other layers t
//! ```
//!
//! The paper has one θ for the sum. Here each layer brings its own, so that a deep network's sum does not start far
//! above it; with one hidden layer both are FF.
//!
//! FF in which each layer sees how good the others already are: those below it (`lower`, no extra work), or all of them
//! (`all`, one more forward pass for the goodness of the layers above). All layers are updated in every batch.

use super::peer::Peers;
use super::{Goodness, Labels, contrastive_cost, goodness, layer_goodness, normalise, units, untrained_output};
use crate::facts::{Reach, Rule, Variant, Variants};
use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};
use sll_core::learned::Part;
use sll_core::op::inject;
use sll_core::optim::Updater;
use sll_core::rule::{Batch, LearningRule, StepCost, StepReport};
use sll_core::{Cut, Network, NetworkSpec, Result, is_default};
use std::ops::Range;

/// Which other layers' goodness counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Others {
    /// Layers `t < l`: the paper's better variant on Fashion-MNIST and CIFAR-10.
    #[default]
    Lower,
    /// Layers `t ≠ l`.
    All,
}

/// Settings of LC-FF.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LcffConfig {
    /// Which layers collaborate.
    pub others: Others,
    /// Threshold `θ` on each layer's mean of squares.
    pub threshold: f64,
    /// Factor `s` on goodness less threshold. A sum of squares in place of the mean is `s` times the width of the
    /// layer; of 4 and 20 neither is better at every size of the label (`sweep tune-ff`).
    pub steepness: f64,
    /// Size of the label in the image, in units of the normalised pixels: 10 in a vector and 1 on a map when absent,
    /// where the label lies over the whole image (`sweep tune-ff`, `sweep tune-ff-cnn`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label_scale: Option<f64>,
    /// Weight of peer normalisation (in the code of Löwe 2023: 0.03), which draws a unit's mean activity to its
    /// layer's.
    #[serde(skip_serializing_if = "is_default")]
    pub peer_weight: f64,
}

impl Default for LcffConfig {
    fn default() -> Self {
        Self { others: Others::Lower, threshold: 1.0, steepness: 4.0, label_scale: None, peer_weight: 0.0 }
    }
}

/// The rule, built for one network.
pub struct Lcff {
    others: Others,
    threshold: f64,
    goodness: Goodness,
    labels: Labels,
    peers: Peers,
    units: Vec<Range<usize>>,
}

impl Rule for LcffConfig {
    const VARIANTS: Variants<Self> = &[
        Variant {
            title: "LC-FF",
            equation: "as FF with G_l + sg(sum of G_t, t < l)",
            paper: "Lorberbom et al. 2024",
            stores: "fixed: labels, (K + 1) n_0 values",
            activations: "one layer's, twice",
            ..Variant::local(Self::default)
        },
        Variant {
            title: "LC-FF, all layers",
            equation: "as FF with G_l + sg(sum of G_t, t != l)",
            paper: "Lorberbom et al. 2024",
            stores: "fixed: labels, (K + 1) n_0 values",
            activations: "one layer's, twice",
            update_locked: "until the goodness of all layers",
            reach: Reach::Output,
            ..Variant::local(|| Self { others: Others::All, ..Self::default() })
        },
    ];

    fn build(&self, net: &mut Network, _seed: u64) -> Result<Box<dyn LearningRule>> {
        Ok(Box::new(self.init(net)?))
    }

    fn title(&self) -> String {
        Self::VARIANTS[self.others as usize].title.into()
    }

    fn numerics(&self, network: &NetworkSpec) -> u32 {
        // Labels on maps became orthogonal waves.
        if network.sees_vectors() { 0 } else { 8 }
    }
}

impl LcffConfig {
    /// Checks the settings and builds the rule for `net`.
    ///
    /// # Errors
    /// If a setting is out of its range, or the rule cannot run on `net`.
    pub fn init(&self, net: &Network) -> Result<Lcff> {
        let units = units(net, "LC-FF")?;
        untrained_output(net)?;
        let goodness = Goodness::new(self.threshold, self.steepness)?;
        Ok(Lcff {
            others: self.others,
            threshold: self.threshold,
            goodness,
            labels: Labels::new(net, self.label_scale, "LC-FF")?,
            peers: Peers::new(net, &units, self.peer_weight)?,
            units,
        })
    }
}

impl LearningRule for Lcff {
    fn step(&mut self, net: &mut Network, batch: &Batch, updater: &mut Updater) -> Result<StepReport> {
        net.accept(batch)?;
        let (b, last) = (batch.len(), self.units.len() - 1);
        let pairs = self.labels.pairs(batch);
        // Goodness of every layer before any update; of the layers below it is known when a layer's turn comes.
        let threshold = self.threshold;
        let excess = |h: Tensor<2>| goodness::of(h) - threshold;
        let all: Option<Tensor<2>> = (self.others == Others::All).then(|| {
            let mut x = pairs.clone();
            let each = self.units[..last].iter().map(|unit| {
                x = net.forward_plain(unit.clone(), normalise(x.clone()), &batch.replay());
                excess(x.clone())
            });
            each.reduce(|a, b| a + b).expect("a hidden unit")
        });
        let mut x = pairs;
        let mut below: Option<Tensor<2>> = None;
        let mut loss: Option<Tensor<1>> = None;
        for (index, unit) in self.units[..last].iter().enumerate() {
            let output = net.forward_range(unit.clone(), Tensor::from_inner(normalise(x)), &batch.pass());
            x = output.clone().inner();
            let own = excess(x.clone());
            let others = match &all {
                Some(all) => Some(all.clone() - own.clone()),
                None => below.clone(),
            };
            let (value, signal) = self.goodness.evaluate(x.clone(), b, others);
            let signal = self.peers.unit(index).pull(&x, b, signal);
            updater.step(net, unit.clone(), inject(output, signal));
            below = Some(below.map_or(own.clone(), |sum| sum + own));
            loss = Some(loss.map_or(value.clone(), |sum| sum + value));
        }
        Ok(StepReport { loss: loss.expect("a hidden unit") / last as f64, units: Vec::new() })
    }

    fn predict(&self, net: &Network, x: Tensor<2>) -> Tensor<2> {
        // The margin that is trained is that of the sum.
        let hidden = 0..self.units.len() - 1;
        self.labels.scores(x, |x| layer_goodness(net, &self.units, x, normalise, hidden.clone()))
    }

    fn cut(&self) -> Cut {
        Cut::EveryLayer
    }

    fn cost(&self, net: &Network, _batch: usize) -> StepCost {
        let cost = contrastive_cost(net, &self.units, self.labels.macs());
        let again = if self.others == Others::All { cost.forward } else { 0 };
        StepCost { rule: cost.rule + again, ..cost }
    }

    fn parts(&self) -> Vec<Part<'_>> {
        self.labels.parts().into_iter().chain(self.peers.parts()).collect()
    }

    fn load(&mut self, record: Vec<Vec<u8>>) -> Result<()> {
        self.peers.load(record)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ff::FfConfig;
    use sll_core::laws::{self, Build};

    const LOWER: Build = &|net| Ok(Box::new(LcffConfig::default().init(net)?));
    const ALL: Build = &|net| Ok(Box::new(LcffConfig { others: Others::All, ..LcffConfig::default() }.init(net)?));

    #[test]
    fn with_one_hidden_layer_it_is_ff() {
        let ff: Build = &|net| Ok(Box::new(FfConfig::default().init(net)?));
        laws::same_update(|| laws::small_mlp(1), LOWER, ff);
        laws::close_update(|| laws::small_mlp(1), ALL, ff, 1e-4);
    }

    #[test]
    fn collaboration_adds_the_other_layers_goodness_to_the_margin() {
        // Two rows of one unit by hand: slope sign · s σ(sign · s (G + γ - θ)) · 2 h / n / b.
        let h = Tensor::<2>::from_floats([[1.0, 0.5], [0.2, 0.4]], &burn::tensor::Device::flex());
        let others = Tensor::<2>::from_floats([[0.7], [0.1]], &h.device());
        let (_, signal) = Goodness::new(1.0, 3.0).unwrap().evaluate(h, 1, Some(others));
        let found = laws::floats(signal);
        let slope = |sign: f32, g: f32| sign * 3.0 / (1.0 + (-sign * 3.0 * (g - 1.0)).exp());
        let (positive, negative) = (slope(-1.0, 0.625 + 0.7), slope(1.0, 0.1 + 0.1));
        let expected = [positive * 1.0, positive * 0.5, negative * 0.2, negative * 0.4];
        found.iter().zip(expected).for_each(|(a, b)| assert!((a - b).abs() < 1e-6, "{found:?} against {expected:?}"));
    }

    #[test]
    fn lower_is_local_and_all_reaches_the_top_through_goodness() {
        laws::local(|| laws::small_mlp(2), || laws::small_mlp(4), 2, LOWER);
        laws::reaches(|| laws::small_mlp(3), 2, 2, 0, 1, ALL);
    }

    #[test]
    fn repeats_resumes_and_learns() {
        for build in [LOWER, ALL] {
            laws::repeats(|| laws::small_mlp(3), build);
            laws::resumes(|| laws::small_mlp(3), build);
            laws::learns(|| laws::small_mlp(2), build, 200);
        }
    }
}
