//! Image data sets, byte for byte: where they may lie, what they must hold, and how a training run walks through them.
//!
//! A data set is described by a [`Manifest`] (`manifests/*.toml`): its files, their digests, counts, classes and
//! normalisation. [`load`] looks for the files in the data directory, a system package, the cache, and where
//! [`LoadOptions::online`] allows it on the Hugging Face hub and in the official archives, checks structure and digest,
//! and returns the decoded images; `mnist-sample` and `fashion-mnist-sample` are embedded in the program and need no
//! files. [`status`] only looks, [`fetch`] only brings, [`verify`] only compares digests. What is too large for memory
//! comes as a [`Stream`]. [`epoch_order`] and [`Augment`] are pure functions of their seeds, so that a resumed run sees
//! the same images as an uninterrupted one.
//!
//! ```
//! use datasets::{LoadOptions, epoch_order, load};
//!
//! let data = load("mnist-sample", &LoadOptions::default())?;
//! let splits = data.in_memory().expect("only large data sets are streamed");
//! assert_eq!((splits.train.len(), splits.test.len(), data.shape), (4000, 1000, [1, 28, 28]));
//! for index in epoch_order(0, 0, splits.train.len()).into_iter().take(2) {
//!     let (pixels, label) = (splits.train.image(index as usize), splits.train.labels[index as usize]);
//!     assert!(pixels.len() == 784 && usize::from(label) < data.classes);
//! }
//! # Ok::<(), datasets::DataError>(())
//! ```

mod augment;
mod error;
mod fetch;
mod files;
mod format;
mod load;
mod manifest;
mod net;
mod options;
mod own;
mod place;
mod random;
mod serve;
mod sheet;
#[cfg(test)]
mod testing;

pub use augment::{Augment, Place, Policy};
pub use error::{Advice, Attempt, DataError, Next};
pub use fetch::verify::verify;
pub use fetch::{fetch, status_or_fetch};
pub use files::atomic::{TEMPORARY, YOUNG, sweep, write_atomically};
pub use files::lock::wait_for;
pub use format::images::Images;
pub use load::{load, load_manifest, unpublished_digest};
pub use manifest::digest::{Algorithm, Digest};
pub use manifest::registry::{manifest, manifests};
pub use manifest::{
    ArchiveFormat, ArchiveSource, Counts, EncodedImages, FileContent, FileSpec, HubSource, Layout, Manifest, Own,
    SIDES, Split, SystemPackage, TestSplit,
};
pub use options::{Hook, HubOptions, LoadOptions, Notice, Progress, Stop};
pub use own::describe::{Described, HowToDescribe, describe};
pub use own::resolve;
pub use place::cache::cache_dir;
pub use place::compare::{FileCheck, Verification};
pub use place::{Known, Status, status};
pub use serve::normalise::Normalise;
pub use serve::order::{epoch_order, parts};
pub use serve::stream::{Batches, Stream, StreamBatch};
pub use serve::{Dataset, Served, Splits};
pub use sheet::{ContactSheet, contact_sheet};
