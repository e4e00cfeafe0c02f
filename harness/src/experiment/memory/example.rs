//! Measurements for tests.

use crate::record::{Footprint, Provenance};
use crate::spec::{DeviceName, MemorySpec, Request};
use crate::store::Store;
use sll_core::memory::{MemoryUse, StandingBytes, StepBytes};
use sll_core::rule::StepCost;

/// A measurement of `rule` on an MLP of `depth` whose step holds `step` bytes, most of them activations.
pub fn footprint(rule: &str, depth: usize, step: u64) -> Footprint {
    let text = format!(
        "image = [1, 8, 8]\nclasses = 10\nbatch = 4\nnetwork = {{ name = \"mlp-2x800\", depth = {depth} }}\nrule = {{ \
         {rule} }}"
    );
    let text = if rule.contains('=') {
        text
    } else {
        text.replace(&format!("{{ {rule} }}"), &format!("{{ name = \"{rule}\" }}"))
    };
    of(MemorySpec::from_table(text.parse().unwrap(), "example").unwrap(), step)
}

/// A measurement of `spec`.
pub fn of(spec: MemorySpec, step: u64) -> Footprint {
    let depth = spec.network.depth.unwrap_or(2) as u64;
    let bytes = MemoryUse {
        standing: StandingBytes {
            parameters: 4096 * depth,
            optimizer_state: 8192 * depth,
            fixed: 100,
            ..StandingBytes::default()
        },
        step: StepBytes { activations: step / 2, gradients: step / 4, workspace: step - step / 2 - step / 4 },
    };
    Footprint {
        id: spec.id(),
        values: 1024 * depth,
        macs: StepCost { forward: 1000, backward: 2000, rule: 0 },
        macs_counted: 3000,
        bytes,
        live: bytes.standing(),
        step_peak: bytes.step_peak(),
        peak: bytes.total(),
        most_activations: bytes.step.activations,
        spread: 0,
        analytic: Some(MemoryUse {
            step: StepBytes { workspace: bytes.step.workspace + step / 100, ..bytes.step },
            ..bytes
        }),
        seconds_per_step: 0.25,
        reserved_peak: None,
        peak_rss: Some(10 << 20),
        provenance: Provenance {
            device: DeviceName::Flex,
            hardware: "A processor".into(),
            threads: 1,
            harness: "0.1.0 (abc1234)".into(),
            backend: "burn 0.22.1".into(),
            memory_definition: "bytes of live tensors".into(),
            finished_unix: 1_700_000_000,
        },
        spec,
    }
}

/// Keeps a measurement in `store`.
pub fn put(store: &Store, footprint: &Footprint) {
    store.claim(&footprint.spec, || {}).unwrap().finish(footprint).unwrap();
}
