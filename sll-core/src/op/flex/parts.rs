//! Work handed out to the threads: images in as many parts as there are threads, each written by one of them.

use rayon::prelude::*;
use std::ops::Range;

/// Images that one thread takes: `images` divided among the threads.
pub(super) fn images_each(images: usize) -> usize {
    images.div_ceil(rayon::current_num_threads()).max(1)
}

/// `work` on every part of `out`, which holds `images` images of `size` values: the part's images, and their values. In
/// the calling thread where there is one part alone.
pub(super) fn by_images<T: Send>(
    out: &mut [T],
    images: usize,
    size: usize,
    work: impl Fn(Range<usize>, &mut [T]) + Sync,
) {
    let each = images_each(images);
    let of = |part: usize| part * each..((part + 1) * each).min(images);
    if each >= images || size == 0 {
        return work(0..images, out);
    }
    out.par_chunks_mut(each * size).enumerate().for_each(|(part, out)| work(of(part), out));
}

/// The same for two outputs of `sizes` values an image.
pub(super) fn by_images_2<T: Send, U: Send>(
    (first, second): (&mut [T], &mut [U]),
    images: usize,
    sizes: [usize; 2],
    work: impl Fn(Range<usize>, &mut [T], &mut [U]) + Sync,
) {
    let each = images_each(images);
    let of = |part: usize| part * each..((part + 1) * each).min(images);
    if each >= images || sizes.contains(&0) {
        return work(0..images, first, second);
    }
    let seconds = second.par_chunks_mut(each * sizes[1]);
    let parts = first.par_chunks_mut(each * sizes[0]).zip(seconds).enumerate();
    parts.for_each(|(part, (first, second))| work(of(part), first, second));
}

/// The sum of `of` the values, in lanes that a processor adds side by side.
#[inline(always)]
pub(super) fn sum(values: &[f32], of: impl Fn(f32) -> f32) -> f32 {
    const LANES: usize = 16;
    let mut lanes = [0.0; LANES];
    let (whole, rest) = values.as_chunks::<LANES>();
    for values in whole {
        lanes.iter_mut().zip(values).for_each(|(lane, &value)| *lane += of(value));
    }
    lanes.into_iter().sum::<f32>() + rest.iter().map(|&value| of(value)).sum::<f32>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_image_is_worked_on_once_whatever_the_threads() {
        for (threads, images) in [(1, 5), (3, 7), (4, 2), (8, 8)] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let (mut out, mut marks) = (vec![0; images * 3], vec![0u8; images]);
            pool.install(|| {
                by_images_2((&mut out, &mut marks), images, [3, 1], |range, out, marks| {
                    for ((image, out), mark) in range.zip(out.chunks_mut(3)).zip(marks) {
                        out.iter_mut().for_each(|value| *value += image + 1);
                        *mark += 1;
                    }
                });
                by_images(&mut out, images, 3, |range, out| {
                    range.zip(out.chunks_mut(3)).for_each(|(image, out)| out[0] += 10 * image);
                });
            });
            for (image, out) in out.chunks(3).enumerate() {
                assert_eq!(out, [11 * image + 1, image + 1, image + 1]);
            }
            assert!(marks.iter().all(|&mark| mark == 1));
        }
    }

    #[test]
    fn a_sum_in_lanes_is_the_sum() {
        for len in [0, 1, 15, 16, 50] {
            let values: Vec<f32> = (0..len).map(|i| i as f32).collect();
            assert_eq!(sum(&values, |value| 2.0 * value), 2.0 * (0..len).sum::<usize>() as f32);
        }
    }
}
