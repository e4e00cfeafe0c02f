//! What a process of this program can be asked for, described completely: a training run or a weighing of one step.

mod data;
mod device;
mod layers;
mod recipe;
mod run;
mod typed;
mod weighing;

pub(crate) use data::{name_dataset, own_settings, unpublished};
pub use device::DeviceName;
pub(crate) use layers::full_key;
pub use layers::{assemble, merge, set, values};
pub use recipe::{Inputs, Recipe};
pub(crate) use run::MOST_EPOCHS;
pub use run::{RunSpec, SmallData};
pub(crate) use typed::typed;
pub use weighing::MemorySpec;

use crate::error::{Error, Result};
use baselines::RuleSpec;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};
use sll_core::optim::{OptimizerConfig, OptimizerKind};
use sll_core::rule::LearningRule;
use sll_core::{Network, NetworkSpec, Precision};
use std::ffi::OsString;

/// A request: described by a spec, named by its digest, made by a process of its own, kept as one JSON file.
///
/// ```
/// use harness::spec::{Request, RunSpec};
///
/// let text = "dataset = \"mnist-sample\"\nnetwork = { name = \"mlp-2x800\" }\nrule = { name = \"sll\" }";
/// let spec = RunSpec::from_toml(text, "my.toml")?;
/// // The name is the content's: the whole spec, with what the text leaves to defaults, has the same.
/// assert_eq!(RunSpec::from_toml(&spec.to_toml(), "again")?.id(), spec.id());
/// assert_ne!(spec.with_seed(1).id(), spec.id());
/// # Ok::<(), harness::error::Error>(())
/// ```
pub trait Request: Clone + PartialEq + Serialize + DeserializeOwned + Send {
    /// What it leaves.
    type Record: Clone + PartialEq + Serialize + DeserializeOwned;
    /// Its folder under the results.
    const FOLDER: &'static str;
    /// The subcommand that makes one.
    const SUBCOMMAND: &'static str;
    /// What one is called.
    const NOUN: &'static str;

    /// Its name.
    fn id(&self) -> String;
    /// The spec as TOML.
    fn to_toml(&self) -> String {
        toml::to_string(self).expect("a spec is plain data")
    }
    /// What the process that makes it is told beside the spec.
    fn arguments(&self) -> Vec<OsString> {
        Vec::new()
    }
    /// Threads of the process that makes it, where the numbers depend on them.
    fn threads(&self) -> Option<usize>;
    /// The name that a record tells, and the one that its spec gives.
    fn names(record: &Self::Record) -> (&str, String);
    /// What is said when it is done; nothing of one that has said it all along.
    fn summary(record: &Self::Record) -> Option<String>;
}

/// No step has this many samples: ImageNet has fewer than twice as many.
pub(crate) const MOST_SAMPLES: usize = 1_000_000;
/// A width that every named network can have: a multiple of every transformer's heads.
const NARROW: usize = 24;
/// The sides of images that are quick to build for: what a rule keeps of whole maps grows with their fourth power.
const SMALL: usize = 32;

/// Checks that a count lies between `least` and `most`, so that nothing that is made of it leaves its type.
pub(crate) fn within(key: &str, value: usize, least: usize, most: usize) -> Result<()> {
    match value {
        value if value < least => Err(Error::Input(format!("`{key}` = {value}: must be at least {least}"))),
        value if value > most => Err(Error::Input(format!("`{key}` = {value}: must be at most {most}"))),
        _ => Ok(()),
    }
}

/// Refuses numbers that are none, wherever they stand: JSON has none, and no setting means anything by them.
fn finite(path: &str, value: &toml::Value) -> Result<()> {
    let inner = |key: &str| if path.is_empty() { key.to_string() } else { format!("{path}.{key}") };
    match value {
        toml::Value::Float(number) if !number.is_finite() => {
            Err(Error::Input(format!("`{path}` = {number}: must be a finite number")))
        }
        toml::Value::Array(values) => values.iter().try_for_each(|value| finite(path, value)),
        toml::Value::Table(table) => table.iter().try_for_each(|(key, value)| finite(&inner(key), value)),
        _ => Ok(()),
    }
}

/// The name of plain data: the first 16 hex digits of the SHA-256 of its JSON.
pub fn name_of(content: &impl Serialize) -> String {
    let canonical = serde_json::to_string(content).expect("a spec is plain data");
    Sha256::digest(canonical).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// Takes a rule's name whatever its case, and its title in tables (`predsim`, `usf`, `SLL7+`) for the settings it
/// stands for.
pub(crate) fn name_rule(rule: &mut toml::Table) {
    let Some(toml::Value::String(name)) = rule.get_mut("name") else { return };
    *name = name.to_lowercase();
    let mut known = baselines::rules().iter();
    if known.clone().any(|info| info.settings.name() == name.as_str()) {
        return;
    }
    let titled = known.find(|info| info.title.eq_ignore_ascii_case(name)).map(|info| info.settings);
    let Some(settings) = titled.or_else(|| with_units(name)) else { return };
    rule.remove("name");
    let settings = toml::Table::try_from(settings).expect("plain data");
    settings.into_iter().for_each(|(key, value)| {
        rule.entry(key).or_insert(value);
    });
}

/// The rule whose title says its number of units, like `SLL7+`.
fn with_units(title: &str) -> Option<RuleSpec> {
    let numbered = title.strip_suffix('+')?;
    let name = numbered.trim_end_matches(|c: char| c.is_ascii_digit());
    let units: i64 = numbered[name.len()..].parse().ok()?;
    let settings: toml::Table = [("name".into(), name.into()), ("units".into(), units.into())].into_iter().collect();
    settings.try_into().ok().filter(|spec: &RuleSpec| spec.title().eq_ignore_ascii_case(title))
}

/// Checks an optimiser's settings; one that the optimiser has no use for is a mistake too.
fn check_optimizer(config: &OptimizerConfig) -> Result<()> {
    if config.momentum != 0.0 && config.kind != OptimizerKind::Sgd {
        return Err(Error::Input("`momentum` belongs to `optimizer` = \"sgd\"; leave it out for the others".into()));
    }
    config.init()?;
    Ok(())
}

/// Checks that the device has the network's number format.
fn check_precision(network: &NetworkSpec, device: DeviceName) -> Result<()> {
    match network.precision.is_single() || device != DeviceName::Flex {
        true => Ok(()),
        false => Err(Error::Input(
            "`precision` = \"bf16\": flex computes in single precision; use --device cpu-tch or cuda:N, or leave it \
             out"
            .into(),
        )),
    }
}

/// The network on flex at a width that is quick to build: for questions of kinds and numbers of layers.
fn narrow(network: &NetworkSpec, image: [usize; 3], classes: usize) -> Result<Network> {
    let spec = NetworkSpec { width: Some(NARROW), precision: Precision::F32, ..network.clone() };
    Ok(spec.build(image, classes, 0, &burn::tensor::Device::flex())?)
}

/// A narrow network with `rule` made for it, or why it cannot be: for questions of what a rule can do. Refusals go by
/// the kinds and numbers of layers, not by their width, and none but those of a network's own by images being large:
/// the rule is made for small ones first, and for the images' own only where it refuses those.
pub(crate) fn made_small(
    rule: &RuleSpec,
    network: &NetworkSpec,
    image: [usize; 3],
    classes: usize,
) -> Result<(Network, sll_core::Result<Box<dyn LearningRule>>)> {
    let mut net = narrow(network, image, classes)?;
    let small = [image[0], image[1].min(SMALL), image[2].min(SMALL)];
    if small != image
        && let Ok(mut net) = narrow(network, small, classes)
        && let Ok(made) = rule.init(&mut net, 0)
    {
        return Ok((net, Ok(made)));
    }
    let made = rule.init(&mut net, 0);
    Ok((net, made))
}

/// Why `rule` cannot run on the network, if it cannot. Other mistakes are errors.
fn refusal(
    rule: &RuleSpec,
    network: &NetworkSpec,
    image: [usize; 3],
    classes: usize,
    settings_too: bool,
) -> Result<Option<String>> {
    match made_small(rule, network, image, classes)?.1 {
        Ok(_) => Ok(None),
        Err(error @ sll_core::Error::Unsupported { .. }) => Ok(Some(error.to_string())),
        Err(error @ sll_core::Error::Setting { .. }) if settings_too => Ok(Some(error.to_string())),
        Err(error) => Err(error.into()),
    }
}
