//! From an experiment to the runs of its cells.

use super::authors::Authors;
use super::catalogue::Kind;
use super::choices::Choices;
use super::settle::{Settled, settle};
use super::table::{Experiment, Parameter, Row, Sweep, shown};
use crate::error::{Error, Result};
use crate::paper::{self, Quoted};
use crate::record::facts;
use crate::spec::{RunSpec, merge, own_settings, set};
use datasets::LoadOptions;
use std::collections::BTreeSet;
use toml::{Table, Value};

/// An experiment with its runs.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The experiment.
    pub experiment: Experiment,
    /// The columns that are there, with labels that name samples as samples.
    pub columns: Vec<PlannedColumn>,
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
        let reasons: BTreeSet<&str> = cells.filter_map(|(cell, _)| cell.missing.as_deref()).collect();
        reasons.into_iter().collect()
    }
}

/// A column.
#[derive(Clone, Debug)]
pub struct PlannedColumn {
    /// Its heading.
    pub label: String,
    /// The value of each swept parameter.
    pub values: Vec<Value>,
}

impl PlannedColumn {
    /// The swept value, where columns are values of one number.
    pub fn number(&self) -> Option<f64> {
        match self.values.as_slice() {
            [value] => value.as_float().or_else(|| value.as_integer().map(|i| i as f64)),
            _ => None,
        }
    }
}

/// One cell before its runs are made.
#[derive(Clone, Debug, Default)]
pub struct PlannedCell {
    /// Its runs, one a seed.
    pub specs: Vec<RunSpec>,
    /// The paper's number; of a calibration the authors'.
    pub quoted: Option<Quoted>,
    /// Of a calibration: all that the rule's authors have.
    pub authors: Option<Authors>,
    /// Why there is nothing to run.
    pub missing: Option<String>,
}

/// Decides on data, column by column, and writes down every run.
pub fn expand(mut experiment: Experiment, choices: &Choices, data: &LoadOptions) -> Result<Plan> {
    let own = experiment.rows.iter_mut().filter_map(|row| row.authors.as_mut()?.setting.as_deref_mut());
    for column in experiment.columns.iter_mut().filter(|column| column.missing.is_none()).chain(own) {
        column.dataset.clone_from(&datasets::resolve(&column.dataset, data)?.name);
    }
    known_columns(&experiment)?;
    if experiment.kind == Kind::Calibration {
        return calibrated(experiment, choices, data);
    }
    let mut lines = Vec::new();
    let mut settled = Vec::new();
    for column in &experiment.columns {
        settled.extend(settle(column, choices, data, &mut lines)?);
    }
    if experiment.kind == Kind::Sweep && settled.iter().any(|column| column.missing.is_none()) {
        // The sample stands in for what is missing; a sweep has no second column for the reason.
        settled.retain(|column| column.missing.is_none());
    }
    if experiment.kind == Kind::Sweep && settled.len() > 1 {
        let labels: Vec<&str> = settled.iter().map(|column| column.label.as_str()).collect();
        return Err(Error::Input(format!(
            "{}: a sweep has one data set in a profile, and columns {} all have runs in {}; take `profile.{2}` from \
             all but one, or make a file for each",
            experiment.origin,
            labels.join(", "),
            choices.profile.name()
        )));
    }
    let parameters = experiment.sweep.as_ref().map_or_else(Vec::new, Sweep::parameters);
    let points = points(&parameters);
    let pairs = || settled.iter().flat_map(|column| points.iter().map(move |values| (column, values)));
    let label = |column: &Settled, values: &[Value]| match values {
        [] => column.label.clone(),
        values => values.iter().map(shown).collect::<Vec<_>>().join(", "),
    };
    let columns = pairs()
        .map(|(column, values)| PlannedColumn { label: label(column, values), values: values.clone() })
        .collect();
    let mut cells = Vec::new();
    for row in &experiment.rows {
        for (column, values) in pairs() {
            let values = if row.fixed { &[] } else { values.as_slice() };
            cells.push(cell(&experiment, row, column, parameters.iter().zip(values), choices)?);
        }
    }
    if let (Kind::Sweep, [only]) = (experiment.kind, settled.as_slice()) {
        lines.push(format!("swept on {}", only.label));
    }
    Ok(Plan { columns, cells, choices: lines, experiment })
}

/// The plan of a calibration: one column, and each row's run in the row's own setting.
fn calibrated(experiment: Experiment, choices: &Choices, data: &LoadOptions) -> Result<Plan> {
    let mut lines = Vec::new();
    let mut cells = Vec::new();
    for row in &experiment.rows {
        let authors = row.authors.clone();
        let setting = authors.as_ref().and_then(|authors| authors.setting.as_deref());
        let settled = match setting {
            Some(setting) => settle(setting, choices, data, &mut lines)?.into_iter().next(),
            None => None,
        };
        let planned = match &settled {
            Some(settled) => cell(&experiment, row, settled, std::iter::empty(), choices)?,
            None => {
                let nothing = || format!("it has no runs in the profile {}", choices.profile.name());
                PlannedCell { missing: Some(row.missing.clone().unwrap_or_else(nothing)), ..PlannedCell::default() }
            }
        };
        let quoted = authors.as_ref().and_then(|authors| quoted(authors, &planned));
        cells.push(PlannedCell { quoted, authors, ..planned });
    }
    let mut once = BTreeSet::new();
    lines.retain(|line| once.insert(line.clone()));
    let columns = vec![PlannedColumn { label: "authors' setting".into(), values: Vec::new() }];
    Ok(Plan { columns, cells, choices: lines, experiment })
}

/// The authors' number beside the runs of `planned`, or of the whole recipe where there are none.
fn quoted(authors: &Authors, planned: &PlannedCell) -> Option<Quoted> {
    let spec = planned.specs.first();
    let theirs = authors.beside(spec.map_or_else(|| authors.epochs(), |spec| Some(spec.recipe.epochs))?)?;
    let network = spec.map_or(String::new(), |spec| facts::in_words(&facts::network(&spec.network)));
    Some(Quoted { mean: theirs.mean, std: theirs.std, network, note: Some(theirs.source.clone()) })
}

/// What a row changes in a column is of a column that is there.
fn known_columns(experiment: &Experiment) -> Result<()> {
    let labels: Vec<&str> = experiment.columns.iter().map(|column| column.label.as_str()).collect();
    for row in &experiment.rows {
        if let Some(wrong) = row.on.keys().find(|name| !labels.contains(&name.as_str())) {
            let Experiment { origin, .. } = experiment;
            let (row, known) = (&row.label, labels.join(", "));
            return Err(Error::Input(format!("{origin}: row {row}, `on.\"{wrong}\"`: the columns are {known}")));
        }
    }
    Ok(())
}

/// Every combination of the parameters' values, the last one's fastest; a single empty one without parameters.
fn points(parameters: &[Parameter]) -> Vec<Vec<Value>> {
    parameters.iter().fold(vec![Vec::new()], |points, parameter| {
        let with = |point: &Vec<Value>, value: &Value| point.iter().chain([value]).cloned().collect();
        points
            .iter()
            .flat_map(|point| parameter.values.iter().map(|value| with(point, value)).collect::<Vec<_>>())
            .collect()
    })
}

fn cell<'a>(
    experiment: &Experiment,
    row: &Row,
    column: &Settled,
    swept: impl Iterator<Item = (&'a Parameter, &'a Value)>,
    choices: &Choices,
) -> Result<PlannedCell> {
    let name = column.column.quoted.as_deref().filter(|_| column.quoted);
    let quoted = name.and_then(|name| paper::quoted(experiment.paper(), name, &row.label));
    let here = row.on.get(&column.column.label).cloned().unwrap_or_default();
    let missing = [&row.missing, &here.missing, &column.missing].into_iter().flatten().next().cloned();
    let (Some(rule), Some(amount), None) = (&row.rule, &column.amount, &missing) else {
        return Ok(PlannedCell { quoted, missing, ..PlannedCell::default() });
    };
    let mut base = Table::new();
    base.insert("dataset".into(), column.dataset.clone().into());
    base.insert("device".into(), choices.device.to_string().into());
    base.insert("allow_unverified".into(), column.unverified.into());
    if let Some(digest) = &column.digest {
        base.insert("data_digest".into(), digest.clone().into());
    }
    if let Some(settings) = own_settings(&column.dataset)? {
        base.insert("data_settings".into(), settings.into());
    }
    let mut rule = rule.clone();
    merge(&mut rule, &here.rule);
    base.insert("rule".into(), rule.into());
    let mut network = column.column.network.clone();
    merge(&mut network, &amount.network);
    merge(&mut network, &row.network);
    merge(&mut network, &here.network);
    base.insert("network".into(), network.into());
    let mut recipe = column.column.recipe.clone();
    merge(&mut recipe, &row.recipe);
    merge(&mut recipe, &here.recipe);
    recipe.insert("epochs".into(), (choices.epochs.unwrap_or(amount.epochs) as i64).into());
    if let Some(limit) = amount.train_limit {
        recipe.insert("train_limit".into(), (limit as i64).into());
    }
    base.insert("recipe".into(), recipe.into());
    for (parameter, value) in swept {
        set(&mut base, &parameter.parameter, value.clone())?;
    }
    let specs = (0..choices.seeds.unwrap_or(amount.seeds)).map(|seed| {
        let mut table = base.clone();
        table.insert("seed".into(), (seed as i64).into());
        RunSpec::from_table(table, &format!("{}, row {}, column {}", experiment.origin, row.label, column.label))
    });
    let specs: Vec<RunSpec> = specs.collect::<Result<_>>()?;
    match specs.first().map(RunSpec::unsupported).transpose()?.flatten() {
        Some(reason) => Ok(PlannedCell { quoted, missing: Some(reason), ..PlannedCell::default() }),
        None => Ok(PlannedCell { specs, quoted, ..PlannedCell::default() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::catalogue::names;
    use crate::experiment::{Profile, find};
    use crate::spec::{DeviceName, Request};
    use baselines::Usual;
    use sll_core::layer::Activation;

    fn choices(profile: Profile) -> Choices {
        Choices {
            profile,
            device: DeviceName::Flex,
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
        let plan = expand(find("table1", &[Kind::Table]).unwrap(), &choices(Profile::Quick), &nowhere()).unwrap();
        let labels: Vec<_> = plan.columns.iter().map(|c| c.label.as_str()).collect();
        assert!(labels.contains(&"mnist-sample"), "{labels:?}");
        for (i, column) in plan.columns.iter().enumerate() {
            // The first row, BP, whose one epoch is enough.
            let runs = plan.cells[i].specs.len();
            assert_eq!(runs > 0, column.label.ends_with("sample"), "{}", column.label);
            assert!(plan.cells[i].specs.iter().all(|s| s.dataset.ends_with("-sample")));
            assert_eq!(plan.cells[i].quoted.is_some(), !column.label.ends_with("sample"), "{}", column.label);
        }
        let plan = expand(find("table1", &[Kind::Table]).unwrap(), &choices(Profile::Paper), &nowhere()).unwrap();
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
    fn a_row_changes_what_one_column_runs() {
        let text = r#"
            name = "table9"
            kind = "table"
            title = "BP"
            [[rows]]
            label = "BP"
            rule = { name = "bp" }
            network = { dropout = 0.1 }
            on."second" = { network = { dropout = 0.3 }, recipe = { lr = 0.5 }, rule = { name = "fa" } }
            [[columns]]
            label = "first"
            dataset = "mnist-sample"
            network = { name = "mlp-2x800" }
            recipe = { lr = 0.25 }
            profile.quick = { epochs = 1, seeds = 1 }
            [[columns]]
            label = "second"
            dataset = "mnist-sample"
            network = { name = "mlp-2x800" }
            profile.quick = { epochs = 1, seeds = 1 }
        "#;
        let plan = expand(toml::from_str(text).unwrap(), &choices(Profile::Quick), &nowhere()).unwrap();
        let found: Vec<_> = plan.cells.iter().map(|cell| &cell.specs[0]).collect();
        let of = |spec: &RunSpec| (spec.rule.name(), spec.network.dropout, spec.recipe.lr);
        assert_eq!((of(found[0]), of(found[1])), (("bp", 0.1, 0.25), ("fa", 0.3, 0.5)));
        let without = text.replace("on.\"second\" = {", "on.\"second\" = { missing = \"too few blocks\",");
        let plan = expand(toml::from_str(&without).unwrap(), &choices(Profile::Quick), &nowhere()).unwrap();
        let missing: Vec<_> = plan.cells.iter().map(|cell| (cell.specs.len(), cell.missing.as_deref())).collect();
        assert_eq!(missing, [(1, None), (0, Some("too few blocks"))]);
        let wrong = text.replace("on.\"second\"", "on.\"third\"");
        let error = expand(toml::from_str(&wrong).unwrap(), &choices(Profile::Quick), &nowhere()).unwrap_err();
        assert!(error.to_string().contains("row BP, `on.\"third\"`: the columns are first, second"), "{error}");
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
    fn every_built_in_experiment_can_be_asked_for_at_the_papers_sizes() {
        // Feedback between whole maps of 160 x 160 pixels is 47 GB: asking whether a rule can run may not make it.
        let of = |name, profile| {
            let device = DeviceName::CpuTch;
            let choices = Choices { assume_present: true, epochs: None, device, ..choices(profile) };
            expand(find(name, &Kind::TRAINING).unwrap(), &choices, &nowhere()).unwrap()
        };
        for name in names(&Kind::TRAINING) {
            let plans = [Profile::Short, Profile::Paper].map(|profile| of(name, profile));
            assert!(plans.iter().flat_map(|plan| &plan.cells).any(|cell| !cell.specs.is_empty()), "{name}");
        }
    }

    #[test]
    fn rows_run_the_rules_that_they_are_called_in_the_form_that_these_want() {
        let of = |name: &str| {
            // In one epoch SoftHebb would only prepare.
            let choices = Choices { assume_present: true, epochs: None, ..choices(Profile::Paper) };
            expand(find(name, &Kind::TRAINING).unwrap(), &choices, &nowhere()).unwrap()
        };
        // What the paper cites for its row TP, Lee et al. 2015, is the difference rule.
        let plan = of("table1");
        let row = plan.experiment.rows.iter().position(|row| row.label == "TP").unwrap();
        let (columns, mut seen) = (plan.columns.len(), 0);
        for spec in plan.cells[row * columns..(row + 1) * columns].iter().flat_map(|cell| &cell.specs) {
            let found = (spec.rule.title(), spec.network.activation, spec.network.dropout);
            assert_eq!(found, ("DTP".into(), Activation::Tanh, 0.0));
            seen += 1;
        }
        assert!(seen > 0);
        let mut particular = std::collections::HashSet::new();
        for spec in of("table2").cells.iter().flat_map(|cell| &cell.specs) {
            let usual = spec.rule.usual();
            if (usual.activation, usual.batch_norm) != (Usual::default().activation, Usual::default().batch_norm) {
                let found = (spec.network.activation, spec.network.batch_norm);
                assert_eq!(found, (usual.activation, usual.batch_norm), "{}", spec.rule.title());
                particular.insert(spec.rule.name());
            }
        }
        assert!(["softhebb", "tff"].iter().all(|name| particular.contains(name)), "{particular:?}");
    }

    #[test]
    fn the_sample_stands_in_for_a_sweeps_missing_data() {
        let of = |profile| expand(find("figure4b", &[Kind::Sweep]).unwrap(), &choices(profile), &nowhere()).unwrap();
        let (quick, short) = (of(Profile::Quick), of(Profile::Short));
        assert!(quick.cells.iter().all(|cell| cell.specs.iter().all(|spec| spec.dataset == "fashion-mnist-sample")));
        assert!(quick.cells.iter().all(|cell| !cell.specs.is_empty() && cell.missing.is_none()));
        assert!(short.cells.iter().all(|cell| cell.specs.is_empty() && cell.missing.is_some()));
    }

    #[test]
    fn a_sweep_has_one_column_a_value_and_leaves_reference_rows_alone() {
        let plan =
            expand(find("ablation_projection", &[Kind::Sweep]).unwrap(), &choices(Profile::Quick), &nowhere()).unwrap();
        let values: Vec<f64> = plan.columns.iter().filter_map(PlannedColumn::number).collect();
        assert!(values.len() >= 4);
        let sll = plan.experiment.rows.iter().position(|r| !r.fixed).unwrap();
        let ids = |row: usize| -> std::collections::HashSet<String> {
            let n = plan.columns.len();
            plan.cells[row * n..(row + 1) * n].iter().flat_map(|c| c.specs.iter().map(Request::id)).collect()
        };
        let fixed = plan.experiment.rows.iter().position(|r| r.fixed).unwrap();
        assert!(ids(sll).len() > ids(fixed).len());
    }
}
