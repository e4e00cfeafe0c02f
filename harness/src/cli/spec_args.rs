//! What a run is, on the command line: flags beat the spec file, which beats the defaults.

use super::values::{count, seed, whole};
use crate::error::Result;
use crate::experiment::shown;
use crate::spec::{Request, RunSpec, assemble};
use clap::Args;
use std::path::{Path, PathBuf};
use toml::{Table, Value};

/// SLL on mlp-2x800, mnist-sample, the paper's MLP recipe.
const DEFAULTS: &str = "dataset = \"mnist-sample\"\nnetwork = { name = \"mlp-2x800\" }\nrule = { name = \"sll\" }";

/// Keys that a named experiment takes from the command line, too.
const SHARED: [&str; 2] = ["recipe.epochs", "device"];

/// The parts of a run's spec.
#[derive(Args, Debug)]
pub struct SpecArgs {
    /// A run's spec in TOML, as results/runs/<id>/spec.toml; - reads it from stdin.
    #[arg(long, value_name = "FILE")]
    pub spec: Option<PathBuf>,
    /// Rule or variant, in any case: `harness rules` lists them; SLL7+ is sll with --units 7.
    #[arg(long)]
    rule: Option<String>,
    /// Network: `harness networks` lists them.
    #[arg(long)]
    network: Option<String>,
    /// Data set: a name of `harness data list`, or a folder of class folders or a manifest (.toml) of your own.
    #[arg(long)]
    dataset: Option<String>,
    /// Hidden layers, convolutions or encoder blocks.
    #[arg(long, value_parser = count)]
    depth: Option<usize>,
    /// Hidden units, channels of the first convolution, or width of a token.
    #[arg(long, value_parser = count)]
    width: Option<usize>,
    /// Dropout on hidden dense units.
    #[arg(long)]
    dropout: Option<f64>,
    /// Batch norm after convolutions, in an MLP after every hidden affine map; elsewhere with --set
    /// network.batch_norm=before or after.
    #[arg(long)]
    batch_norm: bool,
    /// Units of SLLi+ (rule sll).
    #[arg(long, value_parser = count)]
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
    /// constant, cosine, step or linear; step takes --set recipe.schedule.at=[60,90] --set recipe.schedule.factor=0.1,
    /// linear --set recipe.schedule.from=50 --set recipe.schedule.to=100.
    #[arg(long)]
    schedule: Option<String>,
    /// Passes over the training data.
    #[arg(long, value_parser = count)]
    pub epochs: Option<usize>,
    /// Samples a step.
    #[arg(long, value_parser = count)]
    batch: Option<usize>,
    /// Random horizontal flip.
    #[arg(long)]
    flip: bool,
    /// Random crop after padding by this many pixels.
    #[arg(long, value_name = "PIXELS", value_parser = count)]
    crop_padding: Option<usize>,
    /// Random part of an image, resized to its shape.
    #[arg(long)]
    resized_crop: bool,
    /// AutoAugment's policy: cifar or imagenet.
    #[arg(long, value_name = "POLICY")]
    auto_augment: Option<String>,
    /// Train on the first N images only.
    #[arg(long, value_name = "N", value_parser = count)]
    train_limit: Option<usize>,
    /// Hold out the last N training images and evaluate on them in place of the test set.
    #[arg(long, value_name = "N", value_parser = count)]
    validation: Option<usize>,
    /// Measure every layer before training and after every epoch: likelihood, divergence, both sides of Theorem 1,
    /// angle to BP's update. Costs about two evaluations and eight training steps an epoch; the result has the seconds
    /// it took.
    #[arg(long)]
    diagnostics: bool,
    /// Measure every hidden layer's output before training and after every epoch: what a projection does to distances,
    /// effective rank, how far classes lie apart; and keep what Figures 3 and 5 are drawn from.
    #[arg(long)]
    representations: bool,
    /// Seed of everything drawn at random.
    #[arg(long, value_parser = seed)]
    pub seed: Option<u64>,
    /// flex, cpu-tch or cuda:N.
    #[arg(long)]
    pub device: Option<String>,
    /// f32, or bf16: mixed precision, on LibTorch's devices.
    #[arg(long)]
    precision: Option<String>,
    /// Any other key of a spec, like rule.align_weight=0.3 (repeatable; values are TOML, bare words are text).
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
}

/// What is run without flags, for help.
pub fn defaults_help() -> String {
    format!("Without flags it is this spec:\n\n{}", RunSpec::from_toml(DEFAULTS, "defaults").expect("valid").to_toml())
}

impl SpecArgs {
    /// The spec as TOML, and its name in errors; `more` beats the flags.
    pub fn table(&self, more: Vec<(&'static str, Value)>) -> Result<(Table, String)> {
        let mut flags = self.flags();
        flags.extend(more);
        assemble(DEFAULTS, self.spec.as_deref(), flags, &self.set)
    }

    /// Whether anything is given but what any experiment takes, too.
    pub fn is_given(&self) -> bool {
        self.spec.is_some() || !self.set.is_empty() || self.flags().iter().any(|(key, _)| !SHARED.contains(key))
    }

    /// The same on a command line, without the folder of a file.
    pub fn words(&self) -> String {
        let file = self.spec.as_deref().and_then(|path| path.file_name());
        let file = file.map(|name| format!(" --spec {}", name.to_string_lossy()));
        let flags = self.flags().into_iter().filter(|(key, _)| *key != "device");
        let flags = flags.map(|(key, value)| match key {
            "rule.name" => format!(" --rule {}", shown(&value)),
            "network.name" => format!(" --network {}", shown(&value)),
            // Of a data set of one's own, which has a path, the last part.
            "dataset" => {
                let value = shown(&value);
                let name = Path::new(&value).file_name().unwrap_or_default().to_string_lossy();
                format!(" --dataset {name}")
            }
            _ => format!(" --set {key}={}", shown(&value)),
        });
        let pairs = self.set.iter().map(|pair| format!(" --set '{pair}'"));
        file.into_iter().chain(flags).chain(pairs).collect()
    }

    fn flags(&self) -> Vec<(&'static str, Value)> {
        let text = |value: &Option<String>| value.clone().map(Value::String);
        let whole = |value: Option<usize>| value.map(whole);
        let switch = |value: bool| value.then_some(Value::Boolean(true));
        let pairs = [
            ("rule.name", text(&self.rule.as_ref().map(|rule| rule.to_lowercase()))),
            ("network.name", text(&self.network)),
            ("dataset", text(&self.dataset)),
            ("network.depth", whole(self.depth)),
            ("network.width", whole(self.width)),
            ("network.dropout", self.dropout.map(Value::Float)),
            ("network.batch_norm", switch(self.batch_norm)),
            ("rule.units", whole(self.units)),
            ("recipe.optimizer", text(&self.optimizer)),
            ("recipe.lr", self.lr.map(Value::Float)),
            ("recipe.momentum", self.momentum.map(Value::Float)),
            ("recipe.weight_decay", self.weight_decay.map(Value::Float)),
            ("recipe.schedule.kind", text(&self.schedule)),
            ("recipe.epochs", whole(self.epochs)),
            ("recipe.batch", whole(self.batch)),
            ("recipe.flip", switch(self.flip)),
            ("recipe.crop_padding", whole(self.crop_padding)),
            ("recipe.resized_crop", switch(self.resized_crop)),
            ("recipe.auto_augment", text(&self.auto_augment)),
            ("recipe.train_limit", whole(self.train_limit)),
            ("recipe.validation", whole(self.validation)),
            ("recipe.diagnostics", switch(self.diagnostics)),
            ("recipe.representations", switch(self.representations)),
            ("seed", self.seed.map(|n| Value::Integer(n as i64))),
            ("device", text(&self.device)),
            ("network.precision", text(&self.precision)),
        ];
        pairs.into_iter().filter_map(|(key, value)| Some((key, value?))).collect()
    }
}
