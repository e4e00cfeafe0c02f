//! What a rule's authors have themselves.

use super::column::Column;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What the rule's authors have: a setting, and numbers.
#[derive(Clone, Debug)]
pub struct Authors {
    /// Data, network and recipe; nothing where the row cannot run.
    pub setting: Option<Box<Column>>,
    /// Numbers, of this setting after so many epochs.
    pub theirs: Vec<Theirs>,
    /// What of the setting is not theirs, and why.
    pub differs: Option<String>,
    /// Why the numbers differ, by the profile and device of the runs that it was written on.
    pub reading: BTreeMap<String, String>,
}

/// One number of the authors', or of their code.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Theirs {
    /// After how many epochs.
    pub epochs: usize,
    /// Percent of the test images.
    pub mean: f64,
    /// Its deviation over runs, where they give one.
    pub std: Option<f64>,
    /// Over how many runs, where they say so.
    pub n: Option<usize>,
    /// Which epochs it was read from.
    #[serde(default)]
    pub read: Read,
    /// Where it stands.
    pub source: String,
}

/// Which epochs of a run an accuracy is read from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Read {
    /// The last one.
    #[default]
    Last,
    /// The one that is best on the test images: optimistic.
    Best,
    /// The mean over the last ten.
    LastTen,
}

impl Authors {
    /// The epochs of the whole recipe.
    pub fn epochs(&self) -> Option<usize> {
        Some(self.setting.as_ref()?.profile.get("paper")?.epochs)
    }

    /// The number to set beside a run of so many epochs: theirs after as many, or else after the most.
    pub fn beside(&self, epochs: usize) -> Option<&Theirs> {
        let same = self.theirs.iter().find(|theirs| theirs.epochs == epochs);
        same.or_else(|| self.theirs.iter().max_by_key(|theirs| theirs.epochs))
    }

    /// What is wrong with it.
    pub(super) fn problem(&self) -> Option<String> {
        if self.setting.is_some() && self.epochs().is_none() {
            return Some("`profile.paper` is missing: the whole of its authors' recipe".into());
        }
        for theirs in &self.theirs {
            if !(0.0..=100.0).contains(&theirs.mean) {
                return Some(format!("`mean` = {}: must be a percentage", theirs.mean));
            }
            if theirs.std.is_some_and(|std| !(std.is_finite() && std >= 0.0)) {
                return Some("`std` must be 0 or positive; leave it out where there is none".into());
            }
            if theirs.source.is_empty() {
                return Some("`source` says where a number of `theirs` stands".into());
            }
        }
        None
    }
}
