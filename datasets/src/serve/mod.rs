//! A data set as a run uses it: decoded in memory, or read while it is used.

pub(crate) mod normalise;
pub(crate) mod order;
pub(crate) mod stream;

use crate::format::images::Images;
use crate::manifest::Manifest;
use crate::manifest::digest::Digest;
use crate::serve::stream::Stream;

/// A data set, with what a result needs to say about it.
#[derive(Clone, Debug, PartialEq)]
pub struct Dataset {
    /// The manifest's name, such as `mnist`.
    pub name: String,
    /// The number of classes.
    pub classes: usize,
    /// One name for each class, in label order.
    pub class_names: Vec<String>,
    /// Channels, height, width of every image.
    pub shape: [usize; 3],
    /// The images.
    pub images: Served,
    /// Mean of pixel/255 over the training split, one for each channel: a constant of the manifest.
    pub mean: Vec<f32>,
    /// Standard deviation of pixel/255 over the training split, one for each channel: a constant of the manifest.
    pub std: Vec<f32>,
    /// SHA-256, in hexadecimal, of the whole content: of the concatenated lowercase hexadecimal SHA-256 digests of the
    /// files' decompressed contents, in the manifest's order. For MNIST a shell computes it as `for f in
    /// train-images-idx3 train-labels-idx1 t10k-images-idx3 t10k-labels-idx1; do zcat $f-ubyte.gz | sha256sum | head -c
    /// 64; done | sha256sum`. Of encoded images: SHA-256 of `train <n>\n`, a line `<sha256 of the encoded image>
    /// <class>\n` for each training image, sorted by digest and class, `test <n>\n`, and the test images' lines
    /// likewise.
    pub digest: String,
    /// Whether the content had the manifest's digest; false with
    /// [`LoadOptions::allow_unverified`](crate::LoadOptions::allow_unverified), and for encoded images whose digest
    /// nobody published ([`Manifest::has_digest`](crate::Manifest::has_digest)).
    pub verified: bool,
    /// Where it came from, in words: `data directory /x/mnist`, `system package /usr/share/..`, `embedded sample`.
    pub source: String,
    /// The licence of the data.
    pub licence: String,
}

/// How the images of a data set are served.
#[derive(Clone, Debug, PartialEq)]
pub enum Served {
    /// Decoded, from memory.
    Memory(Splits),
    /// Read, decoded and augmented while they are used, since they are too many for memory.
    Stream(Stream),
}

/// The two splits of a data set in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Splits {
    /// The official training split.
    pub train: Images,
    /// The official test split.
    pub test: Images,
}

impl Dataset {
    /// What `manifest` says of a data set found at `source`, with its images and their digest.
    pub(crate) fn new(manifest: &Manifest, source: &str, images: Served, digest: String, verified: bool) -> Self {
        Self {
            name: manifest.name.clone(),
            classes: manifest.classes,
            class_names: manifest.class_names.clone(),
            shape: manifest.shape,
            images,
            mean: manifest.mean.clone(),
            std: manifest.std.clone(),
            digest,
            verified,
            source: source.to_owned(),
            licence: manifest.licence.clone(),
        }
    }

    /// The decoded images; none of a data set that is streamed.
    pub fn in_memory(&self) -> Option<&Splits> {
        match &self.images {
            Served::Memory(splits) => Some(splits),
            Served::Stream(_) => None,
        }
    }

    /// The stream; none of a data set that is in memory.
    pub fn stream(&self) -> Option<&Stream> {
        match &self.images {
            Served::Memory(_) => None,
            Served::Stream(stream) => Some(stream),
        }
    }
}

/// [`Dataset::digest`] of files with these SHA-256 digests.
pub(crate) fn content_digest(files: &[Digest]) -> String {
    let hex: String = files.iter().map(|file| file.hex.as_str()).collect();
    Digest::sha256(hex.as_bytes()).hex
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Expected: `for s in ab c; do printf %s $s | sha256sum | head -c 64; done | sha256sum`
    #[test]
    fn content_digest_is_the_digest_of_the_hex_digests() {
        let expected = "14eec32d1bd92fe52253ef7547e20407b0dd70dbc835e3cbbb81dd8ef52ca6c7";
        assert_eq!(content_digest(&[Digest::sha256(b"ab"), Digest::sha256(b"c")]), expected);
    }
}
