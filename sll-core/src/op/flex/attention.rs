//! Scaled dot-product attention (Vaswani et al. 2017), head by head: queries, keys and values are read where they lie
//! in the rows `[t, 3 d]` of an image, and the weights `[t, t]` of one head at a time are in the cache. (Upstream:
//! burn-flex's attention wants each head's operands in tensors of their own, and has no backward pass.)

use super::super::attention::Heads;
use super::super::count::add_macs;
use super::gemm::{Matrix, multiply};
use super::lanes::{exp, largest, sum, vectorised};
use rayon::prelude::*;

/// Rows of queries, keys and values of one image.
struct Image<'a> {
    rows: &'a [f32],
    heads: Heads,
    /// Width of a token.
    d: usize,
}

impl<'a> Image<'a> {
    /// Width of a head.
    fn width(&self) -> usize {
        self.d / self.heads.heads
    }

    /// Queries (part 0), keys (1) or values (2) of a head, `[t, d / heads]`.
    fn part(&self, head: usize, part: usize) -> Matrix<'a> {
        let first = part * self.d + head * self.width();
        Matrix::strided(&self.rows[first..], [self.heads.tokens, self.width()], [3 * self.d, 1])
    }

    /// `A = softmax(q kᵀ / √dh)`.
    fn weights(&self, head: usize, weights: &mut [f32]) {
        let (tokens, scale) = (self.heads.tokens, self.scale());
        multiply(self.part(head, 0), self.part(head, 1).transposed(), weights, false, false);
        vectorised(
            #[inline(always)]
            || {
                for row in weights.chunks_exact_mut(tokens) {
                    softmax(row, scale);
                }
            },
        );
    }

    fn scale(&self) -> f32 {
        1.0 / (self.width() as f32).sqrt()
    }
}

/// `softmax(scale row)` in its place.
#[inline(always)]
fn softmax(row: &mut [f32], scale: f32) {
    let top = largest(row);
    for value in row.iter_mut() {
        *value = exp((*value - top) * scale);
    }
    let inverse = 1.0
        / sum(
            [&*row],
            #[inline(always)]
            |[value]| value,
        );
    for value in row.iter_mut() {
        *value *= inverse;
    }
}

/// `dS = A (.) (dA - Σ dA (.) A) scale` of a row, in the place of `dA`.
#[inline(always)]
fn softmax_backward(weights: &[f32], signal: &mut [f32], scale: f32) {
    let along = sum(
        [weights, &*signal],
        #[inline(always)]
        |[weight, signal]| weight * signal,
    );
    for (signal, weight) in signal.iter_mut().zip(weights) {
        *signal = weight * (*signal - along) * scale;
    }
}

/// Writes rows of `width` values into columns `first..` of rows of `stride` values.
fn place(values: &[f32], width: usize, rows: &mut [f32], first: usize, stride: usize) {
    for (row, values) in rows.chunks_exact_mut(stride).zip(values.chunks_exact(width)) {
        row[first..first + width].copy_from_slice(values);
    }
}

/// `softmax(q kᵀ / √dh) v` of every image and head: `qkv [n, 3 d]` to `mixed [n, d]`.
pub fn attend(qkv: &[f32], mixed: &mut [f32], d: usize, heads: Heads) {
    let (tokens, width) = (heads.tokens, d / heads.heads);
    let scratch = || (vec![0.0; tokens * tokens], vec![0.0; tokens * width]);
    qkv.par_chunks(tokens * 3 * d).zip(mixed.par_chunks_mut(tokens * d)).for_each_init(
        scratch,
        |(weights, output), (rows, mixed)| {
            let image = Image { rows, heads, d };
            for head in 0..heads.heads {
                image.weights(head, weights);
                multiply(Matrix::new(weights, tokens, tokens), image.part(head, 2), output, false, false);
                place(output, width, mixed, head * width, d);
            }
        },
    );
    add_macs(2 * mixed.len() * tokens);
}

/// From the signal `dO [n, d]` at the heads' outputs to that at queries, keys and values, in their place:
/// `dV = Aᵀ dO`, `dA = dO Vᵀ`, `dS = A (.) (dA - Σ dA (.) A) / √dh`, `dQ = dS K`, `dK = dSᵀ Q`. `A` is made again.
pub fn attend_backward(qkv: &mut [f32], signal: &[f32], d: usize, heads: Heads) {
    let (tokens, width) = (heads.tokens, d / heads.heads);
    let scratch = || ([0, 1].map(|_| vec![0.0; tokens * tokens]), [0, 1, 2].map(|_| vec![0.0; tokens * width]));
    qkv.par_chunks_mut(tokens * 3 * d).zip(signal.par_chunks(tokens * d)).for_each_init(
        scratch,
        |([weights, slopes], [dq, dk, dv]), (rows, signal)| {
            for head in 0..heads.heads {
                let image = Image { rows: &*rows, heads, d };
                let signal = Matrix::strided(&signal[head * width..], [tokens, width], [d, 1]);
                image.weights(head, weights);
                multiply(Matrix::new(weights, tokens, tokens).transposed(), signal, dv, false, false);
                multiply(signal, image.part(head, 2).transposed(), slopes, false, false);
                let scale = image.scale();
                vectorised(
                    #[inline(always)]
                    || {
                        for (weights, signal) in weights.chunks_exact(tokens).zip(slopes.chunks_exact_mut(tokens)) {
                            softmax_backward(weights, signal, scale);
                        }
                    },
                );
                let slopes = Matrix::new(slopes, tokens, tokens);
                multiply(slopes, image.part(head, 1), dq, false, false);
                multiply(slopes.transposed(), image.part(head, 0), dk, false, false);
                for (part, values) in [&*dq, &*dk, &*dv].into_iter().enumerate() {
                    place(values, width, rows, part * d + head * width, 3 * d);
                }
            }
        },
    );
    add_macs(5 * signal.len() * tokens);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, Stream};

    /// The same by loops, in double precision.
    fn plain(qkv: &[f64], d: usize, Heads { tokens, heads }: Heads) -> Vec<f64> {
        let (width, mut mixed) = (d / heads, vec![0.0; qkv.len() / 3]);
        for (row, output) in mixed.chunks_mut(d).enumerate() {
            let image = row / tokens * tokens;
            for (column, output) in output.iter_mut().enumerate() {
                let head = column / width * width;
                let entry = |row: usize, part: usize, column: usize| qkv[row * 3 * d + part * d + column];
                let score = |key: usize| {
                    let dot = (head..head + width).map(|c| entry(row, 0, c) * entry(key, 1, c)).sum::<f64>();
                    (dot / (width as f64).sqrt()).exp()
                };
                let total: f64 = (image..image + tokens).map(score).sum();
                *output = (image..image + tokens).map(|key| score(key) / total * entry(key, 2, column)).sum();
            }
        }
        mixed
    }

    #[test]
    fn forward_and_backward_are_those_of_plain_loops() {
        let mut stream = Stream::new(10, Purpose::Weights, &[]);
        for (images, tokens, heads, d) in [(1, 1, 1, 3), (2, 3, 2, 6), (3, 5, 1, 2), (1, 17, 2, 4)] {
            let (rows, heads) = (images * tokens, Heads { tokens, heads });
            let (mut qkv, signal) = (stream.normal(rows * 3 * d, 1.0), stream.normal(rows * d, 1.0));
            let wide: Vec<f64> = qkv.iter().map(|value| f64::from(*value)).collect();
            let mut mixed = vec![0.0; rows * d];
            attend(&qkv, &mut mixed, d, heads);
            let expected = plain(&wide, d, heads);
            assert!(
                mixed.iter().zip(&expected).all(|(a, b)| (f64::from(*a) - b).abs() < 1e-5),
                "{mixed:?} {expected:?}"
            );
            attend_backward(&mut qkv, &signal, d, heads);
            let at = |index: usize, moved: f64| -> f64 {
                let mut qkv = wide.clone();
                qkv[index] += moved;
                plain(&qkv, d, heads).iter().zip(&signal).map(|(output, signal)| output * f64::from(*signal)).sum()
            };
            for (index, found) in qkv.iter().enumerate() {
                let expected = (at(index, 1e-5) - at(index, -1e-5)) / 2e-5;
                assert!((f64::from(*found) - expected).abs() < 1e-4 * (1.0 + expected.abs()), "{found} {expected}");
            }
        }
    }
}
