//! What makes SLL what it is, on every family of networks.

use burn::tensor::Tensor;
use sll_core::laws::{self, Build};
use sll_core::rule::LearningRule;
use sll_core::sll::{Codes, Parent, SllConfig};
use sll_core::{Network, optim};

const SLL: Build = &|net| Ok(Box::new(SllConfig::default().init(net, 3)?));

#[test]
fn sll_with_as_many_units_as_layers_is_sll() {
    let as_many: Build = &|net| {
        let units = Some(net.units(sll_core::Cut::EveryLayer)?.len());
        Ok(Box::new(SllConfig { units, ..SllConfig::default() }.init(net, 3)?))
    };
    laws::same_update(|| laws::small_mlp(3), as_many, SLL);
    laws::same_update(laws::small_cnn, as_many, SLL);
    laws::same_update(|| laws::small_vit(true), as_many, SLL);
}

#[test]
fn groups_of_one_code_are_the_first_codes() {
    let grouped: Build = &|net| Ok(Box::new(SllConfig { codes: Codes::Grouped, ..SllConfig::default() }.init(net, 3)?));
    laws::same_update(|| laws::small_mlp(3), grouped, SLL);
    laws::same_update(laws::small_cnn, grouped, SLL);
}

#[test]
fn a_layers_update_does_not_depend_on_layers_above_it() {
    laws::local(|| laws::small_mlp(2), || laws::small_mlp(5), 2, SLL);
}

#[test]
fn without_stop_gradient_it_does() {
    let open: Build = &|net| Ok(Box::new(SllConfig { stop_gradient: false, ..SllConfig::default() }.init(net, 3)?));
    let (a, b) = (laws::train(&mut laws::small_mlp(2), open, 0..1), laws::train(&mut laws::small_mlp(3), open, 0..1));
    assert_eq!(a[0], b[0], "only the next unit speaks to a unit");
    assert_ne!(a[1], b[1]);
}

#[test]
fn repeats_resumes_and_learns() {
    laws::repeats(|| laws::small_mlp(3), SLL);
    laws::resumes(|| laws::small_mlp(3), SLL);
    laws::resumes(laws::small_cnn, SLL);
    laws::learns(|| laws::small_mlp(3), SLL, 240);
    laws::learns(laws::small_cnn, SLL, 160);
    laws::learns(|| laws::small_vit(false), SLL, 160);
}

#[test]
fn every_setting_learns() {
    let d = SllConfig::default;
    let configs = [
        SllConfig { projection_dropout: 0.3, ..d() },
        SllConfig { projection_dropout: 0.3, parent: Parent::Clean, ..d() },
        SllConfig { first_aligned: 1, ..d() },
        SllConfig { align_head: true, ..d() },
        SllConfig { projection_dim: Some(9), ..d() },
        SllConfig { projection_dim: Some(9), codes: Codes::Grouped, ..d() },
        SllConfig { projection_dim: Some(9), codes: Codes::Coded, ..d() },
        SllConfig { align_weight: 0.0, ..d() },
        SllConfig { stop_gradient: false, ..d() },
        SllConfig { learn_projection: true, projection_dropout: 0.3, ..d() },
        SllConfig { likelihood_weight: 0.0, first_aligned: 1, ..d() },
    ];
    for config in configs {
        laws::learns(|| laws::small_mlp(3), &|net| Ok(Box::new(config.init(net, 3)?)), 240);
    }
}

#[test]
fn alignment_alone_leaves_a_unit_without_parent_as_it_is() {
    let mut net = laws::small_mlp(3);
    let before = net.params();
    let mut sll = SllConfig { likelihood_weight: 0.0, ..SllConfig::default() }.init(&net, 3).unwrap();
    let batch = laws::batch(&net, 0);
    sll.step(&mut net, &batch, &mut laws::descent()).unwrap();
    assert_eq!(net.params()[0], before[0]);
    assert!((1..4).all(|layer| net.params()[layer] != before[layer]));
}

#[test]
fn a_learned_projection_moves_along_the_gradient_of_its_units_objective() {
    // dR = hᵀ (softmax(h R) - y) / b for unit 1, which has no parent, in plain loops.
    let mut net = laws::plain_mlp(6, 5, 4);
    let mut sll = SllConfig { learn_projection: true, ..SllConfig::default() }.init(&net, 3).unwrap();
    let batch = laws::batch(&net, 1);
    let (h, before) = (laws::floats(laws::hidden(&net, 1, &batch)), sll.projections().remove(0));
    laws::moved(&mut net, &mut sll, &batch);
    let after = sll.projections().remove(0);
    let (b, mut gradient) = (batch.len(), vec![0.0; 20]);
    for s in 0..b {
        let logit = |k: usize| (0..5).map(|j| h[s * 5 + j] * before[j * 4 + k]).sum::<f32>().exp();
        let total: f32 = (0..4).map(logit).sum();
        for (j, k) in (0..5).flat_map(|j| (0..4).map(move |k| (j, k))) {
            gradient[j * 4 + k] += h[s * 5 + j] * (logit(k) / total - f32::from(batch.labels[s] == k)) / b as f32;
        }
    }
    let close = |i: usize| (before[i] - after[i] - gradient[i]).abs() < 1e-5;
    assert!((0..20).all(close));
    laws::resumes(|| laws::small_mlp(3), &|net| {
        Ok(Box::new(SllConfig { learn_projection: true, ..SllConfig::default() }.init(net, 3)?))
    });
}

/// With dropout off, one batch and small steps, every unit whose parent stands still has a falling objective: unit 1
/// always (it has no parent), and the output unit's cross-entropy follows.
#[test]
fn the_objective_falls_monotonically_under_small_steps() {
    laws::one_thread();
    let spec = sll_core::NetworkSpec { width: Some(16), ..sll_core::NetworkSpec::named("mlp-2x800") };
    let mut net = spec.build([3, 2, 2], 4, 5, &burn::tensor::Device::flex()).unwrap();
    let mut sll = SllConfig::default().init(&net, 3).unwrap();
    let config = optim::OptimizerConfig { kind: optim::OptimizerKind::Sgd, momentum: 0.0, weight_decay: 0.0 };
    let mut updater = config.init().unwrap();
    updater.set_lr(0.05);
    let batch = laws::batch(&net, 0);
    let mut before = f32::INFINITY;
    for step in 0..60 {
        let report = sll.step(&mut net, &batch, &mut updater).unwrap();
        let total: f32 = report.units.iter().map(|unit| unit.total(1.0).into_scalar::<f32>()).sum();
        assert!(total < before, "step {step}: {before} -> {total}");
        before = total;
    }
}

/// `dv = (q - y)/B + (q - s)/B`, `dg = dv Rᵀ`, `dW = xᵀ (dg (.) φ'(z))` in plain loops, against the rule's own update.
#[test]
fn the_update_is_the_closed_form() {
    laws::one_thread();
    let spec = sll_core::NetworkSpec { width: Some(5), ..sll_core::NetworkSpec::named("mlp-2x800") };
    let mut net = spec.build([1, 3, 2], 4, 2, &burn::tensor::Device::flex()).unwrap();
    let mut sll = SllConfig::default().init(&net, 3).unwrap();
    let batch = laws::batch(&net, 1);
    let floats = |t: Tensor<2>| t.into_data().try_to_vec::<f32>().unwrap();
    let valid = net.valid();
    let hidden = |net: &Network, to| floats(net.forward_range(0..to, batch.x.clone(), &sll_core::Pass::Eval));
    let (h1, h2, x) = (hidden(&valid, 1), hidden(&valid, 2), floats(batch.x.clone()));
    let r = sll.projections();
    let posterior = |h: &[f32], r: &[f32], s: usize| -> Vec<f64> {
        let v: Vec<f64> =
            (0..4).map(|k| (0..5).map(|j| f64::from(h[s * 5 + j]) * f64::from(r[j * 4 + k])).sum()).collect();
        let z: f64 = v.iter().map(|v| v.exp()).sum();
        v.iter().map(|v| v.exp() / z).collect()
    };
    let n = batch.len();
    let mut dw = [0.0f64; 25];
    for s in 0..n {
        let (p, q) = (posterior(&h1, &r[0], s), posterior(&h2, &r[1], s));
        let bc: f64 = p.iter().zip(&q).map(|(p, q)| (p * q).sqrt()).sum();
        for j in 0..5 {
            if h2[s * 5 + j] <= 0.0 {
                continue;
            }
            let dg: f64 = (0..4)
                .map(|k| {
                    let y = f64::from(batch.labels[s] == k);
                    (2.0 * q[k] - y - (p[k] * q[k]).sqrt() / bc) / n as f64 * f64::from(r[1][j * 4 + k])
                })
                .sum();
            for i in 0..5 {
                dw[i * 5 + j] += f64::from(h1[s * 5 + i]) * dg;
            }
        }
    }
    assert_eq!(x.len(), n * 6);
    let weights = |net: &Network| net.params()[1][0].clone().try_to_vec::<f32>().unwrap();
    let before = weights(&net);
    let config = optim::OptimizerConfig { kind: optim::OptimizerKind::Sgd, momentum: 0.0, weight_decay: 0.0 };
    let mut updater = config.init().unwrap();
    updater.set_lr(1.0);
    sll.step(&mut net, &batch, &mut updater).unwrap();
    for (i, (before, after)) in before.iter().zip(weights(&net)).enumerate() {
        assert!((f64::from(before - after) - dw[i]).abs() < 1e-5, "weight {i}: {} against {}", before - after, dw[i]);
    }
}

/// Without stop-gradient unit 1 descends `CE(softmax(h R~), y) + D(p, q_2)`, with `q_2` constant and `p` the posterior
/// it hands on, noisy or clean: its update against finite differences of that objective, in plain loops and f64.
#[test]
fn an_open_parent_descends_its_childs_divergence_too() {
    laws::one_thread();
    for (parent, dropout) in [(Parent::Reuse, 0.0), (Parent::Reuse, 0.4), (Parent::Clean, 0.4)] {
        let spec = sll_core::NetworkSpec { width: Some(5), ..sll_core::NetworkSpec::named("mlp-2x800") };
        let mut net = spec.build([1, 3, 2], 4, 2, &burn::tensor::Device::flex()).unwrap();
        let config = SllConfig { stop_gradient: false, parent, projection_dropout: dropout, ..SllConfig::default() };
        let mut sll = config.init(&net, 3).unwrap();
        let batch = laws::batch(&net, 1);
        let floats = |t: Tensor<2>| -> Vec<f64> {
            t.into_data().try_to_vec::<f32>().unwrap().into_iter().map(f64::from).collect()
        };
        let law = sll_core::projection::ProjectionConfig {
            law: Default::default(),
            gain: 1.0,
            dropout,
            learned: false,
            regenerated: false,
        };
        let head = |unit| law.init(5, 4, 3, unit, &burn::tensor::Device::flex());
        let noisy = |unit| floats(head(unit).noisy(batch.seed));
        let handed_on = if parent == Parent::Clean { floats(head(1).clean()) } else { noisy(1) };
        let h2 = floats(net.valid().forward_range(0..2, batch.x.clone(), &sll_core::Pass::Eval));
        let x = floats(batch.x.clone());
        let posterior = |h: &[f64], r: &[f64]| -> Vec<f64> {
            let v: Vec<f64> = (0..4).map(|k| (0..5).map(|j| h[j] * r[j * 4 + k]).sum::<f64>().exp()).collect();
            v.iter().map(|e| e / v.iter().sum::<f64>()).collect()
        };
        let layer = net.params()[0].clone();
        let [w, b] = [0, 1].map(|i| -> Vec<f64> {
            layer[i].clone().try_to_vec::<f32>().unwrap().into_iter().map(f64::from).collect()
        });
        let (own, child, n) = (noisy(1), noisy(2), batch.len());
        let objective = |w: &[f64]| -> f64 {
            let sample = |s: usize| {
                let z = |j: usize| b[j] + (0..6).map(|i| x[s * 6 + i] * w[i * 5 + j]).sum::<f64>();
                let h: Vec<f64> = (0..5).map(|j| z(j).max(0.0)).collect();
                let (p, q) = (posterior(&h, &handed_on), posterior(&h2[s * 5..(s + 1) * 5], &child));
                let bc: f64 = p.iter().zip(&q).map(|(p, q)| (p * q).sqrt()).sum();
                -posterior(&h, &own)[batch.labels[s]].ln() - 2.0 * bc.ln()
            };
            (0..n).map(sample).sum::<f64>() / n as f64
        };
        let sgd = optim::OptimizerConfig { kind: optim::OptimizerKind::Sgd, momentum: 0.0, weight_decay: 0.0 };
        let mut updater = sgd.init().unwrap();
        updater.set_lr(1.0);
        sll.step(&mut net, &batch, &mut updater).unwrap();
        let after = net.params()[0][0].clone().try_to_vec::<f32>().unwrap();
        for i in 0..30 {
            let at = |step: f64| {
                let mut w = w.clone();
                w[i] += step;
                objective(&w)
            };
            let slope = (at(1e-6) - at(-1e-6)) / 2e-6;
            let moved = w[i] - f64::from(after[i]);
            assert!((moved - slope).abs() < 1e-5, "{parent:?} {dropout}, weight {i}: moved {moved}, slope {slope}");
        }
    }
}

#[test]
fn labels_outside_the_classes_are_named() {
    let mut net = laws::small_mlp(2);
    let mut sll = SllConfig { projection_dim: Some(9), ..SllConfig::default() }.init(&net, 1).unwrap();
    let mut batch = laws::batch(&net, 0);
    batch.labels[3] = 4;
    let mut updater = optim::OptimizerConfig::default().init().unwrap();
    let error = sll.step(&mut net, &batch, &mut updater).unwrap_err().to_string();
    assert!(error.contains("`label` = 4") && error.contains("0 to 3"), "{error}");
}

#[test]
fn mistakes_are_named() {
    let net = laws::small_mlp(2);
    let error = |config: SllConfig| config.init(&net, 1).err().unwrap().to_string();
    let d = SllConfig::default;
    assert!(error(SllConfig { projection_dim: Some(3), ..d() }).contains("number of classes, 4"));
    assert!(error(SllConfig { units: Some(4), ..d() }).contains("1 to 3 units"));
    assert!(error(SllConfig { align_weight: -1.0, ..d() }).contains("align_weight"));
    assert!(error(SllConfig { align_head: true, projection_dim: Some(8), ..d() }).contains("projection_dim = 4"));
    assert!(error(SllConfig { learn_projection: true, regenerate: true, ..d() }).contains("has to be kept"));
    assert!(error(SllConfig { first_aligned: 0, ..d() }).contains("first_aligned"));
}

#[test]
fn a_unit_that_recomputes_trains_as_one_that_keeps_and_costs_its_forward_pass_again() {
    let two = SllConfig { units: Some(2), ..SllConfig::default() };
    let again = SllConfig { recompute: true, ..two };
    let keeps: Build = &|net| Ok(Box::new(two.init(net, 1)?));
    let runs_again: Build = &|net| Ok(Box::new(again.init(net, 1)?));
    laws::same_update(|| laws::small_mlp(4), keeps, runs_again);
    laws::same_update(laws::small_cnn, keeps, runs_again);
    laws::close_update(|| laws::small_vit(false), keeps, runs_again, 1e-4);
    let net = laws::small_mlp(3);
    let total = |config: SllConfig| config.init(&net, 1).unwrap().cost(&net, 1).total();
    let forward: Vec<u64> = net.costs().iter().map(|c| c.forward).collect();
    assert_eq!(total(again) - total(two), forward[0] + forward[2]);
}

#[test]
fn projections_drawn_again_train_as_kept_ones_and_take_no_room() {
    let kept = SllConfig { projection_dropout: 0.2, ..SllConfig::default() };
    let drawn = SllConfig { regenerate: true, ..kept };
    let one: Build = &|net| Ok(Box::new(kept.init(net, 1)?));
    let other: Build = &|net| Ok(Box::new(drawn.init(net, 1)?));
    laws::same_update(|| laws::small_mlp(2), one, other);
    let net = laws::small_mlp(2);
    assert!(kept.init(&net, 1).unwrap().fixed_values(&net) > 0);
    assert_eq!(drawn.init(&net, 1).unwrap().fixed_values(&net), 0);
}
