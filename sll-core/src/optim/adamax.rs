//! Adamax: Adam with the infinity norm (Kingma & Ba 2015, section 7.1), the paper's optimiser for MLPs, as
//! [`crate::op::adamax`] has it.

use super::Moments;
use crate::op::{self, AdamaxStep, Decay};
use burn::optim::{LearningRate, Optimizer};
use burn::tensor::{Device, Tensor};

/// The optimiser.
#[derive(Clone, Debug)]
pub struct Adamax {
    /// `β₁`.
    pub beta_1: f64,
    /// `β₂`.
    pub beta_2: f64,
    /// `ε`.
    pub epsilon: f64,
    /// `λ`, added to the gradient.
    pub weight_decay: f64,
}

impl Optimizer for Adamax {
    type State<const D: usize> = Moments<2, D>;

    fn step<const D: usize>(
        &self,
        lr: LearningRate,
        tensor: Tensor<D>,
        grad: Tensor<D>,
        state: Option<Self::State<D>>,
    ) -> (Tensor<D>, Option<Self::State<D>>) {
        let Moments { time, values } = state.unwrap_or_else(|| Moments::zeros(&tensor));
        let time = time + 1;
        let step = AdamaxStep {
            beta_1: self.beta_1 as f32,
            beta_2: self.beta_2 as f32,
            epsilon: self.epsilon as f32,
            rate: (lr / (1.0 - self.beta_1.powi(time as i32))) as f32,
            decay: Decay { coupled: self.weight_decay as f32, decoupled: 0.0 },
        };
        let (tensor, values) = op::adamax(tensor, grad, values, step);
        (tensor, Some(Moments { time, values }))
    }

    fn to_device<const D: usize>(state: Self::State<D>, device: &Device) -> Self::State<D> {
        state.to_device(device)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::optim::test::three_steps;

    /// PyTorch 2.9.1's own numbers:
    /// ```python
    /// import torch
    /// w = torch.nn.Parameter(torch.tensor([[0.5, -0.3], [0.1, 0.8]]))
    /// opt = torch.optim.Adamax([w], lr=0.01, weight_decay=0.1)
    /// for g in ([[0.1, -0.2], [0.3, 0.4]], [[-0.5, 0.0], [0.01, 0.2]], [[0.02, 0.3], [-0.3, 0.0]]):
    ///     w.grad = torch.tensor(g); opt.step()
    /// print(w)
    /// ```
    #[test]
    fn three_steps_give_pytorchs_numbers() {
        let adamax = Adamax { beta_1: 0.9, beta_2: 0.999, epsilon: 1e-8, weight_decay: 0.1 };
        three_steps(&adamax, [[0.495_448_86, -0.285_397_83], [0.085_213_5, 0.776_664_5]]);
    }
}
