//! What goes wrong on the way to a server, as a sentence and what to do next.

use std::{io, path::Path};

use hf_hub::HFError;

/// What to do about a full disk.
const NO_ROOM: &str =
    "free some disk space, or point SLL_CACHE and HF_HOME at a larger disk, and run the same command again";

/// One source's failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    /// What happened.
    pub(crate) text: String,
    /// What to do next.
    pub(crate) next: String,
    /// Whether the same request may go better when made again at once.
    pub(crate) passing: bool,
    /// Whether nothing is wrong with what is there: there is nothing.
    pub(crate) absent: bool,
}

impl Problem {
    pub(crate) fn new(text: impl Into<String>, next: impl Into<String>) -> Self {
        Self { text: text.into(), next: next.into(), passing: false, absent: false }
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

    /// A request that got no usable response.
    pub(crate) fn request(error: &reqwest::Error) -> Self {
        let at = error.url().map_or_else(String::new, |url| format!(" {url}"));
        if error.is_redirect() {
            return Self::new(
                format!("{at} redirects in a loop or too often").trim_start(),
                "try again later, or use --data-dir",
            );
        }
        if error.is_timeout() {
            return Self::silent(at.trim());
        }
        let cause = root_cause(error);
        if error.is_connect() {
            let next = "check the network connection (HTTPS_PROXY, HF_ENDPOINT), or use --offline with --data-dir";
            return Self::passing(format!("cannot connect to{at} ({cause})"), next);
        }
        Self::passing(
            format!("the connection broke ({cause})"),
            "run the same command again: it goes on where it stopped",
        )
    }

    /// A server that says nothing.
    pub(crate) fn silent(server: &str) -> Self {
        Self::passing(
            format!("{server} does not answer"),
            "check the network connection, and run the same command again: it goes on where it stopped",
        )
    }

    /// The caller has had enough.
    pub(crate) fn stopped() -> Self {
        Self::new("it was interrupted", "run the same command again: it goes on where it stopped")
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
                let again = "run the same command again: it goes on where it stopped";
                Self::new("the hub has had too many requests from here (429)", format!("wait {wait} and {again}"))
            }
            _ => Self::status(status, url),
        }
    }

    /// What hf-hub reports about `repo`.
    pub(crate) fn hub(error: &HFError, repo: &str, gated: bool) -> Self {
        let again = "run the same command again: it goes on where it stopped";
        match error {
            HFError::AuthRequired { context } => Self::hub_status(401, &context.url, None, repo, gated),
            HFError::Forbidden { context } => Self::hub_status(403, &context.url, None, repo, gated),
            HFError::RateLimited { retry_after, context } => {
                Self::hub_status(429, &context.url, retry_after.map(|wait| wait.as_secs()), repo, gated)
            }
            HFError::RepoNotFound { .. } | HFError::RevisionNotFound { .. } | HFError::EntryNotFound { .. } => {
                Self::new(format!("the hub does not have it (404: {error})"), "use another source, or --data-dir")
            }
            HFError::Http { context } => Self::status(context.status.as_u16(), &context.url),
            HFError::Request { source, .. } => Self::request(source),
            HFError::Io(error) => Self::file("use the hub's cache at", Path::new("HF_HOME"), error),
            HFError::MalformedResponse { .. } => {
                Self::new(error.to_string(), "check HF_ENDPOINT: what answers there is no hub")
            }
            HFError::Url(_) => {
                Self::new(format!("HF_ENDPOINT is no address ({error})"), "set it to https://.. or unset it")
            }
            other => Self::passing(other.to_string(), again),
        }
    }
}

/// Bytes, for people.
fn size(bytes: u64) -> String {
    if bytes < 1_000_000 { format!("{bytes} bytes") } else { format!("{} MB", bytes.div_ceil(1_000_000)) }
}

/// The innermost reason, which alone says something to people.
fn root_cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}
