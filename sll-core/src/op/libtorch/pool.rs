//! The largest of each 2x2 square, rectified: pooled first, so that a quarter of the values is rectified and nothing of the
//! full map is kept.

use super::super::pool::PoolKernels;
use super::super::rectify::RectifyOps;
use super::owned;
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

/// The signal to the map; of `z` only shape and type are read.
pub(super) fn backward(h: &Tensor, places: &Tensor, dh: &Tensor, z: &Tensor) -> Tensor {
    let signal = dh.threshold_backward(h, 0.0);
    z.max_pool2d_with_indices_backward(&signal, SIDE, SIDE, NONE, STEP, false, places)
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
        let z = Tensor::empty([1], (h.tensor.kind(), h.tensor.device()));
        let z = z.expand(shape.map(|side| side as i64), false);
        owned(backward(&h.tensor, &places.tensor, &dh.tensor, &z))
    }
}

impl RectifyOps for LibTorch {
    fn rectify_backward(h: TchTensor, dh: TchTensor, scale: f64) -> TchTensor {
        let mut dz = dh.tensor.threshold_backward(&h.tensor, 0.0);
        if scale != 1.0 {
            let _ = dz.g_mul_scalar_(scale);
        }
        owned(dz)
    }
}
