//! Reports for tests.

use super::{Cell, Column, Quoted, Report};
use crate::record::{DataInfo, EpochDiagnostics, EpochPoint, LayerDiagnostics, PeakBytes, Provenance, RunResult};
use crate::spec::RunSpec;
use sll_core::posterior::{Affinity, UnitPosterior};
use sll_core::rule::StepCost;

/// A finished run of three epochs that ends at `accuracy`; its best epoch is half a point better.
pub fn run(seed: u64, accuracy: f64) -> RunResult {
    let spec = RunSpec::from_toml(
        &format!(
            r#"
            dataset = "mnist-sample"
            seed = {seed}
            network = {{ name = "mlp-2x800", dropout = 0.2 }}
            rule = {{ name = "bp" }}
            recipe = {{ epochs = 3, flip = true }}
            "#
        ),
        "example",
    )
    .unwrap();
    let point = |epoch: usize, test_accuracy| EpochPoint { epoch, train_loss: 0.1, test_accuracy, seconds: 1.0 };
    RunResult {
        run_id: spec.id(),
        test_accuracy: accuracy,
        best_test_accuracy: accuracy + 0.5,
        evaluated_on: "test".into(),
        epochs: 3,
        seconds: 12.0,
        diverged_at_step: None,
        parameters: 1_276_810,
        macs: StepCost { forward: 1_275_200, backward: 1_923_200, rule: 16_000 },
        peak_bytes: PeakBytes {
            parameters: 5_107_240,
            optimizer_state: 10_214_480,
            fixed: 0,
            library: 524_288,
            step_peak: 2 * 1024 * 1024,
            total: 17_943_160,
            step: Default::default(),
        },
        curve: vec![point(1, accuracy - 10.0), point(2, accuracy + 0.5), point(3, accuracy)],
        unit_accuracy: vec![],
        diagnostics: vec![],
        data: DataInfo {
            name: "mnist-sample".into(),
            digest: "0123456789abcdef".repeat(4),
            verified: true,
            source: "/data".into(),
            train: 1000,
            test: 200,
        },
        provenance: Provenance {
            device: "flex".into(),
            hardware: "A processor".into(),
            threads: 2,
            harness: "0.1.0 (abc1234)".into(),
            backend: "burn 0.22.1".into(),
            memory_definition: "bytes of live tensors".into(),
            finished_unix: 1_700_000_000,
        },
        spec,
    }
}

/// A run whose loss became infinite.
pub fn diverged(seed: u64) -> RunResult {
    RunResult { diverged_at_step: Some(7), ..run(seed, 9.8) }
}

/// Two rules on two data sets: complete, unverified with a diverged run, missing, and quoted only.
pub fn table() -> Report {
    let quoted = |mean, std| Some(Quoted { mean, std, network: "2x800 | MLP".into(), note: None });
    let mut unverified = vec![run(0, 30.0), run(1, 31.0), diverged(2)];
    unverified.iter_mut().for_each(|run| run.data.verified = false);
    Report {
        name: "table1".into(),
        title: "Accuracy of MLPs".into(),
        notes: vec!["Ten epochs, not a hundred.".into()],
        reading: vec![],
        profile: "quick".into(),
        command: "harness reproduce table1".into(),
        row_axis: "rule".into(),
        column_axis: "data set".into(),
        rows: vec!["BP".into(), "TP".into()],
        columns: ["MNIST", "CIFAR-10"].map(|label| Column { label: label.into(), value: None }).into(),
        cells: vec![
            Cell {
                runs: vec![run(0, 98.1), run(1, 98.4), run(2, 97.9)],
                quoted: quoted(99.25, Some(0.09)),
                missing: None,
            },
            Cell { runs: unverified, quoted: quoted(60.95, None), missing: None },
            Cell {
                quoted: quoted(97.96, Some(0.08)),
                missing: Some("TP is not implemented".into()),
                ..Cell::default()
            },
            Cell { missing: Some("TP is not implemented".into()), ..Cell::default() },
        ],
    }
}

/// BP and SLL on one data set with two seeds, every layer measured before training and at its end.
pub fn measured() -> Report {
    let layer =
        |l: usize, angle: f64, posterior| LayerDiagnostics { name: format!("{l}"), angle: Some(angle), posterior };
    let unit = |l: usize, log_likelihood, kl: f64| {
        let affinity = Affinity { coefficient: 1.0 - 0.05 * l as f64, surrogate: 0.05 * l as f64, kl };
        let accuracy = 93.0 + 2.0 * l as f64;
        Some(UnitPosterior { log_likelihood, accuracy, parent: (l > 0).then_some(affinity) })
    };
    let epoch = |epoch, layers| EpochDiagnostics { epoch, seconds: 0.5, layers };
    let of = |diagnostics: Vec<EpochDiagnostics>| {
        let run = |seed| RunResult { diagnostics: diagnostics.clone(), ..run(seed, 97.0) };
        Cell { runs: vec![run(0), run(1)], ..Cell::default() }
    };
    let plain = || (0..3).map(|l| layer(l, 0.0, None)).collect();
    let sll = |likelihoods: [f64; 3], kl: [f64; 3]| {
        (0..3).map(|l| layer(l, [80.0, 70.0, 0.0][l], unit(l, likelihoods[l], kl[l]))).collect()
    };
    Report {
        rows: vec!["BP".into(), "SLL".into()],
        columns: vec![Column { label: "MNIST".into(), value: None }],
        cells: vec![
            of(vec![epoch(0, plain()), epoch(3, plain())]),
            of(vec![
                epoch(0, sll([-1.0, -0.8, -0.6], [0.0, 0.05, 0.1])),
                epoch(3, sll([-0.5, -0.3, -0.1], [0.0, 0.1, 0.3])),
            ]),
        ],
        ..table()
    }
}

/// Two rows against a swept number; the second stops early.
pub fn sweep() -> Report {
    let values = [1.0, 10.0, 100.0];
    let row = |accuracy: f64, upto: usize| {
        (0..values.len()).map(move |i| Cell {
            runs: if i < upto { vec![run(0, accuracy + i as f64), run(1, accuracy + 1.0 + i as f64)] } else { vec![] },
            ..Cell::default()
        })
    };
    Report {
        name: "sweep-projection".into(),
        title: "Projection size".into(),
        column_axis: "projection size".into(),
        columns: values.map(|value| Column { label: value.to_string(), value: Some(value) }).into(),
        cells: row(90.0, 3).chain(row(85.0, 2)).collect(),
        ..table()
    }
}
