//! The trainable affine maps inside layers, each with a place for a fixed feedback weight.

use super::{Bias, Fans, Start};
use crate::op::{Patches, affine, conv2d, patch_affine};
use crate::rng::{Stream, upload};
use burn::module::{Module, Param};
use burn::tensor::{Device, Gradients, Tensor};

/// `y = x W + b`, with `W [n, m]` and `b [m]` drawn from `U(±1/√n)` (PyTorch's default) where nothing else is said.
#[derive(Module, Debug)]
pub struct Affine {
    /// `[n, m]`.
    pub weight: Param<Tensor<2>>,
    /// `[m]`.
    pub bias: Param<Tensor<1>>,
    /// `[n, m]`: what carries the signal back in place of `weight`, if set.
    feedback: Option<Tensor<2>>,
    #[module(skip)]
    start: Start,
}

/// A `k x k` convolution of stride 1 that keeps the size, `W [o, c, k, k]` and `b [o]` from `U(±1/√(c k²))` where
/// nothing else is said.
#[derive(Module, Debug)]
pub struct Kernel {
    /// `[o, c, k, k]`.
    pub weight: Param<Tensor<4>>,
    /// `[o]`.
    pub bias: Param<Tensor<1>>,
    /// `[o, c, k, k]`: what carries the signal back in place of `weight`, if set.
    feedback: Option<Tensor<4>>,
    #[module(skip)]
    start: Start,
}

/// A bias of `m` units with `n` inputs each.
fn bias(start: Bias, n: usize, m: usize, stream: &mut Stream, device: &Device) -> Param<Tensor<1>> {
    let values = match start {
        Bias::Drawn => stream.uniform(m, 1.0 / (n as f64).sqrt()),
        Bias::Zero | Bias::None => vec![0.0; m],
    };
    let param = Param::from_tensor(upload(values, [m], device));
    if start == Bias::None { param.set_require_grad(false) } else { param }
}

impl Affine {
    /// A map from `n` to `m` features.
    pub fn new(n: usize, m: usize, stream: &mut Stream, device: &Device) -> Self {
        Self::started(n, m, Start::default(), stream, device)
    }

    /// A map from `n` to `m` features that starts as `start` says.
    pub fn started(n: usize, m: usize, start: Start, stream: &mut Stream, device: &Device) -> Self {
        let weight = Self::draw([n, m], start, 1.0, stream, device);
        let bias = bias(start.bias, n, m, stream, device);
        Self { weight: Param::from_tensor(weight), bias, feedback: None, start }
    }

    fn draw([n, m]: [usize; 2], start: Start, gain: f64, stream: &mut Stream, device: &Device) -> Tensor<2> {
        upload(start.weights.draw([n, m], Fans { inputs: n, outputs: m }, gain, stream), [n, m], device)
    }

    /// `[b, n]` to `[b, m]`.
    pub fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let (weight, bias, feedback) = self.beside(&x);
        affine(x, weight, bias, feedback)
    }

    /// Every patch of images `[b, c h w]` to `m` features: `[b patches, m]`.
    pub fn forward_patches(&self, x: Tensor<2>, patches: Patches) -> Tensor<2> {
        let (weight, bias, feedback) = self.beside(&x);
        patch_affine(x, weight, bias, feedback, patches)
    }

    /// Weight, bias and what carries the signal back, as they can be combined with `x`.
    pub(super) fn beside(&self, x: &Tensor<2>) -> (Tensor<2>, Tensor<1>, Tensor<2>) {
        let weight = beside(&self.weight, x);
        let feedback = carrier(&self.feedback, &weight);
        (weight, beside(&self.bias, x), feedback)
    }

    /// MACs of one row.
    pub fn macs(&self) -> u64 {
        self.weight.shape().num_elements() as u64
    }
}

impl Kernel {
    /// A `k x k` convolution from `c` to `o` channels that starts as `start` says.
    pub fn new(c: usize, o: usize, k: usize, start: Start, stream: &mut Stream, device: &Device) -> Self {
        let weight = Self::draw([o, c, k, k], start, 1.0, stream, device);
        let bias = bias(start.bias, c * k * k, o, stream, device);
        Self { weight: Param::from_tensor(weight), bias, feedback: None, start }
    }

    fn draw([o, c, h, w]: [usize; 4], start: Start, gain: f64, stream: &mut Stream, device: &Device) -> Tensor<4> {
        let fans = Fans { inputs: c * h * w, outputs: o * h * w };
        upload(start.weights.draw([o, fans.inputs], fans, gain, stream), [o, c, h, w], device)
    }

    /// `[b, c, h, w]` to `[b, o, h, w]`.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let padding = self.weight.dims()[2] / 2;
        let weight = beside(&self.weight, &x);
        let feedback = carrier(&self.feedback, &weight);
        conv2d(x.clone(), weight, beside(&self.bias, &x), feedback, padding)
    }

    /// MACs of one output position.
    pub fn macs_per_position(&self) -> u64 {
        self.weight.shape().num_elements() as u64
    }
}

/// The weights of one affine map: feedback rules replace their transpose, Hebbian rules change them.
pub enum WeightSlot<'a> {
    /// A matrix.
    Matrix(&'a mut Affine),
    /// A convolution kernel.
    Kernel(&'a mut Kernel),
}

impl WeightSlot<'_> {
    /// Sends the signal through fixed random weights drawn from the forward weights' own law, times `gain`; from
    /// PyTorch's where the forward weights start at 0.
    pub fn randomise(self, gain: f64, stream: &mut Stream, device: &Device) {
        match self {
            WeightSlot::Matrix(a) => {
                a.feedback = Some(Affine::draw(a.weight.dims(), a.start.random(), gain, stream, device));
            }
            WeightSlot::Kernel(k) => {
                k.feedback = Some(Kernel::draw(k.weight.dims(), k.start.random(), gain, stream, device));
            }
        }
    }

    /// Sends the signal through weights that are all `gain √(2 / (fan-in + fan-out))`.
    pub fn level(self, gain: f64, device: &Device) {
        let size = |inputs: usize, outputs: usize| gain * (2.0 / (inputs + outputs) as f64).sqrt();
        match self {
            WeightSlot::Matrix(a) => {
                let [n, m] = a.weight.dims();
                a.feedback = Some(Tensor::full([n, m], size(n, m), device));
            }
            WeightSlot::Kernel(k) => {
                let [o, c, h, w] = k.weight.dims();
                k.feedback = Some(Tensor::full([o, c, h, w], size(c * h * w, o * h * w), device));
            }
        }
    }

    /// Gives the feedback weights, where there are any, the present signs of the forward weights; 0 counts as positive.
    pub fn concord(self) {
        fn signed<const D: usize>(feedback: &mut Option<Tensor<D>>, weight: &Param<Tensor<D>>) {
            let down = weight.val().detach().lower_elem(0.0);
            *feedback = feedback.take().map(|sizes| {
                let sizes = sizes.abs();
                sizes.clone().mask_where(down, -sizes)
            });
        }
        match self {
            WeightSlot::Matrix(a) => signed(&mut a.feedback, &a.weight),
            WeightSlot::Kernel(k) => signed(&mut k.feedback, &k.weight),
        }
    }

    /// The feedback weights, if there are any, as [`WeightSlot::rows`] gives the weights.
    pub fn feedback_rows(&self) -> Option<Tensor<2>> {
        match self {
            WeightSlot::Matrix(a) => a.feedback.clone().map(|feedback| feedback.inner().transpose()),
            WeightSlot::Kernel(k) => k.feedback.clone().map(|feedback| feedback.inner().flatten(1, 3)),
        }
    }

    /// The weights as they lie in memory: `[n, m]`, or `[o, c k²]`.
    pub fn matrix(&self) -> Tensor<2> {
        match self {
            WeightSlot::Matrix(a) => a.weight.val().inner(),
            WeightSlot::Kernel(k) => k.weight.val().inner().flatten(1, 3),
        }
    }

    /// Replaces the weights by what lies as [`WeightSlot::matrix`] gives them.
    pub fn set_matrix(&mut self, matrix: Tensor<2>) {
        match self {
            WeightSlot::Matrix(a) => set(&mut a.weight, matrix),
            WeightSlot::Kernel(k) => {
                let shape = k.weight.dims();
                set(&mut k.weight, matrix.reshape(shape));
            }
        }
    }

    /// Sends the signal through these weights, which lie as [`WeightSlot::matrix`] gives them.
    pub fn set_feedback(&mut self, matrix: Tensor<2>) {
        match self {
            WeightSlot::Matrix(a) => a.feedback = Some(Tensor::from_inner(matrix)),
            WeightSlot::Kernel(k) => k.feedback = Some(Tensor::from_inner(matrix.reshape(k.weight.dims()))),
        }
    }

    /// The feedback weights, if there are any, as [`WeightSlot::matrix`] gives the weights.
    pub fn feedback(&self) -> Option<Tensor<2>> {
        match self {
            WeightSlot::Matrix(a) => a.feedback.clone().map(Tensor::inner),
            WeightSlot::Kernel(k) => k.feedback.clone().map(|feedback| feedback.inner().flatten(1, 3)),
        }
    }

    /// The same weights for a moment.
    pub fn by_ref(&mut self) -> WeightSlot<'_> {
        match self {
            WeightSlot::Matrix(a) => WeightSlot::Matrix(a),
            WeightSlot::Kernel(k) => WeightSlot::Kernel(k),
        }
    }

    /// Number of weights, and so of feedback weights.
    pub fn values(&self) -> usize {
        match self {
            WeightSlot::Matrix(a) => a.weight.shape().num_elements(),
            WeightSlot::Kernel(k) => k.weight.shape().num_elements(),
        }
    }

    /// The weights, one row a unit or output channel: `[m, n]`, or `[o, c k²]`.
    pub fn rows(&self) -> Tensor<2> {
        match self {
            WeightSlot::Matrix(a) => a.weight.val().inner().transpose(),
            WeightSlot::Kernel(k) => k.weight.val().inner().flatten(1, 3),
        }
    }

    /// Replaces the weights by rows as [`WeightSlot::rows`] gives them. They lie in memory as a loaded matrix does, not
    /// as a view of the rows: products round by how their factors lie, and a resumed run would have other
    /// numbers.
    pub fn set_rows(self, rows: Tensor<2>) {
        match self {
            WeightSlot::Matrix(a) => {
                let [n, m] = a.weight.dims();
                set(&mut a.weight, rows.transpose().reshape([n * m]).reshape([n, m]));
            }
            WeightSlot::Kernel(k) => {
                let shape = k.weight.dims();
                set(&mut k.weight, rows.reshape(shape));
            }
        }
    }

    /// Sets the bias to 0, for rules that have none.
    pub fn clear_bias(&mut self) {
        let bias = match self {
            WeightSlot::Matrix(a) => &mut a.bias,
            WeightSlot::Kernel(k) => &mut k.bias,
        };
        let zeros = bias.val().inner().zeros_like();
        set(bias, zeros);
    }

    /// The weights' gradient in `grads`, as rows.
    pub fn gradient(&self, grads: &Gradients) -> Option<Tensor<2>> {
        match self {
            WeightSlot::Matrix(a) => a.weight.val().grad(grads).map(Tensor::transpose),
            WeightSlot::Kernel(k) => k.weight.val().grad(grads).map(|g| g.flatten(1, 3)),
        }
    }

    /// Sends the signal through a copy of the present forward weights: the feedback that makes FA be BP.
    pub fn tie(self) {
        match self {
            WeightSlot::Matrix(a) => a.feedback = Some(a.weight.val().detach()),
            WeightSlot::Kernel(k) => k.feedback = Some(k.weight.val().detach()),
        }
    }
}

/// The parameter as it can be combined with `x`: without a graph where `x` has none.
pub(super) fn beside<const D: usize, const E: usize>(param: &Param<Tensor<D>>, x: &Tensor<E>) -> Tensor<D> {
    let value = param.val();
    if value.is_autodiff() && !x.is_autodiff() { value.inner() } else { value }
}

/// What carries the signal back: fixed feedback weights where they are set and a graph is there, else the weight
/// itself.
fn carrier<const D: usize>(feedback: &Option<Tensor<D>>, weight: &Tensor<D>) -> Tensor<D> {
    match feedback {
        Some(feedback) if weight.is_autodiff() => feedback.clone(),
        _ => weight.clone(),
    }
}

/// New values for a parameter, which keeps its identity, and so its optimiser state.
fn set<const D: usize>(param: &mut Param<Tensor<D>>, values: Tensor<D>) {
    *param = param.clone().map(|old| match old.is_autodiff() {
        true if old.is_require_grad() => Tensor::from_inner(values).require_grad(),
        true => Tensor::from_inner(values),
        false => values,
    });
}
