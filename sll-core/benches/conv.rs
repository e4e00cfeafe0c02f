//! Time of a convolution, and of batch norm, rectification and pooling, forward and back: `cargo bench -p sll-core
//! --bench conv`. Throughput is in multiply-accumulates of the convolution's three products, and in values of the map.

use burn::tensor::{Device, Distribution, Tensor};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use sll_core::op::{batch_norm_rectify, conv2d, rectify_pool};

const BATCH: usize = 128;

fn random<const D: usize>(shape: [usize; D]) -> Tensor<D> {
    Tensor::random(shape, Distribution::Default, &Device::flex().autodiff())
}

fn convolutions(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("convolution 3x3, forward and all gradients");
    group.sample_size(10);
    for [c, o, side] in [[1, 64, 28], [64, 128, 14], [256, 256, 7], [256, 512, 3], [8, 16, 14], [32, 32, 7]] {
        let (x, dy) = (random([BATCH, c, side, side]).require_grad(), random([BATCH, o, side, side]));
        let (weight, bias) = (random([o, c, 3, 3]).require_grad(), random([o]).require_grad());
        group.throughput(Throughput::Elements((3 * BATCH * o * c * 9 * side * side) as u64));
        group.bench_function(format!("{c} to {o} channels of {side}x{side}"), |bencher| {
            bencher.iter(|| {
                let y = conv2d(x.clone(), weight.clone(), bias.clone(), weight.clone(), 1);
                (y * dy.clone()).sum().backward()
            });
        });
    }
}

fn maps(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("what follows a convolution, forward and back");
    group.sample_size(20);
    for [c, side] in [[64, 28], [512, 3], [8, 28]] {
        let (z, dh) = (random([BATCH, c, side, side]).require_grad(), random([BATCH, c, side / 2, side / 2]));
        let (gamma, beta) = (random([c]).require_grad(), random([c]).require_grad());
        group.throughput(Throughput::Elements((BATCH * c * side * side) as u64));
        group.bench_function(format!("batch norm, ReLU, pooling: {c} channels of {side}x{side}"), |bencher| {
            bencher.iter(|| {
                let h = batch_norm_rectify(z.clone(), gamma.clone(), beta.clone(), 1e-5, true).h;
                (h * dh.clone()).sum().backward()
            });
        });
        group.bench_function(format!("ReLU, pooling: {c} channels of {side}x{side}"), |bencher| {
            bencher.iter(|| (rectify_pool(z.clone()) * dh.clone()).sum().backward());
        });
    }
}

criterion_group!(benches, convolutions, maps);
criterion_main!(benches);
