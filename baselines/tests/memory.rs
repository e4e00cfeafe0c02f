//! What the register says of each rule's activations, measured byte by byte: the counting allocator is this test
//! program's own.

use baselines::rules;
use burn::tensor::{Device, Tensor};
use sll_core::memory::{CountingAllocator, HeapMeter, Meter};
use sll_core::optim::OptimizerConfig;
use sll_core::rule::{Batch, LearningRule};
use sll_core::{Network, NetworkSpec, laws};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

const WIDTH: usize = 64;
const BATCH: usize = 256;
/// One layer's output.
const ACTIVATION: usize = BATCH * WIDTH * 4;

fn mlp(depth: usize) -> Network {
    let spec = NetworkSpec { depth: Some(depth), width: Some(WIDTH), ..NetworkSpec::named("mlp-2x800") };
    spec.build([1, 8, 8], 10, 1, &Device::flex()).unwrap()
}

/// Live bytes after each of `steps`, and the most that a step held above them once all state is made.
fn measure(net: &mut Network, rule: &mut dyn LearningRule, steps: u64) -> (Vec<usize>, usize) {
    let mut updater = OptimizerConfig::default().init().unwrap();
    updater.set_lr(1e-3);
    let x = Tensor::ones([BATCH, net.input().len()], &Device::flex());
    let labels: Vec<usize> = (0..BATCH).map(|i| i % 4).collect();
    let mut live = Vec::new();
    let mut peak = 0;
    for step in 0..steps {
        let before = HeapMeter.live();
        HeapMeter.begin_step();
        let batch = Batch { step, ..Batch::new(x.clone(), labels.clone(), step) };
        rule.step(net, &batch, &mut updater).unwrap();
        drop(batch);
        live.push(HeapMeter.live());
        if step >= 3 {
            peak = peak.max(HeapMeter.peak() - before.max(HeapMeter.live()));
        }
    }
    (live, peak)
}

// One test: the allocator counts the whole process, so nothing else may run beside it.
#[test]
fn rules_hold_the_activations_they_say_and_leave_nothing_behind() {
    laws::one_thread();
    for info in rules() {
        let peak = |depth: usize| {
            let mut net = mlp(depth);
            let mut rule = info.settings.init(&mut net, 1).unwrap();
            measure(&mut net, &mut *rule, 8).1
        };
        peak(4);
        let (shallow, deep) = (peak(4), peak(12));
        let grown = deep.saturating_sub(shallow);
        println!("{:<26} {shallow:>9} bytes at depth 4, {grown:>9} more at depth 12", info.title);
        // Inverses' early epochs hold no layer but the one that learns.
        let every = info.activations == "every layer's" && info.title != "TP";
        if every {
            assert!(grown >= 8 * ACTIVATION, "{}: {grown} bytes more for 8 layers", info.title);
        } else if info.title != "BP, checkpointed" {
            assert!(grown <= 8 * 4096, "{}: {grown} bytes more for 8 layers", info.title);
        } else {
            assert!(grown < 8 * ACTIVATION, "checkpointing keeps fewer than every layer's: {grown}");
        }

        for mut net in [mlp(3), laws::small_cnn()] {
            let Ok(mut rule) = info.settings.init(&mut net, 1) else { continue };
            let (live, _) = measure(&mut net, &mut *rule, 12);
            let left = live[11].saturating_sub(live[5]);
            assert!(left < 4096, "{}: six steps leave {left} bytes behind: {live:?}", info.title);
        }
    }
}
