//! Optimisers and schedules by name, and the updater that rules are handed.

mod adam;
mod adamax;
mod moments;
mod schedule;
mod sgd;
mod updater;

pub use adam::Adam;
pub use adamax::Adamax;
pub use moments::Moments;
pub use schedule::Schedule;
pub use sgd::Sgd;
pub use updater::Updater;

use crate::error::{Error, Result};
use burn::optim::ModuleOptimizer;
use serde::{Deserialize, Serialize};

/// The optimiser's law. `β = (0.9, 0.999)`, `ε = 1e-8` as in PyTorch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OptimizerKind {
    /// Adam with the infinity norm (Kingma & Ba 2015, section 7.1): the paper's MLP recipe.
    #[default]
    Adamax,
    /// Adam: the paper's recipe for convolutional networks.
    Adam,
    /// Adam with decoupled weight decay: the paper's recipe for ViTs.
    AdamW,
    /// Stochastic gradient descent, with momentum if it is not 0.
    Sgd,
}

/// An optimiser with its settings.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct OptimizerConfig {
    /// The law.
    pub kind: OptimizerKind,
    /// Momentum of SGD; 0 for none.
    pub momentum: f64,
    /// Weight decay: decoupled for AdamW, added to the gradient for the others.
    pub weight_decay: f64,
}

impl Default for OptimizerConfig {
    fn default() -> Self {
        Self { kind: OptimizerKind::Adamax, momentum: 0.0, weight_decay: 0.0 }
    }
}

impl OptimizerConfig {
    /// Values of state for each parameter.
    pub fn moments(&self) -> u64 {
        match self.kind {
            OptimizerKind::Adamax | OptimizerKind::Adam | OptimizerKind::AdamW => 2,
            OptimizerKind::Sgd => u64::from(self.momentum > 0.0),
        }
    }

    /// Checks the settings and makes the optimiser.
    ///
    /// # Errors
    /// [`Error::Setting`] for one that is out of its range.
    pub fn init(&self) -> Result<Updater> {
        if !(0.0..1.0).contains(&self.momentum) {
            return Err(Error::setting("momentum", self.momentum, "must lie in [0, 1)"));
        }
        if !(self.weight_decay.is_finite() && self.weight_decay >= 0.0) {
            return Err(Error::setting("weight_decay", self.weight_decay, "must be 0 or positive"));
        }
        let (beta_1, beta_2, epsilon, weight_decay) = (0.9, 0.999, 1e-8, self.weight_decay);
        let optimizer = match self.kind {
            OptimizerKind::Adamax => ModuleOptimizer::from(Adamax { beta_1, beta_2, epsilon, weight_decay }),
            kind @ (OptimizerKind::Adam | OptimizerKind::AdamW) => {
                let decoupled = kind == OptimizerKind::AdamW;
                ModuleOptimizer::from(Adam { beta_1, beta_2, epsilon, weight_decay, decoupled })
            }
            OptimizerKind::Sgd => ModuleOptimizer::from(Sgd { momentum: self.momentum, weight_decay }),
        };
        Ok(Updater::new(optimizer))
    }
}

#[cfg(test)]
mod test {
    use burn::optim::Optimizer;
    use burn::tensor::{Device, Tensor, Tolerance};

    /// Asserts what three steps on a small matrix give; the gradients are those of the references in each law's file.
    pub(super) fn three_steps(optimizer: &impl Optimizer, expected: [[f32; 2]; 2]) {
        let device = Device::flex();
        let mut state = None;
        let mut w = Tensor::<2>::from_floats([[0.5, -0.3], [0.1, 0.8]], &device);
        for grad in [[[0.1, -0.2], [0.3, 0.4]], [[-0.5, 0.0], [0.01, 0.2]], [[0.02, 0.3], [-0.3, 0.0]]] {
            (w, state) = optimizer.step(0.01, w, Tensor::from_floats(grad, &device), state);
        }
        let expected = Tensor::<2>::from_floats(expected, &device);
        w.into_data().assert_approx_eq::<f32>(&expected.into_data(), Tolerance::absolute(1e-6));
    }
}
