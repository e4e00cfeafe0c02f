//! Random numbers drawn on the host, so that a seed gives the same bits on every device.
//!
//! A [`Stream`] is named by a seed and a path of numbers (which layer, which matrix, which step). Streams with
//! different names are independent: adding a layer on top never changes what a lower layer draws.

use burn::tensor::{Device, Shape, Tensor, TensorData};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// What a stream is for; keeps streams of one seed apart.
#[derive(Clone, Copy, Debug)]
pub enum Purpose {
    /// Initial weights of a network.
    Weights = 1,
    /// Fixed random projections of SLL.
    Projection = 2,
    /// Fixed random feedback matrices.
    Feedback = 3,
    /// Dropout masks inside layers.
    Dropout = 4,
    /// Masks on SLL's projections.
    ProjectionDropout = 5,
    /// Wrong labels of contrastive rules.
    Negative = 6,
    /// Noise on targets and inputs of a rule.
    Noise = 7,
    /// Initial values of what a rule learns besides the network.
    Learned = 8,
}

/// A seeded stream of random numbers with a name of its own.
pub struct Stream(ChaCha8Rng);

impl Stream {
    /// The stream of `seed` for `purpose` at `path`.
    pub fn new(seed: u64, purpose: Purpose, path: &[u64]) -> Self {
        Self(ChaCha8Rng::seed_from_u64(key(seed, purpose, path)))
    }

    /// A number uniform in `[0, 1)`, with 24 random bits.
    fn unit(&mut self) -> f32 {
        (self.0.next_u32() >> 8) as f32 / (1u32 << 24) as f32
    }

    /// `n` values of `N(0, std²)` (Box-Muller, in f64).
    pub fn normal(&mut self, n: usize, std: f64) -> Vec<f32> {
        let mut out = Vec::with_capacity(n + 1);
        while out.len() < n {
            // 1 - u lies in (0, 1], so the logarithm is finite.
            let u1 = 1.0 - (self.0.next_u64() >> 11) as f64 / (1u64 << 53) as f64;
            let u2 = (self.0.next_u64() >> 11) as f64 / (1u64 << 53) as f64;
            let (radius, angle) = ((-2.0 * u1.ln()).sqrt() * std, std::f64::consts::TAU * u2);
            out.push((radius * angle.cos()) as f32);
            out.push((radius * angle.sin()) as f32);
        }
        out.truncate(n);
        out
    }

    /// `n` values uniform in `[-bound, bound)`.
    pub fn uniform(&mut self, n: usize, bound: f64) -> Vec<f32> {
        (0..n).map(|_| (2.0 * self.unit() - 1.0) * bound as f32).collect()
    }

    /// `n` values of `±scale`, each sign with probability one half.
    pub fn signs(&mut self, n: usize, scale: f64) -> Vec<f32> {
        (0..n).map(|_| if self.0.next_u32() & 1 == 0 { scale as f32 } else { -scale as f32 }).collect()
    }

    /// `n` whole numbers uniform in `0..bound`.
    pub fn below(&mut self, n: usize, bound: usize) -> Vec<usize> {
        (0..n).map(|_| ((u64::from(self.0.next_u32()) * bound as u64) >> 32) as usize).collect()
    }
}

/// `values` as a tensor of `shape` on `device`.
pub fn upload<const D: usize>(values: Vec<f32>, shape: [usize; D], device: &Device) -> Tensor<D> {
    Tensor::from_data(TensorData::new(values, Shape::from(shape)), device)
}

/// The name of a stream as one number.
pub fn key(seed: u64, purpose: Purpose, path: &[u64]) -> u64 {
    mix(mix(seed, purpose as u64), hash(path))
}

/// SplitMix64's finaliser over two words.
pub fn mix(a: u64, b: u64) -> u64 {
    let mut z = a ^ b.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(31);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

fn hash(path: &[u64]) -> u64 {
    path.iter().fold(0x5_11, |acc, &part| mix(acc, part.wrapping_add(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(seed: u64, path: &[u64]) -> Stream {
        Stream::new(seed, Purpose::Weights, path)
    }

    #[test]
    fn a_name_gives_the_same_numbers_and_another_name_others() {
        assert_eq!(stream(1, &[2]).normal(8, 1.0), stream(1, &[2]).normal(8, 1.0));
        assert_ne!(stream(1, &[2]).normal(8, 1.0), stream(1, &[3]).normal(8, 1.0));
        assert_ne!(stream(1, &[2]).normal(8, 1.0), stream(2, &[2]).normal(8, 1.0));
        let other = Stream::new(1, Purpose::Projection, &[2]).normal(8, 1.0);
        assert_ne!(stream(1, &[2]).normal(8, 1.0), other);
    }

    fn moments(values: &[f32]) -> (f64, f64) {
        let n = values.len() as f64;
        let mean = values.iter().map(|&v| f64::from(v)).sum::<f64>() / n;
        (mean, values.iter().map(|&v| (f64::from(v) - mean).powi(2)).sum::<f64>() / n)
    }

    #[test]
    fn laws_have_their_mean_and_variance() {
        let n = 100_000;
        for (values, variance) in [
            (stream(7, &[]).normal(n, 0.5), 0.25),
            (stream(7, &[]).uniform(n, 0.5), 0.25 / 3.0),
            (stream(7, &[]).signs(n, 0.5), 0.25),
        ] {
            let (mean, var) = moments(&values);
            assert!(mean.abs() < 0.01, "mean {mean}");
            assert!((var / variance - 1.0).abs() < 0.02, "variance {var}, expected {variance}");
        }
    }
}
