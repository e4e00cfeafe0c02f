//! `harness networks` and `harness rules`.

use super::{print, print_json};
use crate::device;
use crate::error::Result;
use clap::{Args, ValueEnum};
use serde::Serialize;
use sll_core::network::{NetworkSpec, catalogue};

/// How to print a list.
#[derive(Args, Debug)]
pub struct FormatArgs {
    /// text or json.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
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
    /// Input as CxHxW, like 3x32x32; by default what the network is meant for.
    #[arg(long, value_name = "CxHxW", value_parser = parse_input)]
    input: Option<[usize; 3]>,
    /// Classes; by default those of the data the network is meant for.
    #[arg(long)]
    classes: Option<usize>,
    /// Batch norm after convolutions.
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

fn parse_input(text: &str) -> std::result::Result<[usize; 3], String> {
    let sizes: Vec<usize> = text.split('x').filter_map(|n| n.parse().ok()).filter(|&n| n > 0).collect();
    sizes.try_into().map_err(|_| format!("write the input as CxHxW, like 3x32x32, not `{text}`"))
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
            batch_norm: args.batch_norm,
            ..NetworkSpec::named(named.name)
        };
        let (input, classes) = (args.input.unwrap_or(named.usual.0), args.classes.unwrap_or(named.usual.1));
        let net = spec.build(input, classes, 0, &device::open("flex")?)?;
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

/// Prints the rules.
pub fn rules(args: FormatArgs) -> Result<()> {
    if args.format == Format::Json {
        return print_json(&baselines::rules());
    }
    for rule in baselines::rules() {
        print(&format!(
            "{} ({})\n  update       {}\n  paper        {}",
            rule.name, rule.title, rule.equation, rule.paper
        ))?;
        print(&format!("  stores       {}\n  activations  {}", rule.stores, rule.activations))?;
        print(&format!("  update lock  {}\n  settings     {}", rule.update_locked, settings(rule)))?;
    }
    Ok(())
}

/// A rule's settings with their defaults, as in a spec; those that follow from the network are left out there.
fn settings(rule: &baselines::RuleInfo) -> String {
    let text = toml::to_string(&rule.default_spec()).expect("plain data");
    let unset = if rule.name == "sll" {
        "; unset: units (every layer), projection_dim (K), projection_seed (seed)"
    } else {
        ""
    };
    let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with("name = ")).collect();
    if lines.is_empty() { "none".into() } else { format!("{}{unset}", lines.join(", ")) }
}
