//! `ln Σ exp` of rows, without overflow.

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, Flex, backend_extension};
use burn::tensor::Tensor;

/// Backend operation behind [`log_sum_exp`].
#[backend_extension(Flex, LibTorch: cfg(feature = "tch"))]
pub trait LogSumExpOps: Backend {
    /// `ln Σ exp x`, the largest taken out of the sum.
    fn log_sum_exp(x: FloatTensor<Self>) -> FloatTensor<Self> {
        let max = Self::float_max_dim(x.clone(), 1);
        let sum = Self::float_sum_dim(Self::float_exp(Self::float_sub(x, max.clone())), 1);
        Self::float_add(Self::float_log(sum), max)
    }
}

impl LogSumExpOps for Flex {}

#[cfg(feature = "tch")]
impl LogSumExpOps for burn::backend::LibTorch {
    fn log_sum_exp(x: FloatTensor<Self>) -> FloatTensor<Self> {
        burn::backend::libtorch::TchTensor::new(x.tensor.logsumexp([1], true))
    }
}

/// `ln Σ exp` of each row.
///
/// # Shapes
/// `x [n, m]`, without a graph: `[n, 1]`.
pub fn log_sum_exp(x: Tensor<2>) -> Tensor<2> {
    Tensor::from_dispatch(<Dispatch as LogSumExpOps>::log_sum_exp(x.into_dispatch()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::{Device, Tolerance};

    fn of_rows(device: &Device) {
        let x = Tensor::<2>::from_floats([[0.0, 1.0, 2.0], [1000.0, 999.0, -1000.0], [-90.0, -91.0, -92.0]], device);
        let expected = Tensor::<2>::from_floats([[2.407_606], [1_000.313_3], [-89.592_39]], &Device::flex());
        log_sum_exp(x).into_data().assert_approx_eq::<f32>(&expected.into_data(), Tolerance::relative(1e-6));
    }

    #[test]
    fn large_and_small_values_neither_overflow_nor_vanish() {
        of_rows(&Device::flex());
    }

    #[cfg(feature = "tch")]
    #[test]
    #[allow(deprecated, reason = "burn-tch goes away in burn 0.23")]
    fn libtorch_gives_the_same() {
        of_rows(&Device::libtorch());
    }
}
