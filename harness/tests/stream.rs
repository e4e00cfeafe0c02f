//! A data set that is read while it is used: a run on it, and what an image that goes bad under way costs.

use datasets::LoadOptions;
use harness::error::Error;
use harness::record::DataInfo;
use harness::run::{EpochNews, Events, Keeping, Place, train};
use harness::spec::{DeviceName, Request, RunSpec};
use harness::store::CheckpointFiles;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What happens after an epoch, and after how many steps a signal comes.
struct After<F: FnMut(usize)> {
    epoch: F,
    resumed: Place,
    signal: usize,
    steps: usize,
}

impl<F: FnMut(usize)> After<F> {
    fn new(epoch: F, signal: usize) -> Self {
        Self { epoch, resumed: Place { epochs: 0, steps: 0 }, signal, steps: 0 }
    }
}

fn keeping(kept: &CheckpointFiles) -> Option<Keeping<'_>> {
    Some(Keeping { kept, every: Duration::MAX })
}

impl<F: FnMut(usize)> Events for After<F> {
    fn step(&mut self, _: usize, _: usize, _: usize) {
        self.steps += 1;
    }
    fn epoch(&mut self, news: &EpochNews) {
        (self.epoch)(news.point.epoch);
    }
    fn start(&mut self, from: Place, _: &DataInfo) {
        self.resumed = from;
    }
    fn note(&mut self, _: &str) {}
    fn interrupted(&self) -> bool {
        self.steps >= self.signal
    }
}

/// Imagenette at 320 pixels under `data`, every image a link to one of two files, which are returned.
fn imagenette(data: &Path) -> [PathBuf; 2] {
    let manifest = datasets::manifest("imagenette-320").unwrap();
    let images = [10, 200].map(|grey| {
        let path = data.join(format!("{grey}.png"));
        image::RgbImage::from_pixel(12, 9, image::Rgb([grey; 3])).save(&path).unwrap();
        path
    });
    for (split, count) in [("train", manifest.counts.train), ("val", manifest.counts.test)] {
        for (class, id) in manifest.images.as_ref().unwrap().class_ids.iter().enumerate() {
            let folder = data.join(&manifest.folder).join(split).join(id);
            std::fs::create_dir_all(&folder).unwrap();
            for image in (0..count).filter(|image| image % 10 == class) {
                std::fs::hard_link(&images[image / 10 % 2], folder.join(format!("{image}.JPEG"))).unwrap();
            }
        }
    }
    images
}

#[test]
fn an_image_that_goes_bad_is_named_and_the_run_goes_on_after_its_last_epoch() {
    let folder = tempfile::tempdir().unwrap();
    let images = imagenette(folder.path());
    let options = LoadOptions {
        data_dir: Some(folder.path().to_owned()),
        cache_dir: Some(folder.path().join("cache")),
        system_dirs: false,
        ..LoadOptions::default()
    };
    let text = r#"
        dataset = "imagenette-320"
        network = { name = "mlp-2x800", width = 4 }
        rule = { name = "sll" }
        recipe = { epochs = 3, batch = 16, train_limit = 40, validation = 30, flip = true, resized_crop = true }
    "#;
    let spec = RunSpec::from_toml(text, "test").unwrap();
    let run_until = |signal: usize, checkpoint: &Path, epoch: &mut dyn FnMut(usize)| {
        let mut events = After::new(epoch, signal);
        let outcome = train(&spec, &options, keeping(&CheckpointFiles::at(checkpoint.to_owned())), None, &mut events);
        let outcome = outcome.map(|trained| trained.result);
        (outcome, events.resumed)
    };
    let run = |checkpoint: &Path, epoch: &mut dyn FnMut(usize)| run_until(usize::MAX, checkpoint, epoch);
    let (whole, _) = run(&folder.path().join("whole.bin"), &mut |_| {});
    let whole = whole.unwrap();
    assert_eq!((whole.data.train, whole.data.test, whole.data.verified), (40, 30, false));
    assert_eq!(whole.evaluated_on, "validation");

    let sound = images.each_ref().map(|path| std::fs::read(path).unwrap());
    let checkpoint = folder.path().join("cut.bin");
    let (cut, _) = run(&checkpoint, &mut |epoch| {
        if epoch == 2 {
            images
                .iter()
                .zip(&sound)
                .for_each(|(path, image)| std::fs::write(path, &image[..image.len() / 2]).unwrap());
        }
    });
    let Err(Error::Missing(problem)) = cut else { panic!("{cut:?}") };
    assert!(problem.contains("imagenette2-320/train/n0") && problem.contains(".JPEG is no sound PNG"), "{problem}");
    assert!(problem.contains("resumes after the last finished epoch"), "{problem}");

    images.iter().zip(&sound).for_each(|(path, image)| std::fs::write(path, image).unwrap());
    let (resumed, from) = run(&checkpoint, &mut |_| {});
    let resumed = resumed.unwrap();
    assert_eq!(from, Place { epochs: 2, steps: 0 });
    assert_eq!((resumed.test_accuracy, &resumed.unit_accuracy), (whole.test_accuracy, &whole.unit_accuracy));
    let losses = |curve: &[harness::record::EpochPoint]| curve.iter().map(|point| point.train_loss).collect::<Vec<_>>();
    assert_eq!(losses(&resumed.curve), losses(&whole.curve));

    // A signal in the second step of an epoch of three: the stream goes on with the third batch.
    let checkpoint = folder.path().join("within.bin");
    assert!(matches!(run_until(5, &checkpoint, &mut |_| {}).0, Err(Error::Interrupted)));
    let (resumed, from) = run(&checkpoint, &mut |_| {});
    assert_eq!(from, Place { epochs: 1, steps: 2 });
    assert_eq!(losses(&resumed.unwrap().curve), losses(&whole.curve));
}

#[test]
fn other_images_are_another_run_and_no_checkpoint_is_taken_over_to_them() {
    let folder = tempfile::tempdir().unwrap();
    let images = imagenette(folder.path());
    let cache = folder.path().join("cache");
    let options = LoadOptions {
        data_dir: Some(folder.path().to_owned()),
        cache_dir: Some(cache.clone()),
        system_dirs: false,
        ..LoadOptions::default()
    };
    let text = r#"
        dataset = "imagenette-320"
        network = { name = "mlp-2x800", width = 4 }
        rule = { name = "bp" }
        recipe = { epochs = 1, batch = 16, train_limit = 16, validation = 10 }
    "#;
    let spec = RunSpec::from_toml(text, "test").unwrap();
    let pinned = |allow_unverified: bool| {
        let mut pinned = RunSpec { allow_unverified, ..spec.clone() };
        pinned.pin_data(&options).map(|()| pinned)
    };
    let first = pinned(false).unwrap();
    assert!(first.data_digest.is_some() && first.id() != spec.id());
    assert_eq!(pinned(true).unwrap().id(), first.id(), "a permission that is not needed");
    let planned = || {
        let text = "name = 'x'\nkind = 'table'\ntitle = 'x'\n[[rows]]\nlabel = 'BP'\nrule = { name = 'bp' \
                    }\n[[columns]]\n\
                    label = 'x'\ndataset = 'imagenette-320'\nnetwork = { name = 'mlp-2x800', width = 4 }\n\
                    recipe = { batch = 16, validation = 10 }\nprofile.quick = { epochs = 1, seeds = 1, train_limit = \
                    16 }\n";
        let choices = harness::experiment::Choices {
            profile: harness::experiment::Profile::Quick,
            device: DeviceName::Flex,
            seeds: None,
            epochs: None,
            allow_unverified: false,
            assume_present: false,
        };
        let plan = harness::experiment::expand(toml::from_str(text).unwrap(), &choices, &options).unwrap();
        plan.cells.into_iter().next().unwrap()
    };
    assert_eq!(planned().specs[0].id(), first.id(), "a table plans the same run");
    let quiet = || After::new(|_| {}, usize::MAX);
    let kept = |name: &str| CheckpointFiles::at(folder.path().join(name));
    let (checkpoint, unplanned) = (kept("first.bin"), kept("checkpoint.bin"));
    train(&first, &options, keeping(&checkpoint), None, &mut quiet()).unwrap();
    assert!(checkpoint.path().exists());
    // A spec that was not planned does not tell the content.
    let untold = RunSpec { data_digest: None, ..first.clone() };
    train(&untold, &options, keeping(&unplanned), None, &mut quiet()).unwrap();

    std::fs::write(&images[0], std::fs::read(&images[1]).unwrap()).unwrap();
    assert!(matches!(pinned(false), Err(Error::Missing(_))));
    assert!(planned().specs.is_empty() && planned().missing.unwrap().contains("first used on this machine"));
    let allowed = pinned(true).unwrap();
    assert!(allowed.allow_unverified && allowed.id() != first.id());
    // As that message tells, if the change is meant.
    std::fs::remove_dir_all(cache.join(".first-use")).unwrap();
    let second = pinned(false).unwrap();
    assert!(second.id() != first.id() && second.data_digest == allowed.data_digest);
    assert_eq!(planned().specs[0].id(), second.id());
    let Err(Error::Missing(problem)) = train(&first, &options, None, None, &mut quiet()) else { panic!("it ran") };
    assert!(problem.contains("not the one this run was planned with"), "{problem}");
    let Err(Error::Missing(problem)) = train(&untold, &options, keeping(&unplanned), None, &mut quiet()) else {
        panic!("it went on")
    };
    assert!(problem.contains("checkpoint.bin was made on other content") && problem.contains("--force"), "{problem}");
    train(&second, &options, keeping(&checkpoint), None, &mut quiet()).unwrap();
    assert!(folder.path().join("first.bin.damaged").exists(), "another run's state is set aside");
}
