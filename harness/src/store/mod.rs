//! What is kept of requests: `<results>/<FOLDER>/<id>/` with `spec.toml`, `result.json`, `lock`, and of an unfinished
//! run `checkpoint.bin` and the one before it; `<id>.failed` beside it says why it failed the last time.
//!
//! A folder is named by the digest of its spec, so the same request is never made twice. Files appear whole or not at
//! all; a process that works on a request holds its lock. `result.json` begins with the digest of the rest of it
//! ([`crate::sealed`]), and what is read must be whole and the request's own.

mod claim;
mod kept;
mod state;

pub use claim::Claim;
pub use kept::{CheckpointFiles, set_aside};
pub(crate) use kept::{first_block, pack, unpack};
pub use state::Holder;

use crate::error::{Error, Result};
use crate::interrupt;
use crate::spec::{MemorySpec, Request, RunSpec};
use datasets::{YOUNG, sweep, wait_for};
use std::fs::{self, File};
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The file of what came of a request, in its folder.
const RECORD: &str = "result.json";

/// The store under one results folder.
#[derive(Clone, Debug)]
pub struct Store {
    results: PathBuf,
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

    /// Makes the folders; an unwritable one is found here, before anything runs.
    pub fn ready(&self) -> Result<()> {
        for folder in [RunSpec::FOLDER, MemorySpec::FOLDER].map(|name| self.results.join(name)) {
            fs::create_dir_all(&folder).map_err(|e| Error::file("create", &folder, e))?;
            tempfile::tempfile_in(&folder).map_err(|e| Error::file("write in", &folder, e))?;
        }
        sweep(&self.results, YOUNG);
        Ok(())
    }

    /// The results folder.
    pub fn results(&self) -> &Path {
        &self.results
    }

    /// The folder of the request called `id`.
    pub fn folder<R: Request>(&self, id: &str) -> PathBuf {
        self.results.join(R::FOLDER).join(id)
    }

    /// Where the run called `id` keeps its state.
    pub fn state(&self, id: &str) -> CheckpointFiles {
        CheckpointFiles::of(&self.folder::<RunSpec>(id))
    }

    /// What `request` left, if it is finished.
    ///
    /// # Errors
    /// Where it cannot be read, is not whole or is another's. Whoever claims the request sets it aside.
    pub fn find<R: Request>(&self, request: &R) -> Result<Option<R::Record>> {
        self.named::<R>(&request.id())
    }

    /// What the request called `id` left, as [`Store::find`].
    pub fn named<R: Request>(&self, id: &str) -> Result<Option<R::Record>> {
        let path = self.record::<R>(id);
        let unusable = |why| {
            Error::Failed(format!(
                "{} cannot be used ({why}); run it again (the file is set aside), or delete it",
                path.display()
            ))
        };
        read::<R>(&path, id)?.transpose().map_err(unusable)
    }

    /// Whether there is a record of the request called `id`, of use or not.
    pub fn has_record<R: Request>(&self, id: &str) -> bool {
        self.record::<R>(id).exists()
    }

    fn record<R: Request>(&self, id: &str) -> PathBuf {
        self.folder::<R>(id).join(RECORD)
    }

    /// The names of all that is kept, finished or not, in order.
    pub fn ids<R: Request>(&self) -> Result<Vec<String>> {
        let folder = self.results.join(R::FOLDER);
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(e) => return Err(Error::file("read", &folder, e)),
        };
        let name = |entry: fs::DirEntry| entry.file_name().into_string().ok();
        let mut ids: Vec<String> = entries.flatten().filter(|entry| entry.path().is_dir()).filter_map(name).collect();
        ids.sort();
        Ok(ids)
    }

    /// Claims `request`. While another process holds it, `waiting` is called once and this one waits.
    pub fn claim<R: Request>(&self, request: &R, waiting: impl FnOnce()) -> Result<Claim<R>> {
        let claim = self.lock(&request.id(), waiting)?;
        claim.describe(&request.to_toml())?;
        self.forget_failure::<R>(&request.id());
        Ok(claim)
    }

    /// [`Store::lock`] of what nobody works on; nothing while somebody does.
    pub fn try_lock<R: Request>(&self, id: &str) -> Result<Option<Claim<R>>> {
        let folder = self.folder::<R>(id);
        let path = folder.join("lock");
        let lock = File::options().create(true).append(true).open(&path).map_err(|e| Error::file("lock", &path, e))?;
        match lock.try_lock() {
            Ok(()) => Ok(Some(Claim::new(lock, folder, id.to_string()))),
            Err(fs::TryLockError::WouldBlock) => Ok(None),
            Err(fs::TryLockError::Error(e)) => Err(Error::file("lock", &path, e)),
        }
    }

    /// The right to work on what is called `id`.
    pub fn lock<R: Request>(&self, id: &str, waiting: impl FnOnce()) -> Result<Claim<R>> {
        let folder = self.folder::<R>(id);
        let path = folder.join("lock");
        let mut waiting = Some(waiting);
        let lock = loop {
            fs::create_dir_all(&folder).map_err(|e| Error::file("create", &folder, e))?;
            let lock = File::options().create(true).append(true).open(&path);
            let lock = lock.map_err(|e| Error::file("lock", &path, e))?;
            let held = wait_for(&lock, interrupt::requested, &mut waiting);
            if !held.map_err(|e| Error::file("lock", &path, e))? {
                return Err(Error::Interrupted);
            }
            // Whoever held it may have removed the folder, and the lock with it.
            let inode = |meta: std::io::Result<fs::Metadata>| meta.ok().map(|meta| meta.ino());
            if inode(lock.metadata()) == inode(fs::metadata(&path)) {
                break lock;
            }
        };
        // All that is written here is written under the lock: what is half written is a killed process's.
        sweep(&folder, Duration::ZERO);
        Holder::this().sign(&lock);
        Ok(Claim::new(lock, folder, id.to_string()))
    }
}

/// What the request called `id` left at `path`, or what is wrong with it in words; none where there is none.
fn read<R: Request>(path: &Path, id: &str) -> Result<Option<std::result::Result<R::Record, String>>> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(sound::<R>(&text, id))),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
        Err(e) if e.kind() == ErrorKind::InvalidData => Ok(Some(Err("it is no text".into()))),
        Err(e) => Err(Error::file("read", path, e)),
    }
}

/// The record of the request called `id`, or what is wrong with it.
fn sound<R: Request>(text: &str, id: &str) -> std::result::Result<R::Record, String> {
    let record: R::Record = crate::sealed::unseal(text)?;
    match R::names(&record) {
        (told, spec) if told == id && spec == id => {}
        (told, spec) if told == spec => return Err(format!("it is {} {told}'s", R::NOUN)),
        (told, spec) => return Err(format!("it is called {} {told}'s and has {spec}'s spec", R::NOUN)),
    }
    Ok(record)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::memory;
    use crate::record::{RunResult, example};
    use crate::sealed::seal as stored;

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
        assert_eq!(store.find(&spec()).unwrap(), None);
    }

    #[test]
    fn to_run_again_takes_nothing_away_until_there_is_another_result() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let claim = store.claim(&spec(), || {}).unwrap();
        claim.finish(&result()).unwrap();
        fs::write(store.folder::<RunSpec>(&spec().id()).join("checkpoint.bin"), "half-way").unwrap();
        claim.restart().unwrap();
        assert_eq!(store.find(&spec()).unwrap(), Some(result()));
        assert!(claim.checkpoint().all().iter().all(|path| !path.exists()));
    }

    #[test]
    fn what_is_being_worked_on_is_not_to_be_had_without_waiting() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let claim = store.claim(&spec(), || {}).unwrap();
        assert!(store.try_lock::<RunSpec>(&spec().id()).unwrap().is_none());
        drop(claim);
        assert!(store.try_lock::<RunSpec>(&spec().id()).unwrap().is_some());
    }

    #[test]
    fn a_result_comes_back_with_its_numbers_and_non_numbers() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let claim = store.claim(&spec(), || {}).unwrap();
        let mut result = result();
        claim.finish(&result).unwrap();
        assert_eq!(store.find(&spec()).unwrap().unwrap(), result);
        result.curve[0].train_loss = f64::NEG_INFINITY;
        result.unit_accuracy = vec![f64::INFINITY, 1.0];
        claim.finish(&result).unwrap();
        assert_eq!(store.find(&spec()).unwrap().unwrap(), result);
        result.seconds = f64::NAN;
        claim.finish(&result).unwrap();
        assert!(store.find(&spec()).unwrap().unwrap().seconds.is_nan());
        let text = fs::read_to_string(store.folder::<RunSpec>(&spec().id()).join("result.json")).unwrap();
        assert!(serde_json::from_str::<serde_json::Value>(&text).unwrap()["seconds"] == "NaN", "{text}");
    }

    #[test]
    fn a_result_of_before_digests_and_of_numbers_that_were_null_is_read() {
        let mut old = result();
        old.curve[0].train_loss = f64::NAN;
        let text = serde_json::to_string_pretty(&old).unwrap().replace("\"NaN\"", "null");
        assert!(text.contains("null,"));
        assert!(sound::<RunSpec>(&text, &spec().id()).unwrap().curve[0].train_loss.is_nan());
    }

    #[test]
    fn every_flipped_bit_every_cut_and_every_other_run_is_seen() {
        let (whole, id) = (stored(&result()), spec().id());
        assert_eq!(sound::<RunSpec>(&whole, &id).unwrap(), result());
        for place in (0..whole.len()).step_by(7) {
            for bit in 0..7 {
                let mut flipped = whole.clone().into_bytes();
                flipped[place] ^= 1 << bit;
                let read =
                    String::from_utf8(flipped).map_err(|e| e.to_string()).and_then(|text| sound::<RunSpec>(&text, &id));
                // In the words before the digest nothing of the result can be hit.
                assert!(read.is_err() || read == Ok(result()), "bit {bit} of byte {place}");
            }
            let cut = String::from_utf8_lossy(&whole.as_bytes()[..place]);
            assert!(sound::<RunSpec>(&cut, &id).is_err(), "{place} bytes");
        }
        let other = RunResult { run_id: "1234".into(), ..result() };
        assert!(sound::<RunSpec>(&stored(&other), &id).unwrap_err().contains("run 1234"));
        let seed = RunSpec { seed: 1, ..spec() };
        let other = RunResult { run_id: seed.id(), spec: seed.clone(), ..result() };
        assert_eq!(sound::<RunSpec>(&stored(&other), &id).unwrap_err(), format!("it is run {}'s", seed.id()));
        let other = RunResult { spec: seed, ..result() };
        assert!(sound::<RunSpec>(&stored(&other), &id).is_err());
    }

    #[test]
    fn a_damaged_result_is_named_and_set_aside_by_whoever_claims_the_run() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let (claim, id) = (store.claim(&spec(), || {}).unwrap(), spec().id());
        for damage in ["", "{", "[]", "\u{0}"] {
            fs::write(store.folder::<RunSpec>(&id).join("result.json"), damage).unwrap();
            assert!(store.named::<RunSpec>(&id).unwrap_err().to_string().contains("result.json"));
            let mut said = String::new();
            assert_eq!(claim.result(|sentence| said = sentence.into()).unwrap(), None);
            assert!(said.contains("result.json.damaged"), "{said}");
            assert_eq!(store.named::<RunSpec>(&id).unwrap(), None);
        }
    }

    #[test]
    fn whoever_waits_for_a_folder_that_is_removed_makes_it_again() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let claim = store.claim(&spec(), || {}).unwrap();
        let (other, (sender, receiver)) = (store.clone(), std::sync::mpsc::channel());
        let thread = std::thread::spawn(move || {
            other.claim(&spec(), || sender.send(()).unwrap()).unwrap().finish(&result()).unwrap();
        });
        receiver.recv().unwrap();
        claim.remove_if_bare().unwrap();
        thread.join().unwrap();
        assert_eq!(store.find(&spec()).unwrap().unwrap(), result());
    }

    #[test]
    fn a_weighing_comes_back_and_what_is_damaged_or_anothers_is_named_and_set_aside() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let footprint = memory::example::footprint("bp", 2, 100);
        assert_eq!(store.find(&footprint.spec).unwrap(), None);
        memory::example::put(&store, &footprint);
        assert_eq!(store.find(&footprint.spec).unwrap().unwrap(), footprint);
        let path = store.folder::<MemorySpec>(&footprint.id).join("result.json");
        let aside = path.with_extension("json.damaged");
        let whole = fs::read_to_string(&path).unwrap();
        let other = memory::example::footprint("fa", 2, 100);
        let others = stored(&other);
        let claim = store.claim(&footprint.spec, || {}).unwrap();
        for damage in ["", "{", &others, &whole.replace("\"step_peak\": ", "\"step_peak\": 1"), &whole[1..]] {
            fs::write(&path, damage).unwrap();
            let error = store.find(&footprint.spec).unwrap_err().to_string();
            assert!(error.contains("memory-runs") && error.contains("delete it"), "{error}");
            assert_eq!(error.contains(&other.id), damage == others, "{error}");
            assert_eq!(claim.result(|_| {}).unwrap(), None, "{damage}");
            assert_eq!(fs::read_to_string(&aside).unwrap(), damage);
            assert!(!path.exists());
        }
        // Of before there were digests.
        fs::write(&path, serde_json::to_string_pretty(&footprint).unwrap()).unwrap();
        assert_eq!(store.find(&footprint.spec).unwrap().unwrap(), footprint);
    }

    #[test]
    fn what_killed_processes_left_is_swept_and_what_others_write_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        drop(store.claim(&spec(), || {}).unwrap());
        let (half, table) =
            (store.folder::<RunSpec>(&spec().id()).join(".writing-x1"), folder.path().join(".writing-x2"));
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
