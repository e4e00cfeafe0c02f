//! Content that nobody published a digest of: the first one seen on a machine is written down, later ones are compared
//! with it.

use crate::error::{DataError, Problem};
use crate::manifest::Manifest;
use crate::options::LoadOptions;
use crate::place::cache::{Cache, FirstUse};
use crate::place::encoded::{Content, EncodedSplit, Store, digest};
use std::collections::BTreeMap;

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
pub(crate) fn digest_all<T: Send>(
    store: &Store,
    manifest: &Manifest,
    options: &LoadOptions,
    each: impl Fn(&[u8]) -> Result<T, String> + Sync,
) -> Result<Seen<T>, DataError> {
    let failed = |problem| match options.stop.requested() {
        true => DataError::Interrupted { dataset: manifest.name.clone() },
        false => DataError::Corrupt { dataset: manifest.name.clone(), file: None, problem, fetched: false },
    };
    let content = |split: &EncodedSplit| split.content(&options.stop, &each).map_err(failed);
    let (train, test) = (content(&store.train)?, content(&store.test)?);
    Ok(Seen { digest: digest(&train, &test), train, test })
}

/// Reads all images and compares them with what was seen first on this machine, or makes them that; gives their digest.
pub(crate) fn record_first(
    store: &Store,
    manifest: &Manifest,
    source: &str,
    options: &LoadOptions,
) -> Result<String, DataError> {
    // Before they are read: what changes from then on is looked at again.
    let fingerprint = store.fingerprint(manifest)?;
    let seen = digest_all(store, manifest, options, |_| Ok(()))?;
    check_first(&seen.digest, &fingerprint, manifest, source, options)?;
    Ok(seen.digest)
}

/// [`record_first`] without reading the images, where they were read at `source` before and look no different from
/// then.
pub(crate) fn recall(
    store: &Store,
    manifest: &Manifest,
    source: &str,
    options: &LoadOptions,
) -> Result<String, DataError> {
    let first = Cache::of(options).map(|cache| cache.first_use(manifest)).transpose()?.flatten();
    if let Some(first) = first
        && first.knows(source, &store.fingerprint(manifest)?)
    {
        return Ok(first.digest);
    }
    record_first(store, manifest, source, options)
}

/// Compares `digest`, of files that looked like `fingerprint` before they were read, with the one seen first on this
/// machine, or makes it that.
pub(crate) fn check_first(
    digest: &str,
    fingerprint: &str,
    manifest: &Manifest,
    source: &str,
    options: &LoadOptions,
) -> Result<(), DataError> {
    if let Some(expected) = manifest.digest.as_ref().filter(|expected| expected.hex != digest) {
        let changed = DataError::Changed {
            dataset: manifest.name.clone(),
            expected: expected.hex.clone(),
            first: None,
            found: digest.to_owned(),
            record: manifest.own.as_ref().map(|own| own.dir.clone()).unwrap_or_default(),
        };
        return if options.allow_unverified { Ok(()) } else { Err(changed) };
    }
    let Some(cache) = Cache::of(options) else { return Ok(()) };
    // Where the cache cannot be written, what others wrote there is compared with all the same.
    let lock = cache.lock_first_use(manifest, options);
    if options.stop.requested() {
        return Err(DataError::Interrupted { dataset: manifest.name.clone() });
    }
    let remember = |first: &FirstUse| {
        let written = lock.as_ref().map(drop).map_err(Problem::clone);
        if let Err(problem) = written.and_then(|()| cache.remember_first_use(manifest, first)) {
            let name = &manifest.name;
            options.notice.say(&format!("what the images of {name} are is not written down: {}", problem.text));
        }
    };
    match cache.first_use(manifest)? {
        None => {
            let (digest, sources) = (digest.to_owned(), Vec::new());
            let mut first = FirstUse { digest, sources, fingerprints: BTreeMap::new() };
            first.learn(source, fingerprint);
            remember(&first);
        }
        Some(mut first) if first.digest == digest => {
            if first.learn(source, fingerprint) {
                remember(&first);
            }
        }
        Some(_) if options.allow_unverified => {}
        Some(first) => {
            return Err(DataError::Changed {
                dataset: manifest.name.clone(),
                expected: first.digest,
                first: Some(first.sources.into_iter().next().unwrap_or_default()),
                found: digest.to_owned(),
                record: cache.first_use_path(manifest),
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::load_manifest;
    use crate::manifest::{ArchiveFormat, ArchiveSource};
    use crate::options::Stop;
    use crate::testing::server::Server;
    use crate::testing::{encoded_files, gzip, options_in, small_encoded, tar_of};
    use std::fs;
    use std::sync::atomic::{AtomicBool, Ordering};

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

        assert_eq!(load_manifest(&manifest, &options).unwrap().in_memory().unwrap().train.len(), 6);
        let downloads = server.log().iter().filter(|line| line.starts_with("GET")).count();
        assert_eq!(downloads, 1, "{:?}", server.log());
        // Nor is what lies there read to its end.
        let stopped = load_manifest(&manifest, &LoadOptions { stop: Stop::new(|| true), ..options });
        assert!(matches!(stopped, Err(DataError::Interrupted { .. })), "{stopped:?}");
    }
    /// The small data set of encoded images in folders under `data`, read while it is used; image `changed` in another
    /// class.
    fn in_folders(data: &std::path::Path, changed: Option<usize>) -> crate::Manifest {
        for (index, (path, image)) in encoded_files("class-folders").into_iter().enumerate() {
            let path = if changed == Some(index) { path.replace("n1", "n2") } else { path };
            let path = data.join("small").join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, image).unwrap();
        }
        let mut manifest = small_encoded("class-folders").manifest;
        manifest.images.as_mut().unwrap().stream = true;
        manifest
    }

    #[test]
    fn images_replaced_in_place_are_read_again_and_refused() {
        let folder = tempfile::tempdir().unwrap();
        let manifest = in_folders(folder.path(), None);
        let options = LoadOptions { data_dir: Some(folder.path().to_owned()), ..options_in(folder.path()) };
        let first = load_manifest(&manifest, &options).unwrap();
        // What looks no different is not read again: so a damaged image does not show before it is used.
        let victim = folder.path().join("small/train/n1/x0.JPEG");
        let (image, changed) = (fs::read(&victim).unwrap(), victim.metadata().unwrap().modified().unwrap());
        let put = |content: &[u8], time| {
            fs::write(&victim, content).unwrap();
            fs::File::options().write(true).open(&victim).unwrap().set_modified(time).unwrap();
        };
        let other: Vec<u8> = image.iter().rev().copied().collect();
        put(&other, changed);
        assert_eq!(load_manifest(&manifest, &options).unwrap().digest, first.digest);
        // Same size, another time.
        put(&other, changed + std::time::Duration::from_secs(1));
        let refused = load_manifest(&manifest, &options);
        assert!(matches!(refused, Err(DataError::Changed { .. })), "{refused:?}");
        // The old content, found again.
        put(&image, changed + std::time::Duration::from_secs(2));
        assert_eq!(load_manifest(&manifest, &options).unwrap().digest, first.digest);
        // Another size, and an image in another class, of the same name and time.
        put(&[&image[..], b"more"].concat(), changed);
        assert!(load_manifest(&manifest, &options).is_err());
        put(&image, changed);
        fs::rename(&victim, folder.path().join("small/train/n2/x0.JPEG")).unwrap();
        assert!(load_manifest(&manifest, &options).is_err());
    }

    #[test]
    fn a_relative_data_directory_is_not_known_by_its_name() {
        const DATA: &str = "SLL_TEST_RELATIVE_DATA";
        let load = |data: &str, cache: &std::path::Path| {
            let mut manifest = small_encoded("class-folders").manifest;
            manifest.images.as_mut().unwrap().stream = true;
            load_manifest(&manifest, &LoadOptions { data_dir: Some(data.into()), ..options_in(cache) })
        };
        // The working directory is the process's: a process of its own for each.
        if let Some(folder) = std::env::var_os(DATA) {
            let outcome = load("data", folder.as_ref());
            println!("{}", outcome.map_or_else(|error| error.to_string(), |data| data.source));
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        in_folders(&folder.path().join("a/data"), None);
        in_folders(&folder.path().join("b/data"), Some(0));
        // The worst case: all times are the same, too, and the image that differs has kept its class.
        let moved = folder.path().join("b/data/small/train/n1/x0.JPEG");
        fs::rename(folder.path().join("b/data/small/train/n2/x0.JPEG"), &moved).unwrap();
        let image = fs::read(&moved).unwrap();
        fs::write(&moved, image.iter().rev().copied().collect::<Vec<u8>>()).unwrap();
        for place in ["a", "b"] {
            for (path, _) in encoded_files("class-folders") {
                let file =
                    fs::File::options().write(true).open(folder.path().join(place).join("data/small").join(path));
                file.unwrap().set_modified(std::time::UNIX_EPOCH).unwrap();
            }
        }
        let from = |place: &str| {
            let test = "place::trust::tests::a_relative_data_directory_is_not_known_by_its_name";
            let mut program = std::process::Command::new(std::env::current_exe().unwrap());
            program.args(["--exact", test, "--nocapture"]).env(DATA, folder.path());
            let output = program.current_dir(folder.path().join(place)).output().unwrap();
            String::from_utf8(output.stdout).unwrap()
        };
        let absolute = fs::canonicalize(folder.path().join("a/data/small")).unwrap();
        let text = from("a");
        assert!(text.contains(&format!("data directory {}", absolute.display())), "{text}");
        let text = from("b");
        assert!(text.contains("are not those that were first used"), "{text}");
    }

    #[test]
    fn a_record_that_is_damaged_lets_nothing_through() {
        let folder = tempfile::tempdir().unwrap();
        let manifest = in_folders(folder.path(), None);
        let options = LoadOptions { data_dir: Some(folder.path().to_owned()), ..options_in(folder.path()) };
        load_manifest(&manifest, &options).unwrap();
        let record = Cache::of(&options).unwrap().first_use_path(&manifest);
        fs::write(&record, "digest = ").unwrap();
        let problem = load_manifest(&manifest, &options).unwrap_err().to_string();
        assert!(problem.contains("is damaged") && problem.contains(record.to_str().unwrap()), "{problem}");
        assert_eq!(fs::read_to_string(&record).unwrap(), "digest = ");
    }

    #[test]
    fn of_many_who_see_different_content_at_once_one_is_the_first() {
        let folder = tempfile::tempdir().unwrap();
        let (manifest, options) = (small_encoded("class-folders").manifest, options_in(folder.path()));
        for round in 0..20 {
            let cache = LoadOptions { cache_dir: Some(folder.path().join(round.to_string())), ..options.clone() };
            let first = std::sync::atomic::AtomicUsize::new(0);
            std::thread::scope(|scope| {
                for digest in ["a", "b", "c", "d"] {
                    let (manifest, cache, first) = (&manifest, &cache, &first);
                    scope.spawn(move || {
                        if check_first(digest, "", manifest, digest, cache).is_ok() {
                            first.fetch_add(1, Ordering::Relaxed);
                        }
                    });
                }
            });
            assert_eq!(first.into_inner(), 1, "in round {round}");
        }
    }
}
