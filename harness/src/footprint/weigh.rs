//! Weighs training steps in this process.
//!
//! A step's own bytes are taken from the meter around it. What stands between steps is found on the way down: optimiser,
//! rule and network are dropped one after the other, and what each frees was its own. Nothing is estimated, and nothing
//! has to be run beforehand to learn what the tensor library keeps: that is what is left when all is dropped.

use super::record::Bytes;
use crate::error::{Error, Result};
use crate::interrupt;
use crate::step::{made_up_batch, timed};
use sll_core::Network;
use sll_core::memory::{Category, Meter, StepBytes, scope};
use sll_core::op;
use sll_core::optim::Updater;
use sll_core::rule::LearningRule;

/// Samples of the first step.
const FIRST_BATCH: usize = 8;

/// What is trained.
pub struct Subject {
    /// The network.
    pub net: Network,
    /// The rule, built for it.
    pub rule: Box<dyn LearningRule>,
    /// The optimiser, fresh.
    pub updater: Updater,
}

/// What was found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Weighed {
    /// Bytes by category.
    pub bytes: Bytes,
    /// Difference between the largest and the smallest peak of the weighed steps.
    pub spread: u64,
    /// Multiply-accumulates of the last step, per sample, counted where they were done.
    pub macs: u64,
    /// The most activations at once in a weighed step, in bytes.
    pub most_activations: u64,
    /// The most that the meter's allocator held for itself in a weighed step, where it caches.
    pub reserved_peak: Option<u64>,
    /// Seconds of a step, the first one aside.
    pub seconds_per_step: f64,
}

/// Trains `subject` for `steps` steps (at least two) on batches of made-up images and drops it. `before` is the live count
/// of `meter` before the subject was built; `news` hears of every step.
pub fn weigh(
    subject: Subject,
    (batch, steps): (usize, usize),
    (meter, before): (&dyn Meter, usize),
    mut news: impl FnMut(usize),
) -> Result<Weighed> {
    let Subject { mut net, mut rule, mut updater } = subject;
    updater.set_lr(1e-3);
    let (mut steps_bytes, mut seconds, mut macs) = (Vec::with_capacity(steps), 0.0, 0);
    let (mut reserved_peak, mut most_activations) = (None, 0);
    for step in 0..steps {
        // The first makes the optimiser's state, for which a few samples will do, and is not weighed.
        let batch = if step == 0 { batch.min(FIRST_BATCH) } else { batch };
        let done = op::macs();
        let (weighed, took) = one_step(&mut net, &mut *rule, &mut updater, meter, (batch, step))?;
        macs = (op::macs() - done) / batch as u64;
        if step > 0 {
            steps_bytes.push(weighed);
            most_activations = meter.most_activations().max(most_activations);
            reserved_peak = reserved_peak.max(meter.reserved().map(|reserved| reserved.peak));
            seconds += took;
        }
        news(step + 1);
        if interrupt::requested() {
            return Err(Error::Interrupted);
        }
    }
    let frees = |drop_it: &mut dyn FnMut()| {
        let live = meter.live();
        drop_it();
        live.saturating_sub(meter.live()) as u64
    };
    let (mut updater, mut rule, mut net) = (Some(updater), Some(rule), Some(net));
    let optimizer_state = frees(&mut || drop(updater.take()));
    let fixed = frees(&mut || drop(rule.take()));
    let parameters = frees(&mut || drop(net.take()));
    let sums = || steps_bytes.iter().map(Bytes::step);
    let spread = sums().max().unwrap_or(0) - sums().min().unwrap_or(0);
    let seconds_per_step = seconds / steps_bytes.len().max(1) as f64;
    let most = steps_bytes.iter().copied().max_by_key(Bytes::step).unwrap_or_default();
    drop(steps_bytes);
    let library = meter.live().saturating_sub(before) as u64;
    let bytes = Bytes { parameters, optimizer_state, fixed, library, ..most };
    Ok(Weighed { bytes, spread, macs, most_activations, reserved_peak, seconds_per_step })
}

/// One step with its batch, which belongs to it: what it held at its peak, and its seconds without the making of noise.
fn one_step(
    net: &mut Network,
    rule: &mut dyn LearningRule,
    updater: &mut Updater,
    meter: &dyn Meter,
    (batch, step): (usize, usize),
) -> Result<(Bytes, f64)> {
    meter.begin_step();
    let made = scope(Category::Activations);
    let batch = made_up_batch(net, batch, step);
    drop(made);
    let seconds = timed(net, rule, updater, &batch)?.as_secs_f64();
    let StepBytes { activations, gradients, workspace } = meter.step();
    Ok((Bytes { activations, gradients, workspace, ..Bytes::default() }, seconds))
}
