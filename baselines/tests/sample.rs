//! Every rule of the register learns real digits: three epochs on the embedded sample of MNIST, far above chance.

#[path = "../examples/sample/mod.rs"]
mod sample;

use baselines::{Usual, rules};
use burn::tensor::Device;
use sample::Sample;
use sll_core::optim::OptimizerConfig;
use sll_core::{NetworkSpec, laws};

const BATCH: usize = 50;
const EPOCHS: usize = 3;
/// Percent of ten classes.
const FLOOR: f64 = 50.0;

#[test]
fn every_rule_learns_the_sample() {
    laws::one_thread();
    let sample = Sample::load();
    let mut short = Vec::new();
    for info in rules() {
        let rule_spec = info.settings;
        let usual = rule_spec.usual();
        let network = usual.network(NetworkSpec { width: Some(100), ..NetworkSpec::named("mlp-2x800") });
        let Usual { optimizer: kind, lr, .. } = usual;
        let mut net = network.build(sample.data.shape, sample.data.classes, 1, &Device::flex()).unwrap();
        let mut rule = rule_spec.init(&mut net, 1).unwrap();
        let mut updater = OptimizerConfig { kind, momentum: 0.0, weight_decay: 0.0 }.init().unwrap();
        updater.set_lr(lr);
        sample.train(&mut net, &mut *rule, &mut updater, (EPOCHS, BATCH)).unwrap();
        let accuracy = sample.accuracy(&net, &*rule);
        println!("{:<26} {accuracy:.1} %", info.title);
        if accuracy < FLOOR {
            short.push(format!("{}: {accuracy:.1} %", info.title));
        }
    }
    assert!(short.is_empty(), "below {FLOOR} %: {short:?}");
}
