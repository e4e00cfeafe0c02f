//! The same step on two devices: how far apart rounding takes every rule on every family of networks.
//!
//! Weights, projections, masks and batches are drawn on the host, so that both devices start from the same bits. What
//! differs after a step of plain gradient descent, `θ' = θ - g`, is the arithmetic:
//!
//! ```text
//! off = ‖g_other - g_reference‖₂ / ‖g_reference‖₂     over all parameters of the network
//! ```

use crate::register::{RuleSpec, rules};
use burn::tensor::{DType, Device, Int, Tensor, TensorData};
use serde::{Deserialize, Serialize};
use sll_core::optim::{OptimizerConfig, OptimizerKind};
use sll_core::rule::Batch;
use sll_core::toy::{self, Toy};
use sll_core::{Error, Network, Precision, Result};

/// One rule on one network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Parity {
    /// The rule's name in tables.
    pub rule: String,
    /// The family of networks.
    pub network: String,
    /// Whether both devices started from the same bits.
    pub same_start: bool,
    /// How far apart the updates are, relative to the reference's; none where the step moves no parameter.
    pub update: Option<f64>,
    /// How far apart the losses are, relative to the reference's.
    pub loss: f64,
}

/// The families, small: an MLP with dropout, a convolutional network without batch norm and one with it, a transformer.
fn families() -> [(&'static str, Toy); 4] {
    [("mlp", toy::mlp(3)), ("cnn", toy::cnn(false)), ("cnn, batch norm", toy::cnn(true)), ("vit", toy::vit(false))]
}

/// What one step leaves.
struct Step {
    before: Vec<f32>,
    after: Vec<f32>,
    loss: f64,
}

fn values(net: &Network) -> Vec<f32> {
    let floats = |data: TensorData| data.try_to_vec::<f32>().expect("parameters are f32");
    net.params().into_iter().flatten().flat_map(floats).collect()
}

fn step(toy: &Toy, rule: &RuleSpec, device: &Device, precision: Precision) -> Result<Step> {
    let mut net = toy.build(device)?.in_precision(precision)?;
    let batch = toy::batch(&net, 0);
    // As training has them on a device other than the host.
    let labels: Vec<i64> = batch.labels.iter().map(|&label| label as i64).collect();
    let classes = Tensor::<1, Int>::from_data(TensorData::from(labels.as_slice()), (device, DType::I64));
    let batch = Batch { epoch: rule.learning_epoch(), classes: Some(classes), ..batch };
    let mut rule = rule.init(&mut net, 1)?;
    let mut updater = OptimizerConfig { kind: OptimizerKind::Sgd, momentum: 0.0, weight_decay: 0.0 }.init()?;
    updater.set_lr(1.0);
    let before = values(&net);
    let report = rule.step(&mut net, &batch, &mut updater)?;
    Ok(Step { before, after: values(&net), loss: f64::from(report.loss.into_scalar::<f32>()) })
}

fn norm(values: impl Iterator<Item = f64>) -> f64 {
    values.map(|value| value * value).sum::<f64>().sqrt()
}

/// Every rule on every family that it can train, in the register's order.
///
/// The reference computes in single precision, the other in `precision`.
///
/// # Errors
/// If a network or rule cannot be built for another reason than that the rule does not run on the network.
pub fn compare(reference: &Device, other: &Device, precision: Precision) -> Result<Vec<Parity>> {
    let mut found = Vec::new();
    for info in rules() {
        for (network, toy) in families() {
            let rule = info.settings;
            let (a, b) = match step(&toy, &rule, reference, Precision::F32) {
                Err(Error::Unsupported { .. }) => continue,
                a => (a?, step(&toy, &rule, other, precision)?),
            };
            let moved = |step: &Step| step.before.iter().zip(&step.after).map(|(x, y)| f64::from(x - y)).collect();
            let (a_moved, b_moved): (Vec<f64>, Vec<f64>) = (moved(&a), moved(&b));
            let size = norm(a_moved.iter().copied());
            let update = (size > 0.0).then(|| norm(a_moved.iter().zip(&b_moved).map(|(x, y)| x - y)) / size);
            let loss = (a.loss - b.loss).abs() / a.loss.abs().max(f64::MIN_POSITIVE);
            let (rule, network, same_start) = (info.title.to_string(), network.to_string(), a.before == b.before);
            found.push(Parity { rule, network, same_start, update, loss });
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two runs on one device, so that only what is not decided by the seed could differ.
    #[test]
    fn a_device_agrees_with_itself_on_every_rule() {
        sll_core::laws::one_thread();
        let found = compare(&Device::flex(), &Device::flex(), Precision::F32).unwrap();
        assert!(found.iter().all(|p| p.same_start && p.update.unwrap_or(0.0) == 0.0 && p.loss == 0.0), "{found:?}");
        // Every rule moves something on the MLP, and every family has a rule.
        let moving = |name: &str| found.iter().filter(|p| p.network == name && p.update.is_some()).count();
        assert_eq!(moving("mlp"), rules().len());
        assert!(families().iter().all(|(name, _)| moving(name) > 0));
    }
}
