//! Decoded images: bytes and labels, nothing computed from them.

use std::fmt;

/// The images of one split, as stored: 8 bits a channel, not normalised.
#[derive(Clone, PartialEq, Eq)]
pub struct Images {
    /// Channels, height, width of every image.
    pub shape: [usize; 3],
    /// `N * C * H * W` bytes; each image is channel-major, then row by row.
    pub pixels: Vec<u8>,
    /// `N` class numbers, each below [`Dataset::classes`](crate::Dataset::classes).
    pub labels: Vec<u16>,
}

impl Images {
    /// No image of this shape.
    pub(crate) fn empty(shape: [usize; 3]) -> Self {
        Self { shape, pixels: Vec::new(), labels: Vec::new() }
    }

    /// The number of images, `N`.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there is no image.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Bytes in one image, `C * H * W`.
    pub fn image_len(&self) -> usize {
        self.shape.iter().product()
    }

    /// The pixels of image `index`, `[C, H, W]`.
    ///
    /// # Panics
    /// If `index >= self.len()`.
    pub fn image(&self, index: usize) -> &[u8] {
        let size = self.image_len();
        &self.pixels[index * size..(index + 1) * size]
    }
}

// Without the pixels: a failed assertion should not print 47 MB.
impl fmt::Debug for Images {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Images").field("shape", &self.shape).field("len", &self.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_are_cut_at_their_size_and_debug_is_short() {
        let images = Images { shape: [1, 2, 2], pixels: (0..12).collect(), labels: vec![0, 1, 2] };
        assert_eq!((images.len(), images.image_len(), images.image(1)), (3, 4, &[4, 5, 6, 7][..]));
        assert_eq!(format!("{images:?}"), "Images { shape: [1, 2, 2], len: 3, .. }");
    }
}
