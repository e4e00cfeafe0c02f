//! Labels inside images.
//!
//! A vector's first `K` values become the one-hot label (Hinton 2022). On a map, where a convolution would not see one
//! corner everywhere, each class is a plane wave added to the whole image (Scodellaro et al. 2023); any two are
//! orthogonal, however many classes there are.

use super::wrong_labels;
use burn::tensor::Tensor;
use sll_core::learned::Part;
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
    ///
    /// # Errors
    /// If the scale is not positive, or an image has no room for a label of its own a class.
    pub fn new(net: &Network, scale: Option<f64>, rule: &str) -> Result<Self> {
        let usual = if matches!(net.input(), Shape::Map { .. }) { 1.0 } else { 10.0 };
        let scale = scale.unwrap_or(usual);
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
        let waves = map.map(waves).unwrap_or_default();
        if map.is_some() && waves.len() < classes {
            let reason = format!("its labels are orthogonal waves, {} on this map for {classes} classes", waves.len());
            return Err(Error::Unsupported { rule: rule.into(), reason });
        }
        let code = |class: usize, i: usize| match map {
            Some((h, w)) => scale * waves[class].at((i / w % h, i % w), (h, w)),
            None => scale * f64::from(i == class),
        };
        let codes = (0..classes).flat_map(|class| (0..n).map(|i| code(class, i) as f32).collect::<Vec<_>>()).collect();
        let keep = (0..n).map(|i| f32::from(map.is_some() || i >= classes)).collect();
        let (codes, keep) = (upload(codes, [classes, n], &device), upload(keep, [1, n], &device));
        Ok(Self { codes, keep, classes })
    }

    /// What is kept for it.
    pub fn parts(&self) -> Vec<Part<'_>> {
        vec![Part::fixed("labels.codes", self.codes.clone()), Part::fixed("labels.keep", self.keep.clone())]
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

/// A plane wave with a whole number of periods along each side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Wave {
    /// Periods down and across.
    periods: (isize, isize),
    /// A sine, or the cosine of the same periods.
    sine: bool,
}

impl Wave {
    /// Its value at `(row, column)` of a map `[h, w]`; its mean square over the map is 1/2.
    fn at(self, (row, column): (usize, usize), (h, w): (usize, usize)) -> f64 {
        let along = |periods: isize, at: usize, side: usize| periods as f64 * at as f64 / side as f64;
        let turns = along(self.periods.0, row, h) + along(self.periods.1, column, w);
        let angle = std::f64::consts::TAU * turns;
        if self.sine { angle.sin() } else { angle.cos() }
    }
}

/// Waves on a map `[h, w]` of which any two are orthogonal, as many as there are: those of two periods and a little
/// more first, then ever shorter ones, and the longest last, which look like light and shade.
fn waves((h, w): (usize, usize)) -> Vec<Wave> {
    let half = |side: usize| side.saturating_sub(1) as isize / 2;
    let (down, across) = (half(h), half(w));
    // Of the periods that differ by sign alone, one.
    let mut found: Vec<(isize, isize)> =
        (0..=down).flat_map(|v| (-across..=across).map(move |u| (v, u))).filter(|&(v, u)| v > 0 || u > 0).collect();
    found.sort_by_key(|&(v, u)| (v * v + u * u < 4, v * v + u * u, v, u));
    found.into_iter().flat_map(|periods| [true, false].map(|sine| Wave { periods, sine })).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use sll_core::laws::{self, floats};

    #[test]
    fn a_vector_carries_a_one_hot_label_and_keeps_the_rest() {
        let net = laws::small_mlp(1);
        let labels = Labels::new(&net, Some(2.0), "FF").unwrap();
        let x = Tensor::<2>::ones([1, 12], net.device()).inner() * 0.5;
        let row = floats(labels.with(x.clone(), vec![1]));
        assert_eq!(row[..5], [0.0, 2.0, 0.0, 0.0, 0.5]);
        assert_eq!(floats(labels.neutral(x))[..5], [0.5, 0.5, 0.5, 0.5, 0.5]);
    }

    #[test]
    fn waves_of_different_classes_are_orthogonal_and_equally_strong() {
        for (classes, h, w) in [(10, 28, 28), (100, 32, 32), (200, 64, 64), (20, 9, 6)] {
            let waves = waves((h, w));
            let inner = |a: Wave, b: Wave| -> f64 {
                let of = |i: usize| a.at((i / w, i % w), (h, w)) * b.at((i / w, i % w), (h, w));
                (0..h * w).map(of).sum::<f64>() / (h * w) as f64
            };
            for (a, b) in (0..classes).flat_map(|a| (0..=a).map(move |b| (a, b))) {
                let expected = if a == b { 0.5 } else { 0.0 };
                assert!((inner(waves[a], waves[b]) - expected).abs() < 1e-9, "{classes} classes: {a} and {b}");
            }
        }
    }

    #[test]
    fn a_map_with_fewer_waves_than_classes_is_refused() {
        assert_eq!(waves((3, 3)).len(), 8);
        assert!(waves((2, 2)).is_empty() && waves((1, 1)).is_empty());
    }
}
