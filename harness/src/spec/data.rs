//! Which content a run means, where no digest of it is published or other content is allowed.

use super::RunSpec;
use crate::error::Result;
use datasets::{DataError, LoadOptions};

/// The digest of content that nobody published a digest of, and whether it is not what this machine saw first, which is
/// an error unless it is `allowed`; none where there is a published one.
#[allow(clippy::result_large_err, reason = "the caller matches on the variant; called once a data set")]
pub(crate) fn unpublished(
    dataset: &str,
    allowed: bool,
    options: &LoadOptions,
) -> std::result::Result<Option<(String, bool)>, DataError> {
    let digest = |allow_unverified| {
        let options = LoadOptions { allow_unverified, ..options.clone() };
        let digest = datasets::unpublished_digest(dataset, &options)?;
        Ok(digest.map(|digest| (digest, allow_unverified)))
    };
    match digest(false) {
        Err(DataError::Changed { .. }) if allowed => digest(true),
        outcome => outcome,
    }
}

/// Reads the data set of one's own that `table` names by its folder or manifest, and puts its name in the path's place:
/// no spec and no result holds a path.
pub(crate) fn name_dataset(table: &mut toml::Table, options: &LoadOptions) -> Result<()> {
    if let Some(toml::Value::String(dataset)) = table.get_mut("dataset") {
        dataset.clone_from(&datasets::resolve(dataset, options)?.name);
    }
    Ok(())
}

/// What [`RunSpec::data_settings`] is of the data set `name`.
pub(crate) fn own_settings(name: &str) -> Result<Option<String>> {
    let manifest = datasets::manifest(name)?;
    Ok(manifest.own.as_ref().map(|_| manifest.settings_digest()))
}

impl RunSpec {
    /// Says which content is meant: pins the digest where no digest is published, and where unverified data are allowed
    /// and the content is not official. Drops that permission where it is not needed.
    pub fn pin_data(&mut self, options: &LoadOptions) -> Result<()> {
        if self.data_settings.is_none() {
            self.data_settings = own_settings(&self.dataset)?;
        }
        if self.data_digest.is_some() {
            return Ok(());
        }
        if let Some((digest, unverified)) = unpublished(&self.dataset, self.allow_unverified, options)? {
            (self.data_digest, self.allow_unverified) = (Some(digest), unverified);
        } else if self.allow_unverified {
            let data = datasets::load(&self.dataset, &LoadOptions { allow_unverified: true, ..options.clone() })?;
            self.allow_unverified = !data.verified;
            self.data_digest = (!data.verified).then_some(data.digest);
        }
        Ok(())
    }
}
