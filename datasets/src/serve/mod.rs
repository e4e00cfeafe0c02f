//! The decoded form of a data set: bytes and labels, nothing computed from them.

pub(crate) mod normalise;
pub(crate) mod order;
pub(crate) mod stream;

use crate::format::images::Images;
use crate::manifest::Manifest;
use crate::manifest::digest::Digest;
use crate::serve::stream::Stream;

/// A data set in memory, with what a result needs to say about it.
#[derive(Clone, Debug, PartialEq)]
pub struct Dataset {
    /// The manifest's name, such as `mnist`.
    pub name: String,
    /// The number of classes.
    pub classes: usize,
    /// One name for each class, in label order.
    pub class_names: Vec<String>,
    /// The official training split.
    pub train: Images,
    /// The official test split.
    pub test: Images,
    /// Mean of pixel/255 over the training split, one for each channel: a constant of the manifest.
    pub mean: Vec<f32>,
    /// Standard deviation of pixel/255 over the training split, one for each channel: a constant of the manifest.
    pub std: Vec<f32>,
    /// SHA-256, in hexadecimal, of the whole content: of the concatenated lowercase hexadecimal SHA-256 digests of the files' decompressed contents, in the
    /// manifest's order. For MNIST a shell computes it as
    /// `for f in train-images-idx3 train-labels-idx1 t10k-images-idx3 t10k-labels-idx1; do zcat $f-ubyte.gz | sha256sum | head -c 64; done | sha256sum`.
    /// Of encoded images: SHA-256 of `train <n>\n`, a line `<sha256 of the encoded image> <class>\n` for each training image, sorted by digest and class, `test <n>\n`,
    /// and the test images' lines likewise.
    pub digest: String,
    /// Whether every file had the manifest's digest; false with [`LoadOptions::allow_unverified`](crate::LoadOptions::allow_unverified), and for encoded images
    /// ([`Manifest::has_digest`](crate::Manifest::has_digest)), whose official digest nobody published.
    pub verified: bool,
    /// Where it came from, for people: `data directory /x/mnist`, `system package /usr/share/..`, `embedded sample`.
    pub source: String,
    /// The licence of the data.
    pub licence: String,
    /// The images of a data set that is too large for memory; `train` and `test` then have a shape and no images.
    pub stream: Option<Stream>,
}

impl Dataset {
    /// What `manifest` says of a data set found at `source`, without its content: no image, no digest, not verified.
    pub(crate) fn empty(manifest: &Manifest, source: &str) -> Self {
        Self {
            name: manifest.name.clone(),
            classes: manifest.classes,
            class_names: manifest.class_names.clone(),
            train: Images::empty(manifest.shape),
            test: Images::empty(manifest.shape),
            mean: manifest.mean.clone(),
            std: manifest.std.clone(),
            digest: String::new(),
            verified: false,
            source: source.to_owned(),
            licence: manifest.licence.clone(),
            stream: None,
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
