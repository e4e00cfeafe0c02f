//! Trained networks as files that leave the house: safetensors, with all that is needed to rebuild network and rule in
//! the metadata. docs/formats.md describes the file.

mod card;
mod file;
mod tensors;

pub use card::{Card, CardResult};
pub use file::{Scores, check_path};

use crate::error::{Error, Result};
use crate::room;
use crate::run::Trained;
use burn::tensor::Device;
use sll_core::rule::LearningRule;
use sll_core::{Network, snapshot};
use std::path::{Path, PathBuf};
use tensors::Tensors;

/// A trained network as a file has it.
pub struct Model {
    /// What it is.
    pub card: Card,
    tensors: Tensors,
    path: PathBuf,
}

/// Writes the network that a run trained, its rule and what there is to know about them to `path`.
///
/// # Errors
/// A run that diverged has no weights that are numbers, and is refused.
pub fn save(trained: &mut Trained, path: &Path) -> Result<()> {
    if let Some(step) = trained.result.diverged_at_step {
        let path = path.display();
        return Err(Error::Failed(format!(
            "{path} is not written: the run diverged at step {step}; try a smaller --lr"
        )));
    }
    let tensors = snapshot::tensors(&mut trained.net, &*trained.rule).into_iter();
    let tensors: Tensors = tensors.map(|(name, data)| (name, data.convert::<f32>())).collect();
    file::write(path, &Card::of(trained, &tensors)?, tensors)
}

impl Model {
    /// Reads the file at `path`.
    ///
    /// # Errors
    /// Says what is wrong with a file that is damaged, of another version, or none of [`save`]'s.
    pub fn read(path: &Path) -> Result<Self> {
        let bytes = std::fs::read(path).map_err(|e| Error::file("read", path, e))?;
        let unusable = |why| Error::Input(format!("{} cannot be used: {why}", path.display()));
        let (card, tensors) = file::read(&bytes).map_err(unusable)?;
        Ok(Self { card, tensors, path: path.to_path_buf() })
    }

    /// Network and rule as they were after the run's last epoch, on `device`.
    ///
    /// # Errors
    /// Names the first tensor that is missing, of another shape, or more than the network has.
    pub fn rebuild(mut self, device: &Device) -> Result<(Network, Box<dyn LearningRule>)> {
        let Card { spec, data, .. } = &self.card;
        room::check_weights(&spec.network, data.shape, data.classes)?;
        let mut net = spec.network.build(data.shape, data.classes, spec.seed, device)?;
        let mut rule = spec.rule.init(&mut net, spec.seed)?;
        let unusable = |why: String| Error::Input(format!("{} cannot be used: {why}", self.path.display()));
        let loaded = snapshot::load(&mut net, &mut *rule, &mut |name| self.tensors.remove(name));
        loaded.map_err(|error| unusable(error.to_string()))?;
        match self.tensors.keys().next() {
            None => Ok((net, rule)),
            Some(name) => Err(unusable(format!("tensor `{name}`: its network has none of that name"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::example;
    use crate::spec::RunSpec;
    use burn::tensor::TensorData;

    fn trained() -> Trained {
        let text =
            "dataset = \"mnist-sample\"\nnetwork = { name = \"mlp-2x800\", width = 4 }\nrule = { name = \"sll\" }";
        let spec = RunSpec::from_toml(text, "test").unwrap();
        let mut net = spec.network.build([1, 28, 28], 10, spec.seed, &Device::flex()).unwrap();
        let rule = spec.rule.init(&mut net, spec.seed).unwrap();
        Trained { result: crate::record::RunResult { spec, ..example::run(0, 11.0) }, net, rule }
    }

    /// What is said of a file whose tensors were `changed` before it was written.
    fn refused(change: impl FnOnce(&mut Tensors)) -> String {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.safetensors");
        let mut trained = trained();
        let mut tensors: Tensors = snapshot::tensors(&mut trained.net, &*trained.rule).into_iter().collect();
        change(&mut tensors);
        file::write(&path, &Card::of(&trained, &tensors).unwrap(), tensors).unwrap();
        match Model::read(&path).unwrap().rebuild(&Device::flex()) {
            Ok(_) => "nothing".into(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn tensors_that_are_missing_or_of_no_use_are_named_with_the_file() {
        assert_eq!(refused(|_| {}), "nothing");
        for name in ["layers.1.bias", "rule.projections.1"] {
            let missing = refused(|tensors| drop(tensors.remove(name)));
            let words = [&format!("`{name}`"), "missing", "model.safetensors"];
            assert!(words.iter().all(|word| missing.contains(word)), "{missing}");
        }
        let more = refused(|tensors| {
            tensors.insert("layers.9.bias".into(), TensorData::new(vec![0.0f32], [1]));
        });
        assert!(more.contains("`layers.9.bias`") && more.contains("none of that name"), "{more}");
        let drawn = refused(|tensors| {
            let matrix = tensors.get_mut("rule.projections.0").unwrap();
            *matrix = TensorData::new(vec![0.5f32; matrix.num_elements()], matrix.shape().to_vec());
        });
        assert!(drawn.contains("`rule.projections.0`") && drawn.contains("seed"), "{drawn}");
    }

    #[test]
    fn a_diverged_run_is_not_saved() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.safetensors");
        let mut trained = trained();
        trained.result.diverged_at_step = Some(7);
        let error = save(&mut trained, &path).unwrap_err().to_string();
        assert!(error.contains("diverged at step 7") && !path.exists(), "{error}");
    }
}
