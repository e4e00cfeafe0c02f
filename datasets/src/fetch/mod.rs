//! From the first source that has a data set into the cache: the hub's cache, the hub, the official archive. Nothing is
//! published before it was checked.

mod convert;
#[cfg(test)]
mod layouts;
#[cfg(test)]
mod tests;
pub(crate) mod unpack;
pub(crate) mod verify;

use crate::error::{Advice, Attempt, DataError, Kind, Next, Problem};
use crate::fetch::unpack::{Bounds, Failure, unpack};
use crate::files::atomic::rename;
use crate::manifest::registry::manifest;
use crate::manifest::{ArchiveFormat, ArchiveSource, Manifest};
use crate::net::{Reach, fetch_archive, hub_shards};
use crate::options::LoadOptions;
use crate::place::cache::{Cache, ShardList};
use crate::place::compare::{FileCheck, compare};
use crate::place::encoded::Store;
use crate::place::folder::is_image;
use crate::place::{Located, Status, cached, locate, located_in, trust};
use std::path::Path;

/// Fetches the data set `name`, unless it is on this machine already, and says where it is. Data in the hub's own cache
/// need no network.
///
/// What lies in the cache is compared with its digests, and replaced if it is damaged.
///
/// Two processes may do so at once: the second waits, and finds it there. A process that was killed leaves nothing that
/// is taken for a data set; the next fetch resumes its downloads.
///
/// # Errors
/// [`DataError::Unknown`] for a name without a manifest, [`DataError::Fetch`] if no source has it, with each source's
/// reason; [`DataError::Missing`] if it is not here and `options.online` is off; [`DataError::Interrupted`] if
/// `options.stop` says so.
pub fn fetch(name: &str, options: &LoadOptions) -> Result<Status, DataError> {
    let manifest = manifest(name)?;
    fetch_manifest(manifest, options).map(|located| located.status(manifest, options))
}

/// [`fetch`] for a manifest of one's own.
pub(crate) fn fetch_manifest(manifest: &Manifest, options: &LoadOptions) -> Result<Located, DataError> {
    let located = locate_or_fetch(manifest, options)?;
    if !located.is_fetched(manifest, options) {
        return Ok(located);
    }
    let problem = match sound(manifest, &located, options) {
        Ok(()) => return Ok(located),
        Err(error @ (DataError::Corrupt { .. } | DataError::Changed { .. } | DataError::Read { .. })) => error,
        Err(error) => return Err(error),
    };
    options.notice.say(&format!("{problem}; looking for sound content to put in its place"));
    let mut attempts = Vec::new();
    match try_all(manifest, options, true, &mut attempts) {
        Ok(Some(located)) => return Ok(located),
        _ if options.stop.requested() => return Err(DataError::Interrupted { dataset: manifest.name.clone() }),
        Ok(None) => {}
        Err(problem) => attempts.push(("cache".to_owned(), problem)),
    }
    let problem = problem.in_cache();
    match options.online {
        true => {
            let cached = Problem::new(format!("what it has cannot be used: {}", problem.problem()), problem.next());
            attempts.insert(0, ("cache".to_owned(), cached));
            Err(unfetched(manifest, attempts, problem.next()))
        }
        false => Err(problem),
    }
}

/// Whether what was fetched is still what it was.
fn sound(manifest: &Manifest, located: &Located, options: &LoadOptions) -> Result<(), DataError> {
    if manifest.layout.is_encoded() {
        let store = Store::open(manifest, located)?;
        return trust::recall(&store, manifest, &located.source, options).map(drop);
    }
    match compare(manifest, located)?.files.into_iter().find(|file| !file.ok) {
        None => Ok(()),
        Some(FileCheck { file, problem, .. }) => Err(DataError::Corrupt {
            dataset: manifest.name.clone(),
            file: Some(file),
            problem: problem.unwrap_or_else(|| "is not the official content".to_owned()),
            fetched: true,
        }),
    }
}

/// [`fetch`] without looking at what is here already, where not having the data set is a [`Status`] and not an error:
/// [`Status::Missing`] then has each source's reason.
///
/// # Errors
/// [`DataError::Unknown`] and [`DataError::Interrupted`] alone.
pub fn status_or_fetch(name: &str, options: &LoadOptions) -> Result<Status, DataError> {
    let manifest = manifest(name)?;
    match locate_or_fetch(manifest, options).map(|located| located.status(manifest, options)) {
        Err(DataError::Missing { looked, next, .. }) => Ok(Status::Missing { looked, next }),
        Err(DataError::Fetch { attempts, next, .. }) => {
            let looked =
                attempts.into_iter().map(|attempt| format!("{}: {}", attempt.source, attempt.problem)).collect();
            Ok(Status::Missing { looked, next })
        }
        outcome => outcome,
    }
}

/// The data set's files where they are, fetched if they are nowhere.
pub(crate) fn locate_or_fetch(manifest: &Manifest, options: &LoadOptions) -> Result<Located, DataError> {
    let mut nowhere = match locate(manifest, options) {
        Ok(located) => return Ok(located),
        Err(nowhere) => nowhere,
    };
    if !manifest.is_fetchable() {
        return Err(nowhere.error(manifest));
    }
    let mut attempts = Vec::new();
    match try_all(manifest, options, false, &mut attempts) {
        Ok(Some(located)) => return Ok(located),
        // The caller asked to stop; any other error follows from that.
        _ if options.stop.requested() => return Err(DataError::Interrupted { dataset: manifest.name.clone() }),
        Ok(None) => {}
        Err(problem) => attempts.push(("cache".to_owned(), problem)),
    }
    if options.online {
        return Err(unfetched(manifest, attempts, nowhere.next));
    }
    // What was found and refused goes into the message.
    nowhere.looked.extend(attempts.into_iter().map(|(source, problem)| format!("{source}: {}", problem.text)));
    Err(nowhere.error(manifest))
}

fn unfetched(manifest: &Manifest, mut attempts: Vec<(String, Problem)>, next: Advice) -> DataError {
    attempts.dedup();
    let attempt = |(source, problem): (String, Problem)| Attempt { source, problem: problem.text, next: problem.next };
    let attempts = attempts.into_iter().map(attempt).collect();
    DataError::Fetch { dataset: manifest.name.clone(), attempts, next }
}

/// Every source in turn, unless it is here by now; `again`, unless it is here by now and sound.
fn try_all(
    manifest: &Manifest,
    options: &LoadOptions,
    again: bool,
    attempts: &mut Vec<(String, Problem)>,
) -> Result<Option<Located>, Problem> {
    let no_home = || Problem::new("there is no folder for a cache", "set SLL_CACHE");
    let cache = Cache::of(options).ok_or_else(no_home)?;
    let _lock = cache.lock(manifest, options)?;
    cache.sweep(manifest);
    if let Ok(located) = locate(manifest, options)
        && (!again || sound(manifest, &located, options).is_ok())
    {
        return Ok(Some(located));
    }
    for reach in [Reach::Cache, Reach::Network] {
        if reach == Reach::Network && !options.online {
            return Ok(None);
        }
        for hub in 0..manifest.hub.len() {
            match from_hub(manifest, hub, reach, &cache, options) {
                Ok(()) => return found(manifest, &cache, options),
                Err(problem) if reach == Reach::Network => {
                    attempts.push((format!("hub {}", manifest.hub[hub].repo), problem));
                }
                // An empty cache of the hub is not an error; refused content in it is.
                Err(problem) if problem.kind == Kind::Absent => {}
                Err(problem) => attempts.push((format!("the hub's cache of {}", manifest.hub[hub].repo), problem)),
            }
        }
    }
    for archive in &manifest.archives {
        match from_archive(manifest, archive, &cache, options) {
            Ok(()) => return found(manifest, &cache, options),
            Err(problem) => attempts.push((archive.url.clone(), problem)),
        }
    }
    Ok(None)
}

fn found(manifest: &Manifest, cache: &Cache, options: &LoadOptions) -> Result<Option<Located>, Problem> {
    // Partial downloads from other sources are no longer needed.
    for url in manifest.archives.iter().flat_map(|archive| urls(manifest, archive)) {
        let _ = std::fs::remove_file(cache.part(&url)?);
    }
    locate(manifest, options)
        .map(Some)
        .map_err(|_| Problem::new("what was just fetched has vanished", "look who cleans SLL_CACHE"))
}

/// What is downloaded of an archive: itself, or its files one by one.
fn urls(manifest: &Manifest, archive: &ArchiveSource) -> Vec<String> {
    match archive.format {
        ArchiveFormat::Files => manifest.files.iter().map(|file| format!("{}{}", archive.url, file.path)).collect(),
        _ => vec![archive.url.clone()],
    }
}

fn from_hub(
    manifest: &Manifest,
    hub: usize,
    reach: Reach,
    cache: &Cache,
    options: &LoadOptions,
) -> Result<(), Problem> {
    let source = &manifest.hub[hub];
    let shards = hub_shards(source, reach, options)?;
    let origin = source.origin(&shards.commit);
    if manifest.layout.is_encoded() {
        let list = ShardList::new(source, shards);
        let store = Store::in_shards(manifest, &list).map_err(unusable(SHARDS))?;
        trust::record_first(&store, manifest, &origin, options).map_err(unusable(SHARDS))?;
        return cache.remember_shards(manifest, &list);
    }
    let incoming = cache.incoming(manifest)?;
    convert::official_files(manifest, source, &shards, incoming.path())?;
    check_and_publish(manifest, cache, incoming, (&origin, SHARDS), options)
}

fn from_archive(
    manifest: &Manifest,
    archive: &ArchiveSource,
    cache: &Cache,
    options: &LoadOptions,
) -> Result<(), Problem> {
    let incoming = cache.incoming(manifest)?;
    let mut parts = Vec::new();
    match archive.format {
        ArchiveFormat::Files => {
            for url in urls(manifest, archive) {
                let part = cache.part(&url)?;
                fetch_archive(&url, &part, archive.max_bytes, None, options)?;
                parts.push(part);
            }
            // Only when all are there: nothing in `incoming` is resumed.
            for (file, part) in manifest.files.iter().zip(&parts) {
                let target = incoming.path().join(&file.path);
                rename(part, &target).map_err(|error| Problem::file("write", &target, &error))?;
            }
        }
        format => {
            let part = cache.part(&archive.url)?;
            fetch_archive(&archive.url, &part, archive.max_bytes, archive.digest.as_ref(), options)?;
            let annotations = Path::new("val/val_annotations.txt");
            let wanted = |path: &Path| match manifest.layout.is_encoded() {
                true => is_image(path) || path == annotations,
                false => manifest.files.iter().any(|file| Path::new(&file.path) == path),
            };
            let bounds = Bounds { bytes: archive.max_bytes, root: &archive.root, wanted: &wanted };
            let unpacked = unpack(format, &part, incoming.path(), &bounds);
            parts.push(part);
            unpacked.map_err(|failure| match failure {
                // The download is kept: once there is room, it can be unpacked.
                Failure::Disk(file, error) => Problem::write(&file, archive.max_bytes, &error),
                Failure::Archive(problem) => {
                    remove(&parts);
                    Problem::new(format!("the archive {problem}"), [Next::OtherSource, Next::OwnFiles])
                }
            })?;
        }
    }
    let outcome = check_and_publish(manifest, cache, incoming, (&archive.url, NOTHING), options);
    // Published or wrong: the download is no longer needed. An interrupted check resumes from it.
    if outcome.is_ok() || !options.stop.requested() {
        remove(&parts);
    }
    outcome
}

fn remove(parts: &[std::path::PathBuf]) {
    parts.iter().for_each(|part| drop(std::fs::remove_file(part)));
}

/// What is kept of content that is refused: archives go, shards are a cache that is not only ours.
const NOTHING: &str = "nothing was kept";
const SHARDS: &str = "its shards stay in the hub's cache, but are not used";

/// Compares what was fetched from `origin` with the manifest and makes it the data set's folder in the cache.
fn check_and_publish(
    manifest: &Manifest,
    cache: &Cache,
    incoming: tempfile::TempDir,
    (origin, kept): (&str, &'static str),
    options: &LoadOptions,
) -> Result<(), Problem> {
    let incomplete =
        |problem| Problem::new(format!("it is incomplete ({problem})"), [Next::OtherSource, Next::OwnFiles]);
    let located = located_in(manifest, incoming.path(), "download".to_owned()).map_err(incomplete)?;
    if manifest.layout.is_encoded() {
        let store = Store::in_folder(manifest, incoming.path()).map_err(unusable(kept))?;
        // Under the name that it will be found by.
        let folder = cache.folder(manifest);
        let parent = folder.parent().and_then(|parent| std::fs::canonicalize(parent).ok());
        let folder = parent.zip(folder.file_name()).map_or(folder.clone(), |(parent, name)| parent.join(name));
        let source = cached(&folder, Some(origin));
        trust::record_first(&store, manifest, &source, options).map_err(unusable(kept))?;
    } else {
        let verification = compare(manifest, &located).map_err(unusable(kept))?;
        if let Some(file) = verification.files.iter().find(|file| !file.ok) {
            let name = Path::new(&file.file).file_name().unwrap_or_default().to_string_lossy();
            let found = file
                .found
                .as_ref()
                .map_or_else(|| file.problem.clone().unwrap_or_default(), |found| format!("found {found}"));
            let expected = file.expected.as_ref().map_or_else(String::new, |digest| format!("expected {digest}, "));
            let text = format!("{name} is not the official content ({expected}{found})");
            return Err(Problem::new(format!("{text}; {kept}"), [Next::OtherSource, Next::OwnFiles]));
        }
    }
    cache.publish(incoming, manifest, origin).map(drop)
}

fn unusable(kept: &str) -> impl Fn(DataError) -> Problem {
    move |error| {
        let next = error.next().or([Next::OtherSource, Next::OwnFiles]);
        Problem::new(format!("{}; {kept}", error.problem()), next)
    }
}
