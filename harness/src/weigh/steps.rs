//! Weighs training steps in this process.
//!
//! A step's own bytes are taken from the meter around it. What stands between steps is found on the way down:
//! optimiser, rule and network are dropped one after the other, and what each frees was its own. Nothing is estimated,
//! and nothing has to be run beforehand to learn what the tensor library keeps: that is what is left when all is
//! dropped.

use crate::error::{Error, Result};
use crate::interrupt;
use crate::step::{made_up_batch, timed};
use sll_core::Network;
use sll_core::memory::{Category, MemoryUse, Meter, StandingBytes, StepBytes, scope};
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
    pub bytes: MemoryUse,
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

/// How steps are weighed.
pub struct Weighing<'a> {
    /// Samples a step.
    pub batch: usize,
    /// Steps, at least two.
    pub steps: usize,
    /// What counts.
    pub meter: &'a dyn Meter,
    /// Its live count before the subject was built.
    pub before: usize,
}

impl Weighing<'_> {
    /// Trains `subject` on batches of made-up images and drops it; `on_step` hears of every step.
    pub fn of(&self, mut subject: Subject, mut on_step: impl FnMut(usize)) -> Result<Weighed> {
        let meter = self.meter;
        subject.updater.set_lr(1e-3);
        let mut peaks = Vec::with_capacity(self.steps);
        let mut seconds = 0.0;
        let mut macs = 0;
        let mut reserved_peak = None;
        let mut most_activations = 0;
        for step in 0..self.steps {
            // The first makes the optimiser's state, for which a few samples will do, and is not weighed.
            let samples = if step == 0 { self.batch.min(FIRST_BATCH) } else { self.batch };
            let done = op::macs();
            let (peak, took) = self.one_step(&mut subject, samples, step)?;
            macs = (op::macs() - done) / samples as u64;
            if step > 0 {
                peaks.push(peak);
                most_activations = meter.most_activations().max(most_activations);
                reserved_peak = reserved_peak.max(meter.reserved().map(|reserved| reserved.peak));
                seconds += took;
            }
            on_step(step + 1);
            if interrupt::requested() {
                return Err(Error::Interrupted);
            }
        }
        let optimizer_state = self.freed_by(subject.updater);
        let fixed = self.freed_by(subject.rule);
        let parameters = self.freed_by(subject.net);
        let sums = || peaks.iter().map(StepBytes::total);
        let spread = sums().max().unwrap_or(0) - sums().min().unwrap_or(0);
        let seconds_per_step = seconds / peaks.len().max(1) as f64;
        let step = peaks.iter().copied().max_by_key(StepBytes::total).unwrap_or_default();
        drop(peaks);
        let library = meter.live().saturating_sub(self.before) as u64;
        let bytes = MemoryUse { standing: StandingBytes { parameters, optimizer_state, fixed, library }, step };
        Ok(Weighed { bytes, spread, macs, most_activations, reserved_peak, seconds_per_step })
    }

    /// The bytes that are free once `owner` is dropped.
    fn freed_by<T>(&self, owner: T) -> u64 {
        let live = self.meter.live();
        drop(owner);
        live.saturating_sub(self.meter.live()) as u64
    }

    /// One step with its batch, which belongs to it: what it held at its peak, and its seconds without the making of
    /// noise.
    fn one_step(&self, subject: &mut Subject, samples: usize, step: usize) -> Result<(StepBytes, f64)> {
        let Subject { net, rule, updater } = subject;
        self.meter.begin_step();
        let made = scope(Category::Activations);
        let batch = made_up_batch(net, samples, step);
        drop(made);
        let seconds = timed(net, &mut **rule, updater, &batch)?.as_secs_f64();
        Ok((self.meter.step(), seconds))
    }
}
