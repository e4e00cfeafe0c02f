//! Stochastic Layer-wise Learning (SLL) on burn: a chain of layers, cut into units, each trained by a local objective
//! and updated before the next one runs, so that training memory does not grow with depth.
//!
//! ```
//! use burn::tensor::{Device, Tensor};
//! use sll_core::{NetworkSpec, optim::OptimizerConfig, rule::{Batch, LearningRule}, sll::SllConfig};
//!
//! let device = Device::flex();
//! let mut net = NetworkSpec { width: Some(32), ..NetworkSpec::named("mlp-2x800") }.build([1, 4, 4], 3, 0, &device)?;
//! let mut sll = SllConfig::default().init(&net, 0)?;
//! let mut updater = OptimizerConfig::default().init()?;
//! updater.set_lr(1e-3);
//! let batch = Batch::new(Tensor::ones([2, 16], &device), vec![0, 2], 1);
//! let report = sll.step(&mut net, &batch, &mut updater)?;
//! assert!(report.loss.into_scalar::<f32>() > 0.0);
//! # Ok::<(), sll_core::Error>(())
//! ```

pub mod angle;
pub mod bound;
pub mod calls;
pub mod chain;
pub mod divergence;
mod error;
#[cfg(any(test, feature = "laws"))]
pub mod laws;
pub mod layer;
pub mod learned;
pub mod memory;
pub mod model;
pub mod named;
pub mod network;
pub mod op;
pub mod optim;
pub mod output;
mod parameter;
mod pass;
pub mod pipeline;
pub mod posterior;
mod precision;
pub mod projection;
pub mod real;
pub mod representation;
pub mod rng;
pub mod rule;
pub mod segments;
mod shape;
pub mod sll;
pub mod snapshot;
pub mod step;
pub mod summary;
pub mod toy;

pub use error::{Error, Result};
pub use network::{Cut, Network, NetworkSpec};
pub use pass::Pass;
pub use precision::Precision;
pub use shape::Shape;

/// Whether a setting is its type's default: one that came later than specs without it is left out of them then
/// (`skip_serializing_if`), so that they keep their names.
///
/// ```
/// assert!(sll_core::is_default(&0.0) && !sll_core::is_default(&sll_core::output::OutputLoss::Mse));
/// ```
pub fn is_default<T: Default + PartialEq>(setting: &T) -> bool {
    *setting == T::default()
}
