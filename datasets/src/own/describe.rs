//! From a folder of class folders to its manifest.

use super::before::{self, Before};
use super::notes;
use crate::augment::evaluate::{Shape, evaluation};
use crate::error::{Advice, DataError};
use crate::format::picture::Picture;
use crate::manifest::Manifest;
use crate::manifest::digest::Digest;
use crate::options::LoadOptions;
use crate::place::cache::Cache;
use crate::place::encoded::{Content, Store};
use crate::place::folder::is_image;
use crate::place::trust;
use std::fs;
use std::path::{Path, PathBuf};

/// The manifest's file in a folder of one's own.
pub(super) const MANIFEST: &str = "dataset.toml";
/// The largest side of an image that is taken by itself.
const LARGEST: usize = 224;
/// What a folder of test images may be called; the first that is there is taken.
const TEST_FOLDERS: [&str; 4] = ["test", "val", "valid", "validation"];

/// What a folder does not say by itself. What is left out is as somebody wrote it into the manifest that is there
/// already, and else the default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HowToDescribe {
    /// Where the manifest is to stand; by default `dataset.toml` in the folder.
    pub file: Option<PathBuf>,
    /// The data set's name; by default the folder's.
    pub name: Option<String>,
    /// Height and width of the images; by default the shortest side of any of them, at most 224.
    pub side: Option<usize>,
    /// Where there is one folder a class and no more: test images in a hundred; by default 20.
    pub test_percent: Option<u8>,
    /// Which images these are; by default 0.
    pub split_seed: Option<u64>,
}

/// A manifest, and what is worth knowing about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Described {
    /// The manifest in TOML.
    pub text: String,
    /// Where it is to stand.
    pub file: PathBuf,
    /// Sentences about the folder.
    pub notes: Vec<String>,
}

/// Makes the manifest of the images in `dir`, which holds a folder a class, or `train` and `test` (or `val`) with a
/// folder a class each: counts, classes, image size, mean, standard deviation and the digest of the content. Reads and
/// decodes every image. Where there is a manifest of the folder already, what somebody may have written into it stays:
/// name, title, licence, homepage, names of classes, split, a shape that is no square or cut out of larger images.
///
/// # Errors
/// [`DataError::Own`] for a folder that is not so, an image that cannot be used or a file in the manifest's place that
/// is none of this folder, [`DataError::Interrupted`] if `options.stop` says so.
pub fn describe(dir: &Path, how: &HowToDescribe, options: &LoadOptions) -> Result<Described, DataError> {
    let dir = fs::canonicalize(dir).map_err(|error| wrong(dir, format!("cannot be found ({error})")))?;
    Found::look(&dir, how)?.described(how, options)
}

/// [`describe`], from the cache if the files look as they did then.
pub(super) fn described(dir: &Path, how: &HowToDescribe, options: &LoadOptions) -> Result<Described, DataError> {
    let found = Found::look(dir, how)?;
    let manifest = found.manifest(how, &Values::default())?;
    let Some(cache) = Cache::of(options) else { return found.described(how, options) };
    let fingerprint = Store::in_folder(&manifest, dir).and_then(|store| store.fingerprint(&manifest));
    let fingerprint = fingerprint.map_err(|error| error.of_own(dir, None))?;
    let key = Digest::sha256(dir.as_os_str().as_encoded_bytes()).hex;
    if let Some(text) = cache.described(&key, &fingerprint) {
        return Ok(Described { text, file: found.file, notes: Vec::new() });
    }
    let described = found.described(how, options)?;
    if let Err(problem) = cache.remember_described(&key, &fingerprint, &described.text) {
        options.notice.say(&format!("what {} holds is not written down: {}", dir.display(), problem.text));
    }
    described.notes.iter().for_each(|note| options.notice.say(note));
    Ok(described)
}

pub(super) fn wrong(dir: &Path, problem: String) -> DataError {
    let next = Advice::from(
        "make it hold a folder of images (PNG, JPEG) for each class, or `train` and `test` with one for each class",
    );
    DataError::Own { path: dir.to_owned(), problem, next }
}

/// A folder that was looked at; no image was read.
pub(super) struct Found {
    pub(super) dir: PathBuf,
    /// Where its manifest is to stand.
    pub(super) file: PathBuf,
    /// The way to the folder from there.
    pub(super) way: PathBuf,
    /// The manifest that stands there already.
    pub(super) before: Option<Manifest>,
    pub(super) name: String,
    pub(super) classes: Vec<String>,
    /// The folder of test images beside `train`, if there are these.
    pub(super) test: Option<String>,
    /// Images in each split.
    pub(super) counts: [usize; 2],
    pub(super) notes: Vec<String>,
}

/// What reading the images tells.
pub(super) struct Values {
    pub(super) shape: Shape,
    pub(super) mean: Vec<f64>,
    pub(super) std: Vec<f64>,
    pub(super) digest: Option<String>,
}

impl Default for Values {
    /// Of a manifest by which images are only found.
    fn default() -> Self {
        let shape = Shape { shape: [3, 1, 1], resize: 1 };
        Self { shape, mean: vec![0.0; 3], std: vec![1.0; 3], digest: None }
    }
}

/// The names of the folders in `dir`, sorted, without hidden ones.
fn folders(dir: &Path) -> Result<Vec<String>, DataError> {
    let unreadable = |error| wrong(dir, format!("cannot be read ({error})"));
    let mut names = Vec::new();
    for entry in fs::read_dir(dir).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let Ok(name) = entry.file_name().into_string() else {
            return Err(wrong(dir, format!("has a folder or file whose name is no text: {:?}", entry.file_name())));
        };
        if entry.path().is_dir() && !name.starts_with('.') {
            names.push(name);
        }
    }
    names.sort_unstable();
    Ok(names)
}

/// The number of images in a class's folder, of which there must be `least`; what else lies there goes to `others`.
fn count(dir: &Path, least: usize, others: &mut Vec<PathBuf>) -> Result<usize, DataError> {
    let unreadable = |error| wrong(dir, format!("cannot be read ({error})"));
    let mut paths = Vec::new();
    for entry in fs::read_dir(dir).map_err(unreadable)? {
        paths.push(entry.map_err(unreadable)?.path());
    }
    paths.sort_unstable();
    let hidden = |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
    let (images, rest): (Vec<_>, Vec<_>) = paths.into_iter().partition(|path| is_image(path));
    others.extend(rest.into_iter().filter(|path| !hidden(path)));
    if images.len() < least {
        let noun = if images.len() == 1 { "image" } else { "images" };
        let why = if least == 1 { "one" } else { "two, one of them for testing" };
        let folders = others.iter().any(|path| path.parent() == Some(dir) && path.is_dir());
        let deep = if folders { ", and folders in it, which are not looked into" } else { "" };
        let problem = format!("has {} {noun} (*.png, *.jpg, *.jpeg){deep}; a class needs at least {why}", images.len());
        let next = "put images into it, or remove it if it is no class".into();
        return Err(DataError::Own { path: dir.to_owned(), problem, next });
    }
    Ok(images.len())
}

impl Found {
    fn look(dir: &Path, how: &HowToDescribe) -> Result<Self, DataError> {
        let file = how.file.clone().unwrap_or_else(|| dir.join(MANIFEST));
        let way = before::way(&file, dir)?;
        let manifest = before::earlier(&file, dir)?;
        let before = Before::of(manifest.as_ref());
        let own = before::folder_name(dir);
        let name = how.name.as_deref().or(before.name()).map_or(own, str::to_owned);
        let inside = folders(dir)?;
        let (mut notes, mut others) = (Vec::new(), Vec::new());
        let (classes, test, counts) = if inside.iter().any(|name| name == "train") {
            let is_there = |name: &&str| inside.iter().any(|inside| inside == name);
            let mut there: Vec<&str> = before.test_folder().into_iter().filter(is_there).collect();
            there.extend(TEST_FOLDERS.into_iter().filter(|name| is_there(name) && before.test_folder() != Some(name)));
            let Some(&test) = there.first() else {
                return Err(wrong(dir, "has a folder `train`, and none called `test` or `val`".to_owned()));
            };
            if let Some(other) = there.get(1) {
                notes.push(format!("the images in `{other}` are not used: those in `{test}` are the test images"));
            }
            let (classes, tested) = (folders(&dir.join("train"))?, folders(&dir.join(test))?);
            let lacks = |a: &str, some: &[String], b: &str, others: &[String]| {
                let lacking = others.iter().find(|class| !some.contains(class));
                lacking.map_or(Ok(()), |class| {
                    Err(wrong(dir, format!("has no class `{class}` in `{a}`, which `{b}` has")))
                })
            };
            lacks(test, &tested, "train", &classes)?;
            lacks("train", &classes, test, &tested)?;
            let mut sum = |split: &str| -> Result<usize, DataError> {
                classes.iter().map(|class| count(&dir.join(split).join(class), 1, &mut others)).sum()
            };
            let counts = [sum("train")?, sum(test)?];
            (classes, Some(test.to_owned()), counts)
        } else {
            let mut count = |class| count(&dir.join(class), 2, &mut others);
            let all: Vec<usize> = inside.iter().map(&mut count).collect::<Result<_, _>>()?;
            let split = before.split(how);
            let held = |&n: &usize| split.held_out(n);
            let test: usize = all.iter().map(held).sum();
            (inside, None, [all.iter().sum::<usize>() - test, test])
        };
        if classes.len() < 2 {
            return Err(wrong(dir, format!("has {} class folders, not at least two", classes.len())));
        }
        notes.extend(notes::passed_over(dir, &others));
        Ok(Self { dir: dir.to_owned(), file, way, before: manifest, name, classes, test, counts, notes })
    }

    /// Reads all images.
    fn described(mut self, how: &HowToDescribe, options: &LoadOptions) -> Result<Described, DataError> {
        // Nobody is told to describe a folder that is being described.
        let failed = |error: DataError| error.of_own(&self.dir, None);
        let manifest = self.manifest(how, &Values::default())?;
        let store = Store::in_folder(&manifest, &self.dir).map_err(failed)?;
        let seen = trust::digest_all(&store, &manifest, options, Picture::size).map_err(failed)?;
        let channels = if seen.train.made.iter().chain(&seen.test.made).all(|size| size[2] == 1) { 1 } else { 3 };
        let sides = notes::Sides::of(&store, &seen);
        let shape = self.shape(how, channels, sides.shortest().min(LARGEST));
        let before = Before::of(self.before.as_ref());
        let chosen = how.side.is_some() || before.shape().is_some();
        self.notes.extend(sides.note(&self.dir, &shape, chosen));
        let [_, height, width] = shape.shape;
        // Of one split at a time: sums of whole numbers, which no order changes.
        let measured = store.train.content(&options.stop, |encoded| {
            let mut planes = vec![0; channels * height * width];
            evaluation(&shape, encoded, &mut planes)?;
            let sums = planes.chunks_exact(height * width).map(|plane| {
                let square = |&value: &u8| u64::from(value) * u64::from(value);
                [plane.iter().map(|&value| u64::from(value)).sum::<u64>(), plane.iter().map(square).sum()]
            });
            Ok(sums.collect::<Vec<[u64; 2]>>())
        });
        let measured: Content<Vec<[u64; 2]>> = measured.map_err(|problem| match options.stop.requested() {
            true => DataError::Interrupted { dataset: self.name.clone() },
            false => wrong(&self.dir, format!("changed while it was read: {problem}")),
        })?;
        let pixels = (measured.made.len() * height * width) as f64;
        let (mut mean, mut std) = (Vec::new(), Vec::new());
        for channel in 0..channels {
            let total = |at: usize| measured.made.iter().map(|sums| sums[channel][at]).sum::<u64>() as f64 / pixels;
            let (first, second) = (total(0) / 255.0, total(1) / (255.0 * 255.0));
            mean.push(first);
            std.push((second - first * first).max(0.0).sqrt());
        }
        if std.iter().any(|&std| std < 5e-5) {
            return Err(wrong(&self.dir, "has training images that are all of one colour".to_owned()));
        }
        self.notes.extend(notes::twice(&self.name, &seen));
        self.notes.extend(self.told_of_before(how, &shape));
        let values = Values { shape, mean, std, digest: Some(seen.digest) };
        let text = self.text(how, &values);
        self.manifest(how, &values)?;
        Ok(Described { text, file: self.file, notes: self.notes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::load;
    use crate::manifest::TestSplit;
    use crate::own::resolve;
    use crate::testing::options_in;

    /// A folder `name` with these images of one value each, of 4 x 6 pixels; the first row is black.
    fn folder(parent: &Path, name: &str, images: &[(&str, u8)]) -> PathBuf {
        let dir = parent.join(name);
        for (path, value) in images {
            let path = dir.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            let pixels = [vec![0; 6], vec![*value; 18]].concat();
            fs::write(path, Picture { width: 6, height: 4, channels: 1, pixels }.encode_png()).unwrap();
        }
        fs::canonicalize(dir).unwrap()
    }

    const SPLIT: [(&str, u8); 4] =
        [("train/b/0.png", 100), ("train/a/0.png", 200), ("val/a/0.PNG", 10), ("val/b/0.png", 20)];

    #[test]
    fn a_folder_is_described_by_what_is_in_it() {
        let parent = tempfile::tempdir().unwrap();
        let dir = folder(parent.path(), "own-squares", &SPLIT);
        let options = options_in(parent.path());
        let manifest = resolve(dir.to_str().unwrap(), &options).unwrap();
        assert_eq!(
            (manifest.name.as_str(), &manifest.class_names[..]),
            ("own-squares", &["a", "b"].map(str::to_owned)[..])
        );
        assert_eq!((manifest.shape, manifest.counts.train, manifest.counts.test), ([1, 4, 4], 2, 2));
        // 4 of 16 pixels are black, the others 100 / 255 and 200 / 255.
        let mean = 0.75 * (100.0 + 200.0) / 2.0 / 255.0;
        let square = 0.75 * (100.0f64.powi(2) + 200.0f64.powi(2)) / 2.0 / 255.0f64.powi(2);
        assert!((f64::from(manifest.mean[0]) - mean).abs() < 1e-4, "{:?}", manifest.mean);
        assert!((f64::from(manifest.std[0]) - (square - mean * mean).sqrt()).abs() < 1e-4, "{:?}", manifest.std);

        let data = load("own-squares", &options).unwrap();
        assert_eq!((data.verified, data.source.as_str()), (true, "a folder of one's own"));
        assert_eq!(Some(data.digest), manifest.digest.as_ref().map(|digest| digest.hex.clone()));
        // The second time nothing is read: an image that changed without a trace is not seen here, but where it is
        // used.
        let again = described(&dir, &HowToDescribe::default(), &options).unwrap();
        assert_eq!(Manifest::parse(&again.text).unwrap().digest, manifest.digest);
    }

    #[test]
    fn one_folder_is_split_by_seed_in_every_class() {
        let parent = tempfile::tempdir().unwrap();
        let names: Vec<String> = (0..20).map(|i| format!("{}/{i}.png", ["x", "y"][i % 2])).collect();
        let images: Vec<(&str, u8)> =
            names.iter().enumerate().map(|(i, name)| (name.as_str(), 50 + 7 * i as u8)).collect();
        let dir = folder(parent.path(), "own-one-folder", &images);
        let split = |seed, percent| {
            let how = HowToDescribe { test_percent: Some(percent), split_seed: Some(seed), ..HowToDescribe::default() };
            let text = describe(&dir, &how, &options_in(parent.path())).unwrap().text;
            let manifest = Manifest::parse(&text).unwrap();
            let store = Store::in_folder(&manifest, &dir).unwrap();
            assert_eq!((store.train.len(), store.test.len()), (manifest.counts.train, manifest.counts.test));
            (0..store.test.len()).map(|image| (store.test.labels[image], store.test.name(image))).collect::<Vec<_>>()
        };
        let held = split(0, 20);
        assert_eq!(held.iter().map(|image| image.0).collect::<Vec<_>>(), [0, 0, 1, 1]);
        assert_eq!(held, split(0, 20));
        assert_eq!(split(0, 1).len(), 2, "at least one of each class");
        assert!((1..5).any(|seed| split(seed, 20) != held), "no seed decides");
    }

    /// Writes `text` changed by these words into the folder, with an image more, and gives what comes of it.
    fn described_again(dir: &Path, text: &str, changes: &[(&str, &str)], how: &HowToDescribe) -> (Manifest, String) {
        let mut text = text.to_owned();
        for (from, to) in changes {
            assert!(text.contains(from), "{from} in {text}");
            text = text.replace(from, to);
        }
        fs::write(dir.join(MANIFEST), text).unwrap();
        let again = describe(dir, how, &options_in(dir.parent().unwrap())).unwrap();
        (Manifest::parse(&again.text).unwrap(), again.notes.join("\n"))
    }

    #[test]
    fn what_somebody_wrote_stays_when_a_folder_is_described_again() {
        let parent = tempfile::tempdir().unwrap();
        let names = ["x/1.png", "x/2.png", "x/3.png", "y/1.png", "y/2.png", "y/3.png"];
        let images: Vec<(&str, u8)> = names.into_iter().zip(50..).collect();
        let dir = folder(parent.path(), "own-again", &images);
        let first = describe(&dir, &HowToDescribe::default(), &options_in(parent.path())).unwrap();
        assert_eq!((&first.notes[..], first.file), (&[][..], dir.join(MANIFEST)));
        let again = |changes: &[(&str, &str)], how: &HowToDescribe| described_again(&dir, &first.text, changes, how);
        folder(parent.path(), "own-again", &[("x/4.png", 99), ("z/1.png", 9), ("z/2.png", 8)]);
        let changes = [
            ("name = \"own-again\"", "name = \"squares\""),
            ("licence = \"none stated\"", "licence = \"CC0\""),
            ("class_names = [\"x\", \"y\"]", "class_names = [\"dark\", \"light\"]"),
            ("shape = [1, 4, 4]", "shape = [1, 3, 2]"),
            ("resize = 4", "resize = 3"),
            ("percent = 20", "percent = 60"),
            ("stream = false", "stream = true"),
        ];
        let (manifest, told) = again(&changes, &HowToDescribe::default());
        let kept = "kept of the manifest that was there: `name`, `title`, `licence`, `class_names`, `shape`, `resize`, \
                    `test_split`, `stream`;";
        assert!(told.contains(kept), "{told}");
        assert_eq!((manifest.name.as_str(), manifest.title.as_str()), ("squares", "own-again"));
        assert_eq!((manifest.licence.as_str(), manifest.shape), ("CC0", [1, 3, 2]));
        assert_eq!(manifest.class_names, ["dark", "light", "z"]);
        // 60 % of 4, 3 and 2 images, rounded.
        assert_eq!((manifest.counts.train, manifest.counts.test), (4, 5));
        assert!(manifest.images.unwrap().stream);
        // What is asked for beats it.
        let (name, side) = (Some("other".to_owned()), Some(4));
        let asked = HowToDescribe { name, side, test_percent: Some(20), split_seed: Some(7), file: None };
        let (manifest, told) = again(&changes, &asked);
        assert!(told.contains("there: `title`, `licence`, `class_names`, `stream`;"), "{told}");
        assert_eq!((manifest.name.as_str(), manifest.shape, manifest.counts.test), ("other", [1, 4, 4], 3));
        assert_eq!(manifest.images.unwrap().test_split, Some(TestSplit { seed: 7, percent: 20 }));
        // A title that nobody wrote follows the name; a square's side is found anew.
        let (manifest, told) =
            again(&[("shape = [1, 4, 4]", "shape = [1, 2, 2]"), ("resize = 4", "resize = 2")], &asked);
        assert_eq!((manifest.title.as_str(), told.as_str()), ("other", ""));
        let (manifest, told) = again(
            &[("shape = [1, 4, 4]", "shape = [1, 2, 2]"), ("resize = 4", "resize = 2")],
            &HowToDescribe::default(),
        );
        assert_eq!(manifest.shape, [1, 4, 4]);
        assert!(told.starts_with("images become 4x4 now; they became 2x2 by the manifest that was there"), "{told}");
        // The name of a class that is gone.
        fs::remove_dir_all(dir.join("y")).unwrap();
        let (manifest, told) = again(&changes[2..3], &HowToDescribe::default());
        assert_eq!(manifest.class_names, ["dark", "z"]);
        assert!(told.contains("no class has the name `light` now, since the folder `y` is gone"), "{told}");
    }

    #[test]
    fn a_file_that_is_no_manifest_of_the_folder_is_not_written_over() {
        let parent = tempfile::tempdir().unwrap();
        let (dir, other) = (folder(parent.path(), "one", &SPLIT), folder(parent.path(), "two", &SPLIT));
        let options = options_in(parent.path());
        let into = |file: PathBuf| {
            let how = HowToDescribe { file: Some(file), ..HowToDescribe::default() };
            describe(&dir, &how, &options).map_or_else(|error| error.to_string(), |described| described.text)
        };
        let mine = parent.path().join("mine.toml");
        let text = into(mine.clone());
        assert!(text.contains("folder = \"one\""), "{text}");
        fs::write(&mine, &text).unwrap();
        assert_eq!(into(mine), text);
        let others = other.join(MANIFEST);
        fs::write(&others, describe(&other, &HowToDescribe::default(), &options).unwrap().text).unwrap();
        let refused = into(others);
        assert!(refused.contains("is there and describes") && refused.contains("another place"), "{refused}");
        for (text, word) in [("name = ", "is no manifest"), ("", "is no manifest")] {
            fs::write(parent.path().join("wrong.toml"), text).unwrap();
            let refused = into(parent.path().join("wrong.toml"));
            assert!(refused.contains(word) && refused.contains("remove it to start afresh"), "{refused}");
        }
        let refused = into(parent.path().join("no/such.toml"));
        assert!(refused.contains("no cannot hold a manifest") && refused.contains("make that folder"), "{refused}");
        let refused = into(other);
        assert!(refused.contains("two cannot be a manifest") && refused.ends_with("another place for it"), "{refused}");
        // Of two folders of test images the one that somebody chose.
        folder(parent.path(), "one", &[("test/a/0.png", 77), ("test/b/0.png", 78)]);
        let first = describe(&dir, &HowToDescribe::default(), &options).unwrap().text;
        let chosen = [("test_folder = \"test\"", "test_folder = \"val\"")];
        let (manifest, told) = described_again(&dir, &first, &chosen, &HowToDescribe::default());
        assert_eq!(manifest.images.unwrap().test_folder.as_deref(), Some("val"));
        assert!(told.contains("the images in `test` are not used") && told.contains("`test_folder`"), "{told}");
    }

    #[test]
    fn what_is_odd_about_a_folder_is_told() {
        let parent = tempfile::tempdir().unwrap();
        let dir = folder(parent.path(), "own-odd", &SPLIT);
        let notes = |side| {
            let how = HowToDescribe { side, ..HowToDescribe::default() };
            describe(&dir, &how, &options_in(parent.path())).unwrap().notes
        };
        assert_eq!(notes(None), [""; 0]);
        fs::write(dir.join("train/a/scan.tiff"), "II*").unwrap();
        fs::write(dir.join("train/a/.DS_Store"), "").unwrap();
        assert_eq!(
            notes(None),
            ["only files *.png, *.jpg and *.jpeg in a class's folder are used: not train/a/scan.tiff"]
        );
        fs::create_dir(dir.join("val/b/more")).unwrap();
        assert_eq!(
            notes(None),
            ["only files *.png, *.jpg and *.jpeg in a class's folder are used: not train/a/scan.tiff (and 1 more)"]
        );
        // The small image is named wherever its content puts it.
        for (name, value) in [("val/a/thin.png", 7), ("train/b/thin.png", 8), ("train/a/thin.png", 9)] {
            let small = Picture { width: 2, height: 9, channels: 1, pixels: vec![value; 18] };
            fs::write(dir.join(name), small.encode_png()).unwrap();
            let why = format!(
                "all images become 2x2 since {name} is that small; half of them have 4 pixels or more on their shorter \
                 side: remove it and describe the folder again, or choose the size"
            );
            assert_eq!(notes(None)[1], why);
            let why =
                format!("1 of 5 images are enlarged to 4 pixels on their shorter side; the smallest is {name} with 2");
            assert_eq!(notes(Some(4))[1], why);
            assert_eq!(notes(Some(2)).len(), 1);
            fs::remove_file(dir.join(name)).unwrap();
        }
    }

    #[test]
    fn what_is_wrong_with_a_folder_is_named() {
        let problem = |change: &dyn Fn(&Path)| {
            let parent = tempfile::tempdir().unwrap();
            let dir = folder(parent.path(), "own-wrong", &SPLIT);
            change(&dir);
            let outcome = describe(&dir, &HowToDescribe::default(), &options_in(parent.path()));
            outcome.map_or_else(|error| error.to_string(), |described| described.notes.join(", "))
        };
        let lacking = problem(&|dir| fs::remove_dir_all(dir.join("val/b")).unwrap());
        assert!(lacking.contains("has no class `b` in `val`, which `train` has; make it hold"), "{lacking}");
        let strange = problem(&|dir| fs::create_dir(dir.join("val/c")).unwrap());
        assert!(strange.contains("has no class `c` in `train`, which `val` has"), "{strange}");
        let empty = problem(&|dir| fs::remove_file(dir.join("val/b/0.png")).unwrap());
        assert!(
            empty.contains("val/b has 0 images (*.png, *.jpg, *.jpeg); a class needs at least one; put images"),
            "{empty}"
        );
        let damaged = problem(&|dir| fs::write(dir.join("train/a/0.png"), "<html>").unwrap());
        assert!(damaged.contains("train/a/0.png") && damaged.ends_with("replace or remove what is wrong"), "{damaged}");
        let alone = problem(&|dir| {
            fs::remove_dir_all(dir.join("val")).unwrap();
            fs::rename(dir.join("train/a"), dir.join("a")).unwrap();
            fs::rename(dir.join("train/b"), dir.join("b")).unwrap();
            fs::remove_dir_all(dir.join("train")).unwrap();
        });
        assert!(alone.contains("/a has 1 image (*.png, *.jpg, *.jpeg); a class needs at least two"), "{alone}");
        let untested = problem(&|dir| fs::remove_dir_all(dir.join("val")).unwrap());
        assert!(untested.contains("has a folder `train`, and none called `test` or `val`"), "{untested}");
        let twice = problem(&|dir| fs::copy(dir.join("train/a/0.png"), dir.join("val/a/1.png")).map(|_| ()).unwrap());
        assert_eq!(twice, "1 test images of own-wrong are training images, too");
    }

    #[test]
    fn content_that_changed_since_it_was_described_is_refused() {
        let parent = tempfile::tempdir().unwrap();
        let dir = folder(parent.path(), "own-changed", &SPLIT);
        let options = options_in(parent.path());
        let text = describe(&dir, &HowToDescribe::default(), &options).unwrap().text;
        fs::write(dir.join(MANIFEST), text).unwrap();
        let manifest = resolve(dir.to_str().unwrap(), &options).unwrap();
        assert!(load(&manifest.name, &options).unwrap().verified);
        folder(parent.path(), "own-changed", &[("val/a/0.PNG", 11)]);
        let refused = load(&manifest.name, &options).unwrap_err();
        assert!(matches!(refused, DataError::Changed { first: None, .. }), "{refused:?}");
        let allowed = load(&manifest.name, &LoadOptions { allow_unverified: true, ..options.clone() }).unwrap();
        assert!(!allowed.verified && Some(&allowed.digest) != manifest.digest.as_ref().map(|digest| &digest.hex));
        folder(parent.path(), "own-changed", &[("val/a/1.png", 11)]);
        let refused = load(&manifest.name, &options).unwrap_err().to_string();
        assert!(refused.contains("has 3 images under val, not 2") && refused.contains("describe"), "{refused}");
        // A name that another data set has is no name.
        for name in ["mnist", "own-changed"] {
            let other = folder(parent.path(), "other", &SPLIT);
            let file = parent.path().join(format!("{name}.toml"));
            let (name, at) = (Some(name.to_owned()), Some(file.clone()));
            let how = HowToDescribe { name, file: at, ..HowToDescribe::default() };
            fs::write(&file, describe(&other, &how, &options).unwrap().text).unwrap();
            let taken = resolve(file.to_str().unwrap(), &options).unwrap_err().to_string();
            assert!(taken.contains(&format!("has the name `{}`, which", how.name.unwrap())), "{taken}");
        }
    }
}
