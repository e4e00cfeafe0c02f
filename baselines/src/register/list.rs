//! What is worth knowing about each rule, a line a variant.

use super::RuleSpec;
use crate::df::{Coordination, DfConfig};
use crate::dtp::DtpConfig;
use crate::ff::{FfConfig, LcffConfig, Others, ReadOut};
use crate::lls::{LlsConfig, Mix};
use crate::pepita::{Memory, PepitaConfig};
use crate::similarity::SimilarityConfig;
use serde::Serialize;
use sll_core::sll::SllConfig;

/// What the update of a layer in one step may depend on, besides the layers below it; held to by `tests/locality.rs`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Reach {
    /// Nothing above the layer.
    Own,
    /// The next layer.
    Next,
    /// Layers above, through the output's error or each layer's goodness alone.
    Output,
    /// The weights of every layer above.
    All,
}

impl Reach {
    /// A line for people.
    pub fn text(self) -> &'static str {
        match self {
            Reach::Own => "nothing above it",
            Reach::Next => "the next layer",
            Reach::Output => "layers above, through the output's error or their goodness alone",
            Reach::All => "the weights of every layer above",
        }
    }
}

/// What `harness rules` prints of a rule or a variant of one.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct RuleInfo {
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
    /// What the update of a layer depends on above it.
    pub reach: Reach,
    /// Put together from incomplete public sources: what its paper leaves open is a choice of ours.
    pub reconstructed: bool,
    /// The rule with the settings that make it this variant, all others at their defaults.
    #[serde(skip)]
    pub spec: fn() -> RuleSpec,
}

const LOCAL: &str = "one layer's";
const EVERY: &str = "every layer's";

/// A rule that is updated as soon as a layer has run.
const UNLOCKED: RuleInfo = RuleInfo {
    title: "",
    equation: "",
    paper: "",
    stores: "nothing",
    activations: LOCAL,
    update_locked: "no",
    reach: Reach::Own,
    reconstructed: false,
    spec: || RuleSpec::Bp(Default::default()),
};

const RULES: &[RuleInfo] = &[
    RuleInfo {
        title: "BP",
        equation: "dz_l = (W_{l+1}^T dz_{l+1}) (.) phi'(z_l), dW_l = dz_l h_{l-1}^T",
        paper: "Rumelhart, Hinton & Williams 1986",
        activations: EVERY,
        update_locked: "yes",
        reach: Reach::All,
        spec: || RuleSpec::Bp(Default::default()),
        ..UNLOCKED
    },
    RuleInfo {
        title: "BP, checkpointed",
        equation: "BP; of ceil(sqrt(L)) segments only the inputs are kept, and each is run again on the way back",
        paper: "Chen, Xu, Zhang & Guestrin 2016",
        activations: "sqrt(L) inputs and one segment's",
        update_locked: "yes",
        reach: Reach::All,
        spec: || RuleSpec::BpCheckpoint(Default::default()),
        ..UNLOCKED
    },
    RuleInfo {
        title: "FA",
        equation: "dz_l = (B_{l+1} dz_{l+1}) (.) phi'(z_l), B fixed random",
        paper: "Lillicrap et al. 2016",
        stores: "fixed: B, one value a weight above the first layer",
        activations: EVERY,
        update_locked: "yes",
        reach: Reach::All,
        spec: || RuleSpec::Fa(Default::default()),
        ..UNLOCKED
    },
    RuleInfo {
        title: "DFA",
        equation: "dz_l = (B_l e) (.) phi'(z_l), B_l fixed random, e = softmax(z_L) - y",
        paper: "Nokland 2016",
        stores: "fixed: B, K n_l values a hidden layer",
        activations: EVERY,
        update_locked: "until the output",
        reach: Reach::Output,
        spec: || RuleSpec::Dfa(Default::default()),
        ..UNLOCKED
    },
    RuleInfo {
        title: "DKP",
        equation: "as DFA; B_l <- (1 - lambda) (B_l - step(h_l e^T))",
        paper: "Webster, Choi & Ahn 2021",
        stores: "learned: B, K n_l values a hidden layer",
        activations: EVERY,
        update_locked: "until the output",
        reach: Reach::Output,
        spec: || RuleSpec::Dkp(Default::default()),
        ..UNLOCKED
    },
    RuleInfo {
        title: "DRTP",
        equation: "dz_l = -(B_l y) (.) phi'(z_l), B_l fixed random",
        paper: "Frenkel, Lefebvre & Bol 2021",
        stores: "fixed: B, K n_l values a hidden layer",
        spec: || RuleSpec::Drtp(Default::default()),
        ..UNLOCKED
    },
    RuleInfo {
        title: "TP",
        equation: "t_{l-1} = g_l(t_l), dh_l = 2 (h_l - t_l), g_l a learned inverse of f_l",
        paper: "Bengio 2014",
        stores: "learned: inverses, about one value a weight between hidden layers",
        activations: EVERY,
        update_locked: "yes",
        reach: Reach::All,
        spec: || RuleSpec::Dtp(DtpConfig::tp()),
        ..UNLOCKED
    },
    RuleInfo {
        title: "DTP",
        equation: "t_{l-1} = h_{l-1} + g_l(t_l) - g_l(h_l), dh_l = 2 (h_l - t_l)",
        paper: "Lee, Zhang, Fischer & Bengio 2015",
        stores: "learned: inverses, about one value a weight between hidden layers",
        activations: EVERY,
        update_locked: "yes",
        reach: Reach::All,
        spec: || RuleSpec::Dtp(Default::default()),
        ..UNLOCKED
    },
    RuleInfo {
        title: "PEPITA",
        equation: "x' = x + F e; dW_l = (h_l - h'_l) h'_{l-1}^T, F fixed random",
        paper: "Dellaferrera & Kreiman 2022",
        stores: "fixed: F, K n_0 values",
        activations: EVERY,
        update_locked: "until the second pass",
        reach: Reach::Output,
        spec: || RuleSpec::Pepita(Default::default()),
        ..UNLOCKED
    },
    RuleInfo {
        title: "MEMPEPITA",
        equation: "as PEPITA; the first pass is run again beside the second",
        paper: "Pau & Aymone 2023",
        stores: "fixed: F, K n_0 values",
        activations: "one layer's, twice",
        update_locked: "until the second pass",
        reach: Reach::Output,
        spec: || RuleSpec::Pepita(PepitaConfig { memory: Memory::Light, ..Default::default() }),
        ..UNLOCKED
    },
    RuleInfo {
        title: "SP",
        equation: "t_1 = S, t_l = f_l(t_{l-1}); L_l = CE(softmax(g h_l t_l^T / sqrt(n_l)), y)",
        paper: "Kohan, Rietman & Siegelmann 2023",
        stores: "learned: S, K n_1 values",
        spec: || RuleSpec::Sp(Default::default()),
        ..UNLOCKED
    },
    RuleInfo {
        title: "SoftHebb",
        equation: "dw_k = sum y_k (x - u_k w_k), y = softmax(t u) of the winner, - of the others; then a linear classifier",
        paper: "Journe, Garcia Rodriguez, Guo & Moraitis 2023",
        spec: || RuleSpec::SoftHebb(Default::default()),
        ..UNLOCKED
    },
    RuleInfo {
        title: "SGR",
        equation: "L_l + lambda dist(dL_l/dh_{l-1}, sg(dL_{l-1}/dh_{l-1})), L_l = CE of a local head",
        paper: "Yang et al. 2024, arXiv 2406.05222",
        stores: "learned: heads, K n_l values a module (settings: fixed heads, k modules)",
        activations: "one module's, and a gradient of its input",
        reconstructed: true,
        spec: || RuleSpec::Sgr(Default::default()),
        ..UNLOCKED
    },
    RuleInfo {
        title: "LLS",
        equation: "L_l = CE(softmax(Phi a_l / T), y), a_l = pool(h_l) / |pool(h_l)|, Phi_kt = sin(f_k t)",
        paper: "Apolinario, Roy & Frenkel 2024",
        stores: "fixed: Phi, K values a pooled feature",
        spec: || RuleSpec::Lls(Default::default()),
        ..UNLOCKED
    },
    RuleInfo {
        title: "LLS-M",
        equation: "as LLS with logits m (.) Phi a_l / T",
        paper: "Apolinario, Roy & Frenkel 2024",
        stores: "fixed: Phi; learned: m, K values a layer",
        spec: || RuleSpec::Lls(LlsConfig { mix: Mix::M, ..Default::default() }),
        ..UNLOCKED
    },
    RuleInfo {
        title: "LLS-MxM",
        equation: "as LLS with logits (Phi a_l / T) M",
        paper: "Apolinario, Roy & Frenkel 2024",
        stores: "fixed: Phi; learned: M, K^2 values a layer",
        spec: || RuleSpec::Lls(LlsConfig { mix: Mix::MxM, ..Default::default() }),
        ..UNLOCKED
    },
    RuleInfo {
        title: "pred",
        equation: "L_l = CE(softmax(A_l pool(h_l)), y)",
        paper: "Nokland & Eidnes 2019",
        stores: "learned: A, K values a pooled feature",
        spec: || RuleSpec::Similarity(SimilarityConfig { beta: 0.0, ..Default::default() }),
        ..UNLOCKED
    },
    RuleInfo {
        title: "sim",
        equation: "L_l = mean (S(h_l) - S(y))^2, S the cosines of centred rows",
        paper: "Nokland & Eidnes 2019",
        activations: "one layer's, and b^2 similarities",
        spec: || RuleSpec::Similarity(SimilarityConfig { beta: 1.0, ..Default::default() }),
        ..UNLOCKED
    },
    RuleInfo {
        title: "predsim",
        equation: "L_l = (1 - beta) pred + beta sim",
        paper: "Nokland & Eidnes 2019",
        stores: "learned: A, K values a pooled feature",
        activations: "one layer's, and b^2 similarities",
        spec: || RuleSpec::Similarity(Default::default()),
        ..UNLOCKED
    },
    RuleInfo {
        title: "FF",
        equation: "L_l = softplus(-s (G_l - theta)) of a right label, softplus(s (G_l - theta)) of a wrong one, G_l = mean h_l^2",
        paper: "Hinton 2022 (on conv nets, labels as waves: Scodellaro et al. 2023)",
        stores: "fixed: labels, (K + 1) n_0 values",
        activations: "one layer's, twice",
        spec: || RuleSpec::Ff(Default::default()),
        ..UNLOCKED
    },
    RuleInfo {
        title: "FF, linear read-out",
        equation: "as FF; read out by a linear classifier in one pass",
        paper: "Hinton 2022",
        stores: "fixed: labels, (K + 1) n_0 values",
        activations: "one layer's, twice",
        spec: || RuleSpec::Ff(FfConfig { read_out: ReadOut::Classifier, ..Default::default() }),
        ..UNLOCKED
    },
    RuleInfo {
        title: "LC-FF",
        equation: "as FF with G_l + sg(sum of G_t, t < l)",
        paper: "Lorberbom et al. 2024",
        stores: "fixed: labels, (K + 1) n_0 values",
        activations: "one layer's, twice",
        spec: || RuleSpec::LcFf(Default::default()),
        ..UNLOCKED
    },
    RuleInfo {
        title: "LC-FF, all layers",
        equation: "as FF with G_l + sg(sum of G_t, t != l)",
        paper: "Lorberbom et al. 2024",
        stores: "fixed: labels, (K + 1) n_0 values",
        activations: "one layer's, twice",
        update_locked: "until the goodness of all layers",
        reach: Reach::Output,
        spec: || RuleSpec::LcFf(LcffConfig { others: Others::All, ..Default::default() }),
        ..UNLOCKED
    },
    RuleInfo {
        title: "TFF",
        equation: "L_l = softplus(-alpha (G_l of the right label - G_l of a wrong one)), overlapping pairs of layers",
        paper: "Dooms, Tsang & Oramas 2023",
        stores: "learned: an image a class, K n_0 values",
        activations: "two layers', twice",
        update_locked: "one layer",
        reach: Reach::Next,
        spec: || RuleSpec::Tff(Default::default()),
        ..UNLOCKED
    },
    RuleInfo {
        title: "DF-R",
        equation: "L_l = max(m + g_c - g_y, 0) + lambda g_c over wrong c, g the cosine to anchors E; dh_l += mu B_l ds_{l+1}",
        paper: "Wu et al. 2024, arXiv 2408.14925",
        stores: "learned: anchors, K n_l values; fixed: B, n_l n_{l+1} values between hidden layers",
        activations: "two layers'",
        update_locked: "one layer",
        reconstructed: true,
        reach: Reach::Next,
        spec: || RuleSpec::Df(DfConfig { coordination: Coordination::Feedback, ..Default::default() }),
    },
    RuleInfo {
        title: "DF-O",
        equation: "as DF-R; in place of B, the gradient of the next layer's loss",
        paper: "Wu et al. 2024, arXiv 2408.14925",
        stores: "learned: anchors, K n_l values",
        activations: "two layers'",
        update_locked: "one layer",
        reconstructed: true,
        reach: Reach::Next,
        spec: || RuleSpec::Df(DfConfig { coordination: Coordination::Overlap, ..Default::default() }),
    },
    RuleInfo {
        title: "SLL",
        equation: "dv_l = (q_l - y) + a dD(p_l, q_l)/dv_l, q_l = softmax(R_l h_l), p_l = sg(q_{l-1}), dh_l = R_l^T dv_l",
        paper: "Stochastic Layer-wise Learning, arXiv 2505.05181, section 3.3 (SLLi+: section 5.3, units = i)",
        stores: "fixed: R, d_o n_l values a unit",
        activations: "one unit's",
        spec: || RuleSpec::Sll(Default::default()),
        ..UNLOCKED
    },
    RuleInfo {
        title: "SLL, no alignment",
        equation: "dv_l = q_l - y: cross-entropy of random heads (a = 0)",
        paper: "ablation of SLL",
        stores: "fixed: R, d_o n_l values a unit",
        activations: "one unit's",
        spec: || RuleSpec::Sll(SllConfig { align_weight: 0.0, ..Default::default() }),
        ..UNLOCKED
    },
    RuleInfo {
        title: "SLL, alignment only",
        equation: "dv_l = a dD(p_l, q_l)/dv_l: labels at the output alone",
        paper: "ablation of SLL",
        stores: "fixed: R, d_o n_l values a unit",
        activations: "one unit's",
        spec: || RuleSpec::Sll(SllConfig { likelihood_weight: 0.0, ..Default::default() }),
        ..UNLOCKED
    },
    RuleInfo {
        title: "SLL, learned projection",
        equation: "as SLL; dR_l = dv_l h_l^T",
        paper: "ablation of SLL",
        stores: "learned: R, d_o n_l values a unit",
        activations: "one unit's",
        spec: || RuleSpec::Sll(SllConfig { learn_projection: true, ..Default::default() }),
        ..UNLOCKED
    },
];

/// Every rule and its variants.
pub fn rules() -> &'static [RuleInfo] {
    RULES
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_entry_is_titled_as_its_spec_and_stands_once() {
        for (index, info) in rules().iter().enumerate() {
            assert_eq!((info.spec)().title(), info.title);
            assert!(rules()[..index].iter().all(|other| (other.spec)() != (info.spec)()), "{} twice", info.title);
        }
    }

    #[test]
    fn a_spec_is_found_under_its_name_with_every_setting_at_its_default() {
        for info in rules() {
            let spec = (info.spec)();
            let text = format!("name = \"{}\"", spec.name());
            let parsed: Result<RuleSpec, _> =
                serde::Deserialize::deserialize(serde::de::value::MapDeserializer::<_, serde::de::value::Error>::new(
                    [("name", spec.name())].into_iter(),
                ));
            assert_eq!(parsed.expect(&text).name(), spec.name());
        }
    }
}
