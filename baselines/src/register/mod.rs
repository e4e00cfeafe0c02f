//! Every rule by name: the one list that specs, tables and the command line read.

mod list;

pub use list::{Reach, RuleInfo, rules};

use crate::bp::{Bp, BpConfig};
use crate::checkpoint::CheckpointConfig;
use crate::df::{Coordination, DfConfig};
use crate::dfa::DfaConfig;
use crate::dkp::DkpConfig;
use crate::drtp::DrtpConfig;
use crate::dtp::DtpConfig;
use crate::fa::FaConfig;
use crate::ff::{FfConfig, LcffConfig, Others, ReadOut, TffConfig};
use crate::lls::{LlsConfig, Mix};
use crate::pepita::{Memory, PepitaConfig};
use crate::sgr::SgrConfig;
use crate::similarity::SimilarityConfig;
use crate::softhebb::SoftHebbConfig;
use crate::sp::SpConfig;
use serde::{Deserialize, Serialize};
use sll_core::rule::LearningRule;
use sll_core::sll::SllConfig;
use sll_core::{Network, Result};

/// A rule with its settings. In a spec: `rule = { name = "sll", units = 3 }`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "kebab-case")]
pub enum RuleSpec {
    /// Backpropagation.
    Bp(BpConfig),
    /// Backpropagation that runs segments again in place of keeping them.
    BpCheckpoint(CheckpointConfig),
    /// Feedback alignment.
    Fa(FaConfig),
    /// Direct feedback alignment.
    Dfa(DfaConfig),
    /// Direct Kolen-Pollack learning.
    Dkp(DkpConfig),
    /// Direct random target projection.
    Drtp(DrtpConfig),
    /// Target propagation, with or without the difference correction.
    Dtp(DtpConfig),
    /// PEPITA, and MEMPEPITA with `memory = "light"`.
    Pepita(PepitaConfig),
    /// Signal propagation.
    Sp(SpConfig),
    /// Soft winner-take-all Hebbian learning.
    #[serde(rename = "softhebb")]
    SoftHebb(SoftHebbConfig),
    /// Successive gradient reconciliation.
    Sgr(SgrConfig),
    /// Local learning signals, with their variants.
    Lls(LlsConfig),
    /// Local losses: pred, sim and predsim.
    Similarity(SimilarityConfig),
    /// Forward-forward.
    Ff(FfConfig),
    /// Forward-forward with layer collaboration.
    LcFf(LcffConfig),
    /// The Trifecta.
    Tff(TffConfig),
    /// Distance-forward: DF-R and DF-O.
    Df(DfConfig),
    /// SLL, and SLLi+ when `units` is set; its ablations by their settings.
    Sll(SllConfig),
}

impl RuleSpec {
    /// Builds the rule for `net`; what it draws at random is drawn from `seed`.
    pub fn init(&self, net: &mut Network, seed: u64) -> Result<Box<dyn LearningRule>> {
        Ok(match self {
            RuleSpec::Bp(_) => Box::new(Bp),
            RuleSpec::BpCheckpoint(config) => Box::new(config.init(net)?),
            RuleSpec::Fa(config) => Box::new(config.init(net, seed)?),
            RuleSpec::Dfa(config) => Box::new(config.init(net, seed)?),
            RuleSpec::Dkp(config) => Box::new(config.init(net, seed)?),
            RuleSpec::Drtp(config) => Box::new(config.init(net, seed)?),
            RuleSpec::Dtp(config) => Box::new(config.init(net, seed)?),
            RuleSpec::Pepita(config) => Box::new(config.init(net, seed)?),
            RuleSpec::Sp(config) => Box::new(config.init(net, seed)?),
            RuleSpec::SoftHebb(config) => Box::new(config.init(net)?),
            RuleSpec::Sgr(config) => Box::new(config.init(net, seed)?),
            RuleSpec::Lls(config) => Box::new(config.init(net)?),
            RuleSpec::Similarity(config) => Box::new(config.init(net, seed)?),
            RuleSpec::Ff(config) => Box::new(config.init(net)?),
            RuleSpec::LcFf(config) => Box::new(config.init(net)?),
            RuleSpec::Tff(config) => Box::new(config.init(net, seed)?),
            RuleSpec::Df(config) => Box::new(config.init(net, seed)?),
            RuleSpec::Sll(config) => Box::new(config.init(net, seed)?),
        })
    }

    /// Epochs at the start in which the network's output is not trained yet, with the setting that says so.
    pub fn preparation(&self) -> (&'static str, usize) {
        match self {
            RuleSpec::SoftHebb(config) => ("unsupervised_epochs", config.unsupervised_epochs),
            RuleSpec::Dtp(config) => ("inverse_epochs", config.inverse_epochs),
            _ => ("", 0),
        }
    }

    /// The name in specs.
    pub fn name(&self) -> &'static str {
        match self {
            RuleSpec::Bp(_) => "bp",
            RuleSpec::BpCheckpoint(_) => "bp-checkpoint",
            RuleSpec::Fa(_) => "fa",
            RuleSpec::Dfa(_) => "dfa",
            RuleSpec::Dkp(_) => "dkp",
            RuleSpec::Drtp(_) => "drtp",
            RuleSpec::Dtp(_) => "dtp",
            RuleSpec::Pepita(_) => "pepita",
            RuleSpec::Sp(_) => "sp",
            RuleSpec::SoftHebb(_) => "softhebb",
            RuleSpec::Sgr(_) => "sgr",
            RuleSpec::Lls(_) => "lls",
            RuleSpec::Similarity(_) => "similarity",
            RuleSpec::Ff(_) => "ff",
            RuleSpec::LcFf(_) => "lc-ff",
            RuleSpec::Tff(_) => "tff",
            RuleSpec::Df(_) => "df",
            RuleSpec::Sll(_) => "sll",
        }
    }

    /// The name in tables: the variant that the settings make of the rule. SLLi+ and SGRi+ say their `i`.
    pub fn title(&self) -> String {
        match self {
            RuleSpec::Bp(_) => "BP".into(),
            RuleSpec::BpCheckpoint(_) => "BP, checkpointed".into(),
            RuleSpec::Fa(_) => "FA".into(),
            RuleSpec::Dfa(_) => "DFA".into(),
            RuleSpec::Dkp(_) => "DKP".into(),
            RuleSpec::Drtp(_) => "DRTP".into(),
            RuleSpec::Dtp(config) => if config.difference { "DTP" } else { "TP" }.into(),
            RuleSpec::Pepita(config) if config.memory == Memory::Light => "MEMPEPITA".into(),
            RuleSpec::Pepita(_) => "PEPITA".into(),
            RuleSpec::Sp(_) => "SP".into(),
            RuleSpec::SoftHebb(_) => "SoftHebb".into(),
            RuleSpec::Sgr(SgrConfig { units: Some(i), .. }) => format!("SGR{i}+"),
            RuleSpec::Sgr(_) => "SGR".into(),
            RuleSpec::Lls(config) => match config.mix {
                Mix::None => "LLS",
                Mix::M => "LLS-M",
                Mix::MxM => "LLS-MxM",
            }
            .into(),
            RuleSpec::Similarity(config) if config.beta == 0.0 => "pred".into(),
            RuleSpec::Similarity(config) if config.beta == 1.0 => "sim".into(),
            RuleSpec::Similarity(_) => "predsim".into(),
            RuleSpec::Ff(config) => match config.read_out {
                ReadOut::Goodness => "FF",
                ReadOut::Classifier => "FF, linear read-out",
            }
            .into(),
            RuleSpec::LcFf(config) => match config.others {
                Others::Lower => "LC-FF",
                Others::All => "LC-FF, all layers",
            }
            .into(),
            RuleSpec::Tff(_) => "TFF".into(),
            RuleSpec::Df(config) => match config.coordination {
                Coordination::None => "DF",
                Coordination::Overlap => "DF-O",
                Coordination::Feedback => "DF-R",
            }
            .into(),
            RuleSpec::Sll(config) => {
                let units = config.units.map_or("SLL".to_string(), |i| format!("SLL{i}+"));
                let ablated = if config.likelihood_weight == 0.0 {
                    ", alignment only"
                } else if config.align_weight == 0.0 {
                    ", no alignment"
                } else if config.learn_projection {
                    ", learned projection"
                } else {
                    ""
                };
                units + ablated
            }
        }
    }
}
