//! `harness memory`: weighs the training step of one network and rule in this process.

use super::options::ResultOptions;
use super::stdout::print_json;
use super::values::{sizes, whole};
use crate::error::{Error, Result};
use crate::spec::{MemorySpec, Request, assemble};
use crate::store::Store;
use crate::talk::say;
use crate::weigh::measure;
use clap::Args;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use toml::Value;

/// A step is told about only if it took this long.
const SLOW: Duration = Duration::from_secs(5);

/// Flags beat the spec file, which beats the defaults (SLL on mlp-3x1000, 3x32x32 images, batch 128, Adamax).
#[derive(Args, Debug)]
pub struct MemoryArgs {
    /// A measurement's spec in TOML; - reads it from stdin.
    #[arg(long, value_name = "FILE")]
    spec: Option<PathBuf>,
    /// Network: `harness networks` lists them.
    #[arg(long)]
    network: Option<String>,
    /// Channels, height and width of an image, like 3x224x224.
    #[arg(long, value_name = "CxHxW", value_parser = sizes)]
    image: Option<Image>,
    /// Classes.
    #[arg(long)]
    classes: Option<usize>,
    /// Hidden layers, convolutions or encoder blocks.
    #[arg(long)]
    depth: Option<usize>,
    /// Hidden units, channels of the first convolution, or width of a token.
    #[arg(long)]
    width: Option<usize>,
    /// Samples a step.
    #[arg(long)]
    batch: Option<usize>,
    /// Rule: `harness rules` lists them.
    #[arg(long)]
    rule: Option<String>,
    /// Units of the rule.
    #[arg(long)]
    units: Option<usize>,
    /// adamax, adam, adamw or sgd.
    #[arg(long)]
    optimizer: Option<String>,
    /// Steps; the first makes the optimiser's state, the others are weighed.
    #[arg(long)]
    steps: Option<usize>,
    /// Threads of tensor operations; only one gives the same bytes every time.
    #[arg(long)]
    threads: Option<usize>,
    /// flex, cpu-tch or cuda:N.
    #[arg(long)]
    device: Option<String>,
    /// f32, or bf16: mixed precision, on LibTorch's devices.
    #[arg(long)]
    precision: Option<String>,
    /// Any other key of a spec, like rule.segments=3 or network.patch=8 (repeatable; values are TOML, bare words text).
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Measure again although it was measured before.
    #[arg(long)]
    force: bool,
    /// The process that this is measured for: it ends when that one is gone.
    #[arg(long, hide = true, value_name = "PID")]
    parent: Option<u32>,
    #[command(flatten)]
    results: ResultOptions,
}

/// Measures, or finds what was measured, and prints it.
pub fn main(args: MemoryArgs) -> Result<()> {
    args.parent.into_iter().for_each(crate::interrupt::follow);
    let spec = spec(&args)?;
    let store = Store::at(&args.results.results);
    // One that cannot be used is set aside below, under its lock.
    if let (Ok(Some(footprint)), false) = (store.find(&spec), args.force) {
        say!("{} was measured before; --force measures again", footprint.id);
        return print_json(&footprint);
    }
    store.ready()?;
    with_threads(spec.threads)?;
    let claim = store.claim(&spec, || say!("another process is measuring {}; waiting for it", spec.id()))?;
    if args.force {
        claim.restart()?;
    } else if let Some(footprint) = claim.result(|sentence| say!("{sentence}"))? {
        return print_json(&footprint);
    }
    crate::interrupt::nothing_to_keep();
    let mut last = Instant::now();
    let outcome = measure(&spec, |step| {
        if last.elapsed() >= SLOW {
            say!("step {step} of {}, {:.1} s", spec.steps, last.elapsed().as_secs_f64());
        }
        last = Instant::now();
    });
    let footprint = match outcome {
        Ok(footprint) => footprint,
        Err(error) => {
            claim.remove_if_bare().unwrap_or_else(|other| say!("{other}"));
            return Err(error);
        }
    };
    claim.finish(&footprint)?;
    print_json(&footprint)
}

/// The tensor library reads its number of threads once, from the environment; where that says another number, this
/// program makes room for itself with the right one.
pub(super) fn with_threads(threads: usize) -> Result<()> {
    use std::os::unix::process::CommandExt;
    if crate::device::threads() == threads {
        return Ok(());
    }
    let mut command = std::process::Command::new(crate::pool::this_program()?);
    let threads_text = threads.to_string();
    command
        .args(std::env::args_os().skip(1))
        .env("RAYON_NUM_THREADS", &threads_text)
        .env("OMP_NUM_THREADS", &threads_text);
    // Only comes back if it fails.
    let error = command.exec();
    Err(Error::Missing(format!("cannot start this program again with {threads} threads: {error}")))
}

type Image = [usize; 3];

fn spec(args: &MemoryArgs) -> Result<MemorySpec> {
    let defaults = "image = [3, 32, 32]\nclasses = 10\nbatch = 128\nnetwork = { name = \"mlp-3x1000\" }\n\
                    rule = { name = \"sll\" }\noptimizer = \"adamax\"";
    let (table, origin) = assemble(defaults, args.spec.as_deref(), flags(args), &args.set)?;
    MemorySpec::from_table(table, &origin)
}

fn flags(args: &MemoryArgs) -> Vec<(&'static str, Value)> {
    let text = |value: &Option<String>| value.clone().map(Value::String);
    let sides = |image: Image| Value::Array(image.into_iter().map(whole).collect());
    let whole = |value: Option<usize>| value.map(whole);
    let pairs = [
        ("network.name", text(&args.network)),
        ("image", args.image.map(sides)),
        ("classes", whole(args.classes)),
        ("network.depth", whole(args.depth)),
        ("network.width", whole(args.width)),
        ("batch", whole(args.batch)),
        ("rule.name", text(&args.rule)),
        ("rule.units", whole(args.units)),
        ("optimizer", text(&args.optimizer)),
        ("steps", whole(args.steps)),
        ("threads", whole(args.threads)),
        ("device", text(&args.device)),
        ("network.precision", text(&args.precision)),
    ];
    pairs.into_iter().filter_map(|(key, value)| Some((key, value?))).collect()
}
