//! The regression on accuracy and memory: a small fixed suite on the embedded samples, every rule on two networks,
//! against a committed baseline.

use crate::atomic::write_atomically;
use crate::error::{Error, Result};
use crate::pool::{Job, Pool};
use crate::spec::RunSpec;
use crate::store::Store;
use baselines::RuleSpec;
use serde::{Deserialize, Serialize};
use sll_core::sll::SllConfig;
use std::path::Path;

/// What the suite gave.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Baseline {
    /// Percentage points that accuracy may fall short of an entry's: processors round differently.
    pub accuracy_tolerance: f64,
    /// Fraction by which memory may exceed an entry's.
    pub memory_tolerance: f64,
    /// One for each rule and network.
    #[serde(rename = "entry")]
    pub entries: Vec<Entry>,
}

/// One run of the suite.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Rule and network.
    pub name: String,
    /// Test accuracy in percent after the last epoch.
    pub accuracy: f64,
    /// Exact peak bytes of training, less what the tensor library keeps for itself, which follows the processor's
    /// caches.
    pub bytes: u64,
    /// Exact peak bytes of a step above parameters, optimiser state and fixed matrices.
    pub step_bytes: u64,
}

const NETWORKS: &[(&str, &str)] = &[
    (
        "mlp",
        "dataset = \"mnist-sample\"\nnetwork = { name = \"mlp-2x800\", depth = 3, width = 200, dropout = 0.1 }\nrecipe = { epochs = 4, lr = 3e-3 }",
    ),
    (
        "cnn",
        "dataset = \"fashion-mnist-sample\"\nnetwork = { name = \"cnn-1\", width = 8, batch_norm = true }\nrecipe = { epochs = 3, train_limit = 1200, optimizer = \"adam\", lr = 3e-3 }",
    ),
];

/// The suite: every rule and variant with its default settings on the networks it runs on, and SLLi+ with two units.
pub fn suite() -> Result<Vec<(String, RunSpec)>> {
    let two_units = RuleSpec::Sll(SllConfig { units: Some(2), ..SllConfig::default() });
    let rules = || baselines::rules().iter().map(|info| info.settings).chain([two_units]);
    let mut suite = Vec::new();
    for (network, base) in NETWORKS {
        let origin = format!("check suite, {network}");
        let base = RunSpec::from_toml(&format!("{base}\nrule = {{ name = \"bp\" }}"), &origin)?;
        for rule in rules() {
            let spec = RunSpec { rule, ..base.clone() };
            if spec.unsupported()?.is_none() {
                suite.push((format!("{} {network}", rule.title()), spec));
            }
        }
    }
    Ok(suite)
}

/// Runs the suite in a store of its own, so that nothing old is taken for new; one thread a run, for equal bits.
pub fn measure(jobs: usize) -> Result<Baseline> {
    let folder = tempfile::tempdir().map_err(|e| Error::Missing(format!("cannot make a temporary folder: {e}")))?;
    let store = Store::open(folder.path())?;
    let suite = suite()?;
    let pool = Pool { at_once: jobs, threads: Some(1), memory: None, arguments: vec!["--offline".into()] };
    let job = |(name, spec): &(String, RunSpec)| Job { title: name.clone(), request: spec.clone(), need: None };
    let jobs: Vec<Job<RunSpec>> = suite.iter().map(job).collect();
    pool.make(&jobs, &store).map_err(|error| match error {
        Error::Interrupted => Error::Failed("interrupted; the suite always runs afresh".into()),
        other => other,
    })?;
    let entries = suite.into_iter().map(|(name, spec)| {
        let missing = || Error::Failed(format!("{name} left no result"));
        let result = store.find(&spec)?.ok_or_else(missing)?;
        let peak = result.peak_bytes;
        let (bytes, step_bytes) = (peak.total - peak.library, peak.step_peak);
        Ok(Entry { name, accuracy: result.test_accuracy, bytes, step_bytes })
    });
    Ok(Baseline { accuracy_tolerance: 4.0, memory_tolerance: 0.01, entries: entries.collect::<Result<_>>()? })
}

impl Baseline {
    /// Reads a baseline.
    pub fn load(path: &Path) -> Result<Self> {
        let hint = "run from the repository's root, or make one with `harness check --update`";
        let text = std::fs::read_to_string(path)
            .map_err(|e| Error::Missing(format!("cannot read the baseline {}: {e}; {hint}", path.display())))?;
        toml::from_str(&text).map_err(|e| Error::Input(format!("{}: {e}", path.display())))
    }

    /// Writes the baseline.
    pub fn save(&self, path: &Path) -> Result<()> {
        let text = format!(
            "# Made by `harness check --update`: every rule on two small networks and the embedded samples.\n{}",
            toml::to_string(self).expect("plain data")
        );
        write_atomically(path, text.as_bytes())
    }

    /// A table of differences, and what got worse by more than the tolerances. Better numbers are no regression; a
    /// run that the baseline lacks is, for it would never be checked.
    pub fn compare(&self, measured: &Baseline) -> (Vec<String>, Vec<String>) {
        let mut lines = vec![format!(
            "{:<28} {:>9} {:>9} {:>7}   {:>12} {:>12} {:>8}   {:>12} {:>12} {:>8}",
            "run", "accuracy", "baseline", "change", "bytes", "baseline", "change", "step bytes", "baseline", "change"
        )];
        let mut worse = Vec::new();
        for now in &measured.entries {
            let Some(then) = self.entries.iter().find(|entry| entry.name == now.name) else {
                worse.push(format!("{} is not in the baseline", now.name));
                continue;
            };
            let change = |now: u64, then: u64| now as f64 / then as f64 - 1.0;
            let (bytes, step) = (change(now.bytes, then.bytes), change(now.step_bytes, then.step_bytes));
            lines.push(format!(
                "{:<28} {:>9.2} {:>9.2} {:>+7.2}   {:>12} {:>12} {:>+7.2}%   {:>12} {:>12} {:>+7.2}%",
                now.name,
                now.accuracy,
                then.accuracy,
                now.accuracy - then.accuracy,
                now.bytes,
                then.bytes,
                100.0 * bytes,
                now.step_bytes,
                then.step_bytes,
                100.0 * step
            ));
            // An accuracy that is no number is worse, too.
            if now.accuracy.is_nan() || now.accuracy < then.accuracy - self.accuracy_tolerance {
                worse.push(format!("accuracy of {}", now.name));
            }
            if bytes > self.memory_tolerance || step > self.memory_tolerance {
                worse.push(format!("memory of {}", now.name));
            }
        }
        let gone = self.entries.iter().filter(|then| measured.entries.iter().all(|now| now.name != then.name));
        worse.extend(gone.map(|then| format!("{} was not measured", then.name)));
        (lines, worse)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::Request;

    fn baseline(entries: &[(&str, f64, u64)]) -> Baseline {
        let entry = |&(name, accuracy, bytes): &(&str, f64, u64)| Entry {
            name: name.into(),
            accuracy,
            bytes,
            step_bytes: bytes / 2,
        };
        Baseline { accuracy_tolerance: 2.0, memory_tolerance: 0.01, entries: entries.iter().map(entry).collect() }
    }

    #[test]
    fn worse_numbers_and_missing_runs_are_regressions_and_better_ones_are_not() {
        let then = baseline(&[("bp mlp", 90.0, 1000), ("sll mlp", 90.0, 1000)]);
        let worse = |entries| then.compare(&baseline(entries)).1;
        assert!(worse(&[("bp mlp", 88.5, 1008), ("sll mlp", 99.0, 10)]).is_empty());
        assert_eq!(worse(&[("bp mlp", 87.0, 1000), ("sll mlp", 90.0, 1012)]).len(), 2);
        assert_eq!(worse(&[("bp mlp", 90.0, 1000)]), ["sll mlp was not measured"]);
        assert_eq!(
            worse(&[("bp mlp", 90.0, 1000), ("sll mlp", 90.0, 1000), ("x", 1.0, 1)]),
            ["x is not in the baseline"]
        );
    }

    #[test]
    fn the_suite_has_every_rule_on_both_networks() {
        let suite = suite().unwrap();
        let refused = suite.len().abs_diff(2 * (baselines::rules().len() + 1));
        assert_eq!(refused, 2, "TP and DTP do not run on convolutions; every other rule runs on both");
        let ids: std::collections::HashSet<String> = suite.iter().map(|(_, spec)| spec.id()).collect();
        assert_eq!(ids.len(), suite.len());
    }
}
