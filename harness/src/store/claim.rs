//! The right to work on one request.

use super::{CheckpointFiles, RECORD, read, set_aside};
use crate::atomic::{remove, write_atomically};
use crate::error::{Error, Result};
use crate::spec::Request;
use std::fs::{self, File};
use std::marker::PhantomData;
use std::path::PathBuf;

/// Marks what was begun anew and is not finished.
const ANEW: &str = "anew";

/// The right to work on one request, given back when dropped.
pub struct Claim<R> {
    lock: File,
    folder: PathBuf,
    id: String,
    request: PhantomData<R>,
}

impl<R: Request> Claim<R> {
    pub(super) fn new(lock: File, folder: PathBuf, id: String) -> Self {
        Self { lock, folder, id, request: PhantomData }
    }

    /// Writes down what was asked for, as TOML.
    pub fn describe(&self, spec: &str) -> Result<()> {
        write_atomically(&self.folder.join("spec.toml"), spec.as_bytes())
    }

    /// Where a run keeps its state while it is unfinished.
    pub fn checkpoint(&self) -> CheckpointFiles {
        CheckpointFiles::of(&self.folder)
    }

    /// What the request left, if it is finished. A file that cannot be used is set aside, and `note` hears of it.
    pub fn result(&self, note: impl FnOnce(&str)) -> Result<Option<R::Record>> {
        let path = self.folder.join(RECORD);
        match read::<R>(&path, &self.id)? {
            Some(Err(why)) => {
                note(&set_aside(&path, &why)?);
                Ok(None)
            }
            Some(Ok(result)) => Ok(Some(result)),
            None => Ok(None),
        }
    }

    /// Forgets where the request was, unless it is unfinished since the last call of this: whoever was interrupted goes
    /// on. Gives whether there was that to go on with. A finished one's record stays until another takes its place.
    pub fn restart(&self) -> Result<bool> {
        let mark = self.folder.join(ANEW);
        if mark.exists() && self.checkpoint().exist() {
            return Ok(true);
        }
        self.checkpoint().remove()?;
        write_atomically(&mark, b"")?;
        Ok(false)
    }

    /// Has the next [`Claim::restart`] forget where the request was in any case.
    pub fn give_up(&self) -> Result<()> {
        remove(&self.folder.join(ANEW))
    }

    /// Writes the record; checkpoints have then served their purpose.
    pub fn finish(&self, record: &R::Record) -> Result<()> {
        self.keep(record)?;
        self.checkpoint().remove()
    }

    /// [`Claim::finish`], but with the last state kept, so that the run can be extended.
    pub fn finish_with_state(&self, record: &R::Record) -> Result<()> {
        self.keep(record)?;
        self.checkpoint().remove_previous()
    }

    fn keep(&self, record: &R::Record) -> Result<()> {
        write_atomically(&self.folder.join(RECORD), crate::sealed::seal(record).as_bytes())?;
        self.give_up()
    }

    /// Removes the request's folder if it holds nothing but what a claim makes.
    pub fn remove_if_bare(self) -> Result<()> {
        let bare = |name: &std::ffi::OsStr| ["lock", "spec.toml", ANEW].iter().any(|own| name == *own);
        let entries = fs::read_dir(&self.folder).map_err(|e| Error::file("read", &self.folder, e))?;
        match entries.flatten().all(|entry| bare(&entry.file_name())) {
            true => self.remove(),
            false => Ok(()),
        }
    }

    /// Removes the request's folder with all that is in it.
    pub fn remove(self) -> Result<()> {
        fs::remove_dir_all(&self.folder).map_err(|e| Error::file("remove", &self.folder, e))
    }
}

impl<R> Drop for Claim<R> {
    fn drop(&mut self) {
        // The system gives the lock back with the file in any case.
        let _ = self.lock.unlock();
    }
}
