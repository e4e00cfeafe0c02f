//! Gradients of what rules learn are booked from when they are made until an optimiser has taken them: the counting
//! allocator is this test program's own.

use baselines::local::{Local, Objective, UnitObjective};
use baselines::rules;
use baselines::similarity::{Losses, SimilarityConfig};
use burn::tensor::{Device, Tensor};
use sll_core::learned::{Learned, Matrix};
use sll_core::memory::{CountingAllocator, HeapMeter, Meter};
use sll_core::optim::OptimizerConfig;
use sll_core::rule::{Batch, LearningRule};
use sll_core::{Network, NetworkSpec, laws};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

/// More than any of the steps here holds.
const BLOCK: usize = 64 << 20;

/// Bytes of gradients that are booked at this moment: a block makes it the step's peak.
fn booked() -> u64 {
    drop(std::hint::black_box(vec![0u8; HeapMeter.peak() + BLOCK]));
    HeapMeter.step().gradients
}

/// One convolution, whose update is the step's last with a gradient unless the classifier is trained.
fn one_convolution() -> Network {
    let spec = NetworkSpec { depth: Some(1), width: Some(8), ..NetworkSpec::named("cnn-1") };
    spec.build([1, 8, 8], 4, 5, &Device::flex()).unwrap()
}

/// Predsim's losses, and what is booked behind each of their signals.
struct Watched {
    losses: Losses,
    booked: Vec<u64>,
}

/// The same objective, which leaves what is booked behind its signal.
fn watched<'a>((mut unit, found): (UnitObjective<'a>, &'a mut u64)) -> UnitObjective<'a> {
    Box::new(move |h, batch, updater| {
        let signal = unit(h, batch, updater);
        *found = booked();
        signal
    })
}

impl Objective for Watched {
    fn units(&mut self) -> Vec<UnitObjective<'_>> {
        let units = self.losses.units();
        // Of a unit without a signal nothing is known.
        self.booked = vec![u64::MAX; units.len()];
        units.into_iter().zip(&mut self.booked).map(watched).collect()
    }

    fn sees_inside(&self) -> bool {
        self.losses.sees_inside()
    }

    fn macs(&self, batch: usize) -> u64 {
        self.losses.macs(batch)
    }
}

// One test: the allocator counts the whole process, so nothing else may run beside it.
#[test]
fn gradients_of_modules_that_rules_own_are_booked_until_they_are_taken() {
    laws::one_thread();
    let networks: [fn() -> Network; 4] =
        [one_convolution, laws::small_cnn, || laws::small_mlp(1), || laws::small_mlp(3)];
    for info in rules() {
        for build in networks {
            let mut net = build();
            let Ok(mut rule) = info.settings.init(&mut net, 1) else { continue };
            // Both kinds of steps of rules that alternate, before and after their first phase.
            for (step, epoch) in [(0, 0), (1, 0), (2, info.settings.learning_epoch()), (3, 50)] {
                HeapMeter.begin_step();
                let batch = Batch { step, epoch, ..laws::batch(&net, step) };
                rule.step(&mut net, &batch, &mut laws::descent()).unwrap();
                assert_eq!(booked(), 0, "{}, step {step}: gradients that are gone", info.title);
            }
        }
    }

    // Predsim's projections on maps: none is booked any longer when the layer's own gradients are made.
    let mut net = laws::small_cnn();
    let losses = SimilarityConfig::default().init(&net, 1).unwrap().into_objective();
    let mut rule = Local::new(&net, Watched { losses, booked: Vec::new() }).unwrap();
    HeapMeter.begin_step();
    let batch = laws::batch(&net, 0);
    rule.step(&mut net, &batch, &mut laws::descent()).unwrap();
    assert_eq!(rule.objective().booked, vec![0; net.depth() - 1]);

    // While the optimiser makes its state the gradient is there.
    let (n, device) = (256, Device::flex().autodiff());
    let mut matrix = Learned::new(Matrix::new(vec![0.0; n * n], [n, n], &device));
    let mut adam = OptimizerConfig::default().init().unwrap();
    HeapMeter.begin_step();
    matrix.descend(Tensor::ones([n, n], &device.inner()), &mut adam, 1.0);
    assert_eq!(HeapMeter.step().gradients, 4 * (n * n) as u64);
    assert_eq!(booked(), 0);
}
