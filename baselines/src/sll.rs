//! What the register says of SLL, SLLi+ and the ablations; the rule itself is `sll_core::sll`.

use crate::facts::{Rule, Variant, Variants};
use sll_core::rule::LearningRule;
use sll_core::sll::SllConfig;
use sll_core::summary::MapSummary;
use sll_core::{Network, NetworkSpec, Result};

impl Rule for SllConfig {
    const VARIANTS: Variants<Self> = &[
        Variant {
            title: "SLL",
            equation: "dv_l = (q_l - y) + a dD(p_l, q_l)/dv_l, q_l = softmax(R_l h_l), p_l = sg(q_{l-1}), dh_l = \
                R_l^T dv_l",
            paper: "Stochastic Layer-wise Learning, arXiv 2505.05181, section 3.3 (SLLi+: section 5.3, units = i)",
            stores: "fixed: R, d_o n_l values a unit",
            activations: "one unit's",
            ..Variant::local(Self::default)
        },
        Variant {
            title: "SLL, no alignment",
            equation: "dv_l = q_l - y: cross-entropy of random heads (a = 0)",
            paper: "ablation of SLL",
            stores: "fixed: R, d_o n_l values a unit",
            activations: "one unit's",
            ..Variant::local(|| Self { align_weight: 0.0, ..Self::default() })
        },
        Variant {
            title: "SLL, alignment only",
            equation: "dv_l = a dD(p_l, q_l)/dv_l: labels at the output alone",
            paper: "ablation of SLL",
            stores: "fixed: R, d_o n_l values a unit",
            activations: "one unit's",
            ..Variant::local(|| Self { likelihood_weight: 0.0, ..Self::default() })
        },
        Variant {
            title: "SLL, learned projection",
            equation: "as SLL; dR_l = dv_l h_l^T",
            paper: "ablation of SLL",
            stores: "learned: R, d_o n_l values a unit",
            activations: "one unit's",
            ..Variant::local(|| Self { learn_projection: true, ..Self::default() })
        },
    ];

    fn build(&self, net: &mut Network, seed: u64) -> Result<Box<dyn LearningRule>> {
        Ok(Box::new(self.init(net, seed)?))
    }

    fn numerics(&self, network: &NetworkSpec) -> u32 {
        // The pooled cells of a map came to cover all of it.
        if self.summary == MapSummary::Flatten || !network.has_maps() { 0 } else { 9 }
    }

    fn title(&self) -> String {
        let units = self.units.map_or(Self::VARIANTS[0].title.to_string(), |i| format!("SLL{i}+"));
        let ablated = if self.likelihood_weight == 0.0 {
            ", alignment only"
        } else if self.align_weight == 0.0 {
            ", no alignment"
        } else if self.learn_projection {
            ", learned projection"
        } else {
            ""
        };
        units + ablated
    }
}
