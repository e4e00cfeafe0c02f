//! Locks among processes: waiting is told and can be stopped.

use crate::error::Problem;
use crate::options::LoadOptions;
use std::fs::{File, TryLockError};
use std::path::Path;
use std::time::Duration;
use std::{io, thread};

/// How often a lock is tried.
const PAUSE: Duration = Duration::from_millis(100);

/// Waits until nobody else holds the lock file at `path`, and keeps others out until the file is dropped. `work` is
/// what its holder does, as a verb phrase.
pub(crate) fn lock(path: &Path, work: &str, options: &LoadOptions) -> Result<File, Problem> {
    let failed = |error| Problem::file("lock", path, &error);
    let file = open(path).map_err(failed)?;
    let tell = || {
        options.notice.say(&format!("another process {work} and holds {}; waiting for it", path.display()));
    };
    match wait_for(&file, || options.stop.requested(), &mut Some(tell)).map_err(failed)? {
        true => Ok(file),
        false => Err(Problem::stopped()),
    }
}

/// Locks `file`; gives `false` where it was `stopped` first. While somebody else holds it, `waiting` is called, once.
///
/// # Errors
/// If the system cannot lock it.
pub fn wait_for(file: &File, stopped: impl Fn() -> bool, waiting: &mut Option<impl FnOnce()>) -> io::Result<bool> {
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(true),
            Err(TryLockError::Error(error)) => return Err(error),
            Err(TryLockError::WouldBlock) if stopped() => return Ok(false),
            Err(TryLockError::WouldBlock) => {
                if let Some(waiting) = waiting.take() {
                    waiting();
                }
                thread::sleep(PAUSE);
            }
        }
    }
}

/// The lock file. One that another user made may only be read, which is enough to lock it.
fn open(path: &Path) -> io::Result<File> {
    let made = |_| File::options().create(true).append(true).open(path);
    // Between the two, somebody else may have made it.
    File::open(path).or_else(made).or_else(|error| File::open(path).map_err(|_| error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::{Notice, Stop};
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::mpsc::channel;
    use std::sync::{Arc, Mutex};
    use std::time::Instant;

    #[test]
    fn who_waits_says_so_once_and_goes_on_or_stops() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mnist");
        let (sender, said) = channel();
        let (sender, stopped) = (Mutex::new(sender), Arc::new(AtomicBool::new(false)));
        let asked = Arc::clone(&stopped);
        let options = LoadOptions {
            notice: Notice::new(move |line| sender.lock().unwrap().send(line.to_owned()).unwrap()),
            stop: Stop::new(move || asked.load(Ordering::Relaxed)),
            ..LoadOptions::default()
        };
        let first = lock(&path, "fetches mnist", &options).unwrap();
        assert!(said.try_recv().is_err(), "nobody was waited for");
        thread::scope(|scope| {
            let second = scope.spawn(|| lock(&path, "fetches mnist", &options).map(drop));
            let line = said.recv().unwrap();
            assert!(line.contains("another process fetches mnist") && line.contains(path.to_str().unwrap()), "{line}");
            thread::sleep(3 * PAUSE);
            drop(first);
            second.join().unwrap().unwrap();
        });
        assert!(said.try_recv().is_err(), "said more than once");

        let first = lock(&path, "fetches mnist", &options).unwrap();
        thread::scope(|scope| {
            let second = scope.spawn(|| lock(&path, "fetches mnist", &options));
            said.recv().unwrap();
            stopped.store(true, Ordering::Relaxed);
            let asked = Instant::now();
            while !second.is_finished() && asked.elapsed() < 100 * PAUSE {
                thread::sleep(PAUSE);
            }
            drop(first);
            assert_eq!(second.join().unwrap().err(), Some(Problem::stopped()));
        });
    }
    #[cfg(unix)]
    #[test]
    fn a_lock_that_may_only_be_read_is_locked() {
        // A folder: root may write to every file.
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mnist");
        std::fs::create_dir(&path).unwrap();
        let options = LoadOptions { stop: Stop::new(|| true), ..LoadOptions::default() };
        let first = lock(&path, "fetches mnist", &options).unwrap();
        assert_eq!(lock(&path, "fetches mnist", &options).err(), Some(Problem::stopped()));
        drop(first);
        assert!(lock(&path, "fetches mnist", &options).is_ok());
    }
}
