//! Records for tests.

use super::{DataInfo, EpochPoint, PeakBytes, Provenance, RunResult};
use crate::spec::{DeviceName, Request, RunSpec};
use sll_core::memory::StandingBytes;
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
        numerics: spec.numerics(),
        test_accuracy: Some(accuracy),
        best_test_accuracy: Some(accuracy + 0.5),
        evaluated_on: "test".into(),
        epochs: 3,
        seconds: 12.0,
        diverged_at_step: None,
        parameters: 1_276_810,
        macs: StepCost { forward: 1_275_200, backward: 1_923_200, rule: 16_000 },
        bp_macs: Some(3_214_400),
        peak_bytes: PeakBytes {
            standing: StandingBytes {
                parameters: 5_107_240,
                optimizer_state: 10_214_480,
                library: 524_288,
                ..StandingBytes::default()
            },
            step_peak: 2 * 1024 * 1024,
            total: 17_943_160,
            step: Default::default(),
        },
        curve: vec![point(1, accuracy - 10.0), point(2, accuracy + 0.5), point(3, accuracy)],
        unit_accuracy: vec![],
        diagnostics: vec![],
        representations: vec![],
        picture: None,
        pipeline: None,
        data: DataInfo {
            name: "mnist-sample".into(),
            digest: "0123456789abcdef".repeat(4),
            verified: true,
            source: "/data".into(),
            train: 1000,
            test: 200,
        },
        provenance: Provenance {
            device: DeviceName::Flex,
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
    RunResult { diverged_at_step: Some(7), test_accuracy: None, ..run(seed, 9.8) }
}
