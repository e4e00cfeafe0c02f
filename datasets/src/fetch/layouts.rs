//! Every data set that is fetched, from a hub and from archives on this machine: under its manifest's own names, at its
//! pinned commit. Pixels and digests are made up; ImageNet has all its images, the others, whose number decides
//! nothing, a tenth.

use super::*;
use crate::augment::Augment;
use crate::fetch::verify::verify_manifest;
use crate::format::picture::Picture;
use crate::load::load_manifest;
use crate::manifest::digest::Digest;
use crate::manifest::registry::manifests;
use crate::manifest::{FileContent, HubSource, Layout, Split};
use crate::options::HubOptions;
use crate::serve::{Served, Splits};
use crate::testing::server::{Server, TOKEN};
use crate::testing::{gzip, options_in, shard_of, tar_of, zip_of};
use std::path::Path;

/// Different images of each data set; the others are copies of them.
const PICTURES: usize = 50;

/// The images and classes of a data set: image `i` of a split is picture `i % 50` and of class `i % classes`.
struct MadeUp<'a> {
    manifest: &'a Manifest,
    pictures: Vec<Picture>,
    pngs: Vec<Vec<u8>>,
}

impl<'a> MadeUp<'a> {
    fn new(manifest: &'a Manifest) -> Self {
        // Encoded images come in any size.
        let [channels, height, width] = if manifest.layout.is_encoded() { [3, 5, 7] } else { manifest.shape };
        let picture = |number: usize| Picture {
            width,
            height,
            channels,
            pixels: (0..width * height * channels).map(|at| (at * number + number) as u8).collect(),
        };
        let pictures: Vec<Picture> = (0..PICTURES).map(picture).collect();
        let pngs = pictures.iter().map(Picture::encode_png).collect();
        Self { manifest, pictures, pngs }
    }

    fn count(&self, split: Split) -> usize {
        if split == Split::Train { self.manifest.counts.train } else { self.manifest.counts.test }
    }

    fn class(&self, image: usize) -> usize {
        image % self.manifest.classes
    }

    /// The split's shards as the hub has them; `shards` of them, of sizes that differ by one at most.
    fn serve(&self, server: &Server, source: &HubSource, split: Split, shards: usize) {
        let pattern = if split == Split::Train { &source.train } else { &source.test };
        let (count, mut start) = (self.count(split), 0);
        for shard in 0..shards {
            let rows = count / shards + usize::from(shard < count % shards);
            let rows: Vec<(&[u8], i64)> = (start..start + rows)
                .map(|image| (&self.pngs[image % PICTURES][..], self.class(image) as i64))
                .collect();
            start += rows.len();
            let name = pattern.replace('*', &format!("{shard:05}-of-{shards:05}"));
            let content = shard_of(&source.image, &source.label, source.coarse_label.as_deref(), &rows, 1000);
            server.hub_file(&format!("{}/{name}", source.repo), content);
        }
    }

    /// The official files of a small data set.
    fn official_files(&self) -> Vec<Vec<u8>> {
        let planes: Vec<Vec<u8>> = self
            .pictures
            .iter()
            .map(|picture| {
                let mut planes = vec![0; picture.pixels.len()];
                picture.planes(&mut planes);
                planes
            })
            .collect();
        let word = |number: usize| (number as u32).to_be_bytes();
        let mut starts = std::collections::HashMap::new();
        let content = |file: &crate::FileSpec| {
            let start = starts.entry((file.split == Split::Train, file.content as usize)).or_insert(0);
            let images = *start..*start + file.count;
            *start += file.count;
            let [_, height, width] = self.manifest.shape;
            let mut bytes: Vec<u8> = match file.content {
                FileContent::Images => [word(0x803), word(file.count), word(height), word(width)].concat(),
                FileContent::Labels => [word(0x801), word(file.count)].concat(),
                FileContent::Records => Vec::new(),
            };
            for image in images {
                let (class, planes) = (self.class(image) as u8, &planes[image % PICTURES]);
                match file.content {
                    FileContent::Images => bytes.extend(planes),
                    FileContent::Labels => bytes.push(class),
                    FileContent::Records => {
                        bytes.extend(&[99 - class.min(99), class][2 - self.manifest.layout.label_bytes()..]);
                        bytes.extend(planes);
                    }
                }
            }
            bytes
        };
        self.manifest.files.iter().map(content).collect()
    }

    /// The image files of a large data set in its archive's folders.
    fn image_files(&self, root: &str) -> Vec<(String, &[u8])> {
        let images = self.manifest.images.as_ref().unwrap();
        let mut files = Vec::new();
        for split in [Split::Train, Split::Test] {
            for image in 0..self.count(split) {
                let id = &images.class_ids[self.class(image)];
                let folder = match (self.manifest.layout, split) {
                    (Layout::TinyImagenet, Split::Train) => format!("train/{id}/images"),
                    (Layout::TinyImagenet, Split::Test) => "val/images".to_owned(),
                    (_, Split::Train) => format!("train/{id}"),
                    (_, Split::Test) => format!("{}/{id}", images.test_folder.as_ref().unwrap()),
                };
                files.push((format!("{root}/{folder}/{image}.JPEG"), &self.pngs[image % PICTURES][..]));
            }
        }
        files
    }

    /// An archive of its files, of which a small data set's are `files`.
    fn archive(&self, archive: &ArchiveSource, files: &[Vec<u8>]) -> Vec<u8> {
        let names = self.manifest.files.iter().map(|file| format!("{}/{}", archive.root, file.path));
        let mut entries: Vec<(String, &[u8])> = names.zip(files.iter().map(Vec::as_slice)).collect();
        let annotations = self.annotations();
        if self.manifest.layout.is_encoded() {
            entries = self.image_files(&archive.root);
            entries.push((format!("{}/val/val_annotations.txt", archive.root), &annotations));
        }
        let entries: Vec<(&str, &[u8])> = entries.iter().map(|(name, bytes)| (name.as_str(), *bytes)).collect();
        if archive.format == ArchiveFormat::Zip { zip_of(&entries) } else { gzip(&tar_of(&entries), "", 1) }
    }

    /// Tiny-ImageNet's list of its test images.
    fn annotations(&self) -> Vec<u8> {
        let Some(images) = &self.manifest.images else { return Vec::new() };
        let line = |image| format!("{image}.JPEG\t{}\t0\t0\t62\t62\n", images.class_ids[self.class(image)]);
        (0..self.count(Split::Test)).map(line).collect::<String>().into_bytes()
    }
}

/// Caches in `folder`, `server` for the hub, an account that may have what is gated, and nothing of this machine's
/// packages.
fn online(folder: &Path, server: &Server) -> LoadOptions {
    let options = options_in(folder);
    let hub =
        HubOptions { endpoint: Some(server.address.clone()), token: Some(TOKEN.to_owned()), ..options.hub.clone() };
    LoadOptions { online: true, system_dirs: false, hub, ..options }
}

/// The manifest `name` with digests of made-up content and its archives, which keep their names, on `server`.
fn made_up(name: &str, server: &Server) -> Manifest {
    let mut manifest = manifest(name).unwrap().clone();
    if name != "imagenet-1k" {
        let counts = [&mut manifest.counts.train, &mut manifest.counts.test];
        counts.into_iter().chain(manifest.files.iter_mut().map(|file| &mut file.count)).for_each(|count| *count /= 10);
    }
    let content = MadeUp::new(&manifest);
    let files = if manifest.layout.is_encoded() { Vec::new() } else { content.official_files() };
    let mut archives = manifest.archives.clone();
    for archive in &mut archives {
        let path = archive.url.split_once("://").unwrap().1.to_owned();
        match archive.format {
            ArchiveFormat::Files => {
                for (file, content) in manifest.files.iter().zip(&files) {
                    server.file(&format!("{path}{}", file.path), gzip(content, "", 1));
                }
            }
            _ => server.file(&path, content.archive(archive, &files)),
        }
        archive.url = format!("{}/{path}", server.address);
        archive.digest = None;
    }
    for (file, content) in manifest.files.iter_mut().zip(&files) {
        file.digest = Digest::sha256(content);
    }
    manifest.archives = archives;
    manifest
}

/// Serves the data set on the hub, at its pinned commit.
fn serve_on_hub(manifest: &Manifest, server: &Server) {
    let [source] = &manifest.hub[..] else { panic!("{} has one entry for the hub", manifest.name) };
    assert_eq!(source.revision.len(), 40, "{} is pinned", manifest.name);
    server.hub_at(&source.repo, &source.revision);
    let content = MadeUp::new(manifest);
    for split in [Split::Train, Split::Test] {
        let pattern = if split == Split::Train { &source.train } else { &source.test };
        let shards = match (manifest.name.as_str(), split) {
            ("imagenet-1k", Split::Train) => 294,
            ("imagenet-1k", Split::Test) => 14,
            _ => 1 + usize::from(pattern.contains('*')),
        };
        content.serve(server, source, split, shards);
    }
}

/// Fetches it, loads it where that takes no gigabyte, and gives the digest of its content.
fn fetched(manifest: &Manifest, options: &LoadOptions, source: &str) -> String {
    let located = locate_or_fetch(manifest, options).unwrap();
    assert!(located.source.contains(source), "{} is not from {source}", located.source);
    let offline = LoadOptions { online: false, ..options.clone() };
    if manifest.layout.is_encoded() && !manifest.is_streamed() {
        let verification = verify_manifest(manifest, &offline).unwrap();
        assert!(verification.ok());
        return verification.files[0].expected.as_ref().unwrap().hex.clone();
    }
    let data = load_manifest(manifest, &offline).unwrap();
    assert_eq!(data.verified, manifest.has_digest());
    match &data.images {
        Served::Memory(Splits { train, test }) => {
            assert_eq!((train.len(), test.len()), (manifest.counts.train, manifest.counts.test));
            assert!(
                train.labels.iter().enumerate().all(|(image, &class)| usize::from(class) == image % manifest.classes)
            );
        }
        Served::Stream(stream) => {
            let batch = stream.train(0, 0, 8, Augment::default()).next().unwrap().unwrap();
            assert_eq!((batch.labels.len(), batch.pixels.len()), (8, 8 * manifest.image_len()));
        }
    }
    data.digest
}

/// From the hub, then from each archive with the hub gone: one content.
fn is_fetched(name: &str) {
    let server = Server::start();
    let manifest = made_up(name, &server);
    serve_on_hub(&manifest, &server);
    let folder = tempfile::tempdir().unwrap();
    let source = &manifest.hub[0];
    if source.gated {
        server.gate();
        let stranger = LoadOptions {
            hub: HubOptions { token: None, ..online(folder.path(), &server).hub },
            ..online(folder.path(), &server)
        };
        let refused = locate_or_fetch(&manifest, &stranger).err().unwrap().to_string();
        assert!(refused.contains("accept the licence"), "{refused}");
    }
    let from_hub =
        fetched(&manifest, &online(folder.path(), &server), &format!("hub {} at {}", source.repo, source.revision));

    // The hub has rewritten its history: the pinned commit is gone.
    server.hub_at(&source.repo, &"f".repeat(40));
    for archive in 0..manifest.archives.len() {
        let folder = tempfile::tempdir().unwrap();
        let manifest = Manifest { archives: vec![manifest.archives[archive].clone()], ..manifest.clone() };
        assert_eq!(fetched(&manifest, &online(folder.path(), &server), &manifest.archives[0].url), from_hub, "{name}");
    }
    if manifest.archives.is_empty() {
        let folder = tempfile::tempdir().unwrap();
        let gone = locate_or_fetch(&manifest, &online(folder.path(), &server)).err().unwrap().to_string();
        assert!(gone.contains("does not have it (404") && gone.contains("`data_dir`"), "{gone}");
    }
}

macro_rules! layouts {
    ($($test:ident: $name:literal;)*) => {
        $(#[test]
        fn $test() {
            is_fetched($name);
        })*

        #[test]
        fn no_data_set_is_left_out() {
            let fetched = manifests().iter().filter(|m| !m.embedded).map(|m| m.name.as_str());
            assert_eq!(fetched.collect::<Vec<_>>(), [$($name),*]);
        }
    };
}

layouts! {
    mnist: "mnist";
    fashion_mnist: "fashion-mnist";
    cifar_10: "cifar-10";
    cifar_100: "cifar-100";
    imagenette_160: "imagenette-160";
    imagenette_320: "imagenette-320";
    tiny_imagenet_200: "tiny-imagenet-200";
    imagenet_1k: "imagenet-1k";
}
