//! The two operations that burn does not have and learning rules need, as burn backend extensions: a gradient put in
//! from outside ([`inject`]) and affine maps whose backward pass uses other weights ([`feedback_matmul`],
//! [`feedback_conv2d`]). Every backend compiled in is named here and nowhere else in this crate.

// burn-tch is deprecated upstream; its impls live in these two files and in the harness's `device.rs`.
#![cfg_attr(feature = "tch", allow(deprecated))]

mod feedback;
mod inject;

pub use feedback::{feedback_conv2d, feedback_matmul};
pub use inject::{inject, inject_all};
