//! What can go wrong with data: each message names the data set or file and ends with what to do next.

mod next;
mod problem;

pub use next::{Advice, Next};
pub(crate) use problem::{Kind, Problem};

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// Why a data set could not be had.
#[derive(Debug)]
pub enum DataError {
    /// No manifest has this name.
    Unknown {
        /// The name asked for.
        name: String,
        /// The names that exist, comma-separated.
        valid: String,
    },
    /// The files are in none of the places where they may lie.
    Missing {
        /// The data set's name.
        dataset: String,
        /// Every place looked at and what is wrong with it.
        looked: Vec<String>,
        /// What to do next.
        next: Advice,
    },
    /// No source has it.
    Fetch {
        /// The data set's name.
        dataset: String,
        /// For each source, what went wrong and what to do about it.
        attempts: Vec<Attempt>,
        /// What to do without any of them.
        next: Advice,
    },
    /// Nobody published the content's digest, and it is not the content that this machine saw first.
    Changed {
        /// The data set's name.
        dataset: String,
        /// The digest seen first.
        expected: String,
        /// Where that came from; none for a data set of one's own, whose manifest says it.
        first: Option<String>,
        /// The digest now.
        found: String,
        /// The file that remembers, or the folder of one's own that was described.
        record: PathBuf,
    },
    /// A manifest contradicts itself, or is none.
    Manifest {
        /// What is wrong with it; names the manifest and the field where it has them.
        problem: String,
    },
    /// A setting asks for more images than there are.
    Setting {
        /// The setting.
        key: &'static str,
        /// Its value.
        value: usize,
        /// Why it cannot be.
        reason: String,
    },
    /// An image cannot be read while it is used.
    Image {
        /// Its file and what is wrong with it.
        problem: String,
    },
    /// A folder or manifest of one's own cannot be used.
    Own {
        /// The folder or manifest.
        path: PathBuf,
        /// What is wrong with it, as a verb phrase.
        problem: String,
        /// What to do next.
        next: Advice,
    },
    /// What this machine wrote down of the content that it saw first cannot be read, so that nothing can be compared
    /// with it.
    Record {
        /// The data set's name.
        dataset: String,
        /// The file that remembers.
        record: PathBuf,
        /// What is wrong with it, as a verb phrase.
        problem: String,
    },
    /// A file is well-formed but not the official content.
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
    /// A file is not in its official layout; no option makes it readable.
    Corrupt {
        /// The data set's name.
        dataset: String,
        /// The file; none where it is an image that the problem names.
        file: Option<String>,
        /// What is wrong with it, as a verb phrase.
        problem: String,
        /// Whether it lies in the cache.
        fetched: bool,
    },
    /// There is no image to work with.
    Empty {
        /// The data set's name.
        dataset: String,
    },
    /// Images fell out without a reason in any of them: a fault of this library.
    Lost {
        /// How many batches, and where.
        problem: String,
    },
    /// The caller's [`Stop`](crate::Stop) said so.
    Interrupted {
        /// The data set's name.
        dataset: String,
    },
    /// The operating system refused to read a file.
    Read {
        /// The data set's name.
        dataset: String,
        /// The file.
        file: String,
        /// The system's reason.
        source: io::Error,
    },
}

/// What came of asking one source for a data set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// The source: a data set of the hub, or an address.
    pub source: String,
    /// What went wrong.
    pub problem: String,
    /// What to do about it.
    pub next: Advice,
}

impl fmt::Display for DataError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.explain(&Next::to_string))
    }
}

impl std::error::Error for DataError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Read { source, .. } => Some(source),
            _ => None,
        }
    }
}

/// What to do about a file that is not what it should be.
fn sound_file(fetched: bool, dataset: &str) -> Next {
    if fetched { Next::Refetch(dataset.to_owned()) } else { Next::Replace }
}

impl DataError {
    /// What is wrong and what to do next, the latter in the words that `say` finds.
    pub fn explain(&self, say: &dyn Fn(&Next) -> String) -> String {
        let attempts: String = match self {
            Self::Fetch { attempts, .. } => {
                let line = |a: &Attempt| format!("\n  {}: {}; {}", a.source, a.problem, a.next.explain(say));
                attempts.iter().map(line).collect()
            }
            _ => String::new(),
        };
        let between = if attempts.is_empty() { "; " } else { "\n" };
        format!("{}{attempts}{between}{}", self.problem(), self.next().explain(say))
    }

    /// What is wrong: a sentence without what to do about it.
    pub fn problem(&self) -> String {
        match self {
            Self::Unknown { name, .. } => format!("there is no data set `{name}`"),
            Self::Missing { dataset, looked, .. } => {
                format!("data set `{dataset}` was not found: {}", looked.join(", "))
            }
            Self::Fetch { dataset, .. } => format!("data set `{dataset}` could not be fetched from any source:"),
            Self::Changed { dataset, expected, found, first: None, .. } => format!(
                "data set `{dataset}`: the images are not those that were described (sha256:{expected}; now \
                 sha256:{found})"
            ),
            Self::Manifest { problem } => problem.clone(),
            Self::Setting { key, value, reason } => format!("`{key}` = {value}: {reason}"),
            Self::Image { problem } => format!("an image cannot be used: {problem}"),
            Self::Own { path, problem, .. } => format!("{} {problem}", path.display()),
            Self::Changed { dataset, expected, first: Some(first), found, .. } => format!(
                "data set `{dataset}`: the images are not those that were first used on this machine \
                 (sha256:{expected} from {first}; now sha256:{found})"
            ),
            Self::Record { dataset, record, problem } => format!(
                "data set `{dataset}`: {} {problem}; it has the digest of the images that were first used on this \
                 machine",
                record.display()
            ),
            Self::Digest { dataset, file, expected, found, differing, files, .. } => format!(
                "data set `{dataset}`: {file} is not the official content (expected {expected}, found {found}; \
                 {differing} of {files} files differ)"
            ),
            Self::Corrupt { dataset, file, problem, .. } => {
                format!("data set `{dataset}`: {} {problem}", file.as_deref().unwrap_or("image"))
            }
            Self::Empty { dataset } => format!("data set `{dataset}` has no training image"),
            Self::Lost { problem } => problem.clone(),
            Self::Interrupted { dataset } => {
                format!("data set `{dataset}`: interrupted; what was downloaded is kept")
            }
            Self::Read { dataset, file, source } => format!("data set `{dataset}`: cannot read {file} ({source})"),
        }
    }

    /// What to do next.
    pub fn next(&self) -> Advice {
        match self {
            Self::Unknown { valid, .. } => format!("choose one of {valid}").into(),
            Self::Missing { next, .. } | Self::Fetch { next, .. } => next.clone(),
            Self::Changed { first: None, record, .. } => [Next::Describe(record.clone()), Next::Accept].into(),
            Self::Own { next, .. } => next.clone(),
            Self::Manifest { .. } => "mend the manifest".into(),
            Self::Setting { .. } => "take fewer".into(),
            Self::Image { .. } => "replace that file".into(),
            Self::Changed { record, .. } => {
                Advice::from(format!("if the change is meant, remove {}", record.display())).or(Next::Accept)
            }
            Self::Record { .. } => {
                Advice::from("make it readable").or("remove it to start with the images that are there now")
            }
            Self::Digest { fetched, dataset, .. } => [sound_file(*fetched, dataset), Next::Accept].into(),
            Self::Corrupt { fetched, dataset, .. } => sound_file(*fetched, dataset).into(),
            Self::Empty { .. } => "add images to it".into(),
            Self::Lost { .. } => {
                Advice::from(Next::Again).or("report it, with all that was printed, if it comes again")
            }
            Self::Interrupted { .. } => Next::Again.into(),
            Self::Read { .. } => "check its permissions and the disk".into(),
        }
    }

    /// The same of a file that lies in the cache, and can be fetched again.
    pub(crate) fn in_cache(mut self) -> Self {
        if let Self::Corrupt { fetched, .. } | Self::Digest { fetched, .. } = &mut self {
            *fetched = true;
        }
        self
    }

    /// The same of a data set of one's own in `dir`, which is nobody else's to replace; `other` is what else helps.
    pub(crate) fn of_own(self, dir: &Path, other: Option<Next>) -> Self {
        match self {
            Self::Corrupt { file, problem, .. } => {
                let problem = match file {
                    None => format!("has an image that cannot be used: {problem}"),
                    Some(file) if Path::new(&file) == dir => problem,
                    Some(file) => format!("has a file that cannot be used: {file} {problem}"),
                };
                let next = Advice::from("replace or remove what is wrong");
                let next = if let Some(other) = other { next.or(other) } else { next };
                Self::Own { path: dir.to_owned(), problem, next }
            }
            error => error,
        }
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
        let attempt = |source: &str, problem: &str, next: &str| Attempt {
            source: source.to_owned(),
            problem: problem.to_owned(),
            next: next.into(),
        };
        let attempts = vec![attempt("hub a/b", "no answer", "try again"), attempt("https://c/", "404", "look there")];
        let next = Advice::from([Next::Fetch("small".to_owned()), Next::Accept]);
        let error = DataError::Fetch { dataset: "small".to_owned(), attempts, next };
        let text = "data set `small` could not be fetched from any source:\n  hub a/b: no answer; try again\n  \
                    https://c/: 404; look there\nfetch small where there is a network, or set `allow_unverified` to \
                    use it and mark every result";
        assert_eq!(error.to_string(), text);
        let own = |next: &Next| if *next == Next::Accept { "pass --yes".to_owned() } else { next.to_string() };
        assert!(error.explain(&own).ends_with("fetch small where there is a network, or pass --yes"));
    }
}
