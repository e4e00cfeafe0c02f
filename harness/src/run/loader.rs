//! From images in memory to batches on the device.
//!
//! Images stay `u8`; a batch is augmented on the host, sent as bytes, and normalised on the device:
//! `x = (pixel / 255 - mean_c) / std_c`. Order and augmentation depend on the seed and the epoch alone, so a resumed run
//! sees what an uninterrupted one would have seen.

use crate::spec::Recipe;
use burn::tensor::{DType, Device, Int, Tensor, TensorData};
use datasets::{Augment, Dataset, Images, epoch_order};
use sll_core::rng::mix;
use sll_core::rule::Batch;

/// Serves one data set to one run.
pub struct Loader {
    train: Images,
    test: Images,
    /// `1 / (255 std)` and `-mean / std`, for each feature.
    scale: Tensor<2>,
    shift: Tensor<2>,
    device: Device,
    augment: Augment,
    batch: usize,
    seed: u64,
}

impl Loader {
    /// Splits `data` as the recipe asks. `device` is without autodiff.
    pub fn new(data: Dataset, recipe: &Recipe, seed: u64, device: &Device) -> Result<Self, String> {
        let (mut train, mut test) = (data.train, data.test);
        if let Some(held_out) = recipe.validation {
            if held_out >= train.len() {
                return Err(format!("`validation` = {held_out}: {} has {} training images", data.name, train.len()));
            }
            let kept = train.len() - held_out;
            test = split_off(&mut train, kept);
        }
        if let Some(limit) = recipe.train_limit {
            if limit > train.len() {
                return Err(format!("`train_limit` = {limit}: only {} training images are left", train.len()));
            }
            split_off(&mut train, limit);
        }
        let [c, h, w] = train.shape;
        let per_feature = |value: &dyn Fn(usize) -> f32| -> Tensor<2> {
            let values: Vec<f32> = (0..c * h * w).map(|i| value(i / (h * w))).collect();
            Tensor::from_data(TensorData::new(values, [1, c * h * w]), device)
        };
        let scale = per_feature(&|channel| 1.0 / (255.0 * data.std[channel]));
        let shift = per_feature(&|channel| -data.mean[channel] / data.std[channel]);
        let augment = Augment { flip: recipe.flip, crop_padding: recipe.crop_padding };
        Ok(Self { train, test, scale, shift, device: device.clone(), augment, batch: recipe.batch, seed })
    }

    /// Images trained on and evaluated on.
    pub fn counts(&self) -> (usize, usize) {
        (self.train.len(), self.test.len())
    }

    /// Channels, height and width of an image.
    pub fn image(&self) -> [usize; 3] {
        self.train.shape
    }

    /// Steps of one epoch.
    pub fn steps(&self) -> usize {
        self.train.len().div_ceil(self.batch)
    }

    /// The order in which `epoch` visits the training images.
    pub fn order(&self, epoch: usize) -> Vec<u32> {
        epoch_order(self.seed, epoch as u64, self.train.len())
    }

    /// Batch `step` of `epoch`, both counted from 0, in that epoch's `order`.
    pub fn batch(&self, epoch: usize, step: usize, order: &[u32]) -> Batch {
        let chosen = &order[step * self.batch..((step + 1) * self.batch).min(order.len())];
        let size = self.train.image_len();
        let mut pixels = vec![0; chosen.len() * size];
        for (&index, pixels) in chosen.iter().zip(pixels.chunks_exact_mut(size)) {
            let image = self.train.image(index as usize);
            let (epoch, index) = (epoch as u64, u64::from(index));
            self.augment.apply(image, self.train.shape, pixels, self.seed, epoch, index);
        }
        let labels = chosen.iter().map(|&i| usize::from(self.train.labels[i as usize])).collect();
        let seed = mix(mix(self.seed, epoch as u64 + 1), step as u64 + 1);
        let done = (epoch * self.steps() + step) as u64;
        Batch { step: done, epoch, ..Batch::new(self.upload(pixels), labels, seed) }
    }

    /// The evaluation images in order, `batch` at a time.
    pub fn test(&self, batch: usize) -> impl Iterator<Item = (Tensor<2>, &[u16])> {
        let size = self.test.image_len();
        self.test
            .pixels
            .chunks(batch * size)
            .zip(self.test.labels.chunks(batch))
            .map(move |(pixels, labels)| (self.upload(pixels.to_vec()), labels))
    }

    fn upload(&self, pixels: Vec<u8>) -> Tensor<2> {
        let features = self.train.image_len();
        let rows = pixels.len() / features;
        let bytes = Tensor::<2, Int>::from_data(TensorData::new(pixels, [rows, features]), (&self.device, DType::U8));
        bytes.float() * self.scale.clone() + self.shift.clone()
    }
}

/// Keeps the first `count` images and gives the others.
fn split_off(images: &mut Images, count: usize) -> Images {
    let size = images.image_len();
    let labels = images.labels.split_off(count);
    let pixels = images.pixels.split_off(count * size);
    Images { shape: images.shape, pixels, labels }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loader(recipe: Recipe) -> Result<Loader, String> {
        let data = datasets::load("mnist-sample", &datasets::LoadOptions::default()).expect("embedded");
        Loader::new(data, &recipe, 7, &Device::flex())
    }

    #[test]
    fn an_epoch_serves_every_image_once_in_its_own_order() {
        let loader = loader(Recipe { batch: 300, train_limit: Some(1000), ..Recipe::default() }).unwrap();
        let epoch = |epoch| {
            let order = loader.order(epoch);
            (0..loader.steps()).map(|step| loader.batch(epoch, step, &order)).collect::<Vec<_>>()
        };
        let sizes: Vec<usize> = epoch(0).iter().map(|b| b.len()).collect();
        assert_eq!(sizes, [300, 300, 300, 100]);
        let labels = |e| epoch(e).into_iter().flat_map(|b| b.labels).collect::<Vec<_>>();
        assert_eq!(labels(1), labels(1));
        assert_ne!(labels(0), labels(1));
        let seeds: std::collections::HashSet<u64> = (0..2).flat_map(|e| epoch(e).into_iter().map(|b| b.seed)).collect();
        assert_eq!(seeds.len(), 8, "every step of a run has its own seed");
    }

    #[test]
    fn pixels_are_normalised_with_the_data_sets_mean_and_std() {
        let loader = loader(Recipe::default()).unwrap();
        let (x, _) = loader.test(4).next().unwrap();
        let x = x.into_data().try_to_vec::<f32>().unwrap();
        let pixel = loader.test.pixels[400];
        assert!((x[400] - (f32::from(pixel) / 255.0 - 0.1307) / 0.3081).abs() < 1e-5);
    }

    #[test]
    fn validation_takes_the_last_training_images_and_never_the_test_set() {
        let loader = loader(Recipe { validation: Some(500), ..Recipe::default() }).unwrap();
        assert_eq!(loader.counts(), (3500, 500));
        let data = datasets::load("mnist-sample", &datasets::LoadOptions::default()).unwrap();
        assert_eq!(loader.test.labels, data.train.labels[3500..]);
        let error = super::tests::loader(Recipe { validation: Some(4000), ..Recipe::default() }).err().unwrap();
        assert!(error.contains("4000 training images"), "{error}");
    }
}
