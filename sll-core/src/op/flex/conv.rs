//! Convolutions as products of the kernels with unfolded maps, written where they belong with the bias. (Upstream:
//! burn-flex converts maps to another order and back, and adds the bias in a pass of its own.)

pub(in super::super) use super::columns::Sizes;
pub(in super::super) use super::conv_gradient::{input_gradient, weight_gradients};
use super::{Matrix, multiply_rows};
use super::{columns::Window, parts::by_images};
use burn::backend::TensorMetadata;
use burn::backend::flex::FlexTensor;
use std::ops::Range;

impl Sizes {
    /// The sizes of a convolution that the kernels here serve: single precision, odd kernels, maps that keep their
    /// size.
    pub fn of(x: &FlexTensor, weight: &FlexTensor, padding: usize) -> Option<Self> {
        let ([images, c, h, w], [o, _, k, across]) = (x.shape().dims(), weight.shape().dims());
        let single = super::is_single(x) && super::is_single(weight);
        (single && k == across && k == 2 * padding + 1).then_some(Self { images, c, o, h, w, k })
    }

    /// Unfolds all channels: `columns [fan_in, positions]`.
    pub(super) fn unfold_all(&self, x: &[f32], window: &Window, columns: &mut [f32]) {
        let each = self.k * self.k * self.positions(window);
        columns.chunks_exact_mut(each).enumerate().for_each(|(channel, out)| self.unfold(x, window, channel, out));
    }

    /// Where a product for a single image lies in an image's `[channels, h, w]`: from here on, in rows of `area`.
    pub(super) fn place(&self, window: &Window) -> usize {
        window.rows.start * self.w
    }
}

/// `y = conv(x) + b`.
///
/// # Shapes
/// `x [images, c, h, w]`, `weight [o, c, k, k]`, `bias [o]`: `[images, o, h, w]`.
pub(in super::super) fn forward(sizes: Sizes, x: &[f32], weight: &[f32], bias: &[f32]) -> Vec<f32> {
    let image = sizes.o * sizes.area();
    let mut y = vec![0.0; sizes.images * image];
    if y.is_empty() {
        return y;
    }
    by_images(&mut y, sizes.images, image, |images, y| part(sizes, x, (weight, bias), images, y));
    y
}

fn part(sizes: Sizes, x: &[f32], (weight, bias): (&[f32], &[f32]), images: Range<usize>, y: &mut [f32]) {
    let (fan_in, area) = (sizes.fan_in(), sizes.area());
    let weight = Matrix::new(weight, sizes.o, fan_in);
    // One image leaves the other threads to the product.
    let parallel = sizes.images == 1;
    let most = sizes.most_positions(images.clone());
    let mut columns = vec![0.0; fan_in * most];
    let mut several = Vec::new();
    for window in sizes.windows(images.clone()) {
        let positions = sizes.positions(&window);
        let columns = &mut columns[..fan_in * positions];
        sizes.unfold_all(x, &window, columns);
        let columns = Matrix::new(columns, fan_in, positions);
        let y = &mut y[(window.images.start - images.start) * sizes.o * area..][..window.images.len() * sizes.o * area];
        if window.images.len() == 1 {
            let y = &mut y[sizes.place(&window)..];
            y.chunks_mut(area).zip(bias).for_each(|(row, &bias)| row[..positions].fill(bias));
            multiply_rows(weight, columns, y, area, true, parallel);
        } else {
            several.resize(sizes.o * most, 0.0);
            let several = &mut several[..sizes.o * positions];
            multiply_rows(weight, columns, several, positions, false, parallel);
            spread(several, area, bias, y);
        }
    }
}

/// From `[o, images, area]` to `[images, o, area]`, with the bias.
fn spread(from: &[f32], area: usize, bias: &[f32], to: &mut [f32]) {
    let positions = from.len() / bias.len();
    for (image, to) in to.chunks_exact_mut(bias.len() * area).enumerate() {
        for ((to, from), &bias) in to.chunks_exact_mut(area).zip(from.chunks_exact(positions)).zip(bias) {
            let from = &from[image * area..][..area];
            to.iter_mut().zip(from).for_each(|(to, from)| *to = from + bias);
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::rng::{Purpose, Stream};

    /// Every product of a convolution: image, output channel, output position, input channel, input position, weight.
    pub fn terms(sizes: Sizes, mut term: impl FnMut(usize, usize, usize)) {
        let Sizes { images, c, o, h, w, k } = sizes;
        for (image, out, row, column) in (0..images)
            .flat_map(|i| (0..o).flat_map(move |out| (0..h).flat_map(move |y| (0..w).map(move |x| (i, out, y, x)))))
        {
            for (channel, tap) in (0..c).flat_map(|channel| (0..k * k).map(move |tap| (channel, tap))) {
                let (y, x) = ((row + tap / k).wrapping_sub(k / 2), (column + tap % k).wrapping_sub(k / 2));
                if y < h && x < w {
                    let input = ((image * c + channel) * h + y) * w + x;
                    term(((image * o + out) * h + row) * w + column, input, (out * c + channel) * k * k + tap);
                }
            }
        }
    }

    /// Odd sizes: one image, several windows of several images, bands of one map.
    pub const SIZES: [[usize; 6]; 7] = [
        [1, 1, 1, 1, 1, 1],
        [5, 3, 7, 4, 6, 3],
        [1, 5, 3, 3, 2, 5],
        [37, 2, 3, 5, 5, 3],
        [3, 1, 9, 17, 16, 3],
        [2, 70, 2, 41, 67, 3],
        [130, 6, 5, 2, 2, 3],
    ];

    pub fn sizes([images, c, o, h, w, k]: [usize; 6]) -> Sizes {
        Sizes { images, c, o, h, w, k }
    }

    /// Fails unless `found` is within rounding of `expected`.
    pub fn close(found: &[f32], expected: &[f64], what: &str) {
        assert_eq!(found.len(), expected.len(), "{what}");
        let scale = expected.iter().fold(1.0, |most: f64, e| most.max(e.abs()));
        for (index, (found, expected)) in found.iter().zip(expected).enumerate() {
            assert!((f64::from(*found) - expected).abs() < 1e-5 * scale, "{what}, {index}: {found} {expected}");
        }
    }

    #[test]
    fn is_the_convolution_of_plain_loops_for_any_number_of_threads() {
        let mut stream = Stream::new(11, Purpose::Weights, &[]);
        for sizes in SIZES.map(sizes) {
            let x = stream.normal(sizes.images * sizes.c * sizes.area(), 1.0);
            let (weight, bias) = (stream.normal(sizes.o * sizes.fan_in(), 1.0), stream.normal(sizes.o, 1.0));
            let mut expected = vec![0.0; sizes.images * sizes.o * sizes.area()];
            terms(sizes, |y, input, w| expected[y] += f64::from(x[input]) * f64::from(weight[w]));
            for (map, value) in expected.chunks_mut(sizes.area()).enumerate() {
                value.iter_mut().for_each(|value| *value += f64::from(bias[map % sizes.o]));
            }
            for threads in [1, 3] {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                let y = pool.install(|| forward(sizes, &x, &weight, &bias));
                close(&y, &expected, &format!("{sizes:?}"));
            }
        }
    }
}
