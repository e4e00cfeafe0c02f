//! Every rule of the register learns real digits: three epochs on the embedded sample of MNIST, far above chance.

use baselines::{Usual, rules};
use burn::tensor::{Device, Tensor, TensorData};
use datasets::{Images, LoadOptions, Splits};
use sll_core::optim::OptimizerConfig;
use sll_core::rule::Batch;
use sll_core::{NetworkSpec, laws};

const BATCH: usize = 50;
const EPOCHS: usize = 3;
/// Percent of ten classes.
const FLOOR: f64 = 50.0;

fn pixels(images: &Images, range: std::ops::Range<usize>) -> Tensor<2> {
    let n = images.image_len();
    let bytes = &images.pixels[range.start * n..range.end * n];
    let values: Vec<f32> = bytes.iter().map(|&byte| (f32::from(byte) / 255.0 - 0.13) / 0.31).collect();
    Tensor::from_data(TensorData::new(values, [range.len(), n]), &Device::flex())
}

fn labels(images: &Images, range: std::ops::Range<usize>) -> Vec<usize> {
    images.labels[range].iter().map(|&label| usize::from(label)).collect()
}

#[test]
fn every_rule_learns_the_sample() {
    laws::one_thread();
    let data = datasets::load("mnist-sample", &LoadOptions::default()).unwrap();
    let Splits { train, test } = data.in_memory().unwrap();
    let mut short = Vec::new();
    for info in rules() {
        let rule_spec = info.settings;
        let Usual { activation, optimizer: kind, lr } = rule_spec.usual();
        let network = NetworkSpec { width: Some(100), activation, ..NetworkSpec::named("mlp-2x800") };
        let mut net = network.build(train.shape, data.classes, 1, &Device::flex()).unwrap();
        let mut rule = rule_spec.init(&mut net, 1).unwrap();
        let mut updater = OptimizerConfig { kind, momentum: 0.0, weight_decay: 0.0 }.init().unwrap();
        updater.set_lr(lr);
        let steps = train.len() / BATCH;
        for step in 0..EPOCHS * steps {
            let at = step % steps * BATCH..(step % steps + 1) * BATCH;
            let batch = Batch::new(pixels(train, at.clone()), labels(train, at), step as u64);
            let batch = Batch { step: step as u64, epoch: step / steps, ..batch };
            rule.step(&mut net, &batch, &mut updater).unwrap();
        }
        let scores = rule.predict(&net.valid(), pixels(test, 0..test.len()));
        let chosen = scores.argmax(1).into_data().convert::<i64>().try_to_vec::<i64>().unwrap();
        let wanted = labels(test, 0..test.len());
        let right = chosen.iter().zip(&wanted).filter(|(chosen, wanted)| **chosen == **wanted as i64).count();
        let accuracy = 100.0 * right as f64 / wanted.len() as f64;
        println!("{:<26} {accuracy:.1} %", info.title);
        if accuracy < FLOOR {
            short.push(format!("{}: {accuracy:.1} %", info.title));
        }
    }
    assert!(short.is_empty(), "below {FLOOR} %: {short:?}");
}
