//! Which runs are meant.

use crate::error::{Error, Result};
use crate::experiment::{Choices, Kind, Profile, catalogue, expand, parse};
use crate::record::RunResult;
use crate::spec::{DeviceName, RunSpec};
use crate::suggest::did_you_mean;
use clap::Args;
use datasets::LoadOptions;
use std::collections::BTreeSet;

/// Runs that have all of what is given.
#[derive(Args, Debug)]
pub struct Filter {
    /// Only of this rule, by its name in specs or its title in tables (repeatable).
    #[arg(long = "rule", value_name = "RULE")]
    rules: Vec<String>,
    /// Only on this data set.
    #[arg(long, value_name = "NAME")]
    dataset: Option<String>,
    /// Only of this network.
    #[arg(long, value_name = "NAME")]
    network: Option<String>,
    /// Only those that this table or sweep, or .toml file of one, asks for in some profile, whatever their seed.
    #[arg(long, value_name = "NAME")]
    experiment: Option<String>,
    /// Only on this device.
    #[arg(long)]
    device: Option<DeviceName>,
}

impl Filter {
    /// Whether anything is asked for.
    pub fn is_given(&self) -> bool {
        let Self { rules, dataset, network, experiment, device } = self;
        let texts = [dataset, network, experiment];
        !rules.is_empty() || device.is_some() || texts.iter().any(|text| text.is_some())
    }

    /// Finds what is asked for and no run of `all` has.
    pub fn check(&self, all: &[RunResult]) -> Result<()> {
        let Self { rules, dataset, network, device, .. } = self;
        let values = |of: fn(&RunResult) -> Vec<String>| all.iter().flat_map(of).collect::<BTreeSet<String>>();
        let known = [
            (
                "rule",
                rules.iter().collect::<Vec<_>>(),
                values(|run| vec![run.spec.rule.name().into(), run.spec.rule.title()]),
            ),
            ("dataset", dataset.iter().collect(), values(|run| vec![run.spec.dataset.clone()])),
            ("network", network.iter().collect(), values(|run| vec![run.spec.network.name.clone()])),
            ("device", vec![], values(|run| vec![run.spec.device.to_string()])),
        ];
        let device = device.map(|device| device.to_string());
        for (flag, mut asked, there) in known {
            asked.extend(device.iter().filter(|_| flag == "device"));
            let lacking = |word: &&&String| !there.iter().any(|known| known.eq_ignore_ascii_case(word));
            if let Some(word) = asked.iter().find(lacking).filter(|_| !all.is_empty()) {
                let (list, alike) =
                    (there.iter().map(String::as_str), did_you_mean(word, there.iter().map(String::as_str)));
                return Err(Error::Input(format!(
                    "--{flag} {word}: no run in the store has it; there are {}{alike}",
                    list.map(|known| format!("`{known}`")).collect::<Vec<_>>().join(", ")
                )));
            }
        }
        Ok(())
    }

    /// The filter, with what an experiment asks for worked out once.
    pub fn prepared(&self) -> Result<impl Fn(&RunResult) -> bool + '_> {
        let planned = self.experiment.as_deref().map(planned).transpose()?;
        let is = |wanted: &Option<String>, found: &str| {
            wanted.as_ref().is_none_or(|wanted| wanted.eq_ignore_ascii_case(found))
        };
        Ok(move |run: &RunResult| {
            let spec = &run.spec;
            let (name, title) = (spec.rule.name(), spec.rule.title());
            let called = |rule: &String| rule.eq_ignore_ascii_case(name) || rule.eq_ignore_ascii_case(&title);
            (self.rules.is_empty() || self.rules.iter().any(called))
                && is(&self.dataset, &spec.dataset)
                && is(&self.network, &spec.network.name)
                && self.device.is_none_or(|device| device == spec.device)
                && planned.as_ref().is_none_or(|planned| planned.contains(&whatever_seed(spec)))
        })
    }
}

/// A spec without what the command line may change of it, or the data's place.
fn whatever_seed(spec: &RunSpec) -> RunSpec {
    let mut spec =
        RunSpec { seed: 0, data_digest: None, allow_unverified: false, device: DeviceName::Flex, ..spec.clone() };
    spec.recipe.epochs = 1;
    spec
}

/// Every run that the experiment asks for in some profile.
fn planned(name: &str) -> Result<Vec<RunSpec>> {
    let (text, origin) = catalogue::read(name, &Kind::TRAINING)?;
    let experiment = parse(&text, &origin)?;
    let (mut specs, mut wrong) = (Vec::new(), None);
    for profile in [Profile::Quick, Profile::Short, Profile::Paper] {
        for device in [DeviceName::Flex, DeviceName::CpuTch] {
            let choices = Choices {
                profile,
                device,
                seeds: Some(1),
                epochs: None,
                allow_unverified: false,
                assume_present: true,
            };
            // A sweep may have data in some profiles only.
            match expand(experiment.clone(), &choices, &LoadOptions::default()) {
                Ok(plan) => specs.extend(plan.cells.iter().flat_map(|cell| &cell.specs).map(whatever_seed)),
                Err(error) => wrong = wrong.or(Some(error)),
            }
        }
    }
    match wrong {
        Some(error) if specs.is_empty() => Err(error),
        _ => Ok(specs),
    }
}
