//! Files that are either whole or not there.

use crate::error::{Error, Result};
use std::fs::File;
use std::io;
use std::path::Path;

/// [`datasets::write_atomically`], with this crate's error.
pub fn write_atomically(path: &Path, fill: impl FnOnce(&mut File) -> io::Result<()>) -> Result<()> {
    datasets::write_atomically(path, fill).map_err(|e| Error::file("write", path, e))
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
}
