//! Data sets larger than memory: read, decoded and augmented ahead of training, in bounded memory.
//!
//! Two threads work ahead of the consumer. One reads windows of encoded images, the next while the last is used; one
//! decodes and augments a batch at a time on all cores. At hand are two windows of encoded images and [`AHEAD`]
//! batches, whatever the data set's size.

use crate::augment::Augment;
use crate::augment::evaluate::{Shape, evaluation};
use crate::error::DataError;
use crate::format::picture::Picture;
use crate::manifest::{Manifest, Split};
use crate::place::encoded::{EncodedSplit, Store};
use crate::serve::order::{Window, fixed_order, parts, windowed_order, windows};
use rayon::prelude::*;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::{fmt, thread};

/// Images shuffled among each other: 0.5 GB of ImageNet, encoded.
const WINDOW: usize = 4096;
/// Finished batches that wait.
const AHEAD: usize = 2;

/// A data set that is read while it is used.
#[derive(Clone)]
pub struct Stream {
    store: Arc<Store>,
    shape: Shape,
    train: Part,
    test: Part,
}

/// Images of one official split that are trained or evaluated on.
#[derive(Clone)]
struct Part {
    split: Split,
    /// Which of its images, by their place; all if there is no list.
    chosen: Option<Arc<[bool]>>,
    /// The classes of these images, in the order of their places.
    labels: Arc<[u16]>,
}

impl Part {
    fn all(store: &Store, split: Split) -> Self {
        Self { split, chosen: None, labels: store.split(split).labels.as_slice().into() }
    }

    /// These `images`, given by place.
    fn of(store: &Store, split: Split, images: &[u32]) -> Self {
        let all = &store.split(split).labels;
        let mut chosen = vec![false; all.len()];
        images.iter().for_each(|&image| chosen[image as usize] = true);
        let labels = all.iter().zip(&chosen).filter(|(_, chosen)| **chosen).map(|(&label, _)| label).collect();
        Self { split, chosen: Some(chosen.into()), labels }
    }

    /// Leaves out of `windows` what does not belong to this part.
    fn keep(&self, windows: &mut Vec<Window>) {
        let Some(chosen) = &self.chosen else { return };
        for window in windows.iter_mut() {
            window.images.retain(|&image| chosen[image as usize]);
            window.units.retain(|unit| chosen[unit.clone()].contains(&true));
        }
        windows.retain(|window| !window.images.is_empty());
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream").field("train", &self.train_len()).field("test", &self.test_labels().len()).finish()
    }
}

impl PartialEq for Stream {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.store, &other.store)
            && self.train.labels == other.train.labels
            && self.test.labels == other.test.labels
    }
}

/// Images and their classes.
#[derive(Clone, PartialEq, Eq)]
pub struct StreamBatch {
    /// `N * C * H * W` bytes.
    pub pixels: Vec<u8>,
    /// `N` classes.
    pub labels: Vec<u16>,
}

impl fmt::Debug for StreamBatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamBatch").field("labels", &self.labels).finish_non_exhaustive()
    }
}

/// Batches in order; `Err` once, if an image cannot be read, naming it. Dropping it stops the work ahead.
pub type Batches = Box<dyn Iterator<Item = Result<StreamBatch, DataError>> + Send>;

impl Stream {
    /// The images of `store` at the manifest's shape.
    pub(crate) fn new(store: Store, manifest: &Manifest) -> Self {
        let (train, test) = (Part::all(&store, Split::Train), Part::all(&store, Split::Test));
        Self { store: Arc::new(store), shape: Shape::of(manifest), train, test }
    }

    /// Holds `held_out` training images out and evaluates on them, in place of the test images, then trains on `limit`
    /// of the others, if there is one.
    ///
    /// The training images are shuffled for that, once and for all, since those of a class may lie together: the last
    /// `held_out` of that order are held out, the first `limit` trained on.
    ///
    /// # Errors
    /// [`DataError::Setting`], if there are too few images.
    pub fn narrowed(&self, held_out: Option<usize>, limit: Option<usize>) -> Result<Self, DataError> {
        let total = self.store.train.len();
        let (kept, trained) = parts(total, held_out, limit)?;
        let mut narrowed = self.clone();
        let order = fixed_order(total);
        if held_out.is_some() {
            narrowed.test = Part::of(&self.store, Split::Train, &order[kept..]);
        }
        if trained < total {
            narrowed.train = Part::of(&self.store, Split::Train, &order[..trained]);
        }
        Ok(narrowed)
    }

    /// Training images.
    pub fn train_len(&self) -> usize {
        self.train.labels.len()
    }

    /// The classes of the test images, in their order.
    pub fn test_labels(&self) -> &[u16] {
        &self.test.labels
    }

    /// Bytes in one image, `C * H * W`.
    pub fn image_len(&self) -> usize {
        self.shape.shape.iter().product()
    }

    /// The training images in the order of (seed, epoch), augmented, `batch` at a time; the last batch may be smaller.
    ///
    /// Order and augmentation are functions of (seed, epoch) and of the images' place in the source, which a folder and
    /// shards give differently. Without [`Augment::resized_crop`] an image is first brought to its shape as for
    /// evaluation.
    ///
    /// # Panics
    /// If `batch` is 0.
    pub fn train(&self, seed: u64, epoch: u64, batch: usize, augment: Augment) -> Batches {
        self.train_from(0, seed, epoch, batch, augment)
    }

    /// [`Stream::train`] from its batch `first` on, counted from 0. Images before it are not decoded.
    ///
    /// # Panics
    /// If `batch` is 0.
    pub fn train_from(&self, first: usize, seed: u64, epoch: u64, batch: usize, augment: Augment) -> Batches {
        let mut windows = windowed_order(seed, epoch, &self.store.split(self.train.split).units(), WINDOW);
        self.train.keep(&mut windows);
        let mut before = first.saturating_mul(batch);
        windows.retain_mut(|window| {
            let skipped = before.min(window.images.len());
            window.images.drain(..skipped);
            before -= skipped;
            !window.images.is_empty()
        });
        let shape = self.shape;
        let make = move |index: usize, encoded: &[u8], into: &mut [u8]| {
            if augment.resized_crop {
                let picture = Picture::decode(encoded, shape.shape[0])?;
                augment.picture(&picture, shape.shape, into, seed, epoch, index as u64);
                return Ok(());
            }
            let mut plain = vec![0; into.len()];
            evaluation(&shape, encoded, &mut plain)?;
            augment.apply(&plain, shape.shape, into, seed, epoch, index as u64);
            Ok(())
        };
        self.run(self.train.split, windows, batch, make)
    }

    /// The test images in their order, `batch` at a time.
    ///
    /// # Panics
    /// If `batch` is 0.
    pub fn test(&self, batch: usize) -> Batches {
        let mut windows = windows(self.store.split(self.test.split).units(), WINDOW);
        self.test.keep(&mut windows);
        let shape = self.shape;
        self.run(self.test.split, windows, batch, move |_, encoded, into| evaluation(&shape, encoded, into))
    }

    fn run(
        &self,
        split: Split,
        windows: Vec<Window>,
        batch: usize,
        make: impl Fn(usize, &[u8], &mut [u8]) -> Result<(), String> + Send + Sync + 'static,
    ) -> Batches {
        assert!(batch > 0, "a batch has at least one image");
        let left = windows.iter().map(|window| window.images.len()).sum::<usize>().div_ceil(batch);
        let (to_decoder, from_reader) = sync_channel(0);
        let (to_user, from_decoder) = sync_channel(AHEAD);
        let (reader, decoder, size) = (Arc::clone(&self.store), Arc::clone(&self.store), self.image_len());
        // The threads are detached; each ends when its receiver is dropped.
        thread::spawn(move || read_ahead(reader.split(split), windows, &to_decoder));
        thread::spawn(move || decode_ahead(decoder.split(split), batch, size, &make, &from_reader, &to_user));
        Box::new(Counted { batches: from_decoder.into_iter(), left })
    }
}

/// As many batches as there are to be, or an error: a thread that panicked only falls silent.
struct Counted<I> {
    batches: I,
    left: usize,
}

impl<I: Iterator<Item = Result<StreamBatch, String>>> Iterator for Counted<I> {
    type Item = Result<StreamBatch, DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = self.batches.next().map(|batch| batch.map_err(|problem| DataError::Image { problem }));
        let next = next.or_else(|| {
            let problem = format!("{} batches were not made: the thread that makes them panicked", self.left);
            (self.left > 0).then_some(Err(DataError::Lost { problem }))
        });
        self.left = if let Some(Ok(_)) = next { self.left.saturating_sub(1) } else { 0 };
        next
    }
}

/// Images by their index, and the order in which they are used.
type Loaded = Result<(HashMap<u32, Vec<u8>>, Vec<u32>), String>;

fn read_ahead(split: &EncodedSplit, windows: Vec<Window>, to_decoder: &SyncSender<Loaded>) {
    for window in windows {
        let read = window.units.par_iter().map(|unit| {
            let images = split.read(unit.clone())?;
            Ok(unit.clone().map(|index| index as u32).zip(images).collect::<Vec<_>>())
        });
        let loaded = read
            .collect::<Result<Vec<_>, String>>()
            .map(|units| (units.into_iter().flatten().collect(), window.images));
        let failed = loaded.is_err();
        if to_decoder.send(loaded).is_err() || failed {
            return;
        }
    }
}

fn decode_ahead(
    split: &EncodedSplit,
    batch: usize,
    size: usize,
    make: &(impl Fn(usize, &[u8], &mut [u8]) -> Result<(), String> + Sync),
    from_reader: &Receiver<Loaded>,
    to_user: &SyncSender<Result<StreamBatch, String>>,
) {
    let decode = |images: &[(u32, Vec<u8>)]| {
        let mut pixels = vec![0; images.len() * size];
        pixels.par_chunks_exact_mut(size).zip(images).try_for_each(|(into, (index, encoded))| {
            make(*index as usize, encoded, into).map_err(|problem| format!("{} {problem}", split.name(*index as usize)))
        })?;
        let labels = images.iter().map(|(index, _)| split.labels[*index as usize]).collect();
        Ok(StreamBatch { pixels, labels })
    };
    // A batch may begin in one window and end in the next.
    let mut waiting = Vec::with_capacity(batch);
    for loaded in from_reader {
        let (mut images, order) = match loaded {
            Ok(loaded) => loaded,
            Err(problem) => return drop(to_user.send(Err(problem))),
        };
        for index in order {
            waiting.push((index, images.remove(&index).expect("a window's units hold its images")));
            if waiting.len() == batch {
                let made = decode(&waiting);
                waiting.clear();
                let failed = made.is_err();
                if to_user.send(made).is_err() || failed {
                    return;
                }
            }
        }
    }
    if !waiting.is_empty() {
        let _ = to_user.send(decode(&waiting));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::load_manifest;
    use crate::options::LoadOptions;
    use crate::testing::{encoded_files, encoded_images, options_in, shard_of, small_encoded};
    use std::fs;

    /// The small data set in folders, read while it is used.
    fn streamed(folder: &std::path::Path) -> (Stream, Manifest) {
        for (path, image) in encoded_files("class-folders") {
            let path = folder.join("small").join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, image).unwrap();
        }
        let mut manifest = small_encoded("class-folders").manifest;
        manifest.images.as_mut().unwrap().stream = true;
        let options = LoadOptions { data_dir: Some(folder.to_owned()), ..options_in(folder) };
        let data = load_manifest(&manifest, &options).unwrap();
        assert!(data.in_memory().is_none() && data.shape == [3, 8, 8]);
        (data.stream().unwrap().clone(), manifest)
    }

    fn all(batches: Batches) -> Vec<StreamBatch> {
        batches.collect::<Result<_, _>>().unwrap()
    }

    #[test]
    fn an_epoch_has_every_image_once_in_an_order_of_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let (stream, _) = streamed(folder.path());
        let epoch = |seed, epoch| all(stream.train(seed, epoch, 4, Augment::default()));
        let first = epoch(1, 0);
        assert_eq!(first.iter().map(|batch| batch.labels.len()).collect::<Vec<_>>(), [4, 2]);
        assert_eq!(first, epoch(1, 0));
        for batch in 0..=3 {
            let rest = all(stream.train_from(batch, 1, 0, 4, Augment::default()));
            assert_eq!(rest, first[batch.min(2)..], "from batch {batch} on");
        }
        let flat = |batches: &[StreamBatch]| -> Vec<Vec<u8>> {
            batches.iter().flat_map(|batch| batch.pixels.chunks(192)).map(<[u8]>::to_vec).collect()
        };
        let images = flat(&first);
        let orders: Vec<_> = (0..6).map(|e| flat(&epoch(1, e))).collect();
        assert!(orders.iter().any(|order| *order != images), "every epoch has the same order");
        for mut order in orders {
            let mut sorted = images.clone();
            order.sort_unstable();
            sorted.sort_unstable();
            assert_eq!(order, sorted);
        }
    }

    #[test]
    fn a_stream_serves_what_memory_would_hold() {
        let folder = tempfile::tempdir().unwrap();
        let (stream, mut manifest) = streamed(folder.path());
        manifest.images.as_mut().unwrap().stream = false;
        let options = LoadOptions { data_dir: Some(folder.path().to_owned()), ..options_in(folder.path()) };
        let memory = load_manifest(&manifest, &options).unwrap();
        let test = all(stream.test(3));
        assert_eq!(test.iter().map(|batch| batch.labels.len()).collect::<Vec<_>>(), [3, 1]);
        assert_eq!(test.iter().flat_map(|batch| batch.labels.clone()).collect::<Vec<_>>(), stream.test_labels());
        let pairs = |pixels: &[u8], labels: &[u16]| {
            let mut pairs: Vec<_> = pixels.chunks(192).map(<[u8]>::to_vec).zip(labels.to_vec()).collect();
            pairs.sort_unstable();
            pairs
        };
        let served = all(stream.train(3, 1, 6, Augment::default())).remove(0);
        assert_eq!(
            pairs(&served.pixels, &served.labels),
            pairs(&memory.in_memory().unwrap().train.pixels, &memory.in_memory().unwrap().train.labels)
        );
        let tested: Vec<u8> = test.iter().flat_map(|batch| batch.pixels.clone()).collect();
        assert_eq!(
            pairs(&tested, stream.test_labels()),
            pairs(&memory.in_memory().unwrap().test.pixels, &memory.in_memory().unwrap().test.labels)
        );
        let cropped = Augment { resized_crop: true, flip: true, ..Augment::default() };
        assert_eq!(all(stream.train(3, 1, 2, cropped)), all(stream.train(3, 1, 2, cropped)));
        assert_ne!(all(stream.train(3, 1, 2, cropped)), all(stream.train(3, 2, 2, cropped)));
    }

    #[test]
    fn shards_stream_too_and_row_groups_are_read_whole() {
        let folder = tempfile::tempdir().unwrap();
        let mut manifest = small_encoded("class-folders").manifest;
        manifest.hub = vec![crate::HubSource {
            repo: "a/b".into(),
            revision: "main".into(),
            gated: false,
            train: "t".into(),
            test: "v".into(),
            image: "img".into(),
            label: "label".into(),
            coarse_label: None,
        }];
        let write = |name: &str, split, rows: std::ops::Range<usize>| {
            let path = folder.path().join(name);
            fs::write(&path, shard_of("img", "label", None, &encoded_images(split)[rows], 2)).unwrap();
            path
        };
        let list = crate::place::cache::ShardList {
            repo: "a/b".into(),
            revision: "main".into(),
            commit: String::new(),
            train: vec![write("a", Split::Train, 0..4), write("b", Split::Train, 4..6)],
            test: vec![write("c", Split::Test, 0..4)],
        };
        let store = Store::in_shards(&manifest, &list).unwrap();
        assert_eq!(store.train.units(), [0..2, 2..4, 4..6]);
        assert_eq!(store.train.name(5), format!("{} row 1", folder.path().join("b").display()));
        let stream = Stream::new(store, &manifest);
        let served = all(stream.train(0, 0, 5, Augment::default()));
        let mut labels: Vec<u16> = served.into_iter().flat_map(|batch| batch.labels).collect();
        labels.sort_unstable();
        assert_eq!(labels, [0, 0, 1, 1, 2, 2]);
    }

    #[test]
    fn an_image_that_is_damaged_is_named_and_ends_the_stream() {
        let folder = tempfile::tempdir().unwrap();
        let (stream, _) = streamed(folder.path());
        let victim = folder.path().join("small/val/n1/x0.JPEG");
        fs::write(&victim, b"no image").unwrap();
        let outcome: Vec<_> = stream.test(1).collect();
        let problem = outcome.iter().find_map(|batch| batch.as_ref().err()).unwrap();
        assert!(
            problem.to_string().starts_with(&format!("an image cannot be used: {}", victim.display())),
            "{problem}"
        );
        assert!(outcome.last().unwrap().is_err());
        // A stream that nobody finishes reading is no trouble.
        drop(stream.train(0, 0, 1, Augment::default()));
    }

    #[test]
    fn a_thread_that_panics_does_not_shorten_the_stream_in_silence() {
        let folder = tempfile::tempdir().unwrap();
        let (stream, _) = streamed(folder.path());
        let windows = windows(stream.store.split(Split::Test).units(), 2);
        let served = stream.run(Split::Test, windows, 1, |index, _, _| match index {
            2 => panic!("on purpose"),
            _ => Ok(()),
        });
        let served: Vec<_> = served.collect();
        assert_eq!(served.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, true, false]);
        let problem = served[2].as_ref().unwrap_err().to_string();
        assert!(problem.starts_with("2 batches were not made") && problem.contains("report it"), "{problem}");
    }

    #[test]
    fn a_stream_can_be_narrowed_and_images_held_out() {
        let folder = tempfile::tempdir().unwrap();
        let (stream, _) = streamed(folder.path());
        let images = |batches: Batches| -> Vec<Vec<u8>> {
            all(batches).iter().flat_map(|batch| batch.pixels.chunks(192)).map(<[u8]>::to_vec).collect()
        };
        let train = |stream: &Stream, epoch| images(stream.train(1, epoch, 4, Augment::default()));
        let narrow = stream.narrowed(Some(2), Some(3)).unwrap();
        assert_eq!((narrow.train_len(), narrow.test_labels().len()), (3, 2));
        let (trained, held) = (train(&narrow, 0), images(narrow.test(5)));
        assert_eq!((trained.len(), held.len()), (3, 2));
        assert!(trained.iter().all(|image| !held.contains(image)), "an image is on both sides");
        let everything = train(&stream, 0);
        assert!(trained.iter().chain(&held).all(|image| everything.contains(image)));
        let (mut again, mut sorted) = (train(&narrow, 1), trained);
        again.sort_unstable();
        sorted.sort_unstable();
        assert_eq!(again, sorted, "each epoch has the same images");
        let classes: Vec<u16> = all(narrow.test(1)).into_iter().flat_map(|batch| batch.labels).collect();
        assert_eq!(classes, narrow.test_labels());
        assert_eq!(stream.narrowed(None, None).unwrap(), stream);
        assert!(stream.narrowed(Some(6), None).unwrap_err().to_string().contains("there are 6 training images"));
        assert!(stream.narrowed(Some(2), Some(5)).unwrap_err().to_string().contains("only 4 training images are left"));
    }
}
