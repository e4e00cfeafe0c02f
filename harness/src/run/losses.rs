//! The losses of an epoch's steps, which stay on the device until there are some: reading one waits for it.

use burn::tensor::Tensor;

/// Steps whose losses are left on the device before they are looked at.
pub(super) const HELD: usize = 32;

/// What is known of an epoch's losses.
pub(super) struct Losses {
    sum: f64,
    held: Vec<Tensor<1>>,
    /// Steps of the run when the first of those held was made.
    first: u64,
}

/// A loss that is no number, and the step that it is of, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Diverged {
    pub loss: f64,
    pub step: u64,
}

impl Losses {
    /// None yet, after `steps` steps of the run.
    pub fn after(steps: u64) -> Self {
        Self { sum: 0.0, held: Vec::with_capacity(HELD), first: steps }
    }

    /// Takes the loss of one more step, of the epoch's `last` one if it is that; gives the first that is no number, once
    /// it is looked at.
    pub fn push(&mut self, loss: Tensor<1>, last: bool) -> Option<Diverged> {
        self.held.push(loss);
        if self.held.len() < HELD && !last {
            return None;
        }
        for loss in self.held.drain(..) {
            self.first += 1;
            let loss = f64::from(loss.into_scalar::<f32>());
            if !loss.is_finite() {
                return Some(Diverged { loss, step: self.first });
            }
            self.sum += loss;
        }
        None
    }

    /// The mean over `steps` steps, all of which have been looked at.
    pub fn mean(&self, steps: usize) -> f64 {
        self.sum / steps as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    #[test]
    fn the_first_loss_that_is_no_number_is_told_with_its_step_once_some_are_looked_at() {
        let loss = |value: f32| Tensor::<1>::from_floats([value], &Device::flex());
        let mut losses = Losses::after(100);
        for step in 0..HELD - 1 {
            assert_eq!(losses.push(loss(if step == 4 { f32::INFINITY } else { 1.0 }), false), None);
        }
        assert_eq!(losses.push(loss(f32::NAN), false), Some(Diverged { loss: f64::INFINITY, step: 105 }));
        let mut losses = Losses::after(0);
        assert_eq!((losses.push(loss(1.0), false), losses.push(loss(2.0), true)), (None, None));
        assert_eq!(losses.mean(2), 1.5);
    }
}
