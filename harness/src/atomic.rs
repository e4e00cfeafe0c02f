//! Files that are either whole or not there.

use crate::error::{Error, Result, room_for};
use std::borrow::Cow;
use std::fs;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::Path;

/// Writes `content` to `path`, whole or not at all ([`datasets::write_atomically`]).
///
/// # Errors
/// Names the file, and of a disk without room says how many bytes it needs; what was there before is there still.
pub fn write_atomically(path: &Path, content: &[u8]) -> Result<()> {
    write_parts(path, &[content.into()])
}

/// [`write_atomically`] of what `parts` are one after the other.
pub fn write_parts(path: &Path, parts: &[Cow<'_, [u8]>]) -> Result<()> {
    let mut written = 0;
    let outcome = datasets::write_atomically(path, |file| {
        let outcome = parts.iter().try_for_each(|part| file.write_all(part));
        written = file.seek(SeekFrom::End(0)).unwrap_or(0);
        outcome
    });
    outcome.map_err(|error| {
        let Some(remedy) = room_for(error.kind()) else { return Error::file("write", path, error) };
        let needed: usize = parts.iter().map(|part| part.len()).sum();
        Error::Missing(format!(
            "cannot write {}: {error} after {written} of its {needed} bytes; what was there before is kept; {remedy} \
             and run the same command again",
            path.display()
        ))
    })
}

/// Removes the file at `path`, if there is one.
pub fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Error::file("remove", path, error)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_write_names_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file.txt");
        fs::create_dir(&path).unwrap();
        let problem = write_atomically(&path, b"1").unwrap_err().to_string();
        assert!(problem.contains("cannot write") && problem.contains("file.txt: "), "{problem}");
    }

    #[test]
    fn parts_are_one_file_and_what_is_not_there_is_removed_already() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file.txt");
        write_parts(&path, &[b"12"[..].into(), Vec::new().into(), b"3"[..].into()]).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"123");
        remove(&path).unwrap();
        remove(&path).unwrap();
        assert!(remove(dir.path()).unwrap_err().to_string().contains("cannot remove"));
    }

    #[test]
    fn every_kind_of_no_room_has_its_remedy() {
        let kinds = [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded, io::ErrorKind::FileTooLarge];
        for (kind, word) in kinds.into_iter().zip(["disk space", "quota", "ulimit -f"]) {
            assert!(room_for(kind).unwrap().contains(word));
            let problem = Error::file("create", Path::new("folder"), kind.into()).to_string();
            assert!(problem.contains(word) && problem.contains("same command"), "{problem}");
        }
        assert_eq!(room_for(io::ErrorKind::PermissionDenied), None);
    }
}
