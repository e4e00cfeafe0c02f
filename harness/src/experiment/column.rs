//! A data set with network and recipe, and how much of it a profile runs.

use crate::spec::DeviceName;
use crate::suggest::did_you_mean;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How much is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Profile {
    /// Minutes on two CPU cores; embedded samples stand, under their own names, where data are not on the machine.
    Quick,
    /// The paper's networks and data, fewer epochs and seeds: about an hour of one GPU.
    Short,
    /// The paper's recipe to the letter.
    Paper,
}

impl Profile {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Profile::Quick => "quick",
            Profile::Short => "short",
            Profile::Paper => "paper",
        }
    }
}

/// One column: a data set with network and recipe.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Column {
    /// Its label.
    pub label: String,
    /// The data set.
    pub dataset: String,
    /// The embedded sample that the `quick` profile runs, under its own name, where the data set is missing.
    pub sample: Option<String>,
    /// The column's name in `paper.toml`.
    pub quoted: Option<String>,
    /// Network as in a run's spec.
    pub network: toml::Table,
    /// Recipe as in a run's spec, epochs aside.
    #[serde(default)]
    pub recipe: toml::Table,
    /// Epochs and seeds by profile (`sample` for the embedded sample); a profile left out leaves the column out.
    pub profile: BTreeMap<String, Amount>,
    /// Why no run of it is possible in this version.
    pub missing: Option<String>,
}

/// How much of a column a profile runs.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Amount {
    /// Epochs.
    pub epochs: usize,
    /// Seeds `0..seeds`.
    pub seeds: u64,
    /// Train on the first this many images only.
    pub train_limit: Option<usize>,
    /// Changes to the column's network; its label then names them.
    #[serde(default)]
    pub network: toml::Table,
    /// What stands in for all of this on a processor without a GPU.
    pub on_flex: Option<Box<Amount>>,
}

/// The profile of the embedded sample, beside those of [`Profile`].
const SAMPLE: &str = "sample";

impl Column {
    /// What is wrong with the profiles in words, where something is.
    pub(super) fn check_profiles(&self) -> std::result::Result<(), String> {
        let known = [Profile::Quick, Profile::Short, Profile::Paper].map(Profile::name);
        for (name, amount) in &self.profile {
            if name != SAMPLE && !known.contains(&name.as_str()) {
                let (all, close) = (known.join(", "), did_you_mean(name, known.into_iter().chain([SAMPLE])));
                let label = &self.label;
                return Err(format!("column {label}: `profile.{name}`: profiles are {all} and {SAMPLE}{close}"));
            }
            for amount in [Some(amount), amount.on_flex.as_deref()].into_iter().flatten() {
                let zero =
                    [("epochs", amount.epochs as u64), ("seeds", amount.seeds)].into_iter().find(|(_, n)| *n == 0);
                if let Some((key, _)) = zero {
                    return Err(format!("column {}: `profile.{name}`: `{key}` = 0: take at least 1", self.label));
                }
            }
        }
        Ok(())
    }

    /// How much of the column `profile` runs on `device`.
    pub fn amount(&self, profile: &str, device: DeviceName) -> Option<Amount> {
        let amount = self.profile.get(profile)?;
        let here = amount.on_flex.as_deref().filter(|_| device == DeviceName::Flex);
        Some(here.unwrap_or(amount).clone())
    }
}
