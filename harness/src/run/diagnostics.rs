//! Every layer measured between two epochs, at the network's present weights and without touching the run: what is
//! shown to the rule is shown to a copy of it, made as a resumed run makes one.

use super::Loader;
use super::evaluate::EVALUATION_BATCH;
use crate::error::{Error, Result};
use crate::record::{EpochDiagnostics, LayerDiagnostics};
use crate::spec::RunSpec;
use baselines::bp::Bp;
use sll_core::angle::{degrees, movement};
use sll_core::rule::LearningRule;
use sll_core::{Network, posterior};
use std::time::Instant;

/// Training batches over which an angle is averaged.
const ANGLE_BATCHES: usize = 4;

/// Measures every layer after `epochs` epochs: posteriors on all evaluated images, angles on the first batches of the
/// epoch to come, with that step's own masks in both rules. Asks `stop` all the while.
pub fn after(
    epochs: usize,
    spec: &RunSpec,
    net: &Network,
    rule: &dyn LearningRule,
    loader: &Loader,
    stop: &dyn Fn() -> bool,
) -> Result<EpochDiagnostics> {
    let started = Instant::now();
    let mut failed = None;
    let images = loader.test(EVALUATION_BATCH).map(|images| if stop() { Err(Error::Interrupted) } else { images });
    let readable = images.map_while(|images| images.map_err(|error| failed = Some(error)).ok());
    let labelled = readable.map(|(x, labels)| (x, labels.iter().map(|&label| usize::from(label)).collect()));
    let units = posterior::measure(rule, &net.valid(), labelled);
    if let Some(error) = failed {
        return Err(error);
    }
    let mut layers: Vec<LayerDiagnostics> = net.layer_names().into_iter().map(LayerDiagnostics::named).collect();
    for (unit, range) in units.into_iter().zip(net.units(rule.cut())?) {
        layers[range.end - 1].posterior = Some(unit);
    }
    for (layer, angles) in layers.iter_mut().zip(angles(epochs, spec, net, rule, loader, stop)?) {
        let count = angles.len() as f64;
        layer.angle = (!angles.is_empty()).then(|| angles.iter().sum::<f64>() / count);
    }
    Ok(EpochDiagnostics { epoch: epochs, seconds: started.elapsed().as_secs_f64(), layers })
}

/// For each layer the angles between the rule's update and backpropagation's, one a batch where both move the layer.
fn angles(
    epochs: usize,
    spec: &RunSpec,
    net: &Network,
    rule: &dyn LearningRule,
    loader: &Loader,
    stop: &dyn Fn() -> bool,
) -> Result<Vec<Vec<f64>>> {
    let (layers, learned, images) = (net.record()?, rule.record()?, loader.epoch(epochs));
    let device = net.device().clone().inner();
    let copy = || -> Result<Network> {
        let mut copy = spec.network.build(loader.image(), net.classes(), spec.seed, &device)?;
        copy.load(layers.clone())?;
        Ok(copy)
    };
    let mut angles = vec![Vec::new(); net.depth()];
    for step in 0..ANGLE_BATCHES.min(loader.steps()) {
        if stop() {
            return Err(Error::Interrupted);
        }
        let batch = loader.batch(&images, step)?;
        let mut own = copy()?;
        let mut rule = spec.rule.init(&mut own, spec.seed)?;
        rule.load(learned.clone())?;
        let own = movement(&mut own, &mut *rule, &batch)?;
        // A network of its own: some rules leave feedback weights in theirs, which are not backpropagation's.
        let exact = movement(&mut copy()?, &mut Bp, &batch)?;
        for (angles, (own, exact)) in angles.iter_mut().zip(own.iter().zip(&exact)) {
            angles.extend(degrees(own, exact));
        }
    }
    Ok(angles)
}

impl LayerDiagnostics {
    fn named(name: String) -> Self {
        Self { name, angle: None, posterior: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use datasets::LoadOptions;
    use sll_core::optim::Updater;

    /// A rule on a small network and data, after some steps of training.
    fn trained(rule: &str, steps: usize) -> (RunSpec, Network, Box<dyn LearningRule>, Loader) {
        let text = format!(
            "dataset = \"mnist-sample\"\nnetwork = {{ name = \"mlp-2x800\", width = 24, dropout = 0.2 }}\n\
             rule = {{ {rule} }}\nrecipe = {{ train_limit = 1000, lr = 3e-3 }}"
        );
        let spec = RunSpec::from_toml(&text, "test").unwrap();
        let data = datasets::load(&spec.dataset, &LoadOptions::default()).unwrap();
        let device = burn::tensor::Device::flex();
        let loader = Loader::new(data, &spec.recipe, spec.seed, &device).unwrap();
        let mut net = spec.network.build(loader.image(), 10, spec.seed, &device).unwrap();
        let mut rule = spec.rule.init(&mut net, spec.seed).unwrap();
        let mut updater: Updater = spec.recipe.optimizer().init().unwrap();
        updater.set_lr(spec.recipe.lr);
        let images = loader.epoch(0);
        for step in 0..steps {
            rule.step(&mut net, &loader.batch(&images, step).unwrap(), &mut updater).unwrap();
        }
        (spec, net, rule, loader)
    }

    fn measured(rule: &str) -> (EpochDiagnostics, Vec<Option<f64>>) {
        let (spec, net, rule, loader) = trained(rule, 8);
        let before = (net.params(), rule.record().unwrap());
        let found = after(1, &spec, &net, &*rule, &loader, &|| false).unwrap();
        assert_eq!(before, (net.params(), rule.record().unwrap()), "measuring leaves no trace");
        assert!(found.seconds > 0.0 && found.layers.len() == 3);
        let angles = found.layers.iter().map(|layer| layer.angle).collect();
        (found, angles)
    }

    #[test]
    fn bp_is_at_no_angle_to_itself_and_has_no_posteriors_below_the_output() {
        for rule in ["name = \"bp\"", "name = \"bp-checkpoint\"", "name = \"sll\", units = 1"] {
            let (found, angles) = measured(rule);
            assert!(angles.iter().all(|angle| angle.unwrap() < 0.1), "{rule}: {angles:?}");
            assert!(found.layers[..2].iter().all(|layer| layer.posterior.is_none()));
        }
    }

    #[test]
    fn other_rules_meet_the_gradient_at_the_output_alone() {
        for rule in
            ["name = \"sll\"", "name = \"fa\"", "name = \"dfa\"", "name = \"dkp\"", "name = \"lls\", mix = \"m\""]
        {
            let (_, angles) = measured(rule);
            assert!(angles[2].unwrap() < 0.1, "{rule}: {angles:?}");
            assert!(angles[..2].iter().all(|angle| (2.0..178.0).contains(&angle.unwrap())), "{rule}: {angles:?}");
        }
    }

    #[test]
    fn local_posteriors_are_those_of_the_evaluation() {
        let (spec, net, rule, loader) = trained("name = \"sll\"", 8);
        let found = after(1, &spec, &net, &*rule, &loader, &|| false).unwrap();
        let units: Vec<_> = found.layers.iter().map(|layer| layer.posterior.unwrap()).collect();
        let (mut right, mut seen) = ([0; 3], 0);
        for (x, labels) in loader.test(100).map(|images| images.unwrap()) {
            for (right, scores) in right.iter_mut().zip(rule.unit_scores(&net.valid(), x)) {
                *right += super::super::evaluate::count_right(scores, labels);
            }
            seen += labels.len();
        }
        let expected = right.map(|right| 100.0 * right as f64 / seen as f64);
        assert_eq!([0, 1, 2].map(|unit: usize| units[unit].accuracy), expected);
        let bound = found.bound(|affinity| affinity.kl).unwrap();
        assert_eq!(bound.gains[2], 0.0);
        assert!(units[0].parent.is_none() && units[1..].iter().all(|unit| unit.parent.unwrap().kl > 0.0));
    }
}
