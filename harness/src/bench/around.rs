//! What a run does besides its steps: images a second, and where the seconds of a real short run go.

use super::record::{Loading, Parts};
use crate::error::{Error, Result};
use crate::record::DataInfo;
use crate::run::{Activity, EpochNews, Events, Keeping, Loader, Place, train};
use crate::spec::{DeviceName, Recipe, RunSpec};
use crate::store::CheckpointFiles;
use crate::talk::say;
use crate::{device, interrupt};
use datasets::{LoadOptions, Status};
use std::time::{Duration, Instant};

/// How long each data set is loaded from.
const LOADING: Duration = Duration::from_secs(1);

/// The data set called `name`, or where it is not on this machine its embedded sample.
fn at_hand<'a>(name: &'a str, sample: &'a str, options: &LoadOptions) -> Result<Option<&'a str>> {
    match datasets::status(name, options)? {
        Status::Found { .. } => Ok(Some(name)),
        _ if sample.is_empty() => Ok(None),
        _ => Ok(Some(sample)),
    }
}

/// Images a second of each kind of loading, of what is on this machine. Nothing is fetched for it.
pub fn loading(device: DeviceName, options: &LoadOptions) -> Result<Vec<Loading>> {
    let flip = Recipe { flip: true, crop_padding: 4, ..Recipe::default() };
    let policy = Recipe { auto_augment: Some(datasets::Policy::Cifar), ..flip.clone() };
    let kinds = [
        ("mnist", "mnist-sample", "none", Recipe::default()),
        ("cifar-10", "", "none", Recipe::default()),
        ("cifar-10", "", "flip and crop", flip),
        ("cifar-10", "", "flip, crop and AutoAugment", policy),
    ];
    let (device, mut found) = (device::open(device)?, Vec::new());
    for (name, sample, augmentation, recipe) in kinds {
        let Some(name) = at_hand(name, sample, options)? else { continue };
        let loader = Loader::new(datasets::load(name, options)?, &recipe, 0, &device)?;
        found.push(Loading { dataset: name.to_string(), augmentation, rate: rate(&loader)? });
    }
    Ok(found)
}

fn rate(loader: &Loader) -> Result<f64> {
    let (started, mut images) = (Instant::now(), 0);
    for epoch in 0.. {
        let order = loader.epoch(epoch);
        for step in 0..loader.steps() {
            let batch = loader.batch(&order, step)?;
            images += batch.len();
            if interrupt::requested() {
                return Err(Error::Interrupted);
            }
            if started.elapsed() >= LOADING {
                // Waits for a device that is not the host.
                batch.x.slice([0..1, 0..1]).into_scalar::<f32>();
                return Ok(images as f64 / started.elapsed().as_secs_f64());
            }
        }
    }
    Ok(0.0)
}

/// Hears where the seconds of a run go.
struct Watch {
    started: Instant,
    parts: Parts,
}

impl Events for Watch {
    fn step(&mut self, _: usize, _: usize, _: usize) {}

    fn epoch(&mut self, _: &EpochNews) {}

    fn start(&mut self, _: Place, _: &DataInfo) {
        self.parts.start = self.started.elapsed().as_secs_f64();
    }

    fn spent(&mut self, part: Activity, took: Duration) {
        let sum = match part {
            Activity::Data => &mut self.parts.data,
            Activity::Step => &mut self.parts.steps,
            Activity::Evaluation => &mut self.parts.evaluation,
            Activity::Checkpoint => &mut self.parts.checkpoint,
        };
        *sum += took.as_secs_f64();
    }

    fn note(&mut self, sentence: &str) {
        say!("{sentence}");
    }

    fn interrupted(&self) -> bool {
        interrupt::requested()
    }
}

/// A real run of each of Table 1's networks on what is on this machine, one epoch with its
/// checkpoint. On a card, where a step is only sent off before the next batch is made, parts overlap.
pub fn runs(device: DeviceName, options: &LoadOptions) -> Result<Vec<Parts>> {
    let folder = tempfile::tempdir().map_err(|e| Error::Missing(format!("cannot make a temporary folder: {e}")))?;
    let mut found = Vec::new();
    for (name, sample, network, augmented) in
        [("mnist", "mnist-sample", "mlp-2x800", ""), ("cifar-10", "", "mlp-3x1000", "flip = true, crop_padding = 4, ")]
    {
        let Some(name) = at_hand(name, sample, options)? else { continue };
        let text = format!(
            "dataset = \"{name}\"\ndevice = \"{device}\"\nnetwork = {{ name = \"{network}\" }}\nrule = {{ name = \
             \"sll\" }}\n\
             recipe = {{ {augmented}epochs = 1, optimizer = \"adam\" }}"
        );
        let spec = RunSpec::from_toml(&text, "bench")?;
        let mut watch = Watch { started: Instant::now(), parts: Parts::default() };
        let kept = CheckpointFiles::at(folder.path().join(network));
        train(&spec, options, Some(Keeping { kept: &kept, every: Duration::MAX }), None, &mut watch)?;
        let augmentation = if augmented.is_empty() { "" } else { ", flip and crop" };
        let title = format!("SLL, {network} on {name}{augmentation}");
        found.push(Parts { title, total: watch.started.elapsed().as_secs_f64(), ..watch.parts });
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_a_run_are_all_of_it() {
        let options = LoadOptions { online: false, data_dir: None, ..LoadOptions::default() };
        let folder = tempfile::tempdir().unwrap();
        let text = "dataset = \"mnist-sample\"\nnetwork = { name = \"mlp-2x800\", width = 32 }\nrule = { name = \
                    \"sll\" }\n\
                    recipe = { epochs = 2, train_limit = 512 }";
        let spec = RunSpec::from_toml(text, "test").unwrap();
        let mut watch = Watch { started: Instant::now(), parts: Parts::default() };
        let kept = CheckpointFiles::at(folder.path().join("checkpoint"));
        train(&spec, &options, Some(Keeping { kept: &kept, every: Duration::MAX }), None, &mut watch).unwrap();
        let parts = Parts { total: watch.started.elapsed().as_secs_f64(), ..watch.parts };
        for part in [parts.start, parts.data, parts.steps, parts.evaluation, parts.checkpoint] {
            assert!(part > 0.0, "{parts:?}");
        }
        assert!(
            parts.start + parts.data + parts.steps + parts.evaluation + parts.checkpoint <= parts.total,
            "{parts:?}"
        );
    }
}
