//! Randomness that belongs to a place in a run, not to a moment: any epoch's order can be had without the epochs before it.

use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng, SeedableRng},
};

/// What a stream of random numbers is used for; streams of different purposes never share a key.
pub(crate) const ORDER: [u8; 8] = *b"order\0\0\0";
/// See [`ORDER`].
pub(crate) const AUGMENT: [u8; 8] = *b"augment\0";

/// The generator of `hash(purpose, seed, epoch, index)`: ChaCha8 whose 32-byte key is `seed || epoch || index || purpose`, each 8 bytes, little-endian.
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
/// Written out rather than taken from `rand`, which may change how it draws a range, and with it every published result.
pub(crate) fn below(generator: &mut ChaCha8Rng, bound: usize) -> usize {
    ((bound as u128 * u128::from(generator.next_u64())) >> 64) as usize
}

/// The order in which epoch `epoch` of a run with seed `seed` visits `n` images: a permutation of `0..n`.
///
/// Fisher-Yates from the end, `for i in (1..n).rev() { swap(i, below(i + 1)) }`, on ChaCha8 keyed by (seed, epoch): the same on every machine.
///
/// # Panics
/// If `n` does not fit `u32`.
pub fn epoch_order(seed: u64, epoch: u64, n: usize) -> Vec<u32> {
    let n = u32::try_from(n).expect("a data set has fewer than 2^32 images");
    let mut generator = generator(ORDER, seed, epoch, 0);
    let mut order: Vec<u32> = (0..n).collect();
    for last in (1..order.len()).rev() {
        order.swap(last, below(&mut generator, last + 1));
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_is_a_permutation_of_its_seed_and_epoch() {
        let order = epoch_order(7, 3, 1000);
        let mut sorted = order.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..1000).collect::<Vec<u32>>());
        assert_eq!(order, epoch_order(7, 3, 1000));
        assert_ne!(order, epoch_order(7, 4, 1000));
        assert_ne!(order, epoch_order(8, 3, 1000));
        assert_ne!(epoch_order(1, 0, 1000), epoch_order(0, 1, 1000));
    }

    #[test]
    fn small_orders() {
        assert_eq!(epoch_order(0, 0, 0), Vec::<u32>::new());
        assert_eq!(epoch_order(0, 0, 1), [0]);
    }

    /// All 24 orders of four images, each within 5 standard deviations (31) of 1000 times in 24,000 epochs.
    #[test]
    fn every_order_is_equally_likely() {
        let mut seen = std::collections::HashMap::<Vec<u32>, i32>::new();
        for epoch in 0..24_000 {
            *seen.entry(epoch_order(1, epoch, 4)).or_default() += 1;
        }
        assert_eq!(seen.len(), 24);
        assert!(seen.values().all(|&times| (times - 1000).abs() < 155), "{seen:?}");
    }

    /// From `reference/order.py`. A change here changes every result.
    #[test]
    fn orders_are_those_of_the_reference() {
        assert_eq!(epoch_order(3, 5, 8), [6, 4, 3, 7, 2, 0, 1, 5]);
        assert_eq!(epoch_order(0, 0, 8), [2, 5, 3, 4, 6, 0, 1, 7]);
    }
}
