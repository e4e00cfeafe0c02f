//! From a folder of class folders to its manifest.

use crate::augment::evaluate::{Shape, evaluation};
use crate::error::{Advice, DataError};
use crate::format::picture::Picture;
use crate::manifest::digest::Digest;
use crate::manifest::{Manifest, TestSplit};
use crate::options::LoadOptions;
use crate::place::cache::Cache;
use crate::place::encoded::{Content, Store};
use crate::place::folder::is_image;
use crate::place::trust;
use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The manifest's file in a folder of one's own.
pub(super) const MANIFEST: &str = "dataset.toml";
/// The largest side of an image that is taken by itself.
const LARGEST: usize = 224;
/// More decoded bytes than this are streamed.
const MOST_BYTES: usize = 2 << 30;
/// What a folder of test images may be called; the first that is there is taken.
const TEST_FOLDERS: [&str; 4] = ["test", "val", "valid", "validation"];

/// What a folder does not say by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HowToDescribe {
    /// The data set's name; by default the folder's.
    pub name: Option<String>,
    /// Height and width of the images; by default the shortest side of any of them, at most 224.
    pub side: Option<usize>,
    /// How test images are chosen where there is one folder a class and no more.
    pub test_split: TestSplit,
}

impl Default for HowToDescribe {
    fn default() -> Self {
        Self { name: None, side: None, test_split: TestSplit { seed: 0, percent: 20 } }
    }
}

/// A manifest, and what is worth knowing about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Described {
    /// The manifest in TOML, as it is to stand in the folder itself.
    pub text: String,
    /// The folder, absolute.
    pub dir: PathBuf,
    /// Sentences about the folder.
    pub notes: Vec<String>,
}

impl Described {
    /// The manifest as it is to stand in `file`: with the way from there to the images.
    ///
    /// # Errors
    /// [`DataError::Own`] if the folder of `file` is not there.
    pub fn in_file(&self, file: &Path) -> Result<String, DataError> {
        let beside = file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let beside =
            fs::canonicalize(beside).map_err(|error| wrong(beside, format!("cannot hold a manifest ({error})")))?;
        let folder = match self.dir.strip_prefix(&beside) {
            Ok(below) if below.as_os_str().is_empty() => Path::new("."),
            Ok(below) => below,
            Err(_) => &self.dir,
        };
        let folder = toml::Value::String(folder.to_string_lossy().into_owned());
        Ok(self.text.replacen("folder = \".\"", &format!("folder = {folder}"), 1))
    }
}

/// Makes the manifest of the images in `dir`, which holds a folder a class, or `train` and `test` (or `val`) with a
/// folder a class each: counts, classes, image size, mean, standard deviation and the digest of the content. Reads and
/// decodes every image.
///
/// # Errors
/// [`DataError::Own`] for a folder that is not so or an image that cannot be used, [`DataError::Interrupted`] if
/// `options.stop` says so.
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
    let fingerprint = fingerprint.map_err(|error| error.of_own(dir))?;
    let key = Digest::sha256(dir.as_os_str().as_encoded_bytes()).hex;
    if let Some(text) = cache.described(&key, &fingerprint) {
        return Ok(Described { text, dir: dir.to_owned(), notes: Vec::new() });
    }
    let described = found.described(how, options)?;
    if let Err(problem) = cache.remember_described(&key, &fingerprint, &described.text) {
        options.notice.say(&format!("what {} holds is not written down: {}", dir.display(), problem.text));
    }
    described.notes.iter().for_each(|note| options.notice.say(note));
    Ok(described)
}

fn wrong(dir: &Path, problem: String) -> DataError {
    let next = Advice::from(
        "make it hold a folder of images (PNG, JPEG) for each class, or `train` and `test` with one for each class",
    );
    DataError::Own { path: dir.to_owned(), problem, next }
}

/// A folder that was looked at; no image was read.
struct Found {
    dir: PathBuf,
    name: String,
    classes: Vec<String>,
    /// The folder of test images beside `train`, if there are these.
    test: Option<&'static str>,
    /// Images in each split.
    counts: [usize; 2],
    notes: Vec<String>,
}

/// What reading the images tells.
struct Values {
    channels: usize,
    side: usize,
    mean: Vec<f64>,
    std: Vec<f64>,
    digest: Option<String>,
}

impl Default for Values {
    /// Of a manifest by which images are only found.
    fn default() -> Self {
        Self { channels: 3, side: 1, mean: vec![0.0; 3], std: vec![1.0; 3], digest: None }
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

/// The number of images in a class's folder, of which there must be `least`.
fn count(dir: &Path, least: usize) -> Result<usize, DataError> {
    let unreadable = |error| wrong(dir, format!("cannot be read ({error})"));
    let entries = fs::read_dir(dir).map_err(unreadable)?.collect::<Result<Vec<_>, _>>().map_err(unreadable)?;
    match entries.iter().filter(|entry| is_image(&entry.path())).count() {
        few if few < least => Err(wrong(dir, format!("has {few} images (*.png, *.jpg, *.jpeg), not at least {least}"))),
        count => Ok(count),
    }
}

impl Found {
    fn look(dir: &Path, how: &HowToDescribe) -> Result<Self, DataError> {
        let own = dir.file_name().map_or("images".into(), |name| name.to_string_lossy().into_owned());
        let name = how.name.clone().unwrap_or(own);
        let inside = folders(dir)?;
        let mut notes = Vec::new();
        let (classes, test, counts) = if inside.iter().any(|name| name == "train") {
            let there: Vec<_> = TEST_FOLDERS.into_iter().filter(|name| inside.iter().any(|i| i == name)).collect();
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
            let sum = |split: &str| classes.iter().map(|class| count(&dir.join(split).join(class), 1)).sum();
            let counts: [Result<usize, DataError>; 2] = [sum("train"), sum(test)];
            let [train, tested] = counts;
            (classes, Some(test), [train?, tested?])
        } else {
            let all: Vec<usize> = inside.iter().map(|class| count(&dir.join(class), 2)).collect::<Result<_, _>>()?;
            let held = |&n: &usize| how.test_split.held_out(n);
            let test: usize = all.iter().map(held).sum();
            (inside, None, [all.iter().sum::<usize>() - test, test])
        };
        if classes.len() < 2 {
            return Err(wrong(dir, format!("has {} class folders, not at least two", classes.len())));
        }
        Ok(Self { dir: dir.to_owned(), name, classes, test, counts, notes })
    }

    /// Reads all images.
    fn described(mut self, how: &HowToDescribe, options: &LoadOptions) -> Result<Described, DataError> {
        let failed = |error: DataError| error.of_own(&self.dir);
        let manifest = self.manifest(how, &Values::default())?;
        let store = Store::in_folder(&manifest, &self.dir).map_err(failed)?;
        let seen = trust::digest_all(&store, &manifest, options, Picture::size).map_err(failed)?;
        let sizes = || seen.train.made.iter().chain(&seen.test.made);
        let shortest = sizes().map(|[height, width, _]| *height.min(width)).min().unwrap_or(1);
        let side = how.side.unwrap_or(shortest.min(LARGEST));
        let channels = if sizes().all(|size| size[2] == 1) { 1 } else { 3 };
        let shape = Shape { shape: [channels, side, side], resize: side };
        // Of one split at a time: sums of whole numbers, which no order changes.
        let measured = store.train.content(&options.stop, |encoded| {
            let mut planes = vec![0; channels * side * side];
            evaluation(&shape, encoded, &mut planes)?;
            let sums = planes.chunks_exact(side * side).map(|plane| {
                let square = |&value: &u8| u64::from(value) * u64::from(value);
                [plane.iter().map(|&value| u64::from(value)).sum::<u64>(), plane.iter().map(square).sum()]
            });
            Ok(sums.collect::<Vec<[u64; 2]>>())
        });
        let measured: Content<Vec<[u64; 2]>> = measured.map_err(|problem| match options.stop.requested() {
            true => DataError::Interrupted { dataset: self.name.clone() },
            false => wrong(&self.dir, format!("changed while it was read: {problem}")),
        })?;
        let pixels = (measured.made.len() * side * side) as f64;
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
        let twice = twice(&seen.train, &seen.test);
        if twice > 0 {
            self.notes.push(format!("{twice} test images of {} are training images, too", self.name));
        }
        let values = Values { channels, side, mean, std, digest: Some(seen.digest) };
        let text = self.text(how, &values);
        self.manifest(how, &values)?;
        Ok(Described { text, dir: self.dir, notes: self.notes })
    }

    fn manifest(&self, how: &HowToDescribe, values: &Values) -> Result<Manifest, DataError> {
        Manifest::parse(&self.text(how, values))
            .map_err(|problem| wrong(&self.dir, format!("cannot be used: {problem}")))
    }

    fn text(&self, how: &HowToDescribe, values: &Values) -> String {
        let quoted = |text: &str| toml::Value::String(text.to_owned()).to_string();
        let classes = self.classes.iter().map(|class| quoted(class)).collect::<Vec<_>>().join(", ");
        let list = |values: &[f64]| values.iter().map(|value| format!("{value:.4}")).collect::<Vec<_>>().join(", ");
        let ([train, test], side, channels) = (self.counts, values.side, values.channels);
        let stream = (train + test).saturating_mul(channels * side * side) > MOST_BYTES;
        let digest =
            values.digest.as_ref().map_or_else(String::new, |digest| format!("digest = \"sha256:{digest}\"\n"));
        let tested = match self.test {
            Some(folder) => format!("test_folder = {}", quoted(folder)),
            None => format!(
                "# In each class, by the SHA-256 of `<seed>/<class>/<file name>`.\ntest_split = {{ seed = {}, \
                 percent = {} }}",
                how.test_split.seed, how.test_split.percent
            ),
        };
        format!(
            "# Found by reading every image; `folder` is relative to this file.\nname = {}\ntitle = {}\n\
             licence = \"none stated\"\nhomepage = \"\"\nlayout = \"class-folders\"\nfolder = \".\"\nclasses = {}\n\
             class_names = [{classes}]\nshape = [{channels}, {side}, {side}]\nmean = [{}]\nstd = [{}]\n\
             normalisation = \"mean and standard deviation of pixel/255 over the training images, at this shape\"\n\
             {digest}\n\
             [counts]\ntrain = {train}\ntest = {test}\n\n[images]\nclass_ids = [{classes}]\n\
             # The shorter side becomes this, then the centre is cut out.\nresize = {side}\n{tested}\nstream = \
             {stream}\n",
            quoted(&self.name),
            quoted(&self.name),
            self.classes.len(),
            list(&values.mean),
            list(&values.std),
        )
    }
}

/// How many test images are training images, too.
fn twice<T>(train: &Content<T>, test: &Content<T>) -> usize {
    let hash = |line: &'_ str| line.split(' ').next().map(str::to_owned);
    let trained: HashSet<_> = train.lines.lines().map(hash).collect();
    test.lines.lines().filter(|line| trained.contains(&hash(line))).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::load;
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
            let how = HowToDescribe { test_split: TestSplit { seed, percent }, ..HowToDescribe::default() };
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
        assert!(empty.contains("val/b has 0 images (*.png, *.jpg, *.jpeg), not at least 1"), "{empty}");
        let damaged = problem(&|dir| fs::write(dir.join("train/a/0.png"), "<html>").unwrap());
        assert!(damaged.contains("train/a/0.png") && damaged.contains("replace or remove what is wrong"), "{damaged}");
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
        let text = describe(&dir, &HowToDescribe::default(), &options).unwrap().in_file(&dir.join(MANIFEST)).unwrap();
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
            let how = HowToDescribe { name: Some(name.to_owned()), ..HowToDescribe::default() };
            let file = parent.path().join(format!("{name}.toml"));
            fs::write(&file, describe(&other, &how, &options).unwrap().in_file(&file).unwrap()).unwrap();
            let taken = resolve(file.to_str().unwrap(), &options).unwrap_err().to_string();
            assert!(taken.contains(&format!("has the name `{name}`, which")), "{taken}");
        }
    }
}
