//! The angle between what a learning rule takes from a layer's weights and what another takes, on the same batch and at
//! the same weights: 0° is the same direction, 90° none in common, beyond it the opposite.
//!
//! ```text
//! ΔW_l = W_l before - W_l after one step of plain gradient descent at learning rate 1
//! angle_l = acos( <ΔW_l, ΔW'_l> / (|ΔW_l| |ΔW'_l|) )
//! ```
//!
//! At that rate a step moves weights by the very gradient that the rule used, so with backpropagation as the other rule
//! this is the angle to the loss gradient (Lillicrap et al. 2016). Only weights of affine maps and convolutions count:
//! biases and norms are left out, and so are running statistics, which no rule's signal decides.

use crate::error::Result;
use crate::network::Network;
use crate::optim::{OptimizerConfig, OptimizerKind};
use crate::rule::{Batch, LearningRule};

/// What one step of `rule` takes from the weights of each layer, flattened; empty for layers without weights.
///
/// The step is really made: give a copy of the network and of the rule's state, with no other handle on its layers'
/// values.
///
/// # Errors
/// Those of the rule's step.
pub fn movement(net: &mut Network, rule: &mut dyn LearningRule, batch: &Batch) -> Result<Vec<Vec<f32>>> {
    let before = weights(net);
    let descent = OptimizerConfig { kind: OptimizerKind::Sgd, momentum: 0.0, weight_decay: 0.0 };
    let mut updater = descent.init()?;
    updater.set_lr(1.0);
    rule.step(net, batch, &mut updater)?;
    let layers = before.into_iter().zip(weights(net));
    Ok(layers.map(|(before, after)| before.iter().zip(after).map(|(b, a)| b - a).collect()).collect())
}

/// Each layer's weights, one after the other.
fn weights(net: &mut Network) -> Vec<Vec<f32>> {
    let values = |slots: Vec<crate::layer::WeightSlot>| {
        let each = slots.iter().map(|slot| slot.rows().into_data().convert::<f32>());
        each.flat_map(|rows| rows.try_to_vec::<f32>().expect("f32 weights")).collect()
    };
    net.weights().into_iter().map(values).collect()
}

/// The angle between two movements of one layer, in degrees from 0 to 180; `None` where one of them is no movement.
pub fn degrees(one: &[f32], other: &[f32]) -> Option<f64> {
    let dot = |a: &[f32], b: &[f32]| -> f64 { a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum() };
    let norms = dot(one, one).sqrt() * dot(other, other).sqrt();
    (norms.is_finite() && norms > 0.0).then(|| (dot(one, other) / norms).clamp(-1.0, 1.0).acos().to_degrees())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::laws;
    use crate::sll::SllConfig;

    fn sll(net: &Network, config: SllConfig) -> Box<dyn LearningRule> {
        Box::new(config.init(net, 3).unwrap())
    }

    /// One unit: backpropagation.
    fn bp() -> SllConfig {
        SllConfig { units: Some(1), ..SllConfig::default() }
    }

    fn angles(make: impl Fn() -> Network, config: SllConfig) -> Vec<Option<f64>> {
        laws::one_thread();
        let (mut a, mut b) = (make(), make());
        let batch = laws::batch(&a, 1);
        let (mut rule, mut reference) = (sll(&a, config), sll(&b, bp()));
        let (own, exact) =
            (movement(&mut a, &mut *rule, &batch).unwrap(), movement(&mut b, &mut *reference, &batch).unwrap());
        own.iter().zip(&exact).map(|(own, exact)| degrees(own, exact)).collect()
    }

    #[test]
    fn known_angles() {
        // Python: import math; a=[1,2,-1]; b=[0.5,-1,3]; dot=sum(x*y for x,y in zip(a,b))
        //         math.degrees(math.acos(dot/math.sqrt(sum(x*x for x in a)*sum(x*x for x in b))))
        assert!((degrees(&[1.0, 2.0, -1.0], &[0.5, -1.0, 3.0]).unwrap() - 125.016_970_851_4).abs() < 1e-6);
        assert_eq!(degrees(&[1.0, 0.0], &[0.0, -2.0]), Some(90.0));
        assert_eq!(degrees(&[1.0, 1.0], &[-2.0, -2.0]).map(f64::round), Some(180.0));
        assert_eq!((degrees(&[0.0; 2], &[1.0, 2.0]), degrees(&[], &[])), (None, None));
    }

    #[test]
    fn a_rule_is_at_no_angle_to_itself_and_sll_to_bp_only_below_the_output() {
        for make in [|| laws::small_mlp(3), laws::small_cnn, || laws::small_vit(true)] {
            let same = angles(make, bp());
            assert!(same.iter().flatten().count() >= 3 && same.iter().flatten().all(|angle| *angle < 0.1), "{same:?}");
            let local = angles(make, SllConfig::default());
            assert!(local[local.len() - 1].unwrap() < 0.1, "the output sees its own error in both: {local:?}");
            let below = local[..local.len() - 2].iter().flatten();
            assert!(
                below.clone().count() > 0 && below.clone().all(|angle| *angle > 5.0 && *angle < 175.0),
                "{local:?}"
            );
        }
    }

    #[test]
    fn a_movement_is_the_closed_form_gradient() {
        // dW_2 = hᵀ (softmax(z) - y) / b at the output of a 6-5-4 network, in plain loops.
        let mut net = laws::plain_mlp(6, 5, 4);
        let batch = laws::batch(&net, 1);
        let (h, q) = (laws::floats(laws::hidden(&net, 1, &batch)), laws::floats(laws::posterior(&net, &batch)));
        let mut rule = sll(&net, bp());
        let moved = movement(&mut net, &mut *rule, &batch).unwrap();
        assert_eq!(moved.iter().map(Vec::len).collect::<Vec<_>>(), [30, 20]);
        for (k, j) in (0..4).flat_map(|k| (0..5).map(move |j| (k, j))) {
            let error = |s: usize| f64::from(q[s * 4 + k]) - f64::from(u8::from(batch.labels[s] == k));
            let dw: f64 = (0..batch.len()).map(|s| f64::from(h[s * 5 + j]) * error(s)).sum();
            let found = f64::from(moved[1][k * 5 + j]);
            assert!((found - dw / batch.len() as f64).abs() < 1e-6, "w[{k}][{j}] moved by {found}");
        }
    }
}
