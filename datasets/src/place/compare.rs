//! Digests alone: which file of a data set is not the official one.

use crate::error::DataError;
use crate::manifest::Manifest;
use crate::manifest::digest::Digest;
use crate::place::Located;

/// The outcome of comparing a data set's files with its manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verification {
    /// The data set's name.
    pub dataset: String,
    /// Where its files were found, as in [`Dataset::source`](crate::Dataset::source).
    pub source: String,
    /// One for each file, in the manifest's order.
    pub files: Vec<FileCheck>,
}

impl Verification {
    /// Whether every file is the official one.
    pub fn ok(&self) -> bool {
        self.files.iter().all(|file| file.ok)
    }
}

/// One file compared with its manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileCheck {
    /// The file, with its folder.
    pub file: String,
    /// The digest of the official content; none where nobody published one and nothing was seen before.
    pub expected: Option<Digest>,
    /// The digest of the content found; none if it could not be read to its end.
    pub found: Option<Digest>,
    /// Why there is no `found`, as a verb phrase after the file's name.
    pub problem: Option<String>,
    /// Whether `found` is `expected`.
    pub ok: bool,
}

/// Compares the files of `located` with the manifest.
pub(crate) fn compare(manifest: &Manifest, located: &Located) -> Result<Verification, DataError> {
    let files = manifest.files.iter().zip(&located.files).map(|(spec, file)| {
        let length = manifest.content_len(spec);
        let (found, problem) = match file.read(&manifest.name, length) {
            Ok(content) if content.len() > length => {
                (None, Some(format!("continues after its {length} bytes of content")))
            }
            Ok(content) => (Some(Digest::of(spec.digest.algorithm, &content)), None),
            Err(DataError::Corrupt { problem, .. }) => (None, Some(problem)),
            Err(DataError::Read { source, .. }) => (None, Some(format!("cannot be read ({source})"))),
            Err(error) => return Err(error),
        };
        let expected = Some(spec.digest.clone());
        let ok = found == expected;
        Ok(FileCheck { file: file.name.clone(), expected, found, problem, ok })
    });
    Ok(Verification {
        dataset: manifest.name.clone(),
        source: located.source.clone(),
        files: files.collect::<Result<_, _>>()?,
    })
}
