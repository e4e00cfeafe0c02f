//! Transformer encoder blocks.

use super::{Affine, Layer, LayerCost, WeightSlot};
use crate::rng::Stream;
use crate::{pass::Pass, shape::Shape};
use burn::module::Module;
use burn::nn::{LayerNorm, LayerNormConfig};
use burn::tensor::{Device, Tensor, activation};

/// Pre-norm encoder block on `t` tokens of width `d`:
/// `x <- x + proj(attention(norm1(x)))`, `x <- x + fc2(gelu(fc1(norm2(x))))`,
/// attention `= softmax(q kᵀ / √(d/heads)) v` per head (Vaswani et al. 2017; Dosovitskiy et al. 2021).
#[derive(Module, Debug)]
pub struct EncoderBlock {
    norm1: LayerNorm,
    qkv: Affine,
    proj: Affine,
    norm2: LayerNorm,
    fc1: Affine,
    fc2: Affine,
    heads: usize,
    tokens: usize,
    class: bool,
}

impl EncoderBlock {
    /// A block on `tokens` of width `d` (a multiple of `heads`), whose MLP is `ratio * d` wide.
    pub fn new(
        (tokens, d, class): (usize, usize, bool),
        heads: usize,
        ratio: usize,
        stream: &mut Stream,
        device: &Device,
    ) -> Self {
        Self {
            norm1: LayerNormConfig::new(d).init(device),
            qkv: Affine::new(d, 3 * d, stream, device),
            proj: Affine::new(d, d, stream, device),
            norm2: LayerNormConfig::new(d).init(device),
            fc1: Affine::new(d, ratio * d, stream, device),
            fc2: Affine::new(ratio * d, d, stream, device),
            heads,
            tokens,
            class,
        }
    }

    fn width(&self) -> usize {
        self.proj.weight.dims()[0]
    }

    /// `[b t, d]` to `[b t, d]`.
    fn attend(&self, x: Tensor<2>, batch: usize) -> Tensor<2> {
        let (t, d, heads) = (self.tokens, self.width(), self.heads);
        let dh = d / heads;
        let qkv = self.qkv.forward(x).reshape([batch, t, 3, heads, dh]).permute([2, 0, 3, 1, 4]);
        let part = |i: usize| qkv.clone().narrow(0, i, 1).reshape([batch, heads, t, dh]);
        let scores = part(0).matmul(part(1).swap_dims(2, 3)) * (1.0 / (dh as f64).sqrt());
        let mixed = activation::softmax(scores, 3).matmul(part(2));
        self.proj.forward(mixed.swap_dims(1, 2).reshape([batch * t, d]))
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
        let [batch, _] = x.dims();
        let (t, d) = (self.tokens, self.width());
        let x = x.reshape([batch * t, d]);
        let x = x.clone() + self.attend(self.norm1.forward(x), batch);
        let hidden = activation::gelu(self.fc1.forward(self.norm2.forward(x.clone())));
        (x + self.fc2.forward(hidden)).reshape([batch, t * d])
    }

    fn cost(&self) -> LayerCost {
        let (t, d) = (self.tokens as u64, self.width() as u64);
        let hidden = self.fc1.weight.dims()[1] as u64;
        let affine = [&self.qkv, &self.proj, &self.fc1, &self.fc2].iter().map(|a| a.macs()).sum::<u64>();
        let forward = t * affine + 2 * t * t * d;
        // norm1, q k v, scores, softmax, mixed, proj + residual, norm2, fc1, gelu, fc2 + residual
        let activations = t * d * (1 + 3 + 1 + 1 + 1 + 1) + 2 * self.heads as u64 * t * t + 2 * t * hidden;
        LayerCost { forward, input_grad: t * self.qkv.macs(), activations }
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
    use crate::rng::{Purpose, upload};

    /// `softmax(q kᵀ / √dh) v` per head in plain loops, for 2 images of 3 tokens of width 4 and 2 heads.
    #[test]
    fn attention_is_softmax_of_scaled_products_head_by_head() {
        let (batch, t, d, heads, dh) = (2, 3, 4, 2, 2);
        let device = Device::flex();
        let mut stream = Stream::new(2, Purpose::Weights, &[]);
        let block = EncoderBlock::new((t, d, false), heads, 2, &mut stream, &device);
        let x = upload(stream.normal(batch * t * d, 1.0), [batch * t, d], &device);
        let values = |t: Tensor<2>| t.into_data().try_to_vec::<f32>().unwrap();
        let qkv = values(block.qkv.forward(x.clone()));
        let at = |part: usize, row: usize, head: usize, i: usize| qkv[row * 3 * d + part * d + head * dh + i];
        let mut mixed = vec![0.0f32; batch * t * d];
        for image in 0..batch {
            for (head, query) in (0..heads).flat_map(|h| (0..t).map(move |q| (h, image * t + q))) {
                let keys = image * t..(image + 1) * t;
                let score = |key: usize| {
                    let product: f32 = (0..dh).map(|i| at(0, query, head, i) * at(1, key, head, i)).sum();
                    (product / (dh as f32).sqrt()).exp()
                };
                let sum: f32 = keys.clone().map(score).sum();
                for i in 0..dh {
                    let value: f32 = keys.clone().map(|key| score(key) / sum * at(2, key, head, i)).sum();
                    mixed[query * d + head * dh + i] = value;
                }
            }
        }
        let expected = values(block.proj.forward(upload(mixed, [batch * t, d], &device)));
        for (a, b) in values(block.attend(x, batch)).iter().zip(&expected) {
            assert!((a - b).abs() < 1e-5, "{a} against {b}");
        }
    }
}
