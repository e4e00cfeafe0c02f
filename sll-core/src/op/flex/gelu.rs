//! GELU (Hendrycks & Gimpel 2016), `x Φ(x)` with the normal distribution `Φ(x) = (1 + erf(x / √2)) / 2`, and its slope,
//! without a branch. (Upstream: burn-flex's `gelu` calls a scalar `erf` for each value.)

use super::lanes::{exp, polynomial, vectorised};
use rayon::prelude::*;

/// Beyond it `Φ` is 0 or 1 in single precision.
const FAR: f32 = 14.0;
/// Values that one task maps.
const PART: usize = 1 << 14;

/// `Φ(x)` within 1e-7 and the density `φ(x) = Φ'(x)`.
///
/// `Φ(-a) = g(a) exp(-a² / 2)` for `a >= 0`, where `g` is smooth and falls slowly: a polynomial in `2 a / (a + 3)`,
/// fitted to an error of 4e-9 in `Φ`.
#[inline(always)]
fn normal(x: f32) -> (f32, f32) {
    const CENTRE: f32 = 3.0;
    const TERMS: [f32; 8] =
        [0.5, -0.598_413_9, 0.263_303_3, -0.035_994_288, -0.009_420_579, 0.000_830_864, 0.001_545_587, -0.000_337_018];
    const INVERSE_ROOT_OF_2_PI: f32 = 0.398_942_3;
    let a = x.abs();
    let a = if a > FAR { FAR } else { a };
    let bell = exp(-0.5 * a * a);
    let u = 2.0 * a / (a + CENTRE);
    let tail = bell * polynomial(TERMS, u);
    (if x < 0.0 { tail } else { 1.0 - tail }, bell * INVERSE_ROOT_OF_2_PI)
}

/// `x Φ(x)`; far below 0, where `Φ` vanishes, `x` must not grow.
#[inline(always)]
fn scaled(x: f32, below: f32) -> f32 {
    below * if x < -FAR { -FAR } else { x }
}

/// `y = x Φ(x)` in the place of `x`.
pub fn gelu_in_place(values: &mut [f32]) {
    values.par_chunks_mut(PART).for_each(|values| {
        vectorised(
            #[inline(always)]
            || {
                for x in values {
                    *x = scaled(*x, normal(*x).0);
                }
            },
        );
    });
}

/// `y = x Φ(x)`.
pub fn gelu(x: &[f32], y: &mut [f32]) {
    x.par_chunks(PART).zip(y.par_chunks_mut(PART)).for_each(|(x, y)| {
        vectorised(
            #[inline(always)]
            || {
                for (x, y) in x.iter().zip(y) {
                    *y = scaled(*x, normal(*x).0);
                }
            },
        );
    });
}

/// `y = x Φ(x)`, and in the place of `x` the slope `Φ(x) + x φ(x)`.
pub fn gelu_and_slope(x: &mut [f32], y: &mut [f32]) {
    x.par_chunks_mut(PART).zip(y.par_chunks_mut(PART)).for_each(|(x, y)| {
        vectorised(
            #[inline(always)]
            || {
                for (x, y) in x.iter_mut().zip(y) {
                    let (below, density) = normal(*x);
                    *y = scaled(*x, below);
                    let near = if *x > FAR { FAR } else { *x };
                    *x = below + scaled(near, density);
                }
            },
        );
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `erf(z) = 2 / √π Σ (-1)^n z^(2n+1) / (n! (2n+1))`, in a form whose terms are all positive.
    fn erf(z: f64) -> f64 {
        let (mut term, mut sum) = (z, z);
        for n in 1..400 {
            term *= 2.0 * z * z / f64::from(2 * n + 1);
            sum += term;
        }
        2.0 / std::f64::consts::PI.sqrt() * (-z * z).exp() * sum
    }

    #[test]
    fn the_normal_distribution_and_gelu_are_those_of_double_precision() {
        let xs: Vec<f32> = (-32_000..=32_000).map(|index| index as f32 * 2.5e-4).collect();
        let (mut slopes, mut together, mut alone) = (xs.clone(), vec![0.0; xs.len()], vec![0.0; xs.len()]);
        gelu_and_slope(&mut slopes, &mut together);
        gelu(&xs, &mut alone);
        assert_eq!(alone, together);
        gelu_in_place(&mut together);
        let mut twice = alone.clone();
        gelu(&alone, &mut twice);
        assert_eq!(together, twice);
        for ((x, y), slope) in xs.iter().zip(&alone).zip(&slopes) {
            let wide = f64::from(*x);
            let expected = 0.5 * (1.0 + erf(wide / std::f64::consts::SQRT_2));
            let density = (-0.5 * wide * wide).exp() / (2.0 * std::f64::consts::PI).sqrt();
            assert!((f64::from(normal(*x).0) - expected).abs() < 1e-7, "Φ({x}) {} {expected}", normal(*x).0);
            assert!((f64::from(*y) - wide * expected).abs() < 1e-7 * (1.0 + wide.abs()), "gelu({x})");
            assert!((f64::from(*slope) - expected - wide * density).abs() < 2e-7, "gelu'({x})");
        }
    }

    #[test]
    fn far_values_are_their_limits_and_what_is_no_number_stays_none() {
        let (mut x, mut y) = (vec![f32::INFINITY, f32::MAX, f32::NEG_INFINITY, f32::MIN, f32::NAN], vec![0.0; 5]);
        gelu_and_slope(&mut x, &mut y);
        assert_eq!(y[..2], [f32::INFINITY, f32::MAX]);
        assert!(y[2..4].iter().all(|y| y.abs() < 1e-37) && y[4].is_nan());
        assert!((x[1] - 1.0).abs() < 1e-6 && x[3].abs() < 1e-30 && x[4].is_nan());
    }
}
