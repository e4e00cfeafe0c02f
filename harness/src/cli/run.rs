//! `harness run`: one run in this process.

use super::assemble::assemble;
use super::{DataOptions, ResultOptions, print_json, whole};
use crate::error::{Error, Result};
use crate::interrupt;
use crate::progress::RunProgress;
use crate::run;
use crate::spec::RunSpec;
use crate::store::Store;
use crate::talk::say;
use clap::Args;
use datasets::LoadOptions;
use std::path::PathBuf;
use toml::Value;

/// Flags beat the spec file, which beats the defaults (SLL on mlp-2x800, mnist-sample, the paper's MLP recipe).
#[derive(Args, Debug)]
pub struct RunArgs {
    /// A run's spec in TOML, as results/runs/<id>/spec.toml; - reads it from stdin.
    #[arg(long, value_name = "FILE")]
    spec: Option<PathBuf>,
    /// Rule: `harness rules` lists them.
    #[arg(long)]
    rule: Option<String>,
    /// Network: `harness networks` lists them.
    #[arg(long)]
    network: Option<String>,
    /// Data set: `harness data list` lists them.
    #[arg(long)]
    dataset: Option<String>,
    /// Hidden layers, convolutions or encoder blocks.
    #[arg(long)]
    depth: Option<usize>,
    /// Hidden units, channels of the first convolution, or width of a token.
    #[arg(long)]
    width: Option<usize>,
    /// Dropout on hidden dense units.
    #[arg(long)]
    dropout: Option<f64>,
    /// Batch norm after convolutions.
    #[arg(long)]
    batch_norm: bool,
    /// Units of SLLi+ (rule sll).
    #[arg(long)]
    units: Option<usize>,
    /// adamax, adam, adamw or sgd.
    #[arg(long)]
    optimizer: Option<String>,
    /// Learning rate.
    #[arg(long)]
    lr: Option<f64>,
    /// Momentum (optimizer sgd).
    #[arg(long)]
    momentum: Option<f64>,
    /// Weight decay.
    #[arg(long)]
    weight_decay: Option<f64>,
    /// constant, cosine or step; step takes --set recipe.schedule.at=[60,90] --set recipe.schedule.factor=0.1.
    #[arg(long)]
    schedule: Option<String>,
    /// Passes over the training data.
    #[arg(long)]
    epochs: Option<usize>,
    /// Samples a step.
    #[arg(long)]
    batch: Option<usize>,
    /// Random horizontal flip.
    #[arg(long)]
    flip: bool,
    /// Random crop after padding by this many pixels.
    #[arg(long, value_name = "PIXELS")]
    crop_padding: Option<usize>,
    /// Random part of an image, resized to its shape.
    #[arg(long)]
    resized_crop: bool,
    /// AutoAugment's policy: cifar or imagenet.
    #[arg(long, value_name = "POLICY")]
    auto_augment: Option<String>,
    /// Train on the first N images only.
    #[arg(long, value_name = "N")]
    train_limit: Option<usize>,
    /// Hold out the last N training images and evaluate on them in place of the test set.
    #[arg(long, value_name = "N")]
    validation: Option<usize>,
    /// Measure every layer before training and after every epoch: likelihood, divergence, both sides of Theorem 1, angle to
    /// BP's update. Costs about two evaluations and eight training steps an epoch; the result has the seconds it took.
    #[arg(long)]
    diagnostics: bool,
    /// Seed of everything drawn at random.
    #[arg(long, value_parser = clap::value_parser!(u64).range(..=i64::MAX as u64))]
    seed: Option<u64>,
    /// flex, cpu-tch or cuda:N.
    #[arg(long)]
    device: Option<String>,
    /// f32, or bf16: mixed precision, on LibTorch's devices.
    #[arg(long)]
    precision: Option<String>,
    /// Any other key of a spec, like rule.align_weight=0.3 (repeatable; values are TOML, bare words are text).
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Print the spec that would be run, and stop.
    #[arg(long)]
    dry_run: bool,
    /// Run again from the start: drops the stored result or checkpoint first.
    #[arg(long)]
    force: bool,
    /// The process that this run is made for: it ends when that one is gone.
    #[arg(long, hide = true, value_name = "PID")]
    parent: Option<u32>,
    #[command(flatten)]
    data: DataOptions,
    #[command(flatten)]
    results: ResultOptions,
}

/// Runs, or finds the result in the store, and prints it.
pub fn main(args: RunArgs) -> Result<()> {
    args.parent.into_iter().for_each(interrupt::follow);
    let mut spec = spec(&args)?;
    let options = args.data.load_options()?;
    let here = LoadOptions { online: !args.dry_run && options.online, ..options.clone() };
    match spec.pin_data(&here) {
        // The spec of a run on data that are not here yet is worth seeing, too.
        Err(Error::Missing(why)) if args.dry_run => say!("without `data_digest`: {why}"),
        outcome => outcome?,
    }
    if args.dry_run {
        return super::print(spec.to_toml().trim_end());
    }
    let store = Store::at(&args.results.results);
    let id = spec.id();
    // One that cannot be used is set aside below, under the run's lock.
    if let (Ok(Some(result)), false) = (store.result(&id), args.force) {
        say!("{id} is in the store already; --force runs it again");
        return print_json(&result);
    }
    store.ready()?;
    let claim = store.claim(&spec, || say!("another process is working on {id}; waiting for it"))?;
    // The process waited for may have finished the very same run.
    if args.force {
        claim.restart()?;
    } else if let Some(result) = claim.result(|sentence| say!("{sentence}"))? {
        return print_json(&result);
    }
    let title = format!("{} on {}, seed {}", spec.rule.title(), spec.dataset, spec.seed);
    let mut progress = RunProgress::new(title);
    let result = run::train(&spec, &options, Some(&claim.checkpoint()), &mut progress)?;
    drop(progress);
    claim.finish(&result)?;
    if let Some(step) = result.diverged_at_step {
        say!("loss or weights stopped being numbers at step {step}; the run is kept as diverged. Try a smaller --lr");
    }
    print_json(&result)
}

fn spec(args: &RunArgs) -> Result<RunSpec> {
    let defaults = "dataset = \"mnist-sample\"\nnetwork = { name = \"mlp-2x800\" }\nrule = { name = \"sll\" }";
    let (table, origin) = assemble(defaults, args.spec.as_deref(), flags(args), &args.set)?;
    RunSpec::from_table(table, &origin)
}

fn flags(args: &RunArgs) -> Vec<(&'static str, Value)> {
    let text = |value: &Option<String>| value.clone().map(Value::String);
    let whole = |value: Option<usize>| value.map(whole);
    let switch = |value: bool| value.then_some(Value::Boolean(true));
    let pairs = [
        ("rule.name", text(&args.rule)),
        ("network.name", text(&args.network)),
        ("dataset", text(&args.dataset)),
        ("network.depth", whole(args.depth)),
        ("network.width", whole(args.width)),
        ("network.dropout", args.dropout.map(Value::Float)),
        ("network.batch_norm", switch(args.batch_norm)),
        ("rule.units", whole(args.units)),
        ("recipe.optimizer", text(&args.optimizer)),
        ("recipe.lr", args.lr.map(Value::Float)),
        ("recipe.momentum", args.momentum.map(Value::Float)),
        ("recipe.weight_decay", args.weight_decay.map(Value::Float)),
        ("recipe.schedule.kind", text(&args.schedule)),
        ("recipe.epochs", whole(args.epochs)),
        ("recipe.batch", whole(args.batch)),
        ("recipe.flip", switch(args.flip)),
        ("recipe.crop_padding", whole(args.crop_padding)),
        ("recipe.resized_crop", switch(args.resized_crop)),
        ("recipe.auto_augment", text(&args.auto_augment)),
        ("recipe.train_limit", whole(args.train_limit)),
        ("recipe.validation", whole(args.validation)),
        ("recipe.diagnostics", switch(args.diagnostics)),
        ("seed", args.seed.map(|n| Value::Integer(n as i64))),
        ("device", text(&args.device)),
        ("network.precision", text(&args.precision)),
        ("allow_unverified", switch(args.data.allow_unverified)),
    ];
    pairs.into_iter().filter_map(|(key, value)| Some((key, value?))).collect()
}
