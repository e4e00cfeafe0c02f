//! How a network is trained.

use datasets::{Augment, Normalise, Policy};
use serde::{Deserialize, Serialize};
use sll_core::optim::{OptimizerConfig, OptimizerKind, Schedule};

/// Optimiser, learning rate, epochs, data. Defaults are the paper's MLP recipe (appendix A.4.3), batch 128.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Recipe {
    /// Optimiser.
    pub optimizer: OptimizerKind,
    /// Learning rate at the start.
    pub lr: f64,
    /// Momentum of SGD.
    pub momentum: f64,
    /// Weight decay.
    pub weight_decay: f64,
    /// Learning rate over the run.
    pub schedule: Schedule,
    /// Epochs at the start in which the learning rate rises, step by step, in a line from 0 to what the schedule says.
    #[serde(skip_serializing_if = "is_zero")]
    pub warmup: usize,
    /// What becomes of pixels.
    #[serde(skip_serializing_if = "Inputs::is_usual")]
    pub inputs: Inputs,
    /// Passes over the training data.
    pub epochs: usize,
    /// Samples a step; a last, smaller batch is trained on too.
    pub batch: usize,
    /// Random horizontal flip.
    pub flip: bool,
    /// Random crop after padding by this many zero pixels a side.
    pub crop_padding: usize,
    /// Random part of an image, resized to its shape (ImageNet's usual augmentation).
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub resized_crop: bool,
    /// AutoAugment with the policy `cifar` or `imagenet`, after flip and crop.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auto_augment: Option<Policy>,
    /// Train on the first this many images only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub train_limit: Option<usize>,
    /// Hold this many of the training images out (the last ones; of a streamed data set, the last of a fixed shuffle)
    /// and report accuracy on them in place of the test set: the only set on which settings may be chosen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub validation: Option<usize>,
    /// Measure every layer before training and after every epoch: see [`crate::record::EpochDiagnostics`]. Changes no
    /// other number of the run.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub diagnostics: bool,
    /// Measure what every hidden layer's output says of the classes, before training and after every epoch, and keep
    /// what is drawn of it: see [`crate::record::EpochRepresentations`]. Changes no other number of the run.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub representations: bool,
}

/// What becomes of a pixel `p` from 0 to 255 before the network sees it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Inputs {
    /// `(p / 255 - mean_c) / std_c` with the data set's mean and deviation of each channel.
    #[default]
    Normalised,
    /// `p / 255`.
    Raw,
}

impl Inputs {
    fn is_usual(&self) -> bool {
        *self == Self::default()
    }

    /// The map from bytes to features for images of `shape` of a data set with this mean and deviation.
    pub fn of(self, shape: [usize; 3], mean: &[f32], std: &[f32]) -> Normalise {
        let [mean, std] = self.statistics(mean, std);
        Normalise::new(shape, &mean, &std)
    }

    /// The mean and deviation that a network sees subtracted and divided by, of a data set's own.
    pub fn statistics(self, mean: &[f32], std: &[f32]) -> [Vec<f32>; 2] {
        match self {
            Inputs::Normalised => [mean.to_vec(), std.to_vec()],
            Inputs::Raw => [vec![0.0; mean.len()], vec![1.0; std.len()]],
        }
    }
}

fn is_zero(epochs: &usize) -> bool {
    *epochs == 0
}

impl Default for Recipe {
    fn default() -> Self {
        Self {
            optimizer: OptimizerKind::Adamax,
            lr: 1e-3,
            momentum: 0.0,
            weight_decay: 0.0,
            schedule: Schedule::default(),
            warmup: 0,
            inputs: Inputs::default(),
            epochs: 10,
            batch: 128,
            flip: false,
            crop_padding: 0,
            resized_crop: false,
            auto_augment: None,
            train_limit: None,
            validation: None,
            diagnostics: false,
            representations: false,
        }
    }
}

impl Recipe {
    /// The augmentation's part.
    pub fn augment(&self) -> Augment {
        Augment {
            flip: self.flip,
            crop_padding: self.crop_padding,
            resized_crop: self.resized_crop,
            policy: self.auto_augment,
        }
    }

    /// The factor on the learning rate at `step` of `epoch`, of `steps` an epoch.
    pub fn lr_factor(&self, epoch: usize, step: usize, steps: usize) -> f64 {
        let done = epoch * steps + step;
        let scheduled = self.schedule.factor(epoch, done, self.epochs * steps);
        let rising = self.warmup * steps;
        if done < rising { scheduled * (done + 1) as f64 / rising as f64 } else { scheduled }
    }

    /// The optimiser's part.
    pub fn optimizer(&self) -> OptimizerConfig {
        OptimizerConfig { kind: self.optimizer, momentum: self.momentum, weight_decay: self.weight_decay }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_rises_in_a_line_before_its_schedule_holds() {
        let recipe = Recipe {
            epochs: 4,
            warmup: 2,
            schedule: Schedule::Step { at: vec![1, 3], factor: 0.1 },
            ..Recipe::default()
        };
        let factors = |recipe: &Recipe| -> Vec<f64> {
            (0..4)
                .flat_map(|epoch| (0..2).map(move |step| (epoch, step)))
                .map(|(e, s)| recipe.lr_factor(e, s, 2))
                .collect()
        };
        let expected = [0.25, 0.5, 0.075, 0.1, 0.1, 0.1, 0.01, 0.01];
        assert!(factors(&recipe).iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-12), "{:?}", factors(&recipe));
        assert_eq!(factors(&Recipe { epochs: 4, ..Recipe::default() }), [1.0; 8]);
    }
}
