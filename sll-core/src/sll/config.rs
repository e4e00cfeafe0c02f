//! Settings of SLL, its variants and ablations.

use super::codes::Codes;
use crate::divergence::Divergence;
use crate::error::{Error, Result};
use crate::network::Cut;
use crate::projection::{ProjectionConfig, ProjectionLaw};
use crate::summary::MapSummary;
use serde::{Deserialize, Serialize};

/// Which draw of the parent's projection mask its cached posterior carries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Parent {
    /// The posterior the parent was trained with, noise included: costs nothing.
    #[default]
    Reuse,
    /// A noiseless one: one more projection a unit.
    Clean,
}

/// Settings of SLL. Defaults are the paper's choices, or where its text leaves one open, ours.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SllConfig {
    /// Number of units of SLLi+; every layer is a unit when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub units: Option<usize>,
    /// Law of the fixed projections.
    pub projection: ProjectionLaw,
    /// Factor on the projections, the inverse temperature of the local posteriors.
    pub projection_gain: f64,
    /// Codes `d_o`; the number of classes when absent (paper, section 3.3).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub projection_dim: Option<usize>,
    /// What a label is among more codes than there are classes.
    #[serde(skip_serializing_if = "Codes::is_usual")]
    pub codes: Codes,
    /// Probability of zeroing an entry of a projection in a step. The paper names the noise and gives no rate.
    pub projection_dropout: f64,
    /// Seed of the projections; the run's seed when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub projection_seed: Option<u64>,
    /// Divergence between neighbouring posteriors.
    pub divergence: Divergence,
    /// Weight `a` of the divergence; 0 leaves random-head cross-entropy.
    pub align_weight: f64,
    /// Weight of the hidden units' cross-entropy; 0 leaves alignment alone, with the label at the output only. (Unit 1
    /// is then trained only if it is aligned.)
    #[serde(skip_serializing_if = "is_one")]
    pub likelihood_weight: f64,
    /// Whether projections are trained by their units' objectives instead of staying as drawn.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub learn_projection: bool,
    /// Whether the parent's posterior is a constant. If not, the divergence also trains the parent unit, which must
    /// then be held until its child has run: two units at a time in memory.
    pub stop_gradient: bool,
    /// First unit that is aligned with its parent, counted from 1; 1 projects the raw input as unit 1's parent.
    pub first_aligned: usize,
    /// Whether the output unit is aligned with its parent too (needs `d_o = K`).
    pub align_head: bool,
    /// Noise on the parent's posterior.
    pub parent: Parent,
    /// How feature maps become vectors.
    pub summary: MapSummary,
    /// Keep only the inputs of a unit's layers and run each again on the way back: one map a layer of the unit in
    /// memory, and the inside of one layer at a time, for one more forward pass (less the last layers').
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub recompute: bool,
    /// Draw projections from their seed whenever they are used, in place of keeping them.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub regenerate: bool,
}

impl Default for SllConfig {
    fn default() -> Self {
        Self {
            units: None,
            projection: ProjectionLaw::FanInNormal,
            projection_gain: 1.0,
            projection_dim: None,
            codes: Codes::First,
            projection_dropout: 0.0,
            projection_seed: None,
            divergence: Divergence::Neg2LogBc,
            align_weight: 1.0,
            likelihood_weight: 1.0,
            learn_projection: false,
            stop_gradient: true,
            first_aligned: 2,
            align_head: false,
            parent: Parent::Reuse,
            summary: MapSummary::Flatten,
            recompute: false,
            regenerate: false,
        }
    }
}

impl SllConfig {
    /// Where the network is cut.
    pub fn cut(&self) -> Cut {
        self.units.map_or(Cut::EveryLayer, Cut::Units)
    }

    pub(super) fn number_of_codes(&self, classes: usize) -> usize {
        self.projection_dim.unwrap_or(classes)
    }

    pub(super) fn validate(&self, classes: usize) -> Result<ProjectionConfig> {
        let projection = ProjectionConfig {
            law: self.projection,
            gain: self.projection_gain,
            dropout: self.projection_dropout,
            learned: self.learn_projection,
            regenerated: self.regenerate,
        };
        projection.validate()?;
        if self.number_of_codes(classes) < classes {
            let reason = format!("must be at least the number of classes, {classes}");
            return Err(Error::setting("projection_dim", self.number_of_codes(classes), reason));
        }
        if !(self.align_weight.is_finite() && self.align_weight >= 0.0) {
            return Err(Error::setting("align_weight", self.align_weight, "must be 0 or positive (default 1)"));
        }
        if !(self.likelihood_weight.is_finite() && self.likelihood_weight >= 0.0) {
            let reason = "must be 0 or positive (default 1)";
            return Err(Error::setting("likelihood_weight", self.likelihood_weight, reason));
        }
        if self.likelihood_weight == 0.0 && self.align_weight == 0.0 {
            let reason = "nothing would train the hidden units; give one of it and align_weight a positive value";
            return Err(Error::setting("likelihood_weight", 0, reason));
        }
        if self.learn_projection && self.regenerate {
            let reason = "a learned projection has to be kept; leave one of it and learn_projection out";
            return Err(Error::setting("regenerate", true, reason));
        }
        if self.first_aligned == 0 {
            return Err(Error::setting("first_aligned", 0, "units are counted from 1; 1 aligns with the raw input"));
        }
        if self.align_head && self.number_of_codes(classes) != classes {
            let reason = format!("needs projection_dim = {classes}, the number of classes");
            return Err(Error::setting("align_head", true, reason));
        }
        Ok(projection)
    }
}

fn is_one(weight: &f64) -> bool {
    *weight == 1.0
}
