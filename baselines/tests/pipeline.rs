//! Units trained at once give the serial run's bits, for every rule whose units need nothing of those above them.

use baselines::{Reach, RuleSpec, rules};
use burn::tensor::Device;
use sll_core::laws::{self, Build, pipelines};
use sll_core::pipeline::Pipeline;
use sll_core::rule::Batch;
use sll_core::sll::SllConfig;
use sll_core::{Error, Network, NetworkSpec};

/// A network of each family, wide enough that products of matrices are not summed up in plain loops.
fn networks() -> Vec<(&'static str, NetworkSpec)> {
    let named = |name: &str, width| NetworkSpec { width: Some(width), ..NetworkSpec::named(name) };
    vec![
        ("mlp", NetworkSpec { depth: Some(3), dropout: 0.2, ..named("mlp-2x800", 96) }),
        ("cnn with batch norm", NetworkSpec { depth: Some(3), batch_norm: true.into(), ..named("cnn-1", 16) }),
        ("vit", NetworkSpec { depth: Some(3), ..named("vit-7", 24) }),
    ]
}

fn build(spec: &NetworkSpec) -> Network {
    spec.build([3, 8, 8], 4, 5, &Device::flex()).expect("a valid network")
}

fn sll(change: impl FnOnce(&mut SllConfig)) -> RuleSpec {
    let mut config = SllConfig::default();
    change(&mut config);
    RuleSpec::Sll(config)
}

/// Every rule and variant, and settings of SLL that hand on something else.
fn all() -> Vec<RuleSpec> {
    let own = [
        sll(|config| config.units = Some(2)),
        sll(|config| (config.units, config.recompute) = (Some(2), true)),
        sll(|config| (config.projection_dropout, config.parent) = (0.2, sll_core::sll::Parent::Clean)),
        sll(|config| (config.first_aligned, config.align_head) = (1, true)),
        sll(|config| config.stop_gradient = false),
    ];
    rules().iter().map(|info| info.settings).chain(own).collect()
}

#[test]
fn every_chain_gives_the_serial_runs_bits_with_two_and_with_three_workers() {
    let mut seen = Vec::new();
    for (name, spec) in networks() {
        for rule in all() {
            let mut net = build(&spec);
            let Ok(mut made) = rule.init(&mut net, 3) else { continue };
            if made.chain().is_none() {
                continue;
            }
            println!("{} on {name}", rule.title());
            seen.push((rule.title(), name));
            let make: Build = &|net| rule.init(net, 3);
            pipelines(|| build(&spec), make, &[2, 3], 6);
        }
    }
    for title in ["SLL", "SLL2+", "SLL, learned projection", "LLS", "LLS-MxM", "pred", "predsim", "SP", "DRTP"] {
        for (name, _) in networks() {
            assert!(seen.contains(&(title.to_string(), name)), "{title} on {name} is no chain");
        }
    }
    for (title, name) in [("FF", "mlp"), ("FF", "cnn with batch norm"), ("FF, linear read-out", "mlp")] {
        assert!(seen.contains(&(title.to_string(), name)), "{title} on {name} is no chain");
    }
}

#[test]
fn a_chain_is_what_depends_on_nothing_above() {
    let mut net = laws::small_mlp(3);
    for info in rules() {
        let is_chain = info.settings.init(&mut net, 3).unwrap().chain().is_some();
        assert!(!is_chain || info.reach == Reach::Own, "{}", info.title);
    }
    let open = sll(|config| config.stop_gradient = false);
    assert!(open.init(&mut net, 3).unwrap().chain().is_none(), "a parent waits for its child");
}

#[test]
fn an_update_locked_rule_is_refused_before_anything_is_trained() {
    let mut net = laws::small_mlp(3);
    for name in ["bp", "fa", "dfa"] {
        let info = rules().iter().find(|info| info.settings.name() == name).unwrap();
        let mut rule = info.settings.init(&mut net, 3).unwrap();
        let source = || -> Result<Option<(Batch, f64)>, Error> { panic!("{name} was given a batch") };
        let refused = Pipeline::new(2).unwrap().train(&mut *rule, &mut net, &mut laws::descent(), source, |_| Ok(()));
        assert!(matches!(refused, Err(Error::Unsupported { .. })), "{name}: {refused:?}");
    }
}
