//! The two halves of an encoder block on rows of tokens, a few rows at a time, in two buffers: products add to what is
//! there (a bias, the block's input, the gradients so far), and what a pass has used up is written over. (Upstream:
//! burn has no product that adds to its output, and no operation that may write over what it was given.)

use super::super::attention::Heads;
use super::super::count::add_macs;
use super::super::rows::{chunk_rows, chunks};
use super::attention::{attend, attend_backward};
use super::gelu::{gelu, gelu_and_slope, gelu_in_place};
use super::gemm::{Matrix, multiply};
use super::lanes::{add_rows, scale_and_add_rows};
use super::norm::{Norm, normalise, normalise_backward};
use super::values::rows_of;

/// An affine map `[i, o]`.
#[derive(Clone, Copy)]
pub struct Map<'a> {
    pub weight: Matrix<'a>,
    pub bias: &'a [f32],
}

/// What half a block reads in either direction: its input, the norm on it, and two maps, or on the way back the
/// feedback through them.
#[derive(Clone, Copy)]
pub struct Half<'a, M> {
    pub x: &'a [f32],
    pub norm: Norm<'a>,
    pub maps: [M; 2],
}

/// Queries, keys and values, and the heads' outputs: what attention keeps.
pub struct SavedRows<'a, M> {
    pub qkv: &'a mut [f32],
    pub mixed: M,
}

/// Gradients of a half's norm and of its two maps, but for the second bias.
pub struct Gradients {
    pub gamma: Vec<f32>,
    pub beta: Vec<f32>,
    pub first: Vec<f32>,
    pub first_bias: Vec<f32>,
    pub second: Vec<f32>,
}

impl Gradients {
    /// Zeros for maps `[d, first]` and `[second, d]`.
    fn new(d: usize, first: usize, second: usize) -> Self {
        let zeros = |len| vec![0.0; len];
        let (gamma, beta, first_bias) = (zeros(d), zeros(d), zeros(first));
        Self { gamma, beta, first: zeros(d * first), first_bias, second: zeros(second * d) }
    }
}

/// [`multiply`] on all threads, counted.
fn counted(a: Matrix, b: Matrix, out: &mut [f32], added: bool) {
    multiply(a, b, out, added, true);
    add_macs(out.len() * a.columns());
}

/// `y += gelu(norm(x) W₁ + b₁) W₂`. Where the pre-activations are kept, `z` holds `b₁` in each row and they are added.
pub fn mlp(half: Half<Map>, mut z: Option<&mut [f32]>, y: &mut [f32]) {
    let Half { x, norm, maps: [first, second] } = half;
    let (d, hidden) = (norm.gamma.len(), first.bias.len());
    let rows = x.len() / d;
    let most = chunk_rows(rows, 1).min(rows);
    let mut n = vec![0.0; most * d];
    let mut h = z.is_some().then(|| vec![0.0; most * hidden]);
    for chunk in chunks(rows, 1) {
        let len = chunk.len();
        let [narrow, wide] = [d, hidden].map(|columns| chunk.start * columns..chunk.end * columns);
        let n = &mut n[..len * d];
        normalise(&x[narrow.clone()], norm, n);
        let n = Matrix::new(n, len, d);
        let made;
        let h = match (&mut z, &mut h) {
            (Some(z), Some(h)) => {
                let (z, h) = (&mut z[wide], &mut h[..len * hidden]);
                counted(n, first.weight, z, true);
                gelu(z, h);
                &*h
            }
            _ => {
                let mut z = rows_of(first.bias, None, len);
                counted(n, first.weight, &mut z, true);
                gelu_in_place(&mut z);
                made = z;
                &made
            }
        };
        counted(Matrix::new(h, len, hidden), second.weight, &mut y[narrow], true);
    }
}

/// From `dy` to `dx` in its place, through the `feedback` `[d, h]` and `[h, d]` of the maps. `z` is used up.
pub fn mlp_backward(half: Half<Matrix>, z: &mut [f32], dy: &mut [f32]) -> Gradients {
    let Half { x, norm, maps: feedback } = half;
    let (d, hidden) = (norm.gamma.len(), feedback[0].columns());
    let rows = x.len() / d;
    let most = chunk_rows(rows, 1).min(rows);
    let mut sums = Gradients::new(d, hidden, hidden);
    let (mut n, mut h) = (vec![0.0; most * d], vec![0.0; most * hidden]);
    for chunk in chunks(rows, 1) {
        let (len, later) = (chunk.len(), chunk.start > 0);
        let [narrow, wide] = [d, hidden].map(|columns| chunk.start * columns..chunk.end * columns);
        let (x, dy, z) = (&x[narrow.clone()], &mut dy[narrow], &mut z[wide]);
        let (n, h) = (&mut n[..len * d], &mut h[..len * hidden]);
        gelu_and_slope(z, h);
        let signal = Matrix::new(dy, len, d);
        counted(Matrix::new(h, len, hidden).transposed(), signal, &mut sums.second, later);
        counted(signal, feedback[1].transposed(), h, false);
        scale_and_add_rows(h, z, &mut sums.first_bias);
        let part = Half { x, norm, maps: feedback };
        norm_map_backward(part, h, n, dy, (&mut sums, later));
    }
    sums
}

/// `y += attention(norm(x) W + b) P`. Where they are kept, `qkv` holds `b` in each row, to which queries, keys and
/// values are added, and the heads' outputs are written to `mixed`.
pub fn attention(half: Half<Map>, mut kept: Option<SavedRows<&mut [f32]>>, heads: Heads, y: &mut [f32]) {
    let Half { x, norm, maps: [first, second] } = half;
    let d = norm.gamma.len();
    let rows = x.len() / d;
    let mut n = vec![0.0; chunk_rows(rows, heads.tokens).min(rows) * d];
    for chunk in chunks(rows, heads.tokens) {
        let len = chunk.len();
        let [narrow, wide] = [d, 3 * d].map(|columns| chunk.start * columns..chunk.end * columns);
        let n = &mut n[..len * d];
        normalise(&x[narrow.clone()], norm, n);
        let mut made = None;
        let (qkv, mixed) = match &mut kept {
            Some(kept) => (&mut kept.qkv[wide], Some(&mut kept.mixed[narrow.clone()])),
            None => (made.insert(rows_of(first.bias, None, len)).as_mut_slice(), None),
        };
        counted(Matrix::new(n, len, d), first.weight, qkv, true);
        // The norm is used up: the heads' outputs may take its place.
        let mixed = mixed.unwrap_or(n);
        attend(qkv, mixed, d, heads);
        counted(Matrix::new(mixed, len, d), second.weight, &mut y[narrow], true);
    }
}

/// From `dy` to `dx` in its place, through the `feedback` `[d, 3 d]` and `[d, d]` of the maps. `qkv` is used up.
pub fn attention_backward(half: Half<Matrix>, kept: SavedRows<&[f32]>, heads: Heads, dy: &mut [f32]) -> Gradients {
    let (Half { x, norm, maps: feedback }, SavedRows { qkv, mixed }) = (half, kept);
    let d = norm.gamma.len();
    let rows = x.len() / d;
    let mut sums = Gradients::new(d, 3 * d, d);
    let mut buffer = vec![0.0; chunk_rows(rows, heads.tokens).min(rows) * d];
    for chunk in chunks(rows, heads.tokens) {
        let (len, later) = (chunk.len(), chunk.start > 0);
        let [narrow, wide] = [d, 3 * d].map(|columns| chunk.start * columns..chunk.end * columns);
        let (x, dy, mixed) = (&x[narrow.clone()], &mut dy[narrow.clone()], &mixed[narrow]);
        let (qkv, buffer) = (&mut qkv[wide], &mut buffer[..len * d]);
        let signal = Matrix::new(dy, len, d);
        counted(Matrix::new(mixed, len, d).transposed(), signal, &mut sums.second, later);
        counted(signal, feedback[1].transposed(), buffer, false);
        attend_backward(qkv, buffer, d, heads);
        add_rows(qkv, &mut sums.first_bias);
        let part = Half { x, norm, maps: feedback };
        norm_map_backward(part, qkv, buffer, dy, (&mut sums, later));
    }
    sums
}

/// The way back through the first map and the norm: from `dz` to `dx`, which is added to `dy`. `n` is a buffer like
/// `x`.
fn norm_map_backward(
    half: Half<Matrix>,
    dz: &[f32],
    n: &mut [f32],
    dy: &mut [f32],
    (sums, later): (&mut Gradients, bool),
) {
    let Half { x, norm, maps: [feedback, _] } = half;
    let (d, len) = (norm.gamma.len(), x.len() / norm.gamma.len());
    let dz = Matrix::new(dz, len, dz.len() / len);
    normalise(x, norm, n);
    counted(Matrix::new(n, len, d).transposed(), dz, &mut sums.first, later);
    counted(dz, feedback.transposed(), n, false);
    normalise_backward(x, norm, n, Some(dy), (&mut sums.gamma, &mut sums.beta));
}
