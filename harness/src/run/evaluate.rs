//! How many of the evaluation images are classified right, by the network and by each unit's own head.

use super::Loader;
use crate::error::Result;
use burn::tensor::Tensor;
use sll_core::Network;
use sll_core::rule::LearningRule;

/// Images evaluated at once; only memory outside training depends on it.
pub(super) const EVALUATION_BATCH: usize = 500;

/// Percent classified right by each of the heads whose scores `scores` gives. `check` fails where the run is to stop.
fn percents(
    loader: &Loader,
    check: &dyn Fn() -> Result<()>,
    mut scores: impl FnMut(Tensor<2>) -> Vec<Tensor<2>>,
) -> Result<Vec<f64>> {
    let mut right = Vec::new();
    let mut seen = 0;
    for images in loader.test(EVALUATION_BATCH) {
        let (x, labels) = images?;
        let counts: Vec<usize> = scores(x).into_iter().map(|scores| count_right(scores, labels)).collect();
        right.resize(counts.len(), 0);
        right.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
        seen += labels.len();
        check()?;
    }
    Ok(right.into_iter().map(|right| 100.0 * right as f64 / seen as f64).collect())
}

/// Percent of the evaluation images classified right, and whether every score was a number.
pub(super) fn accuracy(
    net: &Network,
    rule: &dyn LearningRule,
    loader: &Loader,
    check: &dyn Fn() -> Result<()>,
) -> Result<(f64, bool)> {
    let net = net.valid();
    let mut sound = true;
    let percents = percents(loader, check, |x| {
        let scores = rule.predict(&net, x);
        sound &= scores.clone().is_finite().all().into_scalar::<bool>();
        vec![scores]
    })?;
    Ok((percents.first().copied().unwrap_or(f64::NAN), sound))
}

/// Percent classified right by each unit's own head.
pub(super) fn unit_accuracies(
    net: &Network,
    rule: &dyn LearningRule,
    loader: &Loader,
    check: &dyn Fn() -> Result<()>,
) -> Result<Vec<f64>> {
    let net = net.valid();
    percents(loader, check, |x| rule.unit_scores(&net, x))
}

/// How many of the rows of `scores` are largest at their label.
pub(super) fn count_right(scores: Tensor<2>, labels: &[u16]) -> usize {
    let chosen = scores.argmax(1).into_data().convert::<i64>().try_to_vec::<i64>().expect("class indices");
    chosen.iter().zip(labels).filter(|(chosen, label)| **chosen == i64::from(**label)).count()
}
