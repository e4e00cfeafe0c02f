//! The folder where fetched data sets are kept: whole folders in their official layouts, put there by one rename.
//!
//! ```text
//! mnist/..                     as in a data directory
//! .partial/<digest>-<name>     downloads that were cut
//! .incoming/..                 what is being unpacked; the rest of a killed process is swept up by the next fetch
//! .locks/<data set>            held while a data set is fetched
//! .origins/<data set>          where the folder came from: the hub's data set and commit, or the archive's address
//! .first-use/<data set>.toml   the digest of content that nobody published a digest of
//! .described/<digest>.toml     the manifest of a folder of one's own that has none, and what its files looked like
//! .shards/<data set>.json      the shards in the hub's cache that encoded images are read from
//! ```
//! Several users may share a cache: each reads what the others write, and locks a file that it may only read by reading
//! it.

use crate::error::{DataError, Problem};
use crate::files::atomic::{rename, sync_below, write_atomically};
use crate::files::lock::lock;
use crate::manifest::digest::Digest;
use crate::manifest::{HubSource, Manifest};
use crate::net::HubShards;
use crate::options::LoadOptions;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::{env, fs};
use tempfile::TempDir;

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
        lock(&self.dir(".locks")?.join(&manifest.name), &format!("fetches {}", manifest.name), options)
    }

    /// Waits until nobody else compares content with [`first_use`](Self::first_use) or writes it. Who fetches may call
    /// it: the locks are two.
    pub(crate) fn lock_first_use(&self, manifest: &Manifest, options: &LoadOptions) -> Result<File, Problem> {
        let path = self.dir(".locks")?.join(format!("{}.first-use", manifest.name));
        lock(&path, &format!("compares {} with its first use", manifest.name), options)
    }

    /// Removes what killed processes left of unpacking, of whichever data set nobody fetches now. Call it with the lock
    /// of `manifest` held.
    pub(crate) fn sweep(&self, manifest: &Manifest) {
        for entry in fs::read_dir(self.root.join(".incoming")).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let Some((owner, _)) = name.rsplit_once('-') else { continue };
            let lock = File::open(self.root.join(".locks").join(owner));
            if owner == manifest.name || lock.is_ok_and(|lock| lock.try_lock().is_ok()) {
                let _ = fs::remove_dir_all(entry.path());
            }
        }
    }

    /// A new folder beside the data sets. Call it with the lock held.
    pub(crate) fn incoming(&self, manifest: &Manifest) -> Result<TempDir, Problem> {
        let dir = self.dir(".incoming")?;
        let prefix = format!("{}-", manifest.name);
        let mut builder = tempfile::Builder::new();
        // It will be a data set's folder, for whoever may read the cache.
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o777));
        builder.prefix(&prefix).tempdir_in(&dir).map_err(|error| Problem::file("write to", &dir, &error))
    }

    /// The partial download of `url`.
    pub(crate) fn part(&self, url: &str) -> Result<PathBuf, Problem> {
        let name = url.rsplit('/').next().unwrap_or_default();
        Ok(self.dir(".partial")?.join(format!("{}-{name}", &Digest::sha256(url.as_bytes()).hex[..16])))
    }

    /// Makes `incoming`, which came from `origin`, the data set's folder, in place of what is there: that stays until
    /// the new content is on the disk, and comes back if it cannot take its place. Call it with the lock held.
    pub(crate) fn publish(&self, incoming: TempDir, manifest: &Manifest, origin: &str) -> Result<PathBuf, Problem> {
        let folder = self.folder(manifest);
        // Under a name by which it is swept up if this process is killed.
        let aside = self.dir(".incoming")?.join(format!("{}-replaced", manifest.name));
        let publish = || {
            fs::create_dir_all(folder.parent().expect("a folder in the cache"))?;
            // Its name would outlive a power cut that its content does not.
            sync_below(incoming.path())?;
            let replaces = folder.exists();
            if replaces {
                rename(&folder, &aside)?;
            }
            rename(incoming.path(), &folder).inspect_err(|_| {
                if replaces {
                    let _ = rename(&aside, &folder);
                }
            })
        };
        publish().map_err(|error| Problem::file("write", &folder, &error))?;
        // It is no longer where it was made, so there is nothing to remove.
        let _ = incoming.keep();
        let _ = fs::remove_dir_all(&aside);
        self.write(&self.origin_path(manifest), origin.as_bytes())?;
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

    /// The shards of a data set that is read from them; none if one has gone, or if the manifest no longer has their
    /// source. The record only says where to look, so that one of another version, or a damaged one, is none.
    pub(crate) fn shards(&self, manifest: &Manifest) -> io::Result<Option<ShardList>> {
        let text = absent(fs::read(self.shards_path(manifest)))?;
        let list: Option<ShardList> = text.and_then(|text| serde_json::from_slice(&text).ok());
        Ok(list.filter(|list| {
            list.source(manifest).is_some() && list.train.iter().chain(&list.test).all(|path| path.is_file())
        }))
    }

    /// Remembers the shards of a data set that is read from them.
    pub(crate) fn remember_shards(&self, manifest: &Manifest, list: &ShardList) -> Result<(), Problem> {
        self.write(&self.shards_path(manifest), &serde_json::to_vec_pretty(list).expect("plain data"))
    }

    fn write(&self, path: &Path, content: &[u8]) -> Result<(), Problem> {
        write_atomically(path, |file| file.write_all(content))
            .map_err(|error| Problem::write(path, content.len() as u64, &error))
    }

    /// The digest of the content that this machine saw first under a data set's name. A record that cannot be read is
    /// an error: without it, any content would be the first.
    pub(crate) fn first_use(&self, manifest: &Manifest) -> Result<Option<FirstUse>, DataError> {
        let path = self.first_use_path(manifest);
        let unusable = |problem| DataError::Record { dataset: manifest.name.clone(), record: path.clone(), problem };
        let text = absent(fs::read_to_string(&path)).map_err(|error| unusable(format!("cannot be read ({error})")))?;
        let parse =
            |text: String| toml::from_str(&text).map_err(|error| unusable(format!("is damaged ({})", error.message())));
        text.map(parse).transpose()
    }

    /// Writes down the digest of the content seen first. Call it with [`lock_first_use`](Self::lock_first_use) held.
    pub(crate) fn remember_first_use(&self, manifest: &Manifest, first: &FirstUse) -> Result<(), Problem> {
        self.write(&self.first_use_path(manifest), toml::to_string(first).expect("plain data").as_bytes())
    }

    /// The manifest of a folder that was described under `key`, while its files look like `fingerprint`.
    pub(crate) fn described(&self, key: &str, fingerprint: &str) -> Option<String> {
        let text = fs::read_to_string(self.described_path(key)).ok()?;
        text.strip_prefix(&format!("# {fingerprint}\n")).map(str::to_owned)
    }

    /// Keeps what [`described`](Self::described) gives.
    pub(crate) fn remember_described(&self, key: &str, fingerprint: &str, text: &str) -> Result<(), Problem> {
        self.write(&self.described_path(key), format!("# {fingerprint}\n{text}").as_bytes())
    }

    fn described_path(&self, key: &str) -> PathBuf {
        self.root.join(".described").join(format!("{key}.toml"))
    }

    /// Where [`first_use`](Self::first_use) is kept.
    pub(crate) fn first_use_path(&self, manifest: &Manifest) -> PathBuf {
        // Content with a digest in its manifest is known by that: two data sets of one name are two.
        let digest = manifest.digest.as_ref().map_or_else(String::new, |digest| format!("-{}", &digest.hex[..16]));
        self.root.join(".first-use").join(format!("{}{digest}.toml", manifest.name))
    }
}

/// The folder where [`fetch`](crate::fetch) keeps data sets; none where there is no home and none is set.
pub fn cache_dir(options: &LoadOptions) -> Option<PathBuf> {
    Cache::of(options).map(|cache| cache.root)
}

/// What was read, if there is a file.
fn absent<T>(read: io::Result<T>) -> io::Result<Option<T>> {
    match read {
        Ok(content) => Ok(Some(content)),
        // Of the latter: something on the way is a file, so that there is none below it.
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The Parquet shards that a data set is read from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ShardList {
    /// The hub's data set, as the manifest's entry has it.
    pub(crate) repo: String,
    /// The revision of that entry.
    pub(crate) revision: String,
    /// The commit they are from.
    pub(crate) commit: String,
    /// Of the training images.
    pub(crate) train: Vec<PathBuf>,
    /// Of the test images.
    pub(crate) test: Vec<PathBuf>,
}

impl ShardList {
    /// The shards that a fetch from `source` gave.
    pub(crate) fn new(source: &HubSource, shards: HubShards) -> Self {
        let (repo, revision) = (source.repo.clone(), source.revision.clone());
        Self { repo, revision, commit: shards.commit, train: shards.train, test: shards.test }
    }

    /// The manifest's entry that they are of, if it still has it.
    pub(crate) fn source<'a>(&self, manifest: &'a Manifest) -> Option<&'a HubSource> {
        manifest.hub.iter().find(|source| (&source.repo, &source.revision) == (&self.repo, &self.revision))
    }
}

/// What was found where nobody published what there should be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FirstUse {
    /// SHA-256 of the content.
    pub(crate) digest: String,
    /// Where it came from, and every other place where the same content was found.
    pub(crate) sources: Vec<String>,
    /// What the files looked like in each of these places, as
    /// [`Store::fingerprint`](crate::place::encoded::Store::fingerprint) has it; none for places that were written down
    /// before there were any.
    #[serde(default)]
    pub(crate) fingerprints: BTreeMap<String, String>,
}

impl FirstUse {
    /// Whether files that look like `fingerprint` were read at `source`, and had the digest.
    pub(crate) fn knows(&self, source: &str, fingerprint: &str) -> bool {
        self.fingerprints.get(source).is_some_and(|known| known == fingerprint)
    }

    /// Adds that they were. Returns whether this was unknown.
    pub(crate) fn learn(&mut self, source: &str, fingerprint: &str) -> bool {
        if self.knows(source, fingerprint) {
            return false;
        }
        if !self.sources.iter().any(|known| known == source) {
            self.sources.push(source.to_owned());
        }
        self.fingerprints.insert(source.to_owned(), fingerprint.to_owned());
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{options_in, small_encoded};

    #[test]
    fn a_record_that_cannot_be_read_is_no_missing_record() {
        let folder = tempfile::tempdir().unwrap();
        let (cache, manifest) =
            (Cache::of(&options_in(folder.path())).unwrap(), small_encoded("class-folders").manifest);
        assert_eq!(cache.first_use(&manifest).unwrap(), None);
        let path = cache.first_use_path(&manifest);
        for damage in ["digest = 'ab", "", "digest = 1\nsources = []"] {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, damage).unwrap();
            let problem = cache.first_use(&manifest).unwrap_err().to_string();
            assert!(problem.contains(&format!("{} is damaged (", path.display())), "{problem}");
        }
        fs::write(&path, "digest = 'ab'\nsources = ['data directory d']").unwrap();
        let first = cache.first_use(&manifest).unwrap().unwrap();
        assert!(first.digest == "ab" && !first.knows("data directory d", ""), "a record of an earlier version");
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        let problem = cache.first_use(&manifest).unwrap_err().to_string();
        assert!(problem.contains(&format!("{} cannot be read (", path.display())), "{problem}");
    }

    #[test]
    fn what_is_there_stays_until_the_new_content_can_take_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let options = options_in(folder.path());
        let (cache, manifest) = (Cache::of(&options).unwrap(), small_encoded("class-folders").manifest);
        let made = |content: &str| {
            let incoming = cache.incoming(&manifest).unwrap();
            fs::create_dir(incoming.path().join("train")).unwrap();
            fs::write(incoming.path().join("train/image"), content).unwrap();
            incoming
        };
        let there = || fs::read_to_string(cache.folder(&manifest).join("train/image")).unwrap();
        let _lock = cache.lock(&manifest, &options).unwrap();
        cache.publish(made("old"), &manifest, "here").unwrap();
        // What cannot be brought to the disk replaces nothing.
        let gone = made("lost");
        fs::remove_dir_all(gone.path()).unwrap();
        assert!(cache.publish(gone, &manifest, "there").is_err());
        assert_eq!((there(), cache.origin(&manifest)), ("old".to_owned(), Some("here".to_owned())));
        cache.publish(made("new"), &manifest, "there").unwrap();
        assert_eq!((there(), cache.origin(&manifest)), ("new".to_owned(), Some("there".to_owned())));
        assert_eq!(fs::read_dir(folder.path().join("cache/.incoming")).unwrap().count(), 0, "nothing is left behind");

        // Killed between the two renames: what was set aside goes with the next sweep, and it is fetched again.
        let aside = cache.dir(".incoming").unwrap().join(format!("{}-replaced", manifest.name));
        rename(&cache.folder(&manifest), &aside).unwrap();
        cache.sweep(&manifest);
        assert!(!aside.exists());
        cache.publish(made("again"), &manifest, "there").unwrap();
        assert_eq!(there(), "again");
    }

    #[test]
    fn what_nobody_unpacks_any_more_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let options = options_in(folder.path());
        let (cache, manifest) = (Cache::of(&options).unwrap(), small_encoded("class-folders").manifest);
        let other = |name: &str| Manifest { name: name.to_owned(), ..manifest.clone() };
        let (busy, killed) = (other("tiny-imagenet-200"), other("cifar-10"));
        let left = [&manifest, &busy, &killed].map(|owner| cache.incoming(owner).unwrap().keep());
        drop(cache.lock(&killed, &options).unwrap());
        let _own = cache.lock(&manifest, &options).unwrap();
        let holder = cache.lock(&busy, &options).unwrap();
        cache.sweep(&manifest);
        assert_eq!(left.each_ref().map(|path| path.exists()), [false, true, false]);
        drop(holder);
        cache.sweep(&manifest);
        assert!(!left[1].exists());
    }

    #[cfg(unix)]
    #[test]
    fn records_are_for_whoever_may_read_the_cache() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let (cache, manifest) =
            (Cache::of(&options_in(folder.path())).unwrap(), small_encoded("class-folders").manifest);
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
        let usual = folder.path().join("usual");
        fs::write(&usual, "").unwrap();
        let first = FirstUse { digest: String::new(), sources: Vec::new(), fingerprints: BTreeMap::new() };
        cache.remember_first_use(&manifest, &first).unwrap();
        assert_eq!(mode(&cache.first_use_path(&manifest)), mode(&usual));
    }

    #[test]
    fn shards_are_known_by_their_source_and_not_by_a_number() {
        let folder = tempfile::tempdir().unwrap();
        let (cache, mut manifest) =
            (Cache::of(&options_in(folder.path())).unwrap(), small_encoded("class-folders").manifest);
        let source = |repo: &str| HubSource {
            repo: repo.to_owned(),
            revision: "main".to_owned(),
            gated: false,
            train: "t".to_owned(),
            test: "v".to_owned(),
            image: format!("image of {repo}"),
            label: "label".to_owned(),
            coarse_label: None,
        };
        manifest.hub = vec![source("a/b")];
        let shard = folder.path().join("shard");
        fs::write(&shard, "").unwrap();
        let shards = HubShards { train: vec![shard.clone()], test: vec![shard], commit: "c".to_owned() };
        let list = ShardList::new(&manifest.hub[0], shards);
        cache.remember_shards(&manifest, &list).unwrap();
        assert_eq!(cache.shards(&manifest).unwrap(), Some(list.clone()));
        // A later version lists another source first.
        manifest.hub.insert(0, source("c/d"));
        assert_eq!(list.source(&manifest).unwrap().image, "image of a/b");
        manifest.hub.pop();
        assert_eq!(cache.shards(&manifest).unwrap(), None);
        // As they were written before.
        fs::write(cache.shards_path(&manifest), r#"{"hub":0,"commit":"c","train":[],"test":[]}"#).unwrap();
        assert_eq!(cache.shards(&manifest).unwrap(), None);
    }
}
