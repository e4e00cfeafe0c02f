//! Labels inside images.
//!
//! A vector's first `K` values become the one-hot label (Hinton 2022). On a map, where a convolution would not see one
//! corner everywhere, each class is a plane wave of its own direction and length added to the whole image (Scodellaro et
//! al. 2023).

use super::wrong_labels;
use burn::tensor::Tensor;
use sll_core::op::Product;
use sll_core::rng::upload;
use sll_core::rule::Batch;
use sll_core::{Error, Network, Result, Shape};

/// Writes labels into inputs of one shape.
pub struct Labels {
    /// `[K, input]`: what is written for each class.
    codes: Tensor<2>,
    /// `[1, input]`: 0 where the image makes way.
    keep: Tensor<2>,
    classes: usize,
}

impl Labels {
    /// Labels for the inputs of `net`, `scale` high.
    pub fn new(net: &Network, scale: f64, rule: &str) -> Result<Self> {
        Error::check_gain("label_scale", scale)?;
        let (n, classes, device) = (net.input().len(), net.classes(), net.device().clone().inner());
        if classes > n || classes < 2 {
            let reason =
                format!("it writes one of {classes} labels into {n} input values, which needs 2 to {n} classes");
            return Err(Error::Unsupported { rule: rule.into(), reason });
        }
        let map = match net.input() {
            Shape::Map { h, w, .. } => Some((h, w)),
            _ => None,
        };
        let code = |class: usize, i: usize| match map {
            Some((h, w)) => scale * wave(class, classes, (i / w % h, i % w), h.max(w)),
            None => scale * f64::from(i == class),
        };
        let codes = (0..classes).flat_map(|class| (0..n).map(move |i| code(class, i) as f32)).collect();
        let keep = (0..n).map(|i| f32::from(map.is_some() || i >= classes)).collect();
        let (codes, keep) = (upload(codes, [classes, n], &device), upload(keep, [1, n], &device));
        Ok(Self { codes, keep, classes })
    }

    /// Values kept for it.
    pub fn values(&self) -> usize {
        self.codes.shape().num_elements() + self.keep.shape().num_elements()
    }

    /// MACs of writing one sample's label.
    pub fn macs(&self) -> u64 {
        self.codes.shape().num_elements() as u64
    }

    fn write(&self, x: Tensor<2>, codes: Tensor<2>) -> Tensor<2> {
        x * self.keep.clone() + codes
    }

    /// `x` with `labels`.
    pub fn with(&self, x: Tensor<2>, labels: Vec<usize>) -> Tensor<2> {
        let one_hot = Batch::new(x.clone(), labels, 0).targets(self.classes, &x.device());
        self.write(x, one_hot.product(self.codes.clone()))
    }

    /// The batch with its own labels, then with wrong ones: `[2b, input]`.
    pub fn pairs(&self, batch: &Batch) -> Tensor<2> {
        let right = self.with(batch.x.clone(), batch.labels.clone());
        Tensor::cat(vec![right, self.with(batch.x.clone(), wrong_labels(batch, self.classes))], 0)
    }

    /// `x` with `1/K` of each label.
    pub fn neutral(&self, x: Tensor<2>) -> Tensor<2> {
        let mean = self.codes.clone().mean_dim(0);
        self.write(x, mean)
    }

    /// `score [b, 1]` of `x` with each label in turn: `[b, K]`.
    pub fn scores(&self, x: Tensor<2>, score: impl Fn(Tensor<2>) -> Tensor<2>) -> Tensor<2> {
        let b = x.dims()[0];
        Tensor::cat((0..self.classes).map(|class| score(self.with(x.clone(), vec![class; b]))).collect(), 1)
    }
}

/// Class `class`'s wave at `(row, column)` of an image of side `side`: directions go round half a turn, lengths through
/// three octaves, so that any two classes differ in one or the other.
fn wave(class: usize, classes: usize, (row, column): (usize, usize), side: usize) -> f64 {
    let angle = std::f64::consts::PI * class as f64 / classes as f64;
    let periods = 2.0 * [1.0, 2.0, 4.0][class % 3];
    let along = (column as f64 * angle.cos() + row as f64 * angle.sin()) / side as f64;
    (std::f64::consts::TAU * periods * along).sin()
}

#[cfg(test)]
mod tests {
    use super::*;
    use sll_core::laws::{self, floats};

    #[test]
    fn a_vector_carries_a_one_hot_label_and_keeps_the_rest() {
        let net = laws::small_mlp(1);
        let labels = Labels::new(&net, 2.0, "FF").unwrap();
        let x = Tensor::<2>::ones([1, 12], net.device()).inner() * 0.5;
        let row = floats(labels.with(x.clone(), vec![1]));
        assert_eq!(row[..5], [0.0, 2.0, 0.0, 0.0, 0.5]);
        assert_eq!(floats(labels.neutral(x))[..5], [0.5, 0.5, 0.5, 0.5, 0.5]);
    }

    #[test]
    fn waves_of_different_classes_are_nearly_orthogonal() {
        let inner = |a: usize, b: usize| -> f64 {
            let at = |i: usize| (i / 28, i % 28);
            (0..784).map(|i| wave(a, 10, at(i), 28) * wave(b, 10, at(i), 28)).sum::<f64>() / 784.0
        };
        for (a, b) in (0..10).flat_map(|a| (0..a).map(move |b| (a, b))) {
            assert!(inner(a, b).abs() < 0.5 * inner(a, a).min(inner(b, b)), "{a} and {b}: {}", inner(a, b));
        }
    }
}
