//! `h = max(z, 0) (.) M` with a dropout mask `M` of zeros and `1 / (1 - rate)`: the output alone says where the signal
//! passes, `dz = dh (.) [h > 0] / (1 - rate)`, so that neither `z` nor the mask is kept.

use burn::backend::autodiff::{checkpoint::base::Checkpointer, checkpoint::strategy::CheckpointStrategy};
use burn::backend::autodiff::{grads::Gradients as Grads, ops::Backward, ops::Ops, ops::OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, Flex, backend_extension};
use burn::tensor::Tensor;

/// Backend operations behind [`rectify`].
#[backend_extension(Flex, LibTorch: cfg(feature = "tch"), Autodiff)]
pub trait RectifyOps: Backend {
    /// `max(z, 0)`.
    fn rectify(z: FloatTensor<Self>) -> FloatTensor<Self> {
        Self::relu(z)
    }

    /// `max(z, 0) (.) mask`; `scale` is the mask's value where it is not 0.
    fn rectify_masked(z: FloatTensor<Self>, mask: FloatTensor<Self>, _scale: f64) -> FloatTensor<Self> {
        Self::float_mul(Self::relu(z), mask)
    }

    /// `dz` from the output `h` and the signal at it.
    fn rectify_backward(h: FloatTensor<Self>, dh: FloatTensor<Self>, scale: f64) -> FloatTensor<Self> {
        let dz = Self::relu_backward(h, dh);
        if scale == 1.0 { dz } else { Self::float_mul_scalar(dz, scale.into()) }
    }
}

impl RectifyOps for Flex {}

#[derive(Debug)]
struct Rectify;

impl<B: RectifyOps> Backward<B, 1> for Rectify {
    type State = (FloatTensor<B>, f64);

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Grads, _: &mut Checkpointer) {
        let dh = grads.consume::<B>(&ops.node);
        let ([z_node], (h, scale)) = (ops.parents, ops.state);
        if let Some(node) = z_node {
            grads.register::<B>(node.id, B::rectify_backward(h, dh, scale));
        }
    }
}

fn finish<B: RectifyOps, C: CheckpointStrategy>(
    z: FloatTensor<Autodiff<B, C>>,
    scale: f64,
    forward: impl FnOnce(FloatTensor<B>) -> FloatTensor<B>,
) -> FloatTensor<Autodiff<B, C>> {
    let prep = Rectify.prepare::<C>([z.node()]).compute_bound().stateful();
    let h = forward(z.into_primitive());
    match prep {
        OpsKind::Tracked(prep) => prep.finish((h.clone(), scale), h),
        OpsKind::UnTracked(prep) => prep.finish(h),
    }
}

impl<B: RectifyOps, C: CheckpointStrategy> RectifyOps for Autodiff<B, C> {
    fn rectify(z: FloatTensor<Self>) -> FloatTensor<Self> {
        finish::<B, C>(z, 1.0, B::relu)
    }

    fn rectify_masked(z: FloatTensor<Self>, mask: FloatTensor<Self>, scale: f64) -> FloatTensor<Self> {
        finish::<B, C>(z, scale, |z| B::float_mul(B::relu(z), mask.into_primitive()))
    }
}

/// `max(z, 0)`, times a dropout mask if there is one: the mask, and its value where it is not 0.
///
/// # Shapes
/// `z` and the mask: the same, any rank.
pub fn rectify<const D: usize>(z: Tensor<D>, mask: Option<(Tensor<D>, f64)>) -> Tensor<D> {
    Tensor::from_dispatch(match mask {
        Some((mask, scale)) => <Dispatch as RectifyOps>::rectify_masked(z.into_dispatch(), mask.into_dispatch(), scale),
        None => <Dispatch as RectifyOps>::rectify(z.into_dispatch()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::{Device, Distribution};

    #[test]
    fn is_the_composed_function_with_and_without_a_mask() {
        let device = Device::flex().autodiff();
        let random = || Tensor::<2>::random([6, 5], Distribution::Normal(0.0, 1.0), &device);
        let (z, dh) = (random().require_grad(), random());
        let mask = random().greater_elem(0.0).float() * 1.25;
        for mask in [None, Some(mask)] {
            let relu = burn::tensor::activation::relu(z.clone());
            let expected = mask.clone().map_or(relu.clone(), |mask| relu * mask);
            let found = rectify(z.clone(), mask.map(|mask| (mask, 1.25)));
            found.clone().into_data().assert_eq(&expected.clone().into_data(), true);
            let (found, expected) = ((found * dh.clone()).sum().backward(), (expected * dh.clone()).sum().backward());
            z.grad(&found).unwrap().into_data().assert_eq(&z.grad(&expected).unwrap().into_data(), true);
        }
    }
}
