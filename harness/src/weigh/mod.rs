//! One measurement in this process: builds what the spec says, weighs its steps, and adds what stands beside the bytes.

mod steps;

pub use steps::{Subject, Weighed, Weighing};

use crate::error::Result;
use crate::record::Footprint;
use crate::spec::{MemorySpec, Request};
use crate::{device, provenance, room};
use sll_core::Network;
use sll_core::memory::{MemoryUse, StandingBytes};
use sll_core::rule::LearningRule;

/// Measures `spec`. The tensor library takes its number of threads from the environment when it first works, so the
/// caller has set it before; `on_step` hears of every step.
pub fn measure(spec: &MemorySpec, on_step: impl FnMut(usize)) -> Result<Footprint> {
    let device = device::open(spec.device)?;
    room::check_weights(&spec.network, spec.image, spec.classes)?;
    let meter = device::meter(spec.device);
    let before = meter.live();
    let mut net = spec.network.build(spec.image, spec.classes, 0, &device)?;
    let bare = meter.live().saturating_sub(before) as u64;
    let rule = spec.rule.init(&mut net, 0)?;
    room::check(spec.device, &net, &*rule, spec.batch, &spec.optimizer(), 1)?;
    let installed = meter.live().saturating_sub(before) as u64;
    let updater = spec.optimizer().init()?;
    let (values, macs, analytic) = (net.num_params() as u64, rule.cost(&net, spec.batch), model(&*rule, &net, spec));
    let weighing = Weighing { batch: spec.batch, steps: spec.steps, meter: &*meter, before };
    let weighed = weighing.of(Subject { net, rule, updater }, on_step)?;
    let bytes = with_feedback_apart(weighed.bytes, bare, installed);
    Ok(Footprint {
        id: spec.id(),
        values,
        macs,
        macs_counted: weighed.macs,
        bytes,
        live: bytes.standing(),
        step_peak: bytes.step_peak(),
        peak: bytes.total(),
        spread: weighed.spread,
        analytic,
        seconds_per_step: weighed.seconds_per_step,
        most_activations: weighed.most_activations,
        reserved_peak: weighed.reserved_peak,
        peak_rss: peak_rss(),
        provenance: provenance::here(spec.device, meter.definition()),
        spec: spec.clone(),
    })
}

/// Feedback that a rule puts into the network's layers, as FA does, is freed with them and is no parameter: of the
/// bytes that network and rule free, the network's own are those it had when it was `bare`, before the rule was
/// `installed`.
fn with_feedback_apart(bytes: MemoryUse, bare: u64, installed: u64) -> MemoryUse {
    let StandingBytes { parameters, fixed, .. } = bytes.standing;
    let in_network = installed.saturating_sub(bare).saturating_sub(fixed).min(parameters);
    let standing = StandingBytes { parameters: parameters - in_network, fixed: fixed + in_network, ..bytes.standing };
    MemoryUse { standing, ..bytes }
}

/// What theory says of the rule on this network.
fn model(rule: &dyn LearningRule, net: &Network, spec: &MemorySpec) -> Option<MemoryUse> {
    rule.memory(net, spec.batch, &spec.optimizer())
}

/// What theory says of `spec`, without a step of it.
pub fn analytic(spec: &MemorySpec) -> Result<Option<MemoryUse>> {
    let mut net = spec.network.build(spec.image, spec.classes, 0, &device::open(spec.device)?)?;
    let rule = spec.rule.init(&mut net, 0)?;
    Ok(model(&*rule, &net, spec))
}

/// The most memory that this process ever had resident, in bytes, as the system keeps it.
fn peak_rss() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok().map(|kib| kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn feedback_inside_the_network_is_no_parameter() {
        let standing = StandingBytes { parameters: 150, fixed: 10, optimizer_state: 7, ..StandingBytes::default() };
        let freed = MemoryUse { standing, ..MemoryUse::default() };
        let fa = with_feedback_apart(freed, 100, 160);
        assert_eq!((fa.standing.parameters, fa.standing.fixed, fa.standing()), (100, 60, freed.standing()));
        assert_eq!(with_feedback_apart(freed, 150, 160), freed);
    }
}
