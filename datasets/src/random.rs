//! Randomness that belongs to a place in a run, not to a moment: any epoch's order can be had without the epochs before
//! it.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// What a stream of random numbers is used for; streams of different purposes never share a key.
pub(crate) const ORDER: [u8; 8] = *b"order\0\0\0";
/// See [`ORDER`].
pub(crate) const AUGMENT: [u8; 8] = *b"augment\0";
/// See [`ORDER`].
pub(crate) const POLICY: [u8; 8] = *b"policy\0\0";
/// See [`ORDER`].
pub(crate) const CROP: [u8; 8] = *b"crop\0\0\0\0";
/// See [`ORDER`].
pub(crate) const PART: [u8; 8] = *b"part\0\0\0\0";

/// The generator of `hash(purpose, seed, epoch, index)`: ChaCha8 whose 32-byte key is `seed || epoch || index ||
/// purpose`, each 8 bytes, little-endian.
///
/// The key is the four values themselves, so no two of them collide; ChaCha8 does the hashing.
pub(crate) fn generator(purpose: [u8; 8], seed: u64, epoch: u64, index: u64) -> ChaCha8Rng {
    let mut key = [0; 32];
    for (part, value) in
        key.chunks_exact_mut(8).zip([seed.to_le_bytes(), epoch.to_le_bytes(), index.to_le_bytes(), purpose])
    {
        part.copy_from_slice(&value);
    }
    ChaCha8Rng::from_seed(key)
}

/// A number in `0..bound`: the high half of `bound * next_u64()`, whose bias is below `bound / 2^64`.
///
/// Written out rather than taken from `rand`, which may change how it draws a range, and with it every published
/// result.
pub(crate) fn below(generator: &mut ChaCha8Rng, bound: usize) -> usize {
    ((bound as u128 * u128::from(generator.next_u64())) >> 64) as usize
}

/// Fisher-Yates from the end: `for i in (1..n).rev() { swap(i, below(i + 1)) }`.
pub(crate) fn shuffle<T>(items: &mut [T], generator: &mut ChaCha8Rng) {
    for last in (1..items.len()).rev() {
        items.swap(last, below(generator, last + 1));
    }
}
