//! Tensors to slices and back around the two halves of an encoder block; what is not of single precision goes the
//! general way.

use super::super::attention::{self, AttentionKernels, Heads};
use super::super::gradients::Gradients;
use super::super::mlp::{self, MlpKernels};
use super::super::norm::{EPSILON, NormGradients};
use super::encoder;
use super::gemm::Matrix;
use super::lanes::add_rows;
use super::norm::Norm;
use super::values::{contiguous, is_single, rows_of, tensor, values, values_mut};
use crate::memory::{Category, scope};
use burn::backend::{Flex, TensorMetadata, tensor::FloatTensor};

impl AttentionKernels for Flex {
    fn attention_forward(
        x: &FloatTensor<Self>,
        p: &attention::Values<Self>,
        heads: Heads,
        keep: bool,
    ) -> attention::Rows<Self> {
        if !is_single(x) {
            return attention::forward::<Self>(x, p, heads, keep);
        }
        let [n, d] = [x.shape()[0], x.shape()[1]];
        let [x, gamma, beta] = [x, &p.gamma, &p.beta].map(|values| contiguous(values.clone()));
        let [qkv, proj] = [&p.qkv, &p.proj].map(|weight| contiguous(weight.clone()));
        let [qkv_bias, proj_bias] = [&p.qkv_bias, &p.proj_bias].map(|bias| contiguous(bias.clone()));
        let mut y = rows_of(values(&proj_bias), Some(values(&x)), n);
        let mut kept = keep.then(|| (rows_of(values(&qkv_bias), None, n), vec![0.0; n * d]));
        let _temporaries = scope(Category::Workspace);
        let norm = Norm { gamma: values(&gamma), beta: values(&beta), epsilon: EPSILON as f32 };
        let first = encoder::Map { weight: Matrix::new(values(&qkv), d, 3 * d), bias: values(&qkv_bias) };
        let second = encoder::Map { weight: Matrix::new(values(&proj), d, d), bias: values(&proj_bias) };
        let rows = kept.as_mut().map(|(qkv, mixed)| encoder::SavedRows { qkv, mixed: mixed.as_mut_slice() });
        let half = encoder::Half { x: values(&x), norm, maps: [first, second] };
        encoder::attention(half, rows, heads, &mut y);
        let kept = kept.map(|(qkv, mixed)| (tensor(qkv, [n, 3 * d]), tensor(mixed, [n, d])));
        (tensor(y, [n, d]), kept)
    }

    fn attention_backward(
        kept: attention::SavedAttention<Self>,
        dy: FloatTensor<Self>,
    ) -> (FloatTensor<Self>, Gradients<Self>) {
        if !is_single(&kept.x) {
            return attention::backward::<Self>(kept, dy);
        }
        let attention::SavedAttention { x, qkv, mixed, gamma, beta, qkv_feedback, proj_feedback, heads } = kept;
        let [x, mut qkv, mixed, mut dy] = [x, qkv, mixed, dy].map(contiguous);
        let [gamma, beta, qkv_feedback, proj_feedback] = [gamma, beta, qkv_feedback, proj_feedback].map(contiguous);
        let d = x.shape()[1];
        let norm = Norm { gamma: values(&gamma), beta: values(&beta), epsilon: EPSILON as f32 };
        let feedback = [Matrix::new(values(&qkv_feedback), d, 3 * d), Matrix::new(values(&proj_feedback), d, d)];
        let mut proj_bias = vec![0.0; d];
        add_rows(values(&dy), &mut proj_bias);
        let rows = encoder::SavedRows { qkv: values_mut(&mut qkv), mixed: values(&mixed) };
        let half = encoder::Half { x: values(&x), norm, maps: feedback };
        let sums = encoder::attention_backward(half, rows, heads, values_mut(&mut dy));
        (dy, Gradients::of(sums, [d, 3 * d, d], proj_bias))
    }
}

impl MlpKernels for Flex {
    fn mlp_forward(
        x: &FloatTensor<Self>,
        p: &mlp::Values<Self>,
        keep: bool,
    ) -> (FloatTensor<Self>, Option<FloatTensor<Self>>) {
        if !is_single(x) {
            return mlp::forward::<Self>(x, p, keep);
        }
        let ([rows, d], hidden) = ([x.shape()[0], x.shape()[1]], p.w1.shape()[1]);
        let [x, gamma, beta, b1, b2] = [x, &p.gamma, &p.beta, &p.b1, &p.b2].map(|values| contiguous(values.clone()));
        let [w1, w2] = [&p.w1, &p.w2].map(|weight| contiguous(weight.clone()));
        let mut y = rows_of(values(&b2), Some(values(&x)), rows);
        let mut kept = keep.then(|| rows_of(values(&b1), None, rows));
        let _temporaries = scope(Category::Workspace);
        let norm = Norm { gamma: values(&gamma), beta: values(&beta), epsilon: EPSILON as f32 };
        let first = encoder::Map { weight: Matrix::new(values(&w1), d, hidden), bias: values(&b1) };
        let second = encoder::Map { weight: Matrix::new(values(&w2), hidden, d), bias: values(&b2) };
        let half = encoder::Half { x: values(&x), norm, maps: [first, second] };
        encoder::mlp(half, kept.as_deref_mut(), &mut y);
        (tensor(y, [rows, d]), kept.map(|kept| tensor(kept, [rows, hidden])))
    }

    fn mlp_backward(kept: mlp::SavedMlp<Self>, dy: FloatTensor<Self>) -> (FloatTensor<Self>, Gradients<Self>) {
        if !is_single(&kept.x) {
            return mlp::backward::<Self>(kept, dy);
        }
        let mlp::SavedMlp { x, z, gamma, beta, feedback1, feedback2 } = kept;
        let [x, mut z, mut dy, gamma, beta] = [x, z, dy, gamma, beta].map(contiguous);
        let [feedback1, feedback2] = [feedback1, feedback2].map(contiguous);
        let (d, hidden) = (x.shape()[1], z.shape()[1]);
        let norm = Norm { gamma: values(&gamma), beta: values(&beta), epsilon: EPSILON as f32 };
        let feedback = [Matrix::new(values(&feedback1), d, hidden), Matrix::new(values(&feedback2), hidden, d)];
        let mut db2 = vec![0.0; d];
        add_rows(values(&dy), &mut db2);
        let half = encoder::Half { x: values(&x), norm, maps: feedback };
        let sums = encoder::mlp_backward(half, values_mut(&mut z), values_mut(&mut dy));
        (dy, Gradients::of(sums, [d, hidden, hidden], db2))
    }
}

impl Gradients<Flex> {
    /// From the sums for a norm of `d` values and maps `[d, first]` and `[second, d]`.
    fn of(sums: encoder::Gradients, [d, first, second]: [usize; 3], second_bias: Vec<f32>) -> Self {
        let vector = |sum: Vec<f32>| {
            let len = sum.len();
            Some(tensor(sum, [len]))
        };
        Self {
            norm: NormGradients { gamma: vector(sums.gamma), beta: vector(sums.beta) },
            first: [Some(tensor(sums.first, [d, first])), vector(sums.first_bias)],
            second: [Some(tensor(sums.second, [second, d])), vector(second_bias)],
        }
    }
}
