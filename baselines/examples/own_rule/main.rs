//! A learning rule of your own, and a network trained by it. `cargo run --example own_rule`
//!
//! The rule is `regression.rs` beside this file. To choose it by name, `--rule regression`, that file moves to
//! `baselines/src` as it is, but for `baselines::`, which is `crate::` there; CONTRIBUTING.md has the other steps.

mod regression;
#[path = "../sample/mod.rs"]
mod sample;

use baselines::Rule;
use regression::RegressionConfig;
use sample::Sample;
use sll_core::optim::OptimizerConfig;
use sll_core::{NetworkSpec, Result};

fn main() -> Result<()> {
    println!("{:.1} % of the test images after three epochs", train(3)?);
    Ok(())
}

/// Trains an MLP on the embedded sample; percent of the test images classified right.
fn train(epochs: usize) -> Result<f64> {
    let sample = Sample::load();
    let spec = NetworkSpec { width: Some(100), ..NetworkSpec::named("mlp-2x800") };
    let mut net = spec.build(sample.data.shape, sample.data.classes, 0, &Default::default())?;
    let mut rule = RegressionConfig::default().build(&mut net, 0)?;
    let mut updater = OptimizerConfig::default().init()?;
    updater.set_lr(2e-3);
    sample.train(&mut net, &mut *rule, &mut updater, (epochs, 50))?;
    Ok(sample.accuracy(&net, &*rule))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_learns_digits() {
        let accuracy = train(2).unwrap();
        assert!(accuracy > 70.0, "{accuracy} %");
    }
}
