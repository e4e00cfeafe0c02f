//! The vector a unit is judged by: a linear summary of its output, with its adjoint.
//!
//! A unit's output may be a feature map or tokens; its local objective sees `s = S h`. A signal `ds` at the summary
//! becomes `dh = Sᵀ ds` at the output. Both are written out here, so that no tape is needed for them.

use crate::op::zero_rows;
use crate::shape::Shape;
use burn::tensor::{Tensor, module::adaptive_avg_pool2d};
use serde::{Deserialize, Serialize};

/// How a feature map becomes a vector for the projection (paper, section 5.2: the whole map, flattened).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MapSummary {
    /// Every value of the map: `n = c h w`.
    #[default]
    Flatten,
    /// Average over the cells of a 4x4 grid: `n = 16 c` (LLS's first layer).
    Pool4,
    /// Average over the cells of a 2x2 grid: `n = 4 c` (LLS's further layers).
    Pool2,
    /// Average over all positions: `n = c`.
    Pool1,
    /// Average over the cells of a grid whose sides are halved in turn, height first, until at most 4,096 values are
    /// left (the local losses' decoder).
    Decoder,
}

/// The most values that [`MapSummary::Decoder`] leaves.
const DECODER: usize = 4096;

/// A linear summary of outputs of one shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Summary {
    /// `s = h`.
    Identity(usize),
    /// Averages over a grid of cells of a `[c, h, w]` map that cover all of it: cell `i` of `g` reaches from
    /// `⌊i h / g⌋` to `⌈(i + 1) h / g⌉`, so that where `g` does not divide the side neighbours share a row or column.
    Pool {
        /// Channels, height and width of the map.
        map: [usize; 3],
        /// Cells down and across.
        grid: [usize; 2],
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
                let grid = match map {
                    MapSummary::Decoder => decoder([c, h, w]),
                    MapSummary::Pool4 => [4; 2],
                    MapSummary::Pool2 => [2; 2],
                    _ => [1; 2],
                };
                Summary::Pool { map: [c, h, w], grid: [grid[0].min(h), grid[1].min(w)] }
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
            Summary::Pool { map: [c, _, _], grid: [down, across] } => c * down * across,
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
            Summary::Pool { map: [c, height, width], grid: [down, across] } if apart(height, down, width, across) => {
                let cells = h.reshape([b, c, down, height / down, across, width / across]);
                cells.mean_dim(5).mean_dim(3).reshape([b, c * down * across])
            }
            Summary::Pool { map: [c, height, width], grid } => {
                adaptive_avg_pool2d(h.reshape([b, c, height, width]), grid).flatten(1, 3)
            }
            Summary::ClassToken([t, d]) => h.reshape([b, t, d]).narrow(1, 0, 1).reshape([b, d]),
            Summary::MeanToken([t, d]) => h.reshape([b, t, d]).mean_dim(1).reshape([b, d]),
        }
    }

    /// `dh = Sᵀ ds`: `[b, len()]` to `[b, output]`.
    pub fn adjoint(&self, ds: Tensor<2>) -> Tensor<2> {
        let [b, _] = ds.dims();
        match *self {
            Summary::Identity(_) => ds,
            Summary::Pool { map: [c, height, width], grid: [down, across] } if apart(height, down, width, across) => {
                let (rows, columns) = (height / down, width / across);
                let ds = ds.reshape([b, c, down, 1, across, 1]) / (rows * columns) as f64;
                ds.expand([b, c, down, rows, across, columns]).reshape([b, c * height * width])
            }
            Summary::Pool { map: [c, height, width], grid: [down, across] } => {
                let columns = spread::<3>(ds.reshape([b, c, down, across]), width);
                spread::<2>(columns, height).flatten(1, 3)
            }
            Summary::ClassToken([t, d]) => {
                // Written in place: a second copy of all tokens would be the largest thing in the step.
                zero_rows(&ds, t * d).slice_assign([0..b, 0..d], ds)
            }
            Summary::MeanToken([t, d]) => (ds / t as f64).reshape([b, 1, d]).expand([b, t, d]).reshape([b, t * d]),
        }
    }
}

/// Whether cells of the grid share nothing.
fn apart(height: usize, down: usize, width: usize, across: usize) -> bool {
    height.is_multiple_of(down) && width.is_multiple_of(across)
}

/// Gives every value of side `D` of `ds` back in equal parts to the `side` places that its cell covers.
fn spread<const D: usize>(ds: Tensor<4>, side: usize) -> Tensor<4> {
    let cells = ds.dims()[D];
    let mut shape = ds.dims();
    shape[D] = side;
    let mut spread = Tensor::zeros(shape, &ds.device());
    for cell in 0..cells {
        let (start, end) = (cell * side / cells, ((cell + 1) * side).div_ceil(cells));
        let mut covered = shape.map(|n| 0..n);
        covered[D] = start..end;
        let share = ds.clone().narrow(D, cell, 1) / (end - start) as f64;
        let sum = spread.clone().slice(covered.clone()) + share;
        spread = spread.slice_assign(covered, sum);
    }
    spread
}

/// Sides of the grid of [`MapSummary::Decoder`].
fn decoder([c, h, w]: [usize; 3]) -> [usize; 2] {
    let mut sides = [h, w];
    let mut turn = 0;
    while c * sides[0] * sides[1] > DECODER && sides != [1, 1] {
        sides[turn] = sides[turn].div_ceil(2);
        turn = 1 - turn;
    }
    sides
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
            (Shape::Map { c: 2, h: 7, w: 3 }, MapSummary::Pool4),
            (Shape::Map { c: 300, h: 5, w: 5 }, MapSummary::Decoder),
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
            assert!((left - right).abs() < 1e-4 * left.abs().max(1.0), "{shape} {map:?}: {left} against {right}");
        }
    }

    #[test]
    fn no_value_of_a_map_is_left_out() {
        let device = Device::flex();
        for (side, map) in
            [(3, MapSummary::Pool2), (7, MapSummary::Pool2), (7, MapSummary::Pool4), (14, MapSummary::Pool4)]
        {
            let summary = Summary::new(Shape::Map { c: 1, h: side, w: side }, map);
            let back = summary.adjoint(Tensor::ones([1, summary.len()], &device));
            let smallest: f32 = back.min().into_scalar();
            assert!(smallest > 0.0, "{side}x{side} {map:?}");
        }
        // Of three rows the middle one is in both cells.
        let row = Tensor::<2>::from_floats([[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0]], &device);
        let found = Summary::new(Shape::Map { c: 1, h: 3, w: 3 }, MapSummary::Pool2).forward(row);
        found.into_data().assert_eq(&Tensor::<2>::from_floats([[3.0, 4.0, 6.0, 7.0]], &device).into_data(), true);
    }

    #[test]
    fn the_decoders_grid_is_halved_in_turn() {
        assert_eq!(decoder([64, 8, 8]), [8, 8]);
        assert_eq!(decoder([128, 8, 8]), [4, 8]);
        assert_eq!(decoder([128, 14, 14]), [4, 7]);
        assert_eq!(decoder([5000, 2, 2]), [1, 1]);
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
