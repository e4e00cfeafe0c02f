//! What a caller may choose about where data come from.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use std::{fmt, io};

/// Where to look for data and what to accept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadOptions {
    /// The folder that holds one folder for each data set, in the official layouts; none by default.
    pub data_dir: Option<PathBuf>,
    /// Accept well-formed content whose digest is not the official one; [`Dataset::verified`](crate::Dataset::verified)
    /// is then false. Off by default.
    pub allow_unverified: bool,
    /// Look in the folders of system packages too. On by default.
    pub system_dirs: bool,
    /// Fetch what is not on this machine. Off by default: a library does not talk to the network unasked.
    pub online: bool,
    /// Where fetched data sets are kept; by default `SLL_CACHE`, else `$XDG_CACHE_HOME/sll`, else `~/.cache/sll`.
    pub cache_dir: Option<PathBuf>,
    /// How the hub is reached.
    pub hub: HubOptions,
    /// Receives the progress of downloads.
    pub progress: Progress,
    /// Receives sentences about what happens, such as what is waited for.
    pub notice: Notice,
    /// Asked whether to give up: what was downloaded is kept, and the error is
    /// [`DataError::Interrupted`](crate::DataError::Interrupted).
    pub stop: Stop,
}

impl Default for LoadOptions {
    fn default() -> Self {
        Self {
            data_dir: None,
            allow_unverified: false,
            system_dirs: true,
            online: false,
            cache_dir: None,
            hub: HubOptions::default(),
            progress: Progress::default(),
            notice: Notice::default(),
            stop: Stop::default(),
        }
    }
}

/// How the Hugging Face hub is reached. What is `None` comes from the environment, as for every client of the hub:
/// `HF_ENDPOINT`; `HF_HUB_CACHE` or `HF_HOME`; `HF_TOKEN` or the file that `hf auth login` writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HubOptions {
    /// The server's address.
    pub endpoint: Option<String>,
    /// The folder of the hub's own cache.
    pub cache_dir: Option<PathBuf>,
    /// The account's token, for gated data sets.
    pub token: Option<String>,
    /// How often a failed request is made again, and a download that was cut is taken up again without a byte gained.
    pub retries: usize,
    /// How long a server may be silent.
    pub silence: Duration,
}

impl Default for HubOptions {
    fn default() -> Self {
        Self { endpoint: None, cache_dir: None, token: None, retries: 3, silence: Duration::from_secs(30) }
    }
}

/// A function of the caller's, or none. It takes no part in comparisons of [`LoadOptions`].
pub struct Hook<F: ?Sized>(Option<Arc<F>>);

/// Called with a file's name, the bytes that are there, and how many there will be, 0 if unknown.
pub type Progress = Hook<dyn Fn(&str, u64, u64) + Send + Sync>;

/// Called with a sentence.
pub type Notice = Hook<dyn Fn(&str) + Send + Sync>;

/// Says whether to stop; asked many times a second, from several threads.
pub type Stop = Hook<dyn Fn() -> bool + Send + Sync>;

impl Progress {
    /// Calls `listener` with a file's name, the bytes that are there, and how many there will be (0 if unknown), many
    /// times a second.
    pub fn new(listener: impl Fn(&str, u64, u64) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(listener)))
    }

    /// Calls the listener.
    pub(crate) fn report(&self, file: &str, done: u64, total: u64) {
        if let Some(listener) = &self.0 {
            listener(file, done, total);
        }
    }
}

impl Notice {
    /// Calls `listener` with each sentence.
    pub fn new(listener: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(listener)))
    }

    /// Calls the listener.
    pub(crate) fn say(&self, sentence: &str) {
        if let Some(listener) = &self.0 {
            listener(sentence);
        }
    }
}

impl Stop {
    /// Asks `wanted`, which stays true once it was.
    pub fn new(wanted: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(wanted)))
    }

    /// Whether the caller asked to stop.
    pub(crate) fn requested(&self) -> bool {
        self.0.as_ref().is_some_and(|wanted| wanted())
    }

    /// `reader`, which fails once the caller asked to stop.
    pub(crate) fn guard<R>(&self, reader: R) -> Guarded<'_, R> {
        Guarded { reader, stop: self }
    }
}

/// A reader that can be stopped.
pub(crate) struct Guarded<'a, R> {
    reader: R,
    stop: &'a Stop,
}

impl<R: io::Read> io::Read for Guarded<'_, R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        // Not `ErrorKind::Interrupted`, after which readers try again.
        if self.stop.requested() { Err(io::Error::other("interrupted")) } else { self.reader.read(into) }
    }
}

impl<F: ?Sized> Clone for Hook<F> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<F: ?Sized> Default for Hook<F> {
    fn default() -> Self {
        Self(None)
    }
}

impl<F: ?Sized> fmt::Debug for Hook<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Hook(function)" } else { "Hook(none)" })
    }
}

impl<F: ?Sized> PartialEq for Hook<F> {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl<F: ?Sized> Eq for Hook<F> {}
