//! What a run trains, as it is before its first step.

use crate::error::Result;
use crate::spec::RunSpec;
use burn::tensor::Device;
use sll_core::Network;
use sll_core::optim::Updater;
use sll_core::rule::LearningRule;

/// What is trained, before its first step.
pub(super) fn subject(
    spec: &RunSpec,
    image: [usize; 3],
    classes: usize,
    device: &Device,
) -> Result<(Network, Box<dyn LearningRule>, Updater)> {
    let mut net = spec.network.build(image, classes, spec.seed, device)?;
    let rule = spec.rule.init(&mut net, spec.seed)?;
    Ok((net, rule, spec.recipe.optimizer().init()?))
}
