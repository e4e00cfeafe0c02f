//! Data sets of a few bytes, in the official layouts, for the tests.

use std::{fs, io::Write, path::Path};

use flate2::{Compression, GzBuilder};

use crate::{digest::Digest, manifest::Manifest};

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

/// Three training images and a test image of 3 x 1 x 2, pixels 1.. and 101.., as CIFAR records with one label byte or, after a coarse label 9, two.
pub(crate) fn small_cifar(label_bytes: usize) -> Small {
    let record =
        |label: u8, first: u8| [&[9, label][2 - label_bytes..], &(first..first + 6).collect::<Vec<_>>()].concat();
    let train = [record(0, 1), record(1, 7), record(2, 13)].concat();
    let layout = if label_bytes == 1 { "cifar-10" } else { "cifar-100" };
    small(
        layout,
        [3, 1, 2],
        [3, 1],
        vec![("train.bin", "train", "records", 3, train), ("test.bin", "test", "records", 1, record(1, 101))],
    )
}

fn small(layout: &str, shape: [usize; 3], counts: [usize; 2], files: Vec<(&str, &str, &str, usize, Vec<u8>)>) -> Small {
    let per_channel = vec![0.5; shape[0]];
    let mut text = format!(
        "name = 'small'\ntitle = 'small'\nlicence = 'none'\nhomepage = 'https://example.org'\nlayout = '{layout}'\nfolder = 'small'\nclasses = 3\n\
         class_names = ['a', 'b', 'c']\nshape = {shape:?}\nmean = {per_channel:?}\nstd = {per_channel:?}\nnormalisation = 'made up'\n\
         [counts]\ntrain = {}\ntest = {}\n",
        counts[0], counts[1]
    );
    for (path, split, content, count, bytes) in &files {
        let digest = Digest::sha256(bytes);
        text += &format!(
            "[[files]]\npath = '{path}'\nsplit = '{split}'\ncontent = '{content}'\ncount = {count}\ndigest = '{digest}'\n"
        );
    }
    Small { manifest: Manifest::parse(&text).unwrap(), contents: files.into_iter().map(|file| file.4).collect() }
}
