//! What a command, and the paper's recipe, will take on this machine.
//!
//! [`pace`] times the very networks and rules of a plan, in as many processes at once as runs will go on, with the
//! threads that a run gets; `clock` is the arithmetic.

mod clock;
mod crew;
pub mod pace;

pub use clock::{Load, makespan};
pub use crew::Crew;

use crate::error::Result;
use crate::experiment::{Choices, Experiment, expand};
use crate::spec::{MemorySpec, Request, RunSpec};
use crate::units::{counted, duration};
use datasets::{Augment, LoadOptions};
use pace::Paces;
use sll_core::rng::mix;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::{Duration, Instant};

/// How long one plan's steps are timed, by all processes together.
const TIME: Duration = Duration::from_secs(5);

/// How long images of one run are made to time it, and how many at least: augmentation draws what it does.
const IMAGE_TIME: Duration = Duration::from_millis(2);
const FEWEST_IMAGES: u64 = 16;

/// What is known of a run, or why its step could not be tried.
pub type Tried = std::result::Result<Load, String>;

/// What is known of the runs of `specs`, which are timed for a moment.
fn loads<'a>(specs: &[&'a RunSpec], crew: Crew, reading: &HashMap<String, f64>) -> Result<Vec<Tried>> {
    let keys: Vec<MemorySpec> = specs.iter().map(|spec| step_of(spec, crew.threads)).collect::<Result<_>>()?;
    let paces = Paces::measure(&keys, crew, TIME)?;
    // Rules and seeds of one data set and augmentation share the time of an image.
    let mut made: Vec<((&str, Augment), f64)> = Vec::new();
    let load = |(spec, key): (&&'a RunSpec, &MemorySpec)| {
        let pace = match paces.of(key) {
            Ok(pace) => pace,
            Err(why) => return Ok(Err(why)),
        };
        let kind = (spec.dataset.as_str(), spec.recipe.augment());
        let image = match made.iter().find(|(of, _)| *of == kind) {
            Some((_, image)) => *image,
            None => {
                made.push((kind, image_time(spec)?));
                made[made.len() - 1].1
            }
        };
        let (train, test) = images(spec)?;
        Ok(Ok(Load {
            pace,
            reading: reading.get(&spec.dataset).copied().unwrap_or(0.0),
            batches: train as f64 * image,
            steps: train.div_ceil(spec.recipe.batch),
            evaluated: test,
            epochs: spec.recipe.epochs,
            preparation: spec.rule.preparation().1.min(spec.recipe.epochs),
            images: image_bytes(spec)?,
        }))
    };
    specs.iter().zip(&keys).map(load).collect()
}

/// The step that a run takes again and again.
fn step_of(spec: &RunSpec, threads: usize) -> Result<MemorySpec> {
    let manifest = datasets::manifest(&spec.dataset)?;
    Ok(MemorySpec {
        network: spec.network.clone(),
        image: manifest.shape,
        classes: manifest.classes,
        batch: spec.recipe.batch.min(images(spec)?.0),
        rule: spec.rule,
        optimizer: spec.recipe.optimizer,
        momentum: spec.recipe.momentum,
        steps: 2,
        threads,
        device: spec.device,
    })
}

/// Seconds that it takes to make the features of one training image, by one thread, on images of noise.
fn image_time(spec: &RunSpec) -> Result<f64> {
    let manifest = datasets::manifest(&spec.dataset)?;
    let (augment, normalise) =
        (spec.recipe.augment(), spec.recipe.inputs.of(manifest.shape, &manifest.mean, &manifest.std));
    let pixels: Vec<u8> = (0..manifest.shape.iter().product()).map(|index: usize| mix(1, index as u64) as u8).collect();
    let (mut made, mut image, started) = (0, vec![0; pixels.len()], Instant::now());
    while made < FEWEST_IMAGES || started.elapsed() < IMAGE_TIME {
        augment.apply(&pixels, manifest.shape, &mut image, spec.seed, 0, made);
        std::hint::black_box(normalise.apply(&image));
        made += 1;
    }
    Ok(started.elapsed().as_secs_f64() / made as f64)
}

/// Bytes of a data set that lies in memory.
fn image_bytes(spec: &RunSpec) -> Result<u64> {
    let manifest = datasets::manifest(&spec.dataset)?;
    let images = if manifest.is_streamed() { 0 } else { manifest.counts.train + manifest.counts.test };
    Ok(images as u64 * manifest.shape.iter().product::<usize>() as u64)
}

/// Images trained on and evaluated on.
fn images(spec: &RunSpec) -> Result<(usize, usize)> {
    let counts = datasets::manifest(&spec.dataset)?.counts;
    Ok((spec.trained_on()?, spec.recipe.validation.unwrap_or(counts.test)))
}

/// Seconds that it takes to read each data set of `specs`.
fn reading(specs: &[&RunSpec], options: &LoadOptions) -> HashMap<String, f64> {
    let mut found = HashMap::new();
    for spec in specs {
        if !found.contains_key(&spec.dataset) {
            let options = LoadOptions { allow_unverified: spec.allow_unverified, online: false, ..options.clone() };
            let started = Instant::now();
            // One that cannot be read has its say when it is run.
            let _ = datasets::load(&spec.dataset, &options);
            found.insert(spec.dataset.clone(), started.elapsed().as_secs_f64());
        }
    }
    found
}

/// What each of `specs` will take: its steps are timed for a moment, its data read.
pub fn measure(specs: &[&RunSpec], crew: Crew, options: &LoadOptions) -> Result<Vec<Tried>> {
    loads(specs, crew, &reading(specs, options))
}

/// One sentence: what the runs that are left to do will take, `loads` in the same order.
pub fn command_cost(specs: &[&RunSpec], loads: &[Tried], crew: Crew) -> Result<String> {
    let known: Vec<Load> = loads.iter().flatten().copied().collect();
    let seconds: Vec<f64> = known.iter().map(Load::seconds).collect();
    let diagnosed = specs.iter().any(|spec| spec.recipe.diagnostics || spec.recipe.representations);
    Ok(format!(
        "this command: {} of {}, {} at once: {}{}, by steps just timed{}; data: {}; {}",
        counted([specs.len()], "run"),
        counted(specs.iter().map(|spec| spec.recipe.epochs), "epoch"),
        crew.jobs.min(specs.len()).max(1),
        about(&seconds, crew.jobs),
        if diagnosed { " and what it takes to measure every layer" } else { "" },
        without(specs, loads),
        data(specs)?,
        disk(&known, crew)
    ))
}

/// The data sets with their images, `mnist (60000 + 10000 images)`.
fn data(specs: &[&RunSpec]) -> Result<String> {
    let names: BTreeSet<&str> = specs.iter().map(|spec| spec.dataset.as_str()).collect();
    let told = |name: &str| {
        let counts = datasets::manifest(name)?.counts;
        Ok(format!("{name} ({} + {} images)", counts.train, counts.test))
    };
    Ok(names.into_iter().map(told).collect::<Result<Vec<_>>>()?.join(", "))
}

/// What the runs write while they go: each under way has its state and the one before it, and writes a third.
fn disk(loads: &[Load], crew: Crew) -> String {
    let mut states: Vec<f64> = loads.iter().map(|load| load.pace.state).collect();
    states.sort_by(|a, b| b.total_cmp(a));
    let kept = if crew.keeps_state { states.len() } else { 0 };
    let bytes = 3.0 * states.iter().take(crew.jobs).sum::<f64>() + states.iter().take(kept).sum::<f64>();
    format!("disk: up to {:.0} MB of states, a few kB a result", (bytes / 1e6).ceil())
}

/// One sentence: what every run of `experiment` in the paper's profile would take here, as if all data were at hand.
pub fn paper_cost(experiment: &Experiment, choices: &Choices, crew: Crew) -> Result<String> {
    let specs = planned(experiment, choices)?;
    if specs.is_empty() {
        return Ok("the paper's profile has no runs here".into());
    }
    let specs: Vec<&RunSpec> = specs.iter().collect();
    let loads = loads(&specs, crew, &HashMap::new())?;
    let seconds: Vec<f64> = loads.iter().flatten().map(Load::seconds).collect();
    Ok(format!(
        "the paper's recipe for all of it: {} of {}: {} on this machine{}",
        counted([specs.len()], "run"),
        counted(specs.iter().map(|spec| spec.recipe.epochs), "epoch"),
        about(&seconds, crew.jobs),
        without(&specs, &loads)
    ))
}

/// How long runs of `seconds` take, `jobs` at once.
fn about(seconds: &[f64], jobs: usize) -> String {
    if seconds.is_empty() { "an unknown time".into() } else { format!("about {}", duration(makespan(seconds, jobs))) }
}

/// Behind a time: the runs that are not in it, each rule with its data sets, and why.
fn without(specs: &[&RunSpec], loads: &[Tried]) -> String {
    let mut untried: BTreeMap<(&str, String), BTreeSet<&str>> = BTreeMap::new();
    for (spec, why) in specs.iter().zip(loads).filter_map(|(spec, load)| Some((spec, load.as_ref().err()?))) {
        untried.entry((why, spec.rule.title())).or_default().insert(&spec.dataset);
    }
    let told = |((why, rule), sets): ((&str, String), BTreeSet<&str>)| {
        format!(", without {rule:?} on {} ({why})", sets.into_iter().collect::<Vec<_>>().join(", "))
    };
    untried.into_iter().map(told).collect()
}

/// Every run of the paper's profile. Sizes come from the manifests, so the data need not be here.
fn planned(experiment: &Experiment, choices: &Choices) -> Result<Vec<RunSpec>> {
    let options = LoadOptions { system_dirs: false, ..LoadOptions::default() };
    let plan = expand(experiment.clone(), choices, &options)?;
    // A row that a sweep does not touch has the same run in every column.
    let mut seen = BTreeSet::new();
    Ok(plan.cells.into_iter().flat_map(|cell| cell.specs).filter(|spec| seen.insert(spec.id())).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_runs_of_which_none_was_timed_is_not_known() {
        assert_eq!(about(&[], 2), "an unknown time");
        assert_eq!(about(&[60.0, 60.0], 1), format!("about {}", duration(120.0)));
    }

    #[test]
    fn what_is_held_out_is_evaluated_and_not_trained_on() {
        let spec = |recipe: &str| {
            let text = format!(
                "dataset = \"mnist-sample\"\nnetwork = {{ name = \"mlp-2x800\" }}\nrule = {{ name = \"bp\" }}\n{recipe}"
            );
            images(&RunSpec::from_toml(&text, "test").unwrap()).unwrap()
        };
        assert_eq!(spec(""), (4000, 1000));
        assert_eq!(spec("recipe = { validation = 500 }"), (3500, 500));
        assert_eq!(spec("recipe = { validation = 500, train_limit = 100 }"), (100, 500));
    }
}
