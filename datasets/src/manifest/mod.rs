//! What a data set officially is: the fields of `manifests/*.toml`.

pub(crate) mod digest;
mod files;
pub(crate) mod registry;
mod sources;

pub use files::{Counts, EncodedImages, FileContent, FileSpec, Layout, Split, TestSplit};
pub use sources::{ArchiveFormat, ArchiveSource, HubSource, Own, SystemPackage};

use crate::error::DataError;
use crate::format::idx;
use crate::manifest::digest::{Algorithm, Digest};
use serde::Deserialize;
use std::path::PathBuf;

/// Pixels that a side of encoded images may have once they are decoded and cut.
pub const SIDES: std::ops::RangeInclusive<usize> = 1..=4096;

/// What a data set officially is.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The name by which it is asked for.
    pub name: String,
    /// One line that says what it is.
    pub title: String,
    /// The licence of the data.
    pub licence: String,
    /// The page of its owner.
    pub homepage: String,
    /// The format of its files.
    pub layout: Layout,
    /// Its folder under the data directory.
    pub folder: PathBuf,
    /// Whether it is part of the program; then it is looked for nowhere else.
    #[serde(default)]
    pub embedded: bool,
    /// The number of classes.
    pub classes: usize,
    /// One name for each class, in label order.
    pub class_names: Vec<String>,
    /// Channels, height, width of every image.
    pub shape: [usize; 3],
    /// Mean of pixel/255 over the training images, one for each channel.
    pub mean: Vec<f32>,
    /// Standard deviation of pixel/255 over the training images, one for each channel.
    pub std: Vec<f32>,
    /// What `mean` and `std` are and who measured them.
    pub normalisation: String,
    /// Images in each split.
    pub counts: Counts,
    /// A system package that ships it, if there is one.
    pub system: Option<SystemPackage>,
    /// What its encoded images need beyond this; of the layouts of image files alone.
    pub images: Option<EncodedImages>,
    /// The digest of the content, as [`Dataset::digest`](crate::Dataset::digest) has it, where whoever made the
    /// manifest took it; of the layouts of image files alone, since the others have one for each file.
    pub digest: Option<Digest>,
    /// Where it lies, if it is a data set of one's own.
    #[serde(skip)]
    pub own: Option<Own>,
    /// Where the hub has it, in the order in which they are tried.
    #[serde(default)]
    pub hub: Vec<HubSource>,
    /// Its official archives, in the order in which they are tried, after the hub.
    #[serde(default)]
    pub archives: Vec<ArchiveSource>,
    /// Its files, in the order of [`Dataset::digest`](crate::Dataset::digest); empty for the layouts of image files.
    #[serde(default)]
    pub files: Vec<FileSpec>,
}

impl Manifest {
    /// Parses a manifest and checks that it agrees with itself: a data set of one's own, in the form of
    /// `datasets/manifests/*.toml`.
    ///
    /// # Errors
    /// [`DataError::Manifest`], which names the manifest and the field.
    pub fn parse(text: &str) -> Result<Self, DataError> {
        let wrong = |problem| DataError::Manifest { problem };
        let manifest: Self = toml::from_str(text).map_err(|error| wrong(error.to_string()))?;
        match manifest.problem() {
            Some(problem) => Err(wrong(format!("manifest `{}`: {problem}", manifest.name))),
            None => Ok(manifest),
        }
    }

    fn problem(&self) -> Option<String> {
        let most = if self.layout.is_encoded() { 1 << 16 } else { 256 };
        if self.class_names.len() != self.classes || self.classes == 0 || self.classes > most {
            return Some(format!(
                "`class_names` has {} names, `classes` says {}",
                self.class_names.len(),
                self.classes
            ));
        }
        if self.mean.len() != self.shape[0] || self.std.len() != self.shape[0] || self.std.iter().any(|&std| std <= 0.0)
        {
            return Some(format!("`mean` and `std` need {} values each, `std` above zero", self.shape[0]));
        }
        if self.layout == Layout::Idx && self.shape[0] != 1 {
            return Some(format!("`shape` has {} channels, layout idx has one", self.shape[0]));
        }
        if let Some(archive) = self.archives.iter().find(|a| a.format != ArchiveFormat::Files && a.digest.is_none()) {
            return Some(format!("the archive {} has no `digest`", archive.url));
        }
        if let Some(problem) = self.encoded_problem() {
            return Some(problem);
        }
        if self.digest.as_ref().is_some_and(|digest| !self.layout.is_encoded() || digest.algorithm != Algorithm::Sha256)
        {
            return Some("`digest` is a SHA-256, of the layouts of image files alone".to_owned());
        }
        if self.layout.is_encoded() {
            return None;
        }
        let contents: &[FileContent] = if self.layout == Layout::Idx {
            &[FileContent::Images, FileContent::Labels]
        } else {
            &[FileContent::Records]
        };
        if self.files.iter().any(|file| !contents.contains(&file.content)) {
            return Some(format!("`files` of layout {:?} hold {contents:?}", self.layout));
        }
        for (split, expected) in [(Split::Train, self.counts.train), (Split::Test, self.counts.test)] {
            for &content in contents {
                let counted: usize = self
                    .files
                    .iter()
                    .filter(|file| file.split == split && file.content == content)
                    .map(|file| file.count)
                    .sum();
                if counted != expected {
                    return Some(format!(
                        "`files` count {counted} {content:?} for {split:?}, `counts` says {expected}"
                    ));
                }
            }
        }
        None
    }

    /// What is wrong with the keys that only layouts of image files have.
    fn encoded_problem(&self) -> Option<String> {
        match (&self.images, self.layout.is_encoded()) {
            (None, false) => None,
            (Some(images), true) if !self.files.is_empty() || ![1, 3].contains(&self.shape[0]) => {
                Some(format!("layout {:?} has one or three channels and no `files`; {images:?}", self.layout))
            }
            (Some(images), true) if images.class_ids.len() != self.classes => {
                Some(format!("`class_ids` has {} names, `classes` says {}", images.class_ids.len(), self.classes))
            }
            (Some(images), true)
                if [self.shape[1], self.shape[2], images.resize].iter().any(|side| !SIDES.contains(side)) =>
            {
                let ([least, most], resize) = ([SIDES.start(), SIDES.end()], images.resize);
                Some(format!("`shape` {:?} and `resize` = {resize} take {least} to {most} pixels a side", self.shape))
            }
            (Some(images), true) if images.resize < self.shape[1].max(self.shape[2]) => {
                Some(format!("`resize` = {} is less than `shape` {:?}", images.resize, self.shape))
            }
            (Some(images), true) if images.test_folder.is_some() == images.test_split.is_some() => {
                Some("`images` has either `test_folder` or `test_split`".to_owned())
            }
            (Some(EncodedImages { test_split: Some(split), .. }), true)
                if self.layout != Layout::ClassFolders || !(1..=99).contains(&split.percent) =>
            {
                Some("`test_split` takes 1 to 99 `percent` of the images in class folders".to_owned())
            }
            (Some(_), true) => None,
            (found, _) => {
                Some(format!("layout {:?} and `images` ({}) do not go together", self.layout, found.is_some()))
            }
        }
    }

    /// Whether the manifest has the content's digest; otherwise the first content seen on a machine is trusted, and
    /// results say so.
    pub fn has_digest(&self) -> bool {
        !self.layout.is_encoded() || self.digest.is_some()
    }

    /// Whether there is anywhere to fetch it from.
    pub fn is_fetchable(&self) -> bool {
        !(self.hub.is_empty() && self.archives.is_empty())
    }

    /// Whether the name says what the content is: it has a published digest, and is nobody's own.
    pub fn names_content(&self) -> bool {
        self.has_digest() && self.own.is_none()
    }

    /// What its files or images have to be, in words.
    pub fn expected_content(&self) -> &'static str {
        if self.own.is_some() { "the content that was described" } else { "the official content" }
    }

    /// Why nothing says what they have to be, where nothing does.
    pub fn without_digest(&self) -> &'static str {
        if self.own.is_some() { "its manifest has no digest" } else { "nobody published a digest" }
    }

    /// SHA-256 of what decides the pixels and labels of a run beside the files' content: classes, shape, normalisation,
    /// and how images are brought to their shape and split.
    ///
    /// Runs are named by it: what is written here is the form of these names, whatever becomes of types and fields.
    pub fn settings_digest(&self) -> String {
        let layout = match self.layout {
            Layout::Idx => "Idx",
            Layout::Cifar10 => "Cifar10",
            Layout::Cifar100 => "Cifar100",
            Layout::ClassFolders => "ClassFolders",
            Layout::TinyImagenet => "TinyImagenet",
        };
        let Self { classes, shape, mean, std, .. } = self;
        let images = self.images.as_ref().map_or_else(
            || "None".to_owned(),
            |images| {
                let EncodedImages { class_ids, resize, stream, test_folder, test_split } = images;
                let split = test_split.map_or_else(
                    || "None".to_owned(),
                    |TestSplit { seed, percent }| format!("Some(TestSplit {{ seed: {seed}, percent: {percent} }})"),
                );
                format!("Some(({class_ids:?}, {resize}, {stream}, {test_folder:?}, {split}))")
            },
        );
        let settings = format!("({layout}, {classes}, {shape:?}, {mean:?}, {std:?}, {images})");
        Digest::sha256(settings.as_bytes()).hex
    }

    /// Whether it is too large to be decoded into memory: it is read through [`Stream`](crate::Stream).
    pub fn is_streamed(&self) -> bool {
        self.images.as_ref().is_some_and(|images| images.stream)
    }

    /// Bytes in one image, `C * H * W`.
    pub fn image_len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Bytes in the decompressed content of one of its files.
    pub(crate) fn content_len(&self, file: &FileSpec) -> usize {
        match file.content {
            FileContent::Images => idx::IMAGES_HEADER + file.count * self.image_len(),
            FileContent::Labels => idx::LABELS_HEADER + file.count,
            FileContent::Records => file.count * (self.layout.label_bytes() + self.image_len()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MNIST: &str = include_str!("../../manifests/mnist.toml");

    /// Runs on data of one's own are named by it: these never change.
    #[test]
    fn the_digest_of_settings_is_what_it_always_was() {
        for (name, digest) in [
            ("mnist", "e0aba6230e13ef2de80974f5e3baef25acf07e47d03664394090055504993c89"),
            ("cifar-10", "0cc1febbfb551d7bafae22c836a9c620787763c5558cf296b3d8c95a9b3ca0ea"),
            ("cifar-100", "86645808a0abf93bd959d075e48f86c598a9d7a7cf1bf28a5fa7877ff2d0cdcd"),
            ("imagenette-160", "96a3c7ae9a30c063dfbae116919262e0b5fe7e8e027c7be14c44ff49b782aea3"),
            ("tiny-imagenet-200", "20e84c54f5979b19cfa0a02094f6cd7d585e57fa9c28830b19fb87a3a61e986b"),
        ] {
            assert_eq!(registry::manifest(name).unwrap().settings_digest(), digest, "{name}");
        }
        // With test images by chance, as `describe` has it.
        let mut own = registry::manifest("imagenette-160").unwrap().clone();
        (own.classes, own.shape, own.mean, own.std) = (2, [3, 8, 8], vec![0.5, 0.25, 0.1], vec![1.0, 0.3, 0.2]);
        own.images = Some(EncodedImages {
            class_ids: vec!["n1".to_owned(), "a \"b\"".to_owned()],
            resize: 9,
            test_folder: None,
            test_split: Some(TestSplit { seed: 3, percent: 20 }),
            stream: false,
        });
        assert_eq!(own.settings_digest(), "42321d7aeba28d494bf321d16e232f2d39959813d72e7c3da2ed919d9a94c063");
    }

    #[test]
    fn a_manifest_that_contradicts_itself_names_the_field() {
        for (from, to, named) in [
            ("classes = 10", "classes = 11", "`class_names`"),
            ("train = 60000", "train = 59999", "59999"),
            ("mean = [0.1307]", "mean = []", "`mean`"),
            ("content = \"labels\"", "content = \"records\"", "`files`"),
            ("sha256:ba89", "sha512:ba89", "sha512"),
            ("licence", "license", "license"),
        ] {
            let message = Manifest::parse(&MNIST.replace(from, to)).unwrap_err().to_string();
            assert!(message.contains(named), "{from} -> {to}: {message}");
        }
    }
}
