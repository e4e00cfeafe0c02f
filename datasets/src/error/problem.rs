//! What goes wrong on the way to a server, as a sentence and what to do next.

use std::io;
use std::path::Path;
use std::time::Duration;

/// What to do about a full disk.
const NO_ROOM: &str = "free some disk space, or point SLL_CACHE and HF_HOME at a larger disk, and run the same command again: what was downloaded is kept";

/// What to do after a download that did not end.
const AGAIN: &str = "run the same command again: it goes on where it stopped";

/// One source's failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    /// What happened.
    pub(crate) text: String,
    /// What to do next.
    pub(crate) next: String,
    /// Whether the same request may go better when made again at once.
    pub(crate) passing: bool,
    /// Whether a server sends, but too little.
    pub(crate) slow: bool,
    /// Whether nothing is wrong with what is there: there is nothing.
    pub(crate) absent: bool,
}

impl Problem {
    pub(crate) fn new(text: impl Into<String>, next: impl Into<String>) -> Self {
        Self { text: text.into(), next: next.into(), passing: false, slow: false, absent: false }
    }

    pub(crate) fn absent(text: impl Into<String>, next: impl Into<String>) -> Self {
        Self { absent: true, ..Self::new(text, next) }
    }

    pub(crate) fn passing(text: impl Into<String>, next: impl Into<String>) -> Self {
        Self { passing: true, ..Self::new(text, next) }
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

    /// A file that cannot be written. `needed` are the bytes that its folder must still have room for, at most: what a full disk is asked for.
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
            401 | 403 => Self::new(text, "the server wants a login: download it with a browser and use --data-dir"),
            404 | 410 => Self::new(text, "it has moved: look on the data set's home page and use --data-dir"),
            429 => Self::new(text, "too many requests from here: wait some minutes and run the same command again"),
            500.. => Self::passing(text, "the server has a problem of its own: try again later"),
            _ => Self::new(text, "look on the data set's home page and use --data-dir"),
        }
    }

    /// A request for `url` that got no usable response, or a body that broke off.
    pub(crate) fn request(error: &ureq::Error, url: &str) -> Self {
        use io::ErrorKind as Kind;
        use ureq::Error;
        let network = "check the network connection (HTTPS_PROXY, HF_ENDPOINT), or use --offline with --data-dir";
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
                Kind::TimedOut | Kind::WouldBlock => Self::silent(url),
                Kind::ConnectionRefused | Kind::HostUnreachable | Kind::NetworkUnreachable => unreachable(),
                _ => Self::broken(&cause.to_string()),
            },
            other => Self::broken(&other.to_string()),
        }
    }

    /// A server that sends on and on.
    pub(crate) fn redirects(url: &str) -> Self {
        Self::new(format!("{url} redirects in a loop or too often"), "try again later, or use --data-dir")
    }

    /// A connection that broke off.
    pub(crate) fn broken(cause: &str) -> Self {
        Self::passing(format!("the connection broke ({cause})"), AGAIN)
    }

    /// A server that sent no more than `bytes` in `time`.
    pub(crate) fn slow(bytes: u64, time: Duration) -> Self {
        let text = format!("the server sends too slowly ({bytes} bytes in {:.1} s)", time.as_secs_f64());
        Self {
            slow: true,
            ..Self::passing(
                text,
                "use another source or HF_ENDPOINT, or run the same command later: it goes on where it stopped",
            )
        }
    }

    /// A server that says nothing.
    pub(crate) fn silent(server: &str) -> Self {
        Self::passing(format!("{server} does not answer"), format!("check the network connection, and {AGAIN}"))
    }

    /// The caller has had enough.
    pub(crate) fn stopped() -> Self {
        Self::new("it was interrupted", AGAIN)
    }

    /// A response of the hub to a request about `repo` that is not success. `wait` is how many seconds it asks for.
    pub(crate) fn hub_status(status: u16, url: &str, wait: Option<u64>, repo: &str, gated: bool) -> Self {
        match status {
            401 if gated => Self::new(
                "the hub wants a login (401)",
                format!(
                    "accept the licence at https://huggingface.co/datasets/{repo} and set HF_TOKEN (or run `hf auth login`)"
                ),
            ),
            401 => Self::new("the hub wants a login (401)", "set HF_TOKEN, or remove a token that is no longer valid"),
            403 => Self::new(
                "the hub refuses this account (403)",
                format!("ask for access at https://huggingface.co/datasets/{repo}, with the account of HF_TOKEN"),
            ),
            404 => Self::new(format!("the hub does not have it (404: {url})"), "use another source, or --data-dir"),
            429 => {
                let wait = wait.map_or("some minutes".to_owned(), |seconds| format!("{seconds} s"));
                Self::new("the hub has had too many requests from here (429)", format!("wait {wait} and {AGAIN}"))
            }
            _ => Self::status(status, url),
        }
    }
}

/// Bytes, for people.
fn size(bytes: u64) -> String {
    if bytes < 1_000_000 { format!("{bytes} bytes") } else { format!("{} MB", bytes.div_ceil(1_000_000)) }
}
