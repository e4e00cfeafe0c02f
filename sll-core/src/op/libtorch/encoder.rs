//! The two halves of an encoder block, in chunks of rows as the composed operations have them, each step one call.

use super::super::attention::{self, AttentionKernels, Heads, Rows};
use super::super::count::add_macs;
use super::super::gradients::Gradients;
use super::super::mlp::{self, MlpKernels};
use super::norm::{Sums, add_to, back, normed};
use super::{is_single, owned, sum_rows, writable};
use crate::memory::{Category, scope};
use burn::backend::LibTorch;
use burn::backend::libtorch::TchTensor;
use std::ops::Range;
use tch::{Kind, Tensor};

/// Rows that are worth a chunk of their own. LibTorch's operators need no temporaries of their own for norms,
/// activations and attention, so that a chunk may be larger than with the composed operations at the same peak.
const ROWS: i64 = 2048;

/// Ranges of whole groups of `group` rows.
fn chunks(rows: i64, group: i64) -> impl Iterator<Item = Range<i64>> {
    let groups = (rows + group - 1) / group;
    let most = (ROWS / group).max(1);
    let parts = (groups + most - 1) / most;
    let step = (groups + parts - 1) / parts * group;
    (0..parts).map(move |part| part * step..rows.min((part + 1) * step)).filter(|range| !range.is_empty())
}

/// Rows `range`, itself where that is all.
fn take(matrix: &Tensor, range: &Range<i64>) -> Tensor {
    match range.end - range.start == matrix.size()[0] {
        true => matrix.shallow_clone(),
        false => matrix.narrow(0, range.start, range.end - range.start),
    }
}

/// A matrix to be filled.
fn blank(rows: i64, columns: i64, like: &Tensor) -> Tensor {
    Tensor::empty([rows, columns], (like.kind(), like.device()))
}

/// Columns of a matrix, and the number of its rows.
fn sizes(matrix: &Tensor) -> (i64, i64) {
    let size = matrix.size();
    (size[0], size[1])
}

fn count(products: &[[i64; 3]]) {
    add_macs(products.iter().map(|[a, b, c]| (a * b * c) as usize).sum());
}

/// Adds `aᵀ b` to a running sum.
fn add_product(sum: &mut Option<Tensor>, a: &Tensor, b: &Tensor) {
    let a = a.tr();
    match sum {
        Some(sum) => drop(sum.addmm_(&a, b)),
        None => *sum = Some(a.mm(b)),
    }
}

impl MlpKernels for LibTorch {
    fn mlp_forward(x: &TchTensor, p: &mlp::Values<Self>, keep: bool) -> (TchTensor, Option<TchTensor>) {
        if !is_single(x) {
            return mlp::forward::<Self>(x, p, keep);
        }
        let (x, w1, w2) = (&x.tensor, &p.w1.tensor, &p.w2.tensor);
        let ((n, d), hidden) = (sizes(x), w1.size()[1]);
        let y = blank(n, d, x);
        let kept = keep.then(|| blank(n, hidden, x));
        let _temporaries = scope(Category::Workspace);
        for rows in chunks(n, 1) {
            let (x, mut y) = (take(x, &rows), take(&y, &rows));
            let (normed, _) = normed(&x, &p.gamma.tensor, &p.beta.tensor);
            let h = match &kept {
                Some(kept) => {
                    let z = take(kept, &rows);
                    let _ = p.b1.tensor.addmm_out(&z, &normed, w1);
                    drop(normed);
                    z.gelu("none")
                }
                None => p.b1.tensor.addmm(&normed, w1).gelu_("none"),
            };
            let _ = p.b2.tensor.addmm_out(&y, &h, w2);
            let _ = y.g_add_(&x);
        }
        count(&[[n, d, hidden], [n, hidden, d]]);
        (owned(y), kept.map(owned))
    }

    fn mlp_backward(kept: mlp::SavedMlp<Self>, dy: TchTensor) -> (TchTensor, Gradients<Self>) {
        if !is_single(&dy) {
            return mlp::backward::<Self>(kept, dy);
        }
        let mlp::SavedMlp { x, z, gamma, beta, feedback1, feedback2 } = kept;
        let ((n, d), hidden) = (sizes(&x.tensor), z.tensor.size()[1]);
        let (feedback1, feedback2) = (feedback1.tensor.tr(), feedback2.tensor.tr());
        let dy = writable(dy);
        let db2 = sum_rows(&dy);
        let (mut dw1, mut db1, mut dw2, mut norm) = (None, None, None, Sums::default());
        for rows in chunks(n, 1) {
            let [x, z, mut signal] = [&x.tensor, &z.tensor, &dy].map(|matrix| take(matrix, &rows));
            add_product(&mut dw2, &z.gelu("none"), &signal);
            let dz = z.gelu_backward(&signal.mm(&feedback2), "none");
            let (n, statistics) = normed(&x, &gamma.tensor, &beta.tensor);
            add_product(&mut dw1, &n, &dz);
            drop(n);
            add_to(&mut db1, sum_rows(&dz));
            let dn = dz.mm(&feedback1);
            drop(dz);
            let dx = back(&dn, &x, &statistics, &gamma.tensor, &mut norm);
            let _ = signal.g_add_(&dx);
        }
        count(&[[n, hidden, d], [n, d, hidden], [n, d, hidden], [n, hidden, d]]);
        let [dw1, db1, dw2] = [dw1, db1, dw2].map(|gradient| gradient.map(owned));
        (owned(dy), Gradients { norm: norm.done(), first: [dw1, db1], second: [dw2, Some(owned(db2))] })
    }
}

/// Queries, keys and values `[n, 3 d]` of whole images, each `[images, heads, tokens, d / heads]`: views.
fn split(qkv: &Tensor, heads: Heads) -> Vec<Tensor> {
    let (n, width) = sizes(qkv);
    let (tokens, heads) = (heads.tokens as i64, heads.heads as i64);
    qkv.view([n / tokens, tokens, 3, heads, width / 3 / heads]).permute([2, 0, 3, 1, 4]).unbind(0)
}

/// From the signal at the heads' outputs to that at queries, keys and values; see the composed operation.
fn heads_backward(qkv: &Tensor, signal: Tensor, heads: Heads) -> Tensor {
    let (n, width) = sizes(qkv);
    let (t, h) = (heads.tokens as i64, heads.heads as i64);
    let (images, dh) = (n / t, width / 3 / h);
    let parts = qkv.view([images, t, 3, h, dh]).permute([2, 0, 3, 1, 4]).reshape([3, images * h, t, dh]).unbind(0);
    let [q, k, v] = <[Tensor; 3]>::try_from(parts).expect("three parts");
    let d_o = signal.view([images, t, h, dh]).transpose(1, 2).reshape([images * h, t, dh]);
    drop(signal);
    let scale = 1.0 / (dh as f64).sqrt();
    // Parts of a single head are views of what the forward pass kept: not scaled in place.
    let q = q * scale;
    let weights = q.bmm(&k.transpose(1, 2)).softmax(-1, None::<Kind>);
    let out = Tensor::empty([3, images * h, t, dh], (q.kind(), q.device()));
    let [dq, dk, dv] = <[Tensor; 3]>::try_from(out.unbind(0)).expect("three parts");
    let _ = weights.transpose(1, 2).bmm_out(&dv, &d_o);
    let da = d_o.bmm(&v.transpose(1, 2));
    let ds = Tensor::internal_softmax_backward_data(&da, &weights, -1, weights.kind());
    drop((da, weights));
    let _ = ds.transpose(1, 2).bmm_out(&dk, &q);
    let _ = ds.bmm_out(&dq, &k);
    let _ = { dq }.g_mul_scalar_(scale);
    count(&[[5 * images * h, t * t, dh]]);
    out.view([3, images, h, t, dh]).permute([1, 3, 0, 2, 4]).reshape([n, width])
}

impl AttentionKernels for LibTorch {
    fn attention_forward(x: &TchTensor, p: &attention::Values<Self>, heads: Heads, keep: bool) -> Rows<Self> {
        if !is_single(x) {
            return attention::forward::<Self>(x, p, heads, keep);
        }
        let x = &x.tensor;
        let ((n, d), t) = (sizes(x), heads.tokens as i64);
        let y = blank(n, d, x);
        let kept = keep.then(|| (blank(n, 3 * d, x), blank(n, d, x)));
        let _temporaries = scope(Category::Workspace);
        for rows in chunks(n, t) {
            let (x, mut y) = (take(x, &rows), take(&y, &rows));
            let (normed, _) = normed(&x, &p.gamma.tensor, &p.beta.tensor);
            let qkv = match &kept {
                Some((all, _)) => take(all, &rows),
                None => blank(rows.end - rows.start, 3 * d, &x),
            };
            let _ = p.qkv_bias.tensor.addmm_out(&qkv, &normed, &p.qkv.tensor);
            drop(normed);
            let [q, k, v] = <[Tensor; 3]>::try_from(split(&qkv, heads)).expect("three parts");
            let mixed = Tensor::scaled_dot_product_attention(&q, &k, &v, None::<&Tensor>, 0.0, false, None, false);
            let mixed = mixed.transpose(1, 2).reshape([rows.end - rows.start, d]);
            if let Some((_, outputs)) = &kept {
                take(outputs, &rows).copy_(&mixed);
            }
            let _ = p.proj_bias.tensor.addmm_out(&y, &mixed, &p.proj.tensor);
            let _ = y.g_add_(&x);
        }
        count(&[[n, d, 3 * d], [n, d, d], [2 * n, t, d]]);
        (owned(y), kept.map(|(qkv, mixed)| (owned(qkv), owned(mixed))))
    }

    fn attention_backward(kept: attention::SavedAttention<Self>, dy: TchTensor) -> (TchTensor, Gradients<Self>) {
        if !is_single(&dy) {
            return attention::backward::<Self>(kept, dy);
        }
        let attention::SavedAttention { x, qkv, mixed, gamma, beta, qkv_feedback, proj_feedback, heads } = kept;
        let (n, d) = sizes(&x.tensor);
        let (qkv_feedback, proj_feedback) = (qkv_feedback.tensor.tr(), proj_feedback.tensor.tr());
        let dy = writable(dy);
        let dproj_bias = sum_rows(&dy);
        let (mut dqkv, mut dqkv_bias, mut dproj, mut norm) = (None, None, None, Sums::default());
        for rows in chunks(n, heads.tokens as i64) {
            let [x, mut signal] = [&x.tensor, &dy].map(|matrix| take(matrix, &rows));
            add_product(&mut dproj, &take(&mixed.tensor, &rows), &signal);
            let dz = heads_backward(&take(&qkv.tensor, &rows), signal.mm(&proj_feedback), heads);
            let (n, statistics) = normed(&x, &gamma.tensor, &beta.tensor);
            add_product(&mut dqkv, &n, &dz);
            drop(n);
            add_to(&mut dqkv_bias, sum_rows(&dz));
            let dn = dz.mm(&qkv_feedback);
            drop(dz);
            let dx = back(&dn, &x, &statistics, &gamma.tensor, &mut norm);
            let _ = signal.g_add_(&dx);
        }
        count(&[[n, d, d], [n, d, d], [n, d, 3 * d], [n, 3 * d, d]]);
        let [dqkv, dqkv_bias, dproj] = [dqkv, dqkv_bias, dproj].map(|gradient| gradient.map(owned));
        let second = [dproj, Some(owned(dproj_bias))];
        (owned(dy), Gradients { norm: norm.done(), first: [dqkv, dqkv_bias], second })
    }
}
