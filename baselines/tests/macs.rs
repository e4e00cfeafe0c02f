//! Multiply-accumulates counted where they are done against what each rule says it costs, on every family of networks.

use baselines::{RuleSpec, rules};
use sll_core::laws;
use sll_core::op::macs;
use sll_core::rule::Batch;
use sll_core::sll::{Parent, SllConfig};
use sll_core::{Error, Network};

/// Samples of a step: costs with products between samples follow their number.
const BATCHES: [usize; 2] = [128, 40];
/// Steps: rules that alternate cost the mean of two.
const STEPS: u64 = 2;

/// Builds a network of one family.
type Family = fn() -> Network;

fn batch(net: &Network, samples: usize, step: u64, epoch: usize) -> Batch {
    let small = laws::batch(net, step);
    let repeats = samples.div_ceil(small.len());
    let x = burn::tensor::Tensor::cat(vec![small.x; repeats], 0).narrow(0, 0, samples);
    let labels = small.labels.iter().copied().cycle().take(samples).collect();
    Batch { step, epoch, ..Batch::new(x, labels, step) }
}

// One test: the counter counts the whole process, so nothing else may multiply beside it.
#[test]
fn every_rule_does_the_multiplications_it_says() {
    laws::one_thread();
    let networks: [(&str, Family); 3] =
        [("mlp", || laws::small_mlp(3)), ("cnn", laws::small_cnn), ("vit", || laws::small_vit(false))];
    let sll = |config: SllConfig, title: &'static str| (title, RuleSpec::Sll(config));
    let base = SllConfig::default();
    let settings = [
        sll(SllConfig { units: Some(2), ..base }, "SLL2+"),
        sll(SllConfig { units: Some(2), recompute: true, ..base }, "SLL2+, recomputed"),
        sll(SllConfig { regenerate: true, ..base }, "SLL, R drawn again"),
        sll(SllConfig { parent: Parent::Clean, ..base }, "SLL, clean parent"),
        sll(SllConfig { stop_gradient: false, ..base }, "SLL, open parent"),
    ];
    let mut wrong = Vec::new();
    for (title, spec) in rules().iter().map(|info| (info.title, info.settings)).chain(settings) {
        let mut ran = 0;
        for ((name, build), samples) in networks.into_iter().flat_map(|of| BATCHES.map(|samples| (of, samples))) {
            let mut net = build();
            let mut rule = match spec.init(&mut net, 1) {
                Ok(rule) => rule,
                Err(Error::Unsupported { .. }) => continue,
                Err(other) => panic!("{title}: {other}"),
            };
            ran += 1;
            let said = rule.cost(&net, samples).total() * samples as u64;
            // Costs are of the phase that trains the hidden layers.
            let epoch = spec.learning_epoch();
            let mut updater = laws::descent();
            let batches: Vec<Batch> = (0..STEPS).map(|step| batch(&net, samples, step, epoch)).collect();
            let before = macs();
            batches.iter().for_each(|batch| drop(rule.step(&mut net, batch, &mut updater).unwrap()));
            let done = (macs() - before) / STEPS;
            // Costs are whole MACs per sample.
            if done.abs_diff(said) >= samples as u64 {
                wrong.push(format!(
                    "{title} on {name}, {samples} samples: says {said}, does {done} ({:+.3})",
                    done as f64 / said as f64 - 1.0
                ));
            }
        }
        assert!(ran > 0, "{title} runs on none of the networks");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
