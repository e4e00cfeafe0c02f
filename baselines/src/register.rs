//! Every rule by name: the one list that specs, tables and the command line read. What there is to know about a rule
//! stands in its own file, as its [`Rule`].

use crate::facts::{Rule, Usual, Variant};
use serde::{Deserialize, Serialize};
use sll_core::rule::LearningRule;
use sll_core::{Network, NetworkSpec, Result};
use std::sync::LazyLock;

/// What `harness rules` prints of a rule or a variant of one.
pub type RuleInfo = Variant<RuleSpec>;

macro_rules! register {
    ($($(#[$doc:meta])* $name:literal => $variant:ident($config:ty),)*) => {
        /// A rule with its settings. In a spec: `rule = { name = "sll", units = 3 }`.
        #[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
        #[serde(tag = "name")]
        pub enum RuleSpec {
            $($(#[$doc])* #[serde(rename = $name)] $variant($config),)*
        }

        impl RuleSpec {
            /// Builds the rule for `net`; what it draws at random is drawn from `seed`.
            ///
            /// # Errors
            /// As [`Rule::build`].
            pub fn init(&self, net: &mut Network, seed: u64) -> Result<Box<dyn LearningRule>> {
                match self {
                    $(Self::$variant(config) => config.build(net, seed),)*
                }
            }

            /// The name in specs.
            pub fn name(&self) -> &'static str {
                match self {
                    $(Self::$variant(_) => $name,)*
                }
            }

            /// The name in tables: the variant that the settings make of the rule. SLLi+ and SGRi+ say their `i`.
            pub fn title(&self) -> String {
                match self {
                    $(Self::$variant(config) => config.title(),)*
                }
            }

            /// As [`Rule::preparation`].
            pub fn preparation(&self) -> (&'static str, usize) {
                match self {
                    $(Self::$variant(config) => config.preparation(),)*
                }
            }

            /// As [`Rule::learning_epoch`].
            pub fn learning_epoch(&self) -> usize {
                match self {
                    $(Self::$variant(config) => config.learning_epoch(),)*
                }
            }

            /// As [`Rule::numerics`].
            pub fn numerics(&self, network: &NetworkSpec) -> u32 {
                match self {
                    $(Self::$variant(config) => config.numerics(network),)*
                }
            }

            /// As [`Rule::usual`].
            pub fn usual(&self) -> Usual {
                match self {
                    $(Self::$variant(config) => config.usual(),)*
                }
            }
        }

        static RULES: LazyLock<Vec<RuleInfo>> = LazyLock::new(|| {
            let mut rules = Vec::new();
            $(rules.extend(<$config>::VARIANTS.iter().map(|of| of.with(RuleSpec::$variant((of.settings)()))));)*
            rules
        });
    };
}

register! {
    /// Backpropagation.
    "bp" => Bp(crate::bp::BpConfig),
    /// Backpropagation that runs segments again in place of keeping them.
    "bp-checkpoint" => BpCheckpoint(crate::checkpoint::CheckpointConfig),
    /// Backpropagation that moves each layer as soon as its gradient is there.
    "bp-fused" => BpFused(crate::fused::FusedConfig),
    /// The output layer alone learns.
    "shallow" => Shallow(crate::shallow::ShallowConfig),
    /// Feedback alignment, with fixed feedback or with that of the weights' signs.
    "fa" => Fa(crate::fa::FaConfig),
    /// Direct feedback alignment.
    "dfa" => Dfa(crate::dfa::DfaConfig),
    /// Direct Kolen-Pollack learning.
    "dkp" => Dkp(crate::dkp::DkpConfig),
    /// Direct random target projection.
    "drtp" => Drtp(crate::drtp::DrtpConfig),
    /// Target propagation, with or without the difference correction.
    "dtp" => Dtp(crate::dtp::DtpConfig),
    /// PEPITA, and MEMPEPITA with `memory = "light"`.
    "pepita" => Pepita(crate::pepita::PepitaConfig),
    /// Signal propagation.
    "sp" => Sp(crate::sp::SpConfig),
    /// Soft winner-take-all Hebbian learning.
    "softhebb" => SoftHebb(crate::softhebb::SoftHebbConfig),
    /// Successive gradient reconciliation.
    "sgr" => Sgr(crate::sgr::SgrConfig),
    /// Local learning signals, with their variants.
    "lls" => Lls(crate::lls::LlsConfig),
    /// Local losses: pred, sim and predsim.
    "similarity" => Similarity(crate::similarity::SimilarityConfig),
    /// Forward-forward.
    "ff" => Ff(crate::ff::FfConfig),
    /// Forward-forward with layer collaboration.
    "lc-ff" => LcFf(crate::ff::LcffConfig),
    /// The Trifecta.
    "tff" => Tff(crate::ff::TffConfig),
    /// Distance-forward: DF-R and DF-O.
    "df" => Df(crate::df::DfConfig),
    /// SLL, and SLLi+ when `units` is set; its ablations by their settings.
    "sll" => Sll(sll_core::sll::SllConfig),
}

/// Every rule and its variants.
pub fn rules() -> &'static [RuleInfo] {
    &RULES
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_entry_is_titled_as_its_spec_and_stands_once() {
        for (index, info) in rules().iter().enumerate() {
            assert_eq!(info.settings.title(), info.title);
            assert!(rules()[..index].iter().all(|other| other.settings != info.settings), "{} twice", info.title);
        }
    }

    #[test]
    fn a_spec_is_found_under_its_name_with_every_setting_at_its_default() {
        for info in rules() {
            let name = info.settings.name();
            let parsed: std::result::Result<RuleSpec, _> = serde::Deserialize::deserialize(
                serde::de::value::MapDeserializer::<_, serde::de::value::Error>::new([("name", name)].into_iter()),
            );
            assert_eq!(parsed.expect(name).name(), name);
        }
    }
}
