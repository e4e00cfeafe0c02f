//! Layer norm. Means and deviations are not kept but measured again on the way back, with the normed rows that come
//! with them.

use super::super::norm::{self, EPSILON, NormGradients, NormKernels};
use super::{is_single, owned, shim};
use burn::backend::LibTorch;
use burn::backend::libtorch::TchTensor;
use tch::Tensor;

/// Rows normed, with their means and inverse deviations.
pub(super) fn normed(x: &Tensor, gamma: &Tensor, beta: &Tensor) -> (Tensor, [Tensor; 2]) {
    let (y, mean, inverse) = x.native_layer_norm(gamma.size(), Some(gamma), Some(beta), EPSILON);
    (y, [mean, inverse])
}

/// Adds the gradients of `γ` and `β` and gives `dx`.
pub(super) fn back(dn: &Tensor, x: &Tensor, [mean, inverse]: &[Tensor; 2], gamma: &Tensor, sums: &mut Sums) -> Tensor {
    let [dx, dgamma, dbeta] = shim::layer_norm_backward(dn, x, [mean, inverse], gamma);
    add_to(&mut sums.gamma, dgamma);
    add_to(&mut sums.beta, dbeta);
    dx
}

/// Gradients of `γ` and `β` so far.
#[derive(Default)]
pub(super) struct Sums {
    gamma: Option<Tensor>,
    beta: Option<Tensor>,
}

impl Sums {
    pub(super) fn done(self) -> NormGradients<LibTorch> {
        NormGradients { gamma: self.gamma.map(owned), beta: self.beta.map(owned) }
    }
}

/// Adds to a running sum in place.
pub(super) fn add_to(sum: &mut Option<Tensor>, term: Tensor) {
    match sum {
        Some(sum) => drop(sum.g_add_(&term)),
        None => *sum = Some(term),
    }
}

impl NormKernels for LibTorch {
    fn norm_forward(x: &TchTensor, gamma: TchTensor, beta: TchTensor) -> TchTensor {
        match is_single(x) {
            true => owned(normed(&x.tensor, &gamma.tensor, &beta.tensor).0),
            false => norm::forward::<Self>(x, gamma, beta),
        }
    }

    fn norm_backward(x: TchTensor, gamma: TchTensor, dn: TchTensor) -> (TchTensor, NormGradients<Self>) {
        if !is_single(&x) {
            return norm::backward::<Self>(&x, &gamma, dn);
        }
        let (x, gamma, mut sums) = (&x.tensor, &gamma.tensor, Sums::default());
        // Where there is no `β` it is of no account.
        let (_, statistics) = normed(x, gamma, gamma);
        let dx = back(&dn.tensor, x, &statistics, gamma, &mut sums);
        (owned(dx), sums.done())
    }
}
