//! What a saved network's file says about it.

use super::tensors::{Tensors, digest};
use crate::error::Result;
use crate::record::Provenance;
use crate::run::Trained;
use crate::spec::RunSpec;
use serde::{Deserialize, Serialize};

/// The version of the layout of files that this program writes, and the only one that it reads.
pub const VERSION: u32 = 1;

/// All that is needed to rebuild a network and its rule, and to show both their images as in training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Card {
    /// The version of the file's layout.
    pub version: u32,
    /// The name of the run that trained it.
    pub run_id: String,
    /// The version of the numerics that made it (CHANGELOG.md).
    pub numerics: u32,
    /// What was run.
    pub spec: RunSpec,
    /// A short name of each layer, with sizes.
    pub layers: Vec<String>,
    /// What it was trained on.
    pub data: TrainedOn,
    /// What came of it.
    pub result: CardResult,
    /// Where and with what it was trained.
    pub provenance: Provenance,
    /// SHA-256 of the file's tensors.
    pub tensors: String,
}

/// The data set that a network was trained on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrainedOn {
    /// Its name.
    pub name: String,
    /// SHA-256 of its content.
    pub digest: String,
    /// Whether that is the official content.
    pub verified: bool,
    /// Channels, height and width of an image.
    pub shape: [usize; 3],
    /// Number of classes.
    pub classes: usize,
    /// A name for each, in the order of the logits.
    pub class_names: Vec<String>,
    /// `x = (pixel / 255 - mean) / std` as the network saw it, a value for each channel: of raw inputs 0 and 1.
    pub mean: Vec<f32>,
    /// See `mean`.
    pub std: Vec<f32>,
}

/// The run's own result.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CardResult {
    /// Percent of the evaluated images classified right after the last epoch.
    #[serde(with = "sll_core::real::option")]
    pub test_accuracy: Option<f64>,
    /// `test`, or `validation` where the recipe held training images out.
    pub evaluated_on: String,
    /// Epochs trained.
    pub epochs: usize,
    /// Seed of everything drawn at random.
    pub seed: u64,
}

impl Card {
    pub(super) fn of(trained: &Trained, tensors: &Tensors) -> Result<Self> {
        let (result, manifest) = (&trained.result, datasets::manifest(&trained.result.spec.dataset)?);
        let [mean, std] = result.spec.recipe.inputs.statistics(&manifest.mean, &manifest.std);
        Ok(Self {
            version: VERSION,
            run_id: result.run_id.clone(),
            numerics: result.numerics,
            spec: result.spec.clone(),
            layers: trained.net.layer_names(),
            data: TrainedOn {
                name: result.data.name.clone(),
                digest: result.data.digest.clone(),
                verified: result.data.verified,
                shape: manifest.shape,
                classes: manifest.classes,
                class_names: manifest.class_names.clone(),
                mean,
                std,
            },
            result: CardResult {
                test_accuracy: result.test_accuracy,
                evaluated_on: result.evaluated_on.clone(),
                epochs: result.epochs,
                seed: result.spec.seed,
            },
            provenance: result.provenance.clone(),
            tensors: digest(tensors),
        })
    }
}
