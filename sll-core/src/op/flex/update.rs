//! Optimiser steps: one loop over parameter, gradient and moments, in place and in parallel. (Upstream: burn's
//! optimisers are written in tensor operations, ten passes over the parameter for Adam.)

use super::super::update::{AdamStep, AdamaxStep, Decay, SgdStep, UpdateOps};
use super::lanes::vectorised;
use super::{contiguous, is_single, values};
use burn::backend::Flex;
use burn::backend::flex::FlexTensor;
use rayon::prelude::*;

/// Values that one thread takes at a time: small enough for its cache, large enough to be worth handing out.
const BLOCK: usize = 1 << 14;

impl UpdateOps for Flex {
    fn adam_step(
        theta: FlexTensor,
        gradient: FlexTensor,
        m: FlexTensor,
        v: FlexTensor,
        by: AdamStep,
    ) -> (FlexTensor, FlexTensor, FlexTensor) {
        let (kept_1, kept_2) = (1.0 - by.beta_1, 1.0 - by.beta_2);
        let inverse = 1.0 / by.correction;
        let [theta, m, v] = stepped(
            gradient,
            [theta, m, v],
            #[inline(always)]
            |g, [theta, m, v]| {
                for (((theta, m), v), g) in theta.iter_mut().zip(m).zip(v).zip(g) {
                    let g = by.decay.gradient(*theta, *g);
                    *m = by.beta_1 * *m + kept_1 * g;
                    *v = by.beta_2 * *v + kept_2 * g * g;
                    *theta = by.decay.shrunk(*theta) - by.rate * *m / (v.sqrt() * inverse + by.epsilon);
                }
            },
        );
        (theta, m, v)
    }

    fn adamax_step(
        theta: FlexTensor,
        gradient: FlexTensor,
        m: FlexTensor,
        u: FlexTensor,
        by: AdamaxStep,
    ) -> (FlexTensor, FlexTensor, FlexTensor) {
        let kept = 1.0 - by.beta_1;
        let [theta, m, u] = stepped(
            gradient,
            [theta, m, u],
            #[inline(always)]
            |g, [theta, m, u]| {
                for (((theta, m), u), g) in theta.iter_mut().zip(m).zip(u).zip(g) {
                    let g = by.decay.gradient(*theta, *g);
                    let (old, fresh) = (by.beta_2 * *u, g.abs() + by.epsilon);
                    *m = by.beta_1 * *m + kept * g;
                    // As a comparison and not `f32::max`, which drops what is not a number.
                    *u = if old > fresh { old } else { fresh };
                    *theta = by.decay.shrunk(*theta) - by.rate * *m / *u;
                }
            },
        );
        (theta, m, u)
    }

    fn sgd_step(theta: FlexTensor, gradient: FlexTensor, by: SgdStep) -> FlexTensor {
        let [theta] = stepped(
            gradient,
            [theta],
            #[inline(always)]
            |g, [theta]| {
                for (theta, g) in theta.iter_mut().zip(g) {
                    let g = by.decay.gradient(*theta, *g);
                    *theta = by.decay.shrunk(*theta) - by.rate * g;
                }
            },
        );
        theta
    }

    fn sgd_momentum_step(
        theta: FlexTensor,
        gradient: FlexTensor,
        velocity: FlexTensor,
        by: SgdStep,
    ) -> (FlexTensor, FlexTensor) {
        let [theta, velocity] = stepped(
            gradient,
            [theta, velocity],
            #[inline(always)]
            |g, [theta, velocity]| {
                for ((theta, velocity), g) in theta.iter_mut().zip(velocity).zip(g) {
                    *velocity = by.momentum * *velocity + by.decay.gradient(*theta, *g);
                    *theta = by.decay.shrunk(*theta) - by.rate * *velocity;
                }
            },
        );
        (theta, velocity)
    }
}

impl Decay {
    #[inline]
    fn gradient(self, theta: f32, g: f32) -> f32 {
        g + self.coupled * theta
    }

    #[inline]
    fn shrunk(self, theta: f32) -> f32 {
        theta * (1.0 - self.decoupled)
    }
}

/// Runs `step` on blocks of a gradient and of the tensors it changes, all of one size.
///
/// # Panics
/// If a tensor is not of single precision: flex trains no other.
fn stepped<const N: usize>(
    gradient: FlexTensor,
    tensors: [FlexTensor; N],
    step: impl Fn(&[f32], [&mut [f32]; N]) + Sync,
) -> [FlexTensor; N] {
    assert!(is_single(&gradient) && tensors.iter().all(is_single), "flex trains in single precision");
    let gradient = contiguous(gradient);
    let mut tensors = tensors.map(|tensor| {
        let tensor = contiguous(tensor);
        // A view of a larger tensor would be changed beyond its own values.
        if tensor.layout().start_offset() == 0 && tensor.storage::<f32>().len() == values(&gradient).len() {
            tensor
        } else {
            tensor.to_contiguous()
        }
    });
    let mut blocks: Vec<(&[f32], [&mut [f32]; N])> = Vec::new();
    let mut rest = tensors.each_mut().map(|tensor| tensor.storage_mut::<f32>());
    for g in values(&gradient).chunks(BLOCK) {
        let parts = rest.each_mut().map(|values| values.split_off_mut(..g.len()).expect("as long as the gradient"));
        blocks.push((g, parts));
    }
    let run = |(g, parts): (&[f32], [&mut [f32]; N])| {
        vectorised(
            #[inline(always)]
            || step(g, parts),
        );
    };
    match blocks.len() {
        1 => blocks.into_iter().for_each(run),
        _ => blocks.into_par_iter().for_each(run),
    }
    tensors
}
