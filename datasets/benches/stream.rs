//! Images a second on one core, from JPEG files to augmented bytes: `cargo bench --workspace --profile dev --bench stream`.
//!
//! The images are made up, of about ImageNet's bytes a pixel. "of 500 x 375" is how large ImageNet's are, brought to 224 x 224.

use std::{fs, path::Path};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use datasets::{Augment, Dataset, LoadOptions, Manifest, Policy, load_manifest};
use image::{Rgb, RgbImage, codecs::jpeg::JpegEncoder};

/// Images in a measured epoch.
const IMAGES: u32 = 200;

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

/// A data set of its own in `folder`, read while it is used.
fn streamed(folder: &Path, [width, height]: [u32; 2], side: u32, resize: u32) -> Dataset {
    let text = format!(
        "name = 'made-up'\ntitle = 'Made up'\nlicence = 'none'\nhomepage = 'https://example.org'\nlayout = 'class-folders'\nfolder = 'made-up'\nclasses = 1\n\
         class_names = ['a']\nshape = [3, {side}, {side}]\nmean = [0.5, 0.5, 0.5]\nstd = [0.5, 0.5, 0.5]\nnormalisation = 'none'\n\
         [counts]\ntrain = {IMAGES}\ntest = 1\n[images]\nclass_ids = ['a']\nresize = {resize}\ntest_folder = 'val'\nstream = true\n"
    );
    for (split, count) in [("train", IMAGES), ("val", 1)] {
        let images = folder.join("made-up").join(split).join("a");
        fs::create_dir_all(&images).expect("a folder");
        let write = |index| fs::write(images.join(format!("{index}.JPEG")), jpeg(width, height, index));
        (0..count).try_for_each(write).expect("a folder");
    }
    let manifest = Manifest::parse(&text).expect("a manifest");
    let options = LoadOptions {
        data_dir: Some(folder.to_owned()),
        cache_dir: Some(folder.join("cache")),
        system_dirs: false,
        ..LoadOptions::default()
    };
    load_manifest(&manifest, &options).expect("the data set")
}

fn throughput(c: &mut Criterion) {
    rayon::ThreadPoolBuilder::new().num_threads(1).build_global().expect("the first pool");
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
        let data = streamed(folder.path(), size, side, resize);
        let stream = data.stream.expect("a stream");
        let mut group = c.benchmark_group(name);
        group.sample_size(10).throughput(Throughput::Elements(u64::from(IMAGES)));
        for (name, augment) in augmentations {
            let mut epoch = 0;
            group.bench_function(name, |bencher| {
                bencher.iter(|| {
                    epoch += 1;
                    stream
                        .train(0, epoch, 50, augment)
                        .map(|batch| batch.expect("sound images").labels.len())
                        .sum::<usize>()
                })
            });
        }
        group.finish();
    }
}

criterion_group!(benches, throughput);
criterion_main!(benches);
