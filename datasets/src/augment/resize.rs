//! Sizes: the crops of training and evaluation on ImageNet.

use super::bilinear::part;
pub(crate) use super::bilinear::resize;
use super::policy::uniform;
use crate::format::picture::Picture;
use crate::random::below;
use rand_chacha::ChaCha8Rng;

/// The part of an image from `(left, top)` on.
pub(crate) fn crop(picture: &Picture, left: usize, top: usize, width: usize, height: usize) -> Picture {
    let channels = picture.channels;
    let mut pixels = Vec::with_capacity(width * height * channels);
    for row in picture.pixels.chunks_exact((picture.width * channels).max(1)).skip(top).take(height) {
        pixels.extend_from_slice(&row[left * channels..(left + width) * channels]);
    }
    Picture { width, height, channels, pixels }
}

/// For evaluation: the shorter side to `side`, then the centre of `height` x `width`; torchvision's `Resize(side)` and
/// `CenterCrop`. Only the centre is made, since a line of pixels, resized, would fill gigabytes.
pub(crate) fn centre(picture: &Picture, side: usize, height: usize, width: usize) -> Picture {
    let (short, long) = (picture.width.min(picture.height).max(1), picture.width.max(picture.height).max(1));
    let other = side * long / short;
    let size = if picture.width <= picture.height { [side, other] } else { [other, side] };
    let offset = |have: usize, want: usize| ((have - want) as f64 / 2.0).round_ties_even() as usize;
    let (left, top) = (offset(size[0], width), offset(size[1], height));
    part(picture, size, left..left + width, top..top + height)
}

/// Where a random crop lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Area {
    pub(crate) left: usize,
    pub(crate) top: usize,
    pub(crate) width: usize,
    pub(crate) height: usize,
}

/// A crop of 8 to 100 percent of the image's area and a ratio of sides of 3/4 to 4/3, its logarithm drawn evenly; after
/// ten that do not fit, the largest centred crop of an allowed ratio. torchvision's `RandomResizedCrop`. Each try draws
/// area and ratio, one that fits top and left.
pub(crate) fn random_area(width: usize, height: usize, generator: &mut ChaCha8Rng) -> Area {
    let (low, high) = ((3.0f64 / 4.0).ln(), (4.0f64 / 3.0).ln());
    for _ in 0..10 {
        let area = (width * height) as f64 * (0.08 + 0.92 * uniform(generator));
        let ratio = (low + (high - low) * uniform(generator)).exp();
        let w = (area * ratio).sqrt().round_ties_even() as usize;
        let h = (area / ratio).sqrt().round_ties_even() as usize;
        if (1..=width).contains(&w) && (1..=height).contains(&h) {
            let (top, left) = (below(generator, height - h + 1), below(generator, width - w + 1));
            return Area { left, top, width: w, height: h };
        }
    }
    let ratio = width as f64 / height as f64;
    let (w, h) = if ratio < 3.0 / 4.0 {
        (width, ((width as f64 / (3.0 / 4.0)).round_ties_even() as usize).min(height))
    } else if ratio > 4.0 / 3.0 {
        (((height as f64 * (4.0 / 3.0)).round_ties_even() as usize).min(width), height)
    } else {
        (width, height)
    };
    Area { left: (width - w) / 2, top: (height - h) / 2, width: w, height: h }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::augment::reference::picture;
    use crate::random::{CROP, generator};

    /// Expected: `reference/resize.tsv`, made by `reference/ops.py`: Pillow's own bytes. Where the height shrinks and
    /// the width does not, or hardly, Pillow 13 takes columns before rows, other than its predecessors and this: then a
    /// byte may be one off.
    #[test]
    fn sizes_are_pillows() {
        let mut others = 0;
        for line in include_str!("../../reference/resize.tsv").lines().filter(|line| !line.starts_with('#')) {
            let [size, op, arguments, expected] = line.split('\t').collect::<Vec<_>>()[..] else { panic!("{line}") };
            let numbers: Vec<usize> = arguments.split(' ').map(|number| number.parse().unwrap()).collect();
            let found = match (op, &numbers[..]) {
                ("resize", &[width, height]) => resize(&picture(size), width, height),
                ("centre", &[side, height, width]) => centre(&picture(size), side, height, width),
                ("crop", &[index, side]) => {
                    let source = picture(size);
                    let area = random_area(source.width, source.height, &mut generator(CROP, 3, 1, index as u64));
                    resize(&crop(&source, area.left, area.top, area.width, area.height), side, side)
                }
                _ => panic!("{line}"),
            };
            let expected: Vec<u8> =
                (0..expected.len() / 2).map(|i| u8::from_str_radix(&expected[2 * i..2 * i + 2], 16).unwrap()).collect();
            let worst = found.pixels.iter().zip(&expected).map(|(found, expected)| found.abs_diff(*expected)).max();
            assert!(found.pixels.len() == expected.len() && worst <= Some(1), "{size} {op} {arguments}: {worst:?} off");
            others += usize::from(worst > Some(0));
        }
        assert!(others <= 4, "{others} images differ");
    }

    /// The whole would not fit into any memory.
    #[test]
    fn the_centre_of_a_line_costs_no_more_than_itself() {
        for (width, height) in [(1, 1 << 14), (1 << 14, 1)] {
            let pixels = (0..width * height).map(|at| (at >> 6) as u8).collect();
            let centre = centre(&Picture { width, height, channels: 1, pixels }, 1 << 24, 2, 3);
            assert_eq!((centre.height, centre.width), (2, 3));
            assert!(centre.pixels.iter().all(|&value| value == 127 || value == 128), "{:?}", centre.pixels);
        }
    }

    #[test]
    fn a_crop_that_never_fits_is_the_centre() {
        let area = random_area(1000, 1, &mut generator(CROP, 0, 0, 0));
        assert_eq!(area, Area { left: 499, top: 0, width: 1, height: 1 });
        let area = random_area(1, 1000, &mut generator(CROP, 0, 0, 0));
        assert_eq!(area, Area { left: 0, top: 499, width: 1, height: 1 });
    }
}
