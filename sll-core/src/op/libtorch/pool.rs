//! The largest of each 2x2 square, rectified: pooled first, so that a quarter of the values is rectified and nothing of
//! the full map is kept.

use super::super::pool::PoolKernels;
use super::super::rectify::RectifyOps;
use super::{owned, shim};
use burn::backend::LibTorch;
use burn::backend::libtorch::TchTensor;
use tch::Tensor;

const SIDE: [i64; 2] = [2, 2];
const NONE: [i64; 2] = [0, 0];
const STEP: [i64; 2] = [1, 1];

/// The largest of each square, rectified, and where they are.
pub(super) fn forward(z: &Tensor) -> (Tensor, Tensor) {
    let (mut largest, places) = z.max_pool2d_with_indices(SIDE, SIDE, NONE, STEP, false);
    let _ = largest.relu_();
    (largest, places)
}

/// The signal to the map of `height` by `width` places a channel.
pub(super) fn backward(h: &Tensor, places: &Tensor, dh: &Tensor, [height, width]: [i64; 2]) -> Tensor {
    // No two squares share a place.
    h.threshold_backward(&shim::laid_as(dh, h), 0.0).max_unpool2d(places, [height, width])
}

impl PoolKernels for LibTorch {
    fn pools(_z: &TchTensor) -> bool {
        true
    }

    fn pool_forward(z: TchTensor) -> (TchTensor, TchTensor) {
        let (largest, places) = forward(&z.tensor);
        (owned(largest), owned(places))
    }

    fn pool_backward(h: TchTensor, places: TchTensor, dh: TchTensor, shape: [usize; 4]) -> TchTensor {
        owned(backward(&h.tensor, &places.tensor, &dh.tensor, [shape[2] as i64, shape[3] as i64]))
    }
}

impl RectifyOps for LibTorch {
    fn rectify_backward(h: TchTensor, dh: TchTensor, scale: f64) -> TchTensor {
        let mut dz = h.tensor.threshold_backward(&shim::laid_as(&dh.tensor, &h.tensor), 0.0);
        if scale != 1.0 {
            let _ = dz.g_mul_scalar_(scale);
        }
        owned(dz)
    }
}
