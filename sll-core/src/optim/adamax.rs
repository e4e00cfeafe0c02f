//! Adamax: Adam with the infinity norm (Kingma & Ba 2015, section 7.1), the paper's optimiser for MLPs.
//!
//! With gradient `g` (plus `λ θ` under weight decay) at step `t`:
//! `m <- β₁ m + (1 - β₁) g`, `u <- max(β₂ u, |g| + ε)`, `θ <- θ - lr / (1 - β₁ᵗ) · m / u`.

use burn::config::Config;
use burn::optim::decay::{WeightDecay, WeightDecayConfig};
use burn::optim::{LearningRate, ModuleOptimizer, Optimizer, RecordState, StateSink, StateSource};
use burn::tensor::{Device, Tensor, activation};

/// Settings of [`Adamax`].
#[derive(Config, Debug)]
pub struct AdamaxConfig {
    /// `β₁`.
    #[config(default = 0.9)]
    beta_1: f32,
    /// `β₂`.
    #[config(default = 0.999)]
    beta_2: f32,
    /// `ε`.
    #[config(default = 1e-8)]
    epsilon: f32,
    /// `λ`, added to the gradient.
    weight_decay: Option<WeightDecayConfig>,
}

/// The optimiser.
#[derive(Clone)]
pub struct Adamax {
    beta_1: f32,
    beta_2: f32,
    epsilon: f32,
    weight_decay: Option<WeightDecay>,
}

/// State of one parameter.
#[derive(Clone)]
pub struct AdamaxState<const D: usize> {
    /// Steps taken, `t`.
    pub time: usize,
    /// `m`, the shape of the parameter.
    pub moment: Tensor<D>,
    /// `u`, the shape of the parameter.
    pub norm: Tensor<D>,
}

// By hand: burn's derive names paths that exist only inside burn.
impl<const D: usize> RecordState for AdamaxState<D> {
    fn state_flatten(&self, prefix: &str, out: &mut StateSink) {
        out.push_scalar(prefix, "time", self.time.into());
        out.push_tensor(prefix, "moment", self.moment.clone().into_data());
        out.push_tensor(prefix, "norm", self.norm.clone().into_data());
    }

    fn state_unflatten(prefix: &str, src: &mut StateSource, device: &Device) -> Option<Self> {
        let time = usize::try_from(src.take_scalar(prefix, "time")?).ok()?;
        let mut tensor = |leaf| Some(Tensor::from_data(src.take_tensor(prefix, leaf)?, device));
        Some(Self { time, moment: tensor("moment")?, norm: tensor("norm")? })
    }
}

impl Optimizer for Adamax {
    type State<const D: usize> = AdamaxState<D>;

    fn step<const D: usize>(
        &self,
        lr: LearningRate,
        tensor: Tensor<D>,
        mut grad: Tensor<D>,
        state: Option<Self::State<D>>,
    ) -> (Tensor<D>, Option<Self::State<D>>) {
        if let Some(decay) = &self.weight_decay {
            grad = decay.transform(grad, tensor.clone());
        }
        let fresh = grad.clone().abs().add_scalar(self.epsilon);
        // `max(a, b)` as `a + max(b - a, 0)`, the same to a rounding: in place where `max_pair` makes a tensor of truth values and one of results.
        let larger = |norm: Tensor<D>, fresh: Tensor<D>| {
            let more = activation::relu(fresh - norm.clone());
            norm + more
        };
        let grad = grad.mul_scalar(1.0 - self.beta_1);
        let state = match state {
            Some(state) => AdamaxState {
                time: state.time + 1,
                moment: state.moment.mul_scalar(self.beta_1).add(grad),
                norm: larger(state.norm.mul_scalar(self.beta_2), fresh),
            },
            None => AdamaxState { time: 1, moment: grad, norm: fresh },
        };
        let scale = lr / (1.0 - f64::from(self.beta_1).powi(state.time as i32));
        let delta = state.moment.clone().div(state.norm.clone()).mul_scalar(scale);
        (tensor - delta, Some(state))
    }

    fn to_device<const D: usize>(mut state: Self::State<D>, device: &Device) -> Self::State<D> {
        state.moment = state.moment.to_device(device);
        state.norm = state.norm.to_device(device);
        state
    }
}

impl AdamaxConfig {
    /// The optimiser for one tensor.
    pub fn build(&self) -> Adamax {
        let weight_decay = self.weight_decay.as_ref().map(WeightDecay::new);
        Adamax { beta_1: self.beta_1, beta_2: self.beta_2, epsilon: self.epsilon, weight_decay }
    }

    /// The optimiser for modules.
    pub fn init(&self) -> ModuleOptimizer {
        ModuleOptimizer::from(self.build())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Tolerance;

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
        let device = Device::flex();
        let config = AdamaxConfig::new().with_weight_decay(Some(WeightDecayConfig::new(0.1)));
        let (optimizer, mut state) = (config.build(), None);
        let mut w = Tensor::<2>::from_floats([[0.5, -0.3], [0.1, 0.8]], &device);
        for grad in [[[0.1, -0.2], [0.3, 0.4]], [[-0.5, 0.0], [0.01, 0.2]], [[0.02, 0.3], [-0.3, 0.0]]] {
            (w, state) = optimizer.step(0.01, w, Tensor::from_floats(grad, &device), state);
        }
        let expected = Tensor::<2>::from_floats(PYTORCH, &device);
        w.into_data().assert_approx_eq::<f32>(&expected.into_data(), Tolerance::absolute(1e-6));
    }

    const PYTORCH: [[f32; 2]; 2] = [[0.495_448_86, -0.285_397_83], [0.085_213_5, 0.776_664_5]];
}
