//! What a network's output is trained by.

use crate::divergence::cross_entropy;
use crate::error::{Error, Result};
use burn::tensor::{Tensor, activation};
use serde::{Deserialize, Serialize};

/// The loss at the output, a function of its values `z [b, K]` and the one-hot label `y`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OutputLoss {
    /// `-ln softmax(z)_y`, with gradient `softmax(z) - y`.
    #[default]
    CrossEntropy,
    /// Binary cross-entropy of `σ(z)`, the mean over classes, with gradient `(σ(z) - y) / K`.
    Bce,
    /// `(z - y)²`, the mean over classes, with gradient `2 (z - y) / K`.
    Mse,
}

impl OutputLoss {
    /// Each sample's loss `[b, 1]` and its gradient `[b, K]` at the output `z`, for one-hot targets `[b, K]`.
    pub fn evaluate(self, z: Tensor<2>, targets: Tensor<2>) -> (Tensor<2>, Tensor<2>) {
        let classes = z.dims()[1] as f64;
        match self {
            OutputLoss::CrossEntropy => {
                let (loss, _, error) = cross_entropy(z, targets);
                (loss, error)
            }
            OutputLoss::Bce => {
                // -y ln σ(z) - (1 - y) ln(1 - σ(z)) = softplus(z) - y z
                let loss = activation::softplus(z.clone(), 1.0) - targets.clone() * z.clone();
                (loss.mean_dim(1), (activation::sigmoid(z) - targets) / classes)
            }
            OutputLoss::Mse => {
                let error = z - targets;
                ((error.clone() * error.clone()).mean_dim(1), error * (2.0 / classes))
            }
        }
    }

    /// Refuses any other loss than the cross-entropy that `rule` is made of.
    ///
    /// # Errors
    /// [`Error::Unsupported`] where it is another.
    pub fn only_cross_entropy(self, rule: &str) -> Result<()> {
        match self {
            OutputLoss::CrossEntropy => Ok(()),
            other => {
                let reason =
                    format!("its posteriors are softmax's, and the output's loss is {other:?}; leave `loss` out");
                Err(Error::Unsupported { rule: rule.into(), reason })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    #[test]
    fn losses_are_their_definition_and_have_its_slope() {
        let (z, y) = ([0.3f64, -1.2, 2.0], [0.0, 1.0, 0.0]);
        let sigmoid = |z: f64| 1.0 / (1.0 + (-z).exp());
        let definition = |loss: OutputLoss, z: [f64; 3]| -> f64 {
            let terms = (0..3).map(|k| match loss {
                OutputLoss::CrossEntropy => y[k] * (z.iter().map(|z| z.exp()).sum::<f64>().ln() - z[k]),
                OutputLoss::Bce => -(y[k] * sigmoid(z[k]).ln() + (1.0 - y[k]) * (1.0 - sigmoid(z[k])).ln()) / 3.0,
                OutputLoss::Mse => (z[k] - y[k]).powi(2) / 3.0,
            });
            terms.sum()
        };
        for loss in [OutputLoss::CrossEntropy, OutputLoss::Bce, OutputLoss::Mse] {
            let row = |values: [f64; 3]| Tensor::<2>::from_floats([values.map(|v| v as f32)], &Device::flex());
            let (value, error) = loss.evaluate(row(z), row(y));
            assert!((f64::from(value.into_scalar::<f32>()) - definition(loss, z)).abs() < 1e-6, "{loss:?}");
            let error: Vec<f32> = error.into_data().try_to_vec().unwrap();
            for k in 0..3 {
                let at = |by: f64| {
                    let mut z = z;
                    z[k] += by;
                    definition(loss, z)
                };
                let slope = (at(1e-5) - at(-1e-5)) / 2e-5;
                assert!((slope - f64::from(error[k])).abs() < 1e-6, "{loss:?} z[{k}]: {slope}, {}", error[k]);
            }
        }
    }
}
