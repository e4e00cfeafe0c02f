//! Goodness, its logistic loss, and the normalisation that hides it from the next layer.

use burn::tensor::{Tensor, activation::sigmoid};
use sll_core::{Error, Result};

/// The logistic loss on goodness.
#[derive(Clone, Copy, Debug)]
pub struct Goodness {
    threshold: f64,
    steepness: f64,
}

/// `G = mean_j h_j²`, `[b, 1]`.
pub fn of(h: Tensor<2>) -> Tensor<2> {
    (h.clone() * h).mean_dim(1)
}

/// `h / rms(h)`, row by row: the next layer sees directions only.
pub fn normalise(h: Tensor<2>) -> Tensor<2> {
    let rms = (of(h.clone()) + 1e-8).sqrt();
    h / rms
}

impl Goodness {
    /// Checks the settings.
    ///
    /// # Errors
    /// If one of the two is not positive.
    pub fn new(threshold: f64, steepness: f64) -> Result<Self> {
        Error::check_gain("threshold", threshold)?;
        Error::check_gain("steepness", steepness)?;
        Ok(Self { threshold, steepness })
    }

    /// The loss `[1]` and its gradient `[2b, n]` for `b` positive rows followed by `b` negative ones; `others` is
    /// goodness from elsewhere that counts with this unit's, `[2b, 1]`.
    pub fn evaluate(&self, h: Tensor<2>, b: usize, others: Option<Tensor<2>>) -> (Tensor<1>, Tensor<2>) {
        let [rows, n] = h.dims();
        let steepness = self.steepness;
        let goodness = match others {
            Some(others) => of(h.clone()) + others,
            None => of(h.clone()),
        };
        let margin = (goodness - self.threshold) * steepness;
        // -1 for positives, +1 for negatives: softplus(sign · margin) has slope sign · sigmoid(sign · margin).
        let sign = Tensor::cat(
            vec![Tensor::full([b, 1], -1.0, &h.device()), Tensor::full([rows - b, 1], 1.0, &h.device())],
            0,
        );
        let signed = margin * sign.clone();
        let loss = burn::tensor::activation::softplus(signed.clone(), 1.0).sum() / b as f64;
        let slope = sigmoid(signed) * sign * (steepness * 2.0 / n as f64 / b as f64);
        (loss, h * slope)
    }
}
