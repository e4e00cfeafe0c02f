//! Gradients of a convolution: to its input by products that are folded back, to its kernels by products that are added
//! up over chunks of images, to its bias by sums. (Upstream: burn makes the kernels' gradient by a convolution whose
//! kernels are as large as maps.)

use super::columns::{Sizes, Window};
use super::parts::{by_images, images_each, sum};
use super::{Matrix, multiply, multiply_rows};
use rayon::prelude::*;
use std::ops::Range;

/// Weights of which every thread has a sum of its own: a product of these sizes is too small for all threads.
const OWN_SUM: usize = 1 << 15;

/// The signal `dy` at the positions of a window, `[o, positions]`: where it lies, or gathered from several images.
fn signal<'a>(sizes: &Sizes, dy: &'a [f32], window: &Window, gathered: &'a mut Vec<f32>) -> Matrix<'a> {
    let (area, positions) = (sizes.area(), sizes.positions(window));
    if window.images.len() == 1 {
        let from = window.images.start * sizes.o * area + sizes.place(window);
        return Matrix::strided(&dy[from..], [sizes.o, positions], [area, 1]);
    }
    gathered.resize(sizes.o * positions, 0.0);
    for (channel, row) in gathered.chunks_exact_mut(positions).enumerate() {
        for (image, to) in window.images.clone().zip(row.chunks_exact_mut(area)) {
            to.copy_from_slice(&dy[(image * sizes.o + channel) * area..][..area]);
        }
    }
    Matrix::new(gathered, sizes.o, positions)
}

/// The gradient to the input, through `weight`.
///
/// # Shapes
/// `dy [images, o, h, w]`, `weight [o, c, k, k]`: `[images, c, h, w]`.
pub(in super::super) fn input_gradient(sizes: Sizes, weight: &[f32], dy: &[f32]) -> Vec<f32> {
    let (fan_in, image) = (sizes.fan_in(), sizes.c * sizes.area());
    let mut dx = vec![0.0; sizes.images * image];
    if dx.is_empty() || dy.is_empty() {
        return dx;
    }
    let weight = Matrix::new(weight, sizes.o, fan_in).transposed();
    by_images(&mut dx, sizes.images, image, |images, dx| {
        let mut columns = vec![0.0; fan_in * sizes.most_positions(images.clone())];
        let mut gathered = Vec::new();
        for window in sizes.windows(images.clone()) {
            let positions = sizes.positions(&window);
            let columns = &mut columns[..fan_in * positions];
            let dy = signal(&sizes, dy, &window, &mut gathered);
            multiply(weight, dy, columns, false, sizes.images == 1);
            let dx = &mut dx[(window.images.start - images.start) * image..][..window.images.len() * image];
            for (channel, columns) in columns.chunks_exact_mut(fan_in / sizes.c * positions).enumerate() {
                sizes.fold(columns, &window, channel, dx);
            }
        }
    });
    dx
}

/// The gradients to the kernels and to the bias.
///
/// # Shapes
/// `x [images, c, h, w]`, `dy [images, o, h, w]`: `[o, c, k, k]` and `[o]`.
pub(in super::super) fn weight_gradients(sizes: Sizes, x: &[f32], dy: &[f32]) -> (Vec<f32>, Vec<f32>) {
    let weights = sizes.o * sizes.fan_in();
    let (mut dw, each) = (vec![0.0; weights], images_each(sizes.images));
    if x.is_empty() || dy.is_empty() {
        return (dw, vec![0.0; sizes.o]);
    }
    if each < sizes.images && weights <= OWN_SUM {
        let parts = sizes.images.div_ceil(each);
        let mut sums = vec![0.0; parts * weights];
        sums.par_chunks_mut(weights).enumerate().for_each(|(part, sum)| {
            let images = part * each..((part + 1) * each).min(sizes.images);
            add_weight_gradient(sizes, x, dy, images, false, sum);
        });
        for sum in sums.chunks_exact(weights) {
            dw.iter_mut().zip(sum).for_each(|(total, value)| *total += value);
        }
    } else {
        add_weight_gradient(sizes, x, dy, 0..sizes.images, rayon::current_num_threads() > 1, &mut dw);
    }
    (dw, bias_gradient(sizes, dy))
}

fn add_weight_gradient(sizes: Sizes, x: &[f32], dy: &[f32], images: Range<usize>, parallel: bool, dw: &mut [f32]) {
    let (fan_in, taps) = (sizes.fan_in(), sizes.k * sizes.k);
    let mut columns = vec![0.0; fan_in * sizes.most_positions(images.clone())];
    let mut gathered = Vec::new();
    for window in sizes.windows(images) {
        let positions = sizes.positions(&window);
        let columns = &mut columns[..fan_in * positions];
        if parallel {
            let channels = columns.par_chunks_exact_mut(taps * positions).enumerate();
            channels.for_each(|(channel, out)| sizes.unfold(x, &window, channel, out));
        } else {
            sizes.unfold_all(x, &window, columns);
        }
        let columns = Matrix::new(columns, fan_in, positions).transposed();
        let dy = signal(&sizes, dy, &window, &mut gathered);
        multiply_rows(dy, columns, dw, fan_in, true, parallel);
    }
}

fn bias_gradient(sizes: Sizes, dy: &[f32]) -> Vec<f32> {
    let total = |channel: usize| {
        let maps = dy.chunks_exact(sizes.area()).skip(channel).step_by(sizes.o);
        maps.map(|map| f64::from(sum(map, |value| value))).sum::<f64>() as f32
    };
    match images_each(sizes.images) < sizes.images {
        true => (0..sizes.o).into_par_iter().map(total).collect(),
        false => (0..sizes.o).map(total).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::conv::tests::{SIZES, close, sizes, terms};
    use super::*;
    use crate::rng::{Purpose, Stream};

    #[test]
    fn gradients_are_those_of_plain_loops_for_any_number_of_threads() {
        let mut stream = Stream::new(12, Purpose::Weights, &[]);
        // The last has more weights than threads have sums for.
        for sizes in SIZES.into_iter().chain([[9, 61, 60, 3, 4, 3]]).map(sizes) {
            let area = sizes.area();
            let (x, dy) =
                (stream.normal(sizes.images * sizes.c * area, 1.0), stream.normal(sizes.images * sizes.o * area, 1.0));
            let weight = stream.normal(sizes.o * sizes.fan_in(), 1.0);
            let (mut dx, mut dw) = (vec![0.0; x.len()], vec![0.0; weight.len()]);
            terms(sizes, |y, input, w| {
                dx[input] += f64::from(weight[w]) * f64::from(dy[y]);
                dw[w] += f64::from(x[input]) * f64::from(dy[y]);
            });
            let mut db = vec![0.0; sizes.o];
            dy.iter().enumerate().for_each(|(index, &value)| db[index / area % sizes.o] += f64::from(value));
            for threads in [1, 3] {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                let (found_dx, (found_dw, found_db)) =
                    pool.install(|| (input_gradient(sizes, &weight, &dy), weight_gradients(sizes, &x, &dy)));
                close(&found_dx, &dx, &format!("dx {sizes:?}"));
                close(&found_dw, &dw, &format!("dw {sizes:?}"));
                close(&found_db, &db, &format!("db {sizes:?}"));
            }
        }
    }
}
