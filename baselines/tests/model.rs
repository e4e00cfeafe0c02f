//! The analytic model of memory against the bytes measured at the allocator, which is this test program's own.

use baselines::RuleSpec;
use baselines::lls::{Bases, LlsConfig};
use baselines::local::{Head, Local, Objective, UnitObjective};
use burn::tensor::{Device, Tensor};
use sll_core::laws;
use sll_core::memory::{Category, CountingAllocator, HeapMeter, MemoryUse, Meter, StepBytes, scope};
use sll_core::optim::{OptimizerConfig, OptimizerKind};
use sll_core::rule::{Batch, LearningRule};
use sll_core::sll::SllConfig;
use sll_core::{Network, NetworkSpec};
use std::sync::LazyLock;

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

/// The steps' peak above what stood before them, once all state is made.
fn measured(net: &mut Network, rule: &mut dyn LearningRule, optimizer: &OptimizerConfig, batch: usize) -> StepBytes {
    let mut updater = optimizer.init().unwrap();
    updater.set_lr(1e-3);
    let mut step = |number: u64| {
        HeapMeter.begin_step();
        let x = {
            let _activations = scope(Category::Activations);
            Tensor::ones([batch, net.input().len()], &Device::flex())
        };
        rule.step(net, &Batch::new(x, vec![1; batch], number), &mut updater).unwrap();
        HeapMeter.step()
    };
    (0..4).map(&mut step).skip(2).max_by_key(StepBytes::total).unwrap()
}

/// LLS whose heads read units' outputs.
static COMMON: LazyLock<LlsConfig> = LazyLock::new(|| LlsConfig { head: Head::Common, ..LlsConfig::default() });

/// LLS whose heads never let go of a unit's output until the next step: the mistake a real rule makes, one layer after
/// the other as the chain is trained.
struct Leaky {
    lls: Bases,
    kept: Vec<Option<Tensor<2>>>,
}

/// The same objective, which keeps what it is given.
fn leaking<'a>((mut unit, kept): (UnitObjective<'a>, &'a mut Option<Tensor<2>>)) -> UnitObjective<'a> {
    Box::new(move |h, batch, updater| unit(kept.insert(h).clone(), batch, updater))
}

impl Objective for Leaky {
    fn units(&mut self) -> Vec<UnitObjective<'_>> {
        let units = self.lls.units();
        self.kept.clear();
        self.kept.resize(units.len(), None);
        units.into_iter().zip(&mut self.kept).map(leaking).collect()
    }

    fn macs(&self, batch: usize) -> u64 {
        self.lls.macs(batch)
    }
}

fn leaky(net: &Network) -> Box<dyn LearningRule> {
    let lls = COMMON.init(net, 1).unwrap().into_objective();
    Box::new(Local::new(net, Leaky { lls, kept: Vec::new() }).unwrap())
}

fn sound(net: &Network) -> Box<dyn LearningRule> {
    Box::new(SllConfig::default().init(net, 1).unwrap())
}

/// Measured bytes over modelled ones, less one.
fn off(found: StepBytes, model: MemoryUse) -> f64 {
    found.total() as f64 / model.step.total() as f64 - 1.0
}

/// What a step holds more for each layer more, in bytes: its peak, and the most activations at once.
fn slopes(
    spec: &NetworkSpec,
    image: [usize; 3],
    batch: usize,
    build: fn(&Network) -> Box<dyn LearningRule>,
) -> [f64; 2] {
    let held = |depth: usize| {
        let spec = NetworkSpec { depth: Some(depth), ..spec.clone() };
        let mut net = spec.build(image, 10, 1, &Device::flex()).unwrap();
        let mut rule = build(&net);
        let step = measured(&mut net, &mut *rule, &OptimizerConfig::default(), batch);
        [step.total() as f64, HeapMeter.most_activations() as f64]
    };
    // Deep enough that what leaks is more than the first layer's own.
    let (shallow, deep) = (held(6), held(14));
    [0, 1].map(|i| (deep[i] - shallow[i]) / 8.0)
}

fn rules() -> Vec<RuleSpec> {
    let sll = |config| RuleSpec::Sll(config);
    vec![
        RuleSpec::Bp(Default::default()),
        RuleSpec::BpCheckpoint(Default::default()),
        RuleSpec::Fa(Default::default()),
        RuleSpec::Dfa(Default::default()),
        sll(SllConfig::default()),
        sll(SllConfig { units: Some(2), ..SllConfig::default() }),
        sll(SllConfig { units: Some(2), recompute: true, ..SllConfig::default() }),
        RuleSpec::Lls(LlsConfig::default()),
        RuleSpec::Lls(*COMMON),
    ]
}

// One test: the allocator counts the whole process, so nothing else may run beside it.
#[test]
fn measured_bytes_are_within_two_percent_of_the_model_and_slls_do_not_grow_with_depth() {
    laws::one_thread();
    // Many samples of few features: what the matrix library packs for itself follows the processor's caches, not the
    // model.
    let mlp = NetworkSpec { depth: Some(5), width: Some(160), dropout: 0.1, ..NetworkSpec::named("mlp-2x800") };
    let vit = NetworkSpec { depth: Some(4), width: Some(96), ..NetworkSpec::named("vit-7") };
    let adamax = OptimizerConfig::default();
    let adamw = OptimizerConfig { kind: OptimizerKind::AdamW, ..adamax };
    let cases = [("mlp", mlp, [1, 10, 16], 16384, adamax), ("vit", vit, [3, 32, 32], 128, adamw)];
    let cnn = NetworkSpec { depth: Some(4), width: Some(16), ..NetworkSpec::named("cnn-equal") };
    let cases = cases.into_iter().chain([("conv", cnn, [3, 32, 32], 128, adamax)]);
    let mut wrong = Vec::new();
    for (name, spec, image, batch, optimizer) in cases {
        for rule_spec in rules() {
            let mut net = spec.build(image, 10, 1, &Device::flex()).unwrap();
            let mut rule = rule_spec.init(&mut net, 1).unwrap();
            let Some(model) = rule.memory(&net, batch, &optimizer) else {
                let unpooled = rule_spec == RuleSpec::Lls(LlsConfig::default()) && name == "conv";
                assert!(unpooled, "{} on {name} is not modelled", rule_spec.title());
                continue;
            };
            let found = measured(&mut net, &mut *rule, &optimizer, batch);
            let off = off(found, model);
            assert_eq!(model.standing.parameters, 4 * net.num_params() as u64);
            let line = format!(
                "{:<18} {name}: {:+.2} %, model {:?}, measured {found:?}",
                rule_spec.title(),
                100.0 * off,
                model.step
            );
            println!("{line}");
            if off.abs() > 0.02 {
                wrong.push(line);
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));

    // SLL is flat on every family, and what keeps one output a layer is caught on every family: by the most activations
    // at once, since the peak is the first layer's, when nothing has leaked yet, until many layers have.
    let named = |name: &str, width: usize| NetworkSpec { width: Some(width), ..NetworkSpec::named(name) };
    let mlp = ("mlp", named("mlp-2x800", 160), [1, 10, 16], 1024, 1024 * 160);
    let wide = ("mlp, wide input", named("mlp-2x800", 64), [3, 32, 32], 64, 64 * 64);
    let conv = ("conv", named("cnn-equal", 8), [3, 16, 16], 32, 32 * 8 * 8 * 8);
    let vit = ("vit", named("vit-7", 48), [3, 16, 16], 64, 64 * 17 * 48);
    for (name, spec, image, batch, output) in [mlp, wide, conv, vit] {
        let [peak, activations] = slopes(&spec, image, batch, sound);
        assert!(
            peak.abs() < 1024.0 && activations.abs() < 1024.0,
            "{name}: SLL holds {peak}, {activations} bytes a layer"
        );
        let [_, activations] = slopes(&spec, image, batch, leaky);
        let kept = 0.9 * f64::from(4 * output);
        assert!(activations > kept, "{name}: an output a layer goes unnoticed ({activations} of {kept})");
    }
}
