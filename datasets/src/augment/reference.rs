//! The images that `reference/ops.py` makes its expected values from.

use crate::format::picture::Picture;
use crate::manifest::digest::Digest;

/// The image of a size such as `12x9x3` (width, height, channels): noise over a slope, the same numbers as in
/// `reference/ops.py`.
pub(crate) fn picture(size: &str) -> Picture {
    let [width, height, channels] = size.split('x').map(|side| side.parse().unwrap()).collect::<Vec<usize>>()[..]
    else {
        panic!("{size}")
    };
    let mut state = 12_345u64;
    let pixels = (0..width * height * channels).map(|i| {
        state = (state * 1_103_515_245 + 12_345) % (1 << 31);
        (((state >> 16) & 63) + (i as u64 * 3 / 2) % 190) as u8
    });
    Picture { width, height, channels, pixels: pixels.collect() }
}

/// The first 16 digits of the SHA-256.
pub(crate) fn short_digest(bytes: &[u8]) -> String {
    Digest::sha256(bytes).hex[..16].to_owned()
}
