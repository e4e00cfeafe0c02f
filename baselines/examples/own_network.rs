//! A network of your own, trained by rules that know nothing of it. `cargo run --example own_network`
//!
//! A network is a chain of layers that ends in one logit a class. The layer here is a residual one,
//!
//! ```text
//! h = x + relu(x W + b)
//! ```
//!
//! around [`Affine`], the project's own affine map, which has room for feedback weights: the layer hands it out in
//! `weights`, so that FA can send its signal through them. A layer without `weights` is differentiated exactly. Where
//! burn's own modules are enough, `sll-core/examples/own_layers.rs` is shorter.

mod sample;

use baselines::{RuleInfo, rules};
use burn::module::Module;
use burn::tensor::{Device, Tensor, activation::relu};
use sample::Sample;
use sll_core::layer::{Activation, Affine, Dense, Hidden, Layer, WeightSlot};
use sll_core::optim::OptimizerConfig;
use sll_core::rng::{Purpose, Stream};
use sll_core::{Network, Pass, Result, Shape};

/// `h = x + relu(x W + b)`.
#[derive(Module, Debug)]
struct Residual {
    affine: Affine,
}

impl Layer for Residual {
    fn input(&self) -> Shape {
        Shape::Flat(self.affine.weight.dims()[0])
    }

    fn output(&self) -> Shape {
        self.input()
    }

    fn forward(&self, x: Tensor<2>, _pass: &Pass) -> Tensor<2> {
        x.clone() + relu(self.affine.forward(x))
    }

    fn weights(&mut self) -> Vec<WeightSlot<'_>> {
        vec![WeightSlot::Matrix(&mut self.affine)]
    }

    fn name(&self) -> String {
        format!("residual {}", self.input())
    }
}

/// `inputs - width`, `blocks` residual layers, `width - classes`.
fn network(inputs: usize, width: usize, blocks: usize, classes: usize, seed: u64) -> Result<Network> {
    let device = Device::flex().autodiff();
    let stream = |layer: usize| Stream::new(seed, Purpose::Weights, &[layer as u64]);
    let hidden = Hidden { activation: Activation::Relu, ..Hidden::default() };
    let mut builder = Network::builder().layer(Dense::new(inputs, width, hidden, &mut stream(0), &device));
    for block in 1..=blocks {
        builder = builder.layer(Residual { affine: Affine::new(width, width, &mut stream(block), &device) });
    }
    let last = Hidden { activation: Activation::None, ..Hidden::default() };
    builder.layer(Dense::new(width, classes, last, &mut stream(blocks + 1), &device)).build(&device)
}

fn main() -> Result<()> {
    for title in ["BP", "FA", "DFA", "SLL"] {
        let rule = rules().iter().find(|rule| rule.title == title).expect("a rule of the register");
        println!("{title}: {:.1} % of the test images after two epochs", train(rule, 2)?);
    }
    Ok(())
}

/// Trains the network with `rule`; percent of the test images classified right.
fn train(rule: &RuleInfo, epochs: usize) -> Result<f64> {
    let sample = Sample::load();
    let mut net = network(sample.data.shape.iter().product(), 64, 3, sample.data.classes, 0)?;
    let mut rule = rule.settings.init(&mut net, 0)?;
    let mut updater = OptimizerConfig::default().init()?;
    updater.set_lr(2e-3);
    sample.train(&mut net, &mut *rule, &mut updater, (epochs, 50))?;
    Ok(sample.accuracy(&net, &*rule))
}

#[cfg(test)]
mod tests {
    use super::*;
    use sll_core::laws;

    #[test]
    fn rules_that_never_saw_it_train_it() {
        for title in ["BP", "FA", "DFA", "SLL", "FF"] {
            let rule = rules().iter().find(|rule| rule.title == title).unwrap();
            let trained = train(rule, 2);
            match title {
                // FF's goodness needs layers that are an affine map and what follows it: it refuses, and says why.
                "FF" => assert!(trained.unwrap_err().to_string().contains("FF cannot run on this network")),
                _ => assert!(trained.unwrap() > 70.0, "{title}"),
            }
        }
    }

    #[test]
    fn the_laws_hold_on_it() {
        let small = || network(12, 8, 2, 4, 0).unwrap();
        for title in ["BP", "FA", "SLL"] {
            let rule = rules().iter().find(|rule| rule.title == title).unwrap().settings;
            laws::resumes(small, &|net| rule.init(net, 0));
            laws::comes_back_by_name(small, &|net| rule.init(net, 0), 2);
        }
    }
}
