//! What a weighing leaves: `results/memory-runs/<id>/result.json`.

use super::Provenance;
use crate::spec::{MemorySpec, Request, name_of};
use crate::units::MIB;
use serde::{Deserialize, Serialize};
use sll_core::memory::MemoryUse;
use sll_core::rule::StepCost;

/// The code that decides memory: two builds that agree in it measure the same bytes.
const CODE: &str = env!("SLL_MEMORY_CODE");

/// A finished measurement.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Footprint {
    /// The measurement's name.
    pub id: String,
    /// Trainable parameters of the network, as values.
    pub values: u64,
    /// Analytic multiply-accumulates of a step, per sample.
    pub macs: StepCost,
    /// The same counted where matrix products and convolutions were done, in the last step.
    pub macs_counted: u64,
    /// Exact bytes.
    pub bytes: MemoryUse,
    /// [`MemoryUse::standing`]: live between steps.
    pub live: u64,
    /// [`MemoryUse::step_peak`].
    pub step_peak: u64,
    /// [`MemoryUse::total`]: the peak.
    pub peak: u64,
    /// The most activations at once in a step, whether or not its peak was then.
    #[serde(default)]
    pub most_activations: u64,
    /// By how much the weighed steps' peaks differ among themselves.
    pub spread: u64,
    /// What theory says, where the rule's memory is modelled for this network.
    pub analytic: Option<MemoryUse>,
    /// Seconds of a step after the first, on `provenance.threads` threads, other work beside it not excluded.
    #[serde(with = "sll_core::real")]
    pub seconds_per_step: f64,
    /// The most bytes that LibTorch's caching allocator held of the card in a weighed step, handed out or not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reserved_peak: Option<u64>,
    /// The most memory that the whole process ever had resident (`VmHWM`), an outer check: program, allocator's slack
    /// and fragmentation included. Absent where the system does not tell.
    pub peak_rss: Option<u64>,
    /// Where and with what it was measured; `memory_definition` says what the bytes count.
    pub provenance: Provenance,
    /// What was measured.
    pub spec: MemorySpec,
}

impl Footprint {
    /// What tells it from another weighing of the same spec.
    pub fn stamp(&self) -> String {
        super::stamp(&self.id, self.provenance.finished_unix, self.seconds_per_step)
    }

    /// By how many percent theory is off the measured peak of the step: `100 (analytic / measured - 1)`.
    pub fn analytic_deviation(&self) -> Option<f64> {
        self.analytic.map(|model| 100.0 * (model.step_peak() as f64 / self.step_peak as f64 - 1.0))
    }
}

impl Request for MemorySpec {
    type Record = Footprint;
    const FOLDER: &'static str = "memory-runs";
    const SUBCOMMAND: &'static str = "memory";
    const NOUN: &'static str = "measurement";

    /// The first 16 hex digits of the SHA-256 of the spec and of the code that decides memory.
    fn id(&self) -> String {
        name_of(&(CODE, self))
    }

    fn threads(&self) -> Option<usize> {
        Some(self.threads)
    }

    fn names(record: &Footprint) -> (&str, String) {
        (&record.id, record.spec.id())
    }

    fn summary(record: &Footprint) -> Option<String> {
        let mib = |bytes: u64| bytes as f64 / MIB;
        let (step, total) = (mib(record.step_peak), mib(record.peak));
        Some(format!("step peak {step:.1} MiB, total {total:.1} MiB, {:.2} s a step", record.seconds_per_step))
    }
}
