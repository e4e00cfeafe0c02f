//! A described folder as the text of a manifest.

use super::before::{Before, folder_name};
use super::describe::{Found, HowToDescribe, Values, wrong};
use crate::augment::evaluate::Shape;
use crate::error::DataError;
use crate::manifest::Manifest;

/// More decoded bytes than this are streamed.
const MOST_BYTES: usize = 2 << 30;
/// What nobody has stated yet.
pub(super) const NO_LICENCE: &str = "none stated";

/// Whether so many images of this shape are read while they are used.
pub(super) fn streams(images: usize, shape: [usize; 3]) -> bool {
    images.saturating_mul(shape.iter().product()) > MOST_BYTES
}

impl Found {
    pub(super) fn manifest(&self, how: &HowToDescribe, values: &Values) -> Result<Manifest, DataError> {
        Manifest::parse(&self.text(how, values))
            .map_err(|problem| wrong(&self.dir, format!("cannot be used: {problem}")))
    }

    /// The shape that images get: of `how`'s side, one that somebody wrote by hand, or of `side`.
    pub(super) fn shape(&self, how: &HowToDescribe, channels: usize, side: usize) -> Shape {
        let square = |side| Shape { shape: [channels, side, side], resize: side };
        match (how.side, Before::of(self.before.as_ref()).shape()) {
            (Some(side), _) => square(side),
            (None, Some(Shape { shape: [_, height, width], resize })) => {
                Shape { shape: [channels, height, width], resize }
            }
            (None, None) => square(side),
        }
    }

    /// What is told of the manifest that was there: what stays of it, and a size that does not.
    pub(super) fn told_of_before(&self, how: &HowToDescribe, shape: &Shape) -> Vec<String> {
        let before = Before::of(self.before.as_ref());
        let classes: Vec<&str> = self.classes.iter().map(String::as_str).collect();
        let by_hand = how.side.is_none() && before.shape().is_some();
        let (default, split) = (Before::of(None).split(&HowToDescribe::default()), before.split(how));
        let kept = [
            ("name", how.name.is_none() && before.name().is_some_and(|name| name != folder_name(&self.dir))),
            ("title", before.title().is_some()),
            ("licence", before.licence().is_some()),
            ("homepage", before.homepage().is_some()),
            ("class_names", before.class_names(&classes) != classes),
            ("shape", by_hand),
            ("resize", by_hand),
            ("test_folder", self.test.is_some() && self.test.as_deref() == before.test_folder()),
            ("test_split", self.test.is_none() && split != default && Some(split) == before.test_split()),
            ("stream", before.stream().is_some()),
        ];
        let kept: Vec<_> = kept.iter().filter(|(_, kept)| *kept).map(|(key, _)| format!("`{key}`")).collect();
        let mut told = Vec::new();
        if !kept.is_empty() {
            told.push(format!("kept of the manifest that was there: {}; remove it to start afresh", kept.join(", ")));
        }
        let gone = before.names_of_gone(&classes).into_iter();
        told.extend(
            gone.map(|[folder, name]| {
                format!("no class has the name `{name}` now, since the folder `{folder}` is gone")
            }),
        );
        let side = before.side().filter(|side| how.side.is_none() && *side != shape.resize);
        told.extend(side.map(|side| {
            let [_, height, width] = shape.shape;
            format!("images become {height}x{width} now; they became {side}x{side} by the manifest that was there")
        }));
        told
    }

    pub(super) fn text(&self, how: &HowToDescribe, values: &Values) -> String {
        let quoted = |text: &str| toml::Value::String(text.to_owned()).to_string();
        let names = |names: &[&str]| names.iter().map(|name| quoted(name)).collect::<Vec<_>>().join(", ");
        let list = |values: &[f64]| values.iter().map(|value| format!("{value:.4}")).collect::<Vec<_>>().join(", ");
        let ([train, test], [channels, height, width]) = (self.counts, values.shape.shape);
        let before = Before::of(self.before.as_ref());
        let stream = before.stream().unwrap_or_else(|| streams(train + test, values.shape.shape));
        let digest =
            values.digest.as_ref().map_or_else(String::new, |digest| format!("digest = \"sha256:{digest}\"\n"));
        let split = before.split(how);
        let tested = match &self.test {
            Some(folder) => format!("test_folder = {}", quoted(folder)),
            None => format!(
                "# In each class, by the SHA-256 of `<seed>/<class>/<file name>`.\ntest_split = {{ seed = {}, \
                 percent = {} }}",
                split.seed, split.percent
            ),
        };
        let classes: Vec<&str> = self.classes.iter().map(String::as_str).collect();
        format!(
            "# Found by reading every image; `folder` is relative to this file. Who describes the folder again keeps \
             what is\n# written here by hand of all but counts, mean, std, digest and channels.\n\
             name = {}\ntitle = {}\nlicence = {}\nhomepage = {}\nlayout = \"class-folders\"\nfolder = {}\n\
             classes = {}\nclass_names = [{}]\nshape = [{channels}, {height}, {width}]\nmean = [{}]\nstd = [{}]\n\
             normalisation = \"mean and standard deviation of pixel/255 over the training images, at this shape\"\n\
             {digest}\n\
             [counts]\ntrain = {train}\ntest = {test}\n\n[images]\nclass_ids = [{}]\n\
             # The shorter side becomes this, then the centre is cut out.\nresize = {}\n{tested}\nstream = \
             {stream}\n",
            quoted(&self.name),
            quoted(before.title().unwrap_or(&self.name)),
            quoted(before.licence().unwrap_or(NO_LICENCE)),
            quoted(before.homepage().unwrap_or_default()),
            quoted(&self.way.to_string_lossy()),
            self.classes.len(),
            names(&before.class_names(&classes)),
            list(&values.mean),
            list(&values.std),
            names(&classes),
            values.shape.resize,
        )
    }
}
