//! Plain loops for wide vectors: compiled a second time for AVX-512 and chosen by what the processor has, with sums in
//! a fixed number of lanes, so that the same values give the same bits at every width. (Upstream: burn-flex keeps its
//! vectorised kernels to itself and has none that reads several rows at once.)

use rayon::prelude::*;

/// Partial sums side by side: a vector of AVX-512, four of SSE2.
const LANES: usize = 16;

/// Values that are worth handing to another thread.
const PART: usize = 1 << 14;

/// Runs `loops` with the widest vectors there are. Only what is inlined gets them: closures and functions say
/// `inline(always)`.
#[inline(always)]
pub fn vectorised<R>(loops: impl FnOnce() -> R) -> R {
    pulp::Arch::new().dispatch(loops)
}

/// Rows of `columns` values that one task works on, one task a thread: with one thread, all of them.
pub fn rows_a_thread(rows: usize, columns: usize) -> usize {
    rows.div_ceil(rayon::current_num_threads()).max(PART.div_ceil(columns.max(1)))
}

/// `Σ term(a, b, ..)` over slices of one length.
#[inline(always)]
pub fn sum<const N: usize>(slices: [&[f32]; N], term: impl Fn([f32; N]) -> f32) -> f32 {
    let len = slices[0].len();
    let slices = slices.map(|slice| &slice[..len]);
    let (mut lanes, whole) = ([0.0; LANES], len / LANES * LANES);
    for start in (0..whole).step_by(LANES) {
        let blocks = slices.map(|slice| &slice[start..start + LANES]);
        for (lane, sum) in lanes.iter_mut().enumerate() {
            *sum += term(blocks.map(|block| block[lane]));
        }
    }
    let mut total = lanes.iter().sum();
    for index in whole..len {
        total += term(slices.map(|slice| slice[index]));
    }
    total
}

/// The largest value of a row.
#[inline(always)]
pub fn largest(row: &[f32]) -> f32 {
    let (mut lanes, blocks) = ([f32::NEG_INFINITY; LANES], row.chunks_exact(LANES));
    let mut top = f32::NEG_INFINITY;
    for value in blocks.remainder() {
        top = if *value > top { *value } else { top };
    }
    for block in blocks {
        for (lane, value) in lanes.iter_mut().zip(block) {
            *lane = if *value > *lane { *value } else { *lane };
        }
    }
    for lane in lanes {
        top = if lane > top { lane } else { top };
    }
    top
}

/// Adds up what several threads have summed: `parts` holds one sum a thread, `sums` all of them so far.
pub fn add_parts(parts: &[f32], sums: &mut [f32]) {
    for part in parts.chunks_exact(sums.len().max(1)) {
        sums.iter_mut().zip(part).for_each(|(sum, value)| *sum += value);
    }
}

/// Adds the sums over the rows of a row-major `matrix` to `sums`, one place a column. The same bits for one number of
/// threads.
pub fn add_rows(matrix: &[f32], sums: &mut [f32]) {
    let columns = sums.len();
    let rows = rows_a_thread(matrix.len() / columns, columns);
    let mut parts = vec![0.0; (matrix.len() / columns).div_ceil(rows) * columns];
    matrix.par_chunks(rows * columns).zip(parts.par_chunks_mut(columns)).for_each(|(matrix, sums)| {
        vectorised(
            #[inline(always)]
            || {
                for row in matrix.chunks_exact(sums.len()) {
                    for (sum, value) in sums.iter_mut().zip(row) {
                        *sum += value;
                    }
                }
            },
        );
    });
    add_parts(&parts, sums);
}

/// [`add_rows`] of `matrix (.) scale`, which takes the place of `matrix`.
pub fn scale_and_add_rows(matrix: &mut [f32], scale: &[f32], sums: &mut [f32]) {
    let columns = sums.len();
    let rows = rows_a_thread(matrix.len() / columns, columns);
    let mut parts = vec![0.0; (matrix.len() / columns).div_ceil(rows) * columns];
    let tasks = matrix.par_chunks_mut(rows * columns).zip(scale.par_chunks(rows * columns));
    tasks.zip(parts.par_chunks_mut(columns)).for_each(|((matrix, scale), sums)| {
        vectorised(
            #[inline(always)]
            || {
                for (row, scale) in matrix.chunks_exact_mut(sums.len()).zip(scale.chunks_exact(sums.len())) {
                    for ((value, scale), sum) in row.iter_mut().zip(scale).zip(&mut *sums) {
                        *value *= scale;
                        *sum += *value;
                    }
                }
            },
        );
    });
    add_parts(&parts, sums);
}

/// `Σ terms[i] xⁱ`.
#[inline(always)]
pub fn polynomial<const N: usize>(terms: [f32; N], x: f32) -> f32 {
    let mut sum = terms[N - 1];
    for index in (0..N - 1).rev() {
        sum = sum * x + terms[index];
    }
    sum
}

/// `e^x`, within two units in the last place, for `x` from -87 (below which it stays) to 88.
#[inline(always)]
pub fn exp(x: f32) -> f32 {
    /// Adding it rounds to a whole number, which then stands in the lowest bits.
    const ROUND: f32 = 12_582_912.0;
    /// `ln 2` in two parts, of which the first has few bits: its products with whole numbers are exact.
    const LN_2: [f32; 2] = [0.693_359_4, -2.121_944_4e-4];
    /// Taylor's coefficients from `x²` on, moved to where the error is smallest on `±ln 2 / 2` (Cephes' `expf`).
    const TERMS: [f32; 6] = [0.5, 0.166_666_66, 0.041_665_796, 0.008_333_452, 0.001_398_2, 0.000_198_756_91];
    let x = if x < -87.0 { -87.0 } else { x };
    let shifted = x * std::f32::consts::LOG2_E + ROUND;
    let whole = shifted - ROUND;
    let rest = x - whole * LN_2[0] - whole * LN_2[1];
    let tail = polynomial(TERMS, rest);
    let power = f32::from_bits((shifted.to_bits() << 23).wrapping_add(127 << 23));
    (tail * rest * rest + rest + 1.0) * power
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, Stream};

    #[test]
    fn exponentials_are_those_of_double_precision() {
        for index in 0..=175_000 {
            let x = -87.0 + index as f32 * 1e-3;
            let (found, expected) = (
                f64::from(vectorised(
                    #[inline(always)]
                    || exp(x),
                )),
                f64::from(x).exp(),
            );
            assert!((found / expected - 1.0).abs() < 2.0 * f64::from(f32::EPSILON), "e^{x}: {found}, not {expected}");
        }
        assert!(exp(-1e30) < 1e-37 && exp(f32::NAN).is_nan());
    }

    #[test]
    fn sums_and_largest_values_are_those_of_plain_loops_at_any_length() {
        let mut stream = Stream::new(7, Purpose::Weights, &[]);
        for len in [1, 5, 16, 17, 100] {
            let (a, b) = (stream.normal(len, 1.0), stream.normal(len, 1.0));
            let expected: f64 = a.iter().zip(&b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
            assert!(
                (f64::from(sum(
                    [&a, &b],
                    #[inline(always)]
                    |[a, b]| a * b
                )) - expected)
                    .abs()
                    < 1e-4
            );
            assert_eq!(largest(&a), a.iter().copied().fold(f32::MIN, f32::max));
            let narrow: Vec<f32> = a.iter().map(|value| value - 100.0).collect();
            assert!(largest(&narrow) < -90.0);
        }
    }

    #[test]
    fn columns_are_added_to_what_is_there() {
        let (rows, columns) = (901, 77);
        let values = Stream::new(8, Purpose::Weights, &[]).normal(rows * columns, 1.0);
        let mut sums = vec![3.0; columns];
        add_rows(&values, &mut sums);
        for (column, sum) in sums.iter().enumerate() {
            let expected: f64 = (0..rows).map(|row| f64::from(values[row * columns + column])).sum();
            assert!((f64::from(*sum) - 3.0 - expected).abs() < 1e-3);
        }
        let (mut scaled, mut sums) = (values.clone(), vec![3.0; columns]);
        scale_and_add_rows(&mut scaled, &values, &mut sums);
        assert!(scaled.iter().zip(&values).all(|(scaled, value)| *scaled == value * value));
        let mut expected = vec![3.0; columns];
        add_rows(&scaled, &mut expected);
        assert_eq!(sums, expected);
    }
}
