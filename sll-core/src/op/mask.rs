//! Inverted-dropout masks `M [n, m]`: `0` with probability `rate`, else `1 / (1 - rate)`; the same bits on every
//! device, and made where they are used, since a copy from the host would hold up a GPU in every layer of every step.
//!
//! A counter-based generator: entry `i` is kept where `h(h(i ^ a) ^ b) >> 8 ≥ rate 2²⁴`, with `a`, `b` the halves of
//! the key and `h` a bijection of 32-bit words in which each bit of the input turns each bit of the output with
//! probability close to one half (Wellons, "Prospecting for hash functions", 2018: `lowbias32`). Any element can be had
//! by itself.

use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, Flex, TensorMetadata, backend_extension};
use burn::backend::{autodiff::checkpoint::strategy::CheckpointStrategy, ops::FloatTensorOps, tensor::IntTensor};
use burn::tensor::{DType, Tensor, TensorData};

const FIRST: u32 = 0x7feb_352d;
const SECOND: u32 = 0x846c_a68b;

/// Backend operation behind [`keep_mask`].
#[backend_extension(Flex, LibTorch: cfg(feature = "tch"), Autodiff)]
pub trait MaskOps: Backend {
    /// A mask of the shape of `like`, and where that is.
    fn keep_mask(like: FloatTensor<Self>, key: u64, rate: f64) -> FloatTensor<Self> {
        on_device::<Self>(&like, key, rate)
    }
}

impl MaskOps for Flex {
    // A loop over numbers in registers, where whole tensors of integers would be read and written a dozen times.
    fn keep_mask(like: FloatTensor<Self>, key: u64, rate: f64) -> FloatTensor<Self> {
        let (first, second) = halves(key);
        let (least, kept) = (threshold(rate), scale(rate));
        let entry = |i: usize| if hash(hash(i as u32 ^ first) ^ second) >> 8 < least { 0.0 } else { kept };
        let values: Vec<f32> = (0..like.shape().num_elements()).map(entry).collect();
        Self::float_from_data(TensorData::new(values, like.shape()), &like.device())
    }
}

#[cfg(feature = "tch")]
impl MaskOps for burn::backend::LibTorch {}

impl<B: MaskOps, C: CheckpointStrategy> MaskOps for Autodiff<B, C> {
    fn keep_mask(like: FloatTensor<Self>, key: u64, rate: f64) -> FloatTensor<Self> {
        FloatTensor::<Self>::new(B::keep_mask(like.into_primitive(), key, rate))
    }
}

/// 32-bit words in 64-bit integers (LibTorch has no others in burn), cut back after each product.
fn on_device<B: Backend>(like: &FloatTensor<B>, key: u64, rate: f64) -> FloatTensor<B> {
    let (first, second) = halves(key);
    let (shape, device) = (like.shape(), like.device());
    let words = B::int_arange(0..shape.num_elements() as i64, &device, DType::I64.into());
    let xor = |words, with: u32| B::bitwise_xor_scalar(words, i64::from(with).into());
    let words = hash_words::<B>(xor(hash_words::<B>(xor(words, first)), second));
    // -1 where the word lies below the threshold, else 0: from there to 0 and 1.
    let below = B::int_sub_scalar(shifted::<B>(words, 8), i64::from(threshold(rate)).into());
    let kept = B::int_add_scalar(shifted::<B>(below, 63), 1i64.into());
    let kept = B::float_reshape(B::int_into_float(kept, like.dtype().into()), shape);
    B::float_mul_scalar(kept, f64::from(scale(rate)).into())
}

fn hash_words<B: Backend>(words: IntTensor<B>) -> IntTensor<B> {
    let fold = |words: IntTensor<B>, bits| B::bitwise_xor(words.clone(), shifted::<B>(words, bits));
    let times = |words, by: u32| {
        B::bitwise_and_scalar(B::int_mul_scalar(words, i64::from(by).into()), i64::from(u32::MAX).into())
    };
    fold(times(fold(times(fold(words, 16), FIRST), 15), SECOND), 16)
}

fn shifted<B: Backend>(words: IntTensor<B>, bits: i64) -> IntTensor<B> {
    B::bitwise_right_shift_scalar(words, bits.into())
}

fn hash(word: u32) -> u32 {
    let word = (word ^ word >> 16).wrapping_mul(FIRST);
    let word = (word ^ word >> 15).wrapping_mul(SECOND);
    word ^ word >> 16
}

fn halves(key: u64) -> (u32, u32) {
    (key as u32, (key >> 32) as u32)
}

fn threshold(rate: f64) -> u32 {
    (rate * f64::from(1 << 24)).round() as u32
}

fn scale(rate: f64) -> f32 {
    (1.0 / (1.0 - rate)) as f32
}

/// The mask of `key` at `rate`, of the shape of `like` and on its device.
pub fn keep_mask(like: &Tensor<2>, key: u64, rate: f64) -> Tensor<2> {
    Tensor::from_dispatch(<Dispatch as MaskOps>::keep_mask(like.clone().into_dispatch(), key, rate))
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    fn values(mask: Tensor<2>) -> Vec<f32> {
        mask.into_data().try_to_vec().expect("masks are f32")
    }

    fn mask(key: u64, shape: [usize; 2], rate: f64, device: &Device) -> Vec<f32> {
        values(keep_mask(&Tensor::zeros(shape, device), key, rate))
    }

    /// The same in Python:
    /// ```python
    /// def h(x):
    ///     x ^= x >> 16; x = x * 0x7feb352d & 0xffffffff
    ///     x ^= x >> 15; x = x * 0x846ca68b & 0xffffffff
    ///     return x ^ x >> 16
    /// print([h(x) for x in (0, 1, 2, 0xffffffff)])
    /// k = 0x0123456789abcdef; a, b = k & 0xffffffff, k >> 32
    /// print([int(h(h(i ^ a) ^ b) >> 8 >= 0.3 * 2**24) for i in range(16)])
    /// ```
    #[test]
    fn words_and_entries_are_those_of_the_reference() {
        assert_eq!([0, 1, 2, u32::MAX].map(hash), [0, 0x6889_90c0, 0xd113_2181, 0x6768_824a]);
        let kept = mask(0x0123_4567_89ab_cdef, [4, 4], 0.3, &Device::flex());
        assert_eq!(
            kept.iter().map(|&m| u8::from(m > 0.0)).collect::<Vec<_>>(),
            [0, 1, 1, 0, 1, 1, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1]
        );
        assert!(kept.iter().all(|&m| m == 0.0 || m == (1.0f64 / 0.7) as f32));
    }

    /// Shares of kept entries, of kept neighbours (in a row and in a column) and of entries kept under neighbouring
    /// keys: within 5 standard deviations of what independent draws give.
    #[test]
    fn entries_are_as_good_as_independent() {
        let (rows, columns) = (512, 512);
        for rate in [0.05, 0.2, 0.5, 0.9] {
            let keep = 1.0 - rate;
            let near = |count: usize, of: usize, p: f64| {
                let deviation = (p * (1.0 - p) / of as f64).sqrt();
                assert!((count as f64 / of as f64 - p).abs() < 5.0 * deviation, "{count} of {of} at rate {rate}");
            };
            let m = mask(7, [rows, columns], rate, &Device::flex());
            let other = mask(8, [rows, columns], rate, &Device::flex());
            let both = |i: usize, j: usize| m[i] > 0.0 && m[j] > 0.0;
            let n = rows * columns;
            near(m.iter().filter(|&&m| m > 0.0).count(), n, keep);
            near((1..n).filter(|&i| both(i - 1, i)).count(), n - 1, keep * keep);
            near((columns..n).filter(|&i| both(i - columns, i)).count(), n - columns, keep * keep);
            near((0..n).filter(|&i| m[i] > 0.0 && other[i] > 0.0).count(), n, keep * keep);
        }
    }

    #[cfg(feature = "tch")]
    #[test]
    #[allow(deprecated, reason = "burn-tch goes away in burn 0.23")]
    fn libtorch_makes_the_same_bits() {
        for (key, rate) in [(0, 0.2), (u64::MAX, 0.5), (0x0123_4567_89ab_cdef, 0.9)] {
            assert_eq!(mask(key, [300, 70], rate, &Device::flex()), mask(key, [300, 70], rate, &Device::libtorch()));
        }
    }
}
