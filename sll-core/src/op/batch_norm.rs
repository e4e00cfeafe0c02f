//! Batch norm (Ioffe & Szegedy 2015) with what follows it in a convolutional layer: `h = max(y, 0)`,
//! `y = (z - mean) / √(var + ε) (.) γ + β` channel by channel, and of each 2x2 square the largest where maps are
//! pooled. Of the maps only `z` is kept; `y` is made again on the way back, in the place of `z`.

use super::affine::register_parameter;
use super::flex::batch_norm::{Channel, Maps};
use super::flex::{contiguous, is_single, tensor, values};
use super::{pool, rectify::RectifyOps};
use burn::backend::autodiff::{checkpoint::base::Checkpointer, checkpoint::strategy::CheckpointStrategy};
use burn::backend::autodiff::{grads::Gradients as Grads, ops::Backward, ops::Ops, ops::OpsKind};
use burn::backend::{Autodiff, Backend, Dispatch, Flex, backend_extension, ops::ModuleOps};
use burn::backend::{TensorMetadata, flex::FlexTensor, tensor::FloatTensor, tensor::IntTensor};
use burn::tensor::Tensor;

/// What a training pass gives.
pub struct Trained<B: Backend> {
    /// The output.
    pub h: FloatTensor<B>,
    /// The mean of each channel.
    pub mean: FloatTensor<B>,
    /// The biased variance of each channel.
    pub variance: FloatTensor<B>,
    /// What the way back needs.
    pub kept: SavedNorm<B>,
}

/// What the way back needs.
#[derive(Clone, Debug)]
pub struct SavedNorm<B: Backend> {
    pub(super) z: FloatTensor<B>,
    pub(super) gamma: FloatTensor<B>,
    pub(super) beta: FloatTensor<B>,
    pub(super) mean: FloatTensor<B>,
    /// The variance, or what a backend has instead.
    pub(super) spread: FloatTensor<B>,
    pub(super) epsilon: f64,
    pub(super) pool: bool,
    /// Output and places of the largest, where a backend does not make them again.
    #[cfg_attr(not(feature = "tch"), expect(dead_code, reason = "LibTorch alone keeps it"))]
    pub(super) output: Option<(FloatTensor<B>, Option<IntTensor<B>>)>,
}

/// `γ`, `β`, mean and variance of each channel, and `ε`.
#[derive(Clone, Debug)]
pub struct Given<T> {
    gamma: T,
    beta: T,
    mean: T,
    variance: T,
    epsilon: f64,
}

/// What is special about a backend without a graph: whether it does it all at once, and how.
pub trait BatchNormKernels: RectifyOps {
    /// Whether the kernels serve `z`.
    fn norms(_z: &FloatTensor<Self>) -> bool {
        false
    }

    /// `h` by the statistics of `z`.
    fn norm_forward(
        _z: FloatTensor<Self>,
        _gamma: FloatTensor<Self>,
        _beta: FloatTensor<Self>,
        _epsilon: f64,
        _pool: bool,
    ) -> Trained<Self> {
        unreachable!("a backend that serves no map has none to norm")
    }

    /// The gradients to `z`, `γ` and `β`.
    fn norm_backward(_kept: SavedNorm<Self>, _dh: FloatTensor<Self>) -> [FloatTensor<Self>; 3] {
        unreachable!("a backend that serves no map has none to norm")
    }
}

fn maps(z: &FlexTensor, pool: bool) -> Maps {
    let [images, c, h, w] = z.shape().dims();
    Maps { images, c, h, w, pool }
}

fn channels(given: &Given<FlexTensor>) -> Vec<Channel> {
    let Given { gamma, beta, mean, variance, epsilon } = given;
    let parts = [mean, variance, gamma, beta].map(|values| contiguous(values.clone()));
    Channel::all(parts.each_ref().map(values), *epsilon)
}

/// `h` by given statistics.
fn normed(z: FlexTensor, given: &Given<FlexTensor>, pool: bool) -> FlexTensor {
    let maps = maps(&z, pool);
    let h = maps.forward(values(&contiguous(z)), &channels(given));
    match pool {
        true => tensor(h, [maps.images, maps.c, maps.h / 2, maps.w / 2]),
        false => tensor(h, [maps.images, maps.c, maps.h, maps.w]),
    }
}

impl BatchNormKernels for Flex {
    fn norms(z: &FlexTensor) -> bool {
        is_single(z)
    }

    fn norm_forward(z: FlexTensor, gamma: FlexTensor, beta: FlexTensor, epsilon: f64, pool: bool) -> Trained<Self> {
        let maps = maps(&z, false);
        let [mean, variance] = maps.moments(values(&contiguous(z.clone()))).map(|moment| tensor(moment, [maps.c]));
        let given = Given { gamma, beta, mean, variance, epsilon };
        let h = normed(z.clone(), &given, pool);
        let Given { gamma, beta, mean, variance, .. } = given;
        let (at, spread) = (mean.clone(), variance.clone());
        Trained { h, mean, variance, kept: SavedNorm { z, gamma, beta, mean: at, spread, epsilon, pool, output: None } }
    }

    fn norm_backward(kept: SavedNorm<Self>, dh: FlexTensor) -> [FlexTensor; 3] {
        let SavedNorm { z, gamma, beta, mean, spread: variance, epsilon, pool, .. } = kept;
        let (maps, given) = (maps(&z, pool), Given { gamma, beta, mean, variance, epsilon });
        let [mut z, dh] = [z, dh].map(contiguous);
        // In place where nobody else holds it.
        let [gamma, beta] = maps.backward(z.storage_mut(), &channels(&given), values(&dh));
        [z, tensor(gamma, [maps.c]), tensor(beta, [maps.c])]
    }
}

/// Backend operations behind [`batch_norm_rectify`] and [`batch_norm_rectify_with`].
#[backend_extension(Flex, LibTorch: cfg(feature = "tch"), Autodiff)]
pub trait BatchNormOps: Backend {
    /// By the batch's own statistics: `h`, mean and variance.
    fn norm_rectify(
        z: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        epsilon: f64,
        pool: bool,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>);

    /// By statistics from elsewhere. An extension takes tensors one by one, and so more than six arguments.
    fn norm_rectify_with(
        z: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        mean: FloatTensor<Self>,
        variance: FloatTensor<Self>,
        epsilon: f64,
        pool: bool,
    ) -> FloatTensor<Self>;
}

fn rectified<B: RectifyOps>(y: FloatTensor<B>, pool: bool) -> FloatTensor<B> {
    if pool { pool::composed::<B>(y) } else { B::rectify(y) }
}

/// One operation after the other.
fn composed<B: RectifyOps>(
    z: FloatTensor<B>,
    gamma: FloatTensor<B>,
    beta: FloatTensor<B>,
    epsilon: f64,
    pool: bool,
) -> (FloatTensor<B>, FloatTensor<B>, FloatTensor<B>) {
    let result = B::batch_norm_train(z, gamma, beta, epsilon);
    (rectified::<B>(result.output, pool), result.mean, result.variance)
}

impl BatchNormOps for Flex {
    fn norm_rectify(
        z: FlexTensor,
        gamma: FlexTensor,
        beta: FlexTensor,
        epsilon: f64,
        pool: bool,
    ) -> (FlexTensor, FlexTensor, FlexTensor) {
        if !Self::norms(&z) {
            return composed::<Self>(z, gamma, beta, epsilon, pool);
        }
        let trained = Self::norm_forward(z, gamma, beta, epsilon, pool);
        (trained.h, trained.mean, trained.variance)
    }

    fn norm_rectify_with(
        z: FlexTensor,
        gamma: FlexTensor,
        beta: FlexTensor,
        mean: FlexTensor,
        variance: FlexTensor,
        epsilon: f64,
        pool: bool,
    ) -> FlexTensor {
        if !Self::norms(&z) {
            return rectified::<Self>(Self::batch_norm(z, gamma, beta, mean, variance, epsilon), pool);
        }
        normed(z, &Given { gamma, beta, mean, variance, epsilon }, pool)
    }
}

#[cfg(feature = "tch")]
impl BatchNormOps for burn::backend::LibTorch {
    fn norm_rectify(
        z: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        epsilon: f64,
        pool: bool,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        if !Self::norms(&z) {
            return composed::<Self>(z, gamma, beta, epsilon, pool);
        }
        let trained = Self::norm_forward(z, gamma, beta, epsilon, pool);
        (trained.h, trained.mean, trained.variance)
    }

    fn norm_rectify_with(
        z: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        mean: FloatTensor<Self>,
        variance: FloatTensor<Self>,
        epsilon: f64,
        pool: bool,
    ) -> FloatTensor<Self> {
        rectified::<Self>(Self::batch_norm(z, gamma, beta, mean, variance, epsilon), pool)
    }
}

#[derive(Debug)]
struct NormRectify;

impl<B: BatchNormKernels> Backward<B, 3> for NormRectify {
    type State = SavedNorm<B>;

    fn backward(self, ops: Ops<Self::State, 3>, grads: &mut Grads, _: &mut Checkpointer) {
        let dh = grads.consume::<B>(&ops.node);
        let ([z_node, gamma_node, beta_node], kept) = (ops.parents.map(|p| p.map(|p| p.id)), ops.state);
        let [dz, gamma, beta] = B::norm_backward(kept, dh);
        register_parameter::<B>(grads, gamma_node, gamma);
        register_parameter::<B>(grads, beta_node, beta);
        if let Some(node) = z_node {
            grads.register::<B>(node, dz);
        }
    }
}

impl<B: BatchNormKernels, C: CheckpointStrategy> BatchNormOps for Autodiff<B, C> {
    fn norm_rectify(
        z: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        epsilon: f64,
        pool: bool,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        if !B::norms(z.primitive()) {
            return composed::<Self>(z, gamma, beta, epsilon, pool);
        }
        let prep = NormRectify.prepare::<C>([z.node(), gamma.node(), beta.node()]).compute_bound().stateful();
        let (z, gamma, beta) = (z.into_primitive(), gamma.into_primitive(), beta.into_primitive());
        let Trained { h, mean, variance, kept } = B::norm_forward(z, gamma, beta, epsilon, pool);
        let h = match prep {
            OpsKind::Tracked(prep) => prep.finish(kept, h),
            OpsKind::UnTracked(prep) => prep.finish(h),
        };
        (h, FloatTensor::<Self>::new(mean), FloatTensor::<Self>::new(variance))
    }

    fn norm_rectify_with(
        z: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        mean: FloatTensor<Self>,
        variance: FloatTensor<Self>,
        epsilon: f64,
        pool: bool,
    ) -> FloatTensor<Self> {
        rectified::<Self>(Self::batch_norm(z, gamma, beta, mean, variance, epsilon), pool)
    }
}

/// What batch norm gives: its output, and the statistics it used.
pub struct Normed {
    /// The output after rectification and pooling.
    pub h: Tensor<4>,
    /// The mean of each channel, without a graph.
    pub mean: Tensor<1>,
    /// The biased variance of each channel, without a graph.
    pub variance: Tensor<1>,
}

/// Batch norm by the batch's own statistics, rectified, and the largest of each 2x2 square if it is to `pool`.
///
/// # Shapes
/// `z [b, c, h, w]`, `gamma` and `beta [c]`: `h` as `z`, or `[b, c, h / 2, w / 2]` if pooled; mean and variance `[c]`.
pub fn batch_norm_rectify(z: Tensor<4>, gamma: Tensor<1>, beta: Tensor<1>, epsilon: f64, pool: bool) -> Normed {
    let (h, mean, variance) = <Dispatch as BatchNormOps>::norm_rectify(
        z.into_dispatch(),
        gamma.into_dispatch(),
        beta.into_dispatch(),
        epsilon,
        pool,
    );
    Normed { h: Tensor::from_dispatch(h), mean: Tensor::from_dispatch(mean), variance: Tensor::from_dispatch(variance) }
}

/// The same by statistics from elsewhere, `[mean, variance]`.
pub fn batch_norm_rectify_with(
    z: Tensor<4>,
    [gamma, beta]: [Tensor<1>; 2],
    [mean, variance]: [Tensor<1>; 2],
    epsilon: f64,
    pool: bool,
) -> Tensor<4> {
    Tensor::from_dispatch(<Dispatch as BatchNormOps>::norm_rectify_with(
        z.into_dispatch(),
        gamma.into_dispatch(),
        beta.into_dispatch(),
        mean.into_dispatch(),
        variance.into_dispatch(),
        epsilon,
        pool,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::module::{batch_norm, batch_norm_train, max_pool2d};
    use burn::tensor::{Device, Distribution, Tolerance, activation::relu, ops::MaxPoolOptions};

    const EPSILON: f64 = 1e-5;

    fn random<const D: usize>(shape: [usize; D]) -> Tensor<D> {
        Tensor::random(shape, Distribution::Normal(0.5, 1.0), &Device::flex().autodiff())
    }

    fn close<const D: usize>(found: Tensor<D>, expected: Tensor<D>) {
        found.into_data().assert_approx_eq::<f32>(&expected.into_data(), Tolerance::absolute(1e-4));
    }

    fn after(y: Tensor<4>, pool: bool) -> Tensor<4> {
        if pool { max_pool2d(relu(y), MaxPoolOptions::new([2, 2])) } else { relu(y) }
    }

    #[test]
    fn is_the_composed_function_and_has_its_gradients() {
        for pool in [false, true] {
            let z = random([4, 3, 5, 6]).require_grad();
            let (gamma, beta) = (random([3]).require_grad(), random([3]).require_grad());
            let dh = if pool { random([4, 3, 2, 3]) } else { random([4, 3, 5, 6]) };
            let ordinary = batch_norm_train(z.clone(), gamma.clone(), beta.clone(), EPSILON);
            let expected = after(ordinary.output, pool);
            let own = batch_norm_rectify(z.clone(), gamma.clone(), beta.clone(), EPSILON, pool);
            close(own.h.clone(), expected.clone());
            close(own.mean, ordinary.mean);
            close(own.variance, ordinary.variance);
            let (found, expected) = ((own.h * dh.clone()).sum().backward(), (expected * dh).sum().backward());
            close(z.grad(&found).unwrap(), z.grad(&expected).unwrap());
            close(gamma.grad(&found).unwrap(), gamma.grad(&expected).unwrap());
            close(beta.grad(&found).unwrap(), beta.grad(&expected).unwrap());
        }
    }

    #[test]
    fn statistics_from_elsewhere_are_used_with_and_without_a_graph() {
        let (z, [gamma, beta, mean]) = (random([2, 3, 4, 4]), [random([3]), random([3]), random([3])]);
        let variance = random([3]).abs() + 0.5;
        for pool in [false, true] {
            let y = batch_norm(z.clone(), gamma.clone(), beta.clone(), mean.clone(), variance.clone(), EPSILON);
            let expected = after(y, pool);
            let (scale, given) = ([gamma.clone(), beta.clone()], [mean.clone(), variance.clone()]);
            close(batch_norm_rectify_with(z.clone(), scale.clone(), given.clone(), EPSILON, pool), expected.clone());
            let plain = |parts: [Tensor<1>; 2]| parts.map(Tensor::inner);
            close(
                batch_norm_rectify_with(z.clone().inner(), plain(scale), plain(given), EPSILON, pool),
                expected.inner(),
            );
        }
    }
}
