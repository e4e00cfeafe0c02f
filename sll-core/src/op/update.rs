//! Optimiser steps in one pass over parameter, gradient and moments, each in place where nobody else holds it.
//!
//! On flex one loop reads and writes every value once; on LibTorch its fused optimisers do.

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, backend_extension};
use burn::tensor::Tensor;

/// What a step of any law does to a parameter before its own formula, and how far it goes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Decay {
    /// `λ` added to the gradient: `g + λ θ`.
    pub coupled: f32,
    /// Decoupled: `θ (1 - lr λ)` before the step, given as `lr λ`.
    pub decoupled: f32,
}

/// Coefficients of an Adam step at one time `t`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamStep {
    /// `β₁`.
    pub beta_1: f32,
    /// `β₂`.
    pub beta_2: f32,
    /// `ε`.
    pub epsilon: f32,
    /// `lr / (1 - β₁ᵗ)`.
    pub rate: f32,
    /// `√(1 - β₂ᵗ)`.
    pub correction: f32,
    /// Weight decay.
    pub decay: Decay,
}

/// Coefficients of an Adamax step at one time `t`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamaxStep {
    /// `β₁`.
    pub beta_1: f32,
    /// `β₂`.
    pub beta_2: f32,
    /// `ε`.
    pub epsilon: f32,
    /// `lr / (1 - β₁ᵗ)`.
    pub rate: f32,
    /// Weight decay.
    pub decay: Decay,
}

/// Coefficients of a step of stochastic gradient descent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SgdStep {
    /// `lr`.
    pub rate: f32,
    /// What the velocity is multiplied by before the gradient is added.
    pub momentum: f32,
    /// Weight decay.
    pub decay: Decay,
}

/// Backend operations behind [`adam`], [`adamax`], [`sgd`] and [`sgd_momentum`].
#[backend_extension(Flex, LibTorch: cfg(feature = "tch"))]
pub trait UpdateOps: Backend {
    /// `θ`, `m`, `v` after a step.
    fn adam_step(
        theta: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        m: FloatTensor<Self>,
        v: FloatTensor<Self>,
        by: AdamStep,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        let (theta, g) = decayed::<Self>(theta, gradient, by.decay);
        let m = mixed::<Self>(m, by.beta_1, Self::float_mul_scalar(g.clone(), (1.0 - by.beta_1).into()));
        let square = Self::float_mul_scalar(Self::float_mul(g.clone(), g), (1.0 - by.beta_2).into());
        let v = mixed::<Self>(v, by.beta_2, square);
        let root = Self::float_div_scalar(Self::float_sqrt(v.clone()), by.correction.into());
        let ratio = Self::float_div(m.clone(), Self::float_add_scalar(root, by.epsilon.into()));
        (Self::float_sub(theta, Self::float_mul_scalar(ratio, by.rate.into())), m, v)
    }

    /// `θ`, `m`, `u` after a step.
    fn adamax_step(
        theta: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        m: FloatTensor<Self>,
        u: FloatTensor<Self>,
        by: AdamaxStep,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        let (theta, g) = decayed::<Self>(theta, gradient, by.decay);
        let fresh = Self::float_add_scalar(Self::float_abs(g.clone()), by.epsilon.into());
        let m = mixed::<Self>(m, by.beta_1, Self::float_mul_scalar(g, (1.0 - by.beta_1).into()));
        // `max(a, b)` as `a + max(b - a, 0)`: burn has no maximum of two tensors that is one operation.
        let u = Self::float_mul_scalar(u, by.beta_2.into());
        let more = Self::relu(Self::float_sub(fresh, u.clone()));
        let u = Self::float_add(u, more);
        let ratio = Self::float_div(m.clone(), u.clone());
        (Self::float_sub(theta, Self::float_mul_scalar(ratio, by.rate.into())), m, u)
    }

    /// `θ` after a step without momentum.
    fn sgd_step(theta: FloatTensor<Self>, gradient: FloatTensor<Self>, by: SgdStep) -> FloatTensor<Self> {
        let (theta, g) = decayed::<Self>(theta, gradient, by.decay);
        Self::float_sub(theta, Self::float_mul_scalar(g, by.rate.into()))
    }

    /// `θ` and the velocity after a step with momentum.
    fn sgd_momentum_step(
        theta: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        velocity: FloatTensor<Self>,
        by: SgdStep,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        let (theta, g) = decayed::<Self>(theta, gradient, by.decay);
        let velocity = mixed::<Self>(velocity, by.momentum, g);
        (Self::float_sub(theta, Self::float_mul_scalar(velocity.clone(), by.rate.into())), velocity)
    }
}

/// `a old + fresh`.
fn mixed<B: Backend>(old: FloatTensor<B>, a: f32, fresh: FloatTensor<B>) -> FloatTensor<B> {
    B::float_add(B::float_mul_scalar(old, a.into()), fresh)
}

fn decayed<B: Backend>(theta: FloatTensor<B>, g: FloatTensor<B>, decay: Decay) -> (FloatTensor<B>, FloatTensor<B>) {
    let g = match decay.coupled {
        0.0 => g,
        by => B::float_add(g, B::float_mul_scalar(theta.clone(), by.into())),
    };
    let theta = match decay.decoupled {
        0.0 => theta,
        by => B::float_mul_scalar(theta, (1.0 - by).into()),
    };
    (theta, g)
}

/// One step of Adam (Kingma & Ba 2015), the moments begun at 0:
/// `m <- β₁ m + (1 - β₁) g`, `v <- β₂ v + (1 - β₂) g²`, `θ <- θ - lr / (1 - β₁ᵗ) · m / (√v / √(1 - β₂ᵗ) + ε)`.
///
/// # Shapes
/// `θ`, gradient and moments: the same, any rank, on a device without autodiff.
pub fn adam<const D: usize>(
    theta: Tensor<D>,
    gradient: Tensor<D>,
    [m, v]: [Tensor<D>; 2],
    by: AdamStep,
) -> (Tensor<D>, [Tensor<D>; 2]) {
    let (gradient, m, v) = (gradient.into_dispatch(), m.into_dispatch(), v.into_dispatch());
    let (theta, m, v) = <Dispatch as UpdateOps>::adam_step(theta.into_dispatch(), gradient, m, v, by);
    (Tensor::from_dispatch(theta), [Tensor::from_dispatch(m), Tensor::from_dispatch(v)])
}

/// One step of Adamax (Kingma & Ba 2015, section 7.1), the moments begun at 0:
/// `m <- β₁ m + (1 - β₁) g`, `u <- max(β₂ u, |g| + ε)`, `θ <- θ - lr / (1 - β₁ᵗ) · m / u`.
///
/// # Shapes
/// As of [`adam`].
pub fn adamax<const D: usize>(
    theta: Tensor<D>,
    gradient: Tensor<D>,
    [m, u]: [Tensor<D>; 2],
    by: AdamaxStep,
) -> (Tensor<D>, [Tensor<D>; 2]) {
    let (gradient, m, u) = (gradient.into_dispatch(), m.into_dispatch(), u.into_dispatch());
    let (theta, m, u) = <Dispatch as UpdateOps>::adamax_step(theta.into_dispatch(), gradient, m, u, by);
    (Tensor::from_dispatch(theta), [Tensor::from_dispatch(m), Tensor::from_dispatch(u)])
}

/// One step of gradient descent, `θ <- θ - lr g`; with a velocity `b`, `b <- μ b + g`, `θ <- θ - lr b`.
///
/// # Shapes
/// As of [`adam`].
pub fn sgd<const D: usize>(
    theta: Tensor<D>,
    gradient: Tensor<D>,
    velocity: Option<Tensor<D>>,
    by: SgdStep,
) -> (Tensor<D>, Option<Tensor<D>>) {
    let (theta, gradient) = (theta.into_dispatch(), gradient.into_dispatch());
    match velocity {
        None => (Tensor::from_dispatch(<Dispatch as UpdateOps>::sgd_step(theta, gradient, by)), None),
        Some(velocity) => {
            let velocity = velocity.into_dispatch();
            let (theta, velocity) = <Dispatch as UpdateOps>::sgd_momentum_step(theta, gradient, velocity, by);
            (Tensor::from_dispatch(theta), Some(Tensor::from_dispatch(velocity)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, Stream, upload};
    use burn::tensor::{Device, Tolerance};

    const DECAY: Decay = Decay { coupled: 0.1, decoupled: 0.02 };
    const ADAM: AdamStep =
        AdamStep { beta_1: 0.9, beta_2: 0.99, epsilon: 1e-8, rate: 0.05, correction: 0.3, decay: DECAY };
    const ADAMAX: AdamaxStep = AdamaxStep { beta_1: 0.9, beta_2: 0.99, epsilon: 1e-8, rate: 0.05, decay: DECAY };
    const SGD: SgdStep = SgdStep { rate: 0.05, momentum: 0.9, decay: DECAY };

    /// A parameter, its gradient and two moments, long enough for several blocks and a part of one.
    fn four() -> [Vec<f32>; 4] {
        let mut stream = Stream::new(9, Purpose::Weights, &[]);
        let mut draw = || stream.normal(251 * 173, 1.0);
        let [theta, g, m, v] = [draw(), draw(), draw(), draw()];
        [theta, g, m, v.into_iter().map(f32::abs).collect()]
    }

    fn close(found: Tensor<2>, expected: impl Iterator<Item = f64>) {
        let expected: Vec<f32> = expected.map(|value| value as f32).collect();
        let expected = upload(expected, [251, 173], &Device::flex());
        found.into_data().assert_approx_eq::<f32>(&expected.into_data(), Tolerance::rel_abs(1e-5, 1e-5));
    }

    /// The formulas in f64, value by value.
    #[test]
    fn steps_are_those_of_plain_loops_and_leave_what_others_hold() {
        let plain = four();
        let at = |which: usize, i: usize| f64::from(plain[which][i]);
        let tensors = || plain.clone().map(|values| upload(values, [251, 173], &Device::flex()));
        let indices = || 0..251 * 173;
        let g = |i: usize| at(1, i) + 0.1 * at(0, i);

        let [theta, gradient, m, v] = tensors();
        let held = theta.clone();
        let (theta, [m, v]) = adam(theta, gradient, [m, v], ADAM);
        let (first, second) = (|i| 0.9 * at(2, i) + 0.1 * g(i), |i| 0.99 * at(3, i) + 0.01 * g(i) * g(i));
        close(m, indices().map(first));
        close(v, indices().map(second));
        close(theta, indices().map(|i| at(0, i) * 0.98 - 0.05 * first(i) / (second(i).sqrt() / 0.3 + 1e-8)));
        close(held, indices().map(|i| at(0, i)));

        let [theta, gradient, m, u] = tensors();
        let (theta, [_, u]) = adamax(theta, gradient, [m, u], ADAMAX);
        let largest = |i: usize| (0.99 * at(3, i)).max(g(i).abs() + 1e-8);
        close(u, indices().map(largest));
        close(theta, indices().map(|i| at(0, i) * 0.98 - 0.05 * first(i) / largest(i)));

        let [theta, gradient, velocity, _] = tensors();
        let (moved, none) = sgd(theta.clone(), gradient.clone(), None, SGD);
        assert!(none.is_none());
        close(moved, indices().map(|i| at(0, i) * 0.98 - 0.05 * g(i)));
        let (theta, velocity) = sgd(theta, gradient, Some(velocity), SGD);
        let faster = |i: usize| 0.9 * at(2, i) + g(i);
        close(velocity.expect("it was given"), indices().map(faster));
        close(theta, indices().map(|i| at(0, i) * 0.98 - 0.05 * faster(i)));
    }

    #[cfg(feature = "tch")]
    #[test]
    #[allow(deprecated, reason = "burn-tch goes away in burn 0.23")]
    fn libtorch_takes_the_same_steps() {
        let on = |device: &Device| four().map(|values| upload(values, [251, 173], device));
        let same = |a: Tensor<2>, b: Tensor<2>| {
            b.into_data().assert_approx_eq::<f32>(&a.into_data(), Tolerance::rel_abs(1e-5, 1e-5));
        };
        let ([a, b, c, d], [e, f, g, h]) = (on(&Device::flex()), on(&Device::libtorch()));
        same(adam(a, b, [c, d], ADAM).0, adam(e, f, [g, h], ADAM).0);
        let ([a, b, c, d], [e, f, g, h]) = (on(&Device::flex()), on(&Device::libtorch()));
        same(adamax(a, b, [c, d], ADAMAX).0, adamax(e, f, [g, h], ADAMAX).0);
        let ([a, b, c, _], [e, f, g, _]) = (on(&Device::flex()), on(&Device::libtorch()));
        same(sgd(a, b, Some(c), SGD).0, sgd(e, f, Some(g), SGD).0);
        // With each decay alone, as optimisers have them.
        for decay in [Decay { coupled: 0.0, ..DECAY }, Decay { decoupled: 0.0, ..DECAY }] {
            let ([a, b, c, d], [e, f, g, h]) = (on(&Device::flex()), on(&Device::libtorch()));
            let held = e.clone();
            let step = AdamStep { decay, ..ADAM };
            let ((a, [c, d]), (e, [g, h])) = (adam(a, b, [c, d], step), adam(e, f, [g, h], step));
            same(a, e);
            same(c, g);
            same(d, h);
            let [unmoved, b, _, _] = on(&Device::flex());
            same(unmoved.clone(), held.clone());
            same(sgd(unmoved, b.clone(), None, SgdStep { decay, ..SGD }).0, {
                let [_, f, _, _] = on(&Device::libtorch());
                sgd(held, f, None, SgdStep { decay, ..SGD }).0
            });
        }
    }
}
