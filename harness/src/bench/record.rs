//! What a bench finds.

use super::machine::Rates;
use crate::record::Provenance;
use crate::report::stats::quartiles;
use sll_core::calls::Calls;

/// Seconds of many steps.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quartiles {
    /// How many steps.
    pub n: usize,
    /// Lower quartile.
    pub low: f64,
    /// Median.
    pub median: f64,
    /// Upper quartile.
    pub high: f64,
}

impl Quartiles {
    /// Of `seconds`; nothing of nothing.
    pub fn of(seconds: &[f64]) -> Option<Self> {
        quartiles(seconds).map(|[low, median, high]| Self { n: seconds.len(), low, median, high })
    }
}

/// What a step asks of LibTorch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Operators called, [`Calls::calls`].
    pub calls: u64,
    /// Those that are work for a device, [`Calls::work`].
    pub work: u64,
    /// Waits for the device, [`Calls::waits`].
    pub waits: u64,
}

impl From<&Calls> for Asked {
    fn from(calls: &Calls) -> Self {
        Self { calls: calls.calls(), work: calls.work(), waits: calls.waits() }
    }
}

/// One rule on one network, all of it measured in turns with each other.
#[derive(Clone, Debug, Default)]
pub struct RuleTimes {
    /// The rule's title.
    pub rule: &'static str,
    /// Why it does not run.
    pub missing: Option<String>,
    /// Multiply-accumulates of a step as counted, of all samples.
    pub macs: f64,
    /// The same of BP's step.
    pub bp_macs: f64,
    /// Values that the optimiser moves.
    pub values: usize,
    /// Our step.
    pub ours: Option<Quartiles>,
    /// Our BP's step.
    pub bp: Option<Quartiles>,
    /// PyTorch's BP step.
    pub torch_bp: Option<Quartiles>,
    /// PyTorch's step of the same rule.
    pub torch: Option<Quartiles>,
    /// The same with its fused Adam.
    pub fused: Option<Quartiles>,
    /// Seconds below which a step cannot come.
    pub floor: f64,
    /// What our step asks of LibTorch, on its devices; PyTorch's step of the same rule; the same with its fused Adam.
    pub asked: [Option<Asked>; 3],
}

impl RuleTimes {
    fn over(&self, other: Option<Quartiles>) -> Option<f64> {
        Some(self.ours?.median / other?.median)
    }

    /// Our step's time over PyTorch's BP's.
    pub fn over_torch_bp(&self) -> Option<f64> {
        self.over(self.torch_bp)
    }

    /// Our step's time over PyTorch's of the same rule.
    pub fn over_torch(&self) -> Option<f64> {
        self.over(self.torch)
    }

    /// Our step's time over that of PyTorch with its fused Adam.
    pub fn over_fused(&self) -> Option<f64> {
        self.over(self.fused)
    }

    /// Our step's time over the floor.
    pub fn over_floor(&self) -> Option<f64> {
        Some(self.ours?.median / self.floor)
    }

    /// The rule's multiply-accumulates over BP's.
    pub fn share(&self) -> f64 {
        self.macs / self.bp_macs
    }

    /// The rule's time over BP's, over its share of BP's work: above 1 it is slower than its work.
    pub fn over_share(&self) -> Option<f64> {
        Some(self.over(self.bp)? / self.share())
    }
}

/// One network.
#[derive(Clone, Debug)]
pub struct NetworkTimes {
    /// The network with the size of its step, for people.
    pub title: String,
    /// Its name.
    pub network: &'static str,
    /// Samples a step.
    pub batch: usize,
    /// The machine's rates; products of this network's shapes.
    pub rates: Rates,
    /// Multiply-accumulates a second of the same products by our tensor library and by PyTorch; the larger is the rate.
    pub products: (f64, Option<f64>),
    /// A line a rule.
    pub lines: Vec<RuleTimes>,
}

/// How fast images come.
#[derive(Clone, Debug, PartialEq)]
pub struct Loading {
    /// The data set.
    pub dataset: String,
    /// What is done to an image.
    pub augmentation: &'static str,
    /// Images a second.
    pub rate: f64,
}

/// Where the seconds of a run went.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Parts {
    /// What was run.
    pub title: String,
    /// From the start to the first epoch: data, network, a thrown-away step.
    pub start: f64,
    /// Making batches.
    pub data: f64,
    /// Steps.
    pub steps: f64,
    /// Predicting the test images.
    pub evaluation: f64,
    /// Writing checkpoints.
    pub checkpoint: f64,
    /// All of the run.
    pub total: f64,
}

impl Parts {
    /// What none of the parts names: counting, waiting for losses, telling.
    pub fn rest(&self) -> f64 {
        (self.total - self.start - self.data - self.steps - self.evaluation - self.checkpoint).max(0.0)
    }

    /// Percent of a run, its start aside, that is neither a step nor a prediction.
    pub fn added(&self) -> f64 {
        100.0 * (self.data + self.checkpoint + self.rest()) / (self.total - self.start)
    }
}

/// All of it.
#[derive(Clone, Debug)]
pub struct Bench {
    /// The command that made it.
    pub command: String,
    /// Where and with what.
    pub provenance: Provenance,
    /// PyTorch's version, or why there is none.
    pub pytorch: std::result::Result<String, String>,
    /// Networks in order.
    pub networks: Vec<NetworkTimes>,
    /// The loader.
    pub loading: Vec<Loading>,
    /// Short runs.
    pub runs: Vec<Parts>,
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    fn spread(median: f64) -> Option<Quartiles> {
        Quartiles::of(&[0.9 * median, median, 1.1 * median])
    }

    /// BP, SLL in half of its time with two thirds of its work, and a rule that does not run; all against PyTorch.
    pub fn bench() -> Bench {
        let line = |rule, macs, ours, torch| RuleTimes {
            rule,
            macs,
            bp_macs: 3e9,
            values: 1_000_000,
            ours: spread(ours),
            bp: spread(0.04),
            torch_bp: spread(0.02),
            torch: spread(torch),
            fused: spread(0.01),
            floor: 0.016,
            asked: [(60, 40), (97, 80), (70, 50)].map(|(calls, work)| Some(Asked { calls, work, waits: 1 })),
            ..RuleTimes::default()
        };
        let missing =
            RuleTimes { rule: "DTP", missing: Some("needs | layers".into()), bp_macs: 3e9, ..RuleTimes::default() };
        let network = NetworkTimes {
            title: "mlp-2x800, 1x28x28, batch 128".into(),
            network: "mlp-2x800",
            batch: 128,
            rates: Rates { macs: 100e9, bytes: 20e9 },
            products: (90e9, Some(100e9)),
            lines: vec![line("BP", 3e9, 0.04, 0.02), line("SLL", 2e9, 0.02, 0.015), missing],
        };
        let provenance = crate::provenance::here(crate::spec::DeviceName::Flex, "");
        Bench {
            command: "harness bench --device flex".into(),
            provenance,
            pytorch: Ok("2.9.1".into()),
            networks: vec![network],
            loading: vec![Loading { dataset: "mnist-sample".into(), augmentation: "none", rate: 123_456.0 }],
            runs: vec![Parts {
                title: "SLL".into(),
                start: 1.0,
                data: 0.1,
                steps: 8.0,
                evaluation: 0.5,
                checkpoint: 0.1,
                total: 10.0,
            }],
        }
    }

    #[test]
    fn ratios_are_of_medians_and_shares_of_work() {
        let bench = bench();
        let [bp, sll, missing] = &bench.networks[0].lines[..] else { panic!("three lines") };
        let close =
            |got: Option<f64>, expected: f64| assert!((got.unwrap() - expected).abs() < 1e-9, "{got:?} {expected}");
        close(bp.over_torch_bp(), 2.0);
        close(bp.over_share(), 1.0);
        close(sll.over_torch(), 0.02 / 0.015);
        close(sll.over_fused(), 2.0);
        close(sll.over_floor(), 1.25);
        close(sll.over_share(), 0.75);
        assert_eq!((missing.over_torch_bp(), missing.over_share()), (None, None));
    }

    #[test]
    fn what_a_run_adds_is_neither_step_nor_prediction() {
        let parts = &bench().runs[0];
        assert!((parts.rest() - 0.3).abs() < 1e-9 && (parts.added() - 100.0 * 0.5 / 9.0).abs() < 1e-9);
    }
}
