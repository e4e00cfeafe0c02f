//! Image files in the folders of their official layouts, with their classes.

use crate::error::DataError;
use crate::manifest::digest::Digest;
use crate::manifest::{EncodedImages, Manifest, TestSplit};
use std::collections::HashSet;
use std::path::Path;
use std::{fs, io};

/// Whether `path` is named like an image.
pub(crate) fn is_image(path: &Path) -> bool {
    path.extension()
        .is_some_and(|extension| ["jpeg", "jpg", "png"].iter().any(|known| extension.eq_ignore_ascii_case(known)))
}

/// A folder of image files.
pub(crate) struct Folder<'a> {
    pub(crate) manifest: &'a Manifest,
    pub(crate) images: &'a EncodedImages,
    pub(crate) dir: &'a Path,
}

/// Image files with their classes.
pub(crate) type Listed = Vec<(u16, Box<Path>)>;

impl Folder<'_> {
    pub(crate) fn corrupt(&self, problem: String) -> DataError {
        DataError::Corrupt {
            dataset: self.manifest.name.clone(),
            file: Some(self.dir.display().to_string()),
            problem,
            fetched: false,
        }
    }

    /// What is at `path` is not there, or may not be read.
    fn unreadable(&self, path: &Path, source: io::Error) -> DataError {
        match source.kind() {
            io::ErrorKind::NotFound => self.corrupt(format!("lacks {}", path.display())),
            _ => DataError::Read { dataset: self.manifest.name.clone(), file: path.display().to_string(), source },
        }
    }

    /// What to say of files whose names the data set's maker does not give: a Mac's notes, copies, downloads of the
    /// same name.
    pub(crate) fn strangers(&self, list: &Listed) -> String {
        let strange = |path: &Path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
            name.starts_with('.') || name.contains("copy") || name.contains([' ', '(', '~'])
        };
        let mut strange = list.iter().map(|(_, path)| path).filter(|path| strange(path));
        let Some(first) = strange.next() else { return String::new() };
        let (first, more) = (first.strip_prefix(self.dir).unwrap_or(first).display(), strange.count());
        let more = if more == 0 { String::new() } else { format!(" and {more} more") };
        format!("; {first}{more} are named like none of its images: remove them")
    }

    /// What is wrong with a split whose images are sorted by class though they should not be.
    fn sorted(&self, split: &str) -> Option<DataError> {
        let id = self.images.class_ids.iter().find(|id| self.dir.join(split).join(id).is_dir())?;
        let found = format!("has its {split} images sorted into class folders ({split}/{id}, ..)");
        Some(self.corrupt(format!("{found}: move them back to {split}/images, beside {split}/val_annotations.txt")))
    }

    /// `<split>/<class id>/<below>/*`, by class and name.
    pub(crate) fn by_class(&self, split: &str, below: &str) -> Result<Listed, DataError> {
        let mut list = Vec::new();
        for (class, id) in self.images.class_ids.iter().enumerate() {
            let dir = self.dir.join(split).join(id).join(below);
            let mut paths = Vec::new();
            for entry in fs::read_dir(&dir).map_err(|error| self.unreadable(&dir, error))? {
                let path = entry.map_err(|error| self.unreadable(&dir, error))?.path();
                if is_image(&path) {
                    paths.push(path.into_boxed_path());
                }
            }
            paths.sort_unstable();
            list.extend(paths.into_iter().map(|path| (class as u16, path)));
        }
        Ok(list)
    }

    /// The training and the test images of one folder with a folder a class: `<class id>/*`, by class and name.
    pub(crate) fn split(&self, split: TestSplit) -> Result<[Listed; 2], DataError> {
        let all = self.by_class("", "")?;
        let mut test = HashSet::new();
        for class in all.chunk_by(|a, b| a.0 == b.0) {
            let rank = |(class, path): &(u16, Box<Path>)| {
                let (id, name) = (&self.images.class_ids[usize::from(*class)], path.file_name().unwrap_or_default());
                Digest::sha256(format!("{}/{id}/{}", split.seed, name.to_string_lossy()).as_bytes()).hex
            };
            let mut ranked: Vec<_> = class.iter().map(|image| (rank(image), image.1.clone())).collect();
            ranked.sort_unstable();
            test.extend(ranked.into_iter().take(split.held_out(class.len())).map(|(_, path)| path));
        }
        let (test, train) = all.into_iter().partition(|(_, path)| test.contains(path));
        Ok([train, test])
    }

    /// `<split>/images/*` with the class ids that `<split>/val_annotations.txt` gives, in its order.
    pub(crate) fn annotated(&self, split: &str) -> Result<Listed, DataError> {
        let folder = self.dir.join(split);
        let path = folder.join("val_annotations.txt");
        let lacking = |path: &Path, error| self.sorted(split).unwrap_or_else(|| self.unreadable(path, error));
        let text = fs::read_to_string(&path).map_err(|error| lacking(&path, error))?;
        let images = folder.join("images");
        let entries = fs::read_dir(&images).map_err(|error| lacking(&images, error))?;
        let there = entries.map(|entry| entry.map(|entry| entry.file_name())).collect::<io::Result<HashSet<_>>>();
        let there = there.map_err(|error| lacking(&images, error))?;
        let entry = |line: &str| {
            let mut words = line.split('\t');
            let (name, id) = (words.next()?, words.next()?);
            // A name and no path: nothing outside the folder is read.
            let plain = Path::new(name).file_name().is_some_and(|file| file == name);
            let class = self.images.class_ids.iter().position(|known| known == id)?;
            plain.then(|| (class as u16, images.join(name).into_boxed_path()))
        };
        let unknown = |line| self.corrupt(format!("has an unknown line in val_annotations.txt: {line}"));
        let listed =
            text.lines().map(|line| entry(line).ok_or_else(|| unknown(line))).collect::<Result<Listed, _>>()?;
        match listed.iter().find(|(_, path)| path.file_name().is_none_or(|name| !there.contains(name))) {
            None => Ok(listed),
            Some((_, path)) => Err(lacking(path, io::ErrorKind::NotFound.into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::place::encoded::Store;
    use crate::testing::{encoded_files, small_encoded};

    /// The small data set in folders, changed; what is wrong with it.
    fn problem(layout: &str, change: impl Fn(&Path)) -> String {
        let folder = tempfile::tempdir().unwrap();
        for (path, image) in encoded_files(layout) {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, image).unwrap();
        }
        let manifest = small_encoded(layout).manifest;
        let open = || Store::in_folder(&manifest, folder.path());
        let sound = open().unwrap();
        change(folder.path());
        let outcome = open().and_then(|_| sound.fingerprint(&manifest));
        outcome.unwrap_err().to_string()
    }

    #[test]
    fn files_that_are_too_many_are_named() {
        for name in ["._x0.JPEG", "x0 (1).JPEG", "x0 copy.jpeg"] {
            let found = problem("class-folders", |dir| fs::write(dir.join("train/n1").join(name), "x").unwrap());
            assert!(found.contains("has 7 images under train, not 6; train/n1/") && found.contains(name), "{found}");
        }
        let found = problem("class-folders", |dir| fs::write(dir.join("train/n1/x99.JPEG"), "x").unwrap());
        assert!(found.contains("has 7 images under train, not 6; replace it"), "{found}");
    }

    #[test]
    fn test_images_that_were_sorted_or_lost_are_not_a_matter_of_permissions() {
        let sort = |dir: &Path, list_too: bool| {
            let (images, class) = (dir.join("val/images"), dir.join("val/n1"));
            fs::rename(images, &class).unwrap();
            if list_too {
                fs::rename(dir.join("val/val_annotations.txt"), class.join("val_annotations.txt")).unwrap();
            }
        };
        for list_too in [false, true] {
            let found = problem("tiny-imagenet", |dir| sort(dir, list_too));
            assert!(found.contains("has its val images sorted into class folders (val/n1, ..): move them"), "{found}");
        }
        let found = problem("tiny-imagenet", |dir| fs::remove_file(dir.join("val/images/val_1.JPEG")).unwrap());
        assert!(found.contains("lacks ") && found.contains("val/images/val_1.JPEG"), "{found}");
        let found = problem("class-folders", |dir| {
            fs::rename(dir.join("train/n1/x0.JPEG"), dir.join("train/n1/x00.JPEG")).unwrap();
        });
        assert!(found.contains("x0.JPEG is no longer there") && !found.contains("permissions"), "{found}");
    }
}
