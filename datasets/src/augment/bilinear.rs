//! Pillow's antialiased bilinear resize of bytes, byte for byte: rows, then columns, weights in fixed point.
//!
//! A library would do, but the one that is nearest to Pillow, fast_image_resize, is generic: its code for every kind of pixel and processor is compiled here,
//! which takes four minutes of every build.

use crate::picture::Picture;

/// Fraction bits of a weight: a byte, a weight of 1 and a bit of headroom fill 32 bits.
const BITS: u32 = 32 - 8 - 2;
/// One half, so that cutting off the fraction rounds.
const HALF: i32 = 1 << (BITS - 1);

/// What one output pixel is made of: the input pixels from `start` on, with these weights.
struct Taps {
    start: usize,
    weights: Vec<i32>,
}

/// The taps of every output pixel along one axis: a triangle as wide as the scale `s = from / to`, at least as an input pixel, around the output pixel's centre
/// `c = (i + 1/2) s`: pixel `x` weighs `1 - |x + 1/2 - c| / max(s, 1)`, the weights brought to a sum of 1 and rounded.
fn taps(from: usize, to: usize) -> Vec<Taps> {
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
    (0..to).map(one).collect()
}

fn byte(sum: i32) -> u8 {
    (sum >> BITS).clamp(0, 255) as u8
}

/// Each row to `width` pixels of `C` channels.
fn rows<const C: usize>(source: &[u8], from: usize, width: usize) -> Vec<u8> {
    let taps = taps(from, width);
    let mut target = Vec::with_capacity(source.len() / from * width);
    for row in source.chunks_exact(from * C) {
        for Taps { start, weights } in &taps {
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

/// Each column to `height` pixels, in rows of `line` bytes.
fn columns(source: &[u8], line: usize, height: usize) -> Vec<u8> {
    let mut target = Vec::with_capacity(line * height);
    let mut sums = vec![0; line];
    for Taps { start, weights } in taps(source.len() / line, height) {
        sums.fill(HALF);
        for (row, weight) in source[start * line..].chunks_exact(line).zip(weights) {
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
    let channels = picture.channels;
    let mut pixels = picture.pixels.clone();
    if width != picture.width {
        pixels = if channels == 1 {
            rows::<1>(&pixels, picture.width, width)
        } else {
            rows::<3>(&pixels, picture.width, width)
        };
    }
    if height != picture.height {
        pixels = columns(&pixels, width * channels, height);
    }
    Picture { width, height, channels, pixels }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By hand: to half the size, a pixel weighs 1/8, 3/8, 3/8, 1/8 of four, and 3/7, 3/7, 1/7 at the border; to twice the size, 3/4 and 1/4.
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
        let half = taps(8, 4);
        assert!(half[1].start == 1 && near(&half[1], &[0.125, 0.375, 0.375, 0.125]));
        assert!(half[0].start == 0 && near(&half[0], &[3.0 / 7.0, 3.0 / 7.0, 1.0 / 7.0]));
        let double = taps(2, 4);
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
}
