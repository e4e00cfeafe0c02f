//! What goes wrong on the way to a server, as a sentence and what to do next.

use super::{Advice, Next};
use std::io;
use std::path::Path;
use std::time::Duration;

/// What to do about a full disk.
const NO_ROOM: &str = "free some disk space, or point SLL_CACHE and HF_HOME at a larger disk, and do the same again: \
                       what was downloaded is kept";

/// One source's failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    /// What happened.
    pub(crate) text: String,
    /// What to do next.
    pub(crate) next: Advice,
    /// What to make of it.
    pub(crate) kind: Kind,
}

/// What a program does about a [`Problem`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It stays as it is until somebody does something about it.
    Lasting,
    /// The same request may go better when made again at once.
    Passing,
    /// The same: a server sends, but too little.
    Slow,
    /// Nothing is wrong with what is there: there is nothing.
    Absent,
}

impl Kind {
    /// Whether the same request may go better when made again at once.
    pub(crate) fn passes(self) -> bool {
        matches!(self, Self::Passing | Self::Slow)
    }
}

impl Problem {
    pub(crate) fn new(text: impl Into<String>, next: impl Into<Advice>) -> Self {
        Self { text: text.into(), next: next.into(), kind: Kind::Lasting }
    }

    pub(crate) fn absent(text: impl Into<String>, next: impl Into<Advice>) -> Self {
        Self { kind: Kind::Absent, ..Self::new(text, next) }
    }

    pub(crate) fn passing(text: impl Into<String>, next: impl Into<Advice>) -> Self {
        Self { kind: Kind::Passing, ..Self::new(text, next) }
    }

    /// A file that cannot be written or read on this machine.
    pub(crate) fn file(doing: &str, path: &Path, error: &io::Error) -> Self {
        let next = match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => NO_ROOM,
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                "point SLL_CACHE and HF_HOME at a folder you can write to"
            }
            _ => "check the disk, and SLL_CACHE and HF_HOME",
        };
        Self::new(format!("cannot {doing} {} ({error})", path.display()), next)
    }

    /// A file that cannot be written. `needed` are the bytes that its folder must still have room for, at most: what a
    /// full disk is asked for.
    pub(crate) fn write(path: &Path, needed: u64, error: &io::Error) -> Self {
        if !matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) {
            return Self::file("write", path, error);
        }
        let folder = path.parent().unwrap_or(path).display();
        Self::new(
            format!("cannot write {} ({error}); {folder} needs room for {} more", path.display(), size(needed)),
            NO_ROOM,
        )
    }

    /// A response's status that is not success.
    pub(crate) fn status(status: u16, url: &str) -> Self {
        let text = format!("the server answered {status} for {url}");
        match status {
            401 | 403 => {
                Self::new(format!("{text}; it wants a login"), Next::ByHand("download it with a browser".to_owned()))
            }
            404 | 410 => Self::new(format!("{text}; it has moved"), home_page()),
            429 => {
                Self::new(format!("{text}; there were too many requests from here"), "wait some minutes and try again")
            }
            500.. => Self::passing(format!("{text}; the server has a problem of its own"), "try again later"),
            _ => Self::new(text, home_page()),
        }
    }

    /// A request for `url` that got no usable response, or a body that broke off.
    pub(crate) fn request(error: &ureq::Error, url: &str) -> Self {
        use io::ErrorKind as Cause;
        use ureq::Error;
        let network = Advice::from("check the network connection (HTTPS_PROXY, HF_ENDPOINT)").or(Next::Offline);
        let unreachable = || Self::passing(format!("cannot connect to {url} ({error})"), network);
        match error {
            Error::Timeout(_) => Self::silent(url),
            Error::BadUri(_) | Error::InvalidProxyUrl => {
                let next = "set HF_ENDPOINT and HTTPS_PROXY to an address (https://..), or unset them";
                Self::new(format!("{url} cannot be asked for ({error})"), next)
            }
            Error::HostNotFound | Error::ConnectionFailed | Error::ConnectProxyFailed(_) => unreachable(),
            Error::Tls(_) | Error::Rustls(_) => unreachable(),
            Error::Io(cause) => match cause.kind() {
                Cause::TimedOut | Cause::WouldBlock => Self::silent(url),
                Cause::ConnectionRefused | Cause::HostUnreachable | Cause::NetworkUnreachable => unreachable(),
                _ => Self::broken(&cause.to_string()),
            },
            other => Self::broken(&other.to_string()),
        }
    }

    /// A server that sends on and on.
    pub(crate) fn redirects(url: &str) -> Self {
        Self::new(format!("{url} redirects in a loop or too often"), Advice::from("try again later").or(Next::OwnFiles))
    }

    /// A connection that broke off.
    pub(crate) fn broken(cause: &str) -> Self {
        Self::passing(format!("the connection broke ({cause})"), Next::Again)
    }

    /// A server that sent no more than `bytes` in `time`.
    pub(crate) fn slow(bytes: u64, time: Duration) -> Self {
        let text = format!("the server sends too slowly ({bytes} bytes in {:.1} s)", time.as_secs_f64());
        let next = [Next::OtherSource, Next::Do("use another HF_ENDPOINT".to_owned()), Next::Again];
        Self { kind: Kind::Slow, ..Self::new(text, next) }
    }

    /// A server that says nothing.
    pub(crate) fn silent(server: &str) -> Self {
        Self::passing(format!("{server} does not answer"), Advice::from("check the network connection").or(Next::Again))
    }

    /// The caller asked to stop.
    pub(crate) fn stopped() -> Self {
        Self::new("it was interrupted", Next::Again)
    }

    /// A response of the hub to a request about `repo` that is not success. `wait` is how many seconds it asks for.
    pub(crate) fn hub_status(status: u16, url: &str, wait: Option<u64>, repo: &str, gated: bool) -> Self {
        match status {
            401 if gated => Self::new(
                "the hub wants a login (401)",
                format!(
                    "accept the licence at https://huggingface.co/datasets/{repo} and set HF_TOKEN (or run `hf auth \
                     login`)"
                ),
            ),
            401 => Self::new("the hub wants a login (401)", "set HF_TOKEN, or remove a token that is no longer valid"),
            403 => Self::new(
                "the hub refuses this account (403)",
                format!("ask for access at https://huggingface.co/datasets/{repo}, with the account of HF_TOKEN"),
            ),
            404 => Self::new(format!("the hub does not have it (404: {url})"), [Next::OtherSource, Next::OwnFiles]),
            429 => {
                let wait = wait.map_or("some minutes".to_owned(), |seconds| format!("{seconds} s"));
                Self::new("the hub has had too many requests from here (429)", format!("wait {wait} and try again"))
            }
            _ => Self::status(status, url),
        }
    }
}

/// Files that a program cannot find by itself any more.
fn home_page() -> Next {
    Next::ByHand("look on the data set's home page".to_owned())
}

/// Bytes in words.
fn size(bytes: u64) -> String {
    if bytes < 1_000_000 { format!("{bytes} bytes") } else { format!("{} MB", bytes.div_ceil(1_000_000)) }
}
