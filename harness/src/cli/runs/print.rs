//! Runs as lines, and two of them side by side.

use crate::cli::stdout::print;
use crate::error::Result;
use crate::record::RunResult;
use crate::record::facts;
use baselines::RuleSpec;
use std::collections::BTreeMap;

/// One line a run.
pub fn list(runs: &[RunResult]) -> Result<()> {
    print(&format!(
        "{:<16} {:>8} {:>6} {:>4} {:<22} {:<22} {:<20} {:<8} settings",
        "run", "accuracy", "epochs", "seed", "rule", "network", "data set", "device"
    ))?;
    for run in runs {
        let accuracy = run.test_accuracy.map_or("diverged".to_string(), |accuracy| format!("{accuracy:.2}"));
        let on = if run.evaluated_on == "test" { "" } else { ", on validation images" };
        print(&format!(
            "{:<16} {accuracy:>8} {:>6} {:>4} {:<22} {:<22} {:<20} {:<8} {}{on}",
            run.run_id,
            run.epochs,
            run.spec.seed,
            run.spec.rule.title(),
            facts::in_words(&facts::network(&run.spec.network)),
            run.spec.dataset,
            run.spec.device,
            [rule_settings(&run.spec.rule), facts::in_words(&facts::recipe(&run.spec.recipe))].join(""),
        ))?;
    }
    Ok(())
}

/// A rule's settings that are not its usual ones, each with a comma behind it.
pub fn rule_settings(rule: &RuleSpec) -> String {
    let table = |rule: &RuleSpec| toml::Table::try_from(rule).expect("plain data");
    let own = table(rule);
    let name = toml::Table::from_iter([("name".to_string(), own["name"].clone())]);
    let usual = name.try_into::<RuleSpec>().map(|rule| table(&rule)).unwrap_or_default();
    let other = own.iter().filter(|(key, value)| usual.get(*key) != Some(*value));
    other.map(|(key, value)| format!("{} {}, ", key.replace('_', " "), crate::experiment::shown(value))).collect()
}

/// What two runs have different settings in, and their numbers.
pub fn compare(a: &RunResult, b: &RunResult) -> Result<()> {
    let line = |what: &str, a: &str, b: &str| print(format!("{what:<34} {a:<28} {b}").trim_end());
    line("", &a.run_id, &b.run_id)?;
    let (ours, theirs) = (settings(a), settings(b));
    let keys: std::collections::BTreeSet<&String> = ours.keys().chain(theirs.keys()).collect();
    let of = |settings: &BTreeMap<String, String>, key: &str| settings.get(key).cloned().unwrap_or_else(|| "—".into());
    for key in keys {
        let (a, b) = (of(&ours, key), of(&theirs, key));
        if a != b {
            line(key, &a, &b)?;
        }
    }
    type Number = fn(&RunResult) -> String;
    let numbers: [(&str, Number); 9] = [
        ("accuracy, last epoch (%)", |run| run.test_accuracy.map_or("diverged".into(), |a| format!("{a:.2}"))),
        ("accuracy, best epoch (%)", |run| run.best_test_accuracy.map_or("—".into(), |a| format!("{a:.2}"))),
        ("training loss, last epoch", |run| run.curve.last().map_or("—".into(), |p| format!("{:.4}", p.train_loss))),
        ("epochs", |run| run.epochs.to_string()),
        ("seconds", |run| format!("{:.1}", run.seconds)),
        ("parameters", |run| run.parameters.to_string()),
        ("MACs a sample and step", |run| run.macs.total().to_string()),
        ("step's peak (bytes)", |run| run.peak_bytes.step_peak.to_string()),
        ("peak of training (bytes)", |run| run.peak_bytes.total.to_string()),
    ];
    for (what, number) in numbers {
        line(what, &number(a), &number(b))?;
    }
    line("harness", &a.provenance.harness, &b.provenance.harness)?;
    line("on", &a.provenance.hardware, &b.provenance.hardware)
}

/// Every key of the spec with its value, like `recipe.lr`.
pub fn settings(run: &RunResult) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    flatten("", &toml::Value::try_from(&run.spec).expect("plain data"), &mut found);
    found.insert("numerics".into(), run.numerics.to_string());
    found
}

fn flatten(path: &str, value: &toml::Value, found: &mut BTreeMap<String, String>) {
    match value {
        toml::Value::Table(table) => {
            for (key, value) in table {
                let inner = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                flatten(&inner, value, found);
            }
        }
        other => {
            found.insert(path.to_string(), crate::experiment::shown(other));
        }
    }
}
