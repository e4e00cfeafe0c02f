//! Errors by what the user has to do about them; the variant decides the exit code.

use crate::suggest::did_you_mean;
use sll_core::network::catalogue;

/// What went wrong, with what to do next in its text.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A check or a run failed. Exit code 1.
    #[error("{0}")]
    Failed(String),
    /// The user's input is wrong. Exit code 2.
    #[error("{0}")]
    Input(String),
    /// Something outside is missing: data, a device, LibTorch, a writable folder. Exit code 3.
    #[error("{0}")]
    Missing(String),
    /// Ctrl-C or a termination signal. Exit code 130.
    #[error("interrupted; what is finished is kept, and the same command resumes there")]
    Interrupted,
    /// The same where no run made a step that could be kept: calling again may lead nowhere. Exit code 75.
    #[error("interrupted before any run made a step that is kept; if its time was over, give it more time")]
    NoStep,
    /// The same of a command that keeps nothing. Exit code 130.
    #[error("interrupted; nothing is kept, and the same command begins anew")]
    Abandoned,
}

/// The crate's result type.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// The process's exit code.
    pub fn exit_code(&self) -> u8 {
        match self {
            Error::Failed(_) => 1,
            Error::Input(_) => 2,
            Error::Missing(_) => 3,
            // sysexits.h: EX_TEMPFAIL.
            Error::NoStep => 75,
            Error::Interrupted | Error::Abandoned => 130,
        }
    }

    /// The same of what stands in `place`: a file, a row of it.
    #[must_use]
    pub fn within(self, place: &str) -> Self {
        let said = |text: String| format!("{place}: {text}");
        match self {
            Error::Failed(text) => Error::Failed(said(text)),
            Error::Input(text) => Error::Input(said(text)),
            Error::Missing(text) => Error::Missing(said(text)),
            Error::Interrupted => Error::Interrupted,
            Error::NoStep => Error::NoStep,
            Error::Abandoned => Error::Abandoned,
        }
    }

    /// A file operation that failed.
    pub fn file(doing: &str, path: &std::path::Path, error: std::io::Error) -> Self {
        let next = match (error.kind(), room_for(error.kind())) {
            (_, Some(remedy)) => format!("; {remedy} and run the same command again"),
            (std::io::ErrorKind::PermissionDenied, _) if doing == "read" => {
                "; give yourself the right to read it (`chmod u+r`), or name another".into()
            }
            (std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::ReadOnlyFilesystem, _) => {
                "; choose a folder you can write to with --results DIR".into()
            }
            (std::io::ErrorKind::NotFound, _) if doing == "read" => "; name one that is there".into(),
            _ => "; see to that and run the same command again".into(),
        };
        Error::Missing(format!("cannot {doing} {}: {error}{next}", path.display()))
    }
}

/// What makes room where `kind` says that there is none.
pub fn room_for(kind: std::io::ErrorKind) -> Option<&'static str> {
    match kind {
        std::io::ErrorKind::StorageFull => Some("free some disk space"),
        std::io::ErrorKind::QuotaExceeded => Some("free some of your quota on that disk"),
        std::io::ErrorKind::FileTooLarge => {
            Some("raise the limit on the size of files (`ulimit -f`, or the disk's own)")
        }
        _ => None,
    }
}

impl From<sll_core::Error> for Error {
    fn from(error: sll_core::Error) -> Self {
        match &error {
            sll_core::Error::Record { .. } => {
                Error::Failed(format!("{error}; delete the checkpoint to start afresh, as `--force` does"))
            }
            sll_core::Error::Setting { key: "network", value, .. } => {
                let known = catalogue().iter().map(|named| named.name);
                Error::Input(format!("{error}{}", did_you_mean(value, known)))
            }
            _ => Error::Input(error.to_string()),
        }
    }
}

impl From<datasets::DataError> for Error {
    fn from(error: datasets::DataError) -> Self {
        match &error {
            datasets::DataError::Unknown { name, valid } => Error::Input(format!(
                "{}; name one of your own by its folder or manifest{}",
                crate::remedy::explain(&error),
                did_you_mean(name, valid.split(", "))
            )),
            datasets::DataError::Own { .. }
            | datasets::DataError::Manifest { .. }
            | datasets::DataError::Setting { .. } => Error::Input(crate::remedy::explain(&error)),
            datasets::DataError::Interrupted { .. } => Error::Interrupted,
            _ => Error::Missing(crate::remedy::explain(&error)),
        }
    }
}
