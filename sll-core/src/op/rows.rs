//! Long matrices in chunks of rows: what an operation needs for a moment then exists for a few rows at a time.

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, Flex, TensorMetadata, backend_extension};
use burn::tensor::{DType, FloatDType, Shape, Slice, Tensor};
use std::any::TypeId;
use std::ops::Range;

/// Rows that are worth a chunk of their own: enough for a matrix product to run at full speed.
const ROWS: usize = 1024;
/// Chunks at the most, so that a GPU is not fed crumbs.
const CHUNKS: usize = 16;

/// Ranges of whole groups of `group` rows each (the tokens of an image) that make up `rows`.
pub(super) fn chunks(rows: usize, group: usize) -> impl Iterator<Item = Range<usize>> {
    let step = chunk_rows(rows, group);
    (0..rows).step_by(step).map(move |start| start..(start + step).min(rows))
}

/// Rows of the largest chunk that `chunks` gives. Chunks are alike: a short last one would cost a pass over the
/// gradients of its own.
pub fn chunk_rows(rows: usize, group: usize) -> usize {
    let wanted = ROWS.max(rows.div_ceil(CHUNKS));
    let (groups, most) = (rows.div_ceil(group).max(1), (wanted / group).max(1));
    groups.div_ceil(groups.div_ceil(most)) * group
}

/// Rows `range` of a matrix, without a copy where the backend has views.
pub(super) fn take<B: Backend>(matrix: &FloatTensor<B>, range: &Range<usize>) -> FloatTensor<B> {
    let shape = matrix.shape();
    if range.len() == shape[0] {
        return matrix.clone();
    }
    B::float_slice(matrix.clone(), &slices(range, shape.num_dims()))
}

/// Writes rows `range` of a matrix in its own type, in place where nobody else holds it.
pub(super) fn put<B: Backend>(matrix: FloatTensor<B>, range: &Range<usize>, rows: FloatTensor<B>) -> FloatTensor<B> {
    let (rank, rows) = (matrix.rank(), typed::<B>(rows, &matrix));
    B::float_slice_assign(matrix, &slices(range, rank), rows)
}

fn slices(range: &Range<usize>, rank: usize) -> Vec<Slice> {
    let rows = Slice::new(range.start as isize, Some(range.end as isize), 1);
    std::iter::once(rows).chain(std::iter::repeat_n(Slice::full(), rank - 1)).collect()
}

/// A matrix to be filled, of the type and on the device of `like`. (flex makes zeros by way of a second copy, which for
/// a moment doubles them; a constant it writes at once; other backends send constants from the host.)
pub(super) fn blank<B: Backend>(rows: usize, columns: usize, like: &FloatTensor<B>) -> FloatTensor<B> {
    zeros::<B>(Shape::from([rows, columns]), &like.device(), like.dtype().into())
}

fn zeros<B: Backend>(shape: Shape, device: &B::Device, dtype: FloatDType) -> FloatTensor<B> {
    match TypeId::of::<B>() == TypeId::of::<Flex>() {
        true => B::float_full(shape, 0.0.into(), device, dtype),
        false => B::float_zeros(shape, device, dtype),
    }
}

/// Backend operation behind [`zero_rows`].
#[backend_extension(Flex, LibTorch: cfg(feature = "tch"))]
pub trait ZeroOps: Backend {
    /// Zeros of the shape of `like` but with `columns` columns.
    fn zero_rows(like: FloatTensor<Self>, columns: usize) -> FloatTensor<Self> {
        blank::<Self>(like.shape()[0], columns, &like)
    }
}

impl ZeroOps for Flex {}
#[cfg(feature = "tch")]
impl ZeroOps for burn::backend::LibTorch {}

/// Zeros, as many rows as `like` has, on its device, which has no autodiff.
pub fn zero_rows(like: &Tensor<2>, columns: usize) -> Tensor<2> {
    Tensor::from_dispatch(<Dispatch as ZeroOps>::zero_rows(like.clone().into_dispatch(), columns))
}

/// In the type of `like`: parameters beside values of lower precision.
pub(super) fn typed<B: Backend>(values: FloatTensor<B>, like: &FloatTensor<B>) -> FloatTensor<B> {
    match values.dtype() == like.dtype() {
        true => values,
        false => B::float_cast(values, like.dtype().into()),
    }
}

/// In single precision: what is summed up, and every parameter's gradient.
pub(super) fn single<B: Backend>(values: FloatTensor<B>) -> FloatTensor<B> {
    match values.dtype() {
        DType::BF16 => B::float_cast(values, DType::F32.into()),
        _ => values,
    }
}

/// Adds to a running sum.
pub(super) fn accumulate<B: Backend>(sum: &mut Option<FloatTensor<B>>, term: FloatTensor<B>) {
    let term = single::<B>(term);
    *sum = Some(match sum.take() {
        Some(sum) => B::float_add(sum, term),
        None => term,
    });
}

/// Sums over the rows: `[n, m]` to `[m]`.
pub(super) fn sum_rows<B: Backend>(matrix: FloatTensor<B>) -> FloatTensor<B> {
    let columns = matrix.shape()[1];
    B::float_reshape(B::float_sum_dim(matrix, 0), Shape::from([columns]))
}

/// A vector `[m]` as a row `[1, m]`.
pub(super) fn as_row<B: Backend>(vector: FloatTensor<B>) -> FloatTensor<B> {
    let columns = vector.shape()[0];
    B::float_reshape(vector, Shape::from([1, columns]))
}

/// `a + b` in the type of `b`.
pub(super) fn add<B: Backend>(a: FloatTensor<B>, b: FloatTensor<B>) -> FloatTensor<B> {
    B::float_add(typed::<B>(a, &b), b)
}

/// Adds a vector `[m]` to each row.
pub(super) fn add_row<B: Backend>(matrix: FloatTensor<B>, vector: FloatTensor<B>) -> FloatTensor<B> {
    let row = as_row::<B>(typed::<B>(vector, &matrix));
    B::float_add(matrix, row)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_cover_every_row_once_in_whole_groups() {
        for (rows, group) in [(10, 1), (1024, 1), (65 * 128, 65), (197 * 256, 197), (5000, 5000), (3 * 4000, 4000)] {
            let parts: Vec<_> = chunks(rows, group).collect();
            assert_eq!(parts.first().unwrap().start, 0);
            assert_eq!(parts.last().unwrap().end, rows);
            assert!(parts.windows(2).all(|pair| pair[0].end == pair[1].start));
            assert!(parts.iter().all(|part| part.len() % group == 0 && part.len() <= chunk_rows(rows, group)));
        }
        assert_eq!(chunks(65 * 128, 65).count(), 9);
    }
}
