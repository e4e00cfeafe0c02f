//! Every rule's network and what the rule keeps come back by name, on a network of each family.

use burn::tensor::Device;
use sll_core::laws::comes_back_by_name;
use sll_core::{Error, NetworkSpec};

/// Wide enough that products show how a weight lies in memory.
const WIDTH: usize = 96;
const IMAGE: [usize; 3] = [3, 8, 8];

#[test]
fn every_rule_comes_back_by_name_on_every_family() {
    let named = |name: &str, width| NetworkSpec { width: Some(width), depth: Some(2), ..NetworkSpec::named(name) };
    for network in [
        named("mlp-2x800", WIDTH),
        NetworkSpec { batch_norm: true.into(), ..named("cnn-1", 16) },
        named("vit-7", 24),
        NetworkSpec { mean_token: true, ..named("vit-7", 24) },
    ] {
        let net = || network.build(IMAGE, 4, 5, &Device::flex()).expect("a valid network");
        let mut ran = 0;
        for info in baselines::rules() {
            match info.settings.init(&mut net(), 0) {
                Err(Error::Unsupported { .. } | Error::Setting { .. }) => continue,
                Err(other) => panic!("{} on {}: {other}", info.title, network.name),
                Ok(_) => {}
            }
            println!("{} on {}", info.title, network.name);
            comes_back_by_name(net, &|net| info.settings.init(net, 0), 2);
            ran += 1;
        }
        assert!(ran > 15, "only {ran} rules run on {}", network.name);
    }
}
