//! `h = max(z, 0)` of the largest `z` of each 2x2 square. Of the map only the places of the largest are kept, and the
//! output.

use super::flex::{contiguous, is_single, pool as kernels, tensor, values};
use super::rectify::RectifyOps;
use burn::backend::autodiff::{checkpoint::base::Checkpointer, checkpoint::strategy::CheckpointStrategy};
use burn::backend::autodiff::{grads::Gradients as Grads, ops::Backward, ops::Ops, ops::OpsKind};
use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Autodiff, Backend, Dispatch, Flex, TensorMetadata, backend_extension};
use burn::backend::{flex::FlexTensor, flex::Layout};
use burn::tensor::{Bytes, DType, Shape, Tensor};

/// What is special about a backend without a graph: whether one pass pools and rectifies, and that pass.
pub trait PoolKernels: RectifyOps {
    /// Whether the two kernels serve `z`.
    fn pools(_z: &FloatTensor<Self>) -> bool {
        false
    }

    /// The output, and the places of the largest in their squares.
    fn pool_forward(_z: FloatTensor<Self>) -> (FloatTensor<Self>, IntTensor<Self>) {
        unreachable!("a backend that serves no map has none to pool")
    }

    /// The signal to a map of the given shape.
    fn pool_backward(
        _h: FloatTensor<Self>,
        _places: IntTensor<Self>,
        _dh: FloatTensor<Self>,
        _shape: [usize; 4],
    ) -> FloatTensor<Self> {
        unreachable!("a backend that serves no map has none to pool")
    }
}

impl PoolKernels for Flex {
    fn pools(z: &FlexTensor) -> bool {
        is_single(z)
    }

    fn pool_forward(z: FlexTensor) -> (FlexTensor, FlexTensor) {
        let [images, c, h, w] = z.shape().dims();
        let (largest, places) = kernels::forward(values(&contiguous(z)), [images, c, h, w]);
        let shape = [images, c, h / 2, w / 2];
        let layout = Layout::contiguous(Shape::from(shape));
        (tensor(largest, shape), FlexTensor::new(Bytes::from_elems(places), layout, DType::U8))
    }

    fn pool_backward(h: FlexTensor, places: FlexTensor, dh: FlexTensor, shape: [usize; 4]) -> FlexTensor {
        let [h, dh] = [h, dh].map(contiguous);
        tensor(kernels::backward((values(&h), places.storage::<u8>()), values(&dh), shape), shape)
    }
}

/// Backend operation behind [`rectify_pool`].
#[backend_extension(Flex, LibTorch: cfg(feature = "tch"), Autodiff)]
pub trait PoolOps: Backend {
    /// The largest of each square, rectified.
    fn rectify_pool(z: FloatTensor<Self>) -> FloatTensor<Self>;
}

/// One operation after the other.
pub(super) fn composed<B: RectifyOps>(z: FloatTensor<B>) -> FloatTensor<B> {
    B::max_pool2d(B::rectify(z), [2, 2], [2, 2], [0, 0], [1, 1], false)
}

impl PoolOps for Flex {
    fn rectify_pool(z: FlexTensor) -> FlexTensor {
        if Self::pools(&z) { Self::pool_forward(z).0 } else { composed::<Self>(z) }
    }
}

#[cfg(feature = "tch")]
impl PoolOps for burn::backend::LibTorch {
    fn rectify_pool(z: FloatTensor<Self>) -> FloatTensor<Self> {
        Self::pool_forward(z).0
    }
}

#[derive(Debug)]
struct RectifyPool;

impl<B: PoolKernels> Backward<B, 1> for RectifyPool {
    type State = (FloatTensor<B>, IntTensor<B>, [usize; 4]);

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Grads, _: &mut Checkpointer) {
        let dh = grads.consume::<B>(&ops.node);
        let ([z_node], (h, places, shape)) = (ops.parents, ops.state);
        if let Some(node) = z_node {
            grads.register::<B>(node.id, B::pool_backward(h, places, dh, shape));
        }
    }
}

impl<B: PoolKernels, C: CheckpointStrategy> PoolOps for Autodiff<B, C> {
    fn rectify_pool(z: FloatTensor<Self>) -> FloatTensor<Self> {
        if !B::pools(z.primitive()) {
            return composed::<Self>(z);
        }
        let prep = RectifyPool.prepare::<C>([z.node()]).compute_bound().stateful();
        let shape = z.shape().dims();
        let (h, places) = B::pool_forward(z.into_primitive());
        match prep {
            OpsKind::Tracked(prep) => prep.finish((h.clone(), places, shape), h),
            OpsKind::UnTracked(prep) => prep.finish(h),
        }
    }
}

/// The largest `max(z, 0)` of each 2x2 square; an odd last row or column is left out.
///
/// # Shapes
/// `z [b, c, h, w]`: `[b, c, h / 2, w / 2]`.
pub fn rectify_pool(z: Tensor<4>) -> Tensor<4> {
    Tensor::from_dispatch(<Dispatch as PoolOps>::rectify_pool(z.into_dispatch()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::{Device, Distribution, module::max_pool2d, ops::MaxPoolOptions};

    #[test]
    fn is_the_composed_function_and_has_its_gradient() {
        let device = Device::flex().autodiff();
        for size in [[3, 2, 6, 4], [2, 3, 5, 7]] {
            let random = |shape: [usize; 4]| Tensor::<4>::random(shape, Distribution::Normal(0.0, 1.0), &device);
            let z = random(size).require_grad();
            let dh = random([size[0], size[1], size[2] / 2, size[3] / 2]);
            let expected = max_pool2d(burn::tensor::activation::relu(z.clone()), MaxPoolOptions::new([2, 2]));
            let found = rectify_pool(z.clone());
            found.clone().into_data().assert_eq(&expected.clone().into_data(), true);
            rectify_pool(z.clone().inner()).into_data().assert_eq(&found.clone().into_data(), true);
            let (found, expected) = ((found * dh.clone()).sum().backward(), (expected * dh).sum().backward());
            z.grad(&found).unwrap().into_data().assert_eq(&z.grad(&expected).unwrap().into_data(), true);
        }
    }
}
