//! What the paper claims of memory, measured byte by byte: the counting allocator is this test program's own.

use burn::tensor::{Device, Tensor};
use sll_core::laws;
use sll_core::memory::{CountingAllocator, HeapMeter, Meter};
use sll_core::optim::OptimizerConfig;
use sll_core::rule::{Batch, LearningRule};
use sll_core::sll::SllConfig;
use sll_core::{Network, NetworkSpec};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

const WIDTH: usize = 128;
const BATCH: usize = 256;

/// The most that a step holds above what is there before it, after two steps that make the optimiser's state.
fn step_peak(depth: usize, units: Option<usize>) -> usize {
    let spec = NetworkSpec { depth: Some(depth), width: Some(WIDTH), ..NetworkSpec::named("mlp-2x800") };
    let mut net: Network = spec.build([1, 8, 16], 10, 1, &Device::flex()).unwrap();
    let mut rule = SllConfig { units, ..SllConfig::default() }.init(&net, 1).unwrap();
    let mut updater = OptimizerConfig::default().init().unwrap();
    updater.set_lr(1e-3);
    let batch = Batch::new(Tensor::ones([BATCH, WIDTH], &Device::flex()), vec![3; BATCH], 0);
    (0..4)
        .map(|_| {
            let live = HeapMeter.live();
            HeapMeter.begin_step();
            rule.step(&mut net, &batch, &mut updater).unwrap();
            HeapMeter.peak() - live.max(HeapMeter.live())
        })
        .skip(2)
        .max()
        .unwrap()
}

// One test: the allocator counts the whole process, so nothing else may run beside it.
#[test]
fn slls_step_does_not_grow_with_depth_and_bps_grows_by_its_activations() {
    laws::one_thread();
    step_peak(2, None);
    let sll: Vec<usize> = [2, 4, 8, 16].map(|depth| step_peak(depth, None)).to_vec();
    for (peak, depth) in sll.iter().zip([2usize, 4, 8, 16]) {
        let allowed = sll[0] + 1024 * (depth - 2);
        assert!(*peak <= allowed, "SLL's step peak at depth {depth} is {peak} bytes, at depth 2 it is {}", sll[0]);
    }
    let bp: Vec<usize> = [2, 4, 8, 16].map(|depth| step_peak(depth, Some(1))).to_vec();
    let activations = BATCH * WIDTH * 4;
    for (pair, layers) in bp.windows(2).zip([2, 4, 8]) {
        let grown = pair[1] - pair[0];
        // At least each layer's output is kept, at most that, its pre-activation and the layer's gradients.
        let most = layers * (2 * activations + 4 * (WIDTH * WIDTH + WIDTH) + 4096);
        assert!((layers * activations..=most).contains(&grown), "{layers} layers more cost BP {grown} bytes");
    }
    let two_units = step_peak(16, Some(2));
    assert!(two_units < bp[3] && two_units > sll[3], "SLL2+ lies between: {two_units}");
}
