//! What there is to know about a rule, as its own file says it.

use serde::Serialize;
use sll_core::layer::{Activation, BatchNormAt};
use sll_core::optim::OptimizerKind;
use sll_core::rule::LearningRule;
use sll_core::{Network, NetworkSpec, Result};

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

/// A rule, or a variant of one, under a name of its own in tables.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Variant<S> {
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
    /// Whether hidden layers learn at all.
    pub trains_hidden: bool,
    /// Put together from incomplete public sources: what its paper leaves open is a choice of ours.
    pub reconstructed: bool,
    /// The settings that make the variant, all others at their defaults.
    #[serde(skip)]
    pub settings: S,
}

/// The variants of a rule, each with the function that gives its settings.
pub type Variants<C> = &'static [Variant<fn() -> C>];

/// Activations of a rule that waits for the output.
pub(crate) const EVERY: &str = "every layer's";

impl<S> Variant<S> {
    /// What holds for a rule that is updated as soon as a layer has run, and stores nothing.
    pub const fn local(settings: S) -> Self {
        Self {
            title: "",
            equation: "",
            paper: "",
            stores: "nothing",
            activations: "one layer's",
            update_locked: "no",
            reach: Reach::Own,
            trains_hidden: true,
            reconstructed: false,
            settings,
        }
    }

    /// The same facts about other settings.
    pub(crate) fn with<T>(&self, settings: T) -> Variant<T> {
        // Taken apart without `..`, so that a fact that is left behind does not compile.
        let Self {
            title,
            equation,
            paper,
            stores,
            activations,
            update_locked,
            reach,
            trains_hidden,
            reconstructed,
            settings: _,
        } = *self;
        Variant {
            title,
            equation,
            paper,
            stores,
            activations,
            update_locked,
            reach,
            trains_hidden,
            reconstructed,
            settings,
        }
    }
}

/// A rule's settings, and what there is to know about the rule.
///
/// ```
/// use baselines::{Rule, Variant, Variants};
/// use sll_core::{Network, NetworkSpec, Result, rule::LearningRule};
///
/// /// SLL whose units are aligned half as strongly.
/// #[derive(Clone, Copy, PartialEq)]
/// struct Half;
///
/// impl Rule for Half {
///     const VARIANTS: Variants<Self> = &[Variant {
///         title: "SLL, half aligned",
///         equation: "CE(q_l, y) + D(p_l, q_l) / 2",
///         paper: "an example",
///         ..Variant::local(|| Half)
///     }];
///
///     fn build(&self, net: &mut Network, seed: u64) -> Result<Box<dyn LearningRule>> {
///         Ok(Box::new(sll_core::sll::SllConfig { align_weight: 0.5, ..Default::default() }.init(net, seed)?))
///     }
/// }
///
/// let spec = NetworkSpec { width: Some(8), ..NetworkSpec::named("mlp-2x800") };
/// let mut net = spec.build([1, 2, 2], 3, 0, &Default::default())?;
/// assert_eq!(Half.build(&mut net, 0)?.fixed_values(&net), 2 * 8 * 3);
/// assert_eq!(Half.title(), "SLL, half aligned");
/// # Ok::<(), sll_core::Error>(())
/// ```
pub trait Rule: Copy + PartialEq + 'static {
    /// The rule and its named variants, as tables and the suite of regressions run them.
    const VARIANTS: Variants<Self>;

    /// Builds the rule for `net`; what it draws at random is drawn from `seed`.
    ///
    /// # Errors
    /// If a setting is out of its range, or the rule cannot run on `net`.
    fn build(&self, net: &mut Network, seed: u64) -> Result<Box<dyn LearningRule>>;

    /// The name in tables: the variant that these settings make of the rule.
    fn title(&self) -> String {
        Self::VARIANTS[0].title.into()
    }

    /// Epochs at the start in which the network's output is not trained yet, with the setting that says so.
    fn preparation(&self) -> (&'static str, usize) {
        ("", 0)
    }

    /// The first epoch whose steps train hidden layers.
    fn learning_epoch(&self) -> usize {
        self.preparation().1
    }

    /// The `Numerics N` of CHANGELOG.md since which the same settings give the numbers that they give now on `network`;
    /// 0 where the rule itself never gave others.
    fn numerics(&self, _network: &NetworkSpec) -> u32 {
        0
    }

    /// The units, the place of batch norm and the optimiser that its authors train it with, where they are not the
    /// usual ones.
    fn usual(&self) -> Usual {
        Usual::default()
    }
}

/// Units and optimiser that a rule is at home with; see [`Usual::network`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Usual {
    /// What follows an affine map.
    pub activation: Activation,
    /// Where batch norm stands in networks that have it.
    pub batch_norm: BatchNormAt,
    /// The optimiser.
    pub optimizer: OptimizerKind,
    /// Its learning rate, for batches of about a hundred.
    pub lr: f64,
}

impl Default for Usual {
    fn default() -> Self {
        let (activation, batch_norm) = (Activation::Relu, BatchNormAt::Between);
        Self { activation, batch_norm, optimizer: OptimizerKind::Adam, lr: 2e-3 }
    }
}

impl Usual {
    /// `network` with these units, and with its batch norm, if it has any, where the rule wants it.
    pub fn network(&self, network: NetworkSpec) -> NetworkSpec {
        let batch_norm = if network.batch_norm.is_none() { BatchNormAt::None } else { self.batch_norm };
        NetworkSpec { activation: self.activation, batch_norm, ..network }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batch_norm_moves_where_the_rule_wants_it_and_comes_to_no_network_without() {
        let usual = Usual { activation: Activation::Triangle, batch_norm: BatchNormAt::Before, ..Usual::default() };
        let bare = NetworkSpec::named("cnn-1");
        assert_eq!(usual.network(bare.clone()).batch_norm, BatchNormAt::None);
        let moved = usual.network(NetworkSpec { batch_norm: BatchNormAt::Between, ..bare });
        assert_eq!((moved.batch_norm, moved.activation), (BatchNormAt::Before, Activation::Triangle));
    }
}
