//! Every decoder on untrusted bytes, for the tests below: each takes what it is given, and must
//! neither panic nor write outside its folder nor take memory that the input does not justify.

use crate::fetch::unpack::{Bounds, untar, unzip};
use crate::format::images::Images;
use crate::format::picture::Picture;
use crate::format::shard::{Columns, Shard};
use crate::format::stored::{Bytes, StoredFile};
use crate::format::{cifar, idx};
use std::io::Cursor;
use std::path::Path;

/// IDX images and labels.
fn idx(data: &[u8]) {
    for (count, side) in [(2, 1), (3, 2)] {
        if let Ok(pixels) = idx::images(data.to_vec(), count, [1, side, side]) {
            assert_eq!(pixels.len(), count * side * side);
        }
        if let Ok(labels) = idx::labels(data, count, 3) {
            assert!(labels.len() == count && labels.iter().all(|&label| label < 3));
        }
    }
}

/// CIFAR's records.
fn cifar(data: &[u8]) {
    for label_bytes in [1, 2] {
        let mut images = Images { shape: [3, 1, 2], pixels: Vec::new(), labels: Vec::new() };
        if cifar::append(data, label_bytes, 3, 4, &mut images).is_ok() {
            assert!(images.pixels.len() == 18 && images.labels.iter().all(|&label| label < 4));
        }
    }
}

/// A gzipped file.
fn gzip(data: &[u8], scratch: &Path) {
    let path = scratch.join("file.gz");
    std::fs::write(&path, data).expect("a scratch folder");
    let file = StoredFile { name: "file.gz".to_owned(), bytes: Bytes::At(path), gzip: true };
    if let Ok(content) = file.read("set", 1000) {
        assert!(content.len() <= 1001);
    }
}

/// An encoded image.
fn picture(data: &[u8]) {
    for channels in [1, 3] {
        if let Ok(picture) = Picture::decode(data, channels) {
            assert_eq!(picture.pixels.len(), picture.width * picture.height * channels);
        }
    }
}

/// A Parquet shard.
fn shard(data: &[u8], scratch: &Path) {
    let path = scratch.join("shard.parquet");
    std::fs::write(&path, data).expect("a scratch folder");
    let columns = Columns { image: "img".to_owned(), label: "label".to_owned(), coarse: None };
    let Ok(shard) = Shard::open(&path, &columns) else { return };
    let _ = shard.labels();
    // What a data set's row count bounds in earnest.
    for group in shard.groups.iter().filter(|group| group.end <= 1000).take(4) {
        // In parts, where there are any.
        let _ = shard.read(group.start + group.len() / 2..group.end);
        if let Ok(rows) = shard.read(group.clone()) {
            assert_eq!(rows.labels.len(), group.len());
            (0..group.len()).for_each(|row| drop(rows.image(row)));
        }
    }
}

/// A gzipped tar.
fn tar_gz(data: &[u8], scratch: &Path) {
    unpacked(scratch, |folder, bounds| drop(untar(data, folder, bounds)));
}

/// A zip.
fn zip(data: &[u8], scratch: &Path) {
    unpacked(scratch, |folder, bounds| drop(unzip(Cursor::new(data), folder, bounds)));
}

/// Unpacks into a folder inside `scratch` and looks whether anything came to lie beside it.
fn unpacked(scratch: &Path, unpack: impl Fn(&Path, &Bounds)) {
    let outside = scratch.join("outside");
    let folder = outside.join("inside");
    std::fs::create_dir_all(&folder).expect("a scratch folder");
    unpack(&folder, &Bounds { bytes: 100_000, root: "set", wanted: &|_| true });
    assert_eq!(std::fs::read_dir(&outside).expect("a scratch folder").count(), 1, "something was written outside");
    assert!(size(&folder) <= 100_001, "more was written than the bound allows");
    std::fs::remove_dir_all(&outside).expect("a scratch folder");
}

fn size(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.metadata().map_or(0, |m| if m.is_dir() { size(&entry.path()) } else { m.len() })).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{gzip as gzipped, shard_of, small_cifar, small_idx, tar_of, zip_of};
    use proptest::prelude::*;

    /// A sound file of each kind.
    fn sound() -> Vec<Vec<u8>> {
        let picture = Picture { width: 3, height: 2, channels: 3, pixels: (0..18).collect() };
        let files: &[(&str, &[u8])] = &[("set/a.bin", b"some content"), ("set/b/c.bin", b"more of it")];
        vec![
            small_idx().contents[0].clone(),
            small_idx().contents[1].clone(),
            small_cifar(1).contents[0].clone(),
            gzipped(b"content", "", 6),
            picture.encode_png(),
            shard_of("img", "label", None, &[(picture.encode_png(), 1), (picture.encode_png(), 2)], 2),
            gzipped(&tar_of(files), "", 6),
            gzipped(&tar_of(files), "", 0),
            zip_of(files),
            jpeg(),
        ]
    }

    fn jpeg() -> Vec<u8> {
        let pixels: Vec<u8> = (0..20 * 13 * 3).map(|at| (at * 7 % 251) as u8).collect();
        let mut jpeg = Vec::new();
        let encoder = image::codecs::jpeg::JpegEncoder::new_with_quality(&mut jpeg, 80);
        image::ImageEncoder::write_image(encoder, &pixels, 20, 13, image::ExtendedColorType::Rgb8).unwrap();
        jpeg
    }

    fn all(data: &[u8]) {
        let scratch = tempfile::tempdir().unwrap();
        idx(data);
        cifar(data);
        gzip(data, scratch.path());
        picture(data);
        shard(data, scratch.path());
        tar_gz(data, scratch.path());
        zip(data, scratch.path());
    }

    #[test]
    fn sound_files_are_read() {
        sound().iter().for_each(|file| all(file));
    }

    /// 200 cases, or `PROPTEST_CASES`.
    fn config() -> ProptestConfig {
        let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(200);
        ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
    }

    proptest! {
        #![proptest_config(config())]

        #[test]
        fn any_bytes_are_read_or_refused(data in proptest::collection::vec(any::<u8>(), 0..300)) {
            all(&data);
        }

        /// Sound files with some bytes changed, removed or repeated.
        #[test]
        fn damaged_files_are_read_or_refused(
            which in 0usize..10,
            changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0u8..4), 1..6),
        ) {
            let mut data = sound().swap_remove(which);
            for (at, value, kind) in changes {
                if data.is_empty() {
                    break;
                }
                let at = at.index(data.len());
                match kind {
                    0 => data.truncate(at),
                    1 => drop(data.drain(at..(at + usize::from(value)).min(data.len()))),
                    2 => data.extend_from_within(at..(at + usize::from(value)).min(data.len())),
                    _ => data[at] ^= value,
                }
            }
            all(&data);
        }
    }
}
