//! BP with gradient checkpointing (Chen, Xu, Zhang & Guestrin 2016): the honest competitor on memory.
//!
//! The chain is cut into segments. The forward pass keeps each segment's input alone; the backward pass runs a segment
//! again before it differentiates it. Same numbers as BP, bit for bit (up to rounding in a transformer); with `√L`
//! segments of `√L` layers, activations grow with `√L`, for one more forward pass (less the last segment's).

use crate::bp::Bp;
use crate::facts::{Reach, Rule, Variant, Variants};
use serde::{Deserialize, Serialize};
use sll_core::memory::MemoryUse;
use sll_core::model::{LocalUnit, Pattern};
use sll_core::optim::{OptimizerConfig, Updater};
use sll_core::rule::{Batch, LearningRule, StepCost, StepReport};
use sll_core::segments::Segments;
use sll_core::{Cut, Error, Network, Result};
use std::ops::Range;

/// Settings of BP with checkpointing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CheckpointConfig {
    /// Segments; `⌈√L⌉` of the places where the network can be cut when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub segments: Option<usize>,
}

/// The rule, built for one network.
pub struct CheckpointedBp {
    segments: Vec<Range<usize>>,
}

impl Rule for CheckpointConfig {
    const VARIANTS: Variants<Self> = &[Variant {
        title: "BP, checkpointed",
        equation: "BP; of ceil(sqrt(L)) segments only the inputs are kept, and each is run again on the way back",
        paper: "Chen, Xu, Zhang & Guestrin 2016",
        activations: "sqrt(L) inputs and one segment's",
        update_locked: "yes",
        reach: Reach::All,
        ..Variant::local(Self::default)
    }];

    fn build(&self, net: &mut Network, _seed: u64) -> Result<Box<dyn LearningRule>> {
        Ok(Box::new(self.init(net)?))
    }
}

impl CheckpointConfig {
    /// Cuts `net` into segments.
    ///
    /// # Errors
    /// If there are to be more segments than the network has units.
    pub fn init(&self, net: &Network) -> Result<CheckpointedBp> {
        let places = net.units(Cut::EveryLayer)?.len();
        if let Some(segments) = self.segments.filter(|n| !(1..=places).contains(n)) {
            let reason = format!("this network can be cut into 1 to {places} segments");
            return Err(Error::setting("segments", segments, reason));
        }
        let count = self.segments.unwrap_or_else(|| (places as f64).sqrt().ceil() as usize);
        Ok(CheckpointedBp { segments: net.units(Cut::Units(count))? })
    }
}

impl LearningRule for CheckpointedBp {
    fn step(&mut self, net: &mut Network, batch: &Batch, updater: &mut Updater) -> Result<StepReport> {
        net.accept(batch)?;
        let run = Segments::forward(net, &self.segments, batch.x.clone(), batch);
        let logits = run.output();
        let targets = batch.targets(net.classes(), &logits.device());
        let (loss, error) = net.loss().evaluate(logits, targets);
        run.train(error * batch.share(), net, batch, updater);
        Ok(StepReport { loss: loss.mean(), units: Vec::new() })
    }

    fn cut(&self) -> Cut {
        Cut::Units(self.segments.len())
    }

    fn cost(&self, net: &Network, batch: usize) -> StepCost {
        let above = self.segments[self.segments.len() - 1].start;
        let again = net.costs()[..above].iter().map(|c| c.forward).sum();
        StepCost { rule: again, ..Bp.cost(net, batch) }
    }

    fn memory(&self, net: &Network, batch: usize, optimizer: &OptimizerConfig) -> Option<MemoryUse> {
        let segments = Pattern::Local(vec![LocalUnit::new(self.segments.clone())]);
        MemoryUse::of(net, batch, optimizer, &segments, (0, 0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sll_core::laws::{self, Build};

    const BP: Build = &|_| Ok(Box::new(Bp));
    const HALVES: Build = &|net| Ok(Box::new(CheckpointConfig { segments: Some(2) }.init(net)?));

    #[test]
    fn is_bp_bit_for_bit() {
        laws::same_update(|| laws::small_mlp(3), HALVES, BP);
        laws::same_update(laws::small_cnn, HALVES, BP);
        // A transformer without a graph takes other kernels, which round differently.
        laws::close_update(|| laws::small_vit(false), HALVES, BP, 1e-4);
        let each: Build = &|net| Ok(Box::new(CheckpointConfig { segments: Some(4) }.init(net)?));
        laws::same_update(|| laws::small_mlp(3), each, BP);
    }

    #[test]
    fn default_is_the_square_root_of_the_depth_and_runs_all_but_the_last_segment_twice() {
        let net = laws::small_mlp(8);
        let rule = CheckpointConfig::default().init(&net).unwrap();
        assert_eq!(rule.segments, vec![0..3, 3..6, 6..9]);
        let forward: Vec<u64> = net.costs().iter().map(|c| c.forward).collect();
        assert_eq!(rule.cost(&net, 1).total() - Bp.cost(&net, 1).total(), forward[..6].iter().sum::<u64>());
    }

    #[test]
    fn repeats_resumes_and_learns() {
        laws::repeats(|| laws::small_mlp(3), HALVES);
        laws::resumes(laws::small_cnn, HALVES);
        laws::learns(|| laws::small_mlp(2), HALVES, 80);
    }

    #[test]
    fn too_many_segments_are_refused() {
        let error = CheckpointConfig { segments: Some(9) }.init(&laws::small_mlp(2)).err().unwrap().to_string();
        assert!(error.contains("`segments` = 9") && error.contains("1 to 3"), "{error}");
    }
}
