//! What the paper's full recipe would cost on this machine.

use crate::error::Result;
use crate::experiment::{Choices, Experiment, expand};
use crate::spec::RunSpec;
use burn::tensor::{Device, Tensor};
use datasets::LoadOptions;
use sll_core::rule::Batch;
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// One sentence: the hours that every run of `experiment` in the paper's profile would take here, as if all data were
/// at hand, from the multiply-accumulates of each rule and from how fast a few training steps just went.
pub fn paper_cost(experiment: &Experiment, choices: &Choices, device: &Device) -> Result<String> {
    let specs = planned(experiment, choices)?;
    let Some(first) = specs.first() else { return Ok("the paper's profile has no runs here".into()) };
    let rate = rate(first, device)?;
    let (mut macs, mut known) = (0.0, HashMap::new());
    for spec in &specs {
        let key = serde_json::to_string(&(&spec.dataset, &spec.network, &spec.rule)).expect("plain data");
        let per_sample = match known.get(&key) {
            Some(&cost) => cost,
            None => *known.entry(key).or_insert(cost(spec, device)?),
        };
        let images = datasets::manifest(&spec.dataset)?.counts.train;
        macs += per_sample * images as f64 * spec.recipe.epochs as f64;
    }
    let hours = macs / rate / 3600.0;
    Ok(format!(
        "the paper's recipe for this ({} runs of {} epochs) would take about {} on this machine, at the {:.0} GMAC/s just measured",
        specs.len(),
        first.recipe.epochs,
        if hours < 48.0 { format!("{hours:.1} hours") } else { format!("{:.1} days", hours / 24.0) },
        rate / 1e9
    ))
}

/// Every run of the paper's profile. Sizes come from the manifests, so the data need not be here.
fn planned(experiment: &Experiment, choices: &Choices) -> Result<Vec<RunSpec>> {
    let options = LoadOptions { system_dirs: false, ..LoadOptions::default() };
    let plan = expand(experiment.clone(), choices, &options)?;
    Ok(plan.cells.into_iter().flat_map(|cell| cell.specs).collect())
}

/// Multiply-accumulates of one training step of `spec`, per sample.
fn cost(spec: &RunSpec, device: &Device) -> Result<f64> {
    let manifest = datasets::manifest(&spec.dataset)?;
    let mut net = spec.network.build(manifest.shape, manifest.classes, 0, device)?;
    let rule = spec.rule.init(&mut net, 0)?;
    Ok(rule.cost(&net).total() as f64)
}

/// Multiply-accumulates per second of training steps of `spec` on noise, optimiser included.
fn rate(spec: &RunSpec, device: &Device) -> Result<f64> {
    let manifest = datasets::manifest(&spec.dataset)?;
    let mut net = spec.network.build(manifest.shape, manifest.classes, 0, device)?;
    let mut rule = spec.rule.init(&mut net, 0)?;
    let mut updater = spec.recipe.optimizer().init()?;
    let features = manifest.shape.iter().product();
    let x = Tensor::ones([spec.recipe.batch, features], device);
    let batch = Batch::new(x, vec![0; spec.recipe.batch], 0);
    let per_step = rule.cost(&net).total() as f64 * spec.recipe.batch as f64;
    let mut step = || -> Result<()> {
        rule.step(&mut net, &batch, &mut updater)?.loss.into_scalar::<f32>();
        Ok(())
    };
    step()?;
    let (started, mut steps) = (Instant::now(), 0);
    while started.elapsed() < Duration::from_millis(400) {
        step()?;
        steps += 1;
    }
    Ok(per_step * f64::from(steps) / started.elapsed().as_secs_f64())
}
