//! Augmentation on bytes, before normalisation, as torchvision's transforms do on PIL images.

mod bilinear;
pub(crate) mod evaluate;
mod ops;
mod policy;
#[cfg(test)]
mod reference;
mod resize;

pub use self::policy::Policy;
pub(crate) use self::resize::centre;
use crate::format::picture::Picture;
use crate::random::{AUGMENT, CROP, POLICY, below, generator};
use rand_chacha::rand_core::Rng;

/// In this order: random resized crop, random crop after zero padding, random horizontal flip, AutoAugment:
/// torchvision's `RandomResizedCrop(size)`, `RandomCrop(size, padding)`, `RandomHorizontalFlip()` and
/// `AutoAugment(policy)`.
///
/// The outcome is a function of (seed, epoch, index) alone, ChaCha8 keyed by them, whatever the batch and its order;
/// `index` is the image's place in its split. Crop, flip and policy draw from streams of their own: switching one on
/// does not change the others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Augment {
    /// Whether to mirror an image left to right, with probability 1/2.
    pub flip: bool,
    /// Zero pixels added on each side before a crop of the image's own size; 0 leaves the image in place. Padding is
    /// byte 0, hence black, not the mean.
    pub crop_padding: usize,
    /// Whether a random part of an image, 8 to 100 percent of its area, is taken at the image's shape, in place of the
    /// whole.
    pub resized_crop: bool,
    /// The learned policy that is applied last, if any.
    pub policy: Option<Policy>,
}

/// What was drawn for one image: where its crop starts in the padded image, and whether that crop is mirrored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Whether to mirror the crop left to right.
    pub flip: bool,
    /// The crop's first row, in `0..=2 * crop_padding`.
    pub top: usize,
    /// The crop's first column, likewise.
    pub left: usize,
}

impl Augment {
    /// What is wrong with it for images of `[C, H, W] = shape`, if anything is: a sentence without its end.
    pub fn problem(&self, [_, height, width]: [usize; 3]) -> Option<String> {
        let (padding, side) = (self.crop_padding, height.min(width));
        // From there on a crop may be nothing but padding.
        (padding >= side).then(|| {
            format!("`crop_padding` = {padding}: images of {height} x {width} pixels take at most {}", side - 1)
        })
    }

    /// Writes the augmented image `src` to `dst`, both `[C, H, W] = shape`.
    ///
    /// # Panics
    /// If `src` or `dst` does not have `C * H * W` bytes.
    pub fn apply(&self, src: &[u8], shape: [usize; 3], dst: &mut [u8], seed: u64, epoch: u64, index: u64) {
        if self.only_places() && !self.flip && self.crop_padding == 0 {
            return dst.copy_from_slice(src);
        }
        if self.only_places() {
            return self.place(src, shape, dst, self.place_of(seed, epoch, index));
        }
        self.picture(&Picture::from_planes(src, shape), shape, dst, seed, epoch, index);
    }

    /// The same for an image of any size; without [`resized_crop`](Self::resized_crop) it must have the shape already.
    pub(crate) fn picture(&self, src: &Picture, shape: [usize; 3], dst: &mut [u8], seed: u64, epoch: u64, index: u64) {
        let mut planes = vec![0; dst.len()];
        match self.resized_crop {
            true => {
                let area = resize::random_area(src.width, src.height, &mut generator(CROP, seed, epoch, index));
                let part = resize::crop(src, area.left, area.top, area.width, area.height);
                resize::resize(&part, shape[2], shape[1]).planes(&mut planes);
            }
            false => src.planes(&mut planes),
        }
        self.place(&planes, shape, dst, self.place_of(seed, epoch, index));
        if let Some(policy) = self.policy {
            let mut picture = Picture::from_planes(dst, shape);
            policy.apply(&mut picture, &mut generator(POLICY, seed, epoch, index));
            picture.planes(dst);
        }
    }

    /// Whether images are only moved and mirrored, as [`place_of`](Self::place_of) says.
    pub fn only_places(&self) -> bool {
        !self.resized_crop && self.policy.is_none()
    }

    /// Where image `index` is put in `epoch`; for callers that crop on the device.
    // The flip is drawn before the crop, so that padding does not change which images are flipped.
    pub fn place_of(&self, seed: u64, epoch: u64, index: u64) -> Place {
        let mut generator = generator(AUGMENT, seed, epoch, index);
        let flip = generator.next_u64() >> 63 == 1 && self.flip;
        let offsets = 2 * self.crop_padding + 1;
        let (top, left) = (below(&mut generator, offsets), below(&mut generator, offsets));
        Place { flip, top, left }
    }

    fn place(&self, src: &[u8], shape: [usize; 3], dst: &mut [u8], draw: Place) {
        let [_, height, width] = shape;
        let size: usize = shape.iter().product();
        assert!(
            src.len() == size && dst.len() == size,
            "an image of shape {shape:?} has {size} bytes, not {} and {}",
            src.len(),
            dst.len()
        );
        if size == 0 {
            return;
        }
        let padding = self.crop_padding;
        let (rows, columns) = (covered(draw.top, padding, height), covered(draw.left, padding, width));
        dst.fill(0);
        if columns.is_empty() {
            return;
        }
        for (src, dst) in src.chunks_exact(height * width).zip(dst.chunks_exact_mut(height * width)) {
            for row in rows.clone() {
                let from = (row + draw.top - padding) * width + columns.start + draw.left - padding;
                dst[row * width..][columns.clone()].copy_from_slice(&src[from..from + columns.len()]);
            }
            if draw.flip {
                dst.chunks_exact_mut(width).for_each(<[u8]>::reverse);
            }
        }
    }
}

/// The rows (columns) of a crop starting at `offset` of the padded image that lie on the image itself; may be empty
/// where the padding exceeds the image.
fn covered(offset: usize, padding: usize, size: usize) -> std::ops::Range<usize> {
    let start = padding.saturating_sub(offset).min(size);
    let end = (size + padding).saturating_sub(offset).min(size);
    start..end.max(start)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: [usize; 3] = [1, 2, 3];
    const IMAGE: [u8; 6] = [1, 2, 3, 4, 5, 6];

    fn placed(crop_padding: usize, flip: bool, top: usize, left: usize) -> [u8; 6] {
        let mut dst = [9; 6];
        Augment { flip, crop_padding, ..Augment::default() }.place(&IMAGE, SHAPE, &mut dst, Place { flip, top, left });
        dst
    }

    /// By hand: padded by 1, the image [[1, 2, 3], [4, 5, 6]] is [[0; 5], [0, 1, 2, 3, 0], [0, 4, 5, 6, 0], [0; 5]];
    /// crops of 2 x 3 from (top, left).
    #[test]
    fn crops_by_hand() {
        assert_eq!(placed(1, false, 0, 0), [0, 0, 0, 0, 1, 2]);
        assert_eq!(placed(1, false, 1, 1), IMAGE);
        assert_eq!(placed(1, false, 2, 2), [5, 6, 0, 0, 0, 0]);
        assert_eq!(placed(1, false, 1, 0), [0, 1, 2, 0, 4, 5]);
        assert_eq!(placed(1, true, 1, 0), [2, 1, 0, 5, 4, 0]);
        assert_eq!(placed(5, false, 0, 5), [0; 6]);
        assert_eq!(placed(5, false, 5, 0), [0; 6]);
        assert_eq!(placed(5, false, 10, 10), [0; 6]);
    }

    #[test]
    fn flipping_twice_or_cropping_by_nothing_is_the_identity() {
        let flip = placed(0, true, 0, 0);
        assert_eq!(flip, [3, 2, 1, 6, 5, 4]);
        let mut twice = [0; 6];
        Augment { flip: true, ..Augment::default() }.place(
            &flip,
            SHAPE,
            &mut twice,
            Place { flip: true, top: 0, left: 0 },
        );
        assert_eq!(twice, IMAGE);
        let mut dst = [0; 6];
        for index in 0..50 {
            Augment::default().apply(&IMAGE, SHAPE, &mut dst, 1, 2, index);
            assert_eq!(dst, IMAGE);
        }
    }

    /// From `reference/order.py`. A change here changes every result.
    #[test]
    fn draws_are_those_of_the_reference() {
        let augment = Augment { flip: true, crop_padding: 4, ..Augment::default() };
        let draws = [(false, 3, 5), (false, 1, 1), (true, 8, 2), (true, 1, 3)];
        for (index, (flip, top, left)) in draws.into_iter().enumerate() {
            assert_eq!(augment.place_of(1, 2, index as u64), Place { flip, top, left });
            assert!(!Augment { flip: false, ..augment }.place_of(1, 2, index as u64).flip);
        }
    }

    #[test]
    fn channels_move_together() {
        let image: Vec<u8> = (1..=24).collect();
        let mut dst = vec![0; 24];
        for index in 0..50 {
            Augment { flip: true, crop_padding: 2, ..Augment::default() }.apply(
                &image,
                [2, 3, 4],
                &mut dst,
                0,
                0,
                index,
            );
            for (first, second) in dst[..12].iter().zip(&dst[12..]) {
                assert_eq!(*second, if *first == 0 { 0 } else { first + 12 });
            }
        }
    }

    #[test]
    fn the_draw_depends_on_seed_epoch_and_index_alone() {
        let (image, augment) =
            ((0..=255).collect::<Vec<u8>>(), Augment { flip: true, crop_padding: 4, ..Augment::default() });
        let run = |seed, epoch, index| {
            let mut dst = vec![0; 256];
            augment.apply(&image, [1, 16, 16], &mut dst, seed, epoch, index);
            dst
        };
        let run20 = |seed, epoch, from| (from..from + 20).map(|index| run(seed, epoch, index)).collect::<Vec<_>>();
        assert_eq!(run20(1, 2, 3), run20(1, 2, 3));
        assert_ne!(run20(1, 2, 3), run20(2, 2, 3));
        assert_ne!(run20(1, 2, 3), run20(1, 3, 3));
        assert_ne!(run20(1, 2, 3), run20(1, 2, 40));
    }

    /// 81 places and two directions: every one occurs, flips in half of 4000 draws to within 5 standard deviations
    /// (32).
    #[test]
    fn every_place_and_direction_occurs() {
        let image: Vec<u8> = (1..=81).collect();
        let mut seen = std::collections::HashMap::<Vec<u8>, usize>::new();
        let mut flips = 0;
        for index in 0..4000 {
            let (mut both, mut flipped) = (vec![0; 81], vec![0; 81]);
            Augment { flip: true, crop_padding: 4, ..Augment::default() }.apply(
                &image,
                [1, 9, 9],
                &mut both,
                5,
                0,
                index,
            );
            Augment { flip: true, ..Augment::default() }.apply(&image, [1, 9, 9], &mut flipped, 5, 0, index);
            *seen.entry(both).or_default() += 1;
            flips += usize::from(flipped != image);
        }
        assert_eq!(seen.len(), 162);
        assert!((1842..=2158).contains(&flips), "{flips}");
    }

    #[test]
    fn one_part_does_not_change_what_another_draws() {
        let shape = [3, 16, 16];
        let image: Vec<u8> = (0..768).map(|i| (i % 251) as u8).collect();
        let run = |augment: Augment, index| {
            let mut dst = vec![0; 768];
            augment.apply(&image, shape, &mut dst, 1, 2, index);
            dst
        };
        let all = Augment { flip: true, crop_padding: 4, resized_crop: false, policy: Some(Policy::Cifar) };
        let mut changed = 0;
        for index in 0..40 {
            // The policy on top of what crop and flip alone give.
            let mut by_hand = Picture::from_planes(&run(Augment { policy: None, ..all }, index), shape);
            Policy::Cifar.apply(&mut by_hand, &mut generator(POLICY, 1, 2, index));
            let mut planes = vec![0; 768];
            by_hand.planes(&mut planes);
            assert_eq!(run(all, index), planes);
            changed += usize::from(planes != run(Augment { policy: None, ..all }, index));
            assert_eq!(run(all, index), run(all, index));
            assert_ne!(run(Augment { resized_crop: true, ..Augment::default() }, index), image);
        }
        assert!(changed > 20, "{changed}");
    }
}
