//! From images in memory to batches on the device.
//!
//! Images stay `u8`; a batch is augmented on the host, sent as bytes, and normalised on the device:
//! `x = (pixel / 255 - mean_c) / std_c`. Order and augmentation depend on the seed and the epoch alone, so a resumed run
//! sees what an uninterrupted one would have seen. A data set too large for memory comes from a stream that works ahead.

use crate::error::{Error, Result};
use crate::spec::Recipe;
use burn::tensor::{DType, Device, Int, Tensor, TensorData};
use datasets::{Augment, Batches, Dataset, Images, Stream, StreamBatch, epoch_order};
use sll_core::rng::mix;
use sll_core::rule::Batch;
use std::sync::Mutex;

/// Serves one data set to one run.
pub struct Loader {
    train: Images,
    test: Images,
    streamed: Option<Streamed>,
    /// `1 / (255 std)` and `-mean / std`, for each feature.
    scale: Tensor<2>,
    shift: Tensor<2>,
    device: Device,
    augment: Augment,
    batch: usize,
    seed: u64,
}

/// A data set that is read while it is used.
struct Streamed {
    images: Stream,
    /// The epoch under way, the step that comes next, and its batches.
    under_way: Mutex<Option<(usize, usize, Batches)>>,
}

impl Streamed {
    /// Batch `step` of `epoch`. Steps of an epoch come one after the other; any other order starts the epoch again.
    fn batch(&self, epoch: usize, step: usize, start: impl Fn() -> Batches) -> Result<StreamBatch> {
        let mut under_way = self.under_way.lock().expect("no other thread panics with it");
        let (.., mut batches) = match under_way.take() {
            Some(next) if (next.0, next.1) == (epoch, step) => next,
            _ => (epoch, 0, Box::new(start().skip(step)) as Batches),
        };
        let batch = batches.next().expect("as many batches as images were counted").map_err(lost)?;
        *under_way = Some((epoch, step + 1, batches));
        Ok(batch)
    }
}

/// An image that cannot be read. The images were counted when the data set was opened: it is damaged, or the disk is, or
/// the files changed under the run.
fn lost(problem: String) -> Error {
    Error::Missing(format!(
        "an image cannot be used: {problem}; replace that file (or fetch the data set anew) and run the same command again: \
         it goes on after the last finished epoch"
    ))
}

/// Rows of features on the device and their classes.
type Evaluated<'a> = (Tensor<2>, &'a [u16]);

impl Loader {
    /// Splits `data` as the recipe asks. `device` is without autodiff.
    pub fn new(data: Dataset, recipe: &Recipe, seed: u64, device: &Device) -> std::result::Result<Self, String> {
        let (mut train, mut test) = (data.train, data.test);
        let named = |problem| format!("{problem}, in data set {}", data.name);
        let images = data.stream.map(|images| images.narrowed(recipe.validation, recipe.train_limit));
        let images = images.transpose().map_err(named)?;
        if images.is_none() {
            narrow(&mut train, &mut test, recipe).map_err(named)?;
        }
        let [c, h, w] = train.shape;
        let per_feature = |value: &dyn Fn(usize) -> f32| -> Tensor<2> {
            let values: Vec<f32> = (0..c * h * w).map(|i| value(i / (h * w))).collect();
            Tensor::from_data(TensorData::new(values, [1, c * h * w]), device)
        };
        let scale = per_feature(&|channel| 1.0 / (255.0 * data.std[channel]));
        let shift = per_feature(&|channel| -data.mean[channel] / data.std[channel]);
        let streamed = images.map(|images| Streamed { images, under_way: Mutex::new(None) });
        let (augment, batch, device) = (recipe.augment(), recipe.batch, device.clone());
        Ok(Self { train, test, streamed, scale, shift, device, augment, batch, seed })
    }

    /// Images trained on and evaluated on.
    pub fn counts(&self) -> (usize, usize) {
        match &self.streamed {
            Some(streamed) => (streamed.images.train_len(), streamed.images.test_labels().len()),
            None => (self.train.len(), self.test.len()),
        }
    }

    /// Channels, height and width of an image.
    pub fn image(&self) -> [usize; 3] {
        self.train.shape
    }

    /// Steps of one epoch.
    pub fn steps(&self) -> usize {
        self.counts().0.div_ceil(self.batch)
    }

    /// The order in which `epoch` visits the training images in memory; a stream keeps its own.
    pub fn order(&self, epoch: usize) -> Vec<u32> {
        epoch_order(self.seed, epoch as u64, self.train.len())
    }

    /// Batch `step` of `epoch`, both counted from 0, in that epoch's `order`. Fails if an image that is read while it is
    /// used cannot be.
    pub fn batch(&self, epoch: usize, step: usize, order: &[u32]) -> Result<Batch> {
        let seed = mix(mix(self.seed, epoch as u64 + 1), step as u64 + 1);
        let done = (epoch * self.steps() + step) as u64;
        let (pixels, labels) = match &self.streamed {
            Some(streamed) => {
                let start = || streamed.images.train(self.seed, epoch as u64, self.batch, self.augment);
                let batch = streamed.batch(epoch, step, start)?;
                (batch.pixels, batch.labels.into_iter().map(usize::from).collect())
            }
            None => self.in_memory(epoch, step, order),
        };
        Ok(Batch { step: done, epoch, ..Batch::new(self.upload(pixels), labels, seed) })
    }

    fn in_memory(&self, epoch: usize, step: usize, order: &[u32]) -> (Vec<u8>, Vec<usize>) {
        let chosen = &order[step * self.batch..((step + 1) * self.batch).min(order.len())];
        let size = self.train.image_len();
        let mut pixels = vec![0; chosen.len() * size];
        for (&index, pixels) in chosen.iter().zip(pixels.chunks_exact_mut(size)) {
            let image = self.train.image(index as usize);
            let (epoch, index) = (epoch as u64, u64::from(index));
            self.augment.apply(image, self.train.shape, pixels, self.seed, epoch, index);
        }
        let labels = chosen.iter().map(|&i| usize::from(self.train.labels[i as usize])).collect();
        (pixels, labels)
    }

    /// The evaluation images in order, `batch` at a time. Fails as [`batch`](Self::batch) does.
    pub fn test(&self, batch: usize) -> Box<dyn Iterator<Item = Result<Evaluated<'_>>> + '_> {
        let size = self.train.image_len();
        match &self.streamed {
            Some(streamed) => {
                let labels = streamed.images.test_labels().chunks(batch);
                let batches = streamed.images.test(batch).zip(labels);
                Box::new(batches.map(move |(read, labels)| Ok((self.upload(read.map_err(lost)?.pixels), labels))))
            }
            None => {
                let images = self.test.pixels.chunks(batch * size).zip(self.test.labels.chunks(batch));
                Box::new(images.map(move |(pixels, labels)| Ok((self.upload(pixels.to_vec()), labels))))
            }
        }
    }

    fn upload(&self, pixels: Vec<u8>) -> Tensor<2> {
        let features = self.train.image_len();
        let rows = pixels.len() / features;
        let bytes = Tensor::<2, Int>::from_data(TensorData::new(pixels, [rows, features]), (&self.device, DType::U8));
        bytes.float() * self.scale.clone() + self.shift.clone()
    }
}

/// Takes the recipe's `validation` images from the end of the training images, to evaluate on, and leaves the first
/// `train_limit` of the others.
fn narrow(train: &mut Images, test: &mut Images, recipe: &Recipe) -> std::result::Result<(), String> {
    let (kept, trained) = datasets::parts(train.len(), recipe.validation, recipe.train_limit)?;
    let held_out = split_off(train, kept);
    if recipe.validation.is_some() {
        *test = held_out;
    }
    split_off(train, trained);
    Ok(())
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

    fn loader(recipe: Recipe) -> std::result::Result<Loader, String> {
        let data = datasets::load("mnist-sample", &datasets::LoadOptions::default()).expect("embedded");
        Loader::new(data, &recipe, 7, &Device::flex())
    }

    #[test]
    fn an_epoch_serves_every_image_once_in_its_own_order() {
        let loader = loader(Recipe { batch: 300, train_limit: Some(1000), ..Recipe::default() }).unwrap();
        let epoch = |epoch| {
            let order = loader.order(epoch);
            (0..loader.steps()).map(|step| loader.batch(epoch, step, &order).unwrap()).collect::<Vec<_>>()
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
        let (x, _) = loader.test(4).next().unwrap().unwrap();
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
