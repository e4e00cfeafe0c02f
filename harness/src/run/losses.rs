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
    /// None held, after `steps` steps of the run, with the `sum` of the epoch's before.
    pub fn after(steps: u64, sum: f64) -> Self {
        Self { sum, held: Vec::with_capacity(HELD), first: steps }
    }

    /// Takes the loss of one more step.
    pub fn hold(&mut self, loss: Tensor<1>) {
        self.held.push(loss);
    }

    /// Whether it is time to look at those held.
    pub fn is_full(&self) -> bool {
        self.held.len() >= HELD
    }

    /// Adds those held to the sum, and gives the first that is no number.
    pub fn look(&mut self) -> Option<Diverged> {
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

    /// The sum of all that were looked at.
    pub fn sum(&self) -> f64 {
        self.sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    #[test]
    fn the_first_loss_that_is_no_number_is_told_with_its_step() {
        let loss = |value: f32| Tensor::<1>::from_floats([value], &Device::flex());
        let mut losses = Losses::after(100, 7.0);
        (0..HELD - 1).for_each(|step| losses.hold(loss(if step == 4 { f32::INFINITY } else { 1.0 })));
        assert!(!losses.is_full());
        losses.hold(loss(f32::NAN));
        assert!(losses.is_full());
        assert_eq!(losses.look(), Some(Diverged { loss: f64::INFINITY, step: 105 }));
        let mut losses = Losses::after(0, 7.0);
        losses.hold(loss(1.5));
        assert_eq!((losses.look(), losses.sum()), (None, 8.5));
    }
}
