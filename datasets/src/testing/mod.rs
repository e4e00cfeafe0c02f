//! Data sets of a few bytes, in the official layouts and in others' containers, for the tests.

mod damaged;
pub(crate) mod parquet;
pub(crate) mod server;

use crate::format::picture::Picture;
use crate::manifest::digest::Digest;
use crate::manifest::{FileContent, Manifest, Split};
use crate::options::{HubOptions, LoadOptions};
use flate2::{Compression, GzBuilder};
use polars_arrow::array::PrimitiveArray;
use std::fs;
use std::io::{Cursor, Write};
use std::path::Path;
use std::time::Duration;

/// Options that look at nothing of this machine's user: caches under `folder`, and no hub.
pub(crate) fn options_in(folder: &Path) -> LoadOptions {
    let hub = HubOptions {
        endpoint: Some("http://127.0.0.1:9".to_owned()),
        cache_dir: Some(folder.join("hub")),
        token: None,
        retries: 0,
        silence: Duration::from_secs(20),
    };
    LoadOptions { cache_dir: Some(folder.join("cache")), hub, ..LoadOptions::default() }
}

/// A tar of files.
pub(crate) fn tar_of(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    for (name, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        // Written as it is: `append_data` would refuse the paths that tests are about.
        header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
        header.set_cksum();
        tar.append(&header, *content).unwrap();
    }
    tar.into_inner().unwrap()
}

/// A zip of files.
pub(crate) fn zip_of(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in files {
        zip.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
        zip.write_all(content).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// A Parquet shard of images with their classes, in row groups of `group` rows. The coarse class is 99 less the class.
pub(crate) fn shard_of<B: AsRef<[u8]>, C: Copy + Into<i64>>(
    image: &str,
    label: &str,
    coarse: Option<&str>,
    rows: &[(B, C)],
    group: usize,
) -> Vec<u8> {
    let classes = |class: &dyn Fn(i64) -> i64| {
        PrimitiveArray::from_vec(rows.iter().map(|row| class(row.1.into())).collect::<Vec<_>>()).boxed()
    };
    let mut columns = vec![(label, classes(&|class| class))];
    columns.extend(coarse.map(|name| (name, classes(&|class| 99 - class))));
    let images: Vec<&[u8]> = rows.iter().map(|row| row.0.as_ref()).collect();
    parquet::shard(image, &columns, &images, group, &[])
}

/// A data set and the content of its files.
pub(crate) struct Small {
    /// Its manifest, named `small`.
    pub(crate) manifest: Manifest,
    /// The content of each of the manifest's files.
    pub(crate) contents: Vec<Vec<u8>>,
}

impl Small {
    /// Writes the files to `folder`, gzipped where their name says so.
    pub(crate) fn write(&self, folder: &Path) {
        fs::create_dir_all(folder).unwrap();
        for (file, content) in self.manifest.files.iter().zip(&self.contents) {
            let stored = if file.path.ends_with(".gz") { gzip(content, "", 9) } else { content.clone() };
            fs::write(folder.join(&file.path), stored).unwrap();
        }
    }

    /// The images of one split as PNG, with their classes; of small IDX and CIFAR data sets.
    pub(crate) fn pngs(&self, split: Split) -> Vec<(Vec<u8>, u8)> {
        let (shape, size) = (self.manifest.shape, self.manifest.image_len());
        let label_bytes = self.manifest.layout.label_bytes();
        let content = |kind: FileContent| {
            let position = self.manifest.files.iter().position(|file| file.split == split && file.content == kind);
            position.map(|position| self.contents[position].clone())
        };
        let png = |planes: &[u8]| Picture::from_planes(planes, shape).encode_png();
        match content(FileContent::Records) {
            Some(records) => {
                records.chunks(label_bytes + size).map(|r| (png(&r[label_bytes..]), r[label_bytes - 1])).collect()
            }
            None => {
                let (images, labels) = (content(FileContent::Images).unwrap(), content(FileContent::Labels).unwrap());
                images[16..].chunks(size).map(png).zip(labels[8..].iter().copied()).collect()
            }
        }
    }

    /// Says that a system package ships it in `dir`.
    pub(crate) fn package(&mut self, dir: &Path) {
        self.manifest.system =
            Some(crate::SystemPackage { dir: dir.to_owned(), install: "apt-get install small".to_owned() });
    }
}

/// A gzip stream; `name` and `level` change its bytes but not its content.
pub(crate) fn gzip(content: &[u8], name: &str, level: u32) -> Vec<u8> {
    let mut encoder = GzBuilder::new().filename(name).write(Vec::new(), Compression::new(level));
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

/// Four training and two test images of 2 x 2 and three classes, pixels 1.. and 101.., as IDX.
pub(crate) fn small_idx() -> Small {
    let images = |count: u8, first: u8| {
        [&[0, 0, 8, 3, 0, 0, 0, count, 0, 0, 0, 2, 0, 0, 0, 2][..], &(first..first + 4 * count).collect::<Vec<_>>()]
            .concat()
    };
    let labels = |labels: &[u8]| [&[0, 0, 8, 1, 0, 0, 0, labels.len() as u8][..], labels].concat();
    small(
        "idx",
        [1, 2, 2],
        [4, 2],
        vec![
            ("train-images.gz", "train", "images", 4, images(4, 1)),
            ("train-labels.gz", "train", "labels", 4, labels(&[0, 1, 2, 0])),
            ("t10k-images.gz", "test", "images", 2, images(2, 101)),
            ("t10k-labels.gz", "test", "labels", 2, labels(&[2, 1])),
        ],
    )
}

/// Three training images and a test image of 3 x 1 x 2, pixels 1.. and 101.., as CIFAR records with one label byte or,
/// after the coarse one, two.
pub(crate) fn small_cifar(label_bytes: usize) -> Small {
    let record = |label: u8, first: u8| {
        [&[99 - label, label][2 - label_bytes..], &(first..first + 6).collect::<Vec<_>>()].concat()
    };
    let train = [record(0, 1), record(1, 7), record(2, 13)].concat();
    let layout = if label_bytes == 1 { "cifar-10" } else { "cifar-100" };
    small(
        layout,
        [3, 1, 2],
        [3, 1],
        vec![("train.bin", "train", "records", 3, train), ("test.bin", "test", "records", 1, record(1, 101))],
    )
}

/// A data set of encoded images: six training and four test images of three classes, at 8 x 8.
pub(crate) fn small_encoded(layout: &str) -> Small {
    let text = format!(
        "name = 'small'\ntitle = 'small'\nlicence = 'none'\nhomepage = 'https://example.org'\nlayout = '{layout}'\n\
         folder = 'small'\nclasses = 3\n\
         class_names = ['a', 'b', 'c']\nshape = [3, 8, 8]\nmean = [0.5, 0.5, 0.5]\nstd = [0.5, 0.5, 0.5]\n\
         normalisation = 'made up'\n\
         [counts]\ntrain = 6\ntest = 4\n[images]\nclass_ids = ['n1', 'n2', 'n3']\nresize = 10\ntest_folder = 'val'\n\
         stream = false\n"
    );
    Small { manifest: Manifest::parse(&text).unwrap(), contents: Vec::new() }
}

/// The images of [`small_encoded`] with their classes, of several sizes.
pub(crate) fn encoded_images(split: Split) -> Vec<(Vec<u8>, u8)> {
    let (count, first) = if split == Split::Train { (6, 0) } else { (4, 100) };
    let image = |index: usize| {
        let (width, height) = (12 + index, 16 - index);
        let pixels = (0..width * height * 3).map(|at| (at * (index + 3) / 2 + first) as u8).collect();
        (Picture { width, height, channels: 3, pixels }.encode_png(), (index * 2 % 3) as u8)
    };
    (0..count).map(image).collect()
}

/// The files of [`small_encoded`] in its layout.
pub(crate) fn encoded_files(layout: &str) -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    let mut annotations = String::new();
    for (split, folder) in [(Split::Train, "train"), (Split::Test, "val")] {
        for (index, (image, class)) in encoded_images(split).into_iter().enumerate() {
            let id = format!("n{}", class + 1);
            let path = match (layout, split) {
                ("tiny-imagenet", Split::Train) => format!("train/{id}/images/{id}_{index}.JPEG"),
                ("tiny-imagenet", Split::Test) => {
                    annotations += &format!("val_{index}.JPEG\t{id}\t0\t0\t7\t7\n");
                    format!("val/images/val_{index}.JPEG")
                }
                _ => format!("{folder}/{id}/x{index}.JPEG"),
            };
            files.push((path, image));
        }
    }
    if layout == "tiny-imagenet" {
        files.push(("val/val_annotations.txt".to_owned(), annotations.into_bytes()));
    }
    files
}

fn small(layout: &str, shape: [usize; 3], counts: [usize; 2], files: Vec<(&str, &str, &str, usize, Vec<u8>)>) -> Small {
    let per_channel = vec![0.5; shape[0]];
    let mut text = format!(
        "name = 'small'\ntitle = 'small'\nlicence = 'none'\nhomepage = 'https://example.org'\nlayout = '{layout}'\n\
         folder = 'small'\nclasses = 3\n\
         class_names = ['a', 'b', 'c']\nshape = {shape:?}\nmean = {per_channel:?}\nstd = {per_channel:?}\n\
         normalisation = 'made up'\n\
         [counts]\ntrain = {}\ntest = {}\n",
        counts[0], counts[1]
    );
    for (path, split, content, count, bytes) in &files {
        let digest = Digest::sha256(bytes);
        text += &format!(
            "[[files]]\npath = '{path}'\nsplit = '{split}'\ncontent = '{content}'\ncount = {count}\ndigest = \
             '{digest}'\n"
        );
    }
    Small { manifest: Manifest::parse(&text).unwrap(), contents: files.into_iter().map(|file| file.4).collect() }
}
