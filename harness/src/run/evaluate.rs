//! How many of the evaluation images are classified right, by the network and by each unit's own head.

use super::Loader;
use crate::error::Result;
use crate::spec::Recipe;
use burn::tensor::{Device, Tensor};
use datasets::Dataset;
use sll_core::Network;
use sll_core::rule::LearningRule;

/// Images evaluated at once; only memory outside training depends on it.
pub(super) const EVALUATION_BATCH: usize = 500;

/// What hears how many of how many images are seen, and fails where there is to be an end.
type Told<'a> = &'a mut dyn FnMut(usize, usize) -> Result<()>;

/// What an evaluation found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Evaluated {
    /// Images classified right.
    pub right: usize,
    /// Images evaluated.
    pub images: usize,
}

impl Evaluated {
    /// Percent classified right.
    pub fn accuracy(self) -> f64 {
        100.0 * self.right as f64 / self.images as f64
    }
}

/// Shows `rule` all test images of `data` on `device`, as a run does; `each` sees the scores `[b, K]` of every batch
/// and its labels.
pub fn evaluate(
    net: &Network,
    rule: &dyn LearningRule,
    data: Dataset,
    device: &Device,
    mut each: impl FnMut(&Tensor<2>, &[u16]),
) -> Result<Evaluated> {
    // `data` has the mean and deviation that the network saw, so that its inputs are normalised by these. Nothing else
    // of a recipe matters here: augmentation, splits and the batch are training's.
    let loader = Loader::new(data, &Recipe { batch: 1, ..Recipe::default() }, 0, device)?;
    let net = net.valid();
    let found = count(&loader, &mut |_, _| Ok(()), |x, labels| {
        let scores = rule.predict(&net, x);
        each(&scores, labels);
        vec![scores]
    })?;
    Ok(found.first().copied().unwrap_or(Evaluated { right: 0, images: 0 }))
}

/// How many images are classified right by each of the heads whose scores `scores` gives. `told` hears how many of all
/// images are seen, and fails where the run is to stop.
fn count(
    loader: &Loader,
    told: Told,
    mut scores: impl FnMut(Tensor<2>, &[u16]) -> Vec<Tensor<2>>,
) -> Result<Vec<Evaluated>> {
    let mut right = Vec::new();
    let (mut seen, (_, of)) = (0, loader.counts());
    for images in loader.test(EVALUATION_BATCH) {
        let (x, labels) = images?;
        let counts: Vec<usize> = scores(x, labels).into_iter().map(|scores| count_right(scores, labels)).collect();
        right.resize(counts.len(), 0);
        right.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
        seen += labels.len();
        told(seen, of)?;
    }
    Ok(right.into_iter().map(|right| Evaluated { right, images: seen }).collect())
}

/// Percent of the evaluation images classified right, and whether every score was a number.
pub(super) fn accuracy(net: &Network, rule: &dyn LearningRule, loader: &Loader, told: Told) -> Result<(f64, bool)> {
    let net = net.valid();
    let mut sound = true;
    let found = count(loader, told, |x, _| {
        let scores = rule.predict(&net, x);
        sound &= scores.clone().is_finite().all().into_scalar::<bool>();
        vec![scores]
    })?;
    Ok((found.first().map_or(f64::NAN, |found| found.accuracy()), sound))
}

/// Percent classified right by each unit's own head.
pub(super) fn unit_accuracies(net: &Network, rule: &dyn LearningRule, loader: &Loader, told: Told) -> Result<Vec<f64>> {
    let net = net.valid();
    let found = count(loader, told, |x, _| rule.unit_scores(&net, x))?;
    Ok(found.into_iter().map(Evaluated::accuracy).collect())
}

/// How many of the rows of `scores` are largest at their label.
pub(super) fn count_right(scores: Tensor<2>, labels: &[u16]) -> usize {
    let chosen = scores.argmax(1).into_data().convert::<i64>().try_to_vec::<i64>().expect("class indices");
    chosen.iter().zip(labels).filter(|(chosen, label)| **chosen == i64::from(**label)).count()
}
