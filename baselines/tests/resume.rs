//! The law of resuming, for every rule and variant: a run that was cut off after any of its epochs gives the bits of
//! one that was not. A quick part always runs; `cargo test -p baselines --test resume -- --ignored` goes through all
//! network families and optimisers.

use baselines::RuleSpec;
use burn::tensor::Device;
use sll_core::laws::{Build, resumes_after_every_epoch};
use sll_core::layer::Activation;
use sll_core::optim::{OptimizerConfig, OptimizerKind};
use sll_core::{Error, Network, NetworkSpec};

/// Wide enough that products of matrices are not summed up in plain loops, so that it shows how a weight lies in
/// memory.
const WIDTH: usize = 96;

/// A network of each family, and of each feature that keeps a state of its own.
fn networks() -> Vec<(&'static str, NetworkSpec, [usize; 3])> {
    let named = |name: &str, width| NetworkSpec { width: Some(width), ..NetworkSpec::named(name) };
    let mlp = NetworkSpec { depth: Some(3), dropout: 0.2, ..named("mlp-2x800", WIDTH) };
    let cnn = NetworkSpec { depth: Some(3), ..named("cnn-1", 16) };
    let vit = NetworkSpec { depth: Some(2), ..named("vit-7", 24) };
    vec![
        ("mlp", mlp.clone(), [3, 8, 8]),
        ("triangle mlp", NetworkSpec { activation: Activation::Triangle, ..mlp }, [3, 8, 8]),
        ("cnn", cnn.clone(), [3, 8, 8]),
        ("cnn with batch norm", NetworkSpec { batch_norm: true.into(), ..cnn }, [3, 8, 8]),
        ("vit", vit.clone(), [3, 8, 8]),
        ("vit with a mean token", NetworkSpec { mean_token: true, ..vit }, [3, 8, 8]),
    ]
}

fn build(spec: &NetworkSpec, image: [usize; 3]) -> Network {
    spec.build(image, 4, 5, &Device::flex()).expect("a valid network")
}

/// Every rule and variant, and one of several units.
fn rules() -> Vec<RuleSpec> {
    let units = RuleSpec::Sll(sll_core::sll::SllConfig { units: Some(2), ..Default::default() });
    baselines::rules().iter().map(|info| info.settings).chain([units]).collect()
}

/// The law for `rule`; whether it runs on the network at all.
fn holds(rule: &RuleSpec, name: &str, spec: &NetworkSpec, image: [usize; 3], optimizer: OptimizerConfig) -> bool {
    let title = rule.title();
    match rule.init(&mut build(spec, image), 0) {
        Err(Error::Unsupported { .. } | Error::Setting { .. }) => return false,
        Err(other) => panic!("{title} on {name}: {other}"),
        Ok(_) => {}
    }
    println!("{title} on {name} with {optimizer:?}");
    // Phases end within the run.
    let (_, preparation) = rule.preparation();
    let make: Build = &|net| rule.init(net, 0);
    resumes_after_every_epoch(|| build(spec, image), make, &optimizer, (preparation + 2, 2));
    true
}

fn optimizer(kind: OptimizerKind, momentum: f64) -> OptimizerConfig {
    OptimizerConfig { kind, momentum, weight_decay: 0.0 }
}

#[test]
fn every_rule_resumes_on_an_mlp() {
    let (name, spec, image) = networks().swap_remove(0);
    for rule in rules() {
        assert!(holds(&rule, name, &spec, image, optimizer(OptimizerKind::Adamax, 0.0)), "{}", rule.title());
    }
}

#[test]
fn rules_with_phases_or_learned_parts_resume_on_a_cnn_with_batch_norm() {
    let (name, spec, image) = networks().swap_remove(3);
    for name_of in ["softhebb", "sp", "sgr", "dkp"] {
        let rule = rules().into_iter().find(|rule| rule.name() == name_of).expect("a rule");
        assert!(holds(&rule, name, &spec, image, optimizer(OptimizerKind::Adam, 0.0)), "{name_of}");
    }
}

#[test]
#[ignore = "minutes: the nightly part"]
fn every_rule_resumes_on_every_network_with_every_optimizer() {
    let all = [
        optimizer(OptimizerKind::Adamax, 0.0),
        optimizer(OptimizerKind::Adam, 0.0),
        optimizer(OptimizerKind::AdamW, 0.0),
        optimizer(OptimizerKind::Sgd, 0.0),
        optimizer(OptimizerKind::Sgd, 0.9),
    ];
    for (name, spec, image) in networks() {
        let runs = rules().iter().filter(|rule| all.iter().all(|o| holds(rule, name, &spec, image, *o))).count();
        assert!(runs > 20, "only {runs} rules run on {name}");
    }
}
