//! What is worth knowing about a folder of images, in sentences.

use crate::augment::evaluate::Shape;
use crate::place::encoded::{Content, EncodedSplit, Store};
use crate::place::trust::Seen;
use std::collections::HashSet;
use std::path::{Path, PathBuf};

/// What lies in the folders of classes and is no image.
pub(super) fn passed_over(dir: &Path, others: &[PathBuf]) -> Option<String> {
    let first = others.first()?;
    let name = first.strip_prefix(dir).unwrap_or(first).display();
    let more = if others.len() == 1 { String::new() } else { format!(" (and {} more)", others.len() - 1) };
    Some(format!("only files *.png, *.jpg and *.jpeg in a class's folder are used: not {name}{more}"))
}

/// How many test images are training images, too.
pub(super) fn twice<T>(name: &str, seen: &Seen<T>) -> Option<String> {
    let hash = |line: &'_ str| line.split(' ').next().map(str::to_owned);
    let trained: HashSet<_> = seen.train.lines.lines().map(hash).collect();
    match seen.test.lines.lines().filter(|line| trained.contains(&hash(line))).count() {
        0 => None,
        n => Some(format!("{n} test images of {name} are training images, too")),
    }
}

/// The shorter side of every image, with its split and its place there.
pub(super) struct Sides<'a>(Vec<(usize, &'a EncodedSplit, usize)>);

impl<'a> Sides<'a> {
    /// Of images of these heights, widths and channels; the smallest come first.
    pub(super) fn of(store: &'a Store, seen: &Seen<[usize; 3]>) -> Self {
        let of = |split: &'a EncodedSplit, content: &Content<[usize; 3]>| {
            let sides = content.made.iter().zip(&content.at);
            sides.map(|(size, &at)| (size[0].min(size[1]), split, at as usize)).collect::<Vec<_>>()
        };
        let mut all = [of(&store.train, &seen.train), of(&store.test, &seen.test)].concat();
        all.sort_by_key(|of| of.0);
        Self(all)
    }

    /// The shortest of all.
    pub(super) fn shortest(&self) -> usize {
        self.0.first().map_or(1, |of| of.0)
    }

    /// That images are enlarged, or that a small one decides about all where nobody has `chosen` the size.
    pub(super) fn note(&self, dir: &Path, shape: &Shape, chosen: bool) -> Option<String> {
        let (shortest, split, at) = *self.0.first()?;
        let name = split.name(at);
        let name = Path::new(&name).strip_prefix(dir).map_or(name.clone(), |name| name.display().to_string());
        let (all, resize) = (self.0.len(), shape.resize);
        let (smaller, median) = (self.0.partition_point(|of| of.0 < resize), self.0[all / 2].0);
        let [_, height, width] = shape.shape;
        if smaller > 0 {
            return Some(format!(
                "{smaller} of {all} images are enlarged to {resize} pixels on their shorter side; the smallest is \
                 {name} with {shortest}"
            ));
        }
        (!chosen && resize == shortest && median >= 2 * shortest).then(|| {
            format!(
                "all images become {height}x{width} since {name} is that small; half of them have {median} pixels or \
                 more on their shorter side: remove it and describe the folder again, or choose the size"
            )
        })
    }
}
