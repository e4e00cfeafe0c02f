//! The vector a unit is judged by: a linear summary of its output, with its adjoint.
//!
//! A unit's output may be a feature map or tokens; its local objective sees `s = S h`. A signal `ds` at the summary
//! becomes `dh = Sᵀ ds` at the output. Both are written out here, so that no tape is needed for them.

use crate::op::zero_rows;
use crate::shape::Shape;
use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

/// How a feature map becomes a vector for the projection (paper, section 5.2: the whole map, flattened).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MapSummary {
    /// Every value of the map: `n = c h w`.
    #[default]
    Flatten,
    /// Average over the cells of a 2x2 grid: `n = 4 c` (as LLS pools its maps).
    Pool2,
    /// Average over all positions: `n = c`.
    Pool1,
}

/// A linear summary of outputs of one shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Summary {
    /// `s = h`.
    Identity(usize),
    /// Averages over a `grid x grid` of equal cells of a `[c, h, w]` map; a remainder row or column is left out.
    Pool {
        /// Channels, height and width of the map.
        map: [usize; 3],
        /// Cells a side.
        grid: usize,
    },
    /// The first token (paper, section 5.3).
    ClassToken([usize; 2]),
    /// The mean of all tokens (paper, section 5.3).
    MeanToken([usize; 2]),
}

impl Summary {
    /// The summary of outputs of `shape`. Tokens use their class token if they have one.
    pub fn new(shape: Shape, map: MapSummary) -> Self {
        match (shape, map) {
            (Shape::Flat(n), _) => Summary::Identity(n),
            (Shape::Map { .. }, MapSummary::Flatten) => Summary::Identity(shape.len()),
            (Shape::Map { c, h, w }, _) => {
                let grid = if map == MapSummary::Pool2 { 2 } else { 1 };
                Summary::Pool { map: [c, h, w], grid: grid.min(h).min(w) }
            }
            (Shape::Tokens { .. }, _) => Self::of_tokens(shape),
        }
    }

    /// The summary of tokens.
    pub fn of_tokens(shape: Shape) -> Self {
        match shape {
            Shape::Tokens { t, d, class: true } => Summary::ClassToken([t, d]),
            Shape::Tokens { t, d, class: false } => Summary::MeanToken([t, d]),
            other => Summary::Identity(other.len()),
        }
    }

    /// Length of the summary.
    pub fn len(&self) -> usize {
        match *self {
            Summary::Identity(n) => n,
            Summary::Pool { map: [c, _, _], grid } => c * grid * grid,
            Summary::ClassToken([_, d]) | Summary::MeanToken([_, d]) => d,
        }
    }

    /// A summary has at least one value.
    pub fn is_empty(&self) -> bool {
        false
    }

    /// `s = S h`: `[b, output]` to `[b, len()]`.
    pub fn forward(&self, h: Tensor<2>) -> Tensor<2> {
        let [b, _] = h.dims();
        match *self {
            Summary::Identity(_) => h,
            Summary::Pool { map: [c, height, width], grid } => {
                let (rows, columns) = (height / grid, width / grid);
                let h = h.reshape([b, c, height, width]);
                let h = h.narrow(2, 0, rows * grid).narrow(3, 0, columns * grid);
                let cells = h.reshape([b, c, grid, rows, grid, columns]);
                cells.mean_dim(5).mean_dim(3).reshape([b, c * grid * grid])
            }
            Summary::ClassToken([t, d]) => h.reshape([b, t, d]).narrow(1, 0, 1).reshape([b, d]),
            Summary::MeanToken([t, d]) => h.reshape([b, t, d]).mean_dim(1).reshape([b, d]),
        }
    }

    /// `dh = Sᵀ ds`: `[b, len()]` to `[b, output]`.
    pub fn adjoint(&self, ds: Tensor<2>) -> Tensor<2> {
        let [b, _] = ds.dims();
        let device = ds.device();
        match *self {
            Summary::Identity(_) => ds,
            Summary::Pool { map: [c, height, width], grid } => {
                let (rows, columns) = (height / grid, width / grid);
                let ds = ds.reshape([b, c, grid, 1, grid, 1]) / (rows * columns) as f64;
                let inner = ds.expand([b, c, grid, rows, grid, columns]);
                let inner = inner.reshape([b, c, rows * grid, columns * grid]);
                let below = Tensor::zeros([b, c, height - rows * grid, columns * grid], &device);
                let inner = Tensor::cat(vec![inner, below], 2);
                let right = Tensor::zeros([b, c, height, width - columns * grid], &device);
                Tensor::cat(vec![inner, right], 3).reshape([b, c * height * width])
            }
            Summary::ClassToken([t, d]) => {
                // Written in place: a second copy of all tokens would be the largest thing in the step.
                zero_rows(&ds, t * d).slice_assign([0..b, 0..d], ds)
            }
            Summary::MeanToken([t, d]) => (ds / t as f64).reshape([b, 1, d]).expand([b, t, d]).reshape([b, t * d]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::{Device, Distribution};

    #[test]
    fn adjoint_is_the_transpose() {
        let device = Device::flex();
        let cases = [
            (Shape::Flat(7), MapSummary::Flatten),
            (Shape::Map { c: 3, h: 4, w: 4 }, MapSummary::Flatten),
            (Shape::Map { c: 3, h: 4, w: 6 }, MapSummary::Pool2),
            (Shape::Map { c: 2, h: 7, w: 5 }, MapSummary::Pool2),
            (Shape::Map { c: 2, h: 1, w: 1 }, MapSummary::Pool2),
            (Shape::Map { c: 3, h: 7, w: 7 }, MapSummary::Pool1),
            (Shape::Tokens { t: 5, d: 4, class: true }, MapSummary::Flatten),
            (Shape::Tokens { t: 5, d: 4, class: false }, MapSummary::Flatten),
        ];
        for (shape, map) in cases {
            let summary = Summary::new(shape, map);
            let h = Tensor::<2>::random([2, shape.len()], Distribution::Default, &device);
            let ds = Tensor::<2>::random([2, summary.len()], Distribution::Default, &device);
            let left: f32 = (summary.forward(h.clone()) * ds.clone()).sum().into_scalar();
            let right: f32 = (h * summary.adjoint(ds)).sum().into_scalar();
            assert!((left - right).abs() < 1e-4, "{shape} {map:?}: {left} against {right}");
        }
    }

    #[test]
    fn pooling_averages_the_cells() {
        let device = Device::flex();
        let h = Tensor::<2>::from_floats(
            [[1., 2., 3., 4., 5., 6., 7., 8., 9., 10., 11., 12., 13., 14., 15., 16.]],
            &device,
        );
        let summary = Summary::new(Shape::Map { c: 1, h: 4, w: 4 }, MapSummary::Pool2);
        let expected = Tensor::<2>::from_floats([[3.5, 5.5, 11.5, 13.5]], &device);
        summary.forward(h).into_data().assert_eq(&expected.into_data(), true);
    }
}
