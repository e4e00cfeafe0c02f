//! Every rule by name: the one list that specs, tables and the command line read.

use crate::bp::{Bp, BpConfig};
use crate::dfa::DfaConfig;
use crate::fa::FaConfig;
use serde::{Deserialize, Serialize};
use sll_core::rule::LearningRule;
use sll_core::sll::SllConfig;
use sll_core::{Network, Result};

/// A rule with its settings. In a spec: `rule = { name = "sll", units = 3 }`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "lowercase")]
pub enum RuleSpec {
    /// Backpropagation.
    Bp(BpConfig),
    /// Feedback alignment.
    Fa(FaConfig),
    /// Direct feedback alignment.
    Dfa(DfaConfig),
    /// SLL, and SLLi+ when `units` is set.
    Sll(SllConfig),
}

/// What `harness rules` prints of a rule.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct RuleInfo {
    /// The name in specs.
    pub name: &'static str,
    /// The name in tables.
    pub title: &'static str,
    /// Its update.
    pub equation: &'static str,
    /// Its source.
    pub paper: &'static str,
    /// Learned and fixed quantities besides the network's parameters.
    pub stores: &'static str,
    /// Activations kept during a step.
    pub activations: &'static str,
    /// Whether a layer's update waits for layers above it.
    pub update_locked: &'static str,
}

const RULES: &[RuleInfo] = &[
    RuleInfo {
        name: "bp",
        title: "BP",
        equation: "dz_l = (W_{l+1}^T dz_{l+1}) (.) phi'(z_l), dW_l = dz_l h_{l-1}^T",
        paper: "Rumelhart, Hinton & Williams 1986",
        stores: "nothing",
        activations: "every layer's",
        update_locked: "yes",
    },
    RuleInfo {
        name: "fa",
        title: "FA",
        equation: "dz_l = (B_{l+1} dz_{l+1}) (.) phi'(z_l), B fixed random",
        paper: "Lillicrap et al. 2016",
        stores: "fixed: B, one value a weight above the first layer",
        activations: "every layer's",
        update_locked: "yes",
    },
    RuleInfo {
        name: "dfa",
        title: "DFA",
        equation: "dz_l = (B_l e) (.) phi'(z_l), B_l fixed random, e = softmax(z_L) - y",
        paper: "Nokland 2016",
        stores: "fixed: B, K n_l values a hidden layer",
        activations: "every layer's",
        update_locked: "until the output",
    },
    RuleInfo {
        name: "sll",
        title: "SLL",
        equation: "dv_l = (q_l - y) + a dD(p_l, q_l)/dv_l, q_l = softmax(R_l h_l), p_l = sg(q_{l-1}), dh_l = R_l^T dv_l",
        paper: "Stochastic Layer-wise Learning, arXiv 2505.05181, section 3.3 (SLLi+: section 5.3, units = i)",
        stores: "fixed: R, d_o n_l values a unit",
        activations: "one unit's",
        update_locked: "no",
    },
];

impl RuleInfo {
    /// The rule with its default settings.
    pub fn default_spec(&self) -> RuleSpec {
        match self.name {
            "fa" => RuleSpec::Fa(FaConfig::default()),
            "dfa" => RuleSpec::Dfa(DfaConfig::default()),
            "sll" => RuleSpec::Sll(SllConfig::default()),
            _ => RuleSpec::Bp(BpConfig::default()),
        }
    }
}

/// Every rule.
pub fn rules() -> &'static [RuleInfo] {
    RULES
}

impl RuleSpec {
    /// Builds the rule for `net`; what it draws at random is drawn from `seed`.
    pub fn init(&self, net: &mut Network, seed: u64) -> Result<Box<dyn LearningRule>> {
        Ok(match self {
            RuleSpec::Bp(_) => Box::new(Bp),
            RuleSpec::Fa(config) => Box::new(config.init(net, seed)?),
            RuleSpec::Dfa(config) => Box::new(config.init(net, seed)?),
            RuleSpec::Sll(config) => Box::new(config.init(net, seed)?),
        })
    }

    /// The name in specs.
    pub fn name(&self) -> &'static str {
        match self {
            RuleSpec::Bp(_) => "bp",
            RuleSpec::Fa(_) => "fa",
            RuleSpec::Dfa(_) => "dfa",
            RuleSpec::Sll(_) => "sll",
        }
    }

    /// The name in tables; SLLi+ says its `i`.
    pub fn title(&self) -> String {
        match self {
            RuleSpec::Sll(SllConfig { units: Some(i), .. }) => format!("SLL{i}+"),
            other => RULES.iter().find(|r| r.name == other.name()).map_or(other.name(), |r| r.title).to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_is_listed_under_the_name_of_its_spec() {
        for info in rules() {
            assert_eq!(info.default_spec().name(), info.name);
            assert_eq!(info.default_spec().title(), info.title);
        }
    }
}
