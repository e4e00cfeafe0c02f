//! What somebody wrote by hand into the manifest that a folder had before it was described again.

use super::describe::HowToDescribe;
use super::text::{NO_LICENCE, streams};
use crate::augment::evaluate::Shape;
use crate::error::DataError;
use crate::manifest::{EncodedImages, Layout, Manifest, TestSplit};
use std::path::{Path, PathBuf};
use std::{fs, io};

/// The name of the folder `dir`.
pub(super) fn folder_name(dir: &Path) -> String {
    dir.file_name().map_or("images".into(), |name| name.to_string_lossy().into_owned())
}

/// The way to the images in `dir` from the folder of the manifest `file`.
pub(super) fn way(file: &Path, dir: &Path) -> Result<PathBuf, DataError> {
    let beside = file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let beside = fs::canonicalize(beside).map_err(|error| DataError::Own {
        path: beside.to_owned(),
        problem: format!("cannot hold a manifest ({error})"),
        next: "make that folder first, or choose another place for it".into(),
    })?;
    Ok(match dir.strip_prefix(&beside) {
        Ok(below) if below.as_os_str().is_empty() => PathBuf::from("."),
        Ok(below) => below.to_owned(),
        Err(_) => dir.to_owned(),
    })
}

/// The manifest of `dir` that stands in `file` already, if there is one.
pub(super) fn earlier(file: &Path, dir: &Path) -> Result<Option<Manifest>, DataError> {
    let unusable = |problem: String, next: &str| DataError::Own { path: file.to_owned(), problem, next: next.into() };
    let text = match fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => {
            return Err(unusable(format!("cannot be a manifest ({error})"), "choose another place for it"));
        }
    };
    let manifest = super::parsed(&text, file, file).map_err(|error| {
        let problem = match error {
            DataError::Own { problem, .. } => problem,
            other => other.problem(),
        };
        unusable(format!("is there and {problem}"), "mend it, or remove it to start afresh")
    })?;
    match &manifest.own {
        Some(own) if own.dir == dir && manifest.layout == Layout::ClassFolders => Ok(Some(manifest)),
        own => {
            let other = own.as_ref().map(|own| own.dir.display().to_string()).unwrap_or_default();
            let problem = format!("is there and describes {other}, layout {:?}", manifest.layout);
            Err(unusable(problem, "choose another place for the manifest, or remove that file"))
        }
    }
}

/// An earlier manifest, or none. Each part is given where it is not what describing the folder wrote by itself.
#[derive(Clone, Copy)]
pub(super) struct Before<'a> {
    manifest: Option<&'a Manifest>,
    images: Option<&'a EncodedImages>,
}

impl<'a> Before<'a> {
    pub(super) fn of(manifest: Option<&'a Manifest>) -> Self {
        Self { manifest, images: manifest.and_then(|manifest| manifest.images.as_ref()) }
    }

    pub(super) fn name(self) -> Option<&'a str> {
        self.manifest.map(|before| before.name.as_str())
    }

    pub(super) fn title(self) -> Option<&'a str> {
        self.manifest.filter(|before| before.title != before.name).map(|before| before.title.as_str())
    }

    pub(super) fn licence(self) -> Option<&'a str> {
        self.manifest.map(|before| before.licence.as_str()).filter(|licence| *licence != NO_LICENCE)
    }

    pub(super) fn homepage(self) -> Option<&'a str> {
        self.manifest.map(|before| before.homepage.as_str()).filter(|homepage| !homepage.is_empty())
    }

    /// A shape that is no square, or that is cut out of larger images; its channels are not used.
    pub(super) fn shape(self) -> Option<Shape> {
        let (before, images) = (self.manifest?, self.images?);
        let [_, height, width] = before.shape;
        let square = height == width && images.resize == height;
        (!square).then_some(Shape { shape: before.shape, resize: images.resize })
    }

    /// The side of images that are squares, whoever chose it.
    pub(super) fn side(self) -> Option<usize> {
        self.shape().is_none().then_some(self.manifest?.shape[1])
    }

    pub(super) fn test_folder(self) -> Option<&'a str> {
        self.images?.test_folder.as_deref()
    }

    pub(super) fn test_split(self) -> Option<TestSplit> {
        self.images?.test_split
    }

    pub(super) fn stream(self) -> Option<bool> {
        let (before, images) = (self.manifest?, self.images?);
        let counted = before.counts.train + before.counts.test;
        Some(images.stream).filter(|stream| *stream != streams(counted, before.shape))
    }

    /// The names of `classes`: those that the earlier manifest gives their folders, and of others the folders'.
    pub(super) fn class_names(self, classes: &[&'a str]) -> Vec<&'a str> {
        let name = |class: &&'a str| {
            let (before, images) = (self.manifest?, self.images?);
            let at = images.class_ids.iter().position(|id| id == class)?;
            before.class_names.get(at).map(String::as_str)
        };
        classes.iter().map(|class| name(class).unwrap_or(class)).collect()
    }

    /// Folders that are gone, each with the name of its class, where that is another one.
    pub(super) fn names_of_gone(self, classes: &[&str]) -> Vec<[&'a str; 2]> {
        let (Some(before), Some(images)) = (self.manifest, self.images) else { return Vec::new() };
        let named = images.class_ids.iter().zip(&before.class_names).filter(|(id, name)| id != name);
        let gone = named.filter(|(id, _)| !classes.contains(&id.as_str()));
        gone.map(|(id, name)| [id.as_str(), name.as_str()]).collect()
    }

    /// How test images are chosen: as `how` says, or else as the earlier manifest does.
    pub(super) fn split(self, how: &HowToDescribe) -> TestSplit {
        let TestSplit { seed, percent } = self.test_split().unwrap_or(TestSplit { seed: 0, percent: 20 });
        TestSplit { seed: how.split_seed.unwrap_or(seed), percent: how.test_percent.unwrap_or(percent) }
    }
}
