//! Transformer encoder blocks.

use super::{Affine, Layer, LayerCost, Norm, WeightSlot};
use crate::error::{Error, Result};
use crate::memory::LayerMemory;
use crate::op::{AttentionWeights, Heads, MlpWeights, attention_block, chunk_rows, mlp_block};
use crate::rng::Stream;
use crate::{pass::Pass, shape::Shape};
use burn::module::Module;
use burn::tensor::{Device, Tensor};

/// Pre-norm encoder block on `t` tokens of width `d`:
/// `x <- x + proj(attention(norm1(x)))`, `x <- x + fc2(gelu(fc1(norm2(x))))`,
/// attention `= softmax(q kᵀ / √(d/heads)) v` per head (Vaswani et al. 2017; Dosovitskiy et al. 2021).
#[derive(Module, Debug)]
pub struct EncoderBlock {
    norm1: Norm,
    qkv: Affine,
    proj: Affine,
    norm2: Norm,
    fc1: Affine,
    fc2: Affine,
    heads: usize,
    tokens: usize,
    class: bool,
}

/// What an [`EncoderBlock`] is made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EncoderBlockConfig {
    /// Tokens, the class token included.
    pub tokens: usize,
    /// Width of a token, a multiple of `heads`.
    pub width: usize,
    /// Whether the first token is a class token.
    pub class_token: bool,
    /// Attention heads.
    pub heads: usize,
    /// Width of the MLP as a multiple of the token's.
    pub ratio: usize,
}

impl EncoderBlockConfig {
    fn check(&self) -> Result<()> {
        let sizes = [("tokens", self.tokens), ("width", self.width), ("heads", self.heads), ("ratio", self.ratio)];
        if let Some((key, _)) = sizes.into_iter().find(|(_, size)| *size == 0) {
            return Err(Error::setting(key, 0, "must be at least 1"));
        }
        if !self.width.is_multiple_of(self.heads) {
            return Err(Error::setting("width", self.width, format!("must be a multiple of the {} heads", self.heads)));
        }
        Ok(())
    }

    /// The block, its weights drawn from `stream`.
    ///
    /// # Errors
    /// [`Error::Setting`] if a size is 0, or the heads do not divide the width.
    pub fn init(&self, stream: &mut Stream, device: &Device) -> Result<EncoderBlock> {
        self.check()?;
        let Self { tokens, width: d, class_token: class, heads, ratio } = *self;
        Ok(EncoderBlock {
            norm1: Norm::new(d, device),
            qkv: Affine::new(d, 3 * d, stream, device),
            proj: Affine::new(d, d, stream, device),
            norm2: Norm::new(d, device),
            fc1: Affine::new(d, ratio * d, stream, device),
            fc2: Affine::new(ratio * d, d, stream, device),
            heads,
            tokens,
            class,
        })
    }
}

impl EncoderBlock {
    fn width(&self) -> usize {
        self.proj.weight.dims()[0]
    }

    /// `x + proj(attention(norm1(x)))` on `[b t, d]`.
    fn attend(&self, x: Tensor<2>) -> Tensor<2> {
        let weights =
            AttentionWeights { norm: self.norm1.beside(&x), qkv: self.qkv.beside(&x), proj: self.proj.beside(&x) };
        attention_block(x, weights, Heads { tokens: self.tokens, heads: self.heads })
    }

    /// `x + fc2(gelu(fc1(norm2(x))))` on `[b t, d]`.
    fn transform(&self, x: Tensor<2>) -> Tensor<2> {
        let weights =
            MlpWeights { norm: self.norm2.beside(&x), first: self.fc1.beside(&x), second: self.fc2.beside(&x) };
        mlp_block(x, weights)
    }
}

impl Layer for EncoderBlock {
    fn input(&self) -> Shape {
        self.output()
    }

    fn output(&self) -> Shape {
        Shape::Tokens { t: self.tokens, d: self.width(), class: self.class }
    }

    fn forward(&self, x: Tensor<2>, _pass: &Pass) -> Tensor<2> {
        let [batch, features] = x.dims();
        let rows = x.reshape([batch * self.tokens, self.width()]);
        self.transform(self.attend(rows)).reshape([batch, features])
    }

    fn cost(&self) -> LayerCost {
        let (t, d) = (self.tokens as u64, self.width() as u64);
        let hidden = self.fc1.weight.dims()[1] as u64;
        let affine = [&self.qkv, &self.proj, &self.fc1, &self.fc2].iter().map(|a| a.macs()).sum::<u64>();
        let forward = t * affine + 2 * t * t * d;
        // q k v, heads' outputs, the first half's output, fc1, and the block's own; q kᵀ is made again.
        let activations = t * d * (3 + 1 + 1 + 1) + t * hidden;
        LayerCost { forward, input_grad: 0, again: t * t * d, activations }
    }

    fn memory(&self, batch: usize) -> Option<LayerMemory> {
        let (t, d, heads) = (self.tokens, self.width(), self.heads);
        let (hidden, rows) = (self.fc1.weight.dims()[1], batch * t);
        let (mlp, images) = (chunk_rows(rows, 1).min(rows), chunk_rows(rows, t).min(rows));
        // Both halves at their fullest: two buffers of a chunk, weights and their signal of one head with what comes
        // out of it.
        let head = 2 * t * t + 3 * t * d / heads;
        let (mlp_back, attention_back) = (mlp * (hidden + d), images * d + head + 4 * d * d);
        let freed = rows * (hidden + d);
        Some(LayerMemory {
            output: (rows * d) as u64,
            kept: (rows * (3 * d + d + d + hidden)) as u64,
            forward: (mlp * (d + hidden)) as u64,
            backward: mlp_back.max(attention_back.saturating_sub(freed)) as u64,
            early_gradients: (2 * d * hidden + hidden + 2 * d) as u64,
            in_place: true,
            frees_input: false,
        })
    }

    fn weights(&mut self) -> Vec<WeightSlot<'_>> {
        [&mut self.qkv, &mut self.proj, &mut self.fc1, &mut self.fc2].into_iter().map(WeightSlot::Matrix).collect()
    }

    fn name(&self) -> String {
        let ratio = self.fc1.weight.dims()[1] / self.width();
        format!("encoder block {} tokens of {}, {} heads, MLP x{ratio}", self.tokens, self.width(), self.heads)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::op::inject;
    use crate::rng::{Purpose, upload};
    use burn::tensor::{Tolerance, activation};

    fn small(tokens: usize, width: usize) -> EncoderBlockConfig {
        EncoderBlockConfig { tokens, width, class_token: false, heads: 2, ratio: 2 }
    }

    #[test]
    fn sizes_that_do_not_fit_are_named() {
        let error = |config: EncoderBlockConfig| {
            let mut stream = Stream::new(2, Purpose::Weights, &[]);
            config.init(&mut stream, &Device::flex()).err().unwrap().to_string()
        };
        let uneven = error(EncoderBlockConfig { heads: 3, ..small(3, 8) });
        assert!(uneven.contains("`width` = 8: must be a multiple of the 3 heads"), "{uneven}");
        assert!(error(EncoderBlockConfig { heads: 0, ..small(3, 8) }).contains("`heads` = 0"));
    }

    /// `x̂ (.) γ + β` of burn's own operations, differentiated by burn.
    fn norm(x: Tensor<2>, gamma: Tensor<1>, beta: Tensor<1>) -> Tensor<2> {
        let centred = x.clone() - x.mean_dim(1);
        let deviation = (centred.clone().powi_scalar(2).mean_dim(1) + 1e-5).sqrt();
        centred / deviation * gamma.unsqueeze() + beta.unsqueeze()
    }

    fn map(x: Tensor<2>, affine: &Affine) -> Tensor<2> {
        x.matmul(affine.weight.val()) + affine.bias.val().unsqueeze()
    }

    /// The block's formula, written with burn's own operations.
    fn composed(block: &EncoderBlock, x: Tensor<2>, batch: usize) -> Tensor<2> {
        let (t, d, heads) = (block.tokens, block.width(), block.heads);
        let rows = x.reshape([batch * t, d]);
        let (gamma, beta) = block.norm1.beside(&rows);
        let qkv = map(norm(rows.clone(), gamma, beta), &block.qkv).reshape([batch, t, 3, heads, d / heads]);
        let part = |i: usize| qkv.clone().narrow(2, i, 1).reshape([batch, t, heads, d / heads]).swap_dims(1, 2);
        let scores = part(0).matmul(part(1).swap_dims(2, 3)) / ((d / heads) as f64).sqrt();
        let mixed = activation::softmax(scores, 3).matmul(part(2)).swap_dims(1, 2).reshape([batch * t, d]);
        let rows = rows + map(mixed, &block.proj);
        let (gamma, beta) = block.norm2.beside(&rows);
        let hidden = activation::gelu(map(norm(rows.clone(), gamma, beta), &block.fc1));
        (rows + map(hidden, &block.fc2)).reshape([batch, t * d])
    }

    /// Enough rows for several chunks, the last of another size.
    #[test]
    fn output_and_gradients_are_those_of_the_composed_formula() {
        let (batch, t, d) = (700, 3, 8);
        let device = Device::flex().autodiff();
        let mut stream = Stream::new(2, Purpose::Weights, &[]);
        let block = small(t, d).init(&mut stream, &device).unwrap();
        let x = upload(stream.normal(batch * t * d, 1.0), [batch, t * d], &device).require_grad();
        let signal = upload(stream.normal(batch * t * d, 1.0), [batch, t * d], &device);
        let (found, expected) = (block.forward(x.clone(), &Pass::Eval), composed(&block, x.clone(), batch));
        let close = |a: Tensor<2>, b: Tensor<2>, what: &str| {
            println!("{what}");
            a.into_data().assert_approx_eq::<f32>(&b.into_data(), Tolerance::rel_abs(1e-3, 1e-3));
        };
        close(found.clone(), expected.clone(), "output");
        let plain = block.valid().forward(x.clone().inner(), &Pass::Eval);
        close(plain, found.clone(), "output without a graph");
        let (found, expected) = (inject(found, signal.clone()), inject(expected, signal));
        close(x.grad(&found).unwrap(), x.grad(&expected).unwrap(), "x");
        for (name, affine) in [("qkv", &block.qkv), ("proj", &block.proj), ("fc1", &block.fc1), ("fc2", &block.fc2)] {
            let (w, b) = (affine.weight.val(), affine.bias.val());
            close(w.grad(&found).unwrap(), w.grad(&expected).unwrap(), name);
            close(b.grad(&found).unwrap().unsqueeze(), b.grad(&expected).unwrap().unsqueeze(), name);
        }
        for norm in [&block.norm1, &block.norm2] {
            let (gamma, beta) = norm.beside(&x);
            close(gamma.grad(&found).unwrap().unsqueeze(), gamma.grad(&expected).unwrap().unsqueeze(), "gamma");
            close(beta.grad(&found).unwrap().unsqueeze(), beta.grad(&expected).unwrap().unsqueeze(), "beta");
        }
    }

    #[test]
    fn a_first_block_without_a_graph_below_has_the_same_parameter_gradients() {
        let device = Device::flex().autodiff();
        let mut stream = Stream::new(3, Purpose::Weights, &[]);
        let block = small(3, 8).init(&mut stream, &device).unwrap();
        let x = upload(stream.normal(5 * 24, 1.0), [5, 24], &device);
        let signal = upload(stream.normal(5 * 24, 1.0), [5, 24], &device);
        let below = x.clone().require_grad();
        let (with, without) = (block.forward(below, &Pass::Eval), block.forward(x, &Pass::Eval));
        let (with, without) = (inject(with, signal.clone()), inject(without, signal));
        let w = block.qkv.weight.val();
        w.grad(&with).unwrap().into_data().assert_eq(&w.grad(&without).unwrap().into_data(), true);
    }
}
