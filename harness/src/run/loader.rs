//! From images in memory to batches on the device.
//!
//! Images stay `u8`; a batch is augmented on the host, sent as bytes, and normalised on the device as the recipe's
//! `inputs` say. Order and augmentation depend on the seed and the epoch alone, so a resumed run sees what an
//! uninterrupted one would have seen. A small data set lies on the device as a whole and is cropped and flipped there
//! ([`Resident`]), to the same bits; one too large for memory comes from a stream that works ahead.

use super::resident::{Plan, Resident, numbers};
use crate::error::{Error, Result};
use crate::spec::Recipe;
use burn::tensor::{DType, Device, Int, Tensor, TensorData};
use datasets::{
    Augment, Batches, DataError, Dataset, Images, Normalise, Served, Splits, Stream, StreamBatch, epoch_order,
};
use sll_core::rng::mix;
use sll_core::rule::Batch;
use std::borrow::Cow;
use std::sync::Mutex;

/// Serves one data set to one run.
pub struct Loader {
    pixels: Pixels,
    /// Channels, height and width of an image.
    image: [usize; 3],
    normalise: Normalise,
    /// The same on a device that is not the host: a factor and a summand for each feature.
    on_device: Option<[Tensor<2>; 2]>,
    device: Device,
    augment: Augment,
    batch: usize,
    seed: u64,
}

/// Where the images are.
enum Pixels {
    /// In memory.
    Host(Splits),
    /// On the device.
    Device(Box<OnDevice>),
    /// Nowhere as a whole: they are read while they are used.
    Stream(Streamed),
}

/// Both splits on the device, and their labels on the host.
struct OnDevice {
    train: Resident,
    test: Resident,
    train_labels: Vec<u16>,
    test_labels: Vec<u16>,
}

impl OnDevice {
    fn take(mut splits: Splits, device: &Device) -> Pixels {
        let (train, test) = (Resident::take(&mut splits.train, device), Resident::take(&mut splits.test, device));
        let (train_labels, test_labels) = (splits.train.labels, splits.test.labels);
        Pixels::Device(Box::new(Self { train, test, train_labels, test_labels }))
    }
}

/// One pass over the training images.
pub struct Epoch {
    number: usize,
    /// The order of the images in memory; a stream keeps its own.
    order: Vec<u32>,
    plan: Option<Plan>,
}

/// A data set that is read while it is used.
struct Streamed {
    images: Stream,
    /// The epoch under way, the step that comes next, and its batches.
    under_way: Mutex<Option<(usize, usize, Batches)>>,
}

impl Streamed {
    /// Batch `step` of `epoch`. Steps of an epoch come one after the other; any other order starts anew at that step.
    fn batch(&self, epoch: usize, step: usize, start: impl Fn(usize) -> Batches) -> Result<StreamBatch> {
        let mut under_way = self.under_way.lock().expect("no other thread panics with it");
        let (.., mut batches) = match under_way.take() {
            Some(next) if (next.0, next.1) == (epoch, step) => next,
            _ => (epoch, step, start(step)),
        };
        let batch = following(&mut batches)?;
        *under_way = Some((epoch, step + 1, batches));
        Ok(batch)
    }
}

/// The next of `batches`, which are as many as the images that were counted make, or an error.
fn following(batches: &mut Batches) -> Result<StreamBatch> {
    match batches.next() {
        Some(batch) => batch.map_err(|error| lost(&error)),
        None => Err(lost(&DataError::Image { problem: "there are fewer than were counted".into() })),
    }
}

/// An image that cannot be read. The images were counted when the data set was opened: it is damaged, or the disk is,
/// or the files changed under the run.
fn lost(error: &DataError) -> Error {
    Error::Missing(format!(
        "{}; replace that file (or, if it was fetched, remove it and run `harness data fetch NAME`) and run the same \
         command again: it resumes after the last finished epoch",
        error.problem()
    ))
}

/// Rows of features on the device and their classes.
type EvaluationBatch<'a> = (Tensor<2>, &'a [u16]);

impl Loader {
    /// Splits `data` as the recipe asks. `device` is without autodiff.
    pub fn new(data: Dataset, recipe: &Recipe, seed: u64, device: &Device) -> Result<Self> {
        let named = |error: DataError| Error::Input(format!("{}, in data set {}", error.problem(), data.name));
        let augment = recipe.augment();
        let pixels = match data.images {
            Served::Stream(images) => {
                let images = images.narrowed(recipe.validation, recipe.train_limit).map_err(named)?;
                Pixels::Stream(Streamed { images, under_way: Mutex::new(None) })
            }
            Served::Memory(splits) => {
                let splits = narrowed(splits, recipe, named)?;
                match Resident::suits(&splits.train, &augment, device) {
                    true => OnDevice::take(splits, device),
                    false => Pixels::Host(splits),
                }
            }
        };
        let image = data.shape;
        let normalise = recipe.inputs.of(image, &data.mean, &data.std);
        let on_device = (*device != Device::flex()).then(|| rows(&normalise, device));
        let (device, batch) = (device.clone(), recipe.batch);
        Ok(Self { pixels, image, normalise, on_device, device, augment, batch, seed })
    }

    /// Images trained on and evaluated on.
    pub fn counts(&self) -> (usize, usize) {
        match &self.pixels {
            Pixels::Host(splits) => (splits.train.len(), splits.test.len()),
            Pixels::Device(images) => (images.train_labels.len(), images.test_labels.len()),
            Pixels::Stream(streamed) => (streamed.images.train_len(), streamed.images.test_labels().len()),
        }
    }

    /// Channels, height and width of an image.
    pub fn image(&self) -> [usize; 3] {
        self.image
    }

    /// Steps of one epoch.
    pub fn steps(&self) -> usize {
        self.counts().0.div_ceil(self.batch)
    }

    /// Epoch `number`, counted from 0.
    pub fn epoch(&self, number: usize) -> Epoch {
        let order = match &self.pixels {
            Pixels::Stream(_) => Vec::new(),
            _ => epoch_order(self.seed, number as u64, self.counts().0),
        };
        let plan = match &self.pixels {
            Pixels::Device(images) => Some(images.train.plan(&order, &self.augment, self.seed, number as u64)),
            _ => None,
        };
        Epoch { number, order, plan }
    }

    /// Batch `step` of `epoch`, counted from 0. Fails if an image that is read while it is used cannot be.
    pub fn batch(&self, epoch: &Epoch, step: usize) -> Result<Batch> {
        let number = epoch.number;
        let seed = mix(mix(self.seed, number as u64 + 1), step as u64 + 1);
        let range = step * self.batch..((step + 1) * self.batch).min(epoch.order.len());
        let batch = match &self.pixels {
            Pixels::Stream(streamed) => {
                let start =
                    |first| streamed.images.train_from(first, self.seed, number as u64, self.batch, self.augment);
                let batch = streamed.batch(number, step, start)?;
                let labels = batch.labels.into_iter().map(usize::from).collect();
                Batch::new(self.features(batch.pixels.into()), labels, seed)
            }
            Pixels::Device(images) => {
                let plan = epoch.plan.as_ref().expect("an epoch on a device has a plan");
                let (pixels, classes) = images.train.batch(plan, range.clone());
                let labels = labels(&images.train_labels, &epoch.order[range]);
                Batch { classes: Some(classes), ..Batch::new(self.normalised(pixels), labels, seed) }
            }
            Pixels::Host(splits) => {
                let (images, chosen) = (&splits.train, &epoch.order[range]);
                let pixels = self.augmented(images, number, chosen);
                Batch::new(self.features(pixels.into()), labels(&images.labels, chosen), seed)
            }
        };
        let classes = batch.classes.clone().or_else(|| self.send(&batch.labels));
        Ok(Batch { step: (number * self.steps() + step) as u64, epoch: number, classes, ..batch })
    }

    fn augmented(&self, images: &Images, epoch: usize, chosen: &[u32]) -> Vec<u8> {
        let size = images.image_len();
        let mut pixels = vec![0; chosen.len() * size];
        for (&index, pixels) in chosen.iter().zip(pixels.chunks_exact_mut(size)) {
            let image = images.image(index as usize);
            let (epoch, index) = (epoch as u64, u64::from(index));
            self.augment.apply(image, self.image, pixels, self.seed, epoch, index);
        }
        pixels
    }

    /// Labels on the device, once for all units, where that is not the host.
    fn send(&self, labels: &[usize]) -> Option<Tensor<1, Int>> {
        let values = || labels.iter().map(|&label| label as i64).collect();
        (self.device != Device::flex()).then(|| numbers(values(), [labels.len()], &self.device))
    }

    /// The evaluation images in order, `batch` at a time. Fails as [`batch`](Self::batch) does.
    pub fn test(&self, batch: usize) -> Box<dyn Iterator<Item = Result<EvaluationBatch<'_>>> + '_> {
        match &self.pixels {
            Pixels::Stream(streamed) => {
                let mut batches = streamed.images.test(batch);
                let x = |pixels: Vec<u8>| self.features(pixels.into());
                let labels = streamed.images.test_labels().chunks(batch);
                Box::new(labels.map(move |labels| Ok((x(following(&mut batches)?.pixels), labels))))
            }
            Pixels::Device(images) => {
                let batches = images.test_labels.chunks(batch).enumerate();
                let rows = move |i: usize, n: usize| images.test.slice(i * batch..i * batch + n);
                Box::new(batches.map(move |(i, labels)| Ok((self.normalised(rows(i, labels.len())), labels))))
            }
            Pixels::Host(Splits { test, .. }) => {
                let images = test.pixels.chunks(batch * test.image_len()).zip(test.labels.chunks(batch));
                Box::new(images.map(move |(pixels, labels)| Ok((self.features(pixels.into()), labels))))
            }
        }
    }

    /// Rows of features: on the host in one pass, elsewhere from bytes that are sent there.
    fn features(&self, pixels: Cow<[u8]>) -> Tensor<2> {
        let features: usize = self.image.iter().product();
        let shape = [pixels.len() / features, features];
        if self.on_device.is_none() {
            return Tensor::from_data(TensorData::new(self.normalise.apply(&pixels), shape), &self.device);
        }
        let sent = Tensor::<2, Int>::from_data(TensorData::new(pixels.into_owned(), shape), (&self.device, DType::U8));
        self.normalised(sent.float())
    }

    /// Pixels that lie on a device that is not the host, normalised.
    fn normalised(&self, pixels: Tensor<2>) -> Tensor<2> {
        let [scale, shift] = self.on_device.as_ref().expect("pixels lie on a device that is not the host");
        pixels * scale.clone() + shift.clone()
    }
}

/// Takes the recipe's `validation` images from the end of the training images, to evaluate on, and leaves the first
/// `train_limit` of the others.
fn narrowed(mut splits: Splits, recipe: &Recipe, named: impl Fn(DataError) -> Error) -> Result<Splits> {
    let parts = datasets::parts(splits.train.len(), recipe.validation, recipe.train_limit);
    let (kept, trained) = parts.map_err(named)?;
    let held_out = split_off(&mut splits.train, kept);
    if recipe.validation.is_some() {
        splits.test = held_out;
    }
    split_off(&mut splits.train, trained);
    Ok(splits)
}

/// A factor and a summand for each feature, on `device`.
fn rows(normalise: &Normalise, device: &Device) -> [Tensor<2>; 2] {
    [0, 1].map(|which| {
        let channels = normalise.channels.iter();
        let values: Vec<f32> = channels.flat_map(|of| std::iter::repeat_n(of[which], normalise.area)).collect();
        let features = values.len();
        Tensor::from_data(TensorData::new(values, [1, features]), device)
    })
}

/// The classes of the images `chosen`.
fn labels(classes: &[u16], chosen: &[u32]) -> Vec<usize> {
    chosen.iter().map(|&index| usize::from(classes[index as usize])).collect()
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
    use crate::spec::Inputs;

    fn loader(recipe: Recipe) -> Result<Loader> {
        let data = datasets::load("mnist-sample", &datasets::LoadOptions::default()).expect("embedded");
        Loader::new(data, &recipe, 7, &Device::flex())
    }

    #[test]
    fn an_epoch_serves_every_image_once_in_its_own_order() {
        let loader = loader(Recipe { batch: 300, train_limit: Some(1000), ..Recipe::default() }).unwrap();
        let epoch = |epoch| {
            let epoch = loader.epoch(epoch);
            (0..loader.steps()).map(|step| loader.batch(&epoch, step).unwrap()).collect::<Vec<_>>()
        };
        let sizes: Vec<usize> = epoch(0).iter().map(sll_core::rule::Batch::len).collect();
        assert_eq!(sizes, [300, 300, 300, 100]);
        let labels = |e| epoch(e).into_iter().flat_map(|b| b.labels).collect::<Vec<_>>();
        assert_eq!(labels(1), labels(1));
        assert_ne!(labels(0), labels(1));
        let seeds: std::collections::HashSet<u64> = (0..2).flat_map(|e| epoch(e).into_iter().map(|b| b.seed)).collect();
        assert_eq!(seeds.len(), 8, "every step of a run has its own seed");
    }

    /// What `resident`, which has its images on a device, serves is bit for bit what the host makes.
    fn same_batches(resident: &Loader, host: &Loader) {
        let (one, other) = (host.epoch(3), resident.epoch(3));
        for step in 0..host.steps() {
            let (expected, found) = (host.batch(&one, step).unwrap(), resident.batch(&other, step).unwrap());
            found.x.to_data().assert_eq(&expected.x.to_data(), true);
            assert_eq!(found.labels, expected.labels);
            let targets = |batch: &Batch| batch.targets(12, &batch.x.device()).into_data();
            targets(&found).assert_eq(&targets(&expected), true);
        }
        for (expected, found) in host.test(300).zip(resident.test(300)) {
            let ((x, labels), (found, classes)) = (expected.unwrap(), found.unwrap());
            found.into_data().assert_eq(&x.into_data(), true);
            assert_eq!(labels, classes);
        }
    }

    fn host(loader: &Loader) -> &Splits {
        let Pixels::Host(splits) = &loader.pixels else { panic!("a small data set is in memory") };
        splits
    }

    /// The last batch has one image.
    fn recipes() -> [Recipe; 3] {
        let augmented = Recipe { flip: true, crop_padding: 4, ..Recipe::default() };
        [Recipe::default(), Recipe { flip: true, ..Recipe::default() }, augmented].map(|recipe| Recipe {
            batch: 70,
            train_limit: Some(211),
            ..recipe
        })
    }

    #[test]
    fn images_on_a_device_make_the_hosts_batches() {
        for recipe in recipes() {
            let mut resident = loader(recipe.clone()).unwrap();
            resident.pixels = OnDevice::take(host(&resident).clone(), &Device::flex());
            resident.on_device = Some(rows(&resident.normalise, &Device::flex()));
            same_batches(&resident, &loader(recipe).unwrap());
        }
    }

    #[cfg(feature = "tch")]
    #[test]
    #[allow(deprecated, reason = "burn-tch goes away in burn 0.23")]
    fn images_on_libtorch_make_the_hosts_batches() {
        for recipe in recipes() {
            let data = datasets::load("mnist-sample", &datasets::LoadOptions::default()).expect("embedded");
            let resident = Loader::new(data, &recipe, 7, &Device::libtorch()).unwrap();
            assert!(matches!(resident.pixels, Pixels::Device(_)));
            same_batches(&resident, &loader(recipe).unwrap());
        }
    }

    #[test]
    fn pixels_are_normalised_with_the_data_sets_mean_and_std() {
        let loader = loader(Recipe::default()).unwrap();
        let (x, _) = loader.test(4).next().unwrap().unwrap();
        let x = x.into_data().try_to_vec::<f32>().unwrap();
        let pixel = host(&loader).test.pixels[400];
        assert!((x[400] - (f32::from(pixel) / 255.0 - 0.1307) / 0.3081).abs() < 1e-5);
    }

    #[test]
    fn raw_pixels_lie_between_0_and_1() {
        let loader = loader(Recipe { inputs: Inputs::Raw, ..Recipe::default() }).unwrap();
        let (x, _) = loader.test(4).next().unwrap().unwrap();
        let x = x.into_data().try_to_vec::<f32>().unwrap();
        let pixels = &host(&loader).test.pixels[..x.len()];
        assert!(x.iter().zip(pixels).all(|(x, &pixel)| (x - f32::from(pixel) / 255.0).abs() < 1e-6));
    }

    #[test]
    fn validation_takes_the_last_training_images_and_never_the_test_set() {
        let loader = loader(Recipe { validation: Some(500), ..Recipe::default() }).unwrap();
        assert_eq!(loader.counts(), (3500, 500));
        let data = datasets::load("mnist-sample", &datasets::LoadOptions::default()).unwrap();
        assert_eq!(host(&loader).test.labels, data.in_memory().unwrap().train.labels[3500..]);
        let error =
            super::tests::loader(Recipe { validation: Some(4000), ..Recipe::default() }).err().unwrap().to_string();
        assert!(error.contains("4000 training images"), "{error}");
    }
}
