//! A training step by itself: network, rule and optimiser on images of noise, for weighing and timing.

use crate::device;
use crate::error::{Error, Result};
use crate::run::Checkpoint;
use crate::spec::MemorySpec;
use crate::store::CheckpointFiles;
use burn::tensor::{DType, Device, Int, Tensor, TensorData};
use sll_core::optim::Updater;
use sll_core::pipeline::{Pipeline, Spent};
use sll_core::rule::{Batch, LearningRule, StepCost, StepReport};
use sll_core::{Network, op};
use std::path::Path;
use std::time::{Duration, Instant};

/// Any rate that trains: how long a step takes does not depend on it.
const LR: f64 = 1e-3;

/// Images of noise and labels in turn: memory and time depend on their shape alone.
pub fn made_up_batch(net: &Network, samples: usize, step: usize) -> Batch {
    let (features, classes) = (net.input().len(), net.classes());
    let mut state = step as u64 + 1;
    let pixels: Vec<f32> = (0..samples * features)
        .map(|_| {
            // Marsaglia's xorshift64, made uniform in [-1, 1).
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
        })
        .collect();
    let device: Device = net.device().clone().inner();
    let x = Tensor::from_data(TensorData::new(pixels, [samples, features]), &device);
    let labels: Vec<usize> = (0..samples).map(|i| i % classes).collect();
    // As a run has them on a device that is not the host.
    let on_device = (device != Device::flex()).then(|| {
        let labels: Vec<i64> = labels.iter().map(|&label| label as i64).collect();
        Tensor::<1, Int>::from_data(TensorData::new(labels, [samples]), (&device, DType::I64))
    });
    Batch { step: step as u64, classes: on_device, ..Batch::new(x, labels, step as u64) }
}

/// Takes `rule`'s step on `batch` and waits for it: its loss, and how long it took.
pub fn timed(net: &mut Network, rule: &mut dyn LearningRule, updater: &mut Updater, batch: &Batch) -> Result<Duration> {
    let started = Instant::now();
    let report = rule.step(net, batch, updater)?;
    // LibTorch's kernels may still be running; reading the loss waits for them.
    report.loss.into_scalar::<f32>();
    Ok(started.elapsed())
}

/// What is trained, with one batch of noise that it is trained on again and again.
pub struct Stepper {
    net: Network,
    rule: Box<dyn LearningRule>,
    updater: Updater,
    batch: Batch,
}

impl Stepper {
    /// Builds what `spec` says, on its device; steps count as steps of `epoch`.
    pub fn new(spec: &MemorySpec, epoch: usize) -> Result<Self> {
        let mut net = spec.network.build(spec.image, spec.classes, 0, &device::open(spec.device)?)?;
        let rule = spec.rule.init(&mut net, 0)?;
        let mut updater = spec.optimizer().init()?;
        updater.set_lr(LR);
        let batch = Batch { epoch, ..made_up_batch(&net, spec.batch, 0) };
        Ok(Self { net, rule, updater, batch })
    }

    /// The same on as many samples as `samples`.
    #[must_use]
    pub fn with_batch(self, samples: usize) -> Self {
        let batch = Batch { epoch: self.batch.epoch, ..made_up_batch(&self.net, samples, 0) };
        Self { batch, ..self }
    }

    /// Steps count as steps of `epoch` from now on.
    pub fn set_epoch(&mut self, epoch: usize) {
        self.batch.epoch = epoch;
    }

    /// One step: how long it took, and the multiply-accumulates that it did, of all samples.
    pub fn step(&mut self) -> Result<(Duration, u64)> {
        let done = op::macs();
        let took = timed(&mut self.net, &mut *self.rule, &mut self.updater, &self.batch)?;
        // Rules that alternate do so by it.
        self.batch.step += 1;
        self.batch.seed += 1;
        Ok((took, op::macs() - done))
    }

    /// `count` steps by `pipeline`, fed with the same batch: how long all of them took, and where the time went.
    pub fn burst(&mut self, pipeline: &Pipeline, count: usize) -> Result<(Duration, Spent)> {
        let (batch, mut made) = (&mut self.batch, 0);
        let source = || {
            let next = (made < count).then(|| (batch.clone(), LR));
            made += 1;
            batch.step += 1;
            batch.seed += 1;
            Ok::<_, Error>(next)
        };
        let read = |report: StepReport| {
            report.loss.into_scalar::<f32>();
            Ok(())
        };
        let started = Instant::now();
        let spent = pipeline.train(&mut *self.rule, &mut self.net, &mut self.updater, source, read)?;
        Ok((started.elapsed(), spent))
    }

    /// Units that can be trained at once; none of a rule whose cannot.
    pub fn units(&mut self) -> usize {
        self.rule.chain().map_or(0, |chain| chain.len())
    }

    /// How long it takes to predict `samples` images.
    pub fn predict(&self, samples: usize) -> Duration {
        let net = self.net.valid();
        let x = made_up_batch(&net, samples, 0).x;
        let started = Instant::now();
        self.rule.predict(&net, x).sum().into_scalar::<f32>();
        started.elapsed()
    }

    /// Writes a checkpoint, as a run does after an epoch.
    pub fn save(&self, path: &Path) -> Result<()> {
        Checkpoint::default().save(&CheckpointFiles::at(path.to_owned()), &self.net, &*self.rule, &self.updater)
    }

    /// Values that an optimiser moves: parameters and what the rule learns.
    pub fn trained_values(&self) -> usize {
        self.net.num_params() + self.rule.learned_values()
    }

    /// Analytic multiply-accumulates of a step, per sample.
    pub fn cost(&self) -> StepCost {
        self.rule.cost(&self.net, self.batch.len())
    }

    /// Analytic bytes of training as `spec`, which this was built from, says; none where rule or layers have no model.
    pub fn bytes(&self, spec: &MemorySpec) -> Option<u64> {
        self.rule.memory(&self.net, spec.batch, &spec.optimizer()).map(|memory| memory.total())
    }

    /// The network.
    pub fn network(&mut self) -> &mut Network {
        &mut self.net
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_takes_time_and_does_the_rules_multiply_accumulates() {
        let text = "image = [1, 8, 8]\nclasses = 10\nbatch = 6\nnetwork = { name = \"mlp-2x800\", width = 32 }\n\
                    rule = { name = \"sll\" }\noptimizer = \"adam\"";
        let spec = MemorySpec::from_table(text.parse().unwrap(), "test").unwrap();
        let mut stepper = Stepper::new(&spec, 0).unwrap();
        // What other tests multiply beside it is counted too.
        let (took, macs) = stepper.step().unwrap();
        assert!(took > Duration::ZERO && macs >= 6 * stepper.cost().total(), "{macs}");
        assert!(stepper.with_batch(600).predict(50) > Duration::ZERO);
    }
}
