//! Where a data set lies: embedded, in the data directory, or in a system package's folder.

use std::path::{Path, PathBuf};

use crate::{
    content::{Bytes, StoredFile},
    error::DataError,
    load::LoadOptions,
    manifest::Manifest,
    registry::manifest,
    samples,
};

/// Where a data set would be loaded from; nothing of it has been read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    /// It is part of the program.
    Embedded,
    /// All its files are there; whether they are the official ones, [`verify`](crate::verify) says.
    Found {
        /// The folder the files are in.
        dir: PathBuf,
        /// The place, for people, as in [`Dataset::source`](crate::Dataset::source).
        source: String,
    },
    /// It is in none of the places.
    Missing {
        /// Every place looked at and what is wrong with it.
        looked: Vec<String>,
        /// What to do next.
        next: String,
    },
}

/// Where the data set `name` would be loaded from.
///
/// # Errors
/// [`DataError::Unknown`] alone: a data set that is missing is a [`Status`].
pub fn status(name: &str, options: &LoadOptions) -> Result<Status, DataError> {
    Ok(match locate(manifest(name)?, options) {
        Ok(Located { dir: Some(dir), source, .. }) => Status::Found { dir, source },
        Ok(_) => Status::Embedded,
        Err(Nowhere { looked, next }) => Status::Missing { looked, next },
    })
}

/// A data set's files, found.
pub(crate) struct Located {
    /// The place, for people.
    pub(crate) source: String,
    /// The folder; none for embedded files.
    pub(crate) dir: Option<PathBuf>,
    /// One for each of the manifest's files, in its order.
    pub(crate) files: Vec<StoredFile>,
}

/// The fields of [`DataError::Missing`].
pub(crate) struct Nowhere {
    pub(crate) looked: Vec<String>,
    pub(crate) next: String,
}

impl Nowhere {
    pub(crate) fn error(self, manifest: &Manifest) -> DataError {
        DataError::Missing { dataset: manifest.name.clone(), looked: self.looked, next: self.next }
    }
}

/// The first place that has all the files: the data directory, then the system package.
pub(crate) fn locate(manifest: &Manifest, options: &LoadOptions) -> Result<Located, Nowhere> {
    if manifest.embedded {
        return Ok(Located {
            source: "embedded sample".to_owned(),
            dir: None,
            files: manifest.files.iter().map(|file| samples::embedded(manifest, file)).collect(),
        });
    }
    let mut looked = Vec::new();
    let mut places = Vec::new();
    match &options.data_dir {
        Some(dir) => places.push((dir.join(&manifest.folder), "data directory")),
        None => looked.push("no data directory is set".to_owned()),
    }
    if let Some(package) = manifest.system.as_ref().filter(|_| options.system_dirs) {
        places.push((package.dir.clone(), "system package"));
    }
    for (dir, kind) in places {
        match in_folder(manifest, &dir) {
            Ok(files) => {
                return Ok(Located { source: format!("{kind} {}", dir.display()), dir: Some(dir), files });
            }
            Err(problem) => looked.push(problem),
        }
    }
    Err(Nowhere { looked, next: next_step(manifest) })
}

/// The files of a folder, or what it lacks.
fn in_folder(manifest: &Manifest, dir: &Path) -> Result<Vec<StoredFile>, String> {
    if !dir.is_dir() {
        return Err(format!("no folder {}", dir.display()));
    }
    manifest
        .files
        .iter()
        .map(|file| in_file(&dir.join(&file.path)).ok_or_else(|| format!("no file {}", dir.join(&file.path).display())))
        .collect()
}

/// The file under its official name or, if that ends in `.gz`, decompressed under the name without it.
fn in_file(official: &Path) -> Option<StoredFile> {
    let gzip = official.extension().is_some_and(|extension| extension == "gz");
    let plain = gzip.then(|| (official.with_extension(""), false));
    let (path, gzip) = [(official.to_owned(), gzip)].into_iter().chain(plain).find(|(path, _)| path.is_file())?;
    Some(StoredFile { name: path.display().to_string(), bytes: Bytes::At(path), gzip })
}

fn next_step(manifest: &Manifest) -> String {
    let first = manifest.folder.join(&manifest.files[0].path);
    let (total, homepage) = (manifest.files.len(), &manifest.homepage);
    let package =
        manifest.system.as_ref().map_or_else(String::new, |package| format!(", or run `{}`", package.install));
    format!(
        "set --data-dir or SLL_DATA_DIR to a folder that holds {} (the first of {total} files; {homepage}){package}; there is no automatic download yet",
        first.display()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::small_idx;

    #[test]
    fn the_data_directory_comes_before_the_system_package() {
        let (data, system) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let mut small = small_idx();
        small.write(system.path());
        small.package(system.path());
        let options = LoadOptions { data_dir: Some(data.path().to_owned()), ..LoadOptions::default() };
        let source = |options: &LoadOptions| {
            locate(&small.manifest, options)
                .map(|found| found.source)
                .unwrap_or_else(|nowhere| nowhere.looked.join(", "))
        };

        assert_eq!(source(&options), format!("system package {}", system.path().display()));
        small.write(&data.path().join("small"));
        let folder = data.path().join("small");
        assert_eq!(source(&options), format!("data directory {}", folder.display()));
        std::fs::remove_file(folder.join("t10k-labels.gz")).unwrap();
        assert_eq!(source(&options), format!("system package {}", system.path().display()));
        let without = LoadOptions { system_dirs: false, ..options };
        assert_eq!(source(&without), format!("no file {}", folder.join("t10k-labels.gz").display()));
    }

    #[test]
    fn a_missing_data_set_lists_the_places_and_the_next_step() {
        let data = tempfile::tempdir().unwrap();
        let mut small = small_idx();
        small.package(Path::new("/nonexistent/package"));
        let options = LoadOptions { data_dir: Some(data.path().to_owned()), ..LoadOptions::default() };
        let error = locate(&small.manifest, &options).err().unwrap().error(&small.manifest);
        assert!(error.is_missing() && !error.is_digest_mismatch());
        assert_eq!(
            error.to_string(),
            format!(
                "data set `small` was not found: no folder {}/small, no folder /nonexistent/package; set --data-dir or SLL_DATA_DIR to a folder that holds \
                 small/train-images.gz (the first of 4 files; https://example.org), or run `apt-get install small`; there is no automatic download yet",
                data.path().display()
            )
        );
        let unset = LoadOptions { system_dirs: false, ..LoadOptions::default() };
        assert!(
            matches!(status("mnist", &unset), Ok(Status::Missing { looked, .. }) if looked == ["no data directory is set"])
        );
        assert!(status("nope", &unset).is_err());
    }
}
