//! Data sets of encoded images: decoded into memory at one shape, or opened as a stream.

use crate::{
    augment::centre,
    dataset::{Dataset, Images},
    error::DataError,
    fetch::obtain,
    manifest::Manifest,
    options::LoadOptions,
    picture::Picture,
    registry::manifest,
    source::Located,
    store::{Content, Store},
    stream::Stream,
    trust,
};

/// Loads what [`obtain`](crate::fetch::obtain) found.
pub(crate) fn load(manifest: &Manifest, located: &Located, options: &LoadOptions) -> Result<Dataset, DataError> {
    let store = Store::open(manifest, located)?;
    let data = Dataset::empty(manifest, &located.source);
    if manifest.is_streamed() {
        let digest = trust::known(&store, manifest, &located.source, options)?;
        return Ok(Dataset { digest, stream: Some(Stream::new(store, manifest)), ..data });
    }
    let shape = Shape::of(manifest);
    let decode = |encoded: &[u8]| {
        let mut pixels = vec![0; manifest.image_len()];
        evaluation(&shape, encoded, &mut pixels)?;
        Ok(pixels)
    };
    let fingerprint = store.fingerprint(manifest)?;
    let seen = trust::see(&store, manifest, options, decode)?;
    trust::compare(&seen.digest, &fingerprint, manifest, &located.source, options)?;
    let (train, test) = (images(manifest, seen.train), images(manifest, seen.test));
    Ok(Dataset { train, test, digest: seen.digest, ..data })
}

/// The digest of the content of the data set `name`, where nobody published one: as [`Dataset::digest`] has it, without decoding an image, and without reading
/// any where they were read before and their files look no different from then. None where there is a published one. Fetches what is not here as
/// [`load`](crate::load) does.
///
/// # Errors
/// Those of [`load`](crate::load).
pub fn unpublished_digest(name: &str, options: &LoadOptions) -> Result<Option<String>, DataError> {
    let manifest = manifest(name)?;
    if manifest.has_digest() {
        return Ok(None);
    }
    let located = obtain(manifest, options)?;
    let digest = Store::open(manifest, &located).and_then(|s| trust::known(&s, manifest, &located.source, options));
    digest.map(Some).map_err(|error| if located.is_fetched(manifest, options) { error.in_cache() } else { error })
}

/// An encoded image at the manifest's shape, as for evaluation: the shorter side resized, the centre cut out.
///
/// The problem is a verb phrase.
pub(crate) fn evaluation(manifest: &Shape, encoded: &[u8], into: &mut [u8]) -> Result<(), String> {
    let picture = Picture::decode(encoded, manifest.shape[0])?;
    centre(&picture, manifest.resize, manifest.shape[1], manifest.shape[2]).planes(into);
    Ok(())
}

/// What an image is made to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    /// Channels, height, width.
    pub(crate) shape: [usize; 3],
    /// The shorter side before the centre is cut out.
    pub(crate) resize: usize,
}

impl Shape {
    /// The shape that a manifest asks for.
    pub(crate) fn of(manifest: &Manifest) -> Self {
        let images = manifest.images.as_ref().expect("a layout of image files has `images`");
        Self { shape: manifest.shape, resize: images.resize }
    }
}

/// The decoded images of a split. Each is given back as it is copied: at no time are all there twice.
fn images(manifest: &Manifest, content: Content<Vec<u8>>) -> Images {
    let mut pixels = Vec::with_capacity(content.made.len() * manifest.image_len());
    content.made.into_iter().for_each(|image| pixels.extend(image));
    Images { shape: manifest.shape, pixels, labels: content.labels }
}
