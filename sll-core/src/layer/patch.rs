//! Patch embedding: an image becomes a sequence of tokens (Dosovitskiy et al. 2021).

use super::{Affine, Joins, Layer, LayerCost, WeightSlot};
use crate::error::{Error, Result};
use crate::memory::LayerMemory;
use crate::op::Patches;
use crate::precision::alike;
use crate::rng::{Stream, upload};
use crate::{pass::Pass, shape::Shape};
use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};

/// `tokens = [class;] patches(x) W + b, + positions`: non-overlapping `p x p` patches, each mapped to `d` features.
#[derive(Module, Debug)]
pub struct PatchEmbedding {
    affine: Affine,
    /// `[tokens, d]`, from `N(0, 0.02²)`.
    positions: Param<Tensor<2>>,
    /// `[1, d]`, from `N(0, 0.02²)`; absent where the mean of the tokens is the summary.
    class: Option<Param<Tensor<2>>>,
    channels: usize,
    height: usize,
    width: usize,
    patch: usize,
}

/// What a [`PatchEmbedding`] is made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PatchEmbeddingConfig {
    /// Channels, height and width of an image.
    pub input: [usize; 3],
    /// Side of a patch, which divides height and width.
    pub patch: usize,
    /// Width of a token.
    pub width: usize,
    /// Whether a class token comes first.
    pub class_token: bool,
}

impl PatchEmbeddingConfig {
    fn check(&self) -> Result<()> {
        let Self { input: [c, h, w], patch, width, .. } = *self;
        if patch == 0 || !h.is_multiple_of(patch) || !w.is_multiple_of(patch) {
            return Err(Error::setting("patch", patch, format!("must divide the image's sides, {h} and {w}")));
        }
        if c * h * w == 0 {
            return Err(Error::setting("input", format!("{c} of {h}x{w}"), "an image has at least one value"));
        }
        match width {
            0 => Err(Error::setting("width", 0, "must be at least 1")),
            _ => Ok(()),
        }
    }

    /// The layer, its weights drawn from `stream`.
    ///
    /// # Errors
    /// [`Error::Setting`] if the patch does not divide the image, or a size is 0.
    pub fn init(&self, stream: &mut Stream, device: &Device) -> Result<PatchEmbedding> {
        self.check()?;
        let Self { input: [c, h, w], patch, width: d, class_token: class } = *self;
        let tokens = (h / patch) * (w / patch) + usize::from(class);
        Ok(PatchEmbedding {
            affine: Affine::new(c * patch * patch, d, stream, device),
            positions: Param::from_tensor(upload(stream.normal(tokens * d, 0.02), [tokens, d], device)),
            class: class.then(|| Param::from_tensor(upload(stream.normal(d, 0.02), [1, d], device))),
            channels: c,
            height: h,
            width: w,
            patch,
        })
    }
}

impl PatchEmbedding {
    fn patches(&self) -> usize {
        (self.height / self.patch) * (self.width / self.patch)
    }
}

impl Layer for PatchEmbedding {
    fn input(&self) -> Shape {
        Shape::Map { c: self.channels, h: self.height, w: self.width }
    }

    fn output(&self) -> Shape {
        let [t, d] = self.positions.dims();
        Shape::Tokens { t, d, class: self.class.is_some() }
    }

    fn forward(&self, x: Tensor<2>, _pass: &Pass) -> Tensor<2> {
        let (batch, p) = (x.dims()[0], self.patch);
        let patches = Patches { channels: self.channels, rows: self.height / p, columns: self.width / p, side: p };
        let [t, d] = self.positions.dims();
        let mut tokens = self.affine.forward_patches(x, patches).reshape([batch, self.patches(), d]);
        if let Some(class) = &self.class {
            let class = alike(class.val(), &tokens).unsqueeze::<3>().expand([batch, 1, d]);
            tokens = Tensor::cat(vec![class, tokens], 1);
        }
        let positions = alike(self.positions.val(), &tokens);
        (tokens + positions.unsqueeze()).reshape([batch, t * d])
    }

    fn cost(&self) -> LayerCost {
        let macs = self.affine.macs() * self.patches() as u64;
        LayerCost { forward: macs, input_grad: macs, again: 0, activations: self.output().len() as u64 }
    }

    fn memory(&self, batch: usize) -> Option<LayerMemory> {
        let [_, d] = self.affine.weight.dims().map(|side| side as u64);
        let [tokens, _] = self.positions.dims().map(|side| side as u64);
        let (b, patches) = (batch as u64, self.patches() as u64);
        Some(LayerMemory {
            output: b * tokens * d,
            kept: 0,
            // The tokens before the class token stood beside them.
            forward: if self.class.is_some() { b * patches * d } else { 0 },
            backward: if self.class.is_some() { b * patches * d } else { 0 },
            early_gradients: 0,
            in_place: false,
            frees_input: false,
        })
    }

    fn weights(&mut self) -> Vec<WeightSlot<'_>> {
        vec![WeightSlot::Matrix(&mut self.affine)]
    }

    fn joins(&self) -> Joins {
        Joins::Next
    }

    fn name(&self) -> String {
        format!("patch embedding {} -> {}", self.input(), self.output())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Purpose;

    #[test]
    fn patches_that_do_not_divide_the_image_are_refused() {
        let config = PatchEmbeddingConfig { input: [2, 4, 6], patch: 4, width: 3, class_token: true };
        for patch in [0, 4] {
            let mut stream = Stream::new(1, Purpose::Weights, &[]);
            let error = PatchEmbeddingConfig { patch, ..config }.init(&mut stream, &Device::flex()).err().unwrap();
            let expected = format!("`patch` = {patch}: must divide the image's sides, 4 and 6");
            assert_eq!(error.to_string(), expected);
        }
    }

    #[test]
    fn a_token_is_the_affine_map_of_its_patch() {
        let (c, side, p, d) = (2, 4, 2, 3);
        let device = Device::flex();
        let mut stream = Stream::new(1, Purpose::Weights, &[]);
        let config = PatchEmbeddingConfig { input: [c, side, side], patch: p, width: d, class_token: true };
        let layer = config.init(&mut stream, &device).unwrap();
        let image = stream.normal(c * side * side, 1.0);
        let x = upload(image.clone(), [1, c * side * side], &device);
        let values = |t: Tensor<2>| t.into_data().try_to_vec::<f32>().unwrap();
        let out = values(layer.forward(x, &Pass::Eval));
        let (w, positions) = (values(layer.affine.weight.val()), values(layer.positions.val()));
        let bias = layer.affine.bias.val().into_data().try_to_vec::<f32>().unwrap();
        let class = values(layer.class.as_ref().unwrap().val());
        for j in 0..d {
            assert!((out[j] - class[j] - positions[j]).abs() < 1e-6);
        }
        for (row, column) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
            let token = 1 + row * 2 + column;
            for j in 0..d {
                let mut expected = bias[j] + positions[token * d + j];
                for (ch, y, x) in (0..c).flat_map(|ch| (0..p).flat_map(move |y| (0..p).map(move |x| (ch, y, x)))) {
                    let pixel = image[(ch * side + row * p + y) * side + column * p + x];
                    expected += pixel * w[((ch * p + y) * p + x) * d + j];
                }
                assert!((out[token * d + j] - expected).abs() < 1e-5, "token {token}, feature {j}");
            }
        }
    }
}
