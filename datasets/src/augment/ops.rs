//! The operations of AutoAugment on bytes, each equal to Pillow's, byte for byte.
//!
//! `x` is a value 0 to 255 of one channel of one pixel.

use crate::format::picture::{Picture, luma};

/// Applies `table` to every value: `x -> table[channel][x]`.
fn look_up(picture: &mut Picture, table: &[[u8; 256]]) {
    for pixel in picture.pixels.chunks_exact_mut(table.len()) {
        for (value, table) in pixel.iter_mut().zip(table) {
            *value = table[usize::from(*value)];
        }
    }
}

/// `x -> f(x)`, the same for all channels.
fn map(picture: &mut Picture, f: impl Fn(u8) -> u8) {
    let table = std::array::from_fn(|value| f(value as u8));
    look_up(picture, &[table].repeat(picture.channels));
}

/// `x -> 255 - x`
pub(crate) fn invert(picture: &mut Picture) {
    map(picture, |x| 255 - x);
}

/// `x -> x` below `threshold`, else `255 - x`
pub(crate) fn solarize(picture: &mut Picture, threshold: f32) {
    map(picture, |x| if f32::from(x) < threshold { x } else { 255 - x });
}

/// Keeps the `bits` highest bits of `x`.
pub(crate) fn posterize(picture: &mut Picture, bits: u32) {
    let mask = if bits == 0 { 0 } else { u8::MAX << (8 - bits.min(8)) };
    map(picture, |x| x & mask);
}

fn histograms(picture: &Picture) -> Vec<[usize; 256]> {
    let mut counts = vec![[0; 256]; picture.channels];
    for pixel in picture.pixels.chunks_exact(picture.channels) {
        pixel.iter().zip(&mut counts).for_each(|(value, counts)| counts[usize::from(*value)] += 1);
    }
    counts
}

/// `x -> 255 (x - low) / (high - low)` for each channel, `low` and `high` its smallest and largest value; nothing where
/// they are equal.
pub(crate) fn autocontrast(picture: &mut Picture) {
    let table = |counts: &[usize; 256]| {
        let low = counts.iter().position(|&count| count > 0).unwrap_or(0);
        let high = counts.iter().rposition(|&count| count > 0).unwrap_or(0);
        if high <= low {
            return std::array::from_fn(|value| value as u8);
        }
        let scale = 255.0 / (high - low) as f64;
        let offset = -(low as f64) * scale;
        // The conversion cuts off the fraction and stays within 0 and 255, as Pillow's does.
        std::array::from_fn(|value| (value as f64 * scale + offset) as u8)
    };
    let tables: Vec<_> = histograms(picture).iter().map(table).collect();
    look_up(picture, &tables);
}

/// `x -> (step / 2 + #values below x) / step` for each channel, `step` = (#values - #values of the largest) / 255,
/// integers all; nothing where `step` is 0.
pub(crate) fn equalize(picture: &mut Picture) {
    let table = |counts: &[usize; 256]| {
        let used = counts.iter().filter(|&&count| count > 0);
        let largest = counts.iter().rev().find(|&&count| count > 0).copied().unwrap_or(0);
        let step = (counts.iter().sum::<usize>() - largest) / 255;
        if used.count() <= 1 || step == 0 {
            return std::array::from_fn(|value| value as u8);
        }
        let mut below = step / 2;
        std::array::from_fn(|value| {
            let mapped = (below / step).min(255) as u8;
            below += counts[value];
            mapped
        })
    };
    let tables: Vec<_> = histograms(picture).iter().map(table).collect();
    look_up(picture, &tables);
}

/// `x -> d + factor (x - d)`, cut off to 0..255 and to an integer: Pillow's blend of a degenerate image's value `d`, in
/// 32-bit floats.
fn blend(degenerate: u8, value: u8, factor: f32) -> u8 {
    (f32::from(degenerate) + factor * (f32::from(value) - f32::from(degenerate))) as u8
}

/// Blends with black.
pub(crate) fn brightness(picture: &mut Picture, factor: f32) {
    map(picture, |x| blend(0, x, factor));
}

/// Blends with the image in grey.
pub(crate) fn color(picture: &mut Picture, factor: f32) {
    for pixel in picture.pixels.chunks_exact_mut(picture.channels) {
        let grey = luma(pixel);
        pixel.iter_mut().for_each(|value| *value = blend(grey, *value, factor));
    }
}

/// Blends with the mean grey of the image.
pub(crate) fn contrast(picture: &mut Picture, factor: f32) {
    let sum: u64 = picture.pixels.chunks_exact(picture.channels).map(|pixel| u64::from(luma(pixel))).sum();
    let mean = (sum as f64 / (picture.width * picture.height).max(1) as f64 + 0.5) as u8;
    map(picture, |x| blend(mean, x, factor));
}

/// Blends with the image smoothed by `[1 1 1; 1 5 1; 1 1 1] / 13`, rounded; its border stays as it is.
pub(crate) fn sharpness(picture: &mut Picture, factor: f32) {
    let (source, channels, line) = (picture.pixels.clone(), picture.channels, picture.width * picture.channels);
    for row in 1..picture.height.saturating_sub(1) {
        for at in row * line + channels..(row + 1) * line - channels {
            let around = [at - line, at, at + line].map(|middle| {
                u32::from(source[middle - channels]) + u32::from(source[middle]) + u32::from(source[middle + channels])
            });
            let sum = around.iter().sum::<u32>() + 4 * u32::from(source[at]);
            picture.pixels[at] = blend(((2 * sum + 13) / 26) as u8, source[at], factor);
        }
    }
}

/// Moves the pixel at `(a x + b y + c, d x + e y + f)` to `(x, y)`, for `matrix = [a, b, c, d, e, f]` and the pixels'
/// centres, without interpolation; what comes from outside is black. In 16.16 fixed point, as Pillow computes it.
pub(crate) fn affine(picture: &mut Picture, matrix: [f64; 6]) {
    let fixed = |value: f64| (value * 65536.0 + 0.5).floor() as i64;
    let [a, b, c, d, e, f] = matrix;
    let [step_x, row_x, step_y, row_y] = [a, b, d, e].map(fixed);
    let (mut from_x, mut from_y) = (fixed(c + a * 0.5 + b * 0.5), fixed(f + d * 0.5 + e * 0.5));
    let source = std::mem::take(&mut picture.pixels);
    let (width, height, channels) = (picture.width, picture.height, picture.channels);
    picture.pixels = vec![0; source.len()];
    for row in picture.pixels.chunks_exact_mut((width * channels).max(1)) {
        let (mut x, mut y) = (from_x, from_y);
        for pixel in row.chunks_exact_mut(channels) {
            let inside = |at: i64, size: usize| usize::try_from(at >> 16).ok().filter(|&at| at < size);
            if let (Some(column), Some(line)) = (inside(x, width), inside(y, height)) {
                pixel.copy_from_slice(&source[(line * width + column) * channels..][..channels]);
            }
            x += step_x;
            y += step_y;
        }
        from_x += row_x;
        from_y += row_y;
    }
}

/// Turns the image `degrees` counter-clockwise around its centre.
pub(crate) fn rotate(picture: &mut Picture, degrees: f64) {
    let round = |value: f64| (value * 1e15).round_ties_even() / 1e15;
    let angle = -degrees.rem_euclid(360.0).to_radians();
    let (cos, sin) = (round(angle.cos()), round(angle.sin()));
    let (x, y) = (picture.width as f64 / 2.0, picture.height as f64 / 2.0);
    affine(picture, [cos, sin, cos * -x + sin * -y + x, -sin, cos, -sin * -x + cos * -y + y]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::augment::reference::{picture, short_digest};

    /// Expected: `reference/ops.tsv`, made by `reference/ops.py` with Pillow.
    #[test]
    fn every_operation_is_pillows_byte_for_byte() {
        let mut checked = 0;
        for line in include_str!("../../reference/ops.tsv").lines().filter(|line| !line.starts_with('#')) {
            let [size, op, argument, expected] = line.split('\t').collect::<Vec<_>>()[..] else { panic!("{line}") };
            let mut changed = picture(size);
            let number = || argument.parse::<f64>().unwrap();
            match op {
                "plain" => {}
                "invert" => invert(&mut changed),
                "solarize" => solarize(&mut changed, number() as f32),
                "posterize" => posterize(&mut changed, number() as u32),
                "autocontrast" => autocontrast(&mut changed),
                "equalize" => equalize(&mut changed),
                "brightness" => brightness(&mut changed, number() as f32),
                "color" => color(&mut changed, number() as f32),
                "contrast" => contrast(&mut changed, number() as f32),
                "sharpness" => sharpness(&mut changed, number() as f32),
                "rotate" => rotate(&mut changed, number()),
                "affine" => {
                    let matrix: Vec<f64> = argument.split(' ').map(|value| value.parse().unwrap()).collect();
                    affine(&mut changed, matrix.try_into().unwrap());
                }
                _ => panic!("{op}"),
            }
            assert_eq!(short_digest(&changed.pixels), expected, "{size} {op} {argument}");
            checked += 1;
        }
        assert!(checked > 150, "{checked}");
    }

    #[test]
    fn flat_and_tiny_images_stay_whole() {
        type Operation = fn(&mut Picture);
        let all: [Operation; 6] =
            [autocontrast, equalize, |p| sharpness(p, 1.9), |p| contrast(p, 0.1), |p| rotate(p, 30.0), invert];
        for (width, height, channels) in [(1, 1, 1), (1, 3, 3), (2, 2, 3), (3, 1, 1)] {
            for operation in all {
                let mut picture = Picture { width, height, channels, pixels: vec![7; width * height * channels] };
                operation(&mut picture);
                assert_eq!(picture.pixels.len(), width * height * channels);
            }
        }
    }
}
