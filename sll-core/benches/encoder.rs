//! Time of the parts of an encoder block as vit-7 has them, forward and back: `cargo bench -p sll-core --bench
//! encoder`. What multiplies matrices is given in multiply-accumulates a second, the norm in values.

use burn::tensor::{Device, Tensor};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use sll_core::op::{AttentionWeights, Heads, MlpWeights, attention_block, inject, layer_norm, mlp_block};
use sll_core::rng::{Purpose, Stream, upload};

const IMAGES: usize = 16;
const TOKENS: usize = 65;
const WIDTH: usize = 384;
const HIDDEN: usize = 2 * WIDTH;
const HEADS: usize = 12;

/// Draws tensors, of which parameters and inputs are differentiated.
struct Draw(Stream);

impl Draw {
    fn plain(&mut self, rows: usize, columns: usize, deviation: f64) -> Tensor<2> {
        upload(self.0.normal(rows * columns, deviation), [rows, columns], &Device::flex().autodiff())
    }

    fn matrix(&mut self, rows: usize, columns: usize) -> Tensor<2> {
        self.plain(rows, columns, (rows as f64).powf(-0.5)).require_grad()
    }

    fn vector(&mut self, len: usize) -> Tensor<1> {
        self.plain(1, len, 1.0).reshape([len]).detach().require_grad()
    }

    /// Weight, bias, and the weight again to carry the signal back.
    fn map(&mut self, rows: usize, columns: usize) -> (Tensor<2>, Tensor<1>, Tensor<2>) {
        let weight = self.matrix(rows, columns);
        (weight.clone(), self.vector(columns), weight.detach())
    }
}

fn encoder(criterion: &mut Criterion) {
    let mut draw = Draw(Stream::new(1, Purpose::Weights, &[]));
    let rows = IMAGES * TOKENS;
    let (x, dy) = (draw.matrix(rows, WIDTH), draw.plain(rows, WIDTH, 1.0));
    let norm = (draw.vector(WIDTH), draw.vector(WIDTH));
    let (qkv, proj) = (draw.map(WIDTH, 3 * WIDTH), draw.map(WIDTH, WIDTH));
    let (first, second) = (draw.map(WIDTH, HIDDEN), draw.map(HIDDEN, WIDTH));
    let attention = |x: Tensor<2>| {
        let weights = AttentionWeights { norm: norm.clone(), qkv: qkv.clone(), proj: proj.clone() };
        attention_block(x, weights, Heads { tokens: TOKENS, heads: HEADS })
    };
    let mlp =
        |x: Tensor<2>| mlp_block(x, MlpWeights { norm: norm.clone(), first: first.clone(), second: second.clone() });
    let normed = |x: Tensor<2>| layer_norm(x, norm.0.clone(), norm.1.clone());
    type Part<'a> = (&'a str, usize, &'a dyn Fn(Tensor<2>) -> Tensor<2>);
    let parts: [Part; 3] = [
        ("norm", rows * WIDTH, &normed),
        ("attention half", rows * WIDTH * (4 * WIDTH + 2 * TOKENS), &attention),
        ("MLP half", 2 * rows * WIDTH * HIDDEN, &mlp),
    ];
    let mut group = criterion.benchmark_group("encoder block of vit-7, batch 16");
    group.sample_size(20);
    for (name, work, part) in parts {
        group.throughput(Throughput::Elements(work as u64));
        group.bench_function(format!("{name}, forward"), |bencher| {
            bencher.iter(|| part(x.clone()));
        });
        group.bench_function(format!("{name}, forward and back"), |bencher| {
            bencher.iter(|| x.grad(&inject(part(x.clone()), dy.clone())).expect("the input's gradient"));
        });
    }
}

criterion_group!(benches, encoder);
criterion_main!(benches);
