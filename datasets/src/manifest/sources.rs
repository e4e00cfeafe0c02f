//! Where a data set may come from.

use super::digest::Digest;
use serde::Deserialize;
use std::path::PathBuf;

/// A system package that ships a data set.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SystemPackage {
    /// The folder it puts the files in.
    pub dir: PathBuf,
    /// The command that installs it.
    pub install: String,
}

/// Where a data set of one's own lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Own {
    /// The folder or manifest that named it, absolute.
    pub path: PathBuf,
    /// The folder that holds its files, absolute.
    pub dir: PathBuf,
}

/// A data set on the Hugging Face hub, as Parquet shards with encoded images.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HubSource {
    /// Owner and name.
    pub repo: String,
    /// The commit it is taken at; of a manifest of one's own, a branch will do. Where the commit is gone, the archives
    /// are next: the hub's own conversion (`refs/convert/parquet`) would be no second source, since the hub remakes and
    /// deletes it, as it did Imagenette's.
    pub revision: String,
    /// Whether the hub wants an account's token and the licence accepted.
    #[serde(default)]
    pub gated: bool,
    /// The shards of the training images; one `*` in the file's name matches anything.
    pub train: String,
    /// The shards of the test images, likewise.
    pub test: String,
    /// The column of images: `struct {bytes, path}`.
    pub image: String,
    /// The column of classes.
    pub label: String,
    /// The column of CIFAR-100's coarse classes, which its official files hold too.
    pub coarse_label: Option<String>,
}

/// An official archive.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ArchiveSource {
    /// Where it is; of `files`, the folder, with a slash at its end.
    pub url: String,
    /// What it is.
    pub format: ArchiveFormat,
    /// The folder inside it that holds the data set.
    pub root: String,
    /// The digest of the archive itself, if its owner or a widely used library states one.
    pub digest: Option<Digest>,
    /// What is neither downloaded nor unpacked beyond: bytes in all.
    pub max_bytes: u64,
}

/// The format of an archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ArchiveFormat {
    /// No archive: each of the manifest's files by itself.
    Files,
    /// A gzipped tar.
    TarGz,
    /// A zip.
    Zip,
}

impl HubSource {
    /// The name of its content at `commit` in messages and records.
    pub(crate) fn origin(&self, commit: &str) -> String {
        format!("hub {} at {commit}", self.repo)
    }
}
