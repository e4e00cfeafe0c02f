//! Layer norm, one row at a time: mean, variance and the sums of the backward pass are made while the row is in the
//! cache. (Upstream: burn's `layer_norm` has no backward pass of its own, and burn-flex's reductions and maps are
//! passes over all rows.)

use super::lanes::{add_parts, rows_a_thread, sum, vectorised};
use rayon::prelude::*;

/// Parameters of a norm of rows.
#[derive(Clone, Copy)]
pub struct Norm<'a> {
    /// `γ [d]`.
    pub gamma: &'a [f32],
    /// `β [d]`.
    pub beta: &'a [f32],
    /// What is added to the variance.
    pub epsilon: f32,
}

/// Mean and `1 / √(var + ε)` of a row.
#[inline(always)]
fn statistics(row: &[f32], epsilon: f32) -> (f32, f32) {
    let count = row.len() as f32;
    let mean = sum(
        [row],
        #[inline(always)]
        |[x]| x,
    ) / count;
    let variance = sum(
        [row],
        #[inline(always)]
        |[x]| (x - mean) * (x - mean),
    ) / count;
    (mean, 1.0 / (variance + epsilon).sqrt())
}

/// `y = x̂ (.) γ + β` for each row of `γ`'s length.
pub fn normalise(x: &[f32], Norm { gamma, beta, epsilon }: Norm, y: &mut [f32]) {
    let columns = gamma.len();
    let part = rows_a_thread(x.len() / columns, columns) * columns;
    x.par_chunks(part).zip(y.par_chunks_mut(part)).for_each(|(x, y)| {
        vectorised(
            #[inline(always)]
            || {
                for (x, y) in x.chunks_exact(columns).zip(y.chunks_exact_mut(columns)) {
                    let (mean, inverse) = statistics(x, epsilon);
                    for (((y, x), gamma), beta) in y.iter_mut().zip(x).zip(gamma).zip(beta) {
                        *y = (x - mean) * inverse * gamma + beta;
                    }
                }
            },
        );
    });
}

/// Writes `dx` in the place of `dn` and adds to the gradients of `γ` and `β`.
#[inline(always)]
fn row_backward(x: &[f32], gamma: &[f32], epsilon: f32, dn: &mut [f32], (dgamma, dbeta): (&mut [f32], &mut [f32])) {
    let count = x.len() as f32;
    let (mean, inverse) = statistics(x, epsilon);
    for (((dgamma, dbeta), dn), x) in dgamma.iter_mut().zip(dbeta).zip(&*dn).zip(x) {
        *dgamma += dn * ((x - mean) * inverse);
        *dbeta += dn;
    }
    let level = sum(
        [&*dn, gamma],
        #[inline(always)]
        |[dn, gamma]| dn * gamma,
    ) / count;
    let along = sum(
        [&*dn, gamma, x],
        #[inline(always)]
        |[dn, gamma, x]| dn * gamma * ((x - mean) * inverse),
    ) / count;
    for ((dn, gamma), x) in dn.iter_mut().zip(gamma).zip(x) {
        *dn = (*dn * gamma - level - (x - mean) * inverse * along) * inverse;
    }
}

/// From `dn` to `dx` in its place, adding `Σ dn (.) x̂` and `Σ dn` to `sums`; `dx` is also added to `residual` where
/// there is one, and then `dn` holds nothing of use.
///
/// The same bits for one number of threads.
pub fn normalise_backward(
    x: &[f32],
    Norm { gamma, epsilon, .. }: Norm,
    dn: &mut [f32],
    residual: Option<&mut [f32]>,
    sums: (&mut [f32], &mut [f32]),
) {
    let columns = gamma.len();
    if x.is_empty() {
        return;
    }
    let rows = rows_a_thread(x.len() / columns, columns);
    let (part, tasks) = (rows * columns, (x.len() / columns).div_ceil(rows));
    let (mut dgamma, mut dbeta) = (vec![0.0; tasks * columns], vec![0.0; tasks * columns]);
    let sums_of = dgamma.par_chunks_mut(columns).zip(dbeta.par_chunks_mut(columns));
    let each = |x: &[f32], dn: &mut [f32], residual: Option<&mut [f32]>, (dgamma, dbeta): (&mut [f32], &mut [f32])| {
        vectorised(
            #[inline(always)]
            || {
                let mut residual = residual.map(|residual| residual.chunks_exact_mut(columns));
                for (x, dn) in x.chunks_exact(columns).zip(dn.chunks_exact_mut(columns)) {
                    row_backward(x, gamma, epsilon, dn, (&mut *dgamma, &mut *dbeta));
                    if let Some(residual) = residual.as_mut().and_then(Iterator::next) {
                        for (sum, dx) in residual.iter_mut().zip(dn) {
                            *sum += *dx;
                        }
                    }
                }
            },
        );
    };
    let rows = x.par_chunks(part).zip(dn.par_chunks_mut(part)).zip(sums_of);
    match residual {
        Some(residual) => rows
            .zip(residual.par_chunks_mut(part))
            .for_each(|(((x, dn), sums), residual)| each(x, dn, Some(residual), sums)),
        None => rows.for_each(|((x, dn), sums)| each(x, dn, None, sums)),
    }
    add_parts(&dgamma, sums.0);
    add_parts(&dbeta, sums.1);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, Stream};

    const EPSILON: f32 = 1e-5;

    /// `x̂ (.) γ + β` of one row in double precision.
    fn plain(x: &[f64], gamma: &[f64], beta: &[f64]) -> Vec<f64> {
        let count = x.len() as f64;
        let mean = x.iter().sum::<f64>() / count;
        let variance = x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / count;
        let unit = x.iter().map(|x| (x - mean) / (variance + f64::from(EPSILON)).sqrt());
        unit.zip(gamma).zip(beta).map(|((unit, gamma), beta)| unit * gamma + beta).collect()
    }

    /// How the dot product of the norm and `dy` changes with one value of an operand.
    fn slope(operands: &[Vec<f64>; 3], dy: &[f64], operand: usize, index: usize) -> f64 {
        let step = 1e-5;
        let at = |moved: f64| -> f64 {
            let mut operands = operands.clone();
            operands[operand][index] += moved;
            let [x, gamma, beta] = &operands;
            let rows = x.chunks(gamma.len()).flat_map(|x| plain(x, gamma, beta));
            rows.zip(dy).map(|(y, dy)| y * dy).sum()
        };
        (at(step) - at(-step)) / (2.0 * step)
    }

    #[test]
    fn forward_and_backward_are_those_of_plain_loops() {
        let mut stream = Stream::new(9, Purpose::Weights, &[]);
        for (rows, columns) in [(1, 2), (3, 17), (5, 33), (1, 96)] {
            let mut draw = |len| stream.normal(len, 1.0);
            let [x, gamma, beta, dy, before] =
                [rows * columns, columns, columns, rows * columns, rows * columns].map(&mut draw);
            let wide = |values: &[f32]| values.iter().map(|value| f64::from(*value)).collect::<Vec<f64>>();
            let operands = [wide(&x), wide(&gamma), wide(&beta)];
            let norm = Norm { gamma: &gamma, beta: &beta, epsilon: EPSILON };
            let mut y = vec![0.0; x.len()];
            normalise(&x, norm, &mut y);
            let expected = operands[0].chunks(columns).flat_map(|x| plain(x, &operands[1], &operands[2]));
            assert!(y.iter().zip(expected).all(|(y, expected)| (f64::from(*y) - expected).abs() < 1e-4));

            let (mut dgamma, mut dbeta, mut dx) = (vec![1.0; columns], vec![2.0; columns], dy.clone());
            normalise_backward(&x, norm, &mut dx, None, (&mut dgamma, &mut dbeta));
            let found = [(0, &dx, 0.0), (1, &dgamma, 1.0), (2, &dbeta, 2.0)];
            for (operand, found, before) in found {
                for (index, value) in found.iter().enumerate() {
                    let expected = before + slope(&operands, &wide(&dy), operand, index);
                    assert!((f64::from(*value) - expected).abs() < 2e-3 * (1.0 + expected.abs()), "{value} {expected}");
                }
            }
            let (mut again, mut sum) = (dy.clone(), before.clone());
            normalise_backward(&x, norm, &mut again, Some(&mut sum), (&mut dgamma, &mut dbeta));
            assert!(sum.iter().zip(&before).zip(&dx).all(|((sum, before), dx)| *sum == before + dx));
        }
    }
}
