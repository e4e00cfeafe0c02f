//! Measurements that are done: `<results>/memory-runs/<id>.json`, each file whole or not there.

use super::record::Footprint;
use super::spec::MemorySpec;
use crate::error::{Error, Result};
use crate::report::atomic::{self, write_atomically};
use std::io::Write;
use std::path::{Path, PathBuf};

/// The measurements under one results folder.
#[derive(Clone, Debug)]
pub struct Store {
    results: PathBuf,
}

impl Store {
    /// Opens the store under `results`, making the folder; an unwritable one is found here, before anything runs.
    pub fn open(results: &Path) -> Result<Self> {
        let store = Self { results: results.to_path_buf() };
        let folder = store.folder();
        std::fs::create_dir_all(&folder).map_err(|e| Error::file("create", &folder, e))?;
        tempfile::tempfile_in(&folder).map_err(|e| Error::file("write in", &folder, e))?;
        atomic::sweep(&folder, crate::store::LEFT_BEHIND);
        Ok(store)
    }

    /// The results folder.
    pub fn results(&self) -> &Path {
        &self.results
    }

    fn folder(&self) -> PathBuf {
        self.results.join("memory-runs")
    }

    fn path(&self, spec: &MemorySpec) -> PathBuf {
        self.folder().join(format!("{}.json", spec.id()))
    }

    /// The measurement of `spec`, if it is done.
    pub fn get(&self, spec: &MemorySpec) -> Result<Option<Footprint>> {
        let path = self.path(spec);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(Error::file("read", &path, e)),
        };
        let damaged = |why| Error::Failed(format!("{} is damaged ({why}); delete it to measure again", path.display()));
        let footprint: Footprint = serde_json::from_str(&text).map_err(|e| damaged(e.to_string()))?;
        match footprint.id == spec.id() && footprint.spec == *spec {
            true => Ok(Some(footprint)),
            false => Err(damaged(format!("it is measurement {}'s", footprint.id))),
        }
    }

    /// Keeps a measurement.
    pub fn put(&self, footprint: &Footprint) -> Result<()> {
        let text = serde_json::to_string_pretty(footprint).expect("a measurement is plain data");
        write_atomically(&self.path(&footprint.spec), |file| file.write_all(text.as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::footprint::example;

    #[test]
    fn what_was_put_comes_back_and_damage_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let footprint = example::footprint("bp", 2, 100);
        assert_eq!(store.get(&footprint.spec).unwrap(), None);
        store.put(&footprint).unwrap();
        assert_eq!(store.get(&footprint.spec).unwrap().unwrap(), footprint);
        let other = example::footprint("fa", 2, 100);
        std::fs::write(store.path(&footprint.spec), serde_json::to_string(&other).unwrap()).unwrap();
        assert!(store.get(&footprint.spec).unwrap_err().to_string().contains(&other.id));
        std::fs::write(store.path(&footprint.spec), "{").unwrap();
        let error = store.get(&footprint.spec).unwrap_err().to_string();
        assert!(error.contains("memory-runs") && error.contains("delete it"), "{error}");
    }
}
