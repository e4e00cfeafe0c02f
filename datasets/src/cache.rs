//! The folder where fetched data sets are kept: whole folders in their official layouts, put there by one rename.
//!
//! ```text
//! mnist/..                     as in a data directory
//! .partial/<digest>-<name>     downloads that were cut
//! .incoming/..                 what is being unpacked; the rest of a killed process is swept up by the next
//! .locks/<data set>            held while a data set is fetched
//! .origins/<data set>          where the folder came from: the hub's data set and commit, or the archive's address
//! .first-use/<data set>.toml   the digest of content that nobody published a digest of
//! ```

use std::{
    env, fs,
    fs::File,
    io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use tempfile::TempDir;

use crate::{digest::Digest, lock::lock, manifest::Manifest, net::HubShards, net::Problem, options::LoadOptions};

/// The cache's folder, which need not exist yet.
#[derive(Clone, Debug)]
pub(crate) struct Cache {
    root: PathBuf,
}

impl Cache {
    /// The cache of `options`, or of the environment; none where there is no home.
    pub(crate) fn of(options: &LoadOptions) -> Option<Self> {
        let set = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let root = (options.cache_dir.clone())
            .or_else(|| set("SLL_CACHE"))
            .or_else(|| set("XDG_CACHE_HOME").map(|cache| cache.join("sll")))
            .or_else(|| set("HOME").map(|home| home.join(".cache/sll")))?;
        Some(Self { root })
    }

    /// Where a data set's folder is, or will be.
    pub(crate) fn folder(&self, manifest: &Manifest) -> PathBuf {
        self.root.join(&manifest.folder)
    }

    /// Waits until nobody else fetches `manifest`, and keeps others out until the file is dropped.
    pub(crate) fn lock(&self, manifest: &Manifest, options: &LoadOptions) -> Result<File, Problem> {
        lock(&self.dir(".locks")?.join(&manifest.name), &manifest.name, options)
    }

    /// A new folder beside the data sets. Call it with the lock held: what others left of the same data set is removed.
    pub(crate) fn incoming(&self, manifest: &Manifest) -> Result<TempDir, Problem> {
        let dir = self.dir(".incoming")?;
        let prefix = format!("{}-", manifest.name);
        for entry in fs::read_dir(&dir).into_iter().flatten().flatten() {
            if entry.file_name().to_string_lossy().starts_with(&prefix) {
                let _ = fs::remove_dir_all(entry.path());
            }
        }
        let mut builder = tempfile::Builder::new();
        // It will be a data set's folder, for whoever may read the cache.
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o777));
        builder.prefix(&prefix).tempdir_in(&dir).map_err(|error| Problem::file("write to", &dir, &error))
    }

    /// Where the download of `url` goes on.
    pub(crate) fn part(&self, url: &str) -> Result<PathBuf, Problem> {
        let name = url.rsplit('/').next().unwrap_or_default();
        Ok(self.dir(".partial")?.join(format!("{}-{name}", &Digest::sha256(url.as_bytes()).hex[..16])))
    }

    /// Makes `incoming`, which came from `origin`, the data set's folder, in place of what is there.
    pub(crate) fn publish(&self, incoming: TempDir, manifest: &Manifest, origin: &str) -> Result<PathBuf, Problem> {
        let folder = self.folder(manifest);
        self.write(&self.origin_path(manifest), origin.as_bytes())?;
        let publish = || {
            fs::create_dir_all(folder.parent().expect("a folder in the cache"))?;
            if folder.exists() {
                fs::remove_dir_all(&folder)?;
            }
            fs::rename(incoming.path(), &folder)
        };
        publish().map_err(|error| Problem::file("write", &folder, &error))?;
        // It is no longer where it was made, so there is nothing to remove.
        let _ = incoming.keep();
        Ok(folder)
    }

    fn origin_path(&self, manifest: &Manifest) -> PathBuf {
        self.root.join(".origins").join(&manifest.name)
    }

    /// Where the data set's folder came from, if it was fetched.
    pub(crate) fn origin(&self, manifest: &Manifest) -> Option<String> {
        fs::read_to_string(self.origin_path(manifest)).ok()
    }

    fn dir(&self, name: &str) -> Result<PathBuf, Problem> {
        let dir = self.root.join(name);
        fs::create_dir_all(&dir).map_err(|error| Problem::file("create", &dir, &error))?;
        Ok(dir)
    }

    fn shards_path(&self, manifest: &Manifest) -> PathBuf {
        self.root.join(".shards").join(format!("{}.json", manifest.name))
    }

    /// The shards of a data set that is read from them, if all are still there and the manifest still has their entry.
    pub(crate) fn shards(&self, manifest: &Manifest) -> Option<ShardList> {
        let list: ShardList = serde_json::from_slice(&fs::read(self.shards_path(manifest)).ok()?).ok()?;
        let known = list.hub < manifest.hub.len();
        (known && list.train.iter().chain(&list.test).all(|path| path.is_file())).then_some(list)
    }

    /// Remembers the shards of a data set that is read from them.
    pub(crate) fn remember_shards(&self, manifest: &Manifest, list: &ShardList) -> Result<(), Problem> {
        self.write(&self.shards_path(manifest), &serde_json::to_vec_pretty(list).expect("plain data"))
    }

    fn write(&self, path: &Path, content: &[u8]) -> Result<(), Problem> {
        let write = || {
            let dir = path.parent().expect("a file in the cache");
            fs::create_dir_all(dir)?;
            let mut file = tempfile::NamedTempFile::new_in(dir)?;
            io::Write::write_all(&mut file, content)?;
            file.persist(path).map_err(|error| error.error)?;
            Ok(())
        };
        write().map_err(|error| Problem::file("write", path, &error))
    }

    /// The digest of the content that this machine saw first under a data set's name.
    pub(crate) fn first_use(&self, manifest: &Manifest) -> Option<FirstUse> {
        toml::from_str(&fs::read_to_string(self.first_use_path(manifest)).ok()?).ok()
    }

    /// Writes down the digest of the content seen first.
    pub(crate) fn remember_first_use(&self, manifest: &Manifest, first: &FirstUse) -> Result<(), Problem> {
        self.write(&self.first_use_path(manifest), toml::to_string(first).expect("plain data").as_bytes())
    }

    /// Where [`first_use`](Self::first_use) is kept.
    pub(crate) fn first_use_path(&self, manifest: &Manifest) -> PathBuf {
        self.root.join(".first-use").join(format!("{}.toml", manifest.name))
    }
}

/// The folder where [`fetch`](crate::fetch) keeps data sets; none where there is no home and none is set.
pub fn cache_dir(options: &LoadOptions) -> Option<PathBuf> {
    Cache::of(options).map(|cache| cache.root)
}

/// The Parquet shards that a data set is read from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ShardList {
    /// The manifest's hub entry, by its place.
    pub(crate) hub: usize,
    /// The commit they are from.
    pub(crate) commit: String,
    /// Of the training images.
    pub(crate) train: Vec<PathBuf>,
    /// Of the test images.
    pub(crate) test: Vec<PathBuf>,
}

impl ShardList {
    /// The shards that a fetch from the manifest's hub entry `hub` gave.
    pub(crate) fn new(hub: usize, shards: HubShards) -> Self {
        Self { hub, commit: shards.commit, train: shards.train, test: shards.test }
    }
}

/// What was found where nobody published what there should be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FirstUse {
    /// SHA-256 of the content.
    pub(crate) digest: String,
    /// Where it came from, and every other place where the same content was found.
    pub(crate) sources: Vec<String>,
}
