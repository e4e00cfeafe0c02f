//! The largest of each 2x2 square of a map, rectified: where it was is kept in one byte each. (Upstream: burn keeps an
//! index of four bytes, and pools and rectifies in passes of their own.)

use super::lanes::vectorised;
use super::parts::{by_images, by_images_2};

/// The four values of a 2x2 square, row by row.
#[derive(Clone, Copy)]
pub(super) struct Square(pub [f32; 4]);

impl Square {
    #[inline(always)]
    pub fn map(self, of: impl Fn(f32) -> f32) -> Self {
        Self(self.0.map(of))
    }

    /// The largest value.
    #[inline(always)]
    pub fn largest(self) -> f32 {
        let larger = |a: f32, b: f32| if b > a { b } else { a };
        let [a, b, c, d] = self.0;
        larger(larger(a, b), larger(c, d))
    }

    /// Where the first value equal to the `largest` is. (Without branches: they would be guessed wrong half of the
    /// time.)
    #[inline(always)]
    pub fn first(self, largest: f32) -> [bool; 4] {
        let [a, b, c, d] = self.0.map(|value| value == largest);
        [a, b & !a, c & !(a | b), d & !(a | b | c)]
    }

    /// The value at the one place that is marked.
    #[inline(always)]
    pub fn at(self, place: [bool; 4]) -> f32 {
        let [a, b, c, d] = std::array::from_fn(|index| if place[index] { self.0[index] } else { 0.0 });
        (a + b) + (c + d)
    }

    /// With `value` added at the one place that is marked.
    #[inline(always)]
    pub fn plus(self, place: [bool; 4], value: f32) -> Self {
        Self(std::array::from_fn(|index| self.0[index] + if place[index] { value } else { 0.0 }))
    }
}

/// `max(value, 0)`; what is not a number stays so.
#[inline(always)]
pub(super) fn rectified(value: f32) -> f32 {
    if value <= 0.0 { 0.0 } else { value }
}

/// The four corners of every square of a map, each in a row of its own, so that loops over squares are plain ones: top
/// left and right, bottom left and right. An odd last row or column is in no square.
pub(super) struct Corners {
    values: Vec<f32>,
    squares: usize,
}

impl Corners {
    /// Room for a map of `squares` squares.
    pub fn new(squares: usize) -> Self {
        Self { values: vec![0.0; 4 * squares], squares }
    }

    /// Takes the corners out of a map of rows of `width`.
    #[inline(always)]
    pub fn read(&mut self, map: &[f32], width: usize) -> [&mut [f32]; 4] {
        let mut corners = self.rows();
        for (row, rows) in map.chunks_exact(2 * width.max(1)).enumerate() {
            let ([a, b, c, d], halves) = (part(&mut corners, row, width / 2), rows.split_at(width));
            let (top, bottom) = (halves.0.as_chunks::<2>().0, halves.1.as_chunks::<2>().0);
            for ((top, a), b) in top.iter().zip(a).zip(b) {
                [*a, *b] = *top;
            }
            for ((bottom, c), d) in bottom.iter().zip(c).zip(d) {
                [*c, *d] = *bottom;
            }
        }
        corners
    }

    /// Puts the corners back, and changes what is in no square by `odd`.
    #[inline(always)]
    pub fn write(&mut self, map: &mut [f32], width: usize, odd: impl Fn(f32) -> f32) {
        let mut corners = self.rows();
        let mut pairs = map.chunks_exact_mut(2 * width.max(1));
        for (row, rows) in pairs.by_ref().enumerate() {
            let ([a, b, c, d], halves) = (part(&mut corners, row, width / 2), rows.split_at_mut(width));
            let (top, bottom) = (halves.0.as_chunks_mut::<2>(), halves.1.as_chunks_mut::<2>());
            for ((top, a), b) in top.0.iter_mut().zip(a).zip(b) {
                *top = [*a, *b];
            }
            for ((bottom, c), d) in bottom.0.iter_mut().zip(c).zip(d) {
                *bottom = [*c, *d];
            }
            top.1.iter_mut().chain(bottom.1).for_each(|value| *value = odd(*value));
        }
        pairs.into_remainder().iter_mut().for_each(|value| *value = odd(*value));
    }

    #[inline(always)]
    fn rows(&mut self) -> [&mut [f32]; 4] {
        let (top, bottom) = self.values.split_at_mut(2 * self.squares);
        let ((a, b), (c, d)) = (top.split_at_mut(self.squares), bottom.split_at_mut(self.squares));
        [a, b, c, d]
    }
}

/// The corners of one row of squares.
#[inline(always)]
fn part<'a>(corners: &'a mut [&mut [f32]; 4], row: usize, squares: usize) -> [&'a mut [f32]; 4] {
    corners.each_mut().map(|corner| &mut corner[row * squares..][..squares])
}

/// `h = max(z, 0)` of the largest `z` of each square, and its place in the square.
///
/// # Shapes
/// `z [images, c, h, w]`: twice `[images, c, h / 2, w / 2]`.
pub(in super::super) fn forward(z: &[f32], [images, c, h, w]: [usize; 4]) -> (Vec<f32>, Vec<u8>) {
    let out = (h / 2) * (w / 2);
    let (mut largest, mut places) = (vec![0.0; images * c * out], vec![0; images * c * out]);
    by_images_2((&mut largest, &mut places), images, [c * out; 2], |images, largest, places| {
        let maps = z[images.start * c * h * w..].chunks_exact((h * w).max(1));
        let outs = largest.chunks_exact_mut(out.max(1)).zip(places.chunks_exact_mut(out.max(1)));
        let mut corners = Corners::new(out);
        vectorised(
            #[inline(always)]
            || {
                for (map, (largest, places)) in maps.zip(outs) {
                    let [a, b, c, d] = corners.read(map, w);
                    let squares = a.iter().zip(b).zip(c.iter().zip(d));
                    for (((a, b), (c, d)), (largest, place)) in squares.zip(largest.iter_mut().zip(places)) {
                        let square = Square([*a, *b, *c, *d]);
                        let most = square.largest();
                        let [_, b, c, d] = square.first(most).map(u8::from);
                        (*largest, *place) = (rectified(most), b + 2 * c + 3 * d);
                    }
                }
            },
        );
    });
    (largest, places)
}

/// The signal `dh` where `h` came from, if it was above 0.
///
/// # Shapes
/// `h`, `places` and `dh [images, c, h / 2, w / 2]`: `[images, c, h, w]`.
pub(in super::super) fn backward(
    (largest, places): (&[f32], &[u8]),
    dh: &[f32],
    [images, c, h, w]: [usize; 4],
) -> Vec<f32> {
    let out = (h / 2) * (w / 2);
    let mut dz = vec![0.0; images * c * h * w];
    if out == 0 {
        return dz;
    }
    by_images(&mut dz, images, c * h * w, |images, dz| {
        let from = images.start * c * out;
        let given = largest[from..].iter().zip(&places[from..]).zip(&dh[from..]);
        let mut given = given.map(|((&h, &place), &dh)| (place, if h <= 0.0 { 0.0 } else { dh }));
        for map in dz.chunks_exact_mut(h * w) {
            for rows in map.chunks_exact_mut(2 * w) {
                for (column, (place, dz)) in (0..w / 2).zip(&mut given) {
                    let place = usize::from(place);
                    rows[place / 2 * w + 2 * column + place % 2] = dz;
                }
            }
        }
    });
    dz
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, Stream};

    #[test]
    fn the_largest_come_out_and_the_signal_goes_back_to_them_for_any_number_of_threads() {
        let mut stream = Stream::new(15, Purpose::Weights, &[]);
        for size in [[3, 2, 4, 6], [5, 1, 5, 3], [2, 3, 7, 7], [1, 2, 2, 2], [2, 2, 1, 3]] {
            let [images, c, h, w] = size;
            let (z, out) = (stream.normal(images * c * h * w, 1.0), (h / 2) * (w / 2));
            let dh = stream.normal(images * c * out, 1.0);
            let (mut expected, mut back) = (vec![0.0; dh.len()], vec![0.0; z.len()]);
            for index in 0..dh.len() {
                let (map, row, column) = (index / out, index % out / (w / 2), index % out % (w / 2));
                for (y, x) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
                    expected[index] = z[(map * h + 2 * row + y) * w + 2 * column + x].max(expected[index]);
                }
                let first = (map * h * w..(map + 1) * h * w).find(|&at| z[at] == expected[index]);
                if let Some(first) = first {
                    back[first] = dh[index];
                }
            }
            for threads in [1, 3] {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                let (largest, places) = pool.install(|| forward(&z, size));
                assert_eq!(largest, expected, "{size:?}");
                assert_eq!(pool.install(|| backward((&largest, &places), &dh, size)), back, "{size:?}");
            }
        }
    }

    #[test]
    fn what_is_not_a_number_stays_so() {
        let (largest, _) = forward(&[f32::NAN; 4], [1, 1, 2, 2]);
        assert!(largest[0].is_nan() && rectified(-1.0) == 0.0);
    }
}
