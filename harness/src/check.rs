//! The regression on accuracy, memory and updates: a small fixed suite on the embedded samples, every rule on two
//! networks, against a committed baseline.

mod signal;

pub use signal::Signal;

use crate::atomic::write_atomically;
use crate::error::{Error, Result};
use crate::pool::{Job, Pool};
use crate::spec::RunSpec;
use crate::store::Store;
use baselines::{RuleSpec, Usual};
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
    /// Fraction of its length by which the update of a layer may be another than an entry's.
    pub signal_tolerance: f64,
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
    /// Test accuracy in percent after the last epoch; absent where the run diverged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accuracy: Option<f64>,
    /// Exact peak bytes of training, less what the tensor library keeps for itself, which follows the processor's
    /// caches.
    pub bytes: u64,
    /// Exact peak bytes of a step above parameters, optimiser state and fixed matrices.
    pub step_bytes: u64,
    /// What the first steps do to each layer's weights.
    pub signals: Vec<Signal>,
}

const NETWORKS: &[(&str, &str)] = &[
    (
        "mlp",
        "dataset = \"mnist-sample\"\n\
         network = { name = \"mlp-2x800\", depth = 3, width = 200, dropout = 0.1 }\n\
         recipe = { epochs = 4, lr = 3e-3 }",
    ),
    (
        "cnn",
        "dataset = \"fashion-mnist-sample\"\n\
         network = { name = \"cnn-1\", width = 8, batch_norm = true }\n\
         recipe = { epochs = 4, train_limit = 2000, batch = 16, optimizer = \"adam\", lr = 3e-3 }",
    ),
];

/// The suite: every rule and variant with its default settings on the networks it runs on, and SLLi+ with two units. A
/// rule that is not at home with ReLU, Adam and batch norm behind the map has what it names in their place.
pub fn suite() -> Result<Vec<(String, RunSpec)>> {
    let two_units = RuleSpec::Sll(SllConfig { units: Some(2), ..SllConfig::default() });
    let rules = || baselines::rules().iter().map(|info| info.settings).chain([two_units]);
    let mut suite = Vec::new();
    for (network, base) in NETWORKS {
        let origin = format!("check suite, {network}");
        let base = RunSpec::from_toml(&format!("{base}\nrule = {{ name = \"bp\" }}"), &origin)?;
        for rule in rules() {
            let mut spec = RunSpec { rule, ..base.clone() };
            let usual = rule.usual();
            if usual != Usual::default() {
                spec.network = usual.network(spec.network);
                (spec.recipe.optimizer, spec.recipe.lr) = (usual.optimizer, usual.lr);
            }
            if spec.unsupported()?.is_none() {
                suite.push((format!("{} {network}", rule.title()), spec));
            }
        }
    }
    Ok(suite)
}

/// Whether `name` has `filter` in it, in any case.
fn has(name: &str, filter: &str) -> bool {
    name.to_lowercase().contains(&filter.to_lowercase())
}

/// Runs what of the suite has `filter` in its name, in any case, in a store of its own, so that nothing old is taken
/// for new; one thread a run, for equal bits.
pub fn measure(jobs: usize, filter: &str) -> Result<Baseline> {
    let folder = tempfile::tempdir().map_err(|e| Error::Missing(format!("cannot make a temporary folder: {e}")))?;
    let store = Store::open(folder.path())?;
    let mut suite = suite()?;
    suite.retain(|(name, _)| has(name, filter));
    if suite.is_empty() {
        return Err(Error::Input(format!("--filter {filter}: no run of the suite has that in its name")));
    }
    let pool = Pool { at_once: jobs, threads: Some(1), arguments: vec!["--offline".into()], ..Pool::default() };
    let job = |(name, spec): &(String, RunSpec)| Job { title: name.clone(), request: spec.clone(), need: None };
    let jobs: Vec<Job<RunSpec>> = suite.iter().map(job).collect();
    pool.make(&jobs, &store).map_err(|error| match error {
        Error::Interrupted => Error::Abandoned,
        other => other,
    })?;
    let entries = suite.into_iter().map(|(name, spec)| {
        let missing = || Error::Failed(format!("{name} left no result"));
        let result = store.find(&spec)?.ok_or_else(missing)?;
        let peak = result.peak_bytes;
        let (bytes, step_bytes) = (peak.total - peak.standing.library, peak.step_peak);
        let signals = signal::measure(&spec, &|net| spec.rule.init(net, spec.seed))?;
        Ok(Entry { name, accuracy: result.test_accuracy, bytes, step_bytes, signals })
    });
    Ok(Baseline {
        accuracy_tolerance: 4.0,
        memory_tolerance: 0.01,
        signal_tolerance: 0.05,
        entries: entries.collect::<Result<_>>()?,
    })
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

    /// With the entries of `measured` in place of those of the same name.
    #[must_use]
    pub fn replaced(mut self, measured: Baseline) -> Self {
        for now in measured.entries {
            match self.entries.iter_mut().find(|entry| entry.name == now.name) {
                Some(entry) => *entry = now,
                None => self.entries.push(now),
            }
        }
        self
    }

    /// Only the entries with `filter` in their names, in any case.
    #[must_use]
    pub fn filtered(mut self, filter: &str) -> Self {
        self.entries.retain(|entry| has(&entry.name, filter));
        self
    }

    /// Every run that is here or in `measured`, with what got worse by more than the tolerances. Better numbers are no
    /// regression; a run that the baseline lacks is, for it would never be checked.
    pub fn compare(&self, measured: &Baseline) -> Vec<Compared> {
        let of = |now: &Entry| {
            let then = self.entries.iter().find(|entry| entry.name == now.name);
            let faults = match then {
                None => vec![format!("{} is not in the baseline", now.name)],
                Some(then) => self.faults(now, then),
            };
            Compared { name: now.name.clone(), now: Some(now.clone()), then: then.cloned(), faults }
        };
        let gone = self.entries.iter().filter(|then| measured.entries.iter().all(|now| now.name != then.name));
        let gone = gone.map(|then| Compared {
            name: then.name.clone(),
            now: None,
            then: Some(then.clone()),
            faults: vec![format!("{} was not measured", then.name)],
        });
        measured.entries.iter().map(of).chain(gone).collect()
    }

    fn faults(&self, now: &Entry, then: &Entry) -> Vec<String> {
        let more = |now: u64, then: u64| now as f64 / then as f64 - 1.0 > self.memory_tolerance;
        let mut faults = Vec::new();
        // None, of a run that diverged, is less than any number.
        if now.accuracy.is_none() || now.accuracy < then.accuracy.map(|then| then - self.accuracy_tolerance) {
            faults.push(format!("accuracy of {}", now.name));
        }
        if more(now.bytes, then.bytes) || more(now.step_bytes, then.step_bytes) {
            faults.push(format!("memory of {}", now.name));
        }
        let layers = signal::changed(&now.signals, &then.signals, self.signal_tolerance);
        if !layers.is_empty() {
            let layers: Vec<String> = layers.iter().map(ToString::to_string).collect();
            faults.push(format!("update of {} (layer {})", now.name, layers.join(", ")));
        }
        faults
    }
}

/// One run of the suite beside its baseline.
#[derive(Clone, Debug, Serialize)]
pub struct Compared {
    /// Rule and network.
    pub name: String,
    /// What was measured.
    pub now: Option<Entry>,
    /// What the baseline says.
    pub then: Option<Entry>,
    /// What got worse, in words.
    pub faults: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::Request;

    fn baseline(entries: &[(&str, f64, u64)]) -> Baseline {
        let entry = |&(name, accuracy, bytes): &(&str, f64, u64)| Entry {
            name: name.into(),
            accuracy: Some(accuracy).filter(|accuracy| !accuracy.is_nan()),
            bytes,
            step_bytes: bytes / 2,
            signals: Vec::new(),
        };
        Baseline {
            accuracy_tolerance: 2.0,
            memory_tolerance: 0.01,
            signal_tolerance: 0.05,
            entries: entries.iter().map(entry).collect(),
        }
    }

    #[test]
    fn worse_numbers_and_missing_runs_are_regressions_and_better_ones_are_not() {
        let then = baseline(&[("bp mlp", 90.0, 1000), ("sll mlp", 90.0, 1000)]);
        let worse = |entries| -> Vec<String> {
            then.compare(&baseline(entries)).into_iter().flat_map(|run| run.faults).collect()
        };
        assert!(worse(&[("bp mlp", 88.5, 1008), ("sll mlp", 99.0, 10)]).is_empty());
        assert_eq!(worse(&[("bp mlp", 87.0, 1000), ("sll mlp", 90.0, 1012)]).len(), 2);
        assert_eq!(worse(&[("bp mlp", f64::NAN, 1000), ("sll mlp", 90.0, 1000)]), ["accuracy of bp mlp"]);
        assert_eq!(worse(&[("bp mlp", 90.0, 1000)]), ["sll mlp was not measured"]);
        assert_eq!(
            worse(&[("bp mlp", 90.0, 1000), ("sll mlp", 90.0, 1000), ("x", 1.0, 1)]),
            ["x is not in the baseline"]
        );
    }

    #[test]
    fn runs_are_replaced_and_filtered_by_name() {
        let then = baseline(&[("bp mlp", 90.0, 1000), ("sll mlp", 90.0, 1000)]);
        let now = then.replaced(baseline(&[("sll mlp", 80.0, 900), ("fa cnn", 50.0, 10)]));
        let told = |of: &Baseline| {
            of.entries.iter().map(|e| format!("{} {}", e.name, e.accuracy.unwrap())).collect::<Vec<_>>()
        };
        assert_eq!(told(&now), ["bp mlp 90", "sll mlp 80", "fa cnn 50"]);
        assert_eq!(told(&now.filtered("MLP")), ["bp mlp 90", "sll mlp 80"]);
    }

    /// A run at chance level would pass whatever became of its rule.
    #[test]
    fn every_run_of_the_committed_baseline_learns_so_clearly_that_chance_fails_it() {
        let committed: Baseline = toml::from_str(include_str!("../baseline.toml")).unwrap();
        let chance = 10.0;
        for (name, spec) in suite().unwrap() {
            let entry = committed.entries.iter().find(|entry| entry.name == name).expect("a case of the suite");
            let accuracy = entry.accuracy.unwrap();
            assert!(accuracy >= 2.0 * chance, "{entry:?}");
            // Guesses are right n p ± √(n p (1 - p)) times.
            let images = datasets::manifest(&spec.dataset).unwrap().counts.test as f64;
            let spread = (chance * (100.0 - chance) / images).sqrt();
            assert!(accuracy - committed.accuracy_tolerance > chance + 5.0 * spread, "{entry:?}");
        }
    }

    /// Classes are read out by the goodness of hidden layers, which of random ones is chance: it is no classifier on
    /// them that it is to be compared with.
    const BY_GOODNESS: &str = "reads classes out by goodness, not by a trained classifier";

    /// Rules that train hidden layers and are not told from random ones by their accuracy on the convolutional network,
    /// and why; their updates are held by `signals` alone.
    const NO_BETTER_THAN_RANDOM: &[(&str, &str)] = &[
        ("sDFA", "a control: the sign errs upwards in all classes but one"),
        ("PEPITA", "takes small steps of gradient descent, and needs more than 500"),
        ("MEMPEPITA", "as PEPITA"),
        ("SoftHebb", "its features see no label, and its classifier has three of the four epochs"),
        ("FF", BY_GOODNESS),
        ("FF, linear read-out", "its layers learn whether image and label belong together; it reads them without"),
        ("LC-FF", BY_GOODNESS),
        ("LC-FF, all layers", BY_GOODNESS),
        ("TFF", BY_GOODNESS),
        ("SLL, alignment only", "a control: labels reach the output layer alone"),
    ];

    /// Else the suite would pass a rule whose hidden layers are left as they were drawn: with them it is `shallow`.
    #[test]
    fn rules_that_train_hidden_layers_beat_random_ones_by_more_than_the_tolerance() {
        let committed: Baseline = toml::from_str(include_str!("../baseline.toml")).unwrap();
        let of = |name: &str| {
            let entry = committed.entries.iter().find(|entry| entry.name == format!("{name} cnn"));
            entry.and_then(|entry| entry.accuracy)
        };
        let random = of("shallow").unwrap();
        for info in baselines::rules().iter().filter(|info| info.trains_hidden) {
            let Some(accuracy) = of(info.title) else { continue };
            let excepted = NO_BETTER_THAN_RANDOM.iter().any(|(title, _)| *title == info.title);
            let better = accuracy - committed.accuracy_tolerance > random;
            assert_ne!(better, excepted, "{}: {accuracy}, {random} with random hidden layers", info.title);
        }
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
