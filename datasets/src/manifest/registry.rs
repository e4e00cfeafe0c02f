//! Every data set this program knows.

use crate::error::DataError;
use crate::manifest::Manifest;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

/// The text of every manifest, in the order in which they are listed.
const TEXTS: [&str; 10] = [
    include_str!("../../manifests/mnist.toml"),
    include_str!("../../manifests/fashion-mnist.toml"),
    include_str!("../../manifests/cifar-10.toml"),
    include_str!("../../manifests/cifar-100.toml"),
    include_str!("../../manifests/imagenette-160.toml"),
    include_str!("../../manifests/imagenette-320.toml"),
    include_str!("../../manifests/tiny-imagenet-200.toml"),
    include_str!("../../manifests/imagenet-1k.toml"),
    include_str!("../../manifests/mnist-sample.toml"),
    include_str!("../../manifests/fashion-mnist-sample.toml"),
];

/// Every data set this program knows, full sets first.
pub fn manifests() -> &'static [Manifest] {
    static MANIFESTS: OnceLock<Vec<Manifest>> = OnceLock::new();
    let parse =
        |text: &&str| Manifest::parse(text).expect("the embedded manifests parse: `every_manifest_is_valid` tests it");
    MANIFESTS.get_or_init(|| TEXTS.iter().map(parse).collect())
}

/// The manifest of one data set, of the program's or of one's own that [`resolve`](crate::resolve) has read.
///
/// # Errors
/// [`DataError::Unknown`], which lists the names that exist.
pub fn manifest(name: &str) -> Result<&'static Manifest, DataError> {
    let names = || manifests().iter().map(|manifest| manifest.name.as_str()).collect::<Vec<_>>().join(", ");
    let built_in = manifests().iter().find(|manifest| manifest.name == name);
    built_in
        .or_else(|| own().iter().find(|manifest| manifest.name == name).copied())
        .ok_or_else(|| DataError::Unknown { name: name.to_owned(), valid: names() })
}

/// The data sets of one's own that this process has read.
static OWN: Mutex<Vec<&'static Manifest>> = Mutex::new(Vec::new());

fn own() -> MutexGuard<'static, Vec<&'static Manifest>> {
    OWN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The data set of one's own that `path` named before.
pub(crate) fn named_by(path: &Path) -> Option<&'static Manifest> {
    own().iter().find(|manifest| manifest.own.as_ref().is_some_and(|own| own.path == path)).copied()
}

/// Makes `found` known by its name for the rest of the process; or the manifest that has this name already.
pub(crate) fn register(found: Manifest) -> Result<&'static Manifest, &'static Manifest> {
    if let Some(built_in) = manifests().iter().find(|manifest| manifest.name == found.name) {
        return Err(built_in);
    }
    let mut own = own();
    match own.iter().find(|manifest| manifest.name == found.name) {
        Some(known) if **known == found => Ok(known),
        Some(known) => Err(known),
        None => {
            let found = &*Box::leak(Box::new(found));
            own.push(found);
            Ok(found)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_manifest_is_valid() {
        for text in TEXTS {
            Manifest::parse(text).unwrap();
        }
        let counts = |name| manifest(name).map(|found| (found.counts.train, found.counts.test, found.classes)).unwrap();
        assert_eq!(counts("fashion-mnist"), (60_000, 10_000, 10));
        assert_eq!(counts("cifar-100"), (50_000, 10_000, 100));
        assert_eq!(counts("imagenet-1k"), (1_281_167, 50_000, 1000));
        assert_eq!(counts("mnist-sample"), (4000, 1000, 10));
    }

    #[test]
    fn an_unknown_name_lists_the_valid_ones() {
        let message = manifest("minst").unwrap_err().to_string();
        assert_eq!(
            message,
            "there is no data set `minst`; choose one of mnist, fashion-mnist, cifar-10, cifar-100, imagenette-160, \
             imagenette-320, tiny-imagenet-200, imagenet-1k, mnist-sample, fashion-mnist-sample"
        );
    }
}
