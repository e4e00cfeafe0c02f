//! The order in which images are visited, trained on and held out: functions of seed and epoch.

use crate::error::DataError;
use crate::random::{ORDER, PART, generator, shuffle};
use std::ops::Range;

/// The order in which epoch `epoch` of a run with seed `seed` visits `n` images: a permutation of `0..n`.
///
/// Fisher-Yates from the end, `for i in (1..n).rev() { swap(i, below(i + 1)) }`, on ChaCha8 keyed by (seed, epoch): the
/// same on every machine.
///
/// # Panics
/// If `n` does not fit `u32`.
pub fn epoch_order(seed: u64, epoch: u64, n: usize) -> Vec<u32> {
    let n = u32::try_from(n).expect("a data set has fewer than 2^32 images");
    let mut order: Vec<u32> = (0..n).collect();
    shuffle(&mut order, &mut generator(ORDER, seed, epoch, 0));
    order
}

/// An order of `n` images that is the same in every run: which of them are held out, or left in a smaller set.
pub(crate) fn fixed_order(n: usize) -> Vec<u32> {
    let mut order: Vec<u32> = (0..n as u32).collect();
    shuffle(&mut order, &mut generator(PART, 0, 0, 0));
    order
}

/// An order for images that are read in `units`: the units are shuffled, and the images of as many of them as hold
/// `window` images, over and over. Images far apart in the store meet in a batch, and no more than a window of them
/// need be at hand.
///
/// A list of windows, a function of (seed, epoch) like [`epoch_order`]; for units of one image each their concatenation
/// is a shuffle of all.
pub(crate) fn windowed_order(seed: u64, epoch: u64, units: &[Range<usize>], window: usize) -> Vec<Window> {
    let mut generator = generator(ORDER, seed, epoch, 0);
    let mut units = units.to_vec();
    shuffle(&mut units, &mut generator);
    let mut windows = windows(units, window);
    windows.iter_mut().for_each(|window| shuffle(&mut window.images, &mut generator));
    windows
}

/// The `units` in their order, as many together as hold `window` images.
pub(crate) fn windows(units: Vec<Range<usize>>, window: usize) -> Vec<Window> {
    let mut windows = Vec::new();
    let mut rest = units.into_iter().peekable();
    while rest.peek().is_some() {
        let mut next = Window::default();
        while let Some(unit) = rest.next_if(|_| next.images.len() < window) {
            next.images.extend(unit.clone().map(|image| image as u32));
            next.units.push(unit);
        }
        windows.push(next);
    }
    windows
}

/// How many of `total` training images are left when the last `held_out` of them are held out, and how many of these
/// are trained on.
///
/// # Errors
/// [`DataError::Setting`], if there are too few images.
pub fn parts(total: usize, held_out: Option<usize>, limit: Option<usize>) -> Result<(usize, usize), DataError> {
    let wrong = |key, value, reason| DataError::Setting { key, value, reason };
    let kept = match held_out {
        Some(held_out) if held_out >= total => {
            return Err(wrong("validation", held_out, format!("there are {total} training images")));
        }
        held_out => total - held_out.unwrap_or(0),
    };
    match limit {
        Some(limit) if limit > kept => {
            Err(wrong("train_limit", limit, format!("only {kept} training images are left")))
        }
        limit => Ok((kept, limit.unwrap_or(kept))),
    }
}

/// Images that are at hand together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Window {
    /// What is read.
    pub(crate) units: Vec<Range<usize>>,
    /// The images of the units, in the order in which they are used.
    pub(crate) images: Vec<u32>,
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
    fn windows_hold_whole_units_and_every_image_once() {
        let units: Vec<Range<usize>> = (0..40).map(|unit| unit * 25..(unit + 1) * 25).collect();
        let windows = windowed_order(7, 3, &units, 100);
        assert_eq!(windows, windowed_order(7, 3, &units, 100));
        assert_ne!(windows, windowed_order(7, 4, &units, 100));
        assert_eq!(windows.iter().map(|window| window.images.len()).collect::<Vec<_>>(), [100; 10]);
        for window in &windows {
            let mut images = window.images.clone();
            images.sort_unstable();
            let mut units: Vec<u32> = window.units.iter().flat_map(|unit| unit.start as u32..unit.end as u32).collect();
            units.sort_unstable();
            assert_eq!(images, units);
        }
        let mut all: Vec<u32> = windows.into_iter().flat_map(|window| window.images).collect();
        all.sort_unstable();
        assert_eq!(all, (0..1000).collect::<Vec<u32>>());
        assert!(windowed_order(0, 0, &[], 10).is_empty());
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
