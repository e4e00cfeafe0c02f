//! What is measured of every layer between two epochs.

use serde::{Deserialize, Serialize};
use sll_core::bound::Bound;
use sll_core::posterior::{Affinity, UnitPosterior};

/// Every layer at one time: Theorem 1's quantities on all evaluated images, and the angle between the rule's update and
/// the loss gradient on training batches.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EpochDiagnostics {
    /// Epochs trained so far; 0 is before training.
    pub epoch: usize,
    /// Seconds that measuring took, which are in no other number of the run.
    #[serde(with = "sll_core::real")]
    pub seconds: f64,
    /// One entry a layer of the network, lowest first.
    pub layers: Vec<LayerDiagnostics>,
}

/// One layer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LayerDiagnostics {
    /// The layer's name with its sizes.
    pub name: String,
    /// Degrees between the rule's update of this layer's weights and backpropagation's, mean over the training batches
    /// shown; absent where a layer has no weights or does not move.
    #[serde(default, with = "sll_core::real::option")]
    pub angle: Option<f64>,
    /// What the unit that ends with this layer says; absent inside a unit, and for rules whose units have no posterior.
    pub posterior: Option<UnitPosterior>,
}

impl EpochDiagnostics {
    /// Theorem 1 with this `divergence` between neighbouring posteriors; `None` for rules whose units have none. A
    /// unit's place in the network takes no part: the theorem's layers are the rule's units.
    pub fn bound(&self, divergence: impl Fn(&Affinity) -> f64) -> Option<Bound> {
        let units = || self.layers.iter().filter_map(|layer| layer.posterior);
        let likelihoods: Vec<f64> = units().map(|unit| unit.log_likelihood).collect();
        let divergences: Vec<f64> = units().map(|unit| unit.parent.as_ref().map_or(0.0, &divergence)).collect();
        Bound::of(&likelihoods, &divergences).ok()
    }
}
