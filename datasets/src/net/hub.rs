//! Parquet shards from the Hugging Face hub into the hub's own cache.
//!
//! hf-hub speaks to the hub and knows its cache; the bytes take our own way, [`download`], since hf-hub 1.0 writes whatever a server answers into the cache:
//! it does not look at the status of the last response, compares no digest, cannot resume, and gives up on a lock after ten seconds.
//! A shard's digest comes from the hub's list of files, which names each by its object in git. (It also has the SHA-256, under a key that hf-hub 1.0 does not
//! look for.)

use std::{
    cell::Cell,
    env,
    fs::{self, File},
    path::{Path, PathBuf},
};

use hf_hub::{HFClient, repository::RepoTreeEntry};

use super::{
    Problem,
    download::{Answer, Check, Goal, download, pointer_name, wait},
    http::{self, HttpBody},
    runtime,
    token::token,
};
use crate::{
    digest::Digest,
    lock::lock,
    manifest::HubSource,
    options::{HubOptions, LoadOptions},
};

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

type Repo = hf_hub::HFRepository<hf_hub::repository::RepoTypeDataset>;

/// The shards of `source`, all of them or a reason.
pub(crate) fn hub_shards(source: &HubSource, reach: Reach, options: &LoadOptions) -> Result<HubShards, Problem> {
    let token = options.hub.token.clone().or_else(|| token(|name| env::var(name).ok(), hf_hub::hf_home()));
    let client =
        client(&options.hub, token.as_ref()).map_err(|error| Problem::hub(&error, &source.repo, source.gated))?;
    let (owner, name) = hf_hub::split_id(&source.repo);
    let hub = Hub {
        repo: client.dataset(owner, name),
        http: http::client()?,
        address: format!("{}/datasets/{}/resolve", client.endpoint(), source.repo),
        token,
        source,
        options,
        folder: client.cache_dir().join(format!("datasets--{}", source.repo.replace('/', "--"))),
        checking: Cell::new(false),
    };
    runtime()?.block_on(async {
        let (commit, train, test) = match reach {
            Reach::Network => hub.remote().await?,
            Reach::Cache => hub.cached()?,
        };
        let mut files = Vec::new();
        for shard in train.iter().chain(&test) {
            files.push(match reach {
                Reach::Network => hub.fetch(&commit, shard).await?,
                Reach::Cache => hub.snapshot(&commit).join(&shard.name),
            });
        }
        let test = files.split_off(train.len());
        Ok(HubShards { train: files, test, commit })
    })
}

fn client(options: &HubOptions, token: Option<&String>) -> hf_hub::HFResult<HFClient> {
    let mut builder = HFClient::builder().retry_max_attempts(options.retries);
    if let Some(endpoint) = &options.endpoint {
        builder = builder.endpoint(endpoint);
    }
    if let Some(dir) = &options.cache_dir {
        builder = builder.cache_dir(dir);
    }
    if let Some(token) = token {
        builder = builder.token(token);
    }
    builder.build()
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
    repo: Repo,
    http: reqwest::Client,
    /// Of its files, without the commit.
    address: String,
    token: Option<String>,
    source: &'a HubSource,
    options: &'a LoadOptions,
    folder: PathBuf,
    /// Whether the caller was told that what is there is looked at.
    checking: Cell<bool>,
}

impl Hub<'_> {
    fn problem(&self, error: &hf_hub::HFError) -> Problem {
        Problem::hub(error, &self.source.repo, self.source.gated)
    }

    fn snapshot(&self, commit: &str) -> PathBuf {
        self.folder.join("snapshots").join(commit)
    }

    /// The commit of the revision and its shards, from the hub's list of files.
    async fn remote(&self) -> Result<(String, Vec<Shard>, Vec<Shard>), Problem> {
        let request = self.repo.info().revision(self.source.revision.clone()).send();
        let info = wait(self.options, request).await?.map_err(|error| self.problem(&error))?;
        let commit = info.sha.unwrap_or_default();
        if !is_commit(&commit) {
            return Err(Problem::new(format!("the hub names `{commit}` as a commit"), "check HF_ENDPOINT"));
        }
        if is_commit(&self.source.revision) && commit != self.source.revision {
            let text = format!("the hub answers with commit {commit}, not {}", self.source.revision);
            return Err(Problem::new(text, "check HF_ENDPOINT"));
        }
        let (train, test) =
            (self.remote_list(&commit, &self.source.train).await?, self.remote_list(&commit, &self.source.test).await?);
        Ok((commit, train, test))
    }

    async fn remote_list(&self, commit: &str, pattern: &str) -> Result<Vec<Shard>, Problem> {
        use futures::StreamExt;
        let dir = pattern.rsplit_once('/').map_or("", |(dir, _)| dir);
        let list = async {
            let tree = self.repo.list_tree().revision(commit.to_owned()).path_in_repo(dir).send()?;
            let mut tree = std::pin::pin!(tree);
            let mut shards = Vec::new();
            while let Some(entry) = tree.next().await {
                if let RepoTreeEntry::File { path, oid, size, .. } = entry? {
                    shards.push(Shard { name: path, oid, size });
                }
            }
            Ok(shards)
        };
        let shards: Vec<Shard> = wait(self.options, list).await?.map_err(|error| self.problem(&error))?;
        self.chosen(shards, pattern)
    }

    /// The shards whose names fit `pattern`, sorted; at least one.
    fn chosen(&self, mut shards: Vec<Shard>, pattern: &str) -> Result<Vec<Shard>, Problem> {
        shards.retain(|shard| fits(&shard.name, pattern));
        shards.sort_unstable();
        match shards.is_empty() {
            false => Ok(shards),
            true => Err(Problem::absent(
                format!("{} at {} has no file {pattern}", self.source.repo, self.source.revision),
                "use another source, or --data-dir",
            )),
        }
    }

    /// The same from the cache, where only a finished fetch leaves names; whether all shards are there shows when their rows are counted.
    fn cached(&self) -> Result<(String, Vec<Shard>, Vec<Shard>), Problem> {
        let revision = &self.source.revision;
        let commit = match is_commit(revision) {
            true => revision.clone(),
            false => fs::read_to_string(self.folder.join("refs").join(revision)).unwrap_or_default().trim().to_owned(),
        };
        let snapshot = self.snapshot(&commit);
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

    /// One shard, from the cache or the hub: `blobs/<digest>` with a link `snapshots/<commit>/<name>`, as every client of the hub keeps it.
    async fn fetch(&self, commit: &str, shard: &Shard) -> Result<PathBuf, Problem> {
        let link = self.snapshot(commit).join(&shard.name);
        let Ok(Digest { hex: oid, .. }) = format!("sha1:{}", shard.oid).parse() else {
            return Err(Problem::new(
                format!("the hub gives {} the name `{}`", shard.name, shard.oid),
                "check HF_ENDPOINT",
            ));
        };
        let blobs = self.folder.join("blobs");
        let failed = |error| Problem::file("write", &self.folder, &error);
        fs::create_dir_all(&blobs).map_err(failed)?;
        let _lock = self.lock(&oid)?;
        let check = Check::Git(oid.clone());
        if self.is_right(&link, shard, &check)? {
            self.write_ref(commit).map_err(failed)?;
            return Ok(link);
        }
        let blob = match self.blob(&blobs, &link, shard, &check)? {
            Some(blob) => blob,
            None => {
                let part = blobs.join(format!("{oid}.incomplete"));
                let goal = Goal { name: &shard.name, size: Some(shard.size), max_bytes: MAX_SHARD_BYTES, check };
                let digest = download(&part, &goal, self.options, |from| self.open(commit, shard, from)).await?;
                let blob = blobs.join(digest);
                fs::rename(&part, &blob).map_err(failed)?;
                blob
            }
        };
        self.link(&blob, &link, &shard.name).map_err(failed)?;
        self.write_ref(commit).map_err(failed)?;
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

    /// The blob that is `shard`, if another commit or another client brought it here. What `link` leads to is known to be none.
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

    async fn open(&self, commit: &str, shard: &Shard, from: u64) -> Result<Answer<HttpBody>, Problem> {
        let mut url = reqwest::Url::parse(&format!("{}/{commit}", self.address)).expect("hf-hub took the endpoint");
        url.path_segments_mut().expect("an address with a host").extend(shard.name.split('/'));
        let mut request = self.http.get(url);
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        let refused = |response: &reqwest::Response| {
            let wait = http::text(response, "retry-after").and_then(|seconds| seconds.parse().ok());
            let (status, url) = (response.status().as_u16(), response.url().as_str());
            Problem::hub_status(status, url, wait, &self.source.repo, self.source.gated)
        };
        http::open(request, from, refused).await
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
        if is_commit(&self.source.revision) {
            return Ok(());
        }
        let path = self.folder.join("refs").join(&self.source.revision);
        fs::create_dir_all(path.parent().expect("refs"))?;
        fs::write(path, commit)
    }
}

/// Whether the blob of `shard` is called `name`: a small file's by its name in git; a large one's by its SHA-256, which decides git's name of its pointer.
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
    fn a_star_stands_for_part_of_a_name() {
        assert!(fits("data/train-0.parquet", "data/train-*.parquet"));
        assert!(fits("160px/0000.parquet", "160px/*.parquet"));
        assert!(!fits("data/valid-0.parquet", "data/train-*.parquet"));
        assert!(!fits("data/train-x/y.parquet", "data/train-*.parquet"));
        assert!(fits("a.parquet", "a.parquet") && !fits("ab.parquet", "a.parquet"));
    }
}
