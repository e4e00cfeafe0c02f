//! A training loop of your own. `cargo run --example own_loop`
//!
//! The harness's loop is this one with checks, measurements and files around it: every step asks the rule for an
//! update, at the learning rate that the schedule gives, here
//!
//! ```text
//! lr_t = lr (1 + cos(pi t / T)) / 2,   t = 0, ..., T - 1
//! ```
//!
//! Three states make a loop that can be cut off and resumed to the same bits: network, rule, optimiser.

mod sample;

use baselines::rules;
use sample::Sample;
use sll_core::optim::{OptimizerConfig, OptimizerKind, Schedule, Updater};
use sll_core::rule::LearningRule;
use sll_core::{Network, NetworkSpec, Result};

const EPOCHS: usize = 3;
const BATCH: usize = 50;
const LR: f64 = 2e-3;

/// All that training changes.
struct Training {
    net: Network,
    rule: Box<dyn LearningRule>,
    updater: Updater,
}

/// What a resumed loop needs of it, as bytes.
struct Saved {
    layers: Vec<Vec<u8>>,
    learned: Vec<Vec<u8>>,
    optimizer: Vec<u8>,
}

impl Training {
    fn new(sample: &Sample, rule: &str) -> Result<Self> {
        let spec = NetworkSpec { width: Some(64), dropout: 0.1, ..NetworkSpec::named("mlp-2x800") };
        let mut net = spec.build(sample.data.shape, sample.data.classes, 0, &Default::default())?;
        let rule = rules().iter().find(|info| info.title == rule).expect("a rule of the register");
        // After the network: some rules set feedback weights in its layers.
        let rule = rule.settings.init(&mut net, 0)?;
        let optimizer = OptimizerConfig { kind: OptimizerKind::AdamW, weight_decay: 1e-4, ..Default::default() };
        Ok(Self { net, rule, updater: optimizer.init()? })
    }

    /// Epoch `epoch`; gives the mean loss.
    fn epoch(&mut self, sample: &Sample, epoch: usize) -> Result<f32> {
        let batches = sample.epoch(epoch, BATCH);
        let (count, total) = (batches.len(), batches.len() * EPOCHS);
        let mut sum = 0.0;
        for batch in batches {
            self.updater.set_lr(LR * Schedule::Cosine {}.factor(epoch, batch.step as usize, total));
            // The batch's seed, step and epoch are all that a rule knows of the loop.
            sum += self.rule.step(&mut self.net, &batch, &mut self.updater)?.loss.into_scalar::<f32>();
        }
        Ok(sum / count as f32)
    }

    fn save(&self) -> Result<Saved> {
        Ok(Saved { layers: self.net.record()?, learned: self.rule.record()?, optimizer: self.updater.record()? })
    }

    fn load(&mut self, saved: Saved) -> Result<()> {
        self.net.load(saved.layers)?;
        self.rule.load(saved.learned)?;
        self.updater.load(saved.optimizer)
    }
}

fn main() -> Result<()> {
    let sample = Sample::load();
    let mut training = Training::new(&sample, "SLL")?;
    for epoch in 0..EPOCHS {
        // Each epoch resumes in new objects, as if the one before had been another process.
        let saved = training.save()?;
        training = Training::new(&sample, "SLL")?;
        training.load(saved)?;
        let loss = training.epoch(&sample, epoch)?;
        let accuracy = sample.accuracy(&training.net, &*training.rule);
        println!("epoch {}: loss {loss:.3}, {accuracy:.1} % of the test images", epoch + 1);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_learns_and_a_resumed_loop_gives_the_same_bits() {
        sll_core::laws::one_thread();
        let sample = Sample::load();
        for rule in ["SLL", "DKP"] {
            let mut whole = Training::new(&sample, rule).unwrap();
            whole.epoch(&sample, 0).unwrap();
            let saved = whole.save().unwrap();
            let mut resumed = Training::new(&sample, rule).unwrap();
            resumed.load(saved).unwrap();
            for epoch in 1..EPOCHS {
                let losses = (whole.epoch(&sample, epoch).unwrap(), resumed.epoch(&sample, epoch).unwrap());
                assert_eq!(losses.0.to_bits(), losses.1.to_bits(), "{rule}, epoch {epoch}");
            }
            assert_eq!(whole.net.params(), resumed.net.params(), "{rule}");
            let accuracy = sample.accuracy(&whole.net, &*whole.rule);
            assert!(accuracy > 70.0, "{rule}: {accuracy} %");
        }
    }
}
