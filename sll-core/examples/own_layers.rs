//! Train a chain of your own layers with SLL. `cargo run --example own_layers`
//!
//! A layer is a burn module with an input shape, an output shape and a forward pass. This one is a gated linear unit,
//! `h = (x A) (.) sigmoid(x B)`, made of burn's own `Linear`.

use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::{Device, Distribution, Int, Tensor, activation::sigmoid};
use sll_core::layer::Layer;
use sll_core::optim::OptimizerConfig;
use sll_core::rule::{Batch, LearningRule};
use sll_core::sll::SllConfig;
use sll_core::{Error, Network, Pass, Shape};

#[derive(Module, Debug)]
struct Gated {
    value: Linear,
    gate: Linear,
}

impl Gated {
    fn new(n: usize, m: usize, device: &Device) -> Self {
        Self { value: LinearConfig::new(n, m).init(device), gate: LinearConfig::new(n, m).init(device) }
    }
}

impl Layer for Gated {
    fn input(&self) -> Shape {
        Shape::Flat(self.value.weight.dims()[0])
    }

    fn output(&self) -> Shape {
        Shape::Flat(self.value.weight.dims()[1])
    }

    fn forward(&self, x: Tensor<2>, _pass: &Pass) -> Tensor<2> {
        self.value.forward(x.clone()) * sigmoid(self.gate.forward(x))
    }
}

fn main() -> Result<(), Error> {
    let device = Device::flex();
    let (first, last) = train(&device)?;
    println!("loss of the first step {first:.3}, of the last {last:.3}");
    Ok(())
}

/// Which quadrant of the plane a point lies in, learned by three gated layers.
fn train(device: &Device) -> Result<(f32, f32), Error> {
    let training = device.clone().autodiff();
    let layer = |n, m| Gated::new(n, m, &training);
    let mut net = Network::builder().layer(layer(2, 32)).layer(layer(32, 32)).layer(layer(32, 4)).build(&training)?;
    let mut sll = SllConfig::default().init(&net, 0)?;
    let mut updater = OptimizerConfig::default().init()?;
    updater.set_lr(1e-2);
    let mut losses = Vec::new();
    for step in 0..200 {
        let x = Tensor::<2>::random([64, 2], Distribution::Uniform(-1.0, 1.0), device);
        let quadrant: Tensor<1, Int> =
            (x.clone().greater_elem(0.0).int() * Tensor::from_ints([[1, 2]], device)).sum_dim(1).squeeze_dim(1);
        let labels = quadrant.into_data().iter::<i64>().map(|k| k as usize).collect();
        let report = sll.step(&mut net, &Batch::new(x, labels, step), &mut updater)?;
        losses.push(report.loss.into_scalar::<f32>());
    }
    Ok((losses[0], losses[199]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_of_foreign_layers_learns() {
        let (first, last) = train(&Device::flex()).unwrap();
        assert!(last < 0.5 * first, "the loss went from {first} to {last}");
    }
}
