//! `harness networks` and `harness rules`.

use super::stdout::{print, print_json};
use super::values::{Input, input};
use crate::error::Result;
use crate::spec::{DeviceName, Recipe};
use crate::{device, room};
use baselines::{RuleInfo, RuleSpec};
use clap::{Args, ValueEnum};
use serde::Serialize;
use sll_core::network::{NetworkSpec, catalogue};
use sll_core::rule::StepCost;

/// How to print a list.
#[derive(Args, Debug)]
pub struct FormatArgs {
    /// text or json.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(super) format: Format,
}

/// The form of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Text,
    /// For programs.
    Json,
}

/// Options of `networks`.
#[derive(Args, Debug)]
pub struct NetworksArgs {
    /// Only this one, layer by layer.
    name: Option<String>,
    /// Hidden layers, convolutions or encoder blocks.
    #[arg(long)]
    depth: Option<usize>,
    /// Hidden units, channels of the first convolution, or width of a token.
    #[arg(long)]
    width: Option<usize>,
    /// Input as CxHxW, like 3x32x32, or as a data set; by default what the network is meant for.
    #[arg(long, value_name = "CxHxW|DATASET", value_parser = input)]
    input: Option<Input>,
    /// Classes; by default those of the data set, or of the data the network is meant for.
    #[arg(long)]
    classes: Option<usize>,
    /// Batch norm after convolutions, in an MLP after every hidden affine map.
    #[arg(long)]
    batch_norm: bool,
    #[command(flatten)]
    format: FormatArgs,
}

#[derive(Serialize)]
struct Described {
    name: &'static str,
    about: &'static str,
    input: [usize; 3],
    classes: usize,
    layers: Vec<LayerLine>,
    parameters: usize,
    forward_macs: u64,
    activations: u64,
}

#[derive(Serialize)]
struct LayerLine {
    name: String,
    forward_macs: u64,
    activations: u64,
}

/// Prints the networks.
pub fn networks(args: NetworksArgs) -> Result<()> {
    let mut described = Vec::new();
    if let Some(name) = &args.name {
        // A wrong name is reported with the right ones, by the spec itself.
        NetworkSpec::named(name.clone()).check_name()?;
    }
    for named in catalogue().iter().filter(|n| args.name.as_deref().is_none_or(|name| name == n.name)) {
        let spec = NetworkSpec {
            depth: args.depth,
            width: args.width,
            batch_norm: args.batch_norm.into(),
            ..NetworkSpec::named(named.name)
        };
        let input = args.input.map_or(named.usual.0, |input| input.image);
        let classes = args.classes.or(args.input.and_then(|input| input.classes)).unwrap_or(named.usual.1);
        room::check_weights(&spec, input, classes)?;
        let net = spec.build(input, classes, 0, &device::open(DeviceName::Flex)?)?;
        let lines = net.layer_names().into_iter().zip(net.costs()).map(|(name, cost)| LayerLine {
            name,
            forward_macs: cost.forward,
            activations: cost.activations,
        });
        let layers: Vec<LayerLine> = lines.collect();
        described.push(Described {
            name: named.name,
            about: named.about,
            input,
            classes,
            parameters: net.num_params(),
            forward_macs: layers.iter().map(|l| l.forward_macs).sum(),
            activations: layers.iter().map(|l| l.activations).sum(),
            layers,
        });
    }
    if args.format.format == Format::Json {
        return print_json(&described);
    }
    print(&format!(
        "{:<12} {:>9} {:>7} {:>6} {:>12} {:>14} {:>12}  about",
        "network", "input", "classes", "layers", "parameters", "forward MACs", "activations"
    ))?;
    for d in &described {
        let [c, h, w] = d.input;
        print(&format!(
            "{:<12} {:>9} {:>7} {:>6} {:>12} {:>14} {:>12}  {}",
            d.name,
            format!("{c}x{h}x{w}"),
            d.classes,
            d.layers.len(),
            d.parameters,
            d.forward_macs,
            d.activations,
            d.about
        ))?;
        if args.name.is_some() {
            for (i, layer) in d.layers.iter().enumerate() {
                print(&format!("  {i:>2} {:<54} {:>14} {:>12}", layer.name, layer.forward_macs, layer.activations))?;
            }
        }
    }
    print("MACs and activations (floats that a backward pass reads) are per sample.")
}

/// One rule for programs.
#[derive(Serialize)]
struct DescribedRule {
    #[serde(flatten)]
    info: &'static RuleInfo,
    spec: RuleSpec,
    macs: Option<StepCost>,
    macs_of_bp: Option<f64>,
    fixed_values: Option<usize>,
    learned_values: Option<usize>,
}

/// Prints the rules, with their work on the paper's MLP for MNIST.
pub fn rules(args: FormatArgs) -> Result<()> {
    let (mut bp, batch) = (None, Recipe::default().batch);
    let mut described = Vec::new();
    for info in baselines::rules() {
        let spec = info.settings;
        let ([c, h, w], classes) = ([1, 28, 28], 10);
        let mut net = NetworkSpec::named("mlp-2x800").build([c, h, w], classes, 0, &device::open(DeviceName::Flex)?)?;
        let rule = spec.init(&mut net, 0).ok();
        let macs = rule.as_ref().map(|rule| rule.cost(&net, batch));
        let bp = *bp.get_or_insert(macs.map_or(1, |macs| macs.total()));
        described.push(DescribedRule {
            info,
            spec,
            macs,
            macs_of_bp: macs.map(|macs| macs.total() as f64 / bp as f64),
            fixed_values: rule.as_ref().map(|rule| rule.fixed_values(&net)),
            learned_values: rule.as_ref().map(|rule| rule.learned_values()),
        });
    }
    if args.format == Format::Json {
        return print_json(&described);
    }
    for rule in &described {
        let info = rule.info;
        let mark = if info.reconstructed { " [reconstructed]" } else { "" };
        print(&format!("{}{mark}\n  update       {}\n  paper        {}", info.title, info.equation, info.paper))?;
        print(&format!("  stores       {}\n  activations  {}", info.stores, info.activations))?;
        print(&format!("  update lock  {}\n  depends on   {}", info.update_locked, info.reach.text()))?;
        if let (Some(macs), Some(of_bp)) = (rule.macs, rule.macs_of_bp) {
            let (fixed, learned) = (rule.fixed_values.unwrap_or(0), rule.learned_values.unwrap_or(0));
            print(&format!(
                "  work         {} MACs per sample and step, {of_bp:.2} of BP's; {fixed} values fixed, {learned} \
                 learned",
                macs.total()
            ))?;
        }
        print(&format!("  spec         rule = {{ {} }}", settings(&rule.spec)))?;
    }
    print(
        "Work is for the paper's MLP for MNIST, 784-800-800-10, with the settings shown. `reconstructed`: put together \
         from incomplete public sources. Settings that follow from the network or the seed are left out of `spec`.",
    )
}

/// A rule with its settings, as in a run's spec.
fn settings(rule: &RuleSpec) -> String {
    let text = toml::to_string(rule).expect("plain data");
    text.lines().collect::<Vec<_>>().join(", ")
}
