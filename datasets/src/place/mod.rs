//! Where a data set lies on this machine: embedded, in the data directory, in a system package's folder, or in the
//! cache of what was fetched.

pub(crate) mod cache;
mod class_names;
pub(crate) mod compare;
pub(crate) mod encoded;
pub(crate) mod folder;
mod samples;
pub(crate) mod trust;

use crate::error::{Advice, DataError, Next};
use crate::format::stored::{Bytes, StoredFile};
use crate::manifest::Manifest;
use crate::manifest::registry::manifest;
use crate::net::{Reach, hub_shards};
use crate::options::LoadOptions;
use crate::place::cache::{Cache, ShardList};
use std::path::{Path, PathBuf};
use std::{fs, io};

/// Where a data set would be loaded from; nothing of it has been read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    /// It is part of the program.
    Embedded,
    /// All its files are there; whether they are the official ones, [`verify`](crate::verify) says.
    Found {
        /// The folder the files are in.
        dir: PathBuf,
        /// The place in words, as in [`Dataset::source`](crate::Dataset::source).
        source: String,
        /// What is known of the content.
        known: Known,
    },
    /// The hub's own cache has its shards, from whichever program; how many of them, and with what content, a
    /// [`fetch`](crate::fetch) says, which needs no network for them.
    InHubCache {
        /// The folder the shards are in.
        dir: PathBuf,
        /// The hub's data set with its commit.
        source: String,
    },
    /// It is in none of the places.
    Missing {
        /// Every place looked at and what is wrong with it.
        looked: Vec<String>,
        /// What to do next.
        next: Advice,
    },
}

/// What is known of files that were found, without reading them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Known {
    /// Nothing; [`verify`](crate::verify) reads them.
    Nothing,
    /// They had the official content when they were fetched.
    Checked,
    /// Nobody published a digest of them; when they were first used from there, they had this SHA-256.
    Seen(String),
    /// They are not the official ones: a file, and how many bytes it has.
    Wrong(String),
}

impl Known {
    fn of(manifest: &Manifest, located: &Located, options: &LoadOptions) -> Self {
        for (spec, file) in manifest.files.iter().zip(&located.files) {
            let (Bytes::At(path), false) = (&file.bytes, file.gzip) else { continue };
            let (length, expected) = (path.metadata().map_or(0, |found| found.len()), manifest.content_len(spec));
            if length != expected as u64 {
                return Self::Wrong(format!("{} has {length} bytes, not {expected}", file.name));
            }
        }
        let Some(cache) = Cache::of(options) else { return Self::Nothing };
        if manifest.has_digest() {
            let fetched = located.is_fetched(manifest, options) && cache.origin(manifest).is_some();
            return if fetched { Self::Checked } else { Self::Nothing };
        }
        // A record that cannot be read says nothing here; where the images are used, it is an error.
        let first = cache.first_use(manifest).ok().flatten().filter(|first| first.sources.contains(&located.source));
        first.map_or(Self::Nothing, |first| Self::Seen(first.digest))
    }
}

/// Where the data set `name` would be loaded from without a network.
///
/// # Errors
/// [`DataError::Unknown`] alone: a data set that is missing is a [`Status`].
pub fn status(name: &str, options: &LoadOptions) -> Result<Status, DataError> {
    let manifest = manifest(name)?;
    Ok(match locate(manifest, options) {
        Ok(located) => located.status(manifest, options),
        Err(NotFound { looked, next }) => in_hub_cache(manifest, options).unwrap_or(Status::Missing { looked, next }),
    })
}

fn in_hub_cache(manifest: &Manifest, options: &LoadOptions) -> Option<Status> {
    manifest.hub.iter().find_map(|source| {
        let shards = hub_shards(source, Reach::Cache, options).ok()?;
        let dir = shards.train.first()?.parent()?.to_owned();
        Some(Status::InHubCache { dir, source: source.origin(&shards.commit) })
    })
}

/// A data set's files, found.
pub(crate) struct Located {
    /// The place in words.
    pub(crate) source: String,
    /// The folder; none for embedded files.
    pub(crate) dir: Option<PathBuf>,
    /// One for each of the manifest's files, in its order.
    pub(crate) files: Vec<StoredFile>,
    /// The shards that encoded images are read from, if they are in no folder.
    pub(crate) shards: Option<ShardList>,
}

impl Located {
    /// Whether it lies in the cache of what was fetched, or in the hub's: it may be fetched again.
    pub(crate) fn is_fetched(&self, manifest: &Manifest, options: &LoadOptions) -> bool {
        let in_cache = || fs::canonicalize(Cache::of(options)?.folder(manifest)).ok();
        manifest.own.is_none() && (self.shards.is_some() || self.dir.is_some() && self.dir == in_cache())
    }

    /// `error` of these files, with what helps where they lie.
    pub(crate) fn blamed(&self, manifest: &Manifest, options: &LoadOptions, error: DataError) -> DataError {
        match &manifest.own {
            Some(own) => error.of_own(&own.dir, Some(Next::Describe(own.dir.clone()))),
            None if self.is_fetched(manifest, options) => error.in_cache(),
            None => error,
        }
    }

    /// What results say of the place: of a data set of one's own, whose content its digest tells, not where it lies.
    pub(crate) fn told<'a>(&'a self, manifest: &Manifest) -> &'a str {
        if manifest.own.is_some() { "a folder of one's own" } else { &self.source }
    }

    /// As callers see it.
    pub(crate) fn status(self, manifest: &Manifest, options: &LoadOptions) -> Status {
        let known = Known::of(manifest, &self, options);
        match self.dir {
            Some(dir) => Status::Found { dir, source: self.source, known },
            None => Status::Embedded,
        }
    }
}

/// The fields of [`DataError::Missing`].
pub(crate) struct NotFound {
    pub(crate) looked: Vec<String>,
    pub(crate) next: Advice,
}

impl NotFound {
    pub(crate) fn error(self, manifest: &Manifest) -> DataError {
        DataError::Missing { dataset: manifest.name.clone(), looked: self.looked, next: self.next }
    }
}

/// The first place that has all the files: the data directory, the system package, the cache.
pub(crate) fn locate(manifest: &Manifest, options: &LoadOptions) -> Result<Located, NotFound> {
    if manifest.embedded {
        return Ok(Located {
            source: "embedded sample".to_owned(),
            dir: None,
            files: manifest.files.iter().map(|file| samples::embedded(manifest, file)).collect(),
            shards: None,
        });
    }
    if let Some(own) = &manifest.own {
        return match in_folder(manifest, &own.dir) {
            Ok(files) => {
                let source = called("folder", &own.dir, None);
                Ok(Located { source, dir: Some(own.dir.clone()), files, shards: None })
            }
            Err(problem) => Err(NotFound { looked: vec![problem], next: Next::Describe(own.dir.clone()).into() }),
        };
    }
    let mut looked = Vec::new();
    let mut places = Vec::new();
    match &options.data_dir {
        Some(dir) => places.push(("data directory", dir.join(&manifest.folder), None)),
        None => looked.push("no data directory is set".to_owned()),
    }
    if let Some(package) = manifest.system.as_ref().filter(|_| options.system_dirs) {
        places.push(("system package", package.dir.clone(), None));
    }
    let cache = Cache::of(options);
    if let Some(cache) = &cache {
        places.push((CACHE, cache.folder(manifest), cache.origin(manifest)));
    }
    for (place, dir, origin) in places {
        // Under the name that is its own from wherever it is called: content is known again by its place.
        let dir = fs::canonicalize(&dir).unwrap_or(dir);
        match in_folder(manifest, &dir) {
            Ok(files) => {
                let source = called(place, &dir, origin.as_deref());
                return Ok(Located { source, dir: Some(dir), files, shards: None });
            }
            Err(problem) => looked.push(problem),
        }
    }
    match cache.as_ref().map(|cache| cache.shards(manifest)).transpose() {
        Ok(list) => {
            if let Some(list) = list.flatten()
                && let Some(source) = list.source(manifest)
            {
                let (source, dir) = (
                    source.origin(&list.commit),
                    list.train.first().and_then(|shard| shard.parent()).map(Path::to_owned),
                );
                return Ok(Located { source, dir, files: Vec::new(), shards: Some(list) });
            }
        }
        Err(error) => looked.push(format!("no access to the list of its shards in the cache ({error})")),
    }
    Err(NotFound { looked, next: next_step(manifest) })
}

const CACHE: &str = "cache";

/// The name of a folder of the cache in messages and records.
pub(crate) fn cached(dir: &Path, origin: Option<&str>) -> String {
    called(CACHE, dir, origin)
}

fn called(place: &str, dir: &Path, origin: Option<&str>) -> String {
    format!("{place} {}{}", dir.display(), origin.map_or_else(String::new, |origin| format!(", from {origin}")))
}

/// The files of a folder, or what it lacks. Of image files only the folders are looked at: there may be a million.
fn in_folder(manifest: &Manifest, dir: &Path) -> Result<Vec<StoredFile>, String> {
    if let Some(images) = &manifest.images {
        return match &images.test_folder {
            Some(test) => ["train", test].iter().try_for_each(|split| is_folder(&dir.join(split))),
            None => is_folder(dir),
        }
        .map(|()| Vec::new());
    }
    is_folder(dir)?;
    manifest.files.iter().map(|file| in_file(&dir.join(&file.path))).collect()
}

fn is_folder(path: &Path) -> Result<(), String> {
    match path.metadata() {
        Ok(found) if found.is_dir() => Ok(()),
        found => Err(lacking("folder", path, found.err())),
    }
}

/// What to say of a file or folder that was looked for.
fn lacking(what: &str, path: &Path, error: Option<io::Error>) -> String {
    match error.filter(|error| error.kind() != io::ErrorKind::NotFound) {
        Some(error) => format!("no access to {} ({error})", path.display()),
        None => format!("no {what} {}", path.display()),
    }
}

/// The file under its official name or, if that ends in `.gz`, decompressed under the name without it.
fn in_file(official: &Path) -> Result<StoredFile, String> {
    let gzip = official.extension().is_some_and(|extension| extension == "gz");
    let plain = gzip.then(|| (official.with_extension(""), false));
    let mut names = [(official.to_owned(), gzip)].into_iter().chain(plain);
    match names.find(|(path, _)| path.is_file()) {
        Some((path, gzip)) => Ok(StoredFile { name: path.display().to_string(), bytes: Bytes::At(path), gzip }),
        None => Err(lacking("file", official, official.metadata().err())),
    }
}

/// The files of the manifest in `dir`, for a check before it is published.
pub(crate) fn located_in(manifest: &Manifest, dir: &Path, source: String) -> Result<Located, String> {
    Ok(Located { source, dir: Some(dir.to_owned()), files: in_folder(manifest, dir)?, shards: None })
}

fn next_step(manifest: &Manifest) -> Advice {
    let first = match manifest.files.first() {
        Some(first) => {
            format!("{} (the first of {} files", manifest.folder.join(&first.path).display(), manifest.files.len())
        }
        None => format!("{} (with its images in folders", manifest.folder.join("train").display()),
    };
    let fetchable = manifest.is_fetchable();
    let fetch = fetchable.then(|| Next::Fetch(manifest.name.clone()));
    let bring = Next::DataDir(format!("{first}; {})", manifest.homepage));
    let install = manifest.system.as_ref().map(|package| Next::Do(format!("run `{}`", package.install)));
    Advice(fetch.into_iter().chain([bring]).chain(install).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{options_in, small_cifar, small_idx};

    #[test]
    fn the_data_directory_comes_before_the_system_package() {
        let (data, system, cache) =
            (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let mut small = small_idx();
        small.write(system.path());
        small.package(system.path());
        let options = LoadOptions { data_dir: Some(data.path().to_owned()), ..options_in(cache.path()) };
        let source = |options: &LoadOptions| {
            locate(&small.manifest, options).map_or_else(|nowhere| nowhere.looked.join(", "), |found| found.source)
        };

        assert_eq!(source(&options), format!("system package {}", system.path().display()));
        small.write(&data.path().join("small"));
        let folder = data.path().join("small");
        assert_eq!(source(&options), format!("data directory {}", folder.display()));
        std::fs::remove_file(folder.join("t10k-labels.gz")).unwrap();
        assert_eq!(source(&options), format!("system package {}", system.path().display()));
        let without = LoadOptions { system_dirs: false, ..options };
        let cached = cache.path().join("cache/small");
        let nowhere = format!("no file {}, no folder {}", folder.join("t10k-labels.gz").display(), cached.display());
        assert_eq!(source(&without), nowhere);
        small.write(&cached);
        assert_eq!(source(&without), format!("cache {}", cached.display()));
    }

    #[test]
    fn what_is_known_without_reading_is_said() {
        let (data, cache) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let small = small_cifar(1);
        let options = LoadOptions { data_dir: Some(data.path().to_owned()), ..options_in(cache.path()) };
        let known = |options: &LoadOptions| {
            let located = locate(&small.manifest, options).ok().unwrap();
            Known::of(&small.manifest, &located, options)
        };
        let folder = data.path().join("small");
        small.write(&folder);
        assert_eq!(known(&options), Known::Nothing);
        std::fs::write(folder.join("test.bin"), [0; 6]).unwrap();
        let wrong = format!("{} has 6 bytes, not 7", folder.join("test.bin").display());
        assert_eq!(known(&options), Known::Wrong(wrong));
        // In the cache, it depends on who put it there.
        let fetched = LoadOptions { data_dir: None, ..options };
        small.write(&cache.path().join("cache/small"));
        assert_eq!(known(&fetched), Known::Nothing);
        std::fs::create_dir(cache.path().join("cache/.origins")).unwrap();
        std::fs::write(cache.path().join("cache/.origins/small"), "https://example.org").unwrap();
        assert_eq!(known(&fetched), Known::Checked);
    }

    #[test]
    fn a_folder_that_may_not_be_read_is_not_called_missing() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "").unwrap();
        // Root reads everything, but looks into no file.
        let problem = is_folder(&file.join("inside")).unwrap_err();
        assert!(problem.starts_with("no access to ") && problem.contains("Not a directory"), "{problem}");
        let problem = in_file(&file.join("inside")).err().unwrap();
        assert!(problem.starts_with("no access to "), "{problem}");
    }

    #[test]
    fn a_missing_data_set_lists_the_places_and_the_next_step() {
        let (data, cache) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let mut small = small_idx();
        small.package(Path::new("/nonexistent/package"));
        let options = LoadOptions { data_dir: Some(data.path().to_owned()), ..options_in(cache.path()) };
        let error = locate(&small.manifest, &options).err().unwrap().error(&small.manifest);
        assert!(error.is_missing() && !error.is_digest_mismatch());
        assert_eq!(
            error.to_string(),
            format!(
                "data set `small` was not found: no folder {}/small, no folder /nonexistent/package, no folder \
                 {}/cache/small; set `data_dir` \
                 to a folder that holds small/train-images.gz (the first of 4 files; https://example.org), or run \
                 `apt-get install small`",
                data.path().display(),
                cache.path().display()
            )
        );
        let unset = LoadOptions { system_dirs: false, ..options_in(cache.path()) };
        let Ok(Status::Missing { looked, next }) = status("mnist", &unset) else { panic!("found") };
        assert_eq!(looked[0], "no data directory is set");
        assert!(next.to_string().starts_with("fetch mnist where there is a network, or set `data_dir`"), "{next}");
        assert!(status("nope", &unset).is_err());
    }
}
