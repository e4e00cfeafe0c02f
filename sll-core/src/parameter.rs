//! New values for parameters.

use burn::module::Param;
use burn::tensor::{Tensor, TensorData};

/// New values for a parameter, made of its old ones without their graph; it stays trainable where it was.
pub(crate) fn renew<const D: usize>(
    param: Param<Tensor<D>>,
    values: impl FnOnce(Tensor<D>) -> Tensor<D>,
) -> Param<Tensor<D>> {
    param.map(|old| match old.is_autodiff() {
        true if old.is_require_grad() => Tensor::from_inner(values(old.inner())).require_grad(),
        true => Tensor::from_inner(values(old.inner())),
        false => values(old),
    })
}

/// The same values in memory of their own.
pub(crate) fn owned<const D: usize>(value: Tensor<D>) -> Tensor<D> {
    let device = value.device();
    Tensor::from_data(apart(value.into_data()), &device)
}

/// The same values in memory of their own. Those of another type than f32 stay as they were loaded.
pub(crate) fn apart(data: TensorData) -> TensorData {
    match data.try_to_vec::<f32>() {
        Ok(values) => TensorData::new(values, data.shape().clone()),
        Err(_) => data,
    }
}
