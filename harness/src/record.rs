//! What a finished run leaves: `results/runs/<id>/result.json`.

use crate::spec::RunSpec;
use serde::{Deserialize, Serialize};
use sll_core::bound::Bound;
use sll_core::memory::StepBytes;
use sll_core::posterior::{Affinity, UnitPosterior};
use sll_core::rule::StepCost;

/// A finished run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunResult {
    /// [`RunSpec::id`].
    pub run_id: String,
    /// Percent of the evaluated images classified right after the last epoch.
    #[serde(with = "sll_core::real")]
    pub test_accuracy: f64,
    /// The same after the epoch where it was best: an optimistic number, never used for a table's main column.
    #[serde(with = "sll_core::real")]
    pub best_test_accuracy: f64,
    /// `test`, or `validation` where the recipe holds training images out: then both accuracies are on those.
    pub evaluated_on: String,
    /// Epochs trained.
    pub epochs: usize,
    /// Seconds of training, evaluation included; over all its parts where the run was resumed.
    #[serde(with = "sll_core::real")]
    pub seconds: f64,
    /// Whether the loss became infinite or not a number, and at which step.
    pub diverged_at_step: Option<u64>,
    /// Trainable parameters.
    pub parameters: u64,
    /// Analytic multiply-accumulates of a training step, per sample.
    pub macs: StepCost,
    /// Exact peak bytes of training, by category.
    pub peak_bytes: PeakBytes,
    /// One entry an epoch.
    pub curve: Vec<EpochPoint>,
    /// Accuracy in percent of each unit's own head after the last epoch, the output's last; empty without local heads.
    #[serde(with = "sll_core::real::list")]
    pub unit_accuracy: Vec<f64>,
    /// Every layer before training and after each epoch; empty unless the recipe asks for `diagnostics`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub diagnostics: Vec<EpochDiagnostics>,
    /// The data.
    pub data: DataInfo,
    /// Where and with what it ran.
    pub provenance: Provenance,
    /// What was run.
    pub spec: RunSpec,
}

/// One epoch.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct EpochPoint {
    /// Counted from 1.
    pub epoch: usize,
    /// Mean training loss at the output over the epoch's steps.
    #[serde(with = "sll_core::real")]
    pub train_loss: f64,
    /// Percent.
    #[serde(with = "sll_core::real")]
    pub test_accuracy: f64,
    /// Seconds since the start of training.
    #[serde(with = "sll_core::real")]
    pub seconds: f64,
}

/// Every layer at one time: Theorem 1's quantities on all evaluated images, and the angle between the rule's update and the
/// loss gradient on training batches.
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
    /// Theorem 1 with this `divergence` between neighbouring posteriors; `None` for rules whose units have none. A unit's
    /// place in the network takes no part: the theorem's layers are the rule's units.
    pub fn bound(&self, divergence: impl Fn(&Affinity) -> f64) -> Option<Bound> {
        let units = || self.layers.iter().filter_map(|layer| layer.posterior);
        let likelihoods: Vec<f64> = units().map(|unit| unit.log_likelihood).collect();
        let divergences: Vec<f64> = units().map(|unit| unit.parent.as_ref().map_or(0.0, &divergence)).collect();
        Bound::of(&likelihoods, &divergences).ok()
    }
}

/// Peak bytes of training. What is counted is the meter's definition, in [`Provenance::memory_definition`]; the data set
/// itself is not in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeakBytes {
    /// The network's parameters.
    pub parameters: u64,
    /// The optimiser's state.
    pub optimizer_state: u64,
    /// What the rule keeps besides the network, fixed or learned: projections, feedback weights, heads.
    pub fixed: u64,
    /// What the tensor library keeps for itself between steps, like packing buffers of its matrix products.
    #[serde(alias = "workspace")]
    pub library: u64,
    /// The most that a training step holds above all of these: the batch, activations, gradients, temporaries.
    pub step_peak: u64,
    /// What `step_peak` is made of at that moment.
    #[serde(default)]
    pub step: StepBytes,
    /// The sum of the others but `step`.
    pub total: u64,
}

/// The data a run saw.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataInfo {
    /// The data set's name.
    pub name: String,
    /// SHA-256 of its content.
    pub digest: String,
    /// Whether that is the official content.
    pub verified: bool,
    /// Where it was read.
    pub source: String,
    /// Images trained on.
    pub train: usize,
    /// Images evaluated on.
    pub test: usize,
}

/// Where and with what a run was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provenance {
    /// The device's name in specs.
    pub device: String,
    /// The processor or GPU, as the machine calls it.
    pub hardware: String,
    /// Threads of the tensor library.
    pub threads: usize,
    /// The harness's version and git commit.
    pub harness: String,
    /// The tensor library's version.
    pub backend: String,
    /// What the memory numbers count.
    pub memory_definition: String,
    /// When the run finished, seconds since 1970.
    pub finished_unix: u64,
}
