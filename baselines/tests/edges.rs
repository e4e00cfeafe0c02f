//! Every rule on the smallest networks: it runs, or says in time why it cannot.

use baselines::rules;
use burn::tensor::Device;
use sll_core::layer::{Dense, Start};
use sll_core::rng::{Purpose, Stream};
use sll_core::{Error, Network, NetworkSpec, laws};

fn single_layer() -> Network {
    let device = Device::flex().autodiff();
    let mut stream = Stream::new(1, Purpose::Weights, &[]);
    let layer = Dense::linear(12, 4, Start::default(), &mut stream, &device);
    Network::builder().layer(layer).build(&device).unwrap()
}

fn one_block() -> Network {
    let spec = NetworkSpec { width: Some(24), depth: Some(1), ..NetworkSpec::named("vit-7") };
    spec.build([3, 8, 8], 4, 5, &Device::flex()).unwrap()
}

#[test]
fn every_rule_runs_on_every_network_or_names_a_reason() {
    laws::one_thread();
    let networks: [fn() -> Network; 5] =
        [single_layer, one_block, || laws::small_mlp(1), laws::small_cnn, || laws::small_vit(true)];
    for info in rules() {
        for build in networks {
            let mut net = build();
            let mut rule = match info.settings.init(&mut net, 1) {
                Ok(rule) => rule,
                Err(Error::Unsupported { reason, .. }) => {
                    assert!(reason.len() > 20, "{}: `{reason}` says too little", info.title);
                    continue;
                }
                Err(other) => panic!("{}: {other}", info.title),
            };
            let batch = laws::batch(&net, 0);
            let report = rule.step(&mut net, &batch, &mut laws::descent()).unwrap();
            assert!(report.loss.into_scalar::<f32>().is_finite(), "{}", info.title);
            assert!(rule.cost(&net, batch.len()).total() > 0, "{}", info.title);
            let valid = net.valid();
            assert_eq!(rule.predict(&valid, batch.x.clone()).dims(), [batch.len(), 4], "{}", info.title);
            rule.unit_scores(&valid, batch.x.clone());
            assert!(rule.record().is_ok(), "{}", info.title);
        }
    }
}
