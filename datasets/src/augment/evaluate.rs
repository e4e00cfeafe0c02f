//! Encoded images at one shape, as for evaluation.

use super::centre;
use crate::format::picture::Picture;
use crate::manifest::Manifest;

/// An encoded image at the manifest's shape, as for evaluation: the shorter side resized, the centre cut out.
///
/// The problem is a verb phrase.
pub(crate) fn evaluation(manifest: &Shape, encoded: &[u8], into: &mut [u8]) -> Result<(), String> {
    let picture = Picture::decode(encoded, manifest.shape[0])?;
    centre(&picture, manifest.resize, manifest.shape[1], manifest.shape[2]).planes(into);
    Ok(())
}

/// What an image is made to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    /// Channels, height, width.
    pub(crate) shape: [usize; 3],
    /// The shorter side before the centre is cut out.
    pub(crate) resize: usize,
}

impl Shape {
    /// The shape that a manifest asks for.
    pub(crate) fn of(manifest: &Manifest) -> Self {
        let images = manifest.images.as_ref().expect("a layout of image files has `images`");
        Self { shape: manifest.shape, resize: images.resize }
    }
}
