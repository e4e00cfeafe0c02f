//! Files that are either whole or not there.

use crate::error::{Error, Result};
use std::fs::{self, File};
use std::io::{self, Seek, SeekFrom};
use std::path::Path;
use std::time::Duration;

/// [`datasets::write_atomically`], with this crate's error.
pub fn write_atomically(path: &Path, fill: impl FnOnce(&mut File) -> io::Result<()>) -> Result<()> {
    let mut written = 0;
    let filled = |file: &mut File| {
        let outcome = fill(file);
        written = file.seek(SeekFrom::End(0)).unwrap_or(0);
        outcome
    };
    let outcome = datasets::write_atomically(path, filled);
    outcome.map_err(|error| match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            Error::Missing(format!(
                "cannot write {}: {error} after {written} bytes of it; what was there before is kept; free some disk space \
                 and run the same command again",
                path.display()
            ))
        }
        _ => Error::file("write", path, error),
    })
}

/// Removes temporary files of [`write_atomically`] in `folder` that nobody has written to for as long as `age`.
pub fn sweep(folder: &Path, age: Duration) {
    // A folder or file that cannot be looked at or removed is left as it is: it harms nobody.
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let temporary = entry.file_name().to_string_lossy().starts_with(datasets::TEMPORARY);
        let modified = entry.metadata().and_then(|meta| meta.modified()).ok();
        let idle = modified.and_then(|time| time.elapsed().ok()).is_some_and(|idle| idle >= age);
        if temporary && idle {
            let _ = fs::remove_file(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_write_names_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file.txt");
        let failed = write_atomically(&path, |_| Err(io::Error::other("the disk is full")));
        let problem = failed.unwrap_err().to_string();
        assert!(problem.contains("cannot write") && problem.contains("file.txt: the disk is full"), "{problem}");
    }

    #[test]
    fn a_full_disk_is_told_with_how_far_it_went_and_what_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file.txt");
        let failed = write_atomically(&path, |file| {
            io::Write::write_all(file, b"12345")?;
            Err(io::ErrorKind::StorageFull.into())
        });
        let problem = failed.unwrap_err().to_string();
        for word in ["file.txt", "after 5 bytes", "is kept", "free some disk space"] {
            assert!(problem.contains(word), "{problem}");
        }
    }
}
