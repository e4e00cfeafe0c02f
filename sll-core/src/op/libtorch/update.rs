//! Optimiser steps in place: Adam and gradient descent by LibTorch's fused kernels, one pass over all values and one
//! call for all parameters of a layer; Adamax, which it has no such kernel for, in six.

use super::super::update::{AdamStep, AdamaxStep, Decay, SgdStep, UpdateOps};
use super::{owned, shim, writable};
use burn::backend::LibTorch;
use burn::backend::libtorch::TchTensor;
use std::cell::RefCell;
use tch::Tensor;

/// Steps of Adam with the same coefficients, not taken yet.
type Waiting = Vec<(shim::Corrected, Vec<[Tensor; 4]>)>;

thread_local!(static WAITING: RefCell<Option<Waiting>> = const { RefCell::new(None) });

/// Takes all steps of Adam within `work` at its end, by one call: nobody looks at a parameter's values before. Within
/// another, it takes its own at its own end.
pub(in super::super) fn together<T>(work: impl FnOnce() -> T) -> T {
    /// Holds the steps of the work around this one.
    struct Ends(Option<Waiting>);
    impl Drop for Ends {
        fn drop(&mut self) {
            let waiting = WAITING.replace(self.0.take());
            // Where the work has panicked the steps are as good as untaken.
            if !std::thread::panicking() {
                waiting.into_iter().flatten().for_each(|(by, mut all)| shim::adam(&mut all, by));
            }
        }
    }
    let ends = Ends(WAITING.replace(Some(Waiting::new())));
    let done = work();
    drop(ends);
    done
}

/// Puts a step with those it can be taken with, or takes it.
fn later(parts: [Tensor; 4], by: shim::Corrected) {
    WAITING.with_borrow_mut(|waiting| match waiting {
        None => shim::adam(&mut [parts], by),
        Some(waiting) => match waiting.iter_mut().find(|(other, _)| *other == by) {
            Some((_, all)) => all.push(parts),
            None => waiting.push((by, vec![parts])),
        },
    });
}

/// Shrinks the parameter by a decoupled decay, where there is one.
fn shrink(theta: &mut Tensor, decay: Decay) {
    if decay.decoupled != 0.0 {
        let _ = theta.g_mul_scalar_(1.0 - f64::from(decay.decoupled));
    }
}

/// The kernels read parameter, gradient and moments in the order in which they lie.
fn in_order(gradient: TchTensor) -> TchTensor {
    if gradient.tensor.is_contiguous() { gradient } else { owned(gradient.tensor.contiguous()) }
}

impl UpdateOps for LibTorch {
    fn adam_step(
        theta: TchTensor,
        gradient: TchTensor,
        m: TchTensor,
        v: TchTensor,
        by: AdamStep,
    ) -> (TchTensor, TchTensor, TchTensor) {
        let Decay { coupled, decoupled } = by.decay;
        let gradient = in_order(gradient);
        let [mut theta, m, v] = [theta, m, v].map(|values| writable(in_order(values)));
        // lr / (1 - β₁ᵗ) · m / (√v / c + ε) = (lr c / (1 - β₁ᵗ)) · m / (√v + c ε).
        let correction = f64::from(by.correction);
        let rate = f64::from(by.rate) * correction;
        // Of both decays the kernel knows one: the other is put into the gradient, or done before.
        let (gradient, decay, decoupled) = match (f64::from(coupled), f64::from(decoupled)) {
            (coupled, 0.0) => (gradient.tensor, coupled, false),
            (0.0, by) if rate != 0.0 => (gradient.tensor, by / rate, true),
            (coupled, _) => {
                let gradient = &gradient.tensor + &theta * coupled;
                shrink(&mut theta, by.decay);
                (gradient, 0.0, false)
            }
        };
        let betas = [f64::from(by.beta_1), f64::from(by.beta_2)];
        let by = shim::Corrected { rate, betas, epsilon: f64::from(by.epsilon) * correction, decay, decoupled };
        let parts = [theta.shallow_clone(), gradient, m.shallow_clone(), v.shallow_clone()];
        later(parts, by);
        (owned(theta), owned(m), owned(v))
    }

    fn adamax_step(
        theta: TchTensor,
        gradient: TchTensor,
        m: TchTensor,
        u: TchTensor,
        by: AdamaxStep,
    ) -> (TchTensor, TchTensor, TchTensor) {
        let mut g = writable(gradient);
        let [mut theta, mut m, mut u] = [theta, m, u].map(writable);
        if by.decay.coupled != 0.0 {
            g += &theta * f64::from(by.decay.coupled);
        }
        shrink(&mut theta, by.decay);
        let _ = m.lerp_(&g, 1.0 - f64::from(by.beta_1));
        let _ = g.abs_().g_add_scalar_(f64::from(by.epsilon));
        let _ = u.g_mul_scalar_(f64::from(by.beta_2));
        shim::adamax(&mut theta, &m, &mut u, &g, f64::from(by.rate));
        (owned(theta), owned(m), owned(u))
    }

    fn sgd_step(theta: TchTensor, gradient: TchTensor, by: SgdStep) -> TchTensor {
        let (mut theta, gradient) = (writable(in_order(theta)), in_order(gradient));
        descend(&mut theta, gradient, None, by);
        owned(theta)
    }

    fn sgd_momentum_step(
        theta: TchTensor,
        gradient: TchTensor,
        velocity: TchTensor,
        by: SgdStep,
    ) -> (TchTensor, TchTensor) {
        let [mut theta, mut velocity] = [theta, velocity].map(|values| writable(in_order(values)));
        descend(&mut theta, in_order(gradient), Some(&mut velocity), by);
        (owned(theta), owned(velocity))
    }
}

/// Both decays are of the parameter before the step: the coupled one is put into the gradient first where both are
/// there.
fn descend(theta: &mut Tensor, gradient: TchTensor, velocity: Option<&mut Tensor>, by: SgdStep) {
    let coupled = f64::from(by.decay.coupled);
    let (gradient, coupled) = match by.decay.decoupled != 0.0 && coupled != 0.0 {
        true => (&gradient.tensor + &*theta * coupled, 0.0),
        false => (gradient.tensor, coupled),
    };
    shrink(theta, by.decay);
    shim::sgd(theta, &gradient, velocity, [f64::from(by.rate), f64::from(by.momentum), coupled]);
}
