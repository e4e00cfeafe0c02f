//! One measurement of memory, described completely: which step is weighed. Its digest is the measurement's name.

use super::{DeviceName, MOST_SAMPLES, check_optimizer, check_precision, narrow, refusal, typed, within};
use crate::error::Result;
use baselines::RuleSpec;
use serde::{Deserialize, Serialize};
use sll_core::optim::{OptimizerConfig, OptimizerKind};
use sll_core::{Cut, NetworkSpec};

/// Bounds of sizes, so that nothing that is made of them leaves its type.
const MOST_SIDE: usize = 65_536;
const MOST_CLASSES: usize = 1_000_000;
const MOST_STEPS: usize = 1_000_000;
const MOST_THREADS: usize = 65_536;

/// Everything that decides a measurement's bytes. Pixels are no part of it: how much a step holds depends on shapes,
/// not on values, so inputs are made up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MemorySpec {
    /// The network.
    pub network: NetworkSpec,
    /// Channels, height and width of an image.
    pub image: [usize; 3],
    /// Classes.
    pub classes: usize,
    /// Samples a step.
    pub batch: usize,
    /// The learning rule.
    pub rule: RuleSpec,
    /// The optimiser, whose state and temporaries count.
    #[serde(default)]
    pub optimizer: OptimizerKind,
    /// Momentum of SGD, which keeps state only with one.
    #[serde(default)]
    pub momentum: f64,
    /// Steps: the first makes the optimiser's state, the others are weighed.
    #[serde(default = "default_steps")]
    pub steps: usize,
    /// Threads of tensor operations. Each has packing buffers of its own, and only one gives the same bytes every time.
    #[serde(default = "default_threads")]
    pub threads: usize,
    /// `flex`, `cpu-tch` or `cuda:N`.
    #[serde(default)]
    pub device: DeviceName,
}

fn default_steps() -> usize {
    3
}

fn default_threads() -> usize {
    1
}

impl MemorySpec {
    /// A spec from parsed TOML; `origin` names it in errors.
    pub fn from_table(table: toml::Table, origin: &str) -> Result<Self> {
        let spec: Self = typed(table, origin)?;
        spec.validate()?;
        Ok(spec)
    }

    /// Checks what can be checked without a network.
    pub fn validate(&self) -> Result<()> {
        let sizes = [
            ("image", self.image.into_iter().min().unwrap_or(0), 1, MOST_SIDE),
            ("image", self.image.into_iter().max().unwrap_or(0), 1, MOST_SIDE),
            ("classes", self.classes, 2, MOST_CLASSES),
            ("batch", self.batch, 1, MOST_SAMPLES),
            ("steps", self.steps, 2, MOST_STEPS),
            ("threads", self.threads, 1, MOST_THREADS),
        ];
        sizes.into_iter().try_for_each(|(key, value, least, most)| within(key, value, least, most))?;
        check_optimizer(&self.optimizer())?;
        check_precision(&self.network, self.device)?;
        Ok(self.network.check_name()?)
    }

    /// The optimiser with its settings.
    pub fn optimizer(&self) -> OptimizerConfig {
        OptimizerConfig { kind: self.optimizer, momentum: self.momentum, weight_decay: 0.0 }
    }

    /// Into how many units the network can be cut at most.
    pub fn places(&self) -> Result<usize> {
        Ok(narrow(&self.network, self.image, self.classes)?.units(Cut::EveryLayer)?.len())
    }

    /// Why the rule cannot run on the network, if it cannot: one that needs other layers, or more of them.
    pub fn unsupported(&self) -> Result<Option<String>> {
        refusal(&self.rule, &self.network, self.image, self.classes, true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::Request;

    fn spec(text: &str) -> Result<MemorySpec> {
        let base = "image = [3, 8, 8]\nclasses = 10\nbatch = 4\nnetwork = { name = \"mlp-2x800\" }\n";
        MemorySpec::from_table(format!("{base}{text}").parse().unwrap(), "test.toml")
    }

    #[test]
    fn a_spec_survives_its_own_text_and_its_name_is_its_content() {
        let sll = spec("rule = { name = \"sll\", units = 2 }").unwrap();
        assert_eq!(sll, MemorySpec::from_table(sll.to_toml().parse().unwrap(), "test").unwrap());
        assert_eq!((sll.steps, sll.threads, sll.device), (3, 1, DeviceName::Flex));
        assert_ne!(sll.id(), MemorySpec { batch: 5, ..sll }.id());
    }

    #[test]
    fn a_network_that_the_images_do_not_fit_is_an_error_whatever_smaller_ones_do() {
        let vit = |side: usize| {
            let network = "network = { name = \"vit-7\", patch = 8 }\nrule = { name = \"bp\" }";
            let text = format!("image = [3, {side}, {side}]\nclasses = 10\nbatch = 4\n{network}");
            MemorySpec::from_table(text.parse().unwrap(), "test.toml").unwrap().unsupported()
        };
        assert_eq!(vit(104).unwrap(), None);
        assert!(vit(100).unwrap_err().to_string().contains("patch"));
    }

    #[test]
    fn mistakes_name_their_key() {
        let error = |text: &str| spec(text).unwrap_err().to_string();
        assert!(error("rule = { name = \"slll\" }").contains("test.toml"));
        assert!(error("rule = { name = \"bp\" }\nsteps = 1").contains("`steps` = 1: must be at least 2"));
        assert!(error("rule = { name = \"bp\" }\nmomentum = 0.9").contains("momentum"));
        assert!(error("rule = { name = \"bp\" }\nepochs = 1").contains("epochs"));
    }

    #[test]
    fn what_cannot_be_cut_so_often_is_unsupported_with_its_reason() {
        assert_eq!(spec("rule = { name = \"sll\", units = 3 }").unwrap().unsupported().unwrap(), None);
        let four = spec("rule = { name = \"sll\", units = 4 }").unwrap();
        assert!(four.unsupported().unwrap().unwrap().contains("1 to 3"));
        assert_eq!(four.places().unwrap(), 3);
    }
}
