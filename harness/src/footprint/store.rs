//! Measurements that are done: `<results>/memory-runs/<id>.json`, each file whole or not there.

use super::record::Footprint;
use super::spec::MemorySpec;
use crate::error::{Error, Result};
use crate::report::atomic::write_atomically;
use crate::run::set_aside;
use crate::sealed::{sealed, unsealed};
use crate::talk::say;
use datasets::{YOUNG, sweep};
use std::path::{Path, PathBuf};

/// The measurements under one results folder.
#[derive(Clone, Debug)]
pub struct Store {
    results: PathBuf,
}

impl Store {
    /// The store under `results`, which may not be there or not be writable: enough to read what is measured.
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
        let folder = self.folder();
        std::fs::create_dir_all(&folder).map_err(|e| Error::file("create", &folder, e))?;
        tempfile::tempfile_in(&folder).map_err(|e| Error::file("write in", &folder, e))?;
        sweep(&folder, YOUNG);
        Ok(())
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

    /// The measurement of `spec`, if it is done. What is not whole, or another's, is set aside with a sentence: it is measured
    /// again.
    pub fn get(&self, spec: &MemorySpec) -> Result<Option<Footprint>> {
        let path = self.path(spec);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(Error::file("read", &path, e)),
        };
        let own = |found: Footprint| match found.id == spec.id() && found.spec == *spec {
            true => Ok(found),
            false => Err(format!("it is measurement {}'s", found.id)),
        };
        match unsealed(&text).and_then(own) {
            Ok(found) => Ok(Some(found)),
            Err(why) => {
                say!("{}", set_aside(&path, &why)?);
                Ok(None)
            }
        }
    }

    /// Keeps a measurement.
    pub fn put(&self, footprint: &Footprint) -> Result<()> {
        write_atomically(&self.path(&footprint.spec), sealed(footprint).as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::footprint::example;

    #[test]
    fn what_was_put_comes_back_and_what_is_damaged_or_anothers_is_set_aside() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let footprint = example::footprint("bp", 2, 100);
        assert_eq!(store.get(&footprint.spec).unwrap(), None);
        store.put(&footprint).unwrap();
        assert_eq!(store.get(&footprint.spec).unwrap().unwrap(), footprint);
        let path = store.path(&footprint.spec);
        let aside = path.with_extension("json.damaged");
        let whole = std::fs::read_to_string(&path).unwrap();
        let other = sealed(&example::footprint("fa", 2, 100));
        for damage in ["", "{", &other, &whole.replace("\"step_peak\": ", "\"step_peak\": 1"), &whole[1..]] {
            std::fs::write(&path, damage).unwrap();
            assert_eq!(store.get(&footprint.spec).unwrap(), None, "{damage}");
            assert_eq!(std::fs::read_to_string(&aside).unwrap(), damage);
            assert!(!path.exists());
        }
        // Of before there were digests.
        std::fs::write(&path, serde_json::to_string_pretty(&footprint).unwrap()).unwrap();
        assert_eq!(store.get(&footprint.spec).unwrap().unwrap(), footprint);
    }
}
