//! What a data set consists of: files in an official layout, or folders of encoded images.

use super::digest::Digest;
use serde::Deserialize;

/// The format of a data set's files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Layout {
    /// MNIST's IDX files, one of images and one of labels for each split; gzipped, or plain without `.gz`.
    Idx,
    /// CIFAR-10's binary records: a label byte, then the image.
    #[serde(rename = "cifar-10")]
    Cifar10,
    /// CIFAR-100's binary records: a coarse and a fine label byte, then the image; the fine label is the class.
    #[serde(rename = "cifar-100")]
    Cifar100,
    /// Image files in one folder a class: `train/<class id>/*`, and likewise for the test images.
    ClassFolders,
    /// Tiny-ImageNet's folders: `train/<class id>/images/*`, `val/images/*` and `val/val_annotations.txt`.
    TinyImagenet,
}

impl Layout {
    /// Whether it consists of image files, encoded and of any size.
    pub fn is_encoded(self) -> bool {
        matches!(self, Self::ClassFolders | Self::TinyImagenet)
    }

    /// Label bytes before each image of a record; the last of them is the class.
    pub(crate) fn label_bytes(self) -> usize {
        match self {
            Self::Idx | Self::ClassFolders | Self::TinyImagenet => 0,
            Self::Cifar10 => 1,
            Self::Cifar100 => 2,
        }
    }
}

/// Images in each split.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Counts {
    /// Training images.
    pub train: usize,
    /// Test images.
    pub test: usize,
}

/// Which part of a data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Split {
    /// The training images.
    Train,
    /// The test images.
    Test,
}

/// What a file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FileContent {
    /// Pixels without labels (IDX).
    Images,
    /// Labels without pixels (IDX).
    Labels,
    /// Labels and pixels in records (CIFAR).
    Records,
}

/// One file of a data set.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileSpec {
    /// Its official name inside the data set's folder.
    pub path: String,
    /// The split it belongs to.
    pub split: Split,
    /// What it holds.
    pub content: FileContent,
    /// How many images, labels or records.
    pub count: usize,
    /// The digest of its content, decompressed.
    pub digest: Digest,
}

/// What encoded images need to become images of one shape.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EncodedImages {
    /// The class's folder, one for each class, in label order.
    pub class_ids: Vec<String>,
    /// The shorter side before the centre is cut out, at the manifest's shape, for evaluation.
    pub resize: usize,
    /// The folder of the images that are evaluated on, beside `train`; none if `test_split` chooses them.
    pub test_folder: Option<String>,
    /// How the images that are evaluated on are chosen, where all lie in one folder.
    pub test_split: Option<TestSplit>,
    /// Whether there are too many to hold them decoded in memory.
    pub stream: bool,
}

/// Test images by chance: in each class the images are ordered by the SHA-256 of `<seed>/<class id>/<file name>`, and
/// the first `percent` of them, rounded, at least one, are test images. Nothing but names decides, and every class is
/// in both splits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TestSplit {
    /// Another seed is another choice.
    pub seed: u64,
    /// Test images in a hundred.
    pub percent: u8,
}

impl TestSplit {
    /// How many of a class's `images` are test images: one at least, and not all of several.
    pub(crate) fn held_out(self, images: usize) -> usize {
        ((images * usize::from(self.percent) + 50) / 100).min(images.saturating_sub(1)).max(1)
    }
}
