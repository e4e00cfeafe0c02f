//! The run store: `<results>/runs/<id>/` with `spec.toml`, `result.json`, `checkpoint.bin` and the one before it while
//! unfinished, and `lock`.
//!
//! A run's folder is named by the digest of its spec, so the same run is never made twice. Files appear whole or not at
//! all; a process that works on a run holds its lock. `result.json` begins with the digest of the rest of it, and what is
//! read must be whole and the run's own; a result of before digests were kept must be the run's own.

use crate::error::{Error, Result};
use crate::interrupt;
use crate::record::RunResult;
use crate::report::atomic::{remove, write_atomically};
use crate::run::{Kept, set_aside};
use crate::sealed::{sealed, unsealed};
use crate::spec::RunSpec;
use datasets::{YOUNG, sweep};
use std::fs::{self, File, TryLockError};
use std::io::ErrorKind;
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
    id: String,
}

impl Store {
    /// The store under `results`, which may not be there or not be writable: enough to read what is finished.
    pub fn at(results: &Path) -> Self {
        Self { results: results.to_path_buf() }
    }

    /// [`Store::at`] and [`Store::ready`].
    pub fn open(results: &Path) -> Result<Self> {
        let store = Self::at(results);
        store.ready()?;
        Ok(store)
    }

    /// Makes the folder; an unwritable one is found here, before anything runs.
    pub fn ready(&self) -> Result<()> {
        let runs = self.results.join("runs");
        fs::create_dir_all(&runs).map_err(|e| Error::file("create", &runs, e))?;
        tempfile::tempfile_in(&runs).map_err(|e| Error::file("write in", &runs, e))?;
        for folder in [self.results.clone(), self.results.join("figures")] {
            sweep(&folder, YOUNG);
        }
        Ok(())
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
    ///
    /// # Errors
    /// Where it cannot be read, is not whole or is another run's. Whoever claims the run can set it aside.
    pub fn result(&self, id: &str) -> Result<Option<RunResult>> {
        let path = self.folder(id).join("result.json");
        let unusable =
            |why| Error::Failed(format!("{} cannot be used ({why}); to run it again sets it aside", path.display()));
        read(&path, id)?.transpose().map_err(unusable)
    }

    /// Claims `spec`'s run. While another process holds it, `waiting` is called once and this one waits.
    pub fn claim(&self, spec: &RunSpec, waiting: impl FnOnce()) -> Result<Claim> {
        let id = spec.id();
        let folder = self.folder(&id);
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
        // All that is written here is written under the lock: what is half written is a killed process's.
        sweep(&folder, Duration::ZERO);
        write_atomically(&folder.join("spec.toml"), spec.to_toml().as_bytes())?;
        Ok(Claim { lock, folder, id })
    }
}

/// The result of run `id` at `path`, or what is wrong with it in words; none where there is none.
fn read(path: &Path, id: &str) -> Result<Option<std::result::Result<RunResult, String>>> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(sound(&text, id))),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
        Err(e) if e.kind() == ErrorKind::InvalidData => Ok(Some(Err("it is no text".into()))),
        Err(e) => Err(Error::file("read", path, e)),
    }
}

fn sound(text: &str, id: &str) -> std::result::Result<RunResult, String> {
    let result: RunResult = unsealed(text)?;
    match (result.run_id.as_str(), result.spec.id()) {
        (run, spec) if run == id && spec == id => Ok(result),
        (run, spec) if run == spec => Err(format!("it is run {run}'s")),
        (run, spec) => Err(format!("it is called run {run}'s and has run {spec}'s spec")),
    }
}

impl Claim {
    /// Where the run keeps its state while it is unfinished.
    pub fn checkpoint(&self) -> Kept {
        Kept::at(self.folder.join("checkpoint.bin"))
    }

    /// The run's result, if it is finished. One that cannot be used is set aside, and `note` hears of it.
    pub fn result(&self, note: impl FnOnce(&str)) -> Result<Option<RunResult>> {
        let path = self.folder.join("result.json");
        match read(&path, &self.id)? {
            Some(Err(why)) => {
                note(&set_aside(&path, &why)?);
                Ok(None)
            }
            Some(Ok(result)) => Ok(Some(result)),
            None => Ok(None),
        }
    }

    /// Forgets the run, finished or not. Interrupted after this, the same command without force goes on with the new one.
    pub fn restart(&self) -> Result<()> {
        remove(&self.folder.join("result.json"))?;
        self.checkpoint().remove()
    }

    /// Writes the result; the checkpoints have then served their purpose.
    pub fn finish(&self, result: &RunResult) -> Result<()> {
        write_atomically(&self.folder.join("result.json"), sealed(result).as_bytes())?;
        self.checkpoint().remove()
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        // The system gives the lock back with the file in any case.
        let _ = self.lock.unlock();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::example;

    fn spec() -> RunSpec {
        let text = "dataset = \"mnist-sample\"\nnetwork = { name = \"mlp-2x800\" }\nrule = { name = \"bp\" }";
        RunSpec::from_toml(text, "test").unwrap()
    }

    /// A result of [`spec`]'s run.
    fn result() -> RunResult {
        RunResult { run_id: spec().id(), spec: spec(), ..example::run(0, 98.0) }
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
    fn a_result_comes_back_with_its_numbers_and_non_numbers() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let claim = store.claim(&spec(), || {}).unwrap();
        let mut result = result();
        claim.finish(&result).unwrap();
        assert_eq!(store.result(&spec().id()).unwrap().unwrap(), result);
        result.curve[0].train_loss = f64::NEG_INFINITY;
        result.unit_accuracy = vec![f64::INFINITY, 1.0];
        claim.finish(&result).unwrap();
        assert_eq!(store.result(&spec().id()).unwrap().unwrap(), result);
        result.seconds = f64::NAN;
        claim.finish(&result).unwrap();
        assert!(store.result(&spec().id()).unwrap().unwrap().seconds.is_nan());
        let text = fs::read_to_string(store.folder(&spec().id()).join("result.json")).unwrap();
        assert!(serde_json::from_str::<serde_json::Value>(&text).unwrap()["seconds"] == "NaN", "{text}");
    }

    #[test]
    fn a_result_of_before_digests_and_of_numbers_that_were_null_is_read() {
        let mut old = result();
        old.curve[0].train_loss = f64::NAN;
        let text = serde_json::to_string_pretty(&old).unwrap().replace("\"NaN\"", "null");
        assert!(text.contains("null,"));
        assert!(sound(&text, &spec().id()).unwrap().curve[0].train_loss.is_nan());
    }

    #[test]
    fn every_flipped_bit_every_cut_and_every_other_run_is_seen() {
        let (whole, id) = (sealed(&result()), spec().id());
        assert_eq!(sound(&whole, &id).unwrap(), result());
        for place in (0..whole.len()).step_by(7) {
            for bit in 0..7 {
                let mut flipped = whole.clone().into_bytes();
                flipped[place] ^= 1 << bit;
                let read = String::from_utf8(flipped).map_err(|e| e.to_string()).and_then(|text| sound(&text, &id));
                // In the words before the digest nothing of the result can be hit.
                assert!(read.is_err() || read == Ok(result()), "bit {bit} of byte {place}");
            }
            let cut = String::from_utf8_lossy(&whole.as_bytes()[..place]);
            assert!(sound(&cut, &id).is_err(), "{place} bytes");
        }
        let other = RunResult { run_id: "1234".into(), ..result() };
        assert!(sound(&sealed(&other), &id).unwrap_err().contains("run 1234"));
        let seed = RunSpec { seed: 1, ..spec() };
        let other = RunResult { run_id: seed.id(), spec: seed.clone(), ..result() };
        assert_eq!(sound(&sealed(&other), &id).unwrap_err(), format!("it is run {}'s", seed.id()));
        let other = RunResult { spec: seed, ..result() };
        assert!(sound(&sealed(&other), &id).is_err());
    }

    #[test]
    fn a_damaged_result_is_named_and_set_aside_by_whoever_claims_the_run() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let (claim, id) = (store.claim(&spec(), || {}).unwrap(), spec().id());
        for damage in ["", "{", "[]", "\u{0}"] {
            fs::write(store.folder(&id).join("result.json"), damage).unwrap();
            assert!(store.result(&id).unwrap_err().to_string().contains("result.json"));
            let mut said = String::new();
            assert_eq!(claim.result(|sentence| said = sentence.into()).unwrap(), None);
            assert!(said.contains("result.json.damaged"), "{said}");
            assert_eq!(store.result(&id).unwrap(), None);
        }
    }

    #[test]
    fn what_killed_processes_left_is_swept_and_what_others_write_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        drop(store.claim(&spec(), || {}).unwrap());
        let (half, table) = (store.folder(&spec().id()).join(".writing-x1"), folder.path().join(".writing-x2"));
        fs::write(&half, "half").unwrap();
        let old = File::create(folder.path().join(".writing-x3")).unwrap();
        old.set_modified(std::time::SystemTime::now() - 2 * YOUNG).unwrap();
        fs::write(&table, "half").unwrap();
        drop(Store::open(folder.path()).unwrap().claim(&spec(), || {}).unwrap());
        assert!(!half.exists() && table.exists() && !folder.path().join(".writing-x3").exists());
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
