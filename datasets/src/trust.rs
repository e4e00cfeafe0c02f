//! Content that nobody published a digest of: the first one seen on a machine is written down, later ones are compared with it.

use crate::{
    cache::{Cache, FirstUse},
    error::DataError,
    manifest::Manifest,
    options::LoadOptions,
    store::{Content, Store, digest},
};

/// The content of encoded images, and what was made of each.
pub(crate) struct Seen<T> {
    /// Their digest.
    pub(crate) digest: String,
    /// The training images.
    pub(crate) train: Content<T>,
    /// The test images.
    pub(crate) test: Content<T>,
}

/// Reads all images of `store`, once, and makes `each` of them.
pub(crate) fn see<T: Send>(
    store: &Store,
    manifest: &Manifest,
    each: impl Fn(&[u8]) -> Result<T, String> + Sync,
) -> Result<Seen<T>, DataError> {
    let failed = |problem| DataError::Corrupt { dataset: manifest.name.clone(), file: "image".to_owned(), problem };
    let (train, test) = (store.train.content(&each).map_err(failed)?, store.test.content(&each).map_err(failed)?);
    Ok(Seen { digest: digest(&train, &test), train, test })
}

/// Reads all images and compares them with what was seen first on this machine, or makes them that; gives their digest.
pub(crate) fn first_use(
    store: &Store,
    manifest: &Manifest,
    source: &str,
    options: &LoadOptions,
) -> Result<String, DataError> {
    let seen = see(store, manifest, |_| Ok(()))?;
    compare(&seen.digest, manifest, source, options)?;
    Ok(seen.digest)
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
