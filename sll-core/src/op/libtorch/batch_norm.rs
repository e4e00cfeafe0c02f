//! Batch norm by LibTorch's own kernels, then pooled and rectified. Kept are the maps before the norm, what was pooled
//! and where it was; the normed maps are not.

use super::super::batch_norm::{BatchNormKernels, SavedNorm, Trained};
use super::{is_single, owned, pool, shim};
use burn::backend::LibTorch;
use burn::backend::libtorch::TchTensor;
use tch::Tensor;

impl BatchNormKernels for LibTorch {
    fn norms(z: &TchTensor) -> bool {
        is_single(z)
    }

    fn norm_forward(z: TchTensor, gamma: TchTensor, beta: TchTensor, epsilon: f64, pool: bool) -> Trained<Self> {
        let none = None::<&Tensor>;
        let (gamma_values, beta_values) = (Some(&gamma.tensor), Some(&beta.tensor));
        let (mut y, mean, inverse) =
            z.tensor.native_batch_norm(gamma_values, beta_values, none, none, true, 0.0, epsilon);
        // 1 / √(var + ε) is what the kernels hand on.
        let variance = inverse.pow_tensor_scalar(-2) - epsilon;
        let (h, places) = match pool {
            true => {
                let (h, places) = pool::forward(&y);
                (owned(h), Some(owned(places)))
            }
            false => {
                let _ = y.relu_();
                (owned(y), None)
            }
        };
        let (mean, spread) = (owned(mean), owned(inverse));
        let output = Some((h.clone(), places));
        let kept = SavedNorm { z, gamma, beta, mean: mean.clone(), spread, epsilon, pool, output };
        Trained { h, mean, variance: owned(variance), kept }
    }

    fn norm_backward(kept: SavedNorm<Self>, dh: TchTensor) -> [TchTensor; 3] {
        let SavedNorm { z, gamma, mean, spread, epsilon, output, .. } = kept;
        let (h, places) = output.expect("the forward pass keeps its output");
        let dy = match places {
            Some(places) => {
                let size = z.tensor.size();
                pool::backward(&h.tensor, &places.tensor, &dh.tensor, [size[2], size[3]])
            }
            None => h.tensor.threshold_backward(&shim::laid_as(&dh.tensor, &h.tensor), 0.0),
        };
        drop((h, dh));
        shim::batch_norm_backward(&dy, &z.tensor, &gamma.tensor, [&mean.tensor, &spread.tensor], epsilon).map(owned)
    }
}
