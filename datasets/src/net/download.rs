//! One file from a server to a partial file: resumed where it was cut, bounded, and given away only if its digest is right.

use std::{
    fs::{File, OpenOptions},
    future::Future,
    io::{Read, Write},
    path::Path,
    time::Duration,
};

use super::Problem;
use crate::{
    digest::{Algorithm, Digest},
    options::{HubOptions, Progress},
};

/// The bytes of a response, piece by piece.
pub(super) trait Body {
    /// The next piece; none at the end.
    fn next(&mut self) -> impl Future<Output = Result<Option<Vec<u8>>, Problem>>;
}

/// What a file must be.
pub(super) struct Goal<'a> {
    /// What people call it.
    pub(super) name: &'a str,
    /// Its bytes, if the server said so.
    pub(super) size: Option<u64>,
    /// More bytes than this are refused.
    pub(super) max_bytes: u64,
    /// Its digest, as far as one is known.
    pub(super) check: Check,
}

/// How a whole file is known to be right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Check {
    /// By a digest of its bytes.
    Digest(Digest),
    /// By its object name in git: of its bytes or, for a file in git's large file storage, of the pointer that holds its SHA-256.
    Git(String),
    /// Not at all.
    Nothing,
}

impl Check {
    /// The name of the content of the file at `path` if it is right: its digest in hexadecimal, the hub's ETag; empty where nothing is known.
    pub(super) fn name(&self, path: &Path) -> std::io::Result<Option<String>> {
        let digest = |algorithm| Digest::of_reader(algorithm, &mut File::open(path)?);
        match self {
            Self::Nothing => Ok(Some(String::new())),
            Self::Digest(expected) => {
                let found = digest(expected.algorithm)?;
                Ok((found == *expected).then_some(found.hex))
            }
            Self::Git(expected) => {
                let size = path.metadata()?.len();
                let sha256 = digest(Algorithm::Sha256)?.hex;
                let pointer = format!("version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {size}\n");
                if git_name(pointer.len() as u64, pointer.as_bytes())? == *expected {
                    return Ok(Some(sha256));
                }
                let name = git_name(size, File::open(path)?)?;
                Ok((name == *expected).then_some(name))
            }
        }
    }
}

/// Git's name of a file: the SHA-1 of `blob <length>\0` and its bytes.
fn git_name(length: u64, content: impl Read) -> std::io::Result<String> {
    let head = format!("blob {length}\0");
    Ok(Digest::of_reader(Algorithm::Sha1, &mut head.as_bytes().chain(content))?.hex)
}

/// Downloads to `part`, which may hold the start of the file from an earlier try. `open(from)` asks for the file from byte `from` on and says from where it
/// really comes. When this returns `Ok`, `part` is whole and has passed the goal's check, which gives its name; a file that does not pass is removed.
pub(super) async fn download<B: Body, F: Future<Output = Result<(u64, B), Problem>>>(
    part: &Path,
    goal: &Goal<'_>,
    options: &HubOptions,
    progress: &Progress,
    mut open: impl FnMut(u64) -> F,
) -> Result<String, Problem> {
    let mut resumed = false;
    loop {
        let mut idle = 0;
        while let Err(problem) = attempt(part, goal, options, progress, &mut open, &mut idle, &mut resumed).await {
            idle += 1;
            if !problem.passing || idle > options.retries {
                return Err(problem);
            }
            tokio::time::sleep(Duration::from_millis(100 << idle.min(6))).await;
        }
        if let Some(name) = goal.check.name(part).map_err(|error| Problem::file("read", part, &error))? {
            return Ok(name);
        }
        std::fs::remove_file(part).map_err(|error| Problem::file("remove", part, &error))?;
        // The first part may have been of another file; a whole one that is wrong will be wrong again.
        if !std::mem::take(&mut resumed) {
            let text = format!("{} came with another content than announced", goal.name);
            return Err(Problem::new(
                text,
                "try again later or use another source: the server or something before it is at fault",
            ));
        }
    }
}

/// One request and all it gives. `idle` falls back to 0 when bytes arrive.
async fn attempt<B: Body, F: Future<Output = Result<(u64, B), Problem>>>(
    part: &Path,
    goal: &Goal<'_>,
    options: &HubOptions,
    progress: &Progress,
    open: &mut impl FnMut(u64) -> F,
    idle: &mut usize,
    resumed: &mut bool,
) -> Result<(), Problem> {
    let on_disk = || part.metadata().map_or(0, |file| file.len());
    let have = on_disk();
    let have = if goal.size.is_some_and(|size| have > size) { 0 } else { have };
    if have > 0 && goal.size == Some(have) {
        *resumed = true;
        return Ok(());
    }
    let (mut at, mut body) = wait(options.silence, open(have)).await??;
    *resumed |= at > 0;
    let total = goal.size.unwrap_or(goal.max_bytes).min(goal.max_bytes);
    let failed = |error| Problem::write(part, total.saturating_sub(on_disk()), &error);
    let mut file = OpenOptions::new().create(true).write(true).truncate(false).open(part).map_err(failed)?;
    if file.metadata().map_err(failed)?.len() > at {
        file.set_len(at).map_err(failed)?;
    }
    std::io::Seek::seek(&mut file, std::io::SeekFrom::Start(at)).map_err(failed)?;
    while let Some(bytes) = wait(options.silence, body.next()).await?? {
        at += bytes.len() as u64;
        if at > total {
            drop(file);
            let _ = std::fs::remove_file(part);
            return Err(Problem::new(
                format!("{} goes on after the {total} bytes it may have", goal.name),
                "use another source: this is not the file that was asked for",
            ));
        }
        file.write_all(&bytes).map_err(failed)?;
        if !bytes.is_empty() {
            *idle = 0;
        }
        progress.report(goal.name, at, goal.size.unwrap_or(0));
    }
    file.sync_all().map_err(failed)?;
    match goal.size {
        Some(size) if at < size => Err(Problem::passing(
            format!("{} was cut after {at} of {size} bytes", goal.name),
            "run the same command again: it goes on where it stopped",
        )),
        _ => Ok(()),
    }
}

/// `work`, but no longer than `limit`.
pub(super) async fn wait<T>(limit: Duration, work: impl Future<Output = T>) -> Result<T, Problem> {
    tokio::time::timeout(limit, work).await.map_err(|_| Problem::silent("the server"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Expected: `printf abc | git hash-object --stdin`, and the same of the pointer that `printf abc | git lfs clean` writes.
    #[test]
    fn gits_name_of_a_file_or_of_its_pointer_passes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("abc");
        std::fs::write(&path, "abc").unwrap();
        let name = |oid: &str| Check::Git(oid.to_owned()).name(&path).unwrap();
        assert_eq!(name(SMALL).as_deref(), Some(SMALL));
        assert_eq!(name(POINTER), Some(Digest::sha256(b"abc").hex));
        assert_eq!(name(&SMALL.replace('f', "e")), None);
    }

    const SMALL: &str = "f2ba8f84ab5c1bce84a7b441cb1959cfc7093b7f";
    const POINTER: &str = "80d7d501c2b256023dc42e46d958b9ac2ec283ee";
}
