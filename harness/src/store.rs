//! The run store: `<results>/runs/<id>/` with `spec.toml`, `result.json`, `checkpoint.bin` while unfinished, and `lock`.
//!
//! A run's folder is named by the digest of its spec, so the same run is never made twice. Files appear whole or not at
//! all; a process that works on a run holds its lock.

use crate::error::{Error, Result};
use crate::interrupt;
use crate::record::RunResult;
use crate::report::atomic::write_atomically;
use crate::spec::RunSpec;
use std::fs::{self, File, TryLockError};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The store under one results folder.
#[derive(Clone, Debug)]
pub struct Store {
    results: PathBuf,
}

/// The right to work on one run, given back when dropped.
pub struct Claim {
    lock: File,
    folder: PathBuf,
}

impl Store {
    /// Opens the store under `results`, making the folder; an unwritable one is found here, before anything runs.
    pub fn open(results: &Path) -> Result<Self> {
        let runs = results.join("runs");
        fs::create_dir_all(&runs).map_err(|e| Error::file("create", &runs, e))?;
        tempfile::tempfile_in(&runs).map_err(|e| Error::file("write in", &runs, e))?;
        Ok(Self { results: results.to_path_buf() })
    }

    /// The results folder.
    pub fn results(&self) -> &Path {
        &self.results
    }

    /// The folder of run `id`.
    pub fn folder(&self, id: &str) -> PathBuf {
        self.results.join("runs").join(id)
    }

    /// The result of run `id`, if it is finished.
    pub fn result(&self, id: &str) -> Result<Option<RunResult>> {
        let path = self.folder(id).join("result.json");
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(Error::file("read", &path, e)),
        };
        let damaged = |e| Error::Failed(format!("{} is damaged ({e}); delete it to run again", path.display()));
        serde_json::from_str(&text).map(Some).map_err(damaged)
    }

    /// Claims `spec`'s run. While another process holds it, `waiting` is called once and this one waits.
    pub fn claim(&self, spec: &RunSpec, waiting: impl FnOnce()) -> Result<Claim> {
        let folder = self.folder(&spec.id());
        fs::create_dir_all(&folder).map_err(|e| Error::file("create", &folder, e))?;
        let path = folder.join("lock");
        let failed = |e| Error::file("lock", &path, e);
        let lock = File::options().create(true).append(true).open(&path).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                waiting();
                while let Err(error) = lock.try_lock() {
                    match error {
                        TryLockError::WouldBlock if interrupt::requested() => return Err(Error::Interrupted),
                        TryLockError::WouldBlock => std::thread::sleep(Duration::from_millis(100)),
                        TryLockError::Error(e) => return Err(failed(e)),
                    }
                }
            }
            Err(TryLockError::Error(e)) => return Err(failed(e)),
        }
        write_atomically(&folder.join("spec.toml"), |file| file.write_all(spec.to_toml().as_bytes()))?;
        Ok(Claim { lock, folder })
    }
}

impl Claim {
    /// Where the run keeps its state while it is unfinished.
    pub fn checkpoint(&self) -> PathBuf {
        self.folder.join("checkpoint.bin")
    }

    /// Forgets the run, finished or not. Interrupted after this, the same command without force goes on with the new one.
    pub fn restart(&self) -> Result<()> {
        remove(&self.folder.join("result.json"))?;
        remove(&self.checkpoint())
    }

    /// Writes the result; the checkpoint has then served its purpose.
    pub fn finish(&self, result: &RunResult) -> Result<()> {
        let text = serde_json::to_string_pretty(result).expect("a result is plain data");
        write_atomically(&self.folder.join("result.json"), |file| file.write_all(text.as_bytes()))?;
        remove(&self.checkpoint())
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        // The system gives the lock back with the file in any case.
        let _ = self.lock.unlock();
    }
}

fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(Error::file("remove", path, e)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec() -> RunSpec {
        let text = "dataset = \"mnist-sample\"\nnetwork = { name = \"mlp-2x800\" }\nrule = { name = \"bp\" }";
        RunSpec::from_toml(text, "test").unwrap()
    }

    #[test]
    fn a_second_claim_waits_for_the_first() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let claim = store.claim(&spec(), || panic!("nobody holds it")).unwrap();
        let (other, (sender, receiver)) = (store.clone(), std::sync::mpsc::channel());
        let thread = std::thread::spawn(move || {
            other.claim(&spec(), || sender.send(()).unwrap()).unwrap();
        });
        receiver.recv().unwrap();
        drop(claim);
        thread.join().unwrap();
        assert_eq!(store.result(&spec().id()).unwrap(), None);
    }

    #[test]
    fn a_damaged_result_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        fs::create_dir_all(store.folder("x")).unwrap();
        fs::write(store.folder("x").join("result.json"), "{").unwrap();
        assert!(store.result("x").unwrap_err().to_string().contains("x/result.json"));
    }

    #[test]
    fn a_folder_that_is_a_file_is_refused_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("results");
        fs::write(&file, "").unwrap();
        let error = Store::open(&file).unwrap_err();
        assert_eq!(error.exit_code(), 3);
        assert!(error.to_string().contains("results/runs"));
    }
}
