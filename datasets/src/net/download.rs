//! One file from a server to a partial file: resumed where it was cut, bounded, and given away only if its digest is
//! right.

use super::http::{Answer, Pending};
use super::pace::{Pace, SLOWEST, going, pause, wait};
use crate::error::{Kind, Next, Problem};
use crate::manifest::digest::{Algorithm, Digest};
use crate::options::{LoadOptions, Stop};
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::path::Path;

/// What a file must be.
pub(super) struct Goal<'a> {
    /// Its name in messages.
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
    /// By its object name in git: of its bytes or, for a file in git's large file storage, of the pointer that holds
    /// its SHA-256.
    Git(String),
    /// Not at all.
    Nothing,
}

impl Check {
    /// The name of the content of the file at `path` if it is right: its digest in hexadecimal, the hub's ETag; empty
    /// where nothing is known. Fails if `stop` says so on the way.
    pub(super) fn name(&self, path: &Path, stop: &Stop) -> std::io::Result<Option<String>> {
        let digest = |algorithm| Digest::of_reader(algorithm, &mut stop.guard(File::open(path)?));
        match self {
            Self::Nothing => Ok(Some(String::new())),
            Self::Digest(expected) => {
                let found = digest(expected.algorithm)?;
                Ok((found == *expected).then_some(found.hex))
            }
            Self::Git(expected) => {
                let size = path.metadata()?.len();
                let sha256 = digest(Algorithm::Sha256)?.hex;
                if pointer_name(&sha256, size) == *expected {
                    return Ok(Some(sha256));
                }
                let name = git_name(size, stop.guard(File::open(path)?))?;
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

/// Git's name of the pointer in place of a file in git's large file storage.
pub(super) fn pointer_name(sha256: &str, size: u64) -> String {
    let pointer = format!("version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {size}\n");
    git_name(pointer.len() as u64, pointer.as_bytes()).expect("bytes in memory can be read")
}

/// Downloads to `part`, which may hold the start of the file from an earlier try. `open(from)` asks for the file from
/// byte `from` on. When this returns `Ok`, `part` is whole and has passed the goal's check, which gives its name; a
/// file that does not pass is removed.
pub(super) fn download(
    part: &Path,
    goal: &Goal<'_>,
    options: &LoadOptions,
    mut open: impl FnMut(u64) -> Pending<Answer>,
) -> Result<String, Problem> {
    goal.allows(goal.size)?;
    let mut restarted = false;
    loop {
        let mut state = State::default();
        let whole = loop {
            match attempt(part, goal, options, &mut open, &mut state) {
                Ok(whole) => break whole,
                Err(problem) if !problem.kind.passes() || state.idle >= options.hub.retries => return Err(problem),
                Err(problem) => {
                    state.idle += 1;
                    state.trickles |= problem.kind == Kind::Slow;
                }
            }
            pause(state.idle, &options.stop)?;
        };
        let failed = |error| Problem::file("read", part, &error);
        if let Some(name) = if whole { goal.check.name(part, &options.stop).map_err(failed)? } else { None } {
            return Ok(name);
        }
        std::fs::remove_file(part).map_err(|error| Problem::file("remove", part, &error))?;
        // The first part may have been of another file; a whole one that is wrong will be wrong again.
        if !state.resumed || std::mem::replace(&mut restarted, true) {
            let text = format!("{} came with another content than announced", goal.name);
            return Err(Problem::new(
                text,
                "try again later or use another source: the server or something before it is at fault",
            ));
        }
    }
}

/// How a download goes.
#[derive(Default)]
struct State {
    /// Tries that failed since the file last grew.
    idle: usize,
    /// How far the file ever came: a server that sends the same start again and again brings nothing new.
    furthest: u64,
    /// How far it had come when it was last said to grow.
    counted: u64,
    /// Whether the server ever sent too slowly: then a few bytes are no growth.
    trickles: bool,
    /// Whether any of it was there before.
    resumed: bool,
}

impl State {
    /// The file came as far as `at`.
    fn came(&mut self, at: u64) {
        self.furthest = self.furthest.max(at);
        if self.furthest - self.counted >= if self.trickles { SLOWEST } else { 1 } {
            (self.counted, self.idle) = (self.furthest, 0);
        }
    }
}

impl Goal<'_> {
    /// Fails if `size` is more than the file may have.
    fn allows(&self, size: Option<u64>) -> Result<(), Problem> {
        match size.filter(|&size| size > self.max_bytes) {
            None => Ok(()),
            Some(size) => Err(Problem::new(
                format!("{} has {size} bytes, more than the {} it may have", self.name, self.max_bytes),
                "use another source: this is not the file that was asked for",
            )),
        }
    }
}

/// One request and all it gives. Whether `part` may be the file now; if not, it is the start of none.
fn attempt(
    part: &Path,
    goal: &Goal<'_>,
    options: &LoadOptions,
    open: &mut impl FnMut(u64) -> Pending<Answer>,
    state: &mut State,
) -> Result<bool, Problem> {
    let on_disk = || part.metadata().map_or(0, |file| file.len());
    let have = on_disk();
    let have = if goal.size.is_some_and(|size| have > size) { 0 } else { have };
    if have > 0 && goal.size == Some(have) {
        state.resumed = true;
        return Ok(true);
    }
    going(&options.stop)?;
    let (mut at, pieces) = match wait(options, &open(have))? {
        Answer::Bytes { from, total, pieces } => {
            goal.allows(total)?;
            (from, pieces)
        }
        Answer::Ended { total } => {
            state.resumed = true;
            return Ok(total == Some(have));
        }
    };
    state.resumed |= at > 0;
    let limit = goal.size.unwrap_or(goal.max_bytes).min(goal.max_bytes);
    let failed = |error| Problem::write(part, limit.saturating_sub(on_disk()), &error);
    let mut file = OpenOptions::new().create(true).write(true).truncate(false).open(part).map_err(failed)?;
    if file.metadata().map_err(failed)?.len() > at {
        file.set_len(at).map_err(failed)?;
    }
    std::io::Seek::seek(&mut file, std::io::SeekFrom::Start(at)).map_err(failed)?;
    let mut pace = Pace::new(options.hub.silence);
    while let Some(bytes) = wait(options, &pieces)? {
        at += bytes.len() as u64;
        if at > limit {
            drop(file);
            let _ = std::fs::remove_file(part);
            return Err(Problem::new(
                format!("{} continues after the {limit} bytes it may have", goal.name),
                "use another source: this is not the file that was asked for",
            ));
        }
        file.write_all(&bytes).map_err(failed)?;
        state.came(at);
        options.progress.report(goal.name, at, goal.size.unwrap_or(0));
        pace.came(bytes.len() as u64)?;
    }
    file.sync_all().map_err(failed)?;
    match goal.size {
        Some(size) if at < size => {
            Err(Problem::passing(format!("{} was cut after {at} of {size} bytes", goal.name), Next::Again))
        }
        _ => Ok(true),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Expected: `printf abc | git hash-object --stdin`, and the same of the pointer that `printf abc | git lfs clean`
    /// writes.
    #[test]
    fn gits_name_of_a_file_or_of_its_pointer_passes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("abc");
        std::fs::write(&path, "abc").unwrap();
        let name = |oid: &str| Check::Git(oid.to_owned()).name(&path, &Stop::default()).unwrap();
        assert_eq!(name(SMALL).as_deref(), Some(SMALL));
        assert_eq!(name(POINTER), Some(Digest::sha256(b"abc").hex));
        assert_eq!(name(&SMALL.replace('f', "e")), None);
    }

    const SMALL: &str = "f2ba8f84ab5c1bce84a7b441cb1959cfc7093b7f";
    const POINTER: &str = "80d7d501c2b256023dc42e46d958b9ac2ec283ee";
}
