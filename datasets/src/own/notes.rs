//! What is worth knowing about a folder of images, in sentences.

use crate::augment::evaluate::Shape;
use crate::place::encoded::{Content, Store};
use crate::place::trust::Seen;
use std::collections::HashSet;
use std::path::{Path, PathBuf};

/// What lies in the folders of classes and is no image.
pub(super) fn passed_over(dir: &Path, others: &[PathBuf]) -> Option<String> {
    let first = others.first()?;
    let name = first.strip_prefix(dir).unwrap_or(first).display();
    Some(match others.len() {
        1 => format!("{name} is not used: it is no file *.png, *.jpg or *.jpeg"),
        n => format!("{name} and {} more are not used: they are no files *.png, *.jpg or *.jpeg", n - 1),
    })
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

/// The shorter side of every image, training images first.
pub(super) struct Sides(Vec<usize>);

impl Sides {
    /// Of images of these heights, widths and channels.
    pub(super) fn of(seen: &Seen<[usize; 3]>) -> Self {
        let sides = |of: &Content<[usize; 3]>| of.made.iter().map(|size| size[0].min(size[1])).collect();
        let both: [Vec<usize>; 2] = [sides(&seen.train), sides(&seen.test)];
        Self(both.concat())
    }

    /// The shortest of all.
    pub(super) fn shortest(&self) -> usize {
        self.0.iter().copied().min().unwrap_or(1)
    }

    /// That few small images decide about all, or are enlarged.
    pub(super) fn note(&self, store: &Store, dir: &Path, shape: &Shape) -> Option<String> {
        let index = (0..self.0.len()).min_by_key(|index| self.0[*index])?;
        let (shortest, trained) = (self.0[index], store.train.len());
        let name = if index < trained { store.train.name(index) } else { store.test.name(index - trained) };
        let name = Path::new(&name).strip_prefix(dir).map_or(name.clone(), |name| name.display().to_string());
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        let median = sorted[sorted.len() / 2];
        let smaller = sorted.partition_point(|side| *side < shape.resize);
        let [_, height, width] = shape.shape;
        if smaller > 0 {
            return Some(format!(
                "{smaller} of {} images are smaller than {height}x{width} and are enlarged; the smallest is {name} \
                 with {shortest} pixels on its shorter side",
                sorted.len()
            ));
        }
        (median >= 2 * shape.resize && shape.resize == shortest).then(|| {
            format!(
                "all images become {height}x{width} since {name} is that small; half of them have {median} pixels or \
                 more on their shorter side: remove it, or choose the size"
            )
        })
    }
}
