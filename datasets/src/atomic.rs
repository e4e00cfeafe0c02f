//! Files that are either whole or not there.

use std::{
    fs::{self, File},
    io,
    path::Path,
};

/// How the names of temporary files begin; a killed process leaves them behind.
pub const TEMPORARY: &str = ".writing-";

/// Writes `path` through a temporary file beside it and a rename, so that a reader, or the next process after a crash, never meets half a file. Folders that
/// are missing are made.
///
/// # Errors
/// The system's, or that of `fill`; what was at `path` is still there then.
pub fn write_atomically(path: &Path, fill: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<()> {
    let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let mut builder = tempfile::Builder::new();
    // A temporary file is its owner's alone by default; what is written here is for whoever may read the folder.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut file = builder.prefix(TEMPORARY).tempfile_in(folder)?;
    fill(file.as_file_mut())?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    keep_name(folder);
    Ok(())
}

/// Brings the folder's entries to the disk: a power cut could otherwise take a file with a new name. Not every file system
/// can; on those that cannot the file itself is on the disk all the same.
#[cfg(unix)]
fn keep_name(folder: &Path) {
    if let Ok(folder) = File::open(folder) {
        let _ = folder.sync_all();
    }
}

#[cfg(not(unix))]
fn keep_name(_folder: &Path) {}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_failed_write_leaves_what_was_there_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("new/folder/file.txt");
        write_atomically(&path, |file| file.write_all(b"first")).unwrap();
        let failed = write_atomically(&path, |file| {
            file.write_all(b"sec")?;
            Err(io::Error::other("the disk is full"))
        });
        assert_eq!(failed.unwrap_err().to_string(), "the disk is full");
        assert_eq!(fs::read_to_string(&path).unwrap(), "first");
        write_atomically(&path, |file| file.write_all(b"second")).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "second");
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn who_may_read_the_folder_may_read_the_file() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
        // What this process's umask leaves of 0666.
        let usual = dir.path().join("usual");
        File::create(&usual).unwrap();
        let path = dir.path().join("file");
        write_atomically(&path, |_| Ok(())).unwrap();
        assert_eq!(mode(&path), mode(&usual));
    }
}
