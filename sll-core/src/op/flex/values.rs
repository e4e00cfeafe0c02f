//! Tensors as slices and back.

use super::lanes::rows_a_thread;
use burn::backend::flex::FlexTensor;
use burn::tensor::{Bytes, DType, Shape};
use rayon::prelude::*;
use std::mem::MaybeUninit;

/// Whether the kernels here serve `tensor`: they are of single precision.
pub(in super::super) fn is_single(tensor: &FlexTensor) -> bool {
    tensor.dtype() == DType::F32
}

/// The same values without gaps, in row-major order; a copy only of views that are not so already.
pub(in super::super) fn contiguous(tensor: FlexTensor) -> FlexTensor {
    if tensor.as_slice::<f32>().is_some() { tensor } else { tensor.to_contiguous() }
}

/// The values of a tensor that [`contiguous`] gave.
pub(in super::super) fn values(tensor: &FlexTensor) -> &[f32] {
    tensor.as_slice().expect("a contiguous tensor of single precision")
}

/// The same to be written to; a copy where somebody else holds them.
pub(in super::super) fn values_mut(tensor: &mut FlexTensor) -> &mut [f32] {
    let (start, end) = tensor.layout().contiguous_offsets().expect("a contiguous tensor");
    &mut tensor.storage_mut()[start..end]
}

/// `rows` times `row`, or as many rows of `values` with `row` added to each.
#[allow(unsafe_code, reason = "these matrices are large, and zeros would be written first")]
pub(in super::super) fn rows_of(row: &[f32], values: Option<&[f32]>, rows: usize) -> Vec<f32> {
    let columns = row.len();
    let part = rows_a_thread(rows, columns) * columns;
    assert!(values.is_none_or(|values| values.len() == rows * columns), "as many values as the rows have places");
    let fill = |out: &mut [MaybeUninit<f32>]| {
        out.par_chunks_mut(part).enumerate().for_each(|(index, out)| match values {
            None => {
                for out in out.chunks_exact_mut(columns) {
                    out.write_copy_of_slice(row);
                }
            }
            Some(values) => {
                let values = values[index * part..].chunks_exact(columns);
                for (out, values) in out.chunks_exact_mut(columns).zip(values) {
                    for ((out, a), b) in out.iter_mut().zip(values).zip(row) {
                        out.write(a + b);
                    }
                }
            }
        });
    };
    // SAFETY: parts are whole rows, and every place of every row is written: `values` has as many.
    unsafe { made(rows * columns, fill) }
}

/// A tensor of `values` in row-major order.
pub(in super::super) fn tensor<const D: usize>(values: Vec<f32>, shape: [usize; D]) -> FlexTensor {
    let shape = Shape::from(shape);
    assert_eq!(values.len(), shape.num_elements(), "as many values as the shape has places");
    FlexTensor::new(Bytes::from_elems(values), burn::backend::flex::Layout::contiguous(shape), DType::F32)
}

/// A vector of `len` values that `fill` writes, without zeros written first.
///
/// # Safety
/// `fill` initialises every element of the slice it is given.
#[allow(unsafe_code, reason = "writing zeros first would be a pass over memory of its own")]
pub(in super::super) unsafe fn made(len: usize, fill: impl FnOnce(&mut [MaybeUninit<f32>])) -> Vec<f32> {
    let mut values = Vec::with_capacity(len);
    fill(&mut values.spare_capacity_mut()[..len]);
    // SAFETY: the caller's promise.
    unsafe { values.set_len(len) };
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn views_become_row_major_values_and_whole_tensors_are_not_copied() {
        let whole = tensor(vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0], [2, 3]);
        let turned = contiguous(whole.transpose(0, 1));
        assert_eq!(values(&turned), [1.0, 4.0, 2.0, 5.0, 3.0, 6.0]);
        assert_eq!(values(&whole).as_ptr(), values(&contiguous(whole.clone())).as_ptr());
        assert_eq!(values(&contiguous(whole.narrow(0, 1, 1))), [4.0, 5.0, 6.0]);
    }
    #[test]
    fn writing_to_a_view_leaves_what_others_hold() {
        let whole = tensor(vec![1.0, 2.0, 3.0, 4.0], [2, 2]);
        let mut lower = whole.narrow(0, 1, 1);
        values_mut(&mut lower)[0] = 9.0;
        assert_eq!((values(&lower), values(&whole)), (&[9.0, 4.0][..], &[1.0, 2.0, 3.0, 4.0][..]));
    }

    #[test]
    fn rows_are_repeated_or_added() {
        assert_eq!(rows_of(&[1.0, 2.0], None, 3), [1.0, 2.0, 1.0, 2.0, 1.0, 2.0]);
        let long: Vec<f32> = (0..300 * 500).map(|index| index as f32).collect();
        let found = rows_of(&vec![0.5; 500], Some(&long), 300);
        assert!(found.iter().zip(&long).all(|(found, value)| *found == value + 0.5));
    }
}
