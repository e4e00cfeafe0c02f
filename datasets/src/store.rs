//! Encoded images where they lie, in folders or in Parquet shards: their classes at hand, their bytes read when they are wanted.

use std::{
    fs, io,
    ops::Range,
    path::{Path, PathBuf},
    time::UNIX_EPOCH,
};

use rayon::prelude::*;
use sha2::{Digest as _, Sha256};

use crate::{
    cache::ShardList,
    convert,
    digest::hex,
    error::DataError,
    manifest::{EncodedImages, Layout, Manifest, Split},
    options::Stop,
    shard::Shard,
    source::Located,
};

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

    /// What people call image `index`.
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

    /// Reads every image, once, and gives what `each` makes of it (or a verb phrase). Fails if `stop` says so on the way.
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
        let mut content =
            Content { lines: String::with_capacity(all.len() * 70), labels: Vec::new(), made: Vec::new() };
        for (hash, class, _, made) in all {
            content.lines += &format!("{} {class}\n", hex(&hash));
            content.labels.push(class);
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
    /// What was made of each.
    pub(crate) made: Vec<T>,
}

/// The digest of a data set of encoded images: SHA-256 of `train <n>\n`, the training images' lines, `test <n>\n` and the test images' lines.
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

    /// What can be known of the files without reading them: SHA-256 of their names, classes, sizes and times of change. Wherever the folder is moved to, it is
    /// the same; where a file was replaced, it is another.
    pub(crate) fn fingerprint(&self, manifest: &Manifest) -> Result<String, DataError> {
        let unreadable = |(path, source): (PathBuf, io::Error)| DataError::Read {
            dataset: manifest.name.clone(),
            file: path.display().to_string(),
            source,
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
        let split = |test: bool, count: usize| {
            let below = if test { &images.test_folder } else { "train" };
            let list = match (manifest.layout, test) {
                (Layout::TinyImagenet, true) => folder.annotated(below)?,
                (Layout::TinyImagenet, false) => folder.by_class(below, "images")?,
                _ => folder.by_class(below, "")?,
            };
            if list.len() != count {
                return Err(folder.corrupt(format!("has {} images under {below}, not {count}", list.len())));
            }
            let (labels, paths) = list.into_iter().unzip();
            Ok(EncodedSplit { labels, place: Place::Files(paths) })
        };
        Ok(Self { train: split(false, manifest.counts.train)?, test: split(true, manifest.counts.test)? })
    }

    /// The images in the shards of `list`.
    pub(crate) fn in_shards(manifest: &Manifest, list: &ShardList) -> Result<Self, DataError> {
        let source = list.source(manifest).expect("who has the list looked for its source");
        let images = manifest.images.as_ref().expect("a layout of image files has `images`");
        let split = |paths: &[PathBuf], count: usize| {
            let corrupt = |file: &Path, problem: String| DataError::Corrupt {
                dataset: manifest.name.clone(),
                file: file.display().to_string(),
                problem,
                fetched: false,
            };
            let shards = convert::open(source, paths, count).map_err(|(path, problem)| corrupt(path, problem))?;
            let (mut labels, mut start) = (Vec::with_capacity(count), 0);
            let mut placed = Vec::with_capacity(shards.len());
            for shard in shards {
                let own = own_numbers(shard.class_names.as_deref(), images);
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

/// Our number of each of a shard's classes, where the shard names them by the ids that we know; in whatever order its maker had them.
fn own_numbers(declared: Option<&[String]>, images: &EncodedImages) -> Option<Vec<u16>> {
    let own = |id: &String| images.class_ids.iter().position(|known| known == id).map(|class| class as u16);
    declared.filter(|declared| declared.len() == images.class_ids.len())?.iter().map(own).collect()
}

/// Whether `path` is named like an image.
pub(crate) fn is_image(path: &Path) -> bool {
    path.extension()
        .is_some_and(|extension| ["jpeg", "jpg", "png"].iter().any(|known| extension.eq_ignore_ascii_case(known)))
}

/// A folder of image files.
struct Folder<'a> {
    manifest: &'a Manifest,
    images: &'a EncodedImages,
    dir: &'a Path,
}

/// Image files with their classes.
type Listed = Vec<(u16, Box<Path>)>;

impl Folder<'_> {
    fn corrupt(&self, problem: String) -> DataError {
        DataError::Corrupt {
            dataset: self.manifest.name.clone(),
            file: self.dir.display().to_string(),
            problem,
            fetched: false,
        }
    }

    /// What is at `path` is not there, or may not be read.
    fn unreadable(&self, path: &Path, source: io::Error) -> DataError {
        match source.kind() {
            io::ErrorKind::NotFound => self.corrupt(format!("lacks {}", path.display())),
            _ => DataError::Read { dataset: self.manifest.name.clone(), file: path.display().to_string(), source },
        }
    }

    /// `<split>/<class id>/<below>/*`, by class and name.
    fn by_class(&self, split: &str, below: &str) -> Result<Listed, DataError> {
        let mut list = Vec::new();
        for (class, id) in self.images.class_ids.iter().enumerate() {
            let dir = self.dir.join(split).join(id).join(below);
            let mut paths = Vec::new();
            for entry in fs::read_dir(&dir).map_err(|error| self.unreadable(&dir, error))? {
                let path = entry.map_err(|error| self.unreadable(&dir, error))?.path();
                if is_image(&path) {
                    paths.push(path.into_boxed_path());
                }
            }
            paths.sort_unstable();
            list.extend(paths.into_iter().map(|path| (class as u16, path)));
        }
        Ok(list)
    }

    /// `<split>/images/*` with the class ids that `<split>/val_annotations.txt` gives, in its order.
    fn annotated(&self, split: &str) -> Result<Listed, DataError> {
        let folder = self.dir.join(split);
        let path = folder.join("val_annotations.txt");
        let text = fs::read_to_string(&path).map_err(|error| self.unreadable(&path, error))?;
        let entry = |line: &str| {
            let mut words = line.split('\t');
            let (name, id) = (words.next()?, words.next()?);
            // A name and no path: nothing outside the folder is read.
            let plain = Path::new(name).file_name().is_some_and(|file| file == name);
            let class = self.images.class_ids.iter().position(|known| known == id)?;
            plain.then(|| (class as u16, folder.join("images").join(name).into_boxed_path()))
        };
        let unknown = |line| self.corrupt(format!("has an unknown line in val_annotations.txt: {line}"));
        text.lines().map(|line| entry(line).ok_or_else(|| unknown(line))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shards_classes_are_known_by_their_ids_whatever_their_order() {
        let manifest = crate::testing::small_encoded("class-folders").manifest;
        let own = |declared: &[&str]| {
            let declared: Vec<String> = declared.iter().map(|&name| name.to_owned()).collect();
            own_numbers(Some(&declared), manifest.images.as_ref().unwrap())
        };
        assert_eq!(own(&["n3", "n1", "n2"]), Some(vec![2, 0, 1]));
        // Names for people, or of another data set, say nothing.
        assert_eq!((own(&["tench", "n1", "n2"]), own(&["n1", "n2"])), (None, None));
        assert_eq!(own_numbers(None, manifest.images.as_ref().unwrap()), None);
    }
}
