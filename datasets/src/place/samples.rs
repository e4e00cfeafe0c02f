//! The data sets that are part of the program; what they are and are not: `samples/README.md`.

use crate::format::stored::{Bytes, StoredFile};
use crate::manifest::{FileSpec, Manifest};

macro_rules! sample_files {
    ($($path:literal),*) => {
        &[$(($path, include_bytes!(concat!("../../samples/", $path)))),*]
    };
}

/// The embedded files, as `folder/path` of their manifest.
const EMBEDDED: &[(&str, &[u8])] = sample_files![
    "mnist-sample/train-images-idx3-ubyte.gz",
    "mnist-sample/train-labels-idx1-ubyte.gz",
    "mnist-sample/t10k-images-idx3-ubyte.gz",
    "mnist-sample/t10k-labels-idx1-ubyte.gz",
    "fashion-mnist-sample/train-images-idx3-ubyte.gz",
    "fashion-mnist-sample/train-labels-idx1-ubyte.gz",
    "fashion-mnist-sample/t10k-images-idx3-ubyte.gz",
    "fashion-mnist-sample/t10k-labels-idx1-ubyte.gz"
];

/// A file of an embedded data set.
pub(crate) fn embedded(manifest: &Manifest, file: &FileSpec) -> StoredFile {
    let name = format!("{}/{}", manifest.folder.display(), file.path);
    let found = EMBEDDED.iter().find(|(path, _)| *path == name);
    let (_, bytes) =
        found.expect("every file of an embedded manifest is in EMBEDDED: `every_embedded_file_is_there` tests it");
    StoredFile { name: format!("embedded {name}"), bytes: Bytes::Embedded(bytes), gzip: true }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load;
    use crate::manifest::registry::manifests;
    use crate::options::LoadOptions;
    use crate::place::{Status, status};

    #[test]
    fn every_embedded_file_is_there() {
        let samples: Vec<_> = manifests().iter().filter(|manifest| manifest.embedded).collect();
        assert_eq!(samples.iter().map(|manifest| manifest.files.len()).sum::<usize>(), EMBEDDED.len());
        for manifest in samples {
            assert_eq!(status(&manifest.name, &LoadOptions::default()).unwrap(), Status::Embedded);
        }
    }

    #[test]
    fn the_embedded_samples_are_verified_and_balanced() {
        for (name, digest) in [
            ("mnist-sample", "7751ce46bf19af49a81107814c74589968255c2eec5a95e13acdb31031b510af"),
            ("fashion-mnist-sample", "c584776223b79e1a45b0364dd9f8ad20f544da3da031dec31c810fced1727c64"),
        ] {
            let data = load(name, &LoadOptions::default()).unwrap();
            assert!(data.verified);
            assert_eq!((data.source.as_str(), data.digest.as_str()), ("embedded sample", digest));
            for (images, each) in [(&data.in_memory().unwrap().train, 400), (&data.in_memory().unwrap().test, 100)] {
                assert_eq!((images.shape, images.len(), images.pixels.len()), ([1, 28, 28], 10 * each, 7840 * each));
                for class in 0..10 {
                    assert_eq!(images.labels.iter().filter(|&&label| label == class).count(), each);
                }
                let mixed = |labels: &[u16]| (0..10).all(|class| labels.contains(&class));
                assert!(images.labels.chunks(100).all(mixed), "the classes are not interleaved");
            }
            let train: std::collections::HashSet<&[u8]> = data.in_memory().unwrap().train.pixels.chunks(784).collect();
            assert!(
                data.in_memory().unwrap().test.pixels.chunks(784).all(|image| !train.contains(image)),
                "train and test share an image"
            );
        }
    }
}
