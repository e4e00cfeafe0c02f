//! What the index says of a page: `about.toml` beside it.

use crate::atomic::write_atomically;
use crate::error::{Error, Result};
use crate::record::{Footprint, Provenance, RunResult};
use crate::spec::RunSpec;
use crate::units::counted;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

const FILE: &str = "about.toml";

/// What a page was made of.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct About {
    /// Its headline.
    pub title: String,
    /// The command that makes it.
    pub command: String,
    /// Runs or measurements.
    pub records: usize,
    /// Of them, those of code that no commit has.
    pub dirty: usize,
    /// Of them, those that the numerics of an earlier version made.
    pub earlier_numerics: usize,
    /// Of each data set for how many epochs and images its runs were to train, and how many seeds a setting has; the
    /// fewest and the most.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scale: Vec<String>,
    /// Processors and GPUs.
    pub hardware: BTreeSet<String>,
    /// Versions and commits of the harness.
    pub harness: BTreeSet<String>,
}

impl About {
    /// Of a page of runs.
    pub fn runs<'a>(title: &str, command: &str, runs: impl Iterator<Item = &'a RunResult>) -> Self {
        let mut seen = BTreeSet::new();
        let runs = runs.filter(|run| seen.insert(run.run_id.clone())).collect::<Vec<_>>();
        let earlier_numerics = runs.iter().filter(|run| run.numerics != run.spec.numerics()).count();
        let about = Self::of(title, command, runs.iter().map(|run| &run.provenance));
        Self { earlier_numerics, scale: scale(&runs), ..about }
    }

    /// Of a page of measurements.
    pub fn measurements<'a>(title: &str, command: &str, found: impl Iterator<Item = &'a Footprint>) -> Self {
        // A measurement may stand in several rows.
        let mut seen = BTreeSet::new();
        let found = found.filter(|footprint| seen.insert(footprint.id.clone()));
        Self::of(title, command, found.map(|footprint| &footprint.provenance))
    }

    /// Of a page of anything that was made somewhere.
    pub fn of<'a>(title: &str, command: &str, made: impl Iterator<Item = &'a Provenance>) -> Self {
        let mut about = Self { title: title.to_string(), command: command.to_string(), ..Self::default() };
        for provenance in made {
            about.records += 1;
            about.dirty += usize::from(provenance.is_dirty());
            about.hardware.insert(provenance.hardware.clone());
            about.harness.insert(provenance.harness.clone());
        }
        about
    }

    /// Writes it into the page's folder.
    pub fn write(&self, folder: &Path) -> Result<()> {
        let text = toml::to_string(self).expect("plain data");
        write_atomically(&folder.join(FILE), text.as_bytes())
    }

    /// What stands in a page's folder; none where there is no page.
    pub fn read(folder: &Path) -> Result<Option<Self>> {
        let path = folder.join(FILE);
        match std::fs::read_to_string(&path) {
            Ok(text) => toml::from_str(&text)
                .map(Some)
                .map_err(|e| Error::Failed(format!("{}: {e}; make the page again", path.display()))),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(Error::file("read", &path, e)),
        }
    }

    /// What is to be known before its numbers are compared with others; nothing if there is nothing.
    pub fn caveats(&self) -> Option<String> {
        let dirty = (self.dirty > 0).then(|| format!("{} of uncommitted code", self.dirty));
        let earlier = (self.earlier_numerics > 0).then(|| format!("{} of earlier numerics", self.earlier_numerics));
        let all: Vec<String> = dirty.into_iter().chain(earlier).collect();
        (!all.is_empty()).then(|| all.join(", "))
    }
}

fn scale(runs: &[&RunResult]) -> Vec<String> {
    let mut sets: BTreeMap<&str, Vec<&RunResult>> = BTreeMap::new();
    for run in runs {
        sets.entry(&run.data.name).or_default().push(run);
    }
    let said = sets.into_iter().map(|(name, runs)| {
        let mut of_each: BTreeMap<String, usize> = BTreeMap::new();
        for run in &runs {
            let any_seed = RunSpec { seed: 0, ..run.spec.clone() };
            *of_each.entry(any_seed.id_under(run.numerics)).or_default() += 1;
        }
        // One that diverged had as many before it.
        let epochs = counted(runs.iter().map(|run| run.spec.recipe.epochs), "epoch");
        let images = counted(runs.iter().map(|run| run.data.train), "image");
        format!("{name}: {epochs} of {images}, {}", counted(of_each.into_values(), "seed"))
    });
    said.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::example;
    use crate::spec::Recipe;

    #[test]
    fn runs_are_counted_once_and_what_is_wrong_with_them_is_told() {
        let sound = example::run(0, 98.0);
        let mut dirty = example::run(1, 98.0);
        dirty.provenance.harness += " + uncommitted changes";
        let earlier = RunResult { numerics: 1, ..example::run(2, 98.0) };
        let runs = [&sound, &dirty, &earlier, &sound];
        let about = About::runs("T", "harness x", runs.into_iter());
        assert_eq!((about.records, about.dirty, about.earlier_numerics), (3, 1, 1));
        assert_eq!(about.caveats().unwrap(), "1 of uncommitted code, 1 of earlier numerics");
        let longer = RunSpec { recipe: Recipe { epochs: 7, ..sound.spec.recipe.clone() }, ..sound.spec.clone() };
        let diverged = RunResult { run_id: "other".into(), spec: longer, epochs: 0, ..sound.clone() };
        let (name, train, epochs) = (&sound.data.name, sound.data.train, sound.spec.recipe.epochs);
        let scale = About::runs("T", "x", [&sound, &dirty, &diverged].into_iter()).scale;
        assert_eq!(scale, [format!("{name}: {epochs} to 7 epochs of {train} images, 1 to 2 seeds")]);
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(About::read(folder.path()).unwrap(), None);
        about.write(folder.path()).unwrap();
        assert_eq!(About::read(folder.path()).unwrap().unwrap(), about);
        assert_eq!(About::runs("T", "x", [&sound].into_iter()).caveats(), None);
    }
}
