//! Operations written for training layer by layer, as burn backend extensions with backward passes of their own: a
//! gradient put in from outside ([`inject`]), affine maps and convolutions whose signal may go back through other
//! weights ([`affine`], [`conv2d`]), what follows a convolution ([`batch_norm_rectify`], [`rectify_pool`]), and the two
//! halves of an encoder block ([`attention_block`], [`mlp_block`]); and masks that are the same bits on every device
//! ([`keep_mask`]).
//!
//! Each keeps what its backward pass cannot make again by reading values once, and nothing else. Every product of
//! matrices and every convolution is counted ([`macs`]). Every backend compiled in is named here and nowhere else in
//! this crate.

// burn-tch is deprecated upstream; its impls live in this folder and in the harness's `device/mod.rs`.
#![cfg_attr(feature = "tch", allow(deprecated, reason = "burn-tch goes away in burn 0.23"))]

mod affine;
mod attention;
mod batch_norm;
mod conv;
mod count;
mod flex;
mod gradients;
mod inject;
#[cfg(feature = "tch")]
mod libtorch;
mod log_sum_exp;
mod mask;
mod mlp;
mod norm;
mod patches;
mod pool;
mod rectify;
mod rows;
mod together;
mod update;

pub use affine::{affine, patch_affine};
pub use attention::{AttentionWeights, Heads, attention_block};
pub use batch_norm::{Normed, batch_norm_rectify, batch_norm_rectify_with};
pub use conv::conv2d;
pub use count::{Product, macs};
pub use inject::{inject, inject_all};
pub use log_sum_exp::log_sum_exp;
pub use mask::keep_mask;
pub use mlp::{MlpWeights, mlp_block};
pub use norm::layer_norm;
pub use patches::Patches;
pub use pool::rectify_pool;
pub use rectify::rectify;
pub use rows::{chunk_rows, zero_rows};
pub use together::together;
pub use update::{AdamStep, AdamaxStep, Decay, SgdStep, adam, adamax, sgd};
