//! Digests alone: which file of a data set is not the official one.

use crate::error::DataError;
use crate::fetch::locate_or_fetch;
use crate::manifest::Manifest;
use crate::manifest::digest::Digest;
use crate::manifest::registry::manifest;
use crate::options::LoadOptions;
use crate::place::cache::Cache;
use crate::place::compare::{FileCheck, Verification, compare};
use crate::place::encoded::Store;
use crate::place::{Located, trust};

/// Compares the digest of every file of the data set `name` with its manifest. A file that differs or cannot be read is
/// a [`FileCheck`], not an error.
///
/// # Errors
/// [`DataError::Unknown`] for a name without a manifest, [`DataError::Missing`] if no place has all the files.
pub fn verify(name: &str, options: &LoadOptions) -> Result<Verification, DataError> {
    verify_manifest(manifest(name)?, options)
}

/// [`verify`] for a manifest of one's own.
pub(crate) fn verify_manifest(manifest: &Manifest, options: &LoadOptions) -> Result<Verification, DataError> {
    let located = locate_or_fetch(manifest, &LoadOptions { online: false, ..options.clone() })?;
    if manifest.layout.is_encoded() {
        return verify_images(manifest, &located, options);
    }
    compare(manifest, &located)
}

/// Compares encoded images with those that this machine saw first, since no digest of them is published; the first ones
/// are written down, as by loading. Images that cannot be read are a check that failed.
fn verify_images(manifest: &Manifest, located: &Located, options: &LoadOptions) -> Result<Verification, DataError> {
    let outcome = check_images(manifest, located, options);
    let digest = |hex: &str| Digest { algorithm: crate::Algorithm::Sha256, hex: hex.to_owned() };
    let failed = |file: &str, problem: String| {
        let first = Cache::of(options).map(|cache| cache.first_use(manifest)).transpose()?.flatten();
        let expected = first.map(|first| digest(&first.digest));
        Ok(FileCheck { file: file.to_owned(), expected, found: None, problem: Some(problem), ok: false })
    };
    let file = match outcome {
        Ok(file) => file,
        Err(DataError::Corrupt { file, problem, .. }) => failed(file.as_deref().unwrap_or("image"), problem)?,
        Err(DataError::Read { file, source, .. }) => failed(&file, format!("cannot be read ({source})"))?,
        Err(error) => return Err(error),
    };
    Ok(Verification { dataset: manifest.name.clone(), source: located.source.clone(), files: vec![file] })
}

/// Reads all images.
fn check_images(manifest: &Manifest, located: &Located, options: &LoadOptions) -> Result<FileCheck, DataError> {
    let store = Store::open(manifest, located)?;
    let fingerprint = store.fingerprint(manifest)?;
    let seen = trust::digest_all(&store, manifest, options, |_| Ok(()))?;
    let strict = LoadOptions { allow_unverified: false, ..options.clone() };
    let digest = |hex: &str| Some(Digest { algorithm: crate::Algorithm::Sha256, hex: hex.to_owned() });
    let (expected, ok) = match trust::check_first(&seen.digest, &fingerprint, manifest, &located.source, &strict) {
        Ok(()) => (digest(&seen.digest), true),
        Err(DataError::Changed { expected, .. }) => (digest(&expected), false),
        Err(error) => return Err(error),
    };
    let count = seen.train.labels.len() + seen.test.labels.len();
    let with = match &manifest.digest {
        Some(_) => "compared with those that were described",
        None if manifest.own.is_some() => {
            "their manifest has no digest: compared with those first used on this machine"
        }
        None => "no digest of them is published: compared with those first used on this machine",
    };
    let file = format!("{count} images ({with})");
    Ok(FileCheck { file, ok, expected, found: digest(&seen.digest), problem: None })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{encoded_files, gzip, options_in, small_encoded, small_idx};
    use std::fs;

    #[test]
    fn the_embedded_samples_are_what_their_manifests_say() {
        for name in ["mnist-sample", "fashion-mnist-sample"] {
            let verification = verify(name, &LoadOptions::default()).unwrap();
            assert!(verification.ok() && verification.files.len() == 4, "{verification:?}");
        }
    }

    #[test]
    fn each_bad_file_is_named_with_its_reason() {
        let data = tempfile::tempdir().unwrap();
        let (folder, small) = (data.path().join("small"), small_idx());
        small.write(&folder);
        let options = LoadOptions { data_dir: Some(data.path().to_owned()), ..options_in(data.path()) };
        assert!(verify_manifest(&small.manifest, &options).unwrap().ok());

        fs::write(folder.join("train-labels.gz"), gzip(&small.contents[3], "", 9)).unwrap();
        fs::write(folder.join("t10k-images.gz"), gzip(&small.contents[0], "", 9)).unwrap();
        fs::write(folder.join("t10k-labels.gz"), b"nothing gzipped").unwrap();
        let verification = verify_manifest(&small.manifest, &options).unwrap();
        assert!(!verification.ok());
        assert_eq!(verification.files.iter().map(|file| file.ok).collect::<Vec<_>>(), [true, false, false, false]);
        let [_, differs, longer, broken] = &verification.files[..] else { panic!("four files") };
        assert!(
            differs.file.ends_with("small/train-labels.gz")
                && differs.found == Some(Digest::sha256(&small.contents[3]))
        );
        assert_eq!(
            (longer.found.clone(), longer.problem.as_deref()),
            (None, Some("continues after its 24 bytes of content"))
        );
        assert!(broken.problem.as_deref().unwrap().starts_with("is not a sound gzip stream"));
    }

    #[test]
    fn a_data_set_that_is_not_there_is_an_error() {
        let cache = tempfile::tempdir().unwrap();
        let nowhere =
            LoadOptions { data_dir: Some("/nonexistent".into()), allow_unverified: true, ..options_in(cache.path()) };
        assert!(verify("cifar-10", &nowhere).unwrap_err().is_missing());
    }
    #[test]
    fn a_folder_of_images_that_lacks_one_fails_its_check() {
        let data = tempfile::tempdir().unwrap();
        let folder = data.path().join("small");
        for (path, image) in encoded_files("class-folders") {
            fs::create_dir_all(folder.join(&path).parent().unwrap()).unwrap();
            fs::write(folder.join(path), image).unwrap();
        }
        let manifest = small_encoded("class-folders").manifest;
        let options = LoadOptions { data_dir: Some(data.path().to_owned()), ..options_in(data.path()) };
        let check = || verify_manifest(&manifest, &options).unwrap().files.remove(0);
        let victim = folder.join("train/n1/x0.JPEG");
        let image = fs::read(&victim).unwrap();
        fs::remove_file(&victim).unwrap();
        let lacking = check();
        assert!(!lacking.ok && lacking.expected.is_none() && lacking.found.is_none(), "{lacking:?}");
        assert!(lacking.problem.unwrap().contains("has 5 images under train, not 6"));
        fs::write(&victim, image).unwrap();
        let sound = check();
        assert!(sound.ok && sound.expected == sound.found);
        fs::remove_file(&victim).unwrap();
        assert_eq!(check().expected, sound.expected, "what was seen first");
    }
}
