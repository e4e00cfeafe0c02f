//! A described folder as the text of a manifest, and what of an earlier one stays in it.

use super::describe::{Found, HowToDescribe, Values, wrong};
use crate::augment::evaluate::Shape;
use crate::error::DataError;
use crate::manifest::Manifest;

/// More decoded bytes than this are streamed.
const MOST_BYTES: usize = 2 << 30;
/// What nobody has stated yet.
const NO_LICENCE: &str = "none stated";

impl Found {
    pub(super) fn manifest(&self, how: &HowToDescribe, values: &Values) -> Result<Manifest, DataError> {
        Manifest::parse(&self.text(how, values))
            .map_err(|problem| wrong(&self.dir, format!("cannot be used: {problem}")))
    }

    /// The shape that images get: `how`'s side, or the earlier manifest's shape, or `side`.
    pub(super) fn shape(&self, how: &HowToDescribe, channels: usize, side: usize) -> Shape {
        let square = |side| Shape { shape: [channels, side, side], resize: side };
        match (how.side, &how.before) {
            (Some(side), _) => square(side),
            (None, Some(Manifest { shape: [_, height, width], images: Some(images), .. })) => {
                Shape { shape: [channels, *height, *width], resize: images.resize }
            }
            (None, _) => square(side),
        }
    }

    /// The names of the classes: the folders', or other ones of an earlier manifest of the same folders.
    fn class_names<'a>(&'a self, how: &'a HowToDescribe) -> &'a [String] {
        let before = how.before.as_ref();
        let same = |before: &&Manifest| before.images.as_ref().is_some_and(|images| images.class_ids == self.classes);
        before.filter(same).map_or(&self.classes, |before| &before.class_names)
    }

    /// What stays of an earlier manifest though it would be other `afresh`, as the shape of images would or not.
    pub(super) fn kept(&self, how: &HowToDescribe, afresh: &HowToDescribe, other_shape: bool) -> Option<String> {
        let before = how.before.as_ref()?;
        let folder = self.dir.file_name().unwrap_or_default().to_string_lossy();
        let split = |how: &HowToDescribe| self.test.is_none().then(|| how.test_split());
        let kept = [
            ("name", how.name.is_none() && before.name != folder),
            ("title", before.title != self.name),
            ("licence", before.licence != NO_LICENCE),
            ("homepage", !before.homepage.is_empty()),
            ("class_names", self.class_names(how) != self.classes),
            ("shape", other_shape),
            ("test_split", split(how) != split(afresh)),
        ];
        let kept: Vec<_> = kept.iter().filter(|(_, kept)| *kept).map(|(key, _)| format!("`{key}`")).collect();
        (!kept.is_empty()).then(|| {
            format!("{} stay as the manifest that was there has them; remove it to start afresh", kept.join(", "))
        })
    }

    pub(super) fn text(&self, how: &HowToDescribe, values: &Values) -> String {
        let quoted = |text: &str| toml::Value::String(text.to_owned()).to_string();
        let names = |names: &[String]| names.iter().map(|name| quoted(name)).collect::<Vec<_>>().join(", ");
        let list = |values: &[f64]| values.iter().map(|value| format!("{value:.4}")).collect::<Vec<_>>().join(", ");
        let ([train, test], [channels, height, width]) = (self.counts, values.shape.shape);
        let before = how.before.as_ref();
        let large = (train + test).saturating_mul(channels * height * width) > MOST_BYTES;
        let stream = large || before.and_then(|before| before.images.as_ref()).is_some_and(|images| images.stream);
        let digest =
            values.digest.as_ref().map_or_else(String::new, |digest| format!("digest = \"sha256:{digest}\"\n"));
        let split = how.test_split();
        let tested = match self.test {
            Some(folder) => format!("test_folder = {}", quoted(folder)),
            None => format!(
                "# In each class, by the SHA-256 of `<seed>/<class>/<file name>`.\ntest_split = {{ seed = {}, \
                 percent = {} }}",
                split.seed, split.percent
            ),
        };
        format!(
            "# Found by reading every image; `folder` is relative to this file. Describing the folder again keeps \
             name, title,\n# licence, homepage, class_names, shape, resize and test_split as they stand here.\n\
             name = {}\ntitle = {}\nlicence = {}\nhomepage = {}\nlayout = \"class-folders\"\nfolder = \".\"\n\
             classes = {}\nclass_names = [{}]\nshape = [{channels}, {height}, {width}]\nmean = [{}]\nstd = [{}]\n\
             normalisation = \"mean and standard deviation of pixel/255 over the training images, at this shape\"\n\
             {digest}\n\
             [counts]\ntrain = {train}\ntest = {test}\n\n[images]\nclass_ids = [{}]\n\
             # The shorter side becomes this, then the centre is cut out.\nresize = {}\n{tested}\nstream = \
             {stream}\n",
            quoted(&self.name),
            quoted(before.map_or(&self.name, |before| &before.title)),
            quoted(before.map_or(NO_LICENCE, |before| &before.licence)),
            quoted(before.map_or("", |before| &before.homepage)),
            self.classes.len(),
            names(self.class_names(how)),
            list(&values.mean),
            list(&values.std),
            names(&self.classes),
            values.shape.resize,
        )
    }
}
