//! Images as rows of patches.

use super::rows::chunk_rows;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, TensorMetadata};
use burn::tensor::Shape;
use std::ops::Range;

/// How an image is cut into patches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patches {
    /// Channels.
    pub channels: usize,
    /// Patches from top to bottom.
    pub rows: usize,
    /// Patches from left to right.
    pub columns: usize,
    /// Side of a patch in pixels.
    pub side: usize,
}

impl Patches {
    pub(super) fn count(&self) -> usize {
        self.rows * self.columns
    }

    /// Ranges of images that are cut at once.
    pub(super) fn images(&self, batch: usize) -> impl Iterator<Item = Range<usize>> + use<> {
        let step = chunk_rows(batch * self.count(), self.count()) / self.count();
        (0..batch).step_by(step).map(move |start| start..(start + step).min(batch))
    }

    pub(super) fn of_rows(&self, images: &Range<usize>) -> Range<usize> {
        images.start * self.count()..images.end * self.count()
    }

    /// `[b, c h w]` to one row a patch, `[b rows columns, c p p]`.
    pub(super) fn unfold<B: Backend>(&self, x: FloatTensor<B>) -> FloatTensor<B> {
        let Patches { channels, rows, columns, side } = *self;
        let batch = x.shape()[0];
        let x = B::float_reshape(x, Shape::from([batch, channels, rows, side, columns, side]));
        let x = B::float_permute(x, &[0, 2, 4, 1, 3, 5]);
        B::float_reshape(x, Shape::from([batch * rows * columns, channels * side * side]))
    }

    /// The way back.
    pub(super) fn fold<B: Backend>(&self, x: FloatTensor<B>) -> FloatTensor<B> {
        let Patches { channels, rows, columns, side } = *self;
        let batch = x.shape()[0] / self.count();
        let x = B::float_reshape(x, Shape::from([batch, rows, columns, channels, side, side]));
        let x = B::float_permute(x, &[0, 3, 1, 4, 2, 5]);
        B::float_reshape(x, Shape::from([batch, channels * rows * side * columns * side]))
    }
}
