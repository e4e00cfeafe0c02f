//! Singular values and principal components, from the samples' inner products.

use super::{Rows, wide};
use burn::linalg::svd;
use burn::tensor::{DType, Device, Tensor, TensorData};

/// Sweeps a singular value that the decomposition may take; a few are enough.
const SWEEPS: usize = 60;

/// The singular value decomposition of samples less their mean.
#[derive(Clone, Debug)]
pub struct Spectrum {
    /// Singular values, falling.
    pub values: Vec<f64>,
    /// Left singular vectors, row by row: sample `i` in column `k`.
    vectors: Vec<f64>,
}

impl Spectrum {
    /// Of `rows`; the cost is that of their inner products and the third power of their number.
    pub fn of(rows: &Rows) -> Self {
        let (count, width) = (rows.len(), rows.width());
        let mut mean = vec![0.0; width];
        rows.rows().for_each(|row| mean.iter_mut().zip(wide(row)).for_each(|(sum, x)| *sum += x));
        mean.iter_mut().for_each(|sum| *sum /= count as f64);
        let centred: Vec<f64> =
            rows.rows().flat_map(|row| wide(row).zip(&mean).map(|(x, mean)| x - mean).collect::<Vec<_>>()).collect();
        let device = Device::flex();
        let x = Tensor::<2>::from_data(TensorData::new(centred, [count, width]), (&device, DType::F64));
        // X Xᵀ = U Σ² Uᵀ: of as many rows as there are samples, however wide they are.
        let (u, squares, _) = svd::<2, 1>(x.clone().matmul(x.transpose()), SWEEPS);
        let floats = |data: TensorData| data.convert::<f64>().try_to_vec::<f64>().expect("f64 values");
        let values = floats(squares.into_data()).into_iter().map(|square| square.max(0.0).sqrt()).collect();
        Self { values, vectors: floats(u.into_data()) }
    }

    /// `exp(-Σ p ln p)` of `p = σ / Σ σ`: from 1, all in one direction, to the number of directions that there are; 0
    /// where nothing varies.
    pub fn effective_rank(&self) -> f64 {
        let sum: f64 = self.values.iter().sum();
        let shares = self.values.iter().map(|value| value / sum).filter(|share| *share > 0.0);
        if sum > 0.0 { (-shares.map(|p| p * p.ln()).sum::<f64>()).exp() } else { 0.0 }
    }

    /// Each sample's first two principal components.
    pub fn plane(&self) -> Vec<[f64; 2]> {
        let directions = self.values.len();
        let component = |row: &[f64], k: usize| row.get(k).map_or(0.0, |u| u * self.values[k]);
        self.vectors.chunks(directions.max(1)).map(|row| [0, 1].map(|k| component(row, k))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rectangle_has_its_sides_as_directions() {
        // Corners of a rectangle of sides 6 and 2 around (10, 20, 30), in the first and third coordinate.
        let corners: [(f32, f32); 4] = [(-3.0, -1.0), (3.0, -1.0), (3.0, 1.0), (-3.0, 1.0)];
        let rows = corners.iter().flat_map(|(x, z)| [10.0 + *x, 20.0, 30.0 + *z]).collect();
        let found = Spectrum::of(&Rows::new(rows, 3));
        // σ² = 4 * 3² and 4 * 1².
        let expected = [6.0, 2.0, 0.0, 0.0];
        assert!(found.values.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6), "{:?}", found.values);
        // p = 3/4 and 1/4.
        let rank = (-(0.75 * 0.75f64.ln() + 0.25 * 0.25f64.ln())).exp();
        assert!((found.effective_rank() - rank).abs() < 1e-6, "{}", found.effective_rank());
        for (point, (x, z)) in found.plane().iter().zip(corners.map(|(x, z)| (f64::from(x), f64::from(z)))) {
            assert!((point[0].abs() - f64::abs(x)).abs() < 1e-9 && (point[1].abs() - f64::abs(z)).abs() < 1e-9);
        }
        let [a, b, ..] = found.plane()[..] else { panic!("four points") };
        assert!((a[0] + b[0]).abs() < 1e-9 && (a[1] - b[1]).abs() < 1e-9, "{a:?} {b:?}");
    }

    #[test]
    fn equal_directions_count_whole_and_one_direction_is_one() {
        // Four samples at the corners of a regular simplex have three equal directions.
        let simplex = vec![1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0];
        assert!((Spectrum::of(&Rows::new(simplex, 4)).effective_rank() - 3.0).abs() < 1e-5);
        assert!((Spectrum::of(&Rows::new(vec![1.0, 2.0, 4.0, 9.0], 1)).effective_rank() - 1.0).abs() < 1e-5);
        assert_eq!(Spectrum::of(&Rows::new(vec![2.0; 6], 2)).effective_rank(), 0.0);
    }
}
