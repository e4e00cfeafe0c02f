//! What is known of a request that is not finished: who works on it, and why it failed the last time.

use super::Store;
use crate::atomic::{remove, write_atomically};
use crate::interrupt;
use crate::spec::Request;
use std::fs::{self, File, TryLockError};
use std::io::Write;
use std::path::PathBuf;

/// The process that a signal has to reach for the work on a request to end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// Its machine.
    pub host: String,
    /// Its number there.
    pub pid: u32,
}

impl Holder {
    /// This process, or the one that it works for.
    pub(super) fn this() -> Self {
        Self { host: host(), pid: interrupt::leader() }
    }

    /// Writes itself into the lock that it holds.
    pub(super) fn sign(&self, mut lock: &File) {
        // For people and `cancel`; the lock holds without it.
        let _ = lock.set_len(0).and_then(|()| writeln!(lock, "{} {}", self.host, self.pid));
    }

    fn read(text: &str) -> Option<Self> {
        let (host, pid) = text.trim().rsplit_once(' ')?;
        Some(Self { host: host.into(), pid: pid.parse().ok()? })
    }

    /// Whether it is on this machine.
    pub fn is_here(&self) -> bool {
        self.host == host()
    }
}

fn host() -> String {
    let name = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    if name.trim().is_empty() { "localhost".into() } else { name.trim().replace(' ', "-") }
}

impl Store {
    /// Who works on the request called `id`, if somebody does; one who did not sign has no name and the number 0.
    pub fn holder<R: Request>(&self, id: &str) -> Option<Holder> {
        let path = self.folder::<R>(id).join("lock");
        // Shared, so that two who look see no worker in each other.
        match File::open(&path).ok()?.try_lock_shared() {
            Err(TryLockError::WouldBlock) => {
                let text = fs::read_to_string(&path).unwrap_or_default();
                Some(Holder::read(&text).unwrap_or_else(|| Holder { host: "an unknown machine".into(), pid: 0 }))
            }
            _ => None,
        }
    }

    /// Why the request called `id` failed the last time that several were made, unless somebody has begun it again.
    pub fn failure<R: Request>(&self, id: &str) -> Option<String> {
        fs::read_to_string(self.failure_path::<R>(id)).ok().map(|why| why.trim().to_string())
    }

    /// Notes why the request called `id` failed. It is told in any case: where it cannot be written, nothing is lost.
    pub(crate) fn note_failure<R: Request>(&self, id: &str, why: &str) {
        let _ = write_atomically(&self.failure_path::<R>(id), format!("{why}\n").as_bytes());
    }

    pub(super) fn forget_failure<R: Request>(&self, id: &str) {
        let _ = remove(&self.failure_path::<R>(id));
    }

    /// Beside the request's folder, which may be what is wrong.
    fn failure_path<R: Request>(&self, id: &str) -> PathBuf {
        self.results().join(R::FOLDER).join(format!("{id}.failed"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::RunSpec;

    #[test]
    fn who_works_on_a_run_signs_and_its_failure_is_forgotten_when_it_begins_again() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let text = "dataset = \"mnist-sample\"\nnetwork = { name = \"mlp-2x800\" }\nrule = { name = \"bp\" }";
        let spec = RunSpec::from_toml(text, "test").unwrap();
        let id = spec.id();
        assert_eq!((store.holder::<RunSpec>(&id), store.failure::<RunSpec>(&id)), (None, None));
        store.note_failure::<RunSpec>(&id, "the disk is full");
        assert_eq!(store.failure::<RunSpec>(&id).unwrap(), "the disk is full");
        let claim = store.claim(&spec, || panic!("nobody holds it")).unwrap();
        let holder = store.holder::<RunSpec>(&id).unwrap();
        assert!(holder.pid == std::process::id() && holder.is_here() && !holder.host.contains(' '), "{holder:?}");
        assert_eq!(store.failure::<RunSpec>(&id), None);
        drop(claim);
        assert_eq!(store.holder::<RunSpec>(&id), None);
        assert_eq!(store.ids::<RunSpec>().unwrap(), [id]);
    }
}
