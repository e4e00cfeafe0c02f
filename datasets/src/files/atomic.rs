//! Files that are either whole or not there.

use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::time::Duration;

use rayon::prelude::*;

/// How the names of files that are being written begin; a killed process leaves them behind.
pub const TEMPORARY: &str = ".writing-";

/// A file that is being written is locked; it may take this long until it is.
pub const YOUNG: Duration = Duration::from_secs(60);

/// Writes `path` through a temporary file beside it and a rename, so that a reader, or the next process after a crash,
/// never meets half a file. Folders that are missing are made. What killed processes left of their writing in the same
/// folder is removed.
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
    // Where files cannot be locked, nothing is swept up either.
    let _ = file.as_file().try_lock();
    sweep(folder, YOUNG);
    fill(file.as_file_mut())?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    sync_folder(folder);
    Ok(())
}

/// Removes files, and folders, in `folder` that somebody began to write and nobody holds any more. Younger ones than
/// `age` stay: [`YOUNG`] where others may be writing. What cannot be looked at or removed stays, too: it harms nobody.
pub fn sweep(folder: &Path, age: Duration) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if !entry.file_name().as_encoded_bytes().starts_with(TEMPORARY.as_bytes()) {
            continue;
        }
        let path = entry.path();
        let Ok(found) = entry.metadata() else { continue };
        let idle = found.modified().ok().and_then(|changed| changed.elapsed().ok());
        if idle.is_some_and(|idle| idle >= age) && File::open(&path).is_ok_and(|file| file.try_lock().is_ok()) {
            let _ = if found.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
        }
    }
}

/// Renames a file or folder so that the next process finds it even after a crash of the machine.
pub(crate) fn rename(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to)?;
    sync_folder(to.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new(".")));
    Ok(())
}

/// Brings everything in `folder`, and below it, to the disk.
pub(crate) fn sync_below(folder: &Path) -> io::Result<()> {
    let entries = fs::read_dir(folder)?.collect::<io::Result<Vec<_>>>()?;
    entries.par_iter().try_for_each(|entry| match entry.file_type()?.is_dir() {
        true => sync_below(&entry.path()),
        false => File::open(entry.path())?.sync_all(),
    })?;
    sync_folder(folder);
    Ok(())
}

/// Brings a folder's list of names to the disk: a power cut could otherwise take a file with a new name. Not every file
/// system can; on those that cannot the file itself is on the disk all the same.
fn sync_folder(folder: &Path) {
    if cfg!(unix)
        && let Ok(folder) = File::open(folder)
    {
        let _ = folder.sync_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

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

    #[test]
    fn what_killed_processes_left_is_removed_and_what_is_being_written_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        let old = std::time::SystemTime::now() - 2 * YOUNG;
        let left = |name: &str| {
            let file = File::create(path(name)).unwrap();
            file.set_modified(old).unwrap();
            file
        };
        let held = left(".writing-held");
        held.try_lock().unwrap();
        drop((left(".writing-killed"), left("another file")));
        fs::create_dir(path(".writing-folder")).unwrap();
        File::create(path(".writing-folder/file")).unwrap();
        File::open(path(".writing-folder")).unwrap().set_modified(old).unwrap();
        File::create(path(".writing-young")).unwrap();
        write_atomically(&path("file"), |file| {
            // The one that is being written now is as old as it likes.
            file.set_modified(old)?;
            write_atomically(&path("other"), |_| Ok(()))
        })
        .unwrap();
        let there = |names: [&str; 3]| names.map(|name| path(name).exists());
        assert_eq!(there([".writing-held", ".writing-young", "another file"]), [true; 3]);
        assert_eq!(there(["file", "other", ".writing-killed"]), [true, true, false]);
        assert!(!path(".writing-folder").exists());
        sweep(dir.path(), Duration::ZERO);
        assert_eq!(there([".writing-held", ".writing-young", "another file"]), [true, false, true]);
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
