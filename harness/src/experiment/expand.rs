//! From an experiment to the runs of its cells.

use super::{Amount, Column, Experiment, Kind, Profile, Row, merge, set};
use crate::error::{Error, Result};
use crate::paper;
use crate::report::{self, Quoted};
use crate::spec::{RunSpec, unpublished};
use datasets::{DataError, LoadOptions, Status};
use toml::{Table, Value};

/// What a user may change on the command line.
#[derive(Clone, Debug)]
pub struct Choices {
    /// How much.
    pub profile: Profile,
    /// On what.
    pub device: String,
    /// Seeds in place of the profile's.
    pub seeds: Option<u64>,
    /// Epochs in place of the profile's.
    pub epochs: Option<usize>,
    /// Take data whose digest is not official.
    pub allow_unverified: bool,
    /// Plan as if every data set were on the machine: for estimates.
    pub assume_present: bool,
}

/// An experiment with its runs.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The experiment.
    pub experiment: Experiment,
    /// The columns that are there, with labels that name samples as samples.
    pub columns: Vec<report::Column>,
    /// One for each row and column, row by row.
    pub cells: Vec<PlannedCell>,
    /// What was chosen for the data and why, a line a column.
    pub choices: Vec<String>,
}

impl Plan {
    /// Why rules that could run have nothing to run, each reason once.
    pub fn reasons(&self) -> Vec<&str> {
        let rows = self.experiment.rows.iter().flat_map(|row| std::iter::repeat_n(row, self.columns.len()));
        let cells = self.cells.iter().zip(rows).filter(|(_, row)| row.rule.is_some());
        let reasons: std::collections::BTreeSet<&str> = cells.filter_map(|(cell, _)| cell.missing.as_deref()).collect();
        reasons.into_iter().collect()
    }
}

/// One cell before its runs are made.
#[derive(Clone, Debug, Default)]
pub struct PlannedCell {
    /// Its runs, one a seed.
    pub specs: Vec<RunSpec>,
    /// The paper's number.
    pub quoted: Option<Quoted>,
    /// Why there is nothing to run.
    pub missing: Option<String>,
}

/// A column on a data set that was settled on.
struct Settled<'a> {
    column: &'a Column,
    label: String,
    dataset: String,
    amount: Option<Amount>,
    missing: Option<String>,
    /// Digest of its content where that is not the official one, or nobody published which that is.
    digest: Option<String>,
    /// Whether the content is known to be another one, and is wanted all the same.
    unverified: bool,
    /// The paper's numbers are for the full data set only.
    quoted: bool,
}

/// Decides on data, column by column, and writes down every run.
pub fn expand(experiment: Experiment, choices: &Choices, data: &LoadOptions) -> Result<Plan> {
    let mut lines = Vec::new();
    let mut settled = Vec::new();
    for column in &experiment.columns {
        settled.extend(settle(column, choices, data, &mut lines)?);
    }
    if experiment.kind == Kind::Sweep && settled.len() > 1 {
        return Err(Error::Failed(format!(
            "experiments/{}.toml: a sweep has one data set in a profile",
            experiment.name
        )));
    }
    let sweep = experiment.sweep.as_ref();
    let values: Vec<Option<Value>> =
        sweep.map_or_else(|| vec![None], |sweep| sweep.values.iter().cloned().map(Some).collect());
    let label = |column: &Settled, value: &Option<Value>| value.as_ref().map_or(column.label.clone(), Value::to_string);
    let pairs = || settled.iter().flat_map(|column| values.iter().map(move |value| (column, value)));
    let columns = pairs()
        .map(|(column, value)| report::Column { label: label(column, value), value: value.as_ref().and_then(number) })
        .collect();
    let mut cells = Vec::new();
    for row in &experiment.rows {
        for (column, value) in pairs() {
            let parameter = sweep.map(|s| s.parameter.as_str()).zip(value.clone()).filter(|_| !row.fixed);
            cells.push(cell(&experiment, row, column, parameter, choices)?);
        }
    }
    if let (Kind::Sweep, [only]) = (experiment.kind, settled.as_slice()) {
        lines.push(format!("swept on {}", only.label));
    }
    Ok(Plan { columns, cells, choices: lines, experiment })
}

fn number(value: &Value) -> Option<f64> {
    value.as_float().or_else(|| value.as_integer().map(|i| i as f64))
}

fn settle<'a>(
    column: &'a Column,
    choices: &Choices,
    data: &LoadOptions,
    lines: &mut Vec<String>,
) -> Result<Vec<Settled<'a>>> {
    let amount = column.amount(choices.profile.name(), &choices.device);
    let narrowed = amount.iter().flat_map(|a| &a.network).map(|(key, value)| format!("{key} {value}"));
    let narrowed = narrowed.collect::<Vec<_>>().join(", ");
    let own = if narrowed.is_empty() { column.label.clone() } else { format!("{} ({narrowed})", column.label) };
    let settled = |label: String, dataset: &str, amount, missing, quoted| Settled {
        column,
        label,
        dataset: dataset.to_string(),
        amount,
        missing,
        digest: None,
        unverified: false,
        quoted,
    };
    let full = |missing| settled(own.clone(), &column.dataset, amount.clone(), missing, true);
    if let Some(reason) = &column.missing {
        lines.push(format!("{}: {reason}", column.label));
        return Ok(if amount.is_some() { vec![full(Some(reason.clone()))] } else { vec![] });
    }
    // An estimate, or a column that has no runs in this profile, is no reason to download anything.
    let state = match choices.assume_present || amount.is_none() {
        true => datasets::status(&column.dataset, data)?,
        false => datasets::status_or_fetch(&column.dataset, data)?,
    };
    match (state, &column.sample) {
        _ if amount.is_none() && !column.profile.contains_key("sample") => Ok(vec![]),
        (Status::Embedded, _) => {
            lines.push(format!("{}: embedded sample", column.label));
            Ok(vec![full(None)])
        }
        (Status::Found { source, .. }, _) => {
            let content = if choices.assume_present { Content::Official } else { content(column, choices, data)? };
            let from = format!("{}: {} from {source}", column.label, column.dataset);
            Ok(vec![match content {
                Content::Official => {
                    lines.push(from);
                    full(None)
                }
                Content::Pinned { digest, unverified } => {
                    lines.push(format!("{from}{}", if unverified { ", NOT the official content" } else { "" }));
                    Settled { digest: Some(digest), unverified, ..full(None) }
                }
                Content::Unusable(problem) => {
                    lines.push(format!("{}: {problem}", column.label));
                    full(Some(problem))
                }
            }])
        }
        (Status::InHubCache { .. }, _) => Ok(vec![full(None)]),
        (Status::Missing { .. }, _) if choices.assume_present => Ok(vec![full(None)]),
        (Status::Missing { next, .. }, sample) => {
            let missing = format!("{} is not on this machine; {next}", column.dataset);
            let amount = column.amount("sample", &choices.device);
            match (choices.profile, sample, amount) {
                (Profile::Quick, Some(sample), Some(amount)) => {
                    lines.push(format!(
                        "{}: not on this machine, so its embedded sample {sample} runs in a column of its own",
                        column.label
                    ));
                    Ok(vec![full(Some(missing)), settled(sample.clone(), sample, Some(amount), None, false)])
                }
                _ => {
                    lines.push(format!("{}: not on this machine, its cells stay empty", column.label));
                    Ok(vec![full(Some(missing))])
                }
            }
        }
    }
}

/// What was found under a data set's name.
enum Content {
    /// What was published.
    Official,
    /// What has this digest: other content is another run.
    Pinned { digest: String, unverified: bool },
    /// What no run is planned on, and why.
    Unusable(String),
}

fn content(column: &Column, choices: &Choices, data: &LoadOptions) -> Result<Content> {
    let (name, allowed) = (&column.dataset, choices.allow_unverified);
    let pinned = |(digest, unverified)| Content::Pinned { digest, unverified };
    let found = match datasets::manifest(name)?.has_digest() {
        false => unpublished(name, allowed, data).map(|found| found.map_or(Content::Official, pinned)),
        true => match (not_official(name, data)?, allowed) {
            (None, _) => Ok(Content::Official),
            (Some(problem), false) => Ok(Content::Unusable(problem)),
            (Some(_), true) => datasets::load(name, &LoadOptions { allow_unverified: true, ..data.clone() })
                .map(|data| pinned((data.digest, true))),
        },
    };
    use DataError::{Changed, Corrupt, Read, Record};
    match found {
        // A data set that is damaged leaves its own cells empty, not the table.
        Err(error @ (Changed { .. } | Corrupt { .. } | Read { .. } | Record { .. })) => {
            Ok(Content::Unusable(error.to_string()))
        }
        outcome => Ok(outcome?),
    }
}

/// What is wrong with the content of a data set that was found, of those with a published digest.
fn not_official(name: &str, data: &LoadOptions) -> Result<Option<String>> {
    let verification = datasets::verify(name, data)?;
    let wrong: Vec<&str> = verification.files.iter().filter(|f| !f.ok).map(|f| f.file.as_str()).collect();
    Ok((!wrong.is_empty()).then(|| {
        format!(
            "{name}: {} of {} files are not the official content, first {}; replace them, or pass --allow-unverified to \
             run them with every result marked",
            wrong.len(),
            verification.files.len(),
            wrong[0]
        )
    }))
}

fn cell(
    experiment: &Experiment,
    row: &Row,
    column: &Settled,
    parameter: Option<(&str, Value)>,
    choices: &Choices,
) -> Result<PlannedCell> {
    let name = column.column.quoted.as_deref().filter(|_| column.quoted);
    let quoted = name.and_then(|name| paper::quoted(&experiment.name, name, &row.label));
    let missing = row.missing.clone().or_else(|| column.missing.clone());
    let (Some(rule), Some(amount), None) = (&row.rule, &column.amount, &missing) else {
        return Ok(PlannedCell { specs: Vec::new(), quoted, missing });
    };
    let mut base = Table::new();
    base.insert("dataset".into(), column.dataset.clone().into());
    base.insert("device".into(), choices.device.clone().into());
    base.insert("allow_unverified".into(), column.unverified.into());
    if let Some(digest) = &column.digest {
        base.insert("data_digest".into(), digest.clone().into());
    }
    base.insert("rule".into(), rule.clone().into());
    let mut network = column.column.network.clone();
    merge(&mut network, &amount.network);
    merge(&mut network, &row.network);
    base.insert("network".into(), network.into());
    let mut recipe = column.column.recipe.clone();
    merge(&mut recipe, &row.recipe);
    recipe.insert("epochs".into(), (choices.epochs.unwrap_or(amount.epochs) as i64).into());
    if let Some(limit) = amount.train_limit {
        recipe.insert("train_limit".into(), (limit as i64).into());
    }
    base.insert("recipe".into(), recipe.into());
    if let Some((path, value)) = parameter {
        set(&mut base, path, value)?;
    }
    let specs = (0..choices.seeds.unwrap_or(amount.seeds)).map(|seed| {
        let mut table = base.clone();
        table.insert("seed".into(), (seed as i64).into());
        RunSpec::from_table(table, &format!("experiment {}, row {}", experiment.name, row.label))
    });
    let specs: Vec<RunSpec> = specs.collect::<Result<_>>()?;
    match specs.first().map(RunSpec::unsupported).transpose()?.flatten() {
        Some(reason) => Ok(PlannedCell { specs: Vec::new(), quoted, missing: Some(reason) }),
        None => Ok(PlannedCell { specs, quoted, missing: None }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::find;

    fn choices(profile: Profile) -> Choices {
        Choices {
            profile,
            device: "flex".into(),
            seeds: None,
            epochs: Some(1),
            allow_unverified: false,
            assume_present: false,
        }
    }

    fn nowhere() -> LoadOptions {
        // No folder can be made there, whatever this machine's user has fetched.
        let (cache, hub) = ("/dev/null/cache".into(), "/dev/null/hub".into());
        let hub = datasets::HubOptions { cache_dir: Some(hub), ..datasets::HubOptions::default() };
        LoadOptions { data_dir: None, system_dirs: false, cache_dir: Some(cache), hub, ..LoadOptions::default() }
    }

    #[test]
    fn without_data_the_quick_profile_runs_samples_under_their_own_names() {
        let plan = expand(find("table1", Kind::Table).unwrap(), &choices(Profile::Quick), &nowhere()).unwrap();
        let labels: Vec<_> = plan.columns.iter().map(|c| c.label.as_str()).collect();
        assert!(labels.contains(&"mnist-sample"), "{labels:?}");
        for (i, column) in plan.columns.iter().enumerate() {
            // The first row, BP, whose one epoch is enough.
            let runs = plan.cells[i].specs.len();
            assert_eq!(runs > 0, column.label.ends_with("sample"), "{}", column.label);
            assert!(plan.cells[i].specs.iter().all(|s| s.dataset.ends_with("-sample")));
            assert_eq!(plan.cells[i].quoted.is_some(), !column.label.ends_with("sample"), "{}", column.label);
        }
        let plan = expand(find("table1", Kind::Table).unwrap(), &choices(Profile::Paper), &nowhere()).unwrap();
        assert!(plan.cells.iter().all(|cell| cell.specs.is_empty() && cell.missing.is_some()));
    }

    #[test]
    fn a_rule_that_cannot_run_on_a_network_says_so_in_its_cell() {
        let text = r#"
            name = "table9"
            kind = "table"
            title = "TP and BP on convolutions"
            [[rows]]
            label = "TP"
            rule = { name = "dtp", difference = false }
            [[rows]]
            label = "BP"
            rule = { name = "bp" }
            [[columns]]
            label = "sample"
            dataset = "mnist-sample"
            network = { name = "cnn-1" }
            profile.quick = { epochs = 9, seeds = 9, on_flex = { epochs = 1, seeds = 2, network = { width = 8 } } }
            [[columns]]
            label = "later"
            dataset = "one-day"
            network = { name = "cnn-1" }
            missing = "one day"
            profile.quick = { epochs = 1, seeds = 1 }
        "#;
        let plan = expand(toml::from_str(text).unwrap(), &choices(Profile::Quick), &nowhere()).unwrap();
        let labels: Vec<_> = plan.columns.iter().map(|c| c.label.as_str()).collect();
        assert_eq!(labels, ["sample (width 8)", "later"]);
        let [tp, tp_later, bp, bp_later] = plan.cells.as_slice() else { panic!("{} cells", plan.cells.len()) };
        assert!(tp.specs.is_empty() && tp.missing.as_ref().unwrap().contains("cannot run on this network"));
        assert_eq!((bp.specs.len(), bp.specs[0].network.width, bp.missing.as_ref()), (2, Some(8), None));
        assert!([tp_later, bp_later].iter().all(|cell| cell.missing.as_deref() == Some("one day")));
    }

    #[test]
    fn a_damaged_data_set_empties_its_cells_and_not_the_table() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["imagenette-160", "imagenette-320"] {
            let below = folder.path().join(&datasets::manifest(name).unwrap().folder);
            std::fs::create_dir_all(below.join("train")).unwrap();
            std::fs::create_dir_all(below.join("val")).unwrap();
            let column = |label: &str, dataset: &str| {
                format!(
                    "[[columns]]\nlabel = '{label}'\ndataset = '{dataset}'\nnetwork = {{ name = 'mlp-2x800' }}\n\
                     profile.quick = {{ epochs = 1, seeds = 1 }}\n"
                )
            };
            let rows = "name = 'x'\nkind = 'table'\ntitle = 'x'\n[[rows]]\nlabel = 'BP'\nrule = { name = 'bp' }\n";
            let text = format!("{rows}{}{}", column("damaged", name), column("sound", "mnist-sample"));
            let data = LoadOptions { data_dir: Some(folder.path().to_owned()), ..nowhere() };
            let plan = expand(toml::from_str(&text).unwrap(), &choices(Profile::Quick), &data).unwrap();
            let [damaged, sound] = plan.cells.as_slice() else { panic!("{} cells", plan.cells.len()) };
            let reason = damaged.missing.as_deref().unwrap();
            assert!(damaged.specs.is_empty() && reason.contains(name) && reason.contains("lacks"), "{reason}");
            assert_eq!((sound.specs.len(), sound.missing.as_ref()), (1, None));
            assert_eq!(sound.specs[0].data_digest, None, "an embedded sample keeps its name");
        }
    }

    #[test]
    fn a_sweep_has_one_column_a_value_and_leaves_reference_rows_alone() {
        let plan =
            expand(find("ablation_projection", Kind::Sweep).unwrap(), &choices(Profile::Quick), &nowhere()).unwrap();
        let values: Vec<f64> = plan.columns.iter().filter_map(|c| c.value).collect();
        assert!(values.len() >= 4);
        let sll = plan.experiment.rows.iter().position(|r| !r.fixed).unwrap();
        let ids = |row: usize| -> std::collections::HashSet<String> {
            let n = plan.columns.len();
            plan.cells[row * n..(row + 1) * n].iter().flat_map(|c| c.specs.iter().map(RunSpec::id)).collect()
        };
        let fixed = plan.experiment.rows.iter().position(|r| r.fixed).unwrap();
        assert!(ids(sll).len() > ids(fixed).len());
    }
}
