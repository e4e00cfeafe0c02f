//! Maps unfolded for convolutions of stride 1 that keep the size: one row for each weight of a kernel, one column for
//! each position, a few images or a band of rows at a time, so that columns stay in the cache. (Upstream: burn-flex
//! unfolds one image by itself into another order, and has no way back that adds.)

use std::ops::Range;

/// Columns of one chunk that let a product run at full speed.
const POSITIONS: usize = 512;
/// Maps of so many positions are a chunk each, whose product is written where it belongs.
const WHOLE: usize = 256;
/// Values of unfolded maps at the most, unless the weights themselves are more.
const VALUES: usize = 1 << 20;

/// The sizes of a convolution: `c` to `o` channels of `[h, w]` maps, kernels `k x k`, `k` odd.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Sizes {
    pub images: usize,
    pub c: usize,
    pub o: usize,
    pub h: usize,
    pub w: usize,
    pub k: usize,
}

/// What is unfolded at once: rows of the maps of some images; all rows where there are several images.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Window {
    pub images: Range<usize>,
    pub rows: Range<usize>,
}

impl Sizes {
    /// Positions of a map.
    pub fn area(&self) -> usize {
        self.h * self.w
    }

    /// Weights of one output channel.
    pub fn fan_in(&self) -> usize {
        self.c * self.k * self.k
    }

    /// Positions of a window.
    pub(super) fn positions(&self, window: &Window) -> usize {
        window.images.len() * window.rows.len() * self.w
    }

    /// The windows that cover `images`.
    pub(super) fn windows(self, images: Range<usize>) -> impl Iterator<Item = Window> {
        let room = (VALUES.max(self.fan_in() * self.o) / self.fan_in().max(1)).max(1);
        let area = self.area().max(1);
        let (count, rows) = match area >= WHOLE || area > room {
            true => (1, (room / self.w.max(1)).clamp(1, self.h.max(1))),
            false => ((POSITIONS.min(room) / area).clamp(1, images.len().max(1)), self.h.max(1)),
        };
        let (end, height) = (images.end, self.h);
        images.step_by(count).flat_map(move |first| {
            let images = first..(first + count).min(end);
            (0..height)
                .step_by(rows)
                .map(move |top| Window { images: images.clone(), rows: top..(top + rows).min(height) })
        })
    }

    /// Positions of the largest window of [`Sizes::windows`].
    pub(super) fn most_positions(self, images: Range<usize>) -> usize {
        self.windows(images).next().map_or(0, |window| self.positions(&window))
    }

    /// Unfolds `channel` of `x [images, c, h, w]`: `columns [k k, positions]`.
    pub(super) fn unfold(&self, x: &[f32], window: &Window, channel: usize, columns: &mut [f32]) {
        for (tap, row) in columns.chunks_exact_mut(self.positions(window)).enumerate() {
            let shift = self.shift(window, tap);
            for (image, part) in window.images.clone().zip(row.chunks_exact_mut(shift.len)) {
                let map = &x[(image * self.c + channel) * self.area()..][..self.area()];
                let Overlap { inside, from } = shift.overlap(map.len());
                part[..inside.start].fill(0.0);
                part[inside.end..].fill(0.0);
                part[inside.clone()].copy_from_slice(&map[from..from + inside.len()]);
                shift.clear_edge(part, self.w);
            }
        }
    }

    /// Adds `columns [k k, positions]` of one channel to the `maps` they were unfolded from: those of the window's
    /// images, `[images, c, h, w]`. What columns hold at positions outside of the map is lost.
    pub(super) fn fold(&self, columns: &mut [f32], window: &Window, channel: usize, maps: &mut [f32]) {
        for (tap, row) in columns.chunks_exact_mut(self.positions(window)).enumerate() {
            let shift = self.shift(window, tap);
            for (image, part) in row.chunks_exact_mut(shift.len).enumerate() {
                let map = &mut maps[(image * self.c + channel) * self.area()..][..self.area()];
                let Overlap { inside, from } = shift.overlap(map.len());
                shift.clear_edge(part, self.w);
                let map = &mut map[from..from + inside.len()];
                map.iter_mut().zip(&part[inside]).for_each(|(sum, value)| *sum += value);
            }
        }
    }

    fn shift(&self, window: &Window, tap: usize) -> Shift {
        let padding = (self.k / 2) as isize;
        let (down, right) = ((tap / self.k) as isize - padding, (tap % self.k) as isize - padding);
        let start = (window.rows.start as isize + down) * self.w as isize + right;
        Shift { start, right, len: window.rows.len() * self.w }
    }
}

/// One weight of a kernel sees the map moved: position `i` of a window sees value `start + i` of it, except at the edge
/// that the move to the `right` (left if negative) wraps around.
struct Shift {
    start: isize,
    right: isize,
    len: usize,
}

/// The positions of a window that see the map, the first of them its value `from`.
struct Overlap {
    inside: Range<usize>,
    from: usize,
}

impl Shift {
    fn overlap(&self, map: usize) -> Overlap {
        let first = (-self.start).clamp(0, self.len as isize) as usize;
        let from = self.start.clamp(0, map as isize) as usize;
        Overlap { inside: first..first + (self.len - first).min(map - from), from }
    }

    fn clear_edge(&self, part: &mut [f32], width: usize) {
        let wide = self.right.unsigned_abs().min(width);
        match self.right {
            0 => {}
            1.. => part.chunks_exact_mut(width).for_each(|row| row[width - wide..].fill(0.0)),
            _ => part.chunks_exact_mut(width).for_each(|row| row[..wide].fill(0.0)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(sizes: &Sizes, tap: usize, row: usize, column: usize) -> Option<usize> {
        let at = |position: usize, offset: usize, size: usize| {
            (position + offset).checked_sub(sizes.k / 2).filter(|&position| position < size)
        };
        Some(at(row, tap / sizes.k, sizes.h)? * sizes.w + at(column, tap % sizes.k, sizes.w)?)
    }

    #[test]
    fn columns_are_what_each_weight_sees_and_fold_back_to_where_they_came_from() {
        for (h, w, k) in [(4, 5, 3), (1, 1, 3), (2, 3, 5), (3, 2, 1), (1, 7, 5)] {
            let sizes = Sizes { images: 3, c: 2, o: 1, h, w, k };
            let x: Vec<f32> = (0..3 * 2 * h * w).map(|value| value as f32 + 1.0).collect();
            for rows in [0..h, h / 2..h, 0..1] {
                let window = Window { images: 1..3, rows: rows.clone() };
                let positions = sizes.positions(&window);
                let mut columns = vec![f32::NAN; k * k * positions];
                sizes.unfold(&x, &window, 1, &mut columns);
                let mut expected = vec![0.0; 2 * 2 * h * w];
                for (index, &value) in columns.iter().enumerate() {
                    let (tap, image) = (index / positions, index % positions / (rows.len() * w));
                    let at = index % positions % (rows.len() * w);
                    let place = seen(&sizes, tap, rows.start + at / w, at % w);
                    let map = |image: usize| (image * 2 + 1) * h * w;
                    assert_eq!(value, place.map_or(0.0, |place| x[map(image + 1) + place]), "{window:?} {k} {index}");
                    if let Some(place) = place {
                        expected[map(image) + place] += index as f32;
                    }
                }
                let mut numbers: Vec<f32> = (0..columns.len()).map(|index| index as f32).collect();
                let mut maps = vec![0.0; expected.len()];
                sizes.fold(&mut numbers, &window, 1, &mut maps);
                assert_eq!(maps, expected, "{window:?} {k}");
            }
        }
    }

    #[test]
    fn windows_cover_every_row_of_every_image_once() {
        for (h, w, c) in [(1, 1, 3), (3, 3, 512), (7, 7, 3), (28, 28, 1), (64, 64, 64), (5, 300, 2000)] {
            let sizes = Sizes { images: 131, c, o: 4, h, w, k: 3 };
            let mut covered = vec![0; 131 * h];
            for window in sizes.windows(1..131) {
                assert!(window.rows == (0..h) || window.images.len() == 1);
                assert!(sizes.positions(&window) <= sizes.most_positions(1..131));
                for (image, row) in window.images.clone().flat_map(|i| window.rows.clone().map(move |row| (i, row))) {
                    covered[image * h + row] += 1;
                }
            }
            assert!(covered[..h].iter().all(|&times| times == 0) && covered[h..].iter().all(|&times| times == 1));
        }
    }
}
