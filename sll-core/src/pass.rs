//! How a layer is run: for training, with masks drawn from a seed, or for evaluation.

use crate::op::keep_mask;
use crate::rng::{Purpose, key, mix};
use burn::tensor::Tensor;

/// One forward pass. Layers that draw random numbers take them from here, so that the same pass gives the same masks
/// whatever rule runs it, however often, and on whatever device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pass {
    /// Training: dropout draws from this seed, batch norm uses the batch's own statistics.
    Train {
        /// Different for every step of a run; the layer's index is mixed in by [`Pass::at`].
        seed: u64,
    },
    /// The training pass of the same seed once more: the same masks and batch statistics, but running statistics are
    /// left alone. For rules that run a layer more than once in a step.
    Replay {
        /// The seed of the first pass.
        seed: u64,
    },
    /// Evaluation: no noise, running statistics.
    Eval,
}

impl Pass {
    /// The pass as layer `index` sees it.
    #[must_use]
    pub fn at(self, index: usize) -> Self {
        match self {
            Pass::Train { seed } => Pass::Train { seed: mix(seed, index as u64 + 1) },
            Pass::Replay { seed } => Pass::Replay { seed: mix(seed, index as u64 + 1) },
            Pass::Eval => Pass::Eval,
        }
    }

    /// A dropout mask at `rate` of the shape of `like` and on its device, or `None` where nothing is dropped.
    pub fn mask(self, like: &Tensor<2>, rate: f64) -> Option<Tensor<2>> {
        match self {
            Pass::Train { seed } | Pass::Replay { seed } if rate > 0.0 => {
                Some(keep_mask(like, key(seed, Purpose::Dropout, &[]), rate))
            }
            _ => None,
        }
    }
}
