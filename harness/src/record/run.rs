//! What a finished run leaves: `results/runs/<id>/result.json`.

use super::{EpochDiagnostics, EpochRepresentations, Picture, Provenance};
use crate::spec::{Request, RunSpec};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sll_core::memory::StepBytes;
use sll_core::rule::StepCost;
use std::ffi::OsString;

/// A finished run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(remote = "Self")]
pub struct RunResult {
    /// The run's name: [`RunSpec::id_under`] of its numerics.
    pub run_id: String,
    /// The version of the numerics that made it: the same spec gives other numbers under another.
    #[serde(default = "untold_numerics")]
    pub numerics: u32,
    /// Percent of the evaluated images classified right after the last epoch; a run that diverged has none.
    #[serde(with = "sll_core::real::option")]
    pub test_accuracy: Option<f64>,
    /// The same after the epoch where it was best, if one was finished: an optimistic number, never used for a table's
    /// main column.
    #[serde(with = "sll_core::real::option")]
    pub best_test_accuracy: Option<f64>,
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
    /// Those of a step of backpropagation on the same network; results of before it was kept lack it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bp_macs: Option<u64>,
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
    /// Every hidden layer's output before training and after each epoch; empty unless the recipe asks for
    /// `representations`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub representations: Vec<EpochRepresentations>,
    /// What is drawn of the layers after the last epoch, where the recipe asks for `representations` and the run did
    /// not diverge.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub picture: Option<Box<Picture>>,
    /// What its workers did, where a pipeline made its steps (`--pipeline`): the numbers are those of a run without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pipeline: Option<Pipelined>,
    /// The data.
    pub data: DataInfo,
    /// Where and with what it ran.
    pub provenance: Provenance,
    /// What was run.
    pub spec: RunSpec,
}

impl RunResult {
    /// What tells it from another run of the same spec.
    pub fn stamp(&self) -> String {
        super::stamp(&self.run_id, self.provenance.finished_unix, self.seconds)
    }

    /// Whether its rule has changed since: then it says nothing of the rule as it is now.
    pub fn is_of_a_former_rule(&self) -> bool {
        self.numerics < self.spec.rule.numerics(&self.spec.network)
    }

    /// Takes away the 0, or the last sound epoch's accuracy, that records of before give to a run that diverged.
    #[must_use]
    pub fn without_accuracy_if_diverged(mut self) -> Self {
        if self.diverged_at_step.is_some() {
            self.test_accuracy = None;
            self.best_test_accuracy = self.best_test_accuracy.filter(|_| self.epochs > 0);
        }
        self
    }
}

impl Serialize for RunResult {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Self::serialize(self, serializer)
    }
}

impl<'de> Deserialize<'de> for RunResult {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self::deserialize(deserializer)?.without_accuracy_if_diverged())
    }
}

/// The version of results that do not tell theirs.
fn untold_numerics() -> u32 {
    6
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

/// Peak bytes of training. What is counted is the meter's definition, in [`Provenance::memory_definition`]; the data
/// set itself is not in it.
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

/// What the workers of a pipeline did. [`PeakBytes`] are of steps one after the other; here is what the pipeline takes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Pipelined {
    /// Workers, each with a batch and a thread of its own.
    pub workers: usize,
    /// Steps that they made.
    pub steps: u64,
    /// The most that they held at once above what stood before, what each thread keeps for its products of matrices
    /// included.
    pub step_peak: u64,
    /// What `step_peak` is made of at that moment.
    pub step: StepBytes,
    /// Seconds in which a worker made batches.
    #[serde(with = "sll_core::real")]
    pub batch_seconds: f64,
    /// Seconds in which a worker was in each unit, from the first to the last.
    #[serde(with = "sll_core::real::list")]
    pub unit_seconds: Vec<f64>,
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
    /// Where it was read, on the machine that ran it.
    pub source: String,
    /// Images trained on.
    pub train: usize,
    /// Images evaluated on.
    pub test: usize,
}

impl Request for RunSpec {
    type Record = RunResult;
    const FOLDER: &'static str = "runs";
    const SUBCOMMAND: &'static str = "run";
    const NOUN: &'static str = "run";

    /// The first 16 hex digits of the SHA-256 of the spec and of the numerics' version.
    fn id(&self) -> String {
        self.id_under(self.numerics())
    }

    /// The spec has the name of a data set of one's own; where it lies is no part of a run.
    fn arguments(&self) -> Vec<OsString> {
        let own = datasets::manifest(&self.dataset).ok().and_then(|manifest| manifest.own.as_ref());
        own.map_or_else(Vec::new, |own| vec!["--dataset".into(), own.path.clone().into_os_string()])
    }

    fn threads(&self) -> Option<usize> {
        None
    }

    fn names(record: &RunResult) -> (&str, String) {
        (&record.run_id, record.spec.id_under(record.numerics))
    }

    fn summary(_: &RunResult) -> Option<String> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::RunResult;
    use crate::record::example;

    #[test]
    fn a_diverged_run_has_no_accuracy_and_one_of_before_loses_the_zero_it_was_given() {
        let run = RunResult { curve: Vec::new(), epochs: 0, best_test_accuracy: None, ..example::diverged(0) };
        let text = serde_json::to_string(&run).unwrap();
        assert!(text.contains("\"test_accuracy\":null,\"best_test_accuracy\":null"), "{text}");
        assert_eq!(serde_json::from_str::<RunResult>(&text).unwrap(), run);
        let before = text.replace("accuracy\":null", "accuracy\":0.0");
        assert_eq!(serde_json::from_str::<RunResult>(&before).unwrap(), run);
        // One that had finished an epoch was given that one's accuracy, which is not the weights' at its end.
        let run = example::diverged(0);
        let before = serde_json::to_string(&run).unwrap().replace("\"test_accuracy\":null", "\"test_accuracy\":9.8");
        let read: RunResult = serde_json::from_str(&before).unwrap();
        assert_eq!((read.test_accuracy, read.best_test_accuracy), (None, Some(10.3)));
        let sound = example::run(0, 98.0);
        let text = serde_json::to_string(&sound).unwrap();
        assert_eq!(serde_json::from_str::<RunResult>(&text).unwrap(), sound);
    }
}
