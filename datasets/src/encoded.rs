//! Data sets of encoded images: decoded into memory at one shape, or opened as a stream.

use std::ops::Range;

use rayon::prelude::*;

use crate::{
    augment::centre,
    cache::Cache,
    dataset::{Dataset, Images},
    error::DataError,
    manifest::Manifest,
    options::LoadOptions,
    picture::Picture,
    source::Located,
    store::{EncodedSplit, Store},
    stream::Stream,
    trust,
};

/// Loads what [`obtain`](crate::fetch::obtain) found.
pub(crate) fn load(manifest: &Manifest, located: &Located, options: &LoadOptions) -> Result<Dataset, DataError> {
    let store = Store::open(manifest, located)?;
    let data = Dataset::empty(manifest, &located.source);
    if manifest.is_streamed() {
        let digest = known_digest(&store, manifest, located, options)?;
        return Ok(Dataset { digest, stream: Some(Stream::new(store, manifest)), ..data });
    }
    let seen = trust::first_use(&store, manifest, &located.source, options)?;
    let (train, test) = (decode(manifest, &store.train, &seen.train)?, decode(manifest, &store.test, &seen.test)?);
    Ok(Dataset { train, test, digest: seen.digest, ..data })
}

/// The digest that was written down when the images were first seen from where they are; from elsewhere, all are read again.
fn known_digest(
    store: &Store,
    manifest: &Manifest,
    located: &Located,
    options: &LoadOptions,
) -> Result<String, DataError> {
    let first = Cache::of(options).and_then(|cache| cache.first_use(manifest));
    match first.filter(|first| first.sources.contains(&located.source)) {
        Some(first) => Ok(first.digest),
        None => Ok(trust::first_use(store, manifest, &located.source, options)?.digest),
    }
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

/// Decodes all images; the image of place `order[i]` becomes image `i`.
fn decode(manifest: &Manifest, split: &EncodedSplit, order: &[u32]) -> Result<Images, DataError> {
    let (shape, size) = (Shape::of(manifest), manifest.image_len());
    let mut place = vec![0u32; order.len()];
    order.iter().enumerate().for_each(|(to, &from)| place[from as usize] = to as u32);
    let failed = |problem| DataError::Corrupt { dataset: manifest.name.clone(), file: "an image".to_owned(), problem };
    // By unit, since a shard's row group is decompressed as a whole; each image goes to its place at the end of the unit.
    let decoded = |unit: Range<usize>| {
        let images = split.read(unit.clone())?;
        unit.zip(images)
            .map(|(index, image)| {
                let mut pixels = vec![0; size];
                evaluation(&shape, &image, &mut pixels)
                    .map_err(|problem| format!("({}) {problem}", split.name(index)))?;
                Ok((index, pixels))
            })
            .collect::<Result<Vec<_>, String>>()
    };
    let mut pixels = vec![0; split.len() * size];
    for units in split.units().chunks(256) {
        let decoded = units.par_iter().cloned().map(decoded).collect::<Result<Vec<_>, String>>().map_err(failed)?;
        for (index, image) in decoded.into_iter().flatten() {
            pixels[place[index] as usize * size..][..size].copy_from_slice(&image);
        }
    }
    let labels = order.iter().map(|&from| split.labels[from as usize]).collect();
    Ok(Images { shape: manifest.shape, pixels, labels })
}
