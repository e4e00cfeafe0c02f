//! Adam (Kingma & Ba 2015) and AdamW (Loshchilov & Hutter 2019), as [`crate::op::adam`] has it.

use super::Moments;
use crate::op::{self, AdamStep, Decay};
use burn::optim::{LearningRate, Optimizer};
use burn::tensor::{Device, Tensor};

/// The optimiser.
#[derive(Clone, Debug)]
pub struct Adam {
    /// `β₁`.
    pub beta_1: f64,
    /// `β₂`.
    pub beta_2: f64,
    /// `ε`.
    pub epsilon: f64,
    /// `λ`.
    pub weight_decay: f64,
    /// Whether the decay shrinks the parameter (AdamW) or is added to the gradient (Adam).
    pub decoupled: bool,
}

impl Optimizer for Adam {
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
        let unbiased = |beta: f64| 1.0 - beta.powi(time as i32);
        let (tensor, values) = op::adam(
            tensor,
            grad,
            values,
            AdamStep {
                beta_1: self.beta_1 as f32,
                beta_2: self.beta_2 as f32,
                epsilon: self.epsilon as f32,
                rate: (lr / unbiased(self.beta_1)) as f32,
                correction: unbiased(self.beta_2).sqrt() as f32,
                decay: match self.decoupled {
                    true => Decay { coupled: 0.0, decoupled: (lr * self.weight_decay) as f32 },
                    false => Decay { coupled: self.weight_decay as f32, decoupled: 0.0 },
                },
            },
        );
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
    /// for kind, decay in ((torch.optim.Adam, 0.1), (torch.optim.AdamW, 0.1)):
    ///     w = torch.nn.Parameter(torch.tensor([[0.5, -0.3], [0.1, 0.8]]))
    ///     opt = kind([w], lr=0.01, weight_decay=decay)
    ///     for g in ([[0.1, -0.2], [0.3, 0.4]], [[-0.5, 0.0], [0.01, 0.2]], [[0.02, 0.3], [-0.3, 0.0]]):
    ///         w.grad = torch.tensor(g); opt.step()
    ///     print(w.detach().tolist())
    /// ```
    #[test]
    fn three_steps_give_pytorchs_numbers() {
        for (decoupled, expected) in [(false, ADAM), (true, ADAM_W)] {
            let adam = Adam { beta_1: 0.9, beta_2: 0.999, epsilon: 1e-8, weight_decay: 0.1, decoupled };
            three_steps(&adam, expected);
        }
    }

    const ADAM: [[f32; 2]; 2] = [[0.497_807_3, -0.283_482_76], [0.083_209_25, 0.772_279_44]];
    const ADAM_W: [[f32; 2]; 2] = [[0.498_870_28, -0.284_872_8], [0.083_505_24, 0.771_104_16]];
}
