//! Encoded images where they lie, in folders or in Parquet shards: their classes at hand, their bytes read when they
//! are wanted.

use crate::error::DataError;
use crate::format::shard::{Columns, Shard};
use crate::manifest::digest::hex;
use crate::manifest::{HubSource, Layout, Manifest, Split};
use crate::options::Stop;
use crate::place::Located;
use crate::place::cache::ShardList;
use crate::place::class_names::ClassNames;
use crate::place::folder::{Folder, Listed};
use rayon::prelude::*;
use sha2::{Digest as _, Sha256};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;
use std::{fs, io};

/// Rows read at once from a shard whose row groups are larger; bounds memory.
const MAX_ROWS: usize = 1000;

/// A data set of encoded images.
pub(crate) struct Store {
    /// The training images.
    pub(crate) train: EncodedSplit,
    /// The test images.
    pub(crate) test: EncodedSplit,
}

/// The encoded images of one split, in the order of their place: by class and file name, or by shard and row.
pub(crate) struct EncodedSplit {
    /// One class for each image.
    pub(crate) labels: Vec<u16>,
    place: Place,
}

enum Place {
    Files(Vec<Box<Path>>),
    Shards(Vec<(usize, Shard)>),
}

impl EncodedSplit {
    /// Images in all.
    pub(crate) fn len(&self) -> usize {
        self.labels.len()
    }

    /// The images that are best read together, in order: single files, or row groups.
    pub(crate) fn units(&self) -> Vec<Range<usize>> {
        let Place::Shards(shards) = &self.place else { return (0..self.len()).map(|image| image..image + 1).collect() };
        let groups =
            shards.iter().flat_map(|(start, shard)| shard.groups.iter().map(move |g| g.start + start..g.end + start));
        let cut = |group: Range<usize>| {
            group.clone().step_by(MAX_ROWS).map(move |start| start..(start + MAX_ROWS).min(group.end))
        };
        groups.flat_map(cut).collect()
    }

    /// The encoded images of one of [`units`](Self::units).
    pub(crate) fn read(&self, unit: Range<usize>) -> Result<Vec<Vec<u8>>, String> {
        match &self.place {
            Place::Files(paths) => paths[unit]
                .iter()
                .map(|path| fs::read(path).map_err(|error| format!("{} cannot be read ({error})", path.display())))
                .collect(),
            Place::Shards(shards) => {
                let (start, shard) = &shards[shards.partition_point(|(start, _)| *start <= unit.start) - 1];
                let named = |problem| format!("{} {problem}", shard.path().display());
                let rows = shard.read(unit.start - start..unit.end - start).map_err(named)?;
                (0..unit.len()).map(|row| rows.image(row).map(<[u8]>::to_vec).map_err(named)).collect()
            }
        }
    }

    /// The name of image `index` in messages.
    pub(crate) fn name(&self, index: usize) -> String {
        match &self.place {
            Place::Files(paths) => paths[index].display().to_string(),
            Place::Shards(shards) => {
                let (start, shard) = &shards[shards.partition_point(|(start, _)| *start <= index) - 1];
                format!("{} row {}", shard.path().display(), index - start)
            }
        }
    }

    /// A line for each file: its class if it is an image, its name, bytes and time of change.
    fn lines(&self) -> Result<Vec<String>, (PathBuf, io::Error)> {
        let line = |class: Option<u16>, path: &Path| {
            let found = path.metadata().map_err(|error| (path.to_owned(), error))?;
            let changed = found.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            Ok(format!("{class:?} {name} {} {changed:?}\n", found.len()))
        };
        let mut lines = match &self.place {
            Place::Files(paths) => {
                let files = paths.par_iter().zip(&self.labels);
                files.map(|(path, &class)| line(Some(class), path)).collect::<Result<Vec<_>, _>>()
            }
            Place::Shards(shards) => shards.iter().map(|(_, shard)| line(None, shard.path())).collect(),
        }?;
        lines.par_sort_unstable();
        Ok(lines)
    }

    /// Reads every image, once, and gives what `each` makes of it (or a verb phrase). Fails if `stop` says so on the
    /// way.
    pub(crate) fn content<T: Send>(
        &self,
        stop: &Stop,
        each: impl Fn(&[u8]) -> Result<T, String> + Sync,
    ) -> Result<Content<T>, String> {
        let read = self.units().into_par_iter().map(|unit| {
            if stop.requested() {
                return Err("were not read to the end".to_owned());
            }
            let images = self.read(unit.clone())?;
            unit.zip(images)
                .map(|(index, image)| {
                    let made = each(&image).map_err(|problem| format!("{} {problem}", self.name(index)))?;
                    Ok((Sha256::digest(&image), self.labels[index], index as u32, made))
                })
                .collect::<Result<Vec<_>, String>>()
        });
        let mut all: Vec<_> = read.collect::<Result<Vec<_>, String>>()?.into_iter().flatten().collect();
        all.par_sort_unstable_by(|a, b| (&a.0, a.1, a.2).cmp(&(&b.0, b.1, b.2)));
        let mut content = Content {
            lines: String::with_capacity(all.len() * 70),
            labels: Vec::new(),
            at: Vec::new(),
            made: Vec::new(),
        };
        for (hash, class, index, made) in all {
            content.lines += &format!("{} {class}\n", hex(&hash));
            content.labels.push(class);
            content.at.push(index);
            content.made.push(made);
        }
        Ok(content)
    }
}

/// The images of a split sorted by SHA-256: an order that no container changes, and in which the classes are mixed.
pub(crate) struct Content<T> {
    /// `<sha256> <class>\n` for each image.
    pub(crate) lines: String,
    /// Their classes.
    pub(crate) labels: Vec<u16>,
    /// Their places in the split as it lies there.
    pub(crate) at: Vec<u32>,
    /// What was made of each.
    pub(crate) made: Vec<T>,
}

/// The digest of a data set of encoded images: SHA-256 of `train <n>\n`, the training images' lines, `test <n>\n` and
/// the test images' lines.
pub(crate) fn digest<T>(train: &Content<T>, test: &Content<T>) -> String {
    let counts = [train, test].map(|split| split.labels.len());
    let text = format!("train {}\n{}test {}\n{}", counts[0], train.lines, counts[1], test.lines);
    crate::Digest::sha256(text.as_bytes()).hex
}

impl Store {
    /// One of its splits.
    pub(crate) fn split(&self, split: Split) -> &EncodedSplit {
        match split {
            Split::Train => &self.train,
            Split::Test => &self.test,
        }
    }

    /// The images of a data set that was found.
    pub(crate) fn open(manifest: &Manifest, located: &Located) -> Result<Self, DataError> {
        match (&located.shards, &located.dir) {
            (Some(list), _) => Self::in_shards(manifest, list),
            (None, Some(dir)) => Self::in_folder(manifest, dir),
            (None, None) => unreachable!("no data set of image files is embedded"),
        }
    }

    /// What can be known of the files without reading them: SHA-256 of their names, classes, sizes and times of change.
    /// Wherever the folder is moved to, it is the same; where a file was replaced, it is another.
    pub(crate) fn fingerprint(&self, manifest: &Manifest) -> Result<String, DataError> {
        let unreadable = |(path, source): (PathBuf, io::Error)| {
            let (dataset, file) = (manifest.name.clone(), path.display().to_string());
            match source.kind() {
                io::ErrorKind::NotFound => DataError::Corrupt {
                    dataset,
                    file: Some(file),
                    problem: "is no longer there".to_owned(),
                    fetched: false,
                },
                _ => DataError::Read { dataset, file, source },
            }
        };
        let mut hash = Sha256::new();
        for split in [&self.train, &self.test] {
            let lines = split.lines().map_err(unreadable)?;
            hash.update(format!("{}\n", lines.len()));
            lines.iter().for_each(|line| hash.update(line));
        }
        Ok(hex(&hash.finalize()))
    }

    /// The images in the folders of `manifest`'s layout under `dir`.
    pub(crate) fn in_folder(manifest: &Manifest, dir: &Path) -> Result<Self, DataError> {
        let images = manifest.images.as_ref().expect("a layout of image files has `images`");
        let folder = Folder { manifest, images, dir };
        let counted = |list: Listed, below: &str, count: usize| {
            if list.len() != count {
                let under = if below.is_empty() { String::new() } else { format!(" under {below}") };
                let found = format!("has {} images{under}, not {count}", list.len());
                return Err(folder.corrupt(found + &folder.strangers(&list)));
            }
            let (labels, paths) = list.into_iter().unzip();
            Ok(EncodedSplit { labels, place: Place::Files(paths) })
        };
        let ([train, test], below) = match (manifest.layout, &images.test_folder, images.test_split) {
            (_, _, Some(split)) => (folder.split(split)?, ["", ""]),
            (Layout::TinyImagenet, Some(test), _) => {
                ([folder.by_class("train", "images")?, folder.annotated(test)?], ["train", test])
            }
            (_, Some(test), _) => ([folder.by_class("train", "")?, folder.by_class(test, "")?], ["train", test]),
            (_, None, None) => unreachable!("a manifest says which images are test images"),
        };
        let counts = manifest.counts;
        Ok(Self { train: counted(train, below[0], counts.train)?, test: counted(test, below[1], counts.test)? })
    }

    /// The images in the shards of `list`.
    pub(crate) fn in_shards(manifest: &Manifest, list: &ShardList) -> Result<Self, DataError> {
        let source = list.source(manifest).expect("a list is only read with its source");
        let images = manifest.images.as_ref().expect("a layout of image files has `images`");
        let mut names = ClassNames::new(manifest, images);
        let mut split = |paths: &[PathBuf], count: usize| {
            let corrupt = |file: &Path, problem: String| DataError::Corrupt {
                dataset: manifest.name.clone(),
                file: Some(file.display().to_string()),
                problem,
                fetched: false,
            };
            let shards = open_shards(source, paths, count).map_err(|(path, problem)| corrupt(path, problem))?;
            let (mut labels, mut start) = (Vec::with_capacity(count), 0);
            let mut placed = Vec::with_capacity(shards.len());
            for shard in shards {
                let own = names.numbers(&shard).map_err(|problem| corrupt(shard.path(), problem))?;
                for class in shard.labels().map_err(|problem| corrupt(shard.path(), problem))? {
                    let class = usize::try_from(class).ok().filter(|&class| class < manifest.classes);
                    let class = class
                        .ok_or_else(|| corrupt(shard.path(), "has a class that is none of the data set's".into()))?;
                    labels.push(own.as_ref().map_or(class as u16, |own| own[class]));
                }
                let rows = shard.len();
                placed.push((start, shard));
                start += rows;
            }
            Ok(EncodedSplit { labels, place: Place::Shards(placed) })
        };
        Ok(Self { train: split(&list.train, manifest.counts.train)?, test: split(&list.test, manifest.counts.test)? })
    }
}

/// The shards of one split, whose rows must be `count`; or the shard that is at fault, with a verb phrase.
pub(crate) fn open_shards<'a>(
    source: &HubSource,
    paths: &'a [PathBuf],
    count: usize,
) -> Result<Vec<Shard>, (&'a Path, String)> {
    let columns =
        Columns { image: source.image.clone(), label: source.label.clone(), coarse: source.coarse_label.clone() };
    let open = |path: &'a PathBuf| Shard::open(path, &columns).map_err(|problem| (path.as_path(), problem));
    let shards = paths.iter().map(open).collect::<Result<Vec<_>, _>>()?;
    let rows = shards.iter().try_fold(0usize, |rows, shard| rows.checked_add(shard.len())).unwrap_or(usize::MAX);
    match rows == count {
        true => Ok(shards),
        false => Err((&paths[0], format!("and {} more shards hold {rows} images, not {count}", paths.len() - 1))),
    }
}
