//! The paper's vision transformers (Table A6), width 384.

use super::Network;
use crate::error::Result;
use crate::layer::{EncoderBlockConfig, Layer, PatchEmbeddingConfig, TokenHead};
use crate::rng::{Purpose, Stream};
use crate::shape::Shape;
use burn::tensor::Device;

/// Sizes of a vision transformer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// Side of a patch in pixels.
    pub patch: usize,
    /// Width of a token.
    pub width: usize,
    /// Encoder blocks.
    pub blocks: usize,
    /// Attention heads.
    pub heads: usize,
    /// Width of the MLP as a multiple of the token's.
    pub ratio: usize,
    /// Whether a class token summarises the image; else the mean of the tokens does.
    pub class_token: bool,
}

/// Patch embedding, `blocks` encoder blocks, head.
///
/// # Errors
/// Those of [`PatchEmbeddingConfig::init`] and [`EncoderBlockConfig::init`].
pub fn vit(image: [usize; 3], sizes: Sizes, classes: usize, seed: u64, device: &Device) -> Result<Network> {
    let Sizes { patch, width, blocks, heads, ratio, class_token } = sizes;
    let mut index = 0u64;
    let mut next = || {
        index += 1;
        Stream::new(seed, Purpose::Weights, &[index - 1])
    };
    let embedding = PatchEmbeddingConfig { input: image, patch, width, class_token }.init(&mut next(), device)?;
    let Shape::Tokens { t, d, class } = embedding.output() else { unreachable!("a patch embedding gives tokens") };
    let mut builder = Network::builder().layer(embedding);
    let block = EncoderBlockConfig { tokens: t, width: d, class_token: class, heads, ratio };
    for _ in 0..blocks {
        builder = builder.layer(block.init(&mut next(), device)?);
    }
    builder.layer(TokenHead::new((t, d, class), classes, &mut next(), device)).build(device)
}
