//! From Parquet shards back to the official files of a small data set: the same bytes, whatever container they came in.

use crate::error::{Next, Problem};
use crate::format::picture::Picture;
use crate::format::shard::Shard;
use crate::manifest::{FileContent, HubSource, Manifest, Split};
use crate::net::HubShards;
use crate::place::encoded::open_shards;
use rayon::prelude::*;
use std::fs;
use std::path::Path;

/// The decoded images of one split.
struct Decoded {
    pixels: Vec<u8>,
    labels: Vec<u8>,
    coarse: Vec<u8>,
}

/// Writes the official files that `shards` hold the content of into `folder`, uncompressed. Only their counts, shapes
/// and classes are checked here.
pub(crate) fn official_files(
    manifest: &Manifest,
    source: &HubSource,
    shards: &HubShards,
    folder: &Path,
) -> Result<(), Problem> {
    for (split, paths, count) in
        [(Split::Train, &shards.train, manifest.counts.train), (Split::Test, &shards.test, manifest.counts.test)]
    {
        let shards = open_shards(source, paths, count).map_err(|(path, problem)| damaged(path, &problem))?;
        let decoded = decode(manifest, &shards, count)?;
        let mut start = [0; 3];
        for file in manifest.files.iter().filter(|file| file.split == split) {
            let from = &mut start[file.content as usize];
            let content = official_bytes(manifest, &decoded, file.content, *from..*from + file.count);
            *from += file.count;
            let path = folder.join(file.path.trim_end_matches(".gz"));
            fs::write(&path, &content).map_err(|error| Problem::write(&path, content.len() as u64, &error))?;
        }
    }
    Ok(())
}

fn damaged(path: &Path, problem: &str) -> Problem {
    Problem::new(
        format!("{} {problem}", path.display()),
        [Next::Do("remove it and fetch again".to_owned()), Next::OtherSource],
    )
}

fn decode(manifest: &Manifest, shards: &[Shard], count: usize) -> Result<Decoded, Problem> {
    let size = manifest.image_len();
    let mut decoded = Decoded { pixels: vec![0; count * size], labels: Vec::with_capacity(count), coarse: Vec::new() };
    let mut rest = decoded.pixels.as_mut_slice();
    for shard in shards {
        for group in &shard.groups {
            let rows = shard.read(group.clone()).map_err(|problem| damaged(shard.path(), &problem))?;
            let (pixels, after) = rest.split_at_mut(group.len() * size);
            rest = after;
            pixels
                .par_chunks_exact_mut(size)
                .enumerate()
                .try_for_each(|(row, pixels)| {
                    let image = rows.image(row)?;
                    Picture::decode_exact(image, manifest.shape, pixels)
                        .map_err(|problem| format!("row {}: the image {problem}", group.start + row))
                })
                .map_err(|problem| damaged(shard.path(), &problem))?;
            let bytes =
                |classes: &[i64]| classes.iter().map(|&class| u8::try_from(class).ok()).collect::<Option<Vec<u8>>>();
            let no_class = || damaged(shard.path(), "has a class that no byte can hold");
            decoded.labels.extend(bytes(&rows.labels).ok_or_else(no_class)?);
            decoded.coarse.extend(bytes(rows.coarse.as_deref().unwrap_or_default()).ok_or_else(no_class)?);
        }
    }
    Ok(decoded)
}

/// The official layout of images `range`.
fn official_bytes(
    manifest: &Manifest,
    decoded: &Decoded,
    content: FileContent,
    range: std::ops::Range<usize>,
) -> Vec<u8> {
    let size = manifest.image_len();
    let [_, height, width] = manifest.shape.map(|side| side as u32);
    let header = |words: &[u32]| words.iter().flat_map(|word| word.to_be_bytes()).collect::<Vec<u8>>();
    let pixels = &decoded.pixels[range.start * size..range.end * size];
    match content {
        FileContent::Images => [header(&[0x0803, range.len() as u32, height, width]), pixels.to_vec()].concat(),
        FileContent::Labels => [header(&[0x0801, range.len() as u32]), decoded.labels[range].to_vec()].concat(),
        FileContent::Records => range
            .zip(pixels.chunks_exact(size))
            .flat_map(|(image, pixels)| {
                decoded.coarse.get(image).into_iter().chain([&decoded.labels[image]]).chain(pixels)
            })
            .copied()
            .collect(),
    }
}
