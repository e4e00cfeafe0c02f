//! What a layer's output `h` says of the classes, how many directions it uses, and what a random projection `v = R h`
//! leaves of it: numbers for what the paper says of its representations.
//!
//! ```text
//! distortion of a pair     | ‖v_i - v_j‖² / (g ‖h_i - h_j‖²) - 1 |      g = E ‖R u‖² / ‖u‖², R's expected gain
//! effective rank           exp(-Σ p_k ln p_k),  p_k = σ_k / Σ σ         σ: singular values of h less its mean
//! scatter ratio            Σ_c n_c ‖μ_c - μ‖² / Σ_i ‖h_i - μ_{y_i}‖²    between classes over within them
//! nearest class mean       percent whose nearest μ_c is their own class's, means and samples being different halves
//! ```
//!
//! The effective rank is Roy and Vetterli's (EUSIPCO 2007), the distortion that of the lemma of Johnson and
//! Lindenstrauss (1984), the scatter ratio the trace form of Fisher's criterion.

mod classes;
mod distances;
mod neighbours;
mod spectrum;

pub use classes::{nearest_class_mean, scatter_ratio};
pub use distances::{Distortion, distortion};
pub use neighbours::neighbours;
pub use spectrum::Spectrum;

use crate::rng::upload;
use burn::tensor::{Device, Tensor};

/// Samples as rows of `width` values.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rows {
    values: Vec<f32>,
    width: usize,
}

impl Rows {
    /// The rows of `values`, one after the other.
    pub fn new(values: Vec<f32>, width: usize) -> Self {
        debug_assert!(width > 0 && values.len().is_multiple_of(width), "{} values in rows of {width}", values.len());
        Self { values, width }
    }

    /// The rows of a tensor `[b, width]`.
    pub fn of(tensor: Tensor<2>) -> Self {
        let width = tensor.dims()[1];
        let values = tensor.into_data().convert::<f32>().try_to_vec::<f32>().expect("f32 values");
        Self::new(values, width)
    }

    /// The tensor `[b, width]` of them.
    pub fn tensor(&self, device: &Device) -> Tensor<2> {
        upload(self.values.clone(), [self.len(), self.width], device)
    }

    /// Whether every value is a number.
    pub fn is_finite(&self) -> bool {
        self.values.iter().all(|value| value.is_finite())
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.values.len() / self.width.max(1)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Values of a row.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Row `index`.
    pub fn row(&self, index: usize) -> &[f32] {
        &self.values[index * self.width..(index + 1) * self.width]
    }

    /// The first `count` rows, or all.
    #[must_use]
    pub fn first(&self, count: usize) -> Self {
        let values = self.values[..self.values.len().min(count * self.width)].to_vec();
        Self { values, width: self.width }
    }

    /// The rows of `more` behind these.
    pub fn extend(&mut self, more: Self) {
        self.width = more.width;
        self.values.extend(more.values);
    }

    fn rows(&self) -> impl Iterator<Item = &[f32]> {
        self.values.chunks(self.width.max(1))
    }
}

/// `‖a - b‖²`.
fn squared_distance(a: impl Iterator<Item = f64>, b: &[f32]) -> f64 {
    a.zip(b).map(|(a, b)| (a - f64::from(*b)).powi(2)).sum()
}

fn wide(row: &[f32]) -> impl Iterator<Item = f64> + '_ {
    row.iter().map(|value| f64::from(*value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_cut_and_joined_as_they_lie() {
        let mut rows = Rows::new(vec![1.0, 2.0, 3.0, 4.0], 2);
        rows.extend(Rows::of(Tensor::from_data([[5.0, 6.0]], &burn::tensor::Device::flex())));
        assert_eq!((rows.len(), rows.width(), rows.row(2)), (3, 2, &[5.0, 6.0][..]));
        assert_eq!(rows.first(1), Rows::new(vec![1.0, 2.0], 2));
        assert_eq!(rows.first(9), rows);
    }
}
