//! What the figure shows of a bench.

use super::record::{Bench, Quartiles, RuleTimes};

/// Networks and rules with their times.
#[derive(Clone, Debug, PartialEq)]
pub struct Shown {
    /// The device.
    pub device: String,
    /// Its threads.
    pub threads: usize,
    /// The processor or GPU.
    pub hardware: String,
    /// PyTorch's version, if it was measured too.
    pub pytorch: Option<String>,
    /// Networks in order.
    pub networks: Vec<ShownNetwork>,
}

/// One network.
#[derive(Clone, Debug, PartialEq)]
pub struct ShownNetwork {
    /// Its name.
    pub name: String,
    /// Samples a step.
    pub batch: usize,
    /// A line a rule.
    pub lines: Vec<ShownLine>,
}

/// One rule: steps of ours, of our BP and of PyTorch's BP, and the seconds below which a step cannot come.
#[derive(Clone, Debug, PartialEq)]
pub struct ShownLine {
    /// The rule's title.
    pub rule: String,
    /// Our step.
    pub ours: Option<Quartiles>,
    /// Our BP's step.
    pub bp: Option<Quartiles>,
    /// PyTorch's BP's step.
    pub torch_bp: Option<Quartiles>,
    /// The floor.
    pub floor: f64,
}

impl Shown {
    /// Of a bench.
    pub fn of(bench: &Bench) -> Self {
        let line = |RuleTimes { rule, ours, bp, torch_bp, floor, .. }: &RuleTimes| ShownLine {
            rule: rule.to_string(),
            ours: *ours,
            bp: *bp,
            torch_bp: *torch_bp,
            floor: *floor,
        };
        let networks = bench.networks.iter().map(|network| ShownNetwork {
            name: network.network.to_string(),
            batch: network.batch,
            lines: network.lines.iter().map(line).collect(),
        });
        Self {
            device: bench.provenance.device.to_string(),
            threads: bench.provenance.threads,
            hardware: bench.provenance.hardware.clone(),
            pytorch: bench.pytorch.clone().ok(),
            networks: networks.collect(),
        }
    }
}
