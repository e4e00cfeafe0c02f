//! Tensors as slices and back.

use burn::backend::flex::FlexTensor;
use burn::tensor::{Bytes, DType, Shape};
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
#[allow(unsafe_code)] // writing zeros first would be a pass over memory of its own
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
}
