//! Pillow's antialiased bilinear resize of bytes, byte for byte: rows, then columns, weights in fixed point.
//!
//! A library would do, but the one that is nearest to Pillow, fast_image_resize, is generic: its code for every kind of
//! pixel and processor is compiled here, which takes four minutes of every build.

use crate::format::picture::Picture;
use std::ops::Range;

/// Fraction bits of a weight: a byte, a weight of 1 and a bit of headroom fill 32 bits.
const BITS: u32 = 32 - 8 - 2;
/// One half, so that cutting off the fraction rounds.
const HALF: i32 = 1 << (BITS - 1);

/// What one output pixel is made of: the input pixels from `start` on, with these weights.
struct Taps {
    start: usize,
    weights: Vec<i32>,
}

/// The taps of the output pixels `part` of all `to` along one axis: a triangle as wide as the scale `s = from / to`, at
/// least as an input pixel, around the output pixel's centre `c = (i + 1/2) s`: pixel `x` weighs `1 - |x + 1/2 - c| /
/// max(s, 1)`, the weights brought to a sum of 1 and rounded.
fn taps(from: usize, to: usize, part: Range<usize>) -> Vec<Taps> {
    let scale = from as f64 / to as f64;
    let reach = scale.max(1.0);
    let one = |index: usize| {
        let centre = (index as f64 + 0.5) * scale;
        let start = (centre - reach + 0.5).max(0.0) as usize;
        let end = ((centre + reach + 0.5) as usize).min(from);
        let triangle = |pixel: usize| (1.0 - ((pixel as f64 - centre + 0.5) * (1.0 / reach)).abs()).max(0.0);
        let weights: Vec<f64> = (start..end).map(triangle).collect();
        let sum: f64 = weights.iter().sum();
        let fixed = |weight: f64| (0.5 + weight / sum * f64::from(1 << BITS)) as i32;
        Taps { start, weights: weights.into_iter().map(fixed).collect() }
    };
    part.map(one).collect()
}

fn byte(sum: i32) -> u8 {
    (sum >> BITS).clamp(0, 255) as u8
}

/// The pixels `taps` of each row of `from` pixels of `C` channels.
fn rows<const C: usize>(source: &[u8], from: usize, taps: &[Taps]) -> Vec<u8> {
    let mut target = Vec::with_capacity(source.len() / from * taps.len());
    for row in source.chunks_exact(from * C) {
        for Taps { start, weights } in taps {
            let mut sums = [HALF; C];
            for (pixel, &weight) in row[start * C..].chunks_exact(C).zip(weights) {
                for (sum, &value) in sums.iter_mut().zip(pixel) {
                    *sum += i32::from(value) * weight;
                }
            }
            target.extend(sums.map(byte));
        }
    }
    target
}

/// The pixels `taps` of each column, in rows of `line` bytes. `source` begins with row `first`.
fn columns(source: &[u8], line: usize, first: usize, taps: &[Taps]) -> Vec<u8> {
    let mut target = Vec::with_capacity(line * taps.len());
    let mut sums = vec![0; line];
    for Taps { start, weights } in taps {
        sums.fill(HALF);
        for (row, weight) in source[(start - first) * line..].chunks_exact(line).zip(weights) {
            for (sum, &value) in sums.iter_mut().zip(row) {
                *sum += i32::from(value) * weight;
            }
        }
        target.extend(sums.iter().copied().map(byte));
    }
    target
}

/// The image at another size, Pillow's `resize((width, height), BILINEAR)`.
pub(crate) fn resize(picture: &Picture, width: usize, height: usize) -> Picture {
    part(picture, [width, height], 0..width, 0..height)
}

/// The pixels `across` x `down` of the image at another `size` (width, height). Nothing else of that image is made,
/// however large it would be.
pub(crate) fn part(picture: &Picture, size: [usize; 2], across: Range<usize>, down: Range<usize>) -> Picture {
    let (channels, [width, height]) = (picture.channels, size);
    let line = picture.width * channels;
    let vertical = (height != picture.height).then(|| taps(picture.height, height, down.clone()));
    // The rows of the image that the part is made of.
    let used = match vertical.as_deref() {
        Some([first, .., last]) => first.start..last.start + last.weights.len(),
        Some([only]) => only.start..only.start + only.weights.len(),
        Some([]) => 0..0,
        None => down.clone(),
    };
    let source = &picture.pixels[used.start * line..used.end * line];
    let mut pixels = match (width == picture.width, channels) {
        (true, _) => {
            let kept = across.start * channels..across.end * channels;
            source.chunks_exact(line.max(1)).map(|row| &row[kept.clone()]).collect::<Vec<_>>().concat()
        }
        (false, 1) => rows::<1>(source, picture.width, &taps(picture.width, width, across.clone())),
        (false, _) => rows::<3>(source, picture.width, &taps(picture.width, width, across.clone())),
    };
    if let Some(taps) = vertical {
        pixels = columns(&pixels, across.len() * channels, used.start, &taps);
    }
    Picture { width: across.len(), height: down.len(), channels, pixels }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By hand: to half the size, a pixel weighs 1/8, 3/8, 3/8, 1/8 of four, and 3/7, 3/7, 1/7 at the border; to twice
    /// the size, 3/4 and 1/4.
    #[test]
    fn weights_by_hand() {
        let one = f64::from(1 << BITS);
        let near = |taps: &Taps, weights: &[f64]| {
            taps.weights.len() == weights.len()
                && taps
                    .weights
                    .iter()
                    .zip(weights)
                    .all(|(found, weight)| (f64::from(*found) - weight * one).abs() <= 0.5)
        };
        let half = taps(8, 4, 0..4);
        assert!(half[1].start == 1 && near(&half[1], &[0.125, 0.375, 0.375, 0.125]));
        assert!(half[0].start == 0 && near(&half[0], &[3.0 / 7.0, 3.0 / 7.0, 1.0 / 7.0]));
        let double = taps(2, 4, 0..4);
        assert!(double[1].start == 0 && near(&double[1], &[0.75, 0.25]));
        assert!(near(&double[0], &[1.0]) || near(&double[0], &[1.0, 0.0]));
    }

    #[test]
    fn one_grey_stays_that_grey() {
        for value in [0, 1, 127, 254, 255] {
            let picture = Picture { width: 17, height: 5, channels: 3, pixels: vec![value; 17 * 5 * 3] };
            for (width, height) in [(1, 1), (3, 40), (17, 5), (40, 2)] {
                let resized = resize(&picture, width, height);
                assert_eq!(resized.pixels, vec![value; width * height * 3]);
            }
        }
    }

    #[test]
    fn a_part_is_what_would_be_cut_out_of_the_whole() {
        for (size, channels) in [([17, 5], 3), ([4, 23], 1)] {
            let pixels = (0..size[0] * size[1] * channels).map(|at| (at * at * 7 % 251) as u8).collect();
            let picture = Picture { width: size[0], height: size[1], channels, pixels };
            for to in [[9, 3], [17, 3], [9, 5], [17, 5], [40, 23], [4, 31], [1, 1]] {
                let whole = resize(&picture, to[0], to[1]);
                for left in 0..to[0] {
                    for top in 0..to[1] {
                        let (across, down) = (left..(left + 5).min(to[0]), top..(top + 3).min(to[1]));
                        let cut = crate::augment::resize::crop(&whole, left, top, across.len(), down.len());
                        assert_eq!(part(&picture, to, across, down), cut, "{size:?} to {to:?} at {left}, {top}");
                    }
                }
            }
        }
    }
}
