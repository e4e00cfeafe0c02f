//! A task of four classes and networks of each family so small that every rule takes a step in a moment: for tests of
//! rules, and to compare devices.

use crate::Result;
use crate::network::{Network, NetworkSpec};
use crate::rng::{Purpose, Stream, upload};
use crate::rule::Batch;
use burn::tensor::Device;

const CLASSES: usize = 4;
const SAMPLES: usize = 24;
/// Seed of every network's weights.
const SEED: u64 = 5;

/// A small network and the images it takes.
#[derive(Clone, Debug)]
pub struct Toy {
    /// The network.
    pub spec: NetworkSpec,
    /// Channels, height and width of an image.
    pub image: [usize; 3],
}

impl Toy {
    /// The network on `device`, the same weights every time.
    ///
    /// # Errors
    /// If the specification was changed to one that cannot be built.
    pub fn build(&self, device: &Device) -> Result<Network> {
        self.spec.build(self.image, CLASSES, SEED, device)
    }
}

fn named(name: &str, width: usize) -> NetworkSpec {
    NetworkSpec { width: Some(width), ..NetworkSpec::named(name) }
}

/// An MLP `12 - 16 x depth - 4` with dropout.
pub fn mlp(depth: usize) -> Toy {
    let spec = NetworkSpec { depth: Some(depth), dropout: 0.2, ..named("mlp-2x800", 16) };
    Toy { spec, image: [3, 2, 2] }
}

/// A convolutional network on `1 x 16 x 16` images.
pub fn cnn(batch_norm: bool) -> Toy {
    Toy { spec: NetworkSpec { batch_norm: batch_norm.into(), ..named("cnn-1", 4) }, image: [1, 16, 16] }
}

/// A vision transformer on `3 x 8 x 8` images, 3 blocks.
pub fn vit(mean_token: bool) -> Toy {
    Toy { spec: NetworkSpec { depth: Some(3), mean_token, ..named("vit-7", 24) }, image: [3, 8, 8] }
}

/// Batch number `step` for one of these networks: class-dependent Gaussian inputs, so that there is something to learn.
pub fn batch(net: &Network, step: u64) -> Batch {
    let features = net.input().len();
    let labels: Vec<usize> = (0..SAMPLES).map(|i| (i * 7 + step as usize) % CLASSES).collect();
    let mut values = Stream::new(step, Purpose::Weights, &[99]).normal(SAMPLES * features, 0.5);
    for (row, &label) in labels.iter().enumerate() {
        (label..features).step_by(CLASSES).for_each(|i| values[row * features + i] += 1.0);
    }
    let x = upload(values, [SAMPLES, features], &net.device().clone().inner());
    Batch { step, ..Batch::new(x, labels, step) }
}
