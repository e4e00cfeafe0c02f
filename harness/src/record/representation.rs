//! What is measured of every hidden layer's output between two epochs, and what is kept of it to be drawn.

use serde::{Deserialize, Serialize};
use sll_core::representation::Distortion;

/// Every hidden layer at one time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EpochRepresentations {
    /// Epochs trained so far; 0 is before training.
    pub epoch: usize,
    /// Seconds that measuring took, which are in no other number of the run.
    #[serde(with = "sll_core::real")]
    pub seconds: f64,
    /// One entry a hidden layer, lowest first.
    pub layers: Vec<LayerRepresentation>,
}

/// One hidden layer's output `h`, and `v = R h` of it: the rule's own where it has one, else by a fresh projection to
/// as many codes as there are classes. Absent numbers are those of outputs that are no numbers, or do not vary.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LayerRepresentation {
    /// The layer's name with its sizes.
    pub name: String,
    /// Effective rank of `h` over a few hundred images.
    #[serde(default, with = "sll_core::real::option")]
    pub effective_rank: Option<f64>,
    /// Classes in `h`.
    pub h: Separation,
    /// Classes in `v`.
    pub v: Separation,
    /// Whether `v` is the rule's own.
    pub own: bool,
    /// What the rule's own `R` does to the distances of a minibatch, where it has one.
    pub own_distortion: Option<Distortion>,
    /// What fresh projections do to them, by the number of codes.
    pub fresh: Vec<FreshDistortion>,
}

/// How far classes lie apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Separation {
    /// Scatter between classes over scatter within.
    #[serde(default, with = "sll_core::real::option")]
    pub scatter_ratio: Option<f64>,
    /// Percent of the images whose nearest class mean is their own class's.
    #[serde(default, with = "sll_core::real::option")]
    pub nearest_mean: Option<f64>,
}

/// Distortion by fresh Gaussian projections, mean of several draws.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct FreshDistortion {
    /// Codes `d_o`.
    pub codes: usize,
    /// The mean over pairs and the worst pair, each a mean over draws.
    pub distortion: Distortion,
}

/// What Figures 3 and 5 are drawn from, after the last epoch.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Picture {
    /// Classes of the images that are points of the planes.
    pub labels: Vec<u16>,
    /// One entry a hidden layer.
    pub layers: Vec<LayerPlanes>,
    /// One entry a layer with weights.
    pub weights: Vec<WeightSpread>,
    /// The first layer's kernels, where it is a convolution.
    pub kernels: Option<Kernels>,
}

/// A hidden layer's images as points: `h` and `v`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LayerPlanes {
    /// Its output.
    pub h: Planes,
    /// What its projection makes of it.
    pub v: Planes,
}

/// Points, the farthest at 1000 from the middle.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Planes {
    /// The first two principal components.
    pub pca: Vec<[i16; 2]>,
    /// t-SNE.
    pub tsne: Vec<[i16; 2]>,
}

/// How a layer's weights are distributed, biases and norms left out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WeightSpread {
    /// The layer's name with its sizes.
    pub name: String,
    /// Standard deviation.
    #[serde(with = "sll_core::real")]
    pub std: f64,
    /// That of the network before training.
    #[serde(with = "sll_core::real")]
    pub initial_std: f64,
    /// Fourth moment over the squared second: 3 of a normal law, 1.8 of a uniform one.
    #[serde(with = "sll_core::real")]
    pub kurtosis: f64,
    /// Middles of the first and the last bin of `density`; the tails beyond them, a thousandth, are left out.
    pub ends: [f32; 2],
    /// Probability density, bin by bin.
    pub density: Vec<f32>,
}

/// Kernels `[out, in, side, side]`, the largest weight at 127.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Kernels {
    /// Output channels, input channels, side.
    pub shape: [usize; 3],
    /// Row by row.
    pub values: Vec<i8>,
}
