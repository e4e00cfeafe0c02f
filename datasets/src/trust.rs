//! Content that nobody published a digest of: the first one seen on a machine is written down, later ones are compared with it.

use crate::{
    cache::{Cache, FirstUse},
    error::DataError,
    manifest::Manifest,
    options::LoadOptions,
    store::{Content, EncodedSplit, Store, digest},
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
    options: &LoadOptions,
    each: impl Fn(&[u8]) -> Result<T, String> + Sync,
) -> Result<Seen<T>, DataError> {
    let failed = |problem| match options.stop.requested() {
        true => DataError::Interrupted { dataset: manifest.name.clone() },
        false => DataError::Corrupt { dataset: manifest.name.clone(), file: "image".to_owned(), problem },
    };
    let content = |split: &EncodedSplit| split.content(&options.stop, &each).map_err(failed);
    let (train, test) = (content(&store.train)?, content(&store.test)?);
    Ok(Seen { digest: digest(&train, &test), train, test })
}

/// Reads all images and compares them with what was seen first on this machine, or makes them that; gives their digest.
pub(crate) fn first_use(
    store: &Store,
    manifest: &Manifest,
    source: &str,
    options: &LoadOptions,
) -> Result<String, DataError> {
    let seen = see(store, manifest, options, |_| Ok(()))?;
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

#[cfg(test)]
mod tests {
    use std::{
        fs,
        sync::atomic::{AtomicBool, Ordering},
    };

    use super::*;
    use crate::{
        ArchiveFormat, ArchiveSource, Stop,
        load::load_manifest,
        testing::{encoded_files, gzip, options_in, server::Server, small_encoded, tar_of},
    };

    #[test]
    fn who_stops_the_first_reading_keeps_the_archive_and_writes_nothing_down() {
        let (server, folder) = (Server::start(), tempfile::tempdir().unwrap());
        let files = encoded_files("class-folders");
        let named: Vec<_> = files.iter().map(|(path, image)| (format!("small/{path}"), &image[..])).collect();
        let entries: Vec<_> = named.iter().map(|(name, image)| (name.as_str(), *image)).collect();
        server.file("small.tgz", gzip(&tar_of(&entries), "", 6));
        let mut manifest = small_encoded("class-folders").manifest;
        let (url, root) = (format!("{}/small.tgz", server.address), "small".to_owned());
        manifest.archives =
            vec![ArchiveSource { url, format: ArchiveFormat::TarGz, root, digest: None, max_bytes: 100_000 }];

        let options = LoadOptions { online: true, ..options_in(folder.path()) };
        // From when everything is unpacked on.
        let (incoming, seen) = (folder.path().join("cache/.incoming"), AtomicBool::new(false));
        let unpacked = move || {
            let mut folders = fs::read_dir(&incoming).into_iter().flatten().flatten();
            let now = folders.any(|folder| folder.path().join("val").is_dir());
            seen.fetch_or(now, Ordering::Relaxed) || now
        };
        let impatient = LoadOptions { stop: Stop::new(unpacked), ..options.clone() };
        let stopped = load_manifest(&manifest, &impatient);
        assert!(matches!(stopped, Err(DataError::Interrupted { .. })), "{stopped:?}");
        assert!(!Cache::of(&options).unwrap().first_use_path(&manifest).exists());

        assert_eq!(load_manifest(&manifest, &options).unwrap().train.len(), 6);
        let downloads = server.log().iter().filter(|line| line.starts_with("GET")).count();
        assert_eq!(downloads, 1, "{:?}", server.log());
        // Nor is what lies there read to its end.
        let stopped = load_manifest(&manifest, &LoadOptions { stop: Stop::new(|| true), ..options });
        assert!(matches!(stopped, Err(DataError::Interrupted { .. })), "{stopped:?}");
    }
}
