//! `harness evaluate`: a saved network on the test images of a data set.

use super::options::DataOptions;
use super::stdout::print_json;
use crate::device;
use crate::error::{Error, Result};
use crate::interrupt;
use crate::model::{Card, Model, Scores, check_path};
use crate::run;
use crate::spec::{DeviceName, RunSpec};
use crate::talk::say;
use clap::Args;
use datasets::Manifest;
use serde::Serialize;
use std::path::PathBuf;

/// Rebuilds a network that `harness run --save` wrote, and its rule, and prints one JSON object about its accuracy on
/// the test images.
#[derive(Args, Debug)]
pub struct EvaluateArgs {
    /// The file.
    #[arg(value_name = "FILE")]
    model: PathBuf,
    /// Data set: a name of `harness data list`, or a folder or manifest (.toml) of your own. The one it was trained
    /// on, if left out.
    #[arg(long)]
    dataset: Option<String>,
    /// flex, cpu-tch or cuda:N. The one it was trained on, if left out.
    #[arg(long)]
    device: Option<DeviceName>,
    /// Write class scores [n, K] and labels [n] of the images, in order, to this file (safetensors).
    #[arg(long, value_name = "FILE")]
    scores: Option<PathBuf>,
    #[command(flatten)]
    data: DataOptions,
}

/// What is printed.
#[derive(Serialize)]
struct Evaluation<'a> {
    /// Percent of the images classified right.
    accuracy: f64,
    /// Images classified right.
    right: usize,
    /// Test images.
    n: usize,
    dataset: &'a str,
    /// SHA-256 of the data set's content.
    data_digest: &'a str,
    /// Whether that is the official content.
    verified: bool,
    device: DeviceName,
    rule: String,
    network: &'a str,
    /// SHA-256 of the network's tensors.
    tensors: &'a str,
    run_id: &'a str,
    /// The run's own data set and result.
    trained_on: &'a str,
    trained_on_digest: &'a str,
    run_result: &'a crate::model::CardResult,
}

/// Evaluates, and prints what came of it.
pub fn main(args: EvaluateArgs) -> Result<()> {
    let options = args.data.load_options()?;
    args.scores.as_deref().map_or(Ok(()), check_path)?;
    let model = Model::read(&args.model)?;
    let card = model.card.clone();
    let name = match (&args.dataset, &card.spec.data_settings) {
        (Some(name), _) => name,
        (None, None) => &card.spec.dataset,
        (None, Some(_)) => {
            let name = &card.data.name;
            return Err(Error::Input(format!(
                "the network was trained on `{name}`, a data set of somebody's own; name a folder or \
                 manifest: --dataset DIR"
            )));
        }
    };
    let manifest = datasets::resolve(name, &options)?;
    compare(&card, manifest)?;
    let spec = RunSpec { device: args.device.unwrap_or(card.spec.device), ..card.spec.clone() };
    spec.validate()?;
    if card.numerics != spec.numerics() {
        let (then, now) = (card.numerics, spec.numerics());
        say!("note: it was trained by version {then} of the numerics and this program's is {now} (CHANGELOG.md)");
    }
    let device = device::open(spec.device)?;
    let (net, rule) = model.rebuild(&device)?;
    let mut data = datasets::load(&manifest.name, &options)?;
    let (dataset, data_digest, verified) = (data.name.clone(), data.digest.clone(), data.verified);
    if dataset == card.data.name && data_digest != card.data.digest {
        say!("note: this is other content of data set `{dataset}` than the run's");
    }
    // Images look to the network as they did in training.
    (data.mean, data.std) = (card.data.mean.clone(), card.data.std.clone());
    interrupt::nothing_to_keep();
    let mut scores = args.scores.as_ref().map(|_| Scores::default());
    let found = run::evaluate(&net, &*rule, data, &device, |batch, labels| {
        scores.iter_mut().for_each(|scores| scores.add(batch, labels));
    })?;
    if let (Some(scores), Some(path)) = (scores, &args.scores) {
        scores.write(path)?;
        say!("wrote the scores to {}", path.display());
    }
    print_json(&Evaluation {
        accuracy: found.accuracy(),
        right: found.right,
        n: found.images,
        dataset: &dataset,
        data_digest: &data_digest,
        verified,
        device: spec.device,
        rule: spec.rule.title(),
        network: &spec.network.name,
        tensors: &card.tensors,
        run_id: &card.run_id,
        trained_on: &card.data.name,
        trained_on_digest: &card.data.digest,
        run_result: &card.result,
    })
}

/// Refuses images or classes that the network does not take, and says so where classes have other names.
fn compare(card: &Card, manifest: &Manifest) -> Result<()> {
    let (data, name) = (&card.data, &manifest.name);
    let written = |[c, h, w]: [usize; 3]| format!("{c}x{h}x{w}");
    if manifest.shape != data.shape {
        return Err(Error::Input(format!(
            "data set `{name}` has images of {}, and the network was trained on {} ({}); name a data set with \
             images of that shape",
            written(manifest.shape),
            written(data.shape),
            data.name
        )));
    }
    if manifest.classes != data.classes {
        return Err(Error::Input(format!(
            "data set `{name}` has {} classes, and the network tells {} apart ({}); name a data set with as many",
            manifest.classes, data.classes, data.name
        )));
    }
    if manifest.class_names != data.class_names {
        say!("note: the classes of `{name}` have other names than those of `{}`, which the network learned", data.name);
    }
    Ok(())
}
