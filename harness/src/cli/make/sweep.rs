//! A sweep: one by name, one from a file, or one that the command line describes.

use super::args::MakeArgs;
use super::whole::{called, make};
use crate::cli::spec_args::SpecArgs;
use crate::error::{Error, Result};
use crate::experiment::{Amount, Column, Experiment, Kind, Parameter, Row, Sweep, find};
use crate::spec::{DeviceName, Request, RunSpec, full_key, name_dataset, values};
use clap::Args;
use std::collections::BTreeMap;

/// Options of sweeps.
#[derive(Args, Debug)]
pub struct SweepArgs {
    /// Its name (below), or a .toml file of the same form, as docs/formats.md describes it. Without it the sweep is of
    /// --over.
    name: Option<String>,
    /// Sweep this key of a run over these values, like rule.align_weight=0,0.3,1; given twice, over every pair.
    #[arg(long, value_name = "KEY=VALUES", conflicts_with = "name")]
    over: Vec<String>,
    /// With --over: the sweep's name, also of its folder.
    #[arg(long = "as", value_name = "NAME", requires = "over")]
    called: Option<String>,
    #[command(flatten)]
    spec: SpecArgs,
    #[command(flatten)]
    make: MakeArgs,
}

/// Makes the sweep.
pub fn sweep(args: SweepArgs) -> Result<()> {
    let device: Option<DeviceName> = args.spec.device.as_deref().map(str::parse).transpose()?;
    match &args.name {
        Some(_) if args.spec.is_given() => Err(Error::Input(
            "a sweep by name has its own settings; give --over KEY=VALUES in place of the name to describe one".into(),
        )),
        Some(name) => make(find(name, &[Kind::Sweep])?, &called(name), device, args.spec.epochs, &args.make),
        None if args.over.is_empty() => Err(Error::Input(
            "name a sweep, a .toml file, or what to sweep with --over KEY=VALUES, like --over network.width=50,100"
                .into(),
        )),
        // Its epochs are its own, not other ones than some profile's.
        None => described(&args).and_then(|(experiment, words)| make(experiment, &words, device, None, &args.make)),
    }
}

/// The sweep that the command line describes, and how.
fn described(args: &SweepArgs) -> Result<(Experiment, String)> {
    if args.over.len() > 2 {
        return Err(Error::Input("--over: one parameter, or two for every pair of their values".into()));
    }
    if args.spec.seed.is_some() {
        return Err(Error::Input("--seed: a sweep runs the seeds 0, 1, ...; --seeds N says how many".into()));
    }
    let (mut table, origin) = args.spec.table(Vec::new())?;
    name_dataset(&mut table, &args.make.select.data.load_options()?)?;
    let spec = RunSpec::from_table(table.clone(), &origin)?;
    let parameters: Vec<Parameter> = args.over.iter().map(|over| parameter(over)).collect::<Result<_>>()?;
    let partial = parameters.iter().map(|of| &of.parameter).filter(|key| !key.contains('.'));
    if let Some((key, full)) = partial.filter_map(|key| Some((key, full_key(&table, key)?))).next() {
        return Err(Error::Input(format!("--over {key}: write the whole key, `{full}`")));
    }
    let mut part = |key: &str| table.remove(key).and_then(|part| part.as_table().cloned()).unwrap_or_default();
    let (rule, network, recipe) = (part("rule"), part("network"), part("recipe"));
    let keys: Vec<&str> = parameters.iter().map(|parameter| parameter.parameter.as_str()).collect();
    let name = args.called.clone().unwrap_or_else(|| {
        let last = |key: &&str| key.rsplit('.').next().unwrap_or_default().to_string();
        // With the beginning of the other settings' digest: another sweep of the same keys has another folder.
        let base = spec.with_seed(0).id();
        format!("{}-{}-{}", spec.rule.name(), keys.iter().map(last).collect::<Vec<_>>().join("-"), &base[..4])
    });
    let amount =
        Amount { epochs: spec.recipe.epochs, seeds: 1, train_limit: None, network: toml::Table::new(), on_flex: None };
    let mut parameters = parameters.into_iter();
    let Parameter { parameter, label, values } = parameters.next().expect("one at least");
    let row = |label: String| Row {
        label,
        rule: Some(rule.clone()),
        recipe: toml::Table::new(),
        network: toml::Table::new(),
        on: BTreeMap::new(),
        missing: None,
        fixed: false,
        authors: None,
    };
    let column = Column {
        label: spec.dataset.clone(),
        dataset: spec.dataset.clone(),
        sample: None,
        quoted: None,
        network,
        recipe,
        profile: ["quick", "short", "paper"].map(|profile| (profile.to_string(), amount.clone())).into(),
        missing: None,
    };
    let experiment = Experiment {
        title: format!("{} on {}: {}", spec.rule.title(), spec.dataset, args.over.join(" and ")),
        name,
        paper: None,
        kind: Kind::Sweep,
        notes: Vec::new(),
        reading: BTreeMap::new(),
        reference: None,
        rows: vec![row(spec.rule.title())],
        columns: vec![column],
        sweep: Some(Sweep { parameter, label, values, and: parameters.next() }),
        origin: "--over".into(),
    };
    experiment.validate()?;
    let quoted = |text: &String| format!(" --over '{text}'");
    let words = format!("{}{}", args.spec.words(), args.over.iter().map(quoted).collect::<String>());
    Ok((experiment, words.trim_start().to_string()))
}

/// `rule.align_weight=0,0.3,1`.
fn parameter(over: &str) -> Result<Parameter> {
    let wrong = || Error::Input(format!("--over {over}: write it as KEY=VALUE,VALUE,..., like network.width=50,100"));
    let (key, text) = over.split_once('=').ok_or_else(wrong)?;
    let values = values(text).filter(|_| !key.is_empty()).ok_or_else(wrong)?;
    Ok(Parameter { parameter: key.to_string(), label: key.to_string(), values })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_split_outside_of_brackets_and_mistakes_say_how_to_write_it() {
        let parameter = parameter("rule.x=0,0.3,[1, 2],fan_in").unwrap();
        let expected = [0.into(), 0.3.into(), vec![1, 2].into(), "fan_in".into()];
        assert_eq!((parameter.parameter.as_str(), parameter.values), ("rule.x", expected.to_vec()));
        for wrong in ["rule.x", "=1", "rule.x=", "rule.x=1,,2", "rule.x=1,"] {
            assert!(super::parameter(wrong).unwrap_err().to_string().contains("KEY=VALUE"), "{wrong}");
        }
    }
}
