//! One measurement in this process: builds what the spec says, weighs its steps, and adds what stands beside the bytes.

use super::record::{Bytes, Footprint};
use super::spec::MemorySpec;
use super::weigh::{Subject, weigh};
use crate::error::Result;
use crate::{device, provenance};
use sll_core::Network;
use sll_core::memory::{HeapMeter, MemoryModel, Meter, StepBytes};
use sll_core::rule::LearningRule;

/// Measures `spec`. The tensor library takes its number of threads from the environment when it first works, so the
/// caller has set it before; `news` hears of every step.
pub fn measure(spec: &MemorySpec, news: impl FnMut(usize)) -> Result<Footprint> {
    let device = device::open(&spec.device)?;
    let before = HeapMeter.live();
    let mut net = spec.network.build(spec.image, spec.classes, 0, &device)?;
    let rule = spec.rule.init(&mut net, 0)?;
    let updater = spec.optimizer().init()?;
    let (values, macs, analytic) = (net.num_params() as u64, rule.cost(&net), model(&*rule, &net, spec));
    let weighed = weigh(Subject { net, rule, updater }, (spec.batch, spec.steps), before, news)?;
    let bytes = weighed.bytes;
    Ok(Footprint {
        id: spec.id(),
        values,
        macs,
        macs_counted: weighed.macs,
        bytes,
        live: bytes.standing(),
        step_peak: bytes.step(),
        peak: bytes.total(),
        spread: weighed.spread,
        analytic,
        seconds_per_step: weighed.seconds_per_step,
        peak_rss: peak_rss(),
        provenance: provenance::here(&spec.device, device::memory_definition(&spec.device)),
        spec: spec.clone(),
    })
}

/// What theory says of the rule on this network.
fn model(rule: &dyn LearningRule, net: &Network, spec: &MemorySpec) -> Option<Bytes> {
    let MemoryModel { parameters, optimizer_state, fixed, step } = rule.memory(net, spec.batch, &spec.optimizer())?;
    let StepBytes { activations, gradients, workspace } = step;
    Some(Bytes { parameters, optimizer_state, fixed, library: 0, activations, gradients, workspace })
}

/// What theory says of `spec`, without a step of it.
pub fn analytic(spec: &MemorySpec) -> Result<Option<Bytes>> {
    let mut net = spec.network.build(spec.image, spec.classes, 0, &device::open(&spec.device)?)?;
    let rule = spec.rule.init(&mut net, 0)?;
    Ok(model(&*rule, &net, spec))
}

/// The most memory that this process ever had resident, in bytes, as the system keeps it.
fn peak_rss() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok().map(|kib| kib * 1024)
}
