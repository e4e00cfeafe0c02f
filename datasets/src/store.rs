//! Encoded images where they lie, in folders or in Parquet shards: their classes at hand, their bytes read when they are wanted.

use std::{
    collections::HashSet,
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
        let unreadable = |(path, source): (PathBuf, io::Error)| {
            let (dataset, file) = (manifest.name.clone(), path.display().to_string());
            match source.kind() {
                io::ErrorKind::NotFound => {
                    DataError::Corrupt { dataset, file, problem: "is no longer there".to_owned(), fetched: false }
                }
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
        let split = |test: bool, count: usize| {
            let below = if test { &images.test_folder } else { "train" };
            let list = match (manifest.layout, test) {
                (Layout::TinyImagenet, true) => folder.annotated(below)?,
                (Layout::TinyImagenet, false) => folder.by_class(below, "images")?,
                _ => folder.by_class(below, "")?,
            };
            if list.len() != count {
                let found = format!("has {} images under {below}, not {count}", list.len());
                return Err(folder.corrupt(found + &folder.strangers(&list)));
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
        let mut names = ClassNames { images, known: &manifest.class_names, first: None };
        let mut split = |paths: &[PathBuf], count: usize| {
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

/// The order in which shards number the classes, where they name them.
struct ClassNames<'a> {
    images: &'a EncodedImages,
    known: &'a [String],
    /// The first shard with names that are not ours, and these.
    first: Option<(PathBuf, Vec<String>)>,
}

impl ClassNames<'_> {
    /// Our number of each of a shard's classes; none where they are to be taken as they are. Shards that name their classes in different orders have one
    /// numbering all the same; names that cannot be brought together are a problem, as a verb phrase.
    fn numbers(&mut self, shard: &Shard) -> Result<Option<Vec<u16>>, String> {
        let Some(declared) = &shard.class_names else { return Ok(None) };
        let own = own_numbers(declared, &self.images.class_ids).or_else(|| own_numbers(declared, self.known));
        match (&self.first, own) {
            (None, Some(own)) => Ok(Some(own)),
            (None, None) => {
                self.first = Some((shard.path().to_owned(), declared.clone()));
                Ok(None)
            }
            (Some((_, first)), None) if first == declared => Ok(None),
            (Some((path, first)), own) => own_numbers(declared, first)
                .filter(|_| own.is_none())
                .map(Some)
                .ok_or_else(|| format!("names other classes than {}", path.display())),
        }
    }
}

/// The place in `known` of each of the `declared` names, if they are the same names in whatever order.
fn own_numbers(declared: &[String], known: &[String]) -> Option<Vec<u16>> {
    let distinct = |names: &[String]| names.iter().collect::<HashSet<_>>().len() == known.len();
    let place = |name: &String| known.iter().position(|known| known == name).map(|class| class as u16);
    (declared.len() == known.len() && distinct(known) && distinct(declared))
        .then(|| declared.iter().map(place).collect())
        .flatten()
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

    /// What to say of files whose names the data set's maker does not give: a Mac's notes, copies, downloads of the same name.
    fn strangers(&self, list: &Listed) -> String {
        let strange = |path: &Path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
            name.starts_with('.') || name.contains("copy") || name.contains([' ', '(', '~'])
        };
        let mut strange = list.iter().map(|(_, path)| path).filter(|path| strange(path));
        let Some(first) = strange.next() else { return String::new() };
        let (first, more) = (first.strip_prefix(self.dir).unwrap_or(first).display(), strange.count());
        let more = if more == 0 { String::new() } else { format!(" and {more} more") };
        format!("; {first}{more} are named like none of its images: remove them")
    }

    /// What is wrong with a split whose images are sorted by class though they should not be.
    fn sorted(&self, split: &str) -> Option<DataError> {
        let id = self.images.class_ids.iter().find(|id| self.dir.join(split).join(id).is_dir())?;
        let found = format!("has its {split} images sorted into class folders ({split}/{id}, ..)");
        Some(self.corrupt(format!("{found}: move them back to {split}/images, beside {split}/val_annotations.txt")))
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
        let lacking = |path: &Path, error| self.sorted(split).unwrap_or_else(|| self.unreadable(path, error));
        let text = fs::read_to_string(&path).map_err(|error| lacking(&path, error))?;
        let images = folder.join("images");
        let entries = fs::read_dir(&images).map_err(|error| lacking(&images, error))?;
        let there = entries.map(|entry| entry.map(|entry| entry.file_name())).collect::<io::Result<HashSet<_>>>();
        let there = there.map_err(|error| lacking(&images, error))?;
        let entry = |line: &str| {
            let mut words = line.split('\t');
            let (name, id) = (words.next()?, words.next()?);
            // A name and no path: nothing outside the folder is read.
            let plain = Path::new(name).file_name().is_some_and(|file| file == name);
            let class = self.images.class_ids.iter().position(|known| known == id)?;
            plain.then(|| (class as u16, images.join(name).into_boxed_path()))
        };
        let unknown = |line| self.corrupt(format!("has an unknown line in val_annotations.txt: {line}"));
        let listed =
            text.lines().map(|line| entry(line).ok_or_else(|| unknown(line))).collect::<Result<Listed, _>>()?;
        match listed.iter().find(|(_, path)| path.file_name().is_none_or(|name| !there.contains(name))) {
            None => Ok(listed),
            Some((_, path)) => Err(lacking(path, io::ErrorKind::NotFound.into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use polars_arrow::array::PrimitiveArray;

    use super::*;
    use crate::{
        HubSource,
        testing::{encoded_files, encoded_images, parquet, small_encoded},
    };

    fn strings(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    #[test]
    fn classes_are_known_by_their_names_whatever_their_order() {
        let own = |declared: &[&str]| own_numbers(&strings(declared), &strings(&["n1", "n2", "n3"]));
        assert_eq!(own(&["n3", "n1", "n2"]), Some(vec![2, 0, 1]));
        // Names for people, of another data set, or twice the same, say nothing.
        assert_eq!((own(&["tench", "n1", "n2"]), own(&["n1", "n2"]), own(&["n1", "n1", "n2"])), (None, None, None));
        assert_eq!(own_numbers(&strings(&["crane", "crane"]), &strings(&["crane", "crane"])), None);
    }

    /// The small data set in two shards that name their classes in these orders.
    fn in_named_shards(train: &[&str], test: &[&str]) -> Result<[Vec<u16>; 2], String> {
        let folder = tempfile::tempdir().unwrap();
        let mut manifest = small_encoded("class-folders").manifest;
        manifest.hub = vec![HubSource {
            repo: "a/b".to_owned(),
            revision: "main".to_owned(),
            gated: false,
            train: "t".to_owned(),
            test: "v".to_owned(),
            image: "img".to_owned(),
            label: "label".to_owned(),
            coarse_label: None,
        }];
        let write = |split, names: &[&str]| {
            let path = folder.path().join(format!("{split:?}"));
            let (images, classes): (Vec<_>, Vec<_>) = encoded_images(split).into_iter().unzip();
            let label = [("label", PrimitiveArray::from_vec(classes).boxed())];
            fs::write(&path, parquet::shard("img", &label, &images, 2, names)).unwrap();
            vec![path]
        };
        let list = ShardList {
            repo: "a/b".to_owned(),
            revision: "main".to_owned(),
            commit: "c".to_owned(),
            train: write(Split::Train, train),
            test: write(Split::Test, test),
        };
        let store = Store::in_shards(&manifest, &list).map_err(|error| error.to_string())?;
        Ok([store.train.labels, store.test.labels])
    }

    #[test]
    fn a_split_that_numbers_its_classes_in_another_order_has_the_same_classes() {
        let plain = in_named_shards(&[], &[]).unwrap();
        assert_eq!(plain, [vec![0, 2, 1, 0, 2, 1], vec![0, 2, 1, 0]]);
        let test = |order: [u16; 3]| plain[1].iter().map(|&class| order[usize::from(class)]).collect::<Vec<_>>();
        // By ids, by the manifest's names, and by names that only the shards have.
        for names in [["n1", "n2", "n3"], ["a", "b", "c"], ["x", "y", "z"]] {
            let permuted = [names[2], names[0], names[1]];
            assert_eq!(in_named_shards(&names, &names).unwrap(), plain, "{names:?}");
            let found = in_named_shards(&names, &permuted).unwrap();
            assert_eq!(found, [plain[0].clone(), test([2, 0, 1])], "{names:?}");
        }
        for (train, test) in [(["x", "y", "z"], ["x", "y", "w"]), (["x", "y", "z"], ["n1", "n2", "n3"])] {
            let problem = in_named_shards(&train, &test).unwrap_err();
            assert!(problem.contains("/Test names other classes than ") && problem.contains("/Train"), "{problem}");
        }
    }

    /// The small data set in folders, changed; what is wrong with it.
    fn problem(layout: &str, change: impl Fn(&Path)) -> String {
        let folder = tempfile::tempdir().unwrap();
        for (path, image) in encoded_files(layout) {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, image).unwrap();
        }
        let manifest = small_encoded(layout).manifest;
        let open = || Store::in_folder(&manifest, folder.path());
        let sound = open().unwrap();
        change(folder.path());
        let outcome = open().and_then(|_| sound.fingerprint(&manifest));
        outcome.unwrap_err().to_string()
    }

    #[test]
    fn files_that_are_too_many_are_named() {
        for name in ["._x0.JPEG", "x0 (1).JPEG", "x0 copy.jpeg"] {
            let found = problem("class-folders", |dir| fs::write(dir.join("train/n1").join(name), "x").unwrap());
            assert!(found.contains("has 7 images under train, not 6; train/n1/") && found.contains(name), "{found}");
        }
        let found = problem("class-folders", |dir| fs::write(dir.join("train/n1/x99.JPEG"), "x").unwrap());
        assert!(found.contains("has 7 images under train, not 6; replace it"), "{found}");
    }

    #[test]
    fn test_images_that_were_sorted_or_lost_are_not_a_matter_of_permissions() {
        let sort = |dir: &Path, list_too: bool| {
            let (images, class) = (dir.join("val/images"), dir.join("val/n1"));
            fs::rename(images, &class).unwrap();
            if list_too {
                fs::rename(dir.join("val/val_annotations.txt"), class.join("val_annotations.txt")).unwrap();
            }
        };
        for list_too in [false, true] {
            let found = problem("tiny-imagenet", |dir| sort(dir, list_too));
            assert!(found.contains("has its val images sorted into class folders (val/n1, ..): move them"), "{found}");
        }
        let found = problem("tiny-imagenet", |dir| fs::remove_file(dir.join("val/images/val_1.JPEG")).unwrap());
        assert!(found.contains("lacks ") && found.contains("val/images/val_1.JPEG"), "{found}");
        let found = problem("class-folders", |dir| {
            fs::rename(dir.join("train/n1/x0.JPEG"), dir.join("train/n1/x00.JPEG")).unwrap();
        });
        assert!(found.contains("x0.JPEG is no longer there") && !found.contains("permissions"), "{found}");
    }
}
