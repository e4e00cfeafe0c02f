//! What can go wrong with data: each message names the data set or file and ends with what to do next.

mod problem;

pub(crate) use problem::Problem;

use std::io;
use std::path::PathBuf;

/// Why a data set could not be had.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// No manifest has this name.
    #[error("there is no data set `{name}`; choose one of {valid}")]
    Unknown {
        /// The name asked for.
        name: String,
        /// The names that exist, comma-separated.
        valid: String,
    },
    /// The files are in none of the places where they may lie.
    #[error("data set `{dataset}` was not found: {}; {next}", looked.join(", "))]
    Missing {
        /// The data set's name.
        dataset: String,
        /// Every place looked at and what is wrong with it.
        looked: Vec<String>,
        /// What to do next.
        next: String,
    },
    /// No source has it.
    #[error("data set `{dataset}` could not be fetched from any source:{}\n{next}", listed(attempts))]
    Fetch {
        /// The data set's name.
        dataset: String,
        /// For each source, what went wrong and what to do about it.
        attempts: Vec<String>,
        /// What to do without any of them.
        next: String,
    },
    /// Nobody published the content's digest, and it is not the content that this machine saw first.
    #[error(
        "data set `{dataset}`: the images are not those that were first used on this machine (sha256:{expected} from {first}; now sha256:{found}); if the change \
         is meant, remove {}, or pass --allow-unverified", record.display()
    )]
    Changed {
        /// The data set's name.
        dataset: String,
        /// The digest seen first.
        expected: String,
        /// Where that came from.
        first: String,
        /// The digest now.
        found: String,
        /// The file that remembers.
        record: PathBuf,
    },
    /// What this machine wrote down of the content that it saw first cannot be read, so that nothing can be compared with it.
    #[error(
        "data set `{dataset}`: {} {problem}; it has the digest of the images that were first used on this machine: make it readable, or remove it to start \
         with the images that are there now", record.display()
    )]
    Record {
        /// The data set's name.
        dataset: String,
        /// The file that remembers.
        record: PathBuf,
        /// What is wrong with it, as a verb phrase.
        problem: String,
    },
    /// A file is well-formed but not the official content.
    #[error(
        "data set `{dataset}`: {file} is not the official content (expected {expected}, found {found}; {differing} of {files} files differ); \
         {}, or pass --allow-unverified to use it and mark every result", mend(*fetched, dataset)
    )]
    Digest {
        /// The data set's name.
        dataset: String,
        /// The first file that differs.
        file: String,
        /// Its digest in the manifest, as `algorithm:hex`.
        expected: String,
        /// Its digest here, as `algorithm:hex`.
        found: String,
        /// How many of the data set's files differ.
        differing: usize,
        /// How many files the data set has.
        files: usize,
        /// Whether it lies in the cache.
        fetched: bool,
    },
    /// A file is not in its official layout; no flag makes it readable.
    #[error("data set `{dataset}`: {file} {problem}; {}", mend(*fetched, dataset))]
    Corrupt {
        /// The data set's name.
        dataset: String,
        /// The file.
        file: String,
        /// What is wrong with it, as a verb phrase.
        problem: String,
        /// Whether it lies in the cache.
        fetched: bool,
    },
    /// The caller's [`Stop`](crate::Stop) said so.
    #[error("data set `{dataset}`: interrupted; what was downloaded is kept, and the same command goes on from there")]
    Interrupted {
        /// The data set's name.
        dataset: String,
    },
    /// The operating system refused to read a file.
    #[error("data set `{dataset}`: cannot read {file} ({source}); check its permissions and the disk")]
    Read {
        /// The data set's name.
        dataset: String,
        /// The file.
        file: String,
        /// The system's reason.
        source: io::Error,
    },
}

/// A line for each.
fn listed(attempts: &[String]) -> String {
    attempts.iter().map(|attempt| format!("\n  {attempt}")).collect()
}

/// What to do about a file that is not what it should be.
fn mend(fetched: bool, dataset: &str) -> String {
    match fetched {
        true => format!(
            "run `harness data fetch {dataset}` where there is a network, which puts sound content in its place"
        ),
        false => "replace it with the official file".to_owned(),
    }
}

impl DataError {
    /// The same of a file that lies in the cache, and can be fetched again.
    pub(crate) fn in_cache(mut self) -> Self {
        if let Self::Corrupt { fetched, .. } | Self::Digest { fetched, .. } = &mut self {
            *fetched = true;
        }
        self
    }

    /// Whether something outside the program is missing: the data set's files are nowhere.
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Missing { .. } | Self::Fetch { .. })
    }

    /// Whether the data is there and readable, but not the official content.
    pub fn is_digest_mismatch(&self) -> bool {
        matches!(self, Self::Digest { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_fetch_has_a_line_for_each_source_and_the_next_step_last() {
        let attempts = ["hub a/b: no answer; try again", "https://c/: 404; look there"].map(str::to_owned).to_vec();
        let error = DataError::Fetch { dataset: "small".to_owned(), attempts, next: "set --data-dir".to_owned() };
        let text = "data set `small` could not be fetched from any source:\n  hub a/b: no answer; try again\n  https://c/: 404; look there\n\
                    set --data-dir";
        assert_eq!(error.to_string(), text);
    }
}
