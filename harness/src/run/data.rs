//! A run's data, which must be what the run was planned with.

use crate::error::{Error, Result};
use crate::spec::{RunSpec, own_settings};
use datasets::{Dataset, LoadOptions};

/// Loads the data of `spec`.
pub(super) fn load(spec: &RunSpec, options: &LoadOptions) -> Result<Dataset> {
    let options = LoadOptions { allow_unverified: spec.allow_unverified, ..options.clone() };
    let data = datasets::load(&spec.dataset, &options)?;
    if let Some(expected) = spec.data_digest.as_ref().filter(|digest| **digest != data.digest) {
        let found = &data.digest;
        return Err(Error::Missing(format!(
            "data set `{}`: the content is not the one this run was planned with (expected {expected}, found {found}); \
             run the command that planned it again: on other content it is another run",
            spec.dataset
        )));
    }
    if spec.data_settings != own_settings(&spec.dataset)? {
        return Err(Error::Missing(format!(
            "data set `{}`: its manifest is not the one this run was planned with; run the command that planned it \
             again: with another manifest it is another run",
            spec.dataset
        )));
    }
    Ok(data)
}
