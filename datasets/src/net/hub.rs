//! Parquet shards from the Hugging Face hub into the hub's own cache.
//!
//! hf-hub knows the hub's addresses, its cache's layout and its answer about a data set; the requests are our own, and
//! so is [`download`], since hf-hub 0.5 writes whatever a server answers into the cache, compares no digest, has no
//! time-outs, and gives up on a lock after five seconds. A shard's digest comes from the hub's list of files, which
//! names each by its object in git. (It also has the SHA-256, under a key that not every mirror has.)

use super::download::{Check, Goal, download, pointer_name};
use super::home;
use super::http::{Answer, Ask, Client, Pending, Reply, whole};
use super::pace::{going, retried, wait};
use super::token::token;
use crate::error::{Next, Problem};
use crate::files::atomic::rename;
use crate::files::lock::lock;
use crate::manifest::HubSource;
use crate::manifest::digest::Digest;
use crate::options::{HubOptions, LoadOptions};
use hf_hub::api::RepoInfo;
use hf_hub::api::sync::{Api, ApiBuilder, ApiRepo};
use hf_hub::{CacheRepo, Repo, RepoType};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use std::cell::Cell;
use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

/// No list of files is longer, in bytes and in answers. ImageNet's 308 shards take 100 kB in one.
const MAX_LIST_BYTES: usize = 50_000_000;
const MAX_LIST_ANSWERS: usize = 1000;

/// No shard is larger: the hub cuts them at 0.5 GB.
const MAX_SHARD_BYTES: u64 = 5_000_000_000;

/// The shards of a data set, in the cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HubShards {
    /// Of the training images, in the order of their names.
    pub(crate) train: Vec<PathBuf>,
    /// Of the test images.
    pub(crate) test: Vec<PathBuf>,
    /// The commit they are from.
    pub(crate) commit: String,
}

/// How far to reach for shards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// To the hub.
    Network,
    /// To its cache on this machine.
    Cache,
}

/// The shards of `source`, all of them or a reason.
pub(crate) fn hub_shards(source: &HubSource, reach: Reach, options: &LoadOptions) -> Result<HubShards, Problem> {
    let hub = Hub::new(source, options, |name| env::var(name).ok())?;
    let (commit, train, test) = match reach {
        Reach::Network => hub.remote()?,
        Reach::Cache => hub.cached()?,
    };
    let mut files = Vec::new();
    for shard in train.iter().chain(&test) {
        files.push(match reach {
            Reach::Network => hub.fetch(&commit, shard)?,
            Reach::Cache => hub.cache.pointer_path(&commit).join(&shard.name),
        });
    }
    let test = files.split_off(train.len());
    Ok(HubShards { train: files, test, commit })
}

/// What the hub lists: a file or a folder.
#[derive(Deserialize)]
struct Entry {
    r#type: String,
    path: String,
    #[serde(default)]
    oid: String,
    #[serde(default)]
    size: u64,
}

/// A file of the hub.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Shard {
    /// Its path in the repository.
    name: String,
    /// Its object name in git; empty where only the cache was looked at.
    oid: String,
    /// Its bytes, likewise.
    size: u64,
}

/// One data set's corner of the hub and of its cache.
struct Hub<'a> {
    /// The server's address, without a slash at its end.
    endpoint: String,
    api: Api,
    client: Client,
    token: Option<String>,
    source: &'a HubSource,
    options: &'a LoadOptions,
    cache: CacheRepo,
    folder: PathBuf,
    /// Whether the caller was told that what is there is looked at.
    checking: Cell<bool>,
}

impl<'a> Hub<'a> {
    fn new(
        source: &'a HubSource,
        options: &'a LoadOptions,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, Problem> {
        let HubOptions { endpoint, cache_dir, token: given, silence, .. } = &options.hub;
        let no_home = || Problem::new("there is no folder for the hub's cache", "set HF_HOME");
        let cache_dir = cache_dir.clone().or_else(|| home::cache_dir(&variable)).ok_or_else(no_home)?;
        let endpoint = endpoint.clone().unwrap_or_else(|| home::endpoint(&variable)).trim_end_matches('/').to_owned();
        let token = given.clone().or_else(|| token(&variable, home::home(&variable)));
        let cache = hf_hub::Cache::new(cache_dir);
        let api = ApiBuilder::from_cache(cache.clone()).with_endpoint(endpoint.clone()).with_token(token.clone());
        let api = api.build().map_err(|error| Problem::new(error.to_string(), "check HTTPS_PROXY"))?;
        let repo = Repo::with_revision(source.repo.clone(), RepoType::Dataset, source.revision.clone());
        let folder = cache.path().join(repo.folder_name());
        let (client, cache) = (Client::new(*silence), cache.repo(repo));
        Ok(Self { endpoint, api, client, token, source, options, cache, folder, checking: Cell::new(false) })
    }

    /// The data set at a revision.
    fn at(&self, revision: &str) -> ApiRepo {
        self.api.repo(Repo::with_revision(self.source.repo.clone(), RepoType::Dataset, revision.to_owned()))
    }

    /// A request, with the account's token where the hub itself is asked.
    fn ask<'b>(&'b self, url: &'b str) -> Ask<'b> {
        let own = url.strip_prefix(&self.endpoint).is_some_and(|rest| rest.starts_with('/'));
        Ask { token: self.token.as_deref().filter(|_| own), ..Ask::get(url) }
    }

    /// What to say of an answer that is not success.
    fn refused(&self) -> impl Fn(&Reply) -> Problem + Send + 'static {
        let (repo, gated) = (self.source.repo.clone(), self.source.gated);
        move |reply| {
            let wait = reply.header("retry-after").and_then(|seconds| seconds.parse().ok());
            Problem::hub_status(reply.status, &reply.url, wait, &repo, gated)
        }
    }

    /// An answer in JSON of at most `max_bytes`, how many it has, and the address of the next one.
    fn json<T: for<'t> Deserialize<'t>>(
        &self,
        url: &str,
        max_bytes: usize,
    ) -> Result<(T, usize, Option<String>), Problem> {
        let (text, next) = retried(self.options, || {
            going(&self.options.stop)?;
            let refused = self.refused();
            let reply = self.client.send(&self.ask(url), move |reply| match reply.status {
                200 => Ok(reply),
                _ => Err(refused(&reply)),
            });
            let reply = wait(self.options, &reply)?;
            let next = reply.header("link").and_then(next_link).map(str::to_owned);
            whole(&reply.pieces, &format!("the hub's answer for {url}"), max_bytes, self.options)
                .map(|text| (text, next))
        })?;
        let answer = serde_json::from_slice(&text).map_err(|error| {
            Problem::new(format!("{url} answers in another way than a hub ({error})"), "check HF_ENDPOINT")
        })?;
        Ok((answer, text.len(), next))
    }

    /// The commit of the revision and its shards, from the hub's list of files.
    fn remote(&self) -> Result<(String, Vec<Shard>, Vec<Shard>), Problem> {
        let request = self.at(&self.source.revision).info_request();
        let url = request.uri_ref().map(ToString::to_string).ok_or_else(|| {
            Problem::new(format!("{} is no address", self.endpoint), "set HF_ENDPOINT to https://.. or unset it")
        })?;
        let (info, ..) = self.json::<RepoInfo>(&url, MAX_LIST_BYTES)?;
        let commit = info.sha;
        if !is_commit(&commit) {
            return Err(Problem::new(format!("the hub names `{commit}` as a commit"), "check HF_ENDPOINT"));
        }
        if is_commit(&self.source.revision) && commit != self.source.revision {
            let text = format!("the hub answers with commit {commit}, not {}", self.source.revision);
            return Err(Problem::new(text, "check HF_ENDPOINT"));
        }
        let (train, test) =
            (self.remote_list(&commit, &self.source.train)?, self.remote_list(&commit, &self.source.test)?);
        Ok((commit, train, test))
    }

    fn remote_list(&self, commit: &str, pattern: &str) -> Result<Vec<Shard>, Problem> {
        let dir = encoded(pattern.rsplit_once('/').map_or("", |(dir, _)| dir));
        let mut url = format!("{}/api/datasets/{}/tree/{commit}/{dir}", self.endpoint, self.source.repo);
        let (mut shards, mut left) = (Vec::new(), MAX_LIST_BYTES);
        for _ in 0..MAX_LIST_ANSWERS {
            let (entries, bytes, next) = self.json::<Vec<Entry>>(url.trim_end_matches('/'), left)?;
            let files = entries.into_iter().filter(|entry| entry.r#type == "file");
            shards.extend(files.map(|file| Shard { name: file.path, oid: file.oid, size: file.size }));
            left -= bytes;
            match next {
                Some(next) => url = next,
                None => return self.chosen(shards, pattern),
            }
        }
        let text = format!("the hub's list of {} continues after {MAX_LIST_ANSWERS} answers", self.source.repo);
        Err(Problem::new(text, "check HF_ENDPOINT, or use another source: no data set here has such a list"))
    }

    /// The shards whose names fit `pattern`, sorted; at least one.
    fn chosen(&self, mut shards: Vec<Shard>, pattern: &str) -> Result<Vec<Shard>, Problem> {
        shards.retain(|shard| fits(&shard.name, pattern));
        shards.sort_unstable();
        match shards.is_empty() {
            false => Ok(shards),
            true => Err(Problem::absent(
                format!("{} at {} has no file {pattern}", self.source.repo, self.source.revision),
                [Next::OtherSource, Next::OwnFiles],
            )),
        }
    }

    /// The same from the cache, where only a finished fetch leaves names; whether all shards are there shows when their
    /// rows are counted.
    fn cached(&self) -> Result<(String, Vec<Shard>, Vec<Shard>), Problem> {
        let revision = &self.source.revision;
        let commit = match is_commit(revision) {
            true => revision.clone(),
            false => fs::read_to_string(self.folder.join("refs").join(revision)).unwrap_or_default().trim().to_owned(),
        };
        let snapshot = self.cache.pointer_path(&commit);
        if !is_commit(&commit) || !snapshot.is_dir() {
            let text = format!("{} is not in the hub's cache {}", self.source.repo, self.folder.display());
            return Err(Problem::absent(text, "fetch it where there is a network"));
        }
        let list = |pattern: &str| {
            let dir = pattern.rsplit_once('/').map_or("", |(dir, _)| dir);
            let entries = fs::read_dir(snapshot.join(dir)).into_iter().flatten().flatten();
            let names = entries.filter(|entry| entry.path().is_file()).map(|entry| {
                let name = entry.file_name().to_string_lossy().into_owned();
                let name = if dir.is_empty() { name } else { format!("{dir}/{name}") };
                Shard { name, ..Shard::default() }
            });
            self.chosen(names.collect(), pattern)
        };
        Ok((commit, list(&self.source.train)?, list(&self.source.test)?))
    }

    /// One shard, from the cache or the hub: `blobs/<digest>` with a link `snapshots/<commit>/<name>`, as every client
    /// of the hub keeps it.
    fn fetch(&self, commit: &str, shard: &Shard) -> Result<PathBuf, Problem> {
        let link = self.cache.pointer_path(commit).join(&shard.name);
        let Ok(Digest { hex: oid, .. }) = format!("sha1:{}", shard.oid).parse() else {
            return Err(Problem::new(
                format!("the hub gives {} the name `{}`", shard.name, shard.oid),
                "check HF_ENDPOINT",
            ));
        };
        let blobs = self.folder.join("blobs");
        fs::create_dir_all(&blobs).map_err(|error| Problem::file("write", &blobs, &error))?;
        let referred = |error| Problem::file("write a branch's commit to", &self.folder.join("refs"), &error);
        let _lock = self.lock(&oid)?;
        let check = Check::Git(oid.clone());
        if self.is_right(&link, shard, &check)? {
            self.write_ref(commit).map_err(referred)?;
            return Ok(link);
        }
        let blob = match self.blob(&blobs, &link, shard, &check)? {
            Some(blob) => blob,
            None => {
                let part = blobs.join(format!("{oid}.incomplete"));
                let goal = Goal { name: &shard.name, size: Some(shard.size), max_bytes: MAX_SHARD_BYTES, check };
                let digest = download(&part, &goal, self.options, |from| self.open(commit, shard, from))?;
                let blob = self.cache.blob_path(&digest);
                rename(&part, &blob).map_err(|error| Problem::file("write", &blob, &error))?;
                blob
            }
        };
        self.link(&blob, &link, &shard.name).map_err(|error| Problem::file("write", &link, &error))?;
        self.write_ref(commit).map_err(referred)?;
        Ok(link)
    }

    /// Whether the file at `path` is `shard`, byte for byte.
    fn is_right(&self, path: &Path, shard: &Shard, check: &Check) -> Result<bool, Problem> {
        if !path.metadata().is_ok_and(|found| found.len() == shard.size) {
            return Ok(false);
        }
        if !self.checking.replace(true) {
            self.options.notice.say(&format!("comparing what is in {} with the hub's digests", self.folder.display()));
        }
        let name = check.name(path, &self.options.stop);
        name.map(|name| name.is_some()).map_err(|error| Problem::file("read", path, &error))
    }

    /// The blob that is `shard`, if another commit or another client brought it here. What `link` leads to is known to
    /// be none.
    fn blob(&self, blobs: &Path, link: &Path, shard: &Shard, check: &Check) -> Result<Option<PathBuf>, Problem> {
        let wrong = fs::canonicalize(link).ok();
        for entry in fs::read_dir(blobs).into_iter().flatten().flatten() {
            let called = entry.file_name().to_str().is_some_and(|name| is_called(name, shard));
            let path = entry.path();
            if called && fs::canonicalize(&path).ok() != wrong && self.is_right(&path, shard, check)? {
                return Ok(Some(path));
            }
        }
        Ok(None)
    }

    /// A lock among the hub's own; waits as long as it must.
    fn lock(&self, name: &str) -> Result<File, Problem> {
        let cache = self.folder.parent().expect("a folder of the cache");
        let dir = cache.join(".locks").join(self.folder.file_name().expect("a folder's name"));
        fs::create_dir_all(&dir).map_err(|error| Problem::file("write", &dir, &error))?;
        lock(&dir.join(format!("{name}.lock")), &format!("fetches a file of {}", self.source.repo), self.options)
    }

    fn open(&self, commit: &str, shard: &Shard, from: u64) -> Pending<Answer> {
        let url = self.at(commit).url(&encoded(&shard.name));
        let refused = self.refused();
        self.client.send(&Ask { from, ..self.ask(&url) }, move |reply| reply.file(from, refused))
    }

    #[cfg(unix)]
    fn link(&self, blob: &Path, link: &Path, name: &str) -> std::io::Result<()> {
        fs::create_dir_all(link.parent().expect("a file in the snapshot"))?;
        let up = "../".repeat(2 + name.matches('/').count());
        let target = Path::new(&up).join("blobs").join(blob.file_name().expect("an etag"));
        let _ = fs::remove_file(link);
        match std::os::unix::fs::symlink(target, link) {
            Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(error),
            _ => Ok(()),
        }
    }

    #[cfg(not(unix))]
    fn link(&self, blob: &Path, link: &Path, _name: &str) -> std::io::Result<()> {
        fs::create_dir_all(link.parent().expect("a file in the snapshot"))?;
        fs::copy(blob, link).map(|_| ())
    }

    fn write_ref(&self, commit: &str) -> std::io::Result<()> {
        if is_commit(&self.source.revision) { Ok(()) } else { self.cache.create_ref(commit) }
    }
}

/// A path as part of an address.
fn encoded(path: &str) -> String {
    const PLAIN: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b'/');
    utf8_percent_encode(path, &PLAIN).to_string()
}

/// The address after this answer's in a `Link` header: `<address>; rel="next"`, among others.
fn next_link(header: &str) -> Option<&str> {
    let next = header.split(',').find(|link| link.contains("rel=\"next\""))?;
    next.split_once('<')?.1.split_once('>').map(|(address, _)| address)
}

/// Whether the blob of `shard` is called `name`: a small file's by its name in git; a large one's by its SHA-256, which
/// decides git's name of its pointer.
fn is_called(name: &str, shard: &Shard) -> bool {
    name == shard.oid || name.len() == 64 && pointer_name(name, shard.size) == shard.oid
}

/// Whether `name` is `pattern`, whose last part may hold one `*`.
fn fits(name: &str, pattern: &str) -> bool {
    match pattern.split_once('*') {
        None => name == pattern,
        Some((start, end)) => {
            name.strip_prefix(start).and_then(|rest| rest.strip_suffix(end)).is_some_and(|middle| !middle.contains('/'))
        }
    }
}

fn is_commit(revision: &str) -> bool {
    revision.len() == 40 && revision.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_part_of_a_list_is_found() {
        let header = r#"<https://hub/a?cursor=1>; rel="prev", <https://hub/a?cursor=3&limit=9>; rel="next""#;
        assert_eq!(next_link(header), Some("https://hub/a?cursor=3&limit=9"));
        assert_eq!((next_link(r#"<https://hub/a>; rel="prev""#), next_link("")), (None, None));
        assert_eq!(encoded("data/a b-ü.parquet"), "data/a%20b-%C3%BC.parquet");
    }

    #[test]
    fn a_star_stands_for_part_of_a_name() {
        assert!(fits("data/train-0.parquet", "data/train-*.parquet"));
        assert!(fits("160px/0000.parquet", "160px/*.parquet"));
        assert!(!fits("data/valid-0.parquet", "data/train-*.parquet"));
        assert!(!fits("data/train-x/y.parquet", "data/train-*.parquet"));
        assert!(fits("a.parquet", "a.parquet") && !fits("ab.parquet", "a.parquet"));
    }
}
