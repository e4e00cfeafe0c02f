//! Classification head on tokens.

use super::{Affine, Joins, Layer, LayerCost, Norm, WeightSlot};
use crate::memory::LayerMemory;
use crate::rng::Stream;
use crate::summary::Summary;
use crate::{pass::Pass, shape::Shape};
use burn::module::Module;
use burn::tensor::{Device, Tensor};

/// `logits = norm(summary(tokens)) W + b`; the summary is the class token where there is one, else the mean.
#[derive(Module, Debug)]
pub struct TokenHead {
    norm: Norm,
    affine: Affine,
    tokens: usize,
    class: bool,
}

impl TokenHead {
    /// A head from `tokens` of width `d` to `classes` logits.
    pub fn new((tokens, d, class): (usize, usize, bool), classes: usize, stream: &mut Stream, device: &Device) -> Self {
        let (norm, affine) = (Norm::new(d, device), Affine::new(d, classes, stream, device));
        Self { norm, affine, tokens, class }
    }
}

impl Layer for TokenHead {
    fn input(&self) -> Shape {
        Shape::Tokens { t: self.tokens, d: self.affine.weight.dims()[0], class: self.class }
    }

    fn output(&self) -> Shape {
        Shape::Flat(self.affine.weight.dims()[1])
    }

    fn forward(&self, x: Tensor<2>, _pass: &Pass) -> Tensor<2> {
        let summary = Summary::of_tokens(self.input()).forward(x);
        self.affine.forward(self.norm.forward(summary))
    }

    fn cost(&self) -> LayerCost {
        let macs = self.affine.macs();
        let d = self.affine.weight.dims()[0] as u64;
        LayerCost { forward: macs, input_grad: 0, again: 0, activations: 2 * d + self.output().len() as u64 }
    }

    fn memory(&self, batch: usize) -> Option<LayerMemory> {
        let [d, classes] = self.affine.weight.dims().map(|side| side as u64);
        let b = batch as u64;
        Some(LayerMemory {
            output: b * classes,
            kept: b * d,
            forward: 3 * b * d,
            backward: 0,
            early_gradients: 0,
            // The signal at the summary becomes one at all tokens.
            in_place: false,
            frees_input: true,
        })
    }

    fn weights(&mut self) -> Vec<WeightSlot<'_>> {
        vec![WeightSlot::Matrix(&mut self.affine)]
    }

    fn joins(&self) -> Joins {
        Joins::Previous
    }

    fn name(&self) -> String {
        let how = if self.class { "class token" } else { "mean of tokens" };
        format!("head on the {how} -> {}", self.output())
    }
}
