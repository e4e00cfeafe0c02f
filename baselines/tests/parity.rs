//! Every rule on LibTorch's CPU against flex, one step. Built with `--features tch` only.
#![cfg(feature = "tch")]
#![allow(deprecated)] // burn-tch goes away in burn 0.23

use baselines::parity::compare;
use burn::tensor::Device;

/// An update of f32 through a few layers: sums of some hundred terms in another order.
const UPDATE: f64 = 1e-4;
const LOSS: f64 = 1e-5;

#[test]
fn every_rule_takes_the_same_step_on_libtorch_as_on_flex() {
    let found = compare(&Device::flex(), &Device::libtorch()).unwrap();
    for parity in &found {
        println!(
            "{:<26} {:<16} update {:.1e} loss {:.1e}",
            parity.rule,
            parity.network,
            parity.update.unwrap_or(f64::NAN),
            parity.loss
        );
    }
    let off = |p: &&baselines::parity::Parity| !(p.same_start && p.update.is_none_or(|u| u < UPDATE) && p.loss < LOSS);
    let off: Vec<_> = found.iter().filter(off).collect();
    assert!(off.is_empty(), "{off:#?}");
}
