//! Locks among processes: who waits says so, and can be stopped.

use std::{
    fs::{File, TryLockError},
    path::Path,
    thread,
    time::Duration,
};

use crate::{net::Problem, options::LoadOptions};

/// How often a lock is tried.
const PAUSE: Duration = Duration::from_millis(100);

/// Waits until nobody else holds the lock file at `path`, and keeps others out until the file is dropped. `what` is what its holder works on.
pub(crate) fn lock(path: &Path, what: &str, options: &LoadOptions) -> Result<File, Problem> {
    let failed = |error| Problem::file("lock", path, &error);
    let file = File::create(path).map_err(failed)?;
    let mut said = false;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::Error(error)) => return Err(failed(error)),
            Err(TryLockError::WouldBlock) if options.stop.requested() => return Err(Problem::stopped()),
            Err(TryLockError::WouldBlock) => {
                if !std::mem::replace(&mut said, true) {
                    let holds = path.display();
                    options.notice.say(&format!("another process fetches {what} and holds {holds}; waiting for it"));
                }
                thread::sleep(PAUSE);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::{
            Arc, Mutex,
            atomic::{AtomicBool, Ordering},
            mpsc::channel,
        },
        time::Instant,
    };

    use super::*;
    use crate::{Notice, Stop};

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
        let first = lock(&path, "mnist", &options).unwrap();
        assert!(said.try_recv().is_err(), "nobody was waited for");
        thread::scope(|scope| {
            let second = scope.spawn(|| lock(&path, "mnist", &options).map(drop));
            let line = said.recv().unwrap();
            assert!(line.contains("another process fetches mnist") && line.contains(path.to_str().unwrap()), "{line}");
            thread::sleep(3 * PAUSE);
            drop(first);
            second.join().unwrap().unwrap();
        });
        assert!(said.try_recv().is_err(), "said more than once");

        let first = lock(&path, "mnist", &options).unwrap();
        thread::scope(|scope| {
            let second = scope.spawn(|| lock(&path, "mnist", &options));
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
}
