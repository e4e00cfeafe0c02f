//! Images a second and core, from JPEG files to augmented bytes, and from files and Parquet shards to bytes of which
//! the digest is known: `cargo bench --workspace --profile dev --bench stream`, on Linux.
//!
//! What is measured is the processor time of the whole process: whoever else works on the machine takes none of it. The
//! JPEGs are made up, of about ImageNet's bytes a pixel. "of 500 x 375" is how large ImageNet's are, brought to 224 x
//! 224. The PNGs are the embedded sample of MNIST.

use std::{cell::LazyCell, fs, path::Path, time::Duration};

use criterion::{
    Criterion, Throughput, criterion_group, criterion_main,
    measurement::{Measurement, ValueFormatter, WallTime},
};
use datasets::{Augment, HubOptions, LoadOptions, Manifest, Policy, load, load_manifest};
use image::{Rgb, RgbImage, codecs::jpeg::JpegEncoder, codecs::png::PngEncoder};
use polars_arrow::array::PrimitiveArray;

#[path = "../src/testing/parquet.rs"]
mod parquet;

/// Long enough for ten samples of many hundredths of a second each.
const SAMPLED: Duration = Duration::from_secs(15);
/// Images in a measured epoch.
const IMAGES: u32 = 200;

/// The processor time of this process, in hundredths of a second.
struct ProcessorTime;

impl ProcessorTime {
    fn now() -> Duration {
        let stat = fs::read_to_string("/proc/self/stat").expect("Linux");
        // After the name in brackets; fields 14 and 15 are ticks for this program and for the kernel on its behalf.
        let fields = stat.rsplit(')').next().expect("a line").split_whitespace();
        let ticks: u64 = fields.skip(11).take(2).map(|ticks| ticks.parse::<u64>().expect("a number")).sum();
        Duration::from_millis(10 * ticks)
    }
}

impl Measurement for ProcessorTime {
    type Intermediate = Duration;
    type Value = Duration;

    fn start(&self) -> Duration {
        Self::now()
    }

    fn end(&self, start: Duration) -> Duration {
        Self::now().checked_sub(start).unwrap()
    }

    fn add(&self, a: &Duration, b: &Duration) -> Duration {
        *a + *b
    }

    fn zero(&self) -> Duration {
        Duration::ZERO
    }

    fn to_f64(&self, value: &Duration) -> f64 {
        value.as_nanos() as f64
    }

    fn formatter(&self) -> &dyn ValueFormatter {
        WallTime.formatter()
    }
}

/// Waves and some noise, as JPEG.
fn jpeg(width: u32, height: u32, index: u32) -> Vec<u8> {
    let mut noise = index;
    let picture = RgbImage::from_fn(width, height, |x, y| {
        noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let wave = |a: f32, b: f32| 100.0 + 60.0 * (x as f32 * a + index as f32).sin() * (y as f32 * b).cos();
        let grain = (noise >> 26) as f32;
        Rgb([wave(0.05, 0.03), wave(0.02, 0.08), wave(0.11, 0.01)].map(|value| (value + grain) as u8))
    });
    let mut encoded = Vec::new();
    JpegEncoder::new_with_quality(&mut encoded, 90).encode_image(&picture).expect("a vector takes everything");
    encoded
}

/// The commit that shards are at.
const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// A manifest of `count` training images and a test image, brought to `side` x `side`.
fn manifest(count: usize, side: u32, resize: u32) -> Manifest {
    let text = format!(
        "name = 'made-up'\ntitle = 'Made up'\nlicence = 'none'\nhomepage = 'https://example.org'\nlayout = \
         'class-folders'\nfolder = 'made-up'\nclasses = 1\n\
         class_names = ['a']\nshape = [3, {side}, {side}]\nmean = [0.5, 0.5, 0.5]\nstd = [0.5, 0.5, 0.5]\n\
         normalisation = 'none'\n\
         [counts]\ntrain = {count}\ntest = 1\n[images]\nclass_ids = ['a']\nresize = {resize}\ntest_folder = 'val'\n\
         stream = true\n\
         [[hub]]\nrepo = 'made/up'\nrevision = '{COMMIT}'\ntrain = 'train.parquet'\ntest = 'test.parquet'\nimage = \
         'image'\nlabel = 'label'\n"
    );
    Manifest::parse(&text).expect("a manifest")
}

/// Looks in `folder` alone; `cache` is where digests are remembered.
fn options(folder: &Path, cache: &Path) -> LoadOptions {
    LoadOptions {
        data_dir: Some(folder.join("data")),
        cache_dir: Some(cache.to_owned()),
        system_dirs: false,
        hub: HubOptions { cache_dir: Some(folder.join("hub")), ..HubOptions::default() },
        ..LoadOptions::default()
    }
}

/// Writes `images`, the first of which is the test image too, to files in `folder`.
fn write_files(folder: &Path, images: &[Vec<u8>]) {
    for (split, images) in [("train", images), ("val", &images[..1])] {
        let class = folder.join("data/made-up").join(split).join("a");
        fs::create_dir_all(&class).expect("a folder");
        let write = |(index, image)| fs::write(class.join(format!("{index}.JPEG")), image);
        images.iter().enumerate().try_for_each(write).expect("a folder");
    }
}

/// Writes them to shards in `folder`, in the hub's cache, in row groups of 100 as the hub's library makes them.
fn write_shards(folder: &Path, images: &[Vec<u8>]) {
    write_groups(folder, images, 100);
}

/// The same in groups of `group` rows.
fn write_groups(folder: &Path, images: &[Vec<u8>], group: usize) {
    let snapshot = folder.join("hub/datasets--made--up/snapshots").join(COMMIT);
    fs::create_dir_all(&snapshot).expect("a folder");
    for (name, images) in [("train.parquet", images), ("test.parquet", &images[..1])] {
        let labels = PrimitiveArray::from_vec(vec![0i64; images.len()]).boxed();
        let shard = parquet::shard("image", &[("label", labels)], images, group, &[]);
        fs::write(snapshot.join(name), shard).expect("a folder");
    }
}

/// The digits of the embedded sample, as PNG.
fn digits() -> Vec<Vec<u8>> {
    let sample = load("mnist-sample", &LoadOptions::default()).expect("it is embedded");
    let images = &sample.in_memory().expect("a small data set").train;
    let encode = |index| {
        let mut png = Vec::new();
        let encoder = PngEncoder::new(&mut png);
        let image = images.image(index);
        image::ImageEncoder::write_image(encoder, image, 28, 28, image::ExtendedColorType::L8).expect("a vector");
        png
    };
    (0..images.len()).map(encode).collect()
}

/// From files and from shards to bytes and their digest: what a first use and `data verify` do, and what a stream reads
/// before it decodes.
fn reading(c: &mut Criterion<ProcessorTime>) {
    let photographs: Vec<Vec<u8>> = (0..IMAGES).map(|index| jpeg(500, 375, index)).collect();
    for (name, images) in [("PNG of 28 x 28", digits()), ("JPEG of 500 x 375", photographs)] {
        let (elements, bytes) = (images.len() as u64, images.iter().map(Vec::len).sum::<usize>() as u64);
        let manifest = manifest(images.len(), 64, 64);
        let mut group = c.benchmark_group(format!("{name}, read and digested"));
        group.sample_size(10).measurement_time(SAMPLED).throughput(Throughput::ElementsAndBytes { elements, bytes });
        type Write = fn(&Path, &[Vec<u8>]);
        for (place, write) in [("files", write_files as Write), ("shards", write_shards)] {
            let folder = LazyCell::new(|| {
                let folder = tempfile::tempdir().expect("a folder");
                write(folder.path(), &images);
                folder
            });
            group.bench_function(place, |bencher| {
                bencher.iter_with_large_drop(|| {
                    // Nothing is remembered, so that all is read.
                    let cache = tempfile::tempdir().expect("a folder");
                    let data = load_manifest(&manifest, &options(folder.path(), cache.path())).expect("the data set");
                    (data.digest, cache)
                });
            });
        }
        group.finish();
    }
}

/// The start of a data set of MNIST's size, whatever its row groups.
fn grouping(c: &mut Criterion<ProcessorTime>) {
    const ROWS: usize = 60_000;
    let images: Vec<Vec<u8>> = digits().into_iter().cycle().take(ROWS).collect();
    let manifest = manifest(ROWS, 64, 64);
    let mut group = c.benchmark_group("60,000 PNGs of 28 x 28 in row groups");
    group.sample_size(10).measurement_time(SAMPLED).throughput(Throughput::Elements(ROWS as u64));
    for rows in [10_000, 1000, 250, 100] {
        let folder = LazyCell::new(|| {
            let folder = tempfile::tempdir().expect("a folder");
            write_groups(folder.path(), &images, rows);
            folder
        });
        group.bench_function(format!("of {rows}"), |bencher| {
            bencher.iter_with_large_drop(|| {
                let cache = tempfile::tempdir().expect("a folder");
                (load_manifest(&manifest, &options(folder.path(), cache.path())).expect("the data set").digest, cache)
            });
        });
    }
    group.finish();
}

fn throughput(c: &mut Criterion<ProcessorTime>) {
    let crops = Augment { flip: true, resized_crop: true, ..Augment::default() };
    let augmentations = [
        ("plain", Augment::default()),
        ("flip and padded crop", Augment { flip: true, crop_padding: 8, ..Augment::default() }),
        ("flip and random resized crop", crops),
        ("and AutoAugment", Augment { policy: Some(Policy::ImageNet), ..crops }),
    ];
    for (name, size, side, resize) in [
        ("64 x 64", [64, 64], 64, 64),
        ("160 x 160", [213, 160], 160, 160),
        ("224 x 224 of 500 x 375", [500, 375], 224, 256),
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        let stream = LazyCell::new(|| {
            let images: Vec<Vec<u8>> = (0..IMAGES).map(|index| jpeg(size[0], size[1], index)).collect();
            write_files(folder.path(), &images);
            let options = options(folder.path(), &folder.path().join("cache"));
            let data = load_manifest(&manifest(images.len(), side, resize), &options).expect("the data set");
            data.stream().expect("a stream").clone()
        });
        let mut group = c.benchmark_group(name);
        group.sample_size(10).measurement_time(SAMPLED).throughput(Throughput::Elements(u64::from(IMAGES)));
        for (name, augment) in augmentations {
            let mut epoch = 0;
            group.bench_function(name, |bencher| {
                bencher.iter(|| {
                    epoch += 1;
                    stream
                        .train(0, epoch, 50, augment)
                        .map(|batch| batch.expect("sound images").labels.len())
                        .sum::<usize>()
                });
            });
        }
        group.finish();
    }
}

/// One core.
fn all(c: &mut Criterion<ProcessorTime>) {
    rayon::ThreadPoolBuilder::new().num_threads(1).build_global().expect("the first pool");
    reading(c);
    grouping(c);
    throughput(c);
}

criterion_group! {
    name = benches;
    config = Criterion::default().with_measurement(ProcessorTime);
    targets = all
}
criterion_main!(benches);
