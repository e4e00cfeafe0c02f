//! Time of one training step: `cargo bench -p sll-core --profile dev`. The floor printed first is the step's
//! multiply-accumulates and the bytes an Adamax step must move (parameters, gradients and two moments read, parameters
//! and moments written).

use burn::tensor::{Device, Tensor};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use sll_core::NetworkSpec;
use sll_core::optim::OptimizerConfig;
use sll_core::rule::{Batch, LearningRule};
use sll_core::sll::SllConfig;

const BATCH: usize = 128;

fn step(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("step of batch 128");
    group.sample_size(20);
    for (name, image, width) in
        [("mlp-2x800", [1, 28, 28], None), ("mlp-3x1000", [3, 32, 32], None), ("cnn-1", [1, 28, 28], Some(16))]
    {
        // SLL, and BP as SLL with one unit, side by side in one run.
        for (rule, units) in [("SLL", None), ("BP", Some(1))] {
            let spec = NetworkSpec { width, ..NetworkSpec::named(name) };
            let mut net = spec.build(image, 10, 0, &Device::flex()).expect("a valid network");
            let mut sll = SllConfig { units, ..SllConfig::default() }.init(&net, 0).expect("valid settings");
            let mut updater = OptimizerConfig::default().init().expect("valid settings");
            updater.set_lr(1e-3);
            let x = Tensor::ones([BATCH, image.iter().product()], &Device::flex());
            let batch = Batch::new(x, vec![1; BATCH], 0);
            let macs = sll.cost(&net, BATCH).total() * BATCH as u64;
            println!(
                "{rule} on {name}: {} MMAC, {} MB of optimiser traffic",
                macs / 1_000_000,
                net.num_params() * 28 / 1_000_000
            );
            group.throughput(Throughput::Elements(macs));
            group.bench_function(format!("{rule} on {name}"), |bencher| {
                bencher.iter(|| sll.step(&mut net, &batch, &mut updater).expect("a step").loss.into_scalar::<f32>());
            });
        }
    }
}

criterion_group!(benches, step);
criterion_main!(benches);
