//! Learning rate over a run.

use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};

/// The learning rate as a function of progress.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "kind", deny_unknown_fields)]
pub enum Schedule {
    /// The same throughout.
    Constant {},
    /// `lr (1 + cos(π t)) / 2` with `t` the fraction of the run done, step by step.
    Cosine {},
    /// Multiplied by `factor` at the start of each epoch listed.
    Step {
        /// Epochs, counted from 0, at which the rate falls.
        at: Vec<usize>,
        /// What it is multiplied by.
        factor: f64,
    },
    /// The same up to epoch `from`, then epoch by epoch less, on a line that ends with nothing at epoch `to`:
    /// `(to - epoch) / (to - from)`.
    Linear {
        /// The last epoch, counted from 0, with the whole rate.
        from: usize,
        /// The epoch, counted from 0, that would have none: a run of this many epochs ends just before it.
        to: usize,
    },
}

impl Default for Schedule {
    fn default() -> Self {
        Schedule::Constant {}
    }
}

impl Schedule {
    /// Checks the settings.
    ///
    /// # Errors
    /// [`Error::Setting`] for one that is out of its range.
    pub fn validate(&self) -> Result<()> {
        match self {
            Schedule::Step { factor, .. } if !(factor.is_finite() && *factor > 0.0) => {
                Err(Error::setting("schedule.factor", factor, "must be a positive number, like 0.1"))
            }
            Schedule::Linear { from, to } if from >= to => {
                let reason = format!("must lie above `schedule.from`, which is {from}, like the number of epochs");
                Err(Error::setting("schedule.to", to, reason))
            }
            _ => Ok(()),
        }
    }

    /// The factor on the base rate at step `step` of `steps`, in epoch `epoch`.
    pub fn factor(&self, epoch: usize, step: usize, steps: usize) -> f64 {
        match self {
            Schedule::Constant {} => 1.0,
            Schedule::Cosine {} => 0.5 * (1.0 + (std::f64::consts::PI * step as f64 / steps.max(1) as f64).cos()),
            Schedule::Step { at, factor } => factor.powi(at.iter().filter(|&&e| e <= epoch).count() as i32),
            Schedule::Linear { from, to } => (to.saturating_sub(epoch) as f64 / (to - from) as f64).min(1.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cosine_falls_from_one_to_zero_and_step_falls_at_its_epochs() {
        assert_eq!(Schedule::Constant {}.factor(3, 7, 9), 1.0);
        assert_eq!(Schedule::Cosine {}.factor(0, 0, 100), 1.0);
        assert!((Schedule::Cosine {}.factor(0, 50, 100) - 0.5).abs() < 1e-12);
        assert!(Schedule::Cosine {}.factor(9, 100, 100).abs() < 1e-12);
        let step = Schedule::Step { at: vec![2, 4], factor: 0.1 };
        let factors: Vec<f64> = (0..5).map(|epoch| step.factor(epoch, 0, 1)).collect();
        assert_eq!(factors, [1.0, 1.0, 0.1, 0.1, 0.1 * 0.1]);
    }

    /// The rate of Löwe 2023, `get_linear_cooldown_lr`: `2 (1 + E - e) / E` in epochs `e > E / 2` counted from 1.
    #[test]
    fn a_line_falls_as_loewes_rate_does_and_stays_at_nothing() {
        let of = |epoch| Schedule::Linear { from: 5, to: 10 }.factor(epoch, 0, 1);
        for e in 1..=10 {
            let theirs = if e > 5 { 2.0 * (1.0 + 10.0 - e as f64) / 10.0 } else { 1.0 };
            assert!((of(e - 1) - theirs).abs() < 1e-12, "epoch {e}: {} beside {theirs}", of(e - 1));
        }
        assert_eq!((of(10), of(11)), (0.0, 0.0));
        let told = Schedule::Linear { from: 5, to: 5 }.validate().unwrap_err().to_string();
        assert!(told.contains("schedule.to") && told.contains("5"), "{told}");
    }
}
