//! Content that nobody published a digest of: the first one seen on a machine is written down, later ones are compared with it.

use crate::{
    cache::{Cache, FirstUse},
    error::DataError,
    manifest::Manifest,
    options::LoadOptions,
    store::{Store, digest},
};

/// The content of encoded images.
pub(crate) struct Seen {
    /// Their digest.
    pub(crate) digest: String,
    /// The order of the training images that no container changes.
    pub(crate) train: Vec<u32>,
    /// The same of the test images.
    pub(crate) test: Vec<u32>,
}

/// Reads all images of `store`.
pub(crate) fn see(store: &Store, manifest: &Manifest, options: &LoadOptions) -> Result<Seen, DataError> {
    let failed = |problem| match options.stop.requested() {
        true => DataError::Interrupted { dataset: manifest.name.clone() },
        false => DataError::Corrupt { dataset: manifest.name.clone(), file: "its images".to_owned(), problem },
    };
    let (train, train_lines) = store.train.content(&options.stop).map_err(failed)?;
    let (test, test_lines) = store.test.content(&options.stop).map_err(failed)?;
    let digest = digest((train.len(), &train_lines), (test.len(), &test_lines));
    Ok(Seen { digest, train, test })
}

/// Reads all images and compares them with what was seen first on this machine, or makes them that.
pub(crate) fn first_use(
    store: &Store,
    manifest: &Manifest,
    source: &str,
    options: &LoadOptions,
) -> Result<Seen, DataError> {
    let seen = see(store, manifest, options)?;
    compare(&seen.digest, manifest, source, options)?;
    Ok(seen)
}

/// Compares `digest` with the one seen first on this machine, or makes it that.
pub(crate) fn compare(digest: &str, manifest: &Manifest, source: &str, options: &LoadOptions) -> Result<(), DataError> {
    let Some(cache) = Cache::of(options) else { return Ok(()) };
    // Without a cache that can be written, nothing is remembered; the result's digest still says what was used.
    let remember = |sources| drop(cache.remember_first_use(manifest, &FirstUse { digest: digest.to_owned(), sources }));
    match cache.first_use(manifest) {
        None => remember(vec![source.to_owned()]),
        Some(mut first) if first.digest == digest => {
            if !first.sources.iter().any(|known| known == source) {
                first.sources.push(source.to_owned());
                remember(first.sources);
            }
        }
        Some(_) if options.allow_unverified => {}
        Some(first) => {
            return Err(DataError::Changed {
                dataset: manifest.name.clone(),
                expected: first.digest,
                first: first.sources.into_iter().next().unwrap_or_default(),
                found: digest.to_owned(),
                record: cache.first_use_path(manifest),
            });
        }
    }
    Ok(())
}
