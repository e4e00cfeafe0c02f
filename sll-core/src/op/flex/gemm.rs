//! Matrix products on slices: operands are read where they lie, transposed or not, and a product can be added to what
//! is there, which saves the pass that adds a bias and the one that adds up gradients. (Upstream: burn has no product
//! that adds to its output.)

use burn::backend::flex::FlexTensor;
use gemm::Parallelism;
use rayon::prelude::*;
use std::mem::MaybeUninit;
use std::ops::Range;

/// Products with fewer multiply-accumulates run in the thread that asks for them: handing them out costs more.
const PARALLEL: usize = 1 << 18;
/// Rows or columns of a thread's part are a multiple of this, the widest kernel's own.
const TILE: usize = 16;

/// A matrix in a slice: element `(i, j)` is `values[i row_stride + j column_stride]`.
#[derive(Clone, Copy)]
pub(in super::super) struct Matrix<'a> {
    values: &'a [f32],
    rows: usize,
    columns: usize,
    row_stride: usize,
    column_stride: usize,
}

impl<'a> Matrix<'a> {
    /// `rows` by `columns` values in row-major order.
    pub fn new(values: &'a [f32], rows: usize, columns: usize) -> Self {
        Self::strided(values, [rows, columns], [columns, 1])
    }

    /// A view with strides of its own, which must not reach beyond `values`.
    pub fn strided(values: &'a [f32], [rows, columns]: [usize; 2], [row_stride, column_stride]: [usize; 2]) -> Self {
        if rows > 0 && columns > 0 {
            assert!((rows - 1) * row_stride + (columns - 1) * column_stride < values.len(), "a view within its values");
        }
        Self { values, rows, columns, row_stride, column_stride }
    }

    /// A tensor of two dimensions as it lies; `None` where it runs backwards.
    pub fn of(tensor: &'a FlexTensor) -> Option<Self> {
        let layout = tensor.layout();
        let (shape, strides) = (layout.shape(), layout.strides());
        let [row, column] = [strides[0], strides[1]].map(|stride| usize::try_from(stride).ok());
        let values = &tensor.storage::<f32>()[layout.start_offset()..];
        Some(Self::strided(values, [shape[0], shape[1]], [row?, column?]))
    }

    /// Rows and columns swapped, without moving anything.
    pub fn transposed(self) -> Self {
        let Self { values, rows, columns, row_stride, column_stride } = self;
        Self { values, rows: columns, columns: rows, row_stride: column_stride, column_stride: row_stride }
    }

    pub fn rows(&self) -> usize {
        self.rows
    }

    pub fn columns(&self) -> usize {
        self.columns
    }
}

/// `out = a b`, or `out += a b` where it is to be `added`; `out` is row-major. Uses all threads where that pays and
/// `parallel` allows it.
///
/// # Panics
/// If the sizes do not fit.
#[allow(unsafe_code, reason = "the product writes through a pointer")]
pub(in super::super) fn multiply(a: Matrix, b: Matrix, out: &mut [f32], added: bool, parallel: bool) {
    assert_eq!(out.len(), a.rows * b.columns, "the output's size");
    multiply_rows(a, b, out, b.columns, added, parallel);
}

/// [`multiply`] into rows that start `stride` values apart; what lies between them stays as it is.
///
/// # Panics
/// If the sizes do not fit.
#[allow(unsafe_code, reason = "the product writes through a pointer")]
pub(in super::super) fn multiply_rows(
    a: Matrix,
    b: Matrix,
    out: &mut [f32],
    stride: usize,
    added: bool,
    parallel: bool,
) {
    if a.rows > 0 {
        assert!((a.rows - 1) * stride + b.columns <= out.len() && b.columns <= stride, "rows within the output");
    }
    // SAFETY: `out` reaches to the end of the last row, as was just checked, and is initialised.
    unsafe { multiply_to(a, b, out.as_mut_ptr(), stride, added, parallel) }
}

/// `a b` in new memory.
#[allow(unsafe_code, reason = "the product fills memory that nothing has written before")]
pub(in super::super) fn product(a: Matrix, b: Matrix, parallel: bool) -> Vec<f32> {
    let write = |out: &mut [MaybeUninit<f32>]| {
        // SAFETY: `out` has room for the product, which is not added to what is there.
        unsafe { multiply_to(a, b, out.as_mut_ptr().cast(), b.columns, false, parallel) }
    };
    // SAFETY: a product that is not added writes every element.
    unsafe { super::values::made(a.rows * b.columns, write) }
}

/// A place in the output, handed to the threads that each write rows or columns of their own.
#[derive(Clone, Copy)]
struct Place(*mut f32);

// SAFETY: no two threads are given the same element.
#[allow(unsafe_code, reason = "a pointer is not sent by itself")]
unsafe impl Send for Place {}
// SAFETY: as above.
#[allow(unsafe_code, reason = "as above")]
unsafe impl Sync for Place {}

impl Place {
    /// # Safety
    /// As of [`pointer::add`].
    #[allow(unsafe_code, reason = "a pointer moves")]
    unsafe fn at(self, offset: usize) -> Self {
        Self(unsafe { self.0.add(offset) })
    }
}

impl<'a> Matrix<'a> {
    /// Rows `range`.
    fn only_rows(self, range: Range<usize>) -> Self {
        Self { values: &self.values[range.start * self.row_stride..], rows: range.len(), ..self }
    }
}

/// Splits the longer side of the output between the threads, each of which packs what it needs: faster than gemm's own
/// threads, which wait for each other at every block.
///
/// # Safety
/// `out` points to room for `a.rows` rows of `b.columns` values, `stride` apart, which are initialised if the product
/// is `added` to them.
#[allow(unsafe_code, reason = "gemm works on pointers")]
unsafe fn multiply_to(a: Matrix, b: Matrix, out: *mut f32, stride: usize, added: bool, parallel: bool) {
    assert_eq!(a.columns, b.rows, "the inner sizes of a product");
    let (m, n, k) = (a.rows, b.columns, a.columns);
    if m == 0 || n == 0 {
        return;
    }
    let (out, threads) = (Place(out), rayon::current_num_threads());
    if !parallel || threads == 1 || m * n * k < PARALLEL {
        // SAFETY: the caller's promise.
        return unsafe { one_thread(a, b, out, stride, added) };
    }
    let part = m.max(n).div_ceil(threads).next_multiple_of(TILE);
    (0..m.max(n).div_ceil(part)).into_par_iter().for_each(|index| {
        let range = index * part..((index + 1) * part).min(m.max(n));
        // SAFETY: ranges do not overlap and lie within the output.
        unsafe {
            if m >= n {
                one_thread(a.only_rows(range.clone()), b, out.at(range.start * stride), stride, added);
            } else {
                let columns = b.transposed().only_rows(range.clone()).transposed();
                one_thread(a, columns, out.at(range.start), stride, added);
            }
        }
    });
}

/// # Safety
/// As of [`multiply_to`].
#[allow(unsafe_code, reason = "gemm works on pointers")]
unsafe fn one_thread(a: Matrix, b: Matrix, out: Place, stride: usize, added: bool) {
    // SAFETY: `Matrix` keeps its strides within its values, and the caller vouches for `out`.
    unsafe {
        gemm::gemm(
            a.rows,
            b.columns,
            a.columns,
            out.0,
            1,
            stride as isize,
            added,
            a.values.as_ptr(),
            a.column_stride as isize,
            a.row_stride as isize,
            b.values.as_ptr(),
            b.column_stride as isize,
            b.row_stride as isize,
            1.0,
            1.0,
            false,
            false,
            false,
            Parallelism::None,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, Stream};

    fn plain(a: &[f32], b: &[f32], [m, n, k]: [usize; 3]) -> Vec<f32> {
        let entry = |i: usize, j: usize| (0..k).map(|l| a[i * k + l] * b[l * n + j]).sum();
        (0..m * n).map(|index| entry(index / n, index % n)).collect()
    }

    fn transpose(values: &[f32], rows: usize, columns: usize) -> Vec<f32> {
        (0..rows * columns).map(|index| values[index % rows * columns + index / rows]).collect()
    }

    fn close(found: &[f32], expected: &[f32]) {
        assert!(found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-3), "{found:?} {expected:?}");
    }

    /// On three threads too, among which neither side divides evenly.
    #[test]
    fn products_of_either_orientation_are_those_of_plain_loops() {
        for threads in [1, 3] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(products);
        }
    }

    fn products() {
        let mut stream = Stream::new(5, Purpose::Weights, &[]);
        for [m, n, k] in [[1, 1, 1], [3, 5, 7], [128, 10, 33], [70, 90, 80], [40, 170, 50], [5, 1, 9], [2, 3, 0]] {
            let (a, b) = (stream.normal(m * k, 1.0), stream.normal(k * n, 1.0));
            let expected = plain(&a, &b, [m, n, k]);
            let (at, bt) = (transpose(&a, m, k), transpose(&b, k, n));
            let lefts = [Matrix::new(&a, m, k), Matrix::new(&at, k, m).transposed()];
            let rights = [Matrix::new(&b, k, n), Matrix::new(&bt, n, k).transposed()];
            for (a, b) in lefts.into_iter().flat_map(|a| rights.map(|b| (a, b))) {
                for parallel in [false, true] {
                    close(&product(a, b, parallel), &expected);
                    let mut sum = vec![2.0; m * n];
                    multiply(a, b, &mut sum, true, parallel);
                    close(&sum, &expected.iter().map(|e| e + 2.0).collect::<Vec<_>>());
                    let mut apart = vec![2.0; m * (n + 3)];
                    multiply_rows(a, b, &mut apart, n + 3, false, parallel);
                    for (row, expected) in apart.chunks(n + 3).zip(expected.chunks(n)) {
                        close(&row[..n], expected);
                        assert_eq!(row[n..], [2.0; 3]);
                    }
                }
            }
        }
    }
}
