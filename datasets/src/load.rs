//! From a name to a data set in memory.

use crate::augment::evaluate::{Shape, evaluation};
use crate::error::DataError;
use crate::fetch::locate_or_fetch;
use crate::format::images::Images;
use crate::format::{cifar, idx};
use crate::manifest::digest::{Algorithm, Digest};
use crate::manifest::registry::manifest;
use crate::manifest::{FileContent, FileSpec, Manifest, Split};
use crate::options::LoadOptions;
use crate::place::encoded::{Content, Store};
use crate::place::{Located, trust};
use crate::serve::stream::Stream;
use crate::serve::{Dataset, Served, Splits, content_digest};

/// Loads, checks and decodes the data set `name`; fetches it first if it is not here and `options.online` allows it.
///
/// A data set too large for memory is served as a [`Stream`].
///
/// # Errors
/// [`DataError::Unknown`] for a name without a manifest, [`DataError::Missing`] or [`DataError::Fetch`] if no place or
/// source has all the files, [`DataError::Corrupt`] for a file that is not in its layout, [`DataError::Read`] if the
/// system cannot read one, [`DataError::Digest`] if the content is well-formed but not the official one and
/// `options.allow_unverified` is off.
pub fn load(name: &str, options: &LoadOptions) -> Result<Dataset, DataError> {
    load_manifest(manifest(name)?, options)
}

/// [`load`] for a manifest of one's own, made by [`Manifest::parse`].
///
/// # Errors
/// Those of [`load`], without [`DataError::Unknown`].
pub fn load_manifest(manifest: &Manifest, options: &LoadOptions) -> Result<Dataset, DataError> {
    let located = locate_or_fetch(manifest, options)?;
    let outcome = match manifest.layout.is_encoded() {
        true => load_images(manifest, &located, options),
        false => load_files(manifest, &located, options),
    };
    outcome.map_err(|error| located.blamed(manifest, options, error))
}

/// Loads the official files that were found.
fn load_files(manifest: &Manifest, located: &Located, options: &LoadOptions) -> Result<Dataset, DataError> {
    let (mut train, mut test) = (Images::empty(manifest.shape), Images::empty(manifest.shape));
    let (mut digests, mut differing) = (Vec::new(), Vec::new());
    for (spec, file) in manifest.files.iter().zip(&located.files) {
        let content = file.read(&manifest.name, manifest.content_len(spec))?;
        let sha256 = Digest::sha256(&content);
        let found = match spec.digest.algorithm {
            Algorithm::Sha256 => sha256.clone(),
            algorithm => Digest::of(algorithm, &content),
        };
        digests.push(sha256);
        let images = if spec.split == Split::Train { &mut train } else { &mut test };
        decode(manifest, spec, content, images).map_err(|problem| file.corrupt(&manifest.name, problem))?;
        if found != spec.digest {
            differing.push((file, spec, found));
        }
    }
    // Only now: a file that cannot be read at all matters more than one that differs, wherever it stands.
    if let Some((file, spec, found)) = differing.first()
        && !options.allow_unverified
    {
        return Err(DataError::Digest {
            dataset: manifest.name.clone(),
            file: file.name.clone(),
            expected: spec.digest.to_string(),
            found: found.to_string(),
            differing: differing.len(),
            files: manifest.files.len(),
            fetched: false,
        });
    }
    let digest = content_digest(&digests);
    let images = Served::Memory(Splits { train, test });
    Ok(Dataset::new(manifest, located.told(manifest), images, digest, differing.is_empty()))
}

/// Loads what [`locate_or_fetch`](crate::fetch::locate_or_fetch) found.
fn load_images(manifest: &Manifest, located: &Located, options: &LoadOptions) -> Result<Dataset, DataError> {
    let store = Store::open(manifest, located)?;
    let described = |found: &str| manifest.digest.as_ref().is_some_and(|digest| digest.hex == found);
    if manifest.is_streamed() {
        let digest = trust::recall(&store, manifest, &located.source, options)?;
        let images = Served::Stream(Stream::new(store, manifest));
        return Ok(Dataset::new(manifest, located.told(manifest), images, digest.clone(), described(&digest)));
    }
    let shape = Shape::of(manifest);
    let decode = |encoded: &[u8]| {
        let mut pixels = vec![0; manifest.image_len()];
        evaluation(&shape, encoded, &mut pixels)?;
        Ok(pixels)
    };
    let fingerprint = store.fingerprint(manifest)?;
    let seen = trust::digest_all(&store, manifest, options, decode)?;
    trust::check_first(&seen.digest, &fingerprint, manifest, &located.source, options)?;
    let (train, test) = (images(manifest, seen.train), images(manifest, seen.test));
    let images = Served::Memory(Splits { train, test });
    let verified = described(&seen.digest);
    Ok(Dataset::new(manifest, located.told(manifest), images, seen.digest, verified))
}

/// The digest of the content of the data set `name`, where nobody published one or the data set is one's own: as
/// [`Dataset::digest`] has it, without decoding an image, and without reading any where they were read before and their
/// files look no different from then. None where there is a published one. Fetches what is not here as
/// [`load`](crate::load) does.
///
/// # Errors
/// Those of [`load`](crate::load).
pub fn unpublished_digest(name: &str, options: &LoadOptions) -> Result<Option<String>, DataError> {
    let manifest = manifest(name)?;
    if manifest.names_content() {
        return Ok(None);
    }
    let located = locate_or_fetch(manifest, options)?;
    let digest = Store::open(manifest, &located).and_then(|s| trust::recall(&s, manifest, &located.source, options));
    digest.map(Some).map_err(|error| located.blamed(manifest, options, error))
}

/// The decoded images of a split. Each is given back as it is copied: at no time are all there twice.
fn images(manifest: &Manifest, content: Content<Vec<u8>>) -> Images {
    let mut pixels = Vec::with_capacity(content.made.len() * manifest.image_len());
    content.made.into_iter().for_each(|image| pixels.extend(image));
    Images { shape: manifest.shape, pixels, labels: content.labels }
}

/// Adds one file's content to its split, or says what is wrong with it.
fn decode(manifest: &Manifest, spec: &FileSpec, content: Vec<u8>, images: &mut Images) -> Result<(), String> {
    match spec.content {
        FileContent::Images if images.pixels.is_empty() => {
            images.pixels = idx::images(content, spec.count, manifest.shape)?;
        }
        FileContent::Images => images.pixels.extend(idx::images(content, spec.count, manifest.shape)?),
        FileContent::Labels => images.labels.extend(idx::labels(&content, spec.count, manifest.classes)?),
        FileContent::Records => {
            cifar::append(&content, manifest.layout.label_bytes(), spec.count, manifest.classes, images)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Small, gzip, options_in, small_cifar, small_idx};
    use std::fs;

    /// Writes the small data set in a data directory, changes its folder and loads it.
    fn loaded(small: &Small, allow_unverified: bool, change: impl Fn(&std::path::Path)) -> Result<Dataset, DataError> {
        let data = tempfile::tempdir().unwrap();
        let folder = data.path().join("small");
        small.write(&folder);
        change(&folder);
        load_manifest(
            &small.manifest,
            &LoadOptions { data_dir: Some(data.path().to_owned()), allow_unverified, ..options_in(data.path()) },
        )
    }

    #[test]
    fn idx_files_come_back_as_written() {
        let data = loaded(&small_idx(), false, |_| ()).unwrap();
        assert_eq!(
            data.in_memory().unwrap().train,
            Images { shape: [1, 2, 2], pixels: (1..=16).collect(), labels: vec![0, 1, 2, 0] }
        );
        assert_eq!(
            data.in_memory().unwrap().test,
            Images { shape: [1, 2, 2], pixels: (101..=108).collect(), labels: vec![2, 1] }
        );
        assert!(data.verified && data.source.starts_with("data directory "));
        assert_eq!((data.classes, data.class_names.len(), data.mean.len()), (3, 3, 1));
    }

    #[test]
    fn cifar_files_come_back_as_written() {
        for label_bytes in [1, 2] {
            let data = loaded(&small_cifar(label_bytes), false, |_| ()).unwrap();
            assert_eq!(
                data.in_memory().unwrap().train,
                Images { shape: [3, 1, 2], pixels: (1..=18).collect(), labels: vec![0, 1, 2] }
            );
            assert_eq!(
                data.in_memory().unwrap().test,
                Images { shape: [3, 1, 2], pixels: (101..=106).collect(), labels: vec![1] }
            );
            assert!(data.verified);
        }
    }

    #[test]
    fn compression_does_not_change_the_digest() {
        let small = small_idx();
        let reference = loaded(&small, false, |_| ()).unwrap();
        let renamed = loaded(&small, false, |folder| {
            fs::write(folder.join("train-images.gz"), gzip(&small.contents[0], "other name", 1)).unwrap();
        })
        .unwrap();
        let plain = loaded(&small, false, |folder| {
            fs::remove_file(folder.join("train-images.gz")).unwrap();
            fs::write(folder.join("train-images"), &small.contents[0]).unwrap();
        });
        assert_eq!(
            (&renamed.digest, &renamed.in_memory().unwrap().train),
            (&reference.digest, &reference.in_memory().unwrap().train)
        );
        assert_eq!(plain.unwrap().digest, reference.digest);
    }

    #[test]
    fn other_content_is_named_by_file_and_can_be_allowed() {
        let small = small_idx();
        let change = |folder: &std::path::Path| {
            let mut content = small.contents[2].clone();
            *content.last_mut().unwrap() ^= 1;
            fs::write(folder.join("t10k-images.gz"), gzip(&content, "", 9)).unwrap();
        };
        let error = loaded(&small, false, change).unwrap_err();
        assert!(error.is_digest_mismatch() && !error.is_missing());
        let message = error.to_string();
        assert!(message.contains("small/t10k-images.gz is not the official content (expected sha256:"), "{message}");
        assert!(message.contains("1 of 4 files differ") && message.contains("`allow_unverified`"), "{message}");

        let allowed = loaded(&small, true, change).unwrap();
        let reference = loaded(&small, true, |_| ()).unwrap();
        assert!(!allowed.verified && reference.verified);
        assert_ne!(allowed.digest, reference.digest);
        assert_eq!(allowed.in_memory().unwrap().test.pixels.last(), Some(&109));
    }

    #[test]
    fn damage_is_an_error_even_when_unverified_content_is_allowed() {
        type Change = fn(&Small) -> Vec<u8>;
        let changes: [(Change, &str); 5] = [
            (|small| gzip(&small.contents[0][..20], "", 9), "ends after 20 of 32 bytes"),
            (|small| gzip(&small.contents[1], "", 9), "starts with 0x00000801"),
            (|small| gzip(&[&small.contents[0][..], &[0]].concat(), "", 9), "continues after its 32 bytes"),
            (|small| gzip(&small.contents[2], "", 9), "declares dimensions [2, 2, 2], not [4, 2, 2]"),
            (|small| gzip(&small.contents[0], "", 9)[..25].to_vec(), "gzip stream that ends early"),
        ];
        let small = small_idx();
        for (change, expected) in changes {
            let message =
                loaded(&small, true, |folder| fs::write(folder.join("train-images.gz"), change(&small)).unwrap())
                    .unwrap_err()
                    .to_string();
            assert!(message.contains("small/train-images.gz ") && message.contains(expected), "{message}");
        }
        let cifar = small_cifar(1);
        for (length, expected) in [(20, "not a multiple of its 7-byte record"), (14, "has 2 records, not 3")] {
            let cut =
                |folder: &std::path::Path| fs::write(folder.join("train.bin"), &cifar.contents[0][..length]).unwrap();
            let message = loaded(&cifar, true, cut).unwrap_err().to_string();
            assert!(message.contains("small/train.bin ") && message.contains(expected), "{message}");
        }
    }
}
