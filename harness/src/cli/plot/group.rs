//! Which epochs make one line: those of runs that differ in nothing but their seed.

use crate::cli::runs::{by_settings, settings};
use crate::record::RunResult;
use crate::report::curves::CurveRow;
use crate::report::settings::in_words;
use crate::spec::RunSpec;
use std::collections::{BTreeMap, BTreeSet};

/// What becomes a line.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// Its name.
    pub label: String,
    /// The rule's name in specs.
    pub rule: String,
    /// The rule's name in tables.
    pub title: String,
    /// Every epoch of every run.
    pub rows: Vec<CurveRow>,
}

impl Group {
    /// How many runs did not diverge.
    pub fn seeds(&self) -> usize {
        self.rows.iter().filter(|row| !row.diverged).map(|row| &row.run_id).collect::<BTreeSet<_>>().len()
    }
}

/// Rows of a table by their places in it.
pub fn of_curves(rows: Vec<CurveRow>) -> Vec<Group> {
    let several = |name: fn(&CurveRow) -> &String| rows.iter().any(|row| name(row) != name(&rows[0]));
    let (tables, columns) = (several(|row| &row.table), several(|row| &row.column));
    let mut groups: Vec<Group> = Vec::new();
    for row in &rows {
        let parts = [Some(&row.row), columns.then_some(&row.column), tables.then_some(&row.table)];
        let label = parts.into_iter().flatten().cloned().collect::<Vec<_>>().join(", ");
        match groups.iter_mut().find(|group| group.label == label) {
            Some(group) => group.rows.push(row.clone()),
            None => {
                let (rule, title) = (row.rule.clone(), row.title.clone());
                groups.push(Group { label, rule, title, rows: vec![row.clone()] });
            }
        }
    }
    groups
}

/// Runs by their specs but for the seed, and what most of them have in common in words. A line is called by its rule;
/// where several have one rule, by what they differ in too.
pub fn of_runs(runs: &[RunResult]) -> (Vec<Group>, String) {
    let found = by_settings(runs);
    let labels = labels(&found);
    let group = |((spec, runs), label): (&(RunSpec, Vec<&RunResult>), &String)| Group {
        label: label.clone(),
        rule: spec.rule.name().into(),
        title: spec.rule.title(),
        rows: runs.iter().flat_map(|run| CurveRow::of_run("", label, &spec.dataset, run)).collect(),
    };
    let groups = found.iter().zip(&labels).map(group).collect();
    let sound = |runs: &[&'_ RunResult]| runs.iter().filter(|run| run.diverged_at_step.is_none()).count() > 0;
    let rows: Vec<_> = found
        .iter()
        .zip(&labels)
        .filter(|((_, runs), _)| sound(runs))
        .map(|((_, runs), label)| (label.as_str(), runs.clone()))
        .collect();
    (groups, if rows.is_empty() { String::new() } else { in_words(&rows) })
}

fn labels(found: &[(RunSpec, Vec<&RunResult>)]) -> Vec<String> {
    let title = |spec: &RunSpec| spec.rule.title();
    let all: Vec<BTreeMap<String, String>> = found.iter().map(|(_, runs)| settings(runs[0])).collect();
    let label = |(index, (spec, _)): (usize, &(RunSpec, Vec<&RunResult>))| {
        let like: Vec<usize> = (0..found.len()).filter(|other| title(&found[*other].0) == title(spec)).collect();
        let differs = |key: &&String| like.iter().any(|other| all[*other].get(*key) != all[index].get(*key));
        let parts =
            all[index].keys().filter(|key| !["seed", "allow_unverified"].contains(&key.as_str())).filter(differs).map(
                |key| {
                    let name = key.rsplit('.').next().unwrap_or(key);
                    match name {
                        "dataset" | "name" => all[index][key].clone(),
                        "data_digest" => format!("data {}", all[index][key].chars().take(12).collect::<String>()),
                        name => format!("{} {}", name.replace('_', " "), all[index][key]),
                    }
                },
            );
        [title(spec)].into_iter().chain(parts).collect::<Vec<_>>().join(", ")
    };
    found.iter().enumerate().map(label).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::example;
    use crate::spec::Request;

    fn wide(seed: u64, width: usize) -> RunResult {
        let mut run = example::run(seed, 98.0);
        run.spec.network.width = Some(width);
        run.run_id = run.spec.id();
        run
    }

    #[test]
    fn runs_that_differ_in_their_seed_are_one_line_and_others_say_what_they_differ_in() {
        let (groups, settings) = of_runs(&[wide(0, 50), wide(1, 50), wide(0, 100)]);
        let told: Vec<_> = groups.iter().map(|group| (group.label.as_str(), group.seeds())).collect();
        assert_eq!(told, [("BP, width 50", 2), ("BP, width 100", 1)]);
        assert!(settings.contains("mlp-2x800"), "{settings}");
        assert_eq!(of_runs(&[wide(0, 50), wide(1, 50)]).0[0].label, "BP");
    }

    #[test]
    fn rows_of_a_table_keep_their_labels_and_name_columns_where_there_are_several() {
        let rows = |row: &str, column: &str| CurveRow::of_run("t", row, column, &example::run(0, 98.0));
        let labels = |rows: Vec<CurveRow>| of_curves(rows).into_iter().map(|group| group.label).collect::<Vec<_>>();
        assert_eq!(labels([rows("A", "x"), rows("B", "x")].concat()), ["A", "B"]);
        assert_eq!(labels([rows("A", "x"), rows("A", "y")].concat()), ["A, x", "A, y"]);
    }
}
