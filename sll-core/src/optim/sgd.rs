//! Stochastic gradient descent, with momentum as in PyTorch, as [`crate::op::sgd`] has it.

use super::Moments;
use crate::op::{self, Decay, SgdStep};
use burn::optim::{LearningRate, Optimizer};
use burn::tensor::{Device, Tensor};

/// The optimiser.
#[derive(Clone, Debug)]
pub struct Sgd {
    /// `μ`; 0 for none, and then nothing is kept of a parameter.
    pub momentum: f64,
    /// `λ`, added to the gradient.
    pub weight_decay: f64,
}

impl Optimizer for Sgd {
    type State<const D: usize> = Moments<1, D>;

    fn step<const D: usize>(
        &self,
        lr: LearningRate,
        tensor: Tensor<D>,
        grad: Tensor<D>,
        state: Option<Self::State<D>>,
    ) -> (Tensor<D>, Option<Self::State<D>>) {
        let step = SgdStep {
            rate: lr as f32,
            momentum: self.momentum as f32,
            decay: Decay { coupled: self.weight_decay as f32, decoupled: 0.0 },
        };
        let state = (self.momentum > 0.0).then(|| state.unwrap_or_else(|| Moments::zeros(&tensor)));
        let time = state.as_ref().map_or(0, |state| state.time) + 1;
        let velocity = state.map(|Moments { values: [velocity], .. }| velocity);
        let (tensor, velocity) = op::sgd(tensor, grad, velocity, step);
        (tensor, velocity.map(|velocity| Moments { time, values: [velocity] }))
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
    /// for momentum in (0.0, 0.9):
    ///     w = torch.nn.Parameter(torch.tensor([[0.5, -0.3], [0.1, 0.8]]))
    ///     opt = torch.optim.SGD([w], lr=0.01, momentum=momentum, weight_decay=0.1)
    ///     for g in ([[0.1, -0.2], [0.3, 0.4]], [[-0.5, 0.0], [0.01, 0.2]], [[0.02, 0.3], [-0.3, 0.0]]):
    ///         w.grad = torch.tensor(g); opt.step()
    ///     print(w.detach().tolist())
    /// ```
    #[test]
    fn three_steps_give_pytorchs_numbers() {
        three_steps(&Sgd { momentum: 0.0, weight_decay: 0.1 }, PLAIN);
        three_steps(&Sgd { momentum: 0.9, weight_decay: 0.1 }, MOMENTUM);
    }

    const PLAIN: [[f32; 2]; 2] = [[0.502_298_53, -0.300_104_92], [0.099_606_4, 0.791_612_4]];
    const MOMENTUM: [[f32; 2]; 2] = [[0.503_786_15, -0.295_906_04], [0.094_130_98, 0.780_893]];
}
