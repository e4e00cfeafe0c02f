//! What steps ask of LibTorch, beside what the same steps of eager PyTorch ask (`calls.json`, made by
//! `scripts/reference/pytorch_calls.py`). Built with `--features tch` only.
#![cfg(feature = "tch")]
#![allow(deprecated, reason = "burn-tch goes away in burn 0.23")]

use baselines::{RuleInfo, rules};
use burn::tensor::{DType, Device, Int, Tensor, TensorData};
use serde_json::Value;
use sll_core::calls::{Calls, Operator, count};
use sll_core::network::catalogue;
use sll_core::optim::{OptimizerConfig, OptimizerKind};
use sll_core::rng::{Purpose, Stream, upload};
use sll_core::rule::{Batch, LearningRule};
use sll_core::{Network, NetworkSpec, optim::Updater};

fn reference() -> Value {
    serde_json::from_str(include_str!("calls.json")).expect("the reference is JSON")
}

/// `{"aten::mm": [5, 8]}`: calls from outside, and all.
fn operators(told: &Value) -> Calls {
    let of = |(name, tally): (&String, &Value)| {
        let number = |index: usize| tally[index].as_u64().expect("a number of calls");
        Operator::new(name.clone(), number(0), number(1), 0)
    };
    Calls(told.as_object().expect("a step's operators").iter().map(of).collect())
}

fn rule(title: &str) -> RuleInfo {
    *rules().iter().find(|info| info.title == title).expect("a rule of the register")
}

/// A network with a rule, an optimiser and a batch on LibTorch's CPU, one step done.
struct Stepper(Network, Box<dyn LearningRule>, Updater, Batch);

impl Stepper {
    fn new(network: &str, title: &str, samples: usize) -> Self {
        let device = Device::libtorch();
        let named = catalogue().iter().find(|named| named.name == network).expect("a network of the catalogue");
        let (image, classes) = named.usual;
        let spec = NetworkSpec { batch_norm: (network == "cnn-1").into(), ..NetworkSpec::named(network) };
        let mut net = spec.build(image, classes, 0, &device).unwrap();
        let rule = rule(title).settings.init(&mut net, 0).unwrap();
        let adam = OptimizerConfig { kind: OptimizerKind::Adam, ..OptimizerConfig::default() };
        let mut updater = adam.init().unwrap();
        updater.set_lr(1e-3);
        let features = net.input().len();
        let pixels = Stream::new(1, Purpose::Weights, &[]).normal(samples * features, 1.0);
        let labels: Vec<usize> = (0..samples).map(|sample| sample % classes).collect();
        let there: Vec<i64> = labels.iter().map(|&label| label as i64).collect();
        let there = Tensor::<1, Int>::from_data(TensorData::from(there.as_slice()), (&device, DType::I64));
        let batch = Batch::new(upload(pixels, [samples, features], &device), labels, 0);
        let mut made = Self(net, rule, updater, Batch { classes: Some(there), ..batch });
        made.step();
        made
    }

    fn step(&mut self) -> Tensor<1> {
        let Self(net, rule, updater, batch) = self;
        rule.step(net, batch, updater).unwrap().loss
    }
}

/// With the loss read at the end, on both sides. PyTorch's optimiser is its default on the CPU.
#[test]
fn a_step_of_bp_or_sll_asks_no_more_of_libtorch_than_eager_pytorchs() {
    let reference = reference();
    let samples = reference["batch"].as_u64().expect("a batch size") as usize;
    for network in ["mlp-2x800", "mlp-3x1000", "cnn-1", "cnn-small", "vit-7"] {
        for (title, name) in [("BP", "bp"), ("SLL", "sll")] {
            let theirs = operators(&reference["steps"][format!("{network} {name}")]);
            let mut stepper = Stepper::new(network, title, samples);
            let (_, ours) = count(|| stepper.step().into_scalar::<f32>());
            println!(
                "{network} {title}: calls {} of {}, work {} of {}, waits {} of {}",
                ours.calls(),
                theirs.calls(),
                ours.work(),
                theirs.work(),
                ours.waits(),
                theirs.waits()
            );
            assert!(ours.calls() > 0 && theirs.calls() > 0);
            assert!(ours.calls() <= theirs.calls(), "{network} {title}: {ours:#?}");
            assert!(ours.work() <= theirs.work(), "{network} {title}: {ours:#?}");
            assert!(ours.waits() <= theirs.waits(), "{network} {title}: {ours:#?}");
        }
    }
}

/// Nothing is sent and nothing read, so that a card is never waited for within a step.
#[test]
fn no_step_of_bp_or_sll_waits_for_libtorch() {
    for network in ["mlp-2x800", "cnn-small", "vit-7"] {
        for title in ["BP", "SLL"] {
            let mut stepper = Stepper::new(network, title, 2);
            let (_, calls) = count(|| stepper.step());
            assert_eq!(calls.waits(), 0, "{network} {title}: {calls:#?}");
            // Reading the loss is a wait, and is seen.
            assert_eq!(count(|| stepper.step().into_scalar::<f32>()).1.waits(), 1);
        }
    }
}
