//! Image data sets, byte for byte: where they may lie, what they must hold, and how a training run walks through them.
//!
//! A data set is described by a [`Manifest`] (`manifests/*.toml`): its files, their digests, counts, classes and normalisation. [`load`] looks for the files
//! in the data directory, then in a system package, checks structure and digest, and returns the decoded images; `mnist-sample` and `fashion-mnist-sample`
//! are embedded in the program and need no files. [`status`] only looks, [`verify`] only compares digests. [`epoch_order`] and [`Augment`] are pure
//! functions of their seeds, so that a resumed run sees the same images as an uninterrupted one.
//!
//! ```
//! use datasets::{LoadOptions, epoch_order, load};
//!
//! let data = load("mnist-sample", &LoadOptions::default())?;
//! assert_eq!((data.train.len(), data.test.len(), data.train.shape), (4000, 1000, [1, 28, 28]));
//! for index in epoch_order(0, 0, data.train.len()).into_iter().take(2) {
//!     let (pixels, label) = (data.train.image(index as usize), data.train.labels[index as usize]);
//!     assert!(pixels.len() == 784 && usize::from(label) < data.classes);
//! }
//! # Ok::<(), datasets::DataError>(())
//! ```

mod augment;
mod cifar;
mod content;
mod dataset;
mod digest;
mod error;
mod idx;
mod load;
mod manifest;
mod order;
mod registry;
mod samples;
mod source;
#[cfg(test)]
mod testing;
mod verify;

pub use augment::Augment;
pub use dataset::{Dataset, Images};
pub use digest::{Algorithm, Digest};
pub use error::DataError;
pub use load::{LoadOptions, load};
pub use manifest::{Content, Counts, FileSpec, Layout, Manifest, Split, SystemPackage};
pub use order::epoch_order;
pub use registry::{manifest, manifests};
pub use source::{Status, status};
pub use verify::{FileCheck, Verification, verify};
