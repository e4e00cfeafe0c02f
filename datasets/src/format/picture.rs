//! Encoded images (PNG, JPEG) to bytes, by the image library, within bounds.

use crate::format::{guarded, jpeg};
use image::{DynamicImage, ImageReader, Limits};
use std::io::Cursor;

/// No image of any data set here is wider or higher; what claims to be is refused before anything is allocated.
const MAX_SIDE: u32 = 1 << 14;
/// Bytes that decoding one image may take. ImageNet's largest image has 64 million pixels.
const MAX_BYTES: u64 = 1 << 30;

const JPEG_START: [u8; 2] = [0xff, 0xd8];

/// A decoded image: `H * W * channels` bytes, row by row, the channels of a pixel together.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Picture {
    /// Pixels in a row.
    pub(crate) width: usize,
    /// Rows.
    pub(crate) height: usize,
    /// 1 (grey) or 3 (red, green, blue).
    pub(crate) channels: usize,
    /// The bytes.
    pub(crate) pixels: Vec<u8>,
}

impl Picture {
    /// Decodes a PNG or JPEG, whatever its name says, into grey or into red, green and blue; Pillow's `convert("L")` or
    /// `convert("RGB")`.
    ///
    /// The problem is a verb phrase.
    pub(crate) fn decode(encoded: &[u8], channels: usize) -> Result<Self, String> {
        Self::opened(encoded, |decoded| Self::of(decoded, channels))
    }

    /// Height, width and channels of an encoded image, all of which is decoded, so that damage shows.
    pub(crate) fn size(encoded: &[u8]) -> Result<[usize; 3], String> {
        Self::opened(encoded, |decoded| {
            let channels = if decoded.color().has_color() { 3 } else { 1 };
            [decoded.height() as usize, decoded.width() as usize, channels]
        })
    }

    fn opened<T>(encoded: &[u8], then: impl FnOnce(DynamicImage) -> T) -> Result<T, String> {
        // The library makes up what a JPEG lacks; Pillow refuses it, and so does this.
        if encoded.starts_with(&JPEG_START) && !jpeg::is_whole(encoded) {
            return Err("is no sound PNG or JPEG (a JPEG that ends early)".to_owned());
        }
        guarded("is no sound PNG or JPEG (its decoder gave up)", || {
            let mut reader = ImageReader::new(Cursor::new(encoded))
                .with_guessed_format()
                .map_err(|error| format!("cannot be read ({error})"))?;
            let mut limits = Limits::default();
            limits.max_image_width = Some(MAX_SIDE);
            limits.max_image_height = Some(MAX_SIDE);
            limits.max_alloc = Some(MAX_BYTES);
            reader.limits(limits);
            let decoded = reader.decode().map_err(|error| format!("is no sound PNG or JPEG ({error})"))?;
            // Pillow cuts their values off or drops their lower half, by its version and by the number of channels.
            if decoded.color().bytes_per_pixel() > decoded.color().channel_count() {
                return Err("has 16 bits a channel, which no data set here has; save it with 8".to_owned());
            }
            Ok(then(decoded))
        })
    }

    fn of(decoded: DynamicImage, channels: usize) -> Self {
        let (width, height) = (decoded.width() as usize, decoded.height() as usize);
        let pixels = match channels {
            1 if decoded.color().has_color() => decoded.into_rgb8().pixels().map(|pixel| luma(&pixel.0)).collect(),
            1 => decoded.into_luma8().into_raw(),
            _ => decoded.into_rgb8().into_raw(),
        };
        Self { width, height, channels, pixels }
    }

    /// The image `[C, H, W]`, channel by channel.
    pub(crate) fn planes(&self, into: &mut [u8]) {
        let size = self.width * self.height;
        for (channel, plane) in into.chunks_exact_mut(size.max(1)).enumerate() {
            for (value, pixel) in plane.iter_mut().zip(self.pixels.chunks_exact(self.channels)) {
                *value = pixel[channel];
            }
        }
    }

    /// An image from `[C, H, W]`.
    pub(crate) fn from_planes(planes: &[u8], [channels, height, width]: [usize; 3]) -> Self {
        let size = width * height;
        let mut pixels = vec![0; planes.len()];
        for (channel, plane) in planes.chunks_exact(size.max(1)).enumerate() {
            for (value, pixel) in plane.iter().zip(pixels.chunks_exact_mut(channels)) {
                pixel[channel] = *value;
            }
        }
        Self { width, height, channels, pixels }
    }

    /// Decodes an image that must have `shape` already, into `into`, channel by channel.
    pub(crate) fn decode_exact(encoded: &[u8], shape: [usize; 3], into: &mut [u8]) -> Result<(), String> {
        let picture = Self::decode(encoded, shape[0])?;
        if (picture.height, picture.width) != (shape[1], shape[2]) {
            return Err(format!("has {} x {} pixels, not {} x {}", picture.height, picture.width, shape[1], shape[2]));
        }
        picture.planes(into);
        Ok(())
    }

    /// The image as a PNG.
    pub(crate) fn encode_png(&self) -> Vec<u8> {
        let color = if self.channels == 1 { image::ExtendedColorType::L8 } else { image::ExtendedColorType::Rgb8 };
        let mut png = Vec::new();
        let encoder = image::codecs::png::PngEncoder::new(&mut png);
        image::ImageEncoder::write_image(encoder, &self.pixels, self.width as u32, self.height as u32, color)
            .expect("a picture's bytes fit its size, and a vector takes them");
        png
    }
}

/// ITU-R 601 luma in 16-bit fixed point, as Pillow computes it; of a grey pixel its value.
pub(crate) fn luma(pixel: &[u8]) -> u8 {
    match *pixel {
        [red, green, blue] => {
            let sum = 19_595 * u32::from(red) + 38_470 * u32::from(green) + 7_471 * u32::from(blue);
            ((sum + 0x8000) >> 16) as u8
        }
        _ => pixel[0],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn colours(width: usize, height: usize) -> Picture {
        let pixels = (0..width * height * 3).map(|i| (i * 7 % 251) as u8).collect();
        Picture { width, height, channels: 3, pixels }
    }

    #[test]
    fn a_png_gives_back_its_bytes() {
        let picture = colours(5, 3);
        let png = picture.encode_png();
        assert_eq!(Picture::decode(&png, 3).unwrap(), picture);
        let mut planes = vec![0; 45];
        Picture::decode_exact(&png, [3, 3, 5], &mut planes).unwrap();
        assert_eq!(planes[..2], [picture.pixels[0], picture.pixels[3]]);
        assert_eq!(planes[15], picture.pixels[1]);
        assert_eq!(Picture::from_planes(&planes, [3, 3, 5]), picture);
        assert_eq!(Picture::decode_exact(&png, [3, 5, 3], &mut planes).unwrap_err(), "has 3 x 5 pixels, not 5 x 3");
        let grey = Picture { width: 2, height: 1, channels: 1, pixels: vec![3, 250] };
        assert_eq!(Picture::decode(&grey.encode_png(), 1).unwrap(), grey);
    }

    /// Expected: `Image.new("RGB", (1, 1), pixel).convert("L").getpixel((0, 0))`; likewise of RGBA, whose transparency
    /// is dropped.
    #[test]
    fn colours_in_grey_are_pillows() {
        let colours = [[255, 0, 0], [0, 255, 0], [0, 0, 255], [12, 200, 77], [254, 255, 253]];
        let expected = [76, 150, 29, 130, 254];
        let picture = Picture { width: 5, height: 1, channels: 3, pixels: colours.concat() };
        assert_eq!(Picture::decode(&picture.encode_png(), 1).unwrap().pixels, expected);
        let mut png = Vec::new();
        let transparent = colours.map(|[red, green, blue]| [red, green, blue, 9]).concat();
        let encoder = image::codecs::png::PngEncoder::new(&mut png);
        image::ImageEncoder::write_image(encoder, &transparent, 5, 1, image::ExtendedColorType::Rgba8).unwrap();
        assert_eq!(Picture::decode(&png, 1).unwrap().pixels, expected);
    }

    #[test]
    fn sixteen_bits_a_channel_are_refused() {
        for (color, bytes) in [(image::ExtendedColorType::L16, 2), (image::ExtendedColorType::Rgb16, 6)] {
            let mut png = Vec::new();
            let encoder = image::codecs::png::PngEncoder::new(&mut png);
            image::ImageEncoder::write_image(encoder, &vec![7; bytes], 1, 1, color).unwrap();
            for channels in [1, 3] {
                assert!(Picture::decode(&png, channels).unwrap_err().starts_with("has 16 bits a channel"));
            }
        }
    }

    #[test]
    fn every_truncation_is_an_error() {
        let png = colours(5, 3).encode_png();
        // The last twelve bytes only say that the image has ended.
        for length in 0..png.len() - 12 {
            let problem = Picture::decode(&png[..length], 3).unwrap_err();
            assert!(
                problem.starts_with("is no sound PNG") || problem.starts_with("cannot be read"),
                "{length}: {problem}"
            );
        }
    }

    #[test]
    fn a_jpeg_gives_about_its_bytes_and_no_truncation_does() {
        let picture = Picture { width: 16, height: 16, channels: 3, pixels: [200, 100, 50].repeat(256) };
        let mut jpeg = Vec::new();
        let encoder = image::codecs::jpeg::JpegEncoder::new_with_quality(&mut jpeg, 95);
        image::ImageEncoder::write_image(encoder, &picture.pixels, 16, 16, image::ExtendedColorType::Rgb8).unwrap();
        let decoded = Picture::decode(&jpeg, 3).unwrap();
        assert!(decoded.pixels.iter().zip(&picture.pixels).all(|(found, drawn)| found.abs_diff(*drawn) < 6));
        for length in 0..jpeg.len() {
            assert!(Picture::decode(&jpeg[..length], 3).is_err(), "{length} of {}", jpeg.len());
        }
    }

    #[test]
    fn a_small_file_that_claims_to_be_a_huge_image_is_refused() {
        let mut png = colours(5, 3).encode_png();
        png[16..24].copy_from_slice(&[0, 1, 0, 0, 0, 1, 0, 0]);
        let crc = crc32(&png[12..29]);
        png[29..33].copy_from_slice(&crc.to_be_bytes());
        assert!(Picture::decode(&png, 3).unwrap_err().contains("limit"));
    }

    /// The checksum of a PNG's chunk, bit by bit.
    fn crc32(bytes: &[u8]) -> u32 {
        !bytes.iter().fold(u32::MAX, |crc, &byte| {
            (0..8).fold(crc ^ u32::from(byte), |crc, _| (crc >> 1) ^ (0xEDB8_8320 & (crc & 1).wrapping_neg()))
        })
    }
}
