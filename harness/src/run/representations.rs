//! What hidden layers represent, measured between two epochs on the evaluated images, at the network's present weights
//! and without touching the run.

use super::Loader;
use super::evaluate::EVALUATION_BATCH;
use crate::error::{Error, Result};
use crate::record::{EpochRepresentations, FreshDistortion, LayerRepresentation, Separation};
use burn::tensor::Tensor;
use sll_core::learned::Kept;
use sll_core::projection::{ProjectionConfig, ProjectionLaw};
use sll_core::representation::{Distortion, Rows, Spectrum, distortion, nearest_class_mean, scatter_ratio};
use sll_core::rule::LearningRule;
use sll_core::{Network, Pass};
use std::ops::Range;
use std::time::Instant;

/// Evaluated images that classes are measured on.
const IMAGES: usize = 2000;
/// Of these, the images whose directions are counted.
const DIRECTIONS: usize = 500;
/// Of these, the minibatch whose distances are compared: the paper's.
const MINIBATCH: usize = 128;
/// Codes of fresh projections beside as many as there are classes.
const CODES: [usize; 3] = [100, 300, 1000];
/// Fresh projections of each size.
const DRAWS: usize = 3;
/// The first index of fresh projections in the stream that units' own come from by their number.
const FRESH: usize = 1 << 20;

/// Hidden layers' outputs on images, and what projections make of them.
pub(super) struct Shown {
    pub labels: Vec<usize>,
    pub layers: Vec<Layer>,
}

/// One hidden layer's.
pub(super) struct Layer {
    pub h: Rows,
    pub v: Rows,
    /// Whether `v` is the rule's own.
    own: bool,
    /// The rule's own projection, where it has one of the layer's whole output.
    projection: Option<Tensor<2>>,
}

/// Shows the first evaluated images, at most `images`, to the network.
pub(super) fn show(
    images: usize,
    seed: u64,
    net: &Network,
    rule: &dyn LearningRule,
    loader: &Loader,
    stop: &dyn Fn() -> bool,
) -> Result<Shown> {
    let (valid, hidden) = (net.valid(), net.depth() - 1);
    let units = net.units(rule.cut())?;
    let mut labels = Vec::new();
    let mut outputs: Vec<(Rows, Rows, bool)> = vec![Default::default(); hidden];
    for shown in loader.test(EVALUATION_BATCH) {
        if stop() {
            return Err(Error::Interrupted);
        }
        let (x, found) = shown?;
        if labels.len() >= images {
            break;
        }
        labels.extend(found.iter().map(|label| usize::from(*label)));
        let logits = rule.unit_logits(&valid, x.clone());
        let mut h = x;
        for (l, (all_h, all_v, own)) in outputs.iter_mut().enumerate() {
            h = valid.forward_range(l..l + 1, h, &Pass::Eval);
            let v = unit_of(&units, l).and_then(|unit| logits.get(unit).cloned());
            *own = v.is_some();
            let fresh = |h: &Tensor<2>| h.clone().matmul(fresh(h.dims()[1], net.classes(), seed, (l, 0), net));
            all_v.extend(Rows::of(v.unwrap_or_else(|| fresh(&h))));
            all_h.extend(Rows::of(h.clone()));
        }
    }
    labels.truncate(images);
    let layer = |(l, (h, v, own)): (usize, (Rows, Rows, bool))| Layer {
        projection: unit_of(&units, l).and_then(|unit| projection(rule, unit, h.width())),
        h: h.first(images),
        v: v.first(images),
        own,
    };
    Ok(Shown { labels, layers: outputs.into_iter().enumerate().map(layer).collect() })
}

/// The unit that ends with layer `l`.
fn unit_of(units: &[Range<usize>], l: usize) -> Option<usize> {
    units.iter().position(|unit| unit.end == l + 1)
}

/// The rule's own fixed projection of a unit whose output has `width` values.
fn projection(rule: &dyn LearningRule, unit: usize, width: usize) -> Option<Tensor<2>> {
    let name = format!("projections.{unit}");
    let part = rule.parts().into_iter().find(|part| part.name == name)?;
    match part.kept {
        Kept::Fixed(matrix) if matrix.dims()[0] == width => Some(*matrix),
        _ => None,
    }
}

/// A projection of `N(0, 1/codes)` that no unit has, which keeps squared lengths in expectation.
fn fresh(n: usize, codes: usize, seed: u64, (layer, draw): (usize, usize), net: &Network) -> Tensor<2> {
    let config =
        ProjectionConfig { law: ProjectionLaw::JlNormal, gain: 1.0, dropout: 0.0, learned: false, regenerated: false };
    config.init(n, codes, seed, FRESH + layer * DRAWS + draw, net.device()).clean()
}

/// Measures every hidden layer after `epochs` epochs.
pub fn after(
    epochs: usize,
    seed: u64,
    net: &Network,
    rule: &dyn LearningRule,
    loader: &Loader,
    stop: &dyn Fn() -> bool,
) -> Result<EpochRepresentations> {
    let started = Instant::now();
    let shown = show(IMAGES, seed, net, rule, loader, stop)?;
    let names = net.layer_names();
    let mut layers = Vec::new();
    for (l, layer) in shown.layers.iter().enumerate() {
        if stop() {
            return Err(Error::Interrupted);
        }
        layers.push(measured(names[l].clone(), l, layer, &shown.labels, seed, net));
    }
    Ok(EpochRepresentations { epoch: epochs, seconds: started.elapsed().as_secs_f64(), layers })
}

fn measured(name: String, l: usize, layer: &Layer, labels: &[usize], seed: u64, net: &Network) -> LayerRepresentation {
    let classes = net.classes();
    let separation = |rows: &Rows| Separation {
        scatter_ratio: scatter_ratio(rows, labels, classes),
        nearest_mean: nearest_class_mean(rows, labels, classes),
    };
    if !layer.h.is_finite() {
        let (h, v) = (Separation::default(), Separation::default());
        let (own_distortion, fresh) = (None, Vec::new());
        return LayerRepresentation { name, effective_rank: None, h, v, own: layer.own, own_distortion, fresh };
    }
    let minibatch = layer.h.first(MINIBATCH);
    let tensor = minibatch.tensor(&net.device().clone().inner());
    let under = |r: Tensor<2>, gain: f64| distortion(&minibatch, &Rows::of(tensor.clone().matmul(r)), gain);
    let fresh_at = |codes: usize| {
        let draws: Vec<Distortion> =
            (0..DRAWS).filter_map(|draw| under(fresh(minibatch.width(), codes, seed, (l, draw), net), 1.0)).collect();
        let mean = |of: fn(&Distortion) -> f64| draws.iter().map(of).sum::<f64>() / draws.len() as f64;
        let distortion = Distortion { mean: mean(|d| d.mean), max: mean(|d| d.max) };
        (!draws.is_empty()).then_some(FreshDistortion { codes, distortion })
    };
    let codes = [classes].into_iter().chain(CODES.into_iter().filter(|codes| *codes > classes));
    LayerRepresentation {
        name,
        effective_rank: Some(Spectrum::of(&layer.h.first(DIRECTIONS)).effective_rank()),
        h: separation(&layer.h),
        v: separation(&layer.v),
        own: layer.own,
        own_distortion: layer.projection.clone().and_then(|r| {
            let gain = expected_gain(&r);
            under(r, gain)
        }),
        fresh: codes.filter_map(fresh_at).collect(),
    }
}

/// What a projection of independent entries does to squared lengths in expectation, `d_o E R_jk²`, by its own entries.
fn expected_gain(r: &Tensor<2>) -> f64 {
    let rows = Rows::of(r.clone());
    let squares = (0..rows.len()).flat_map(|j| rows.row(j)).map(|x| f64::from(*x).powi(2));
    squares.sum::<f64>() / rows.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::RunSpec;
    use datasets::LoadOptions;

    /// A rule on a small network before training, with the sample's images.
    fn untrained(rule: &str) -> (Network, Box<dyn LearningRule>, Loader) {
        let text = format!(
            "dataset = \"mnist-sample\"\nnetwork = {{ name = \"mlp-2x800\", width = 40 }}\nrule = {{ {rule} }}\n\
             recipe = {{ train_limit = 500 }}"
        );
        let spec = RunSpec::from_toml(&text, "test").unwrap();
        let data = datasets::load(&spec.dataset, &LoadOptions::default()).unwrap();
        let device = burn::tensor::Device::flex();
        let loader = Loader::new(data, &spec.recipe, 1, &device).unwrap();
        let mut net = spec.network.build(loader.image(), 10, 1, &device).unwrap();
        let rule = spec.rule.init(&mut net, 1).unwrap();
        (net, rule, loader)
    }

    #[test]
    fn sll_is_seen_through_its_own_projections_and_bp_through_fresh_ones() {
        for (rule, own) in [("name = \"sll\", projection_gain = 3.0", true), ("name = \"bp\"", false)] {
            let (net, rule, loader) = untrained(rule);
            let found = after(0, 1, &net, &*rule, &loader, &|| false).unwrap();
            assert_eq!(found.layers.len(), 2, "hidden layers alone");
            for layer in &found.layers {
                assert_eq!((layer.own, layer.own_distortion.is_some()), (own, own));
                let codes: Vec<usize> = layer.fresh.iter().map(|fresh| fresh.codes).collect();
                assert_eq!(codes, [10, 100, 300, 1000]);
                let off: Vec<f64> = layer.fresh.iter().map(|fresh| fresh.distortion.mean).collect();
                assert!(off.windows(2).all(|pair| pair[0] > pair[1]), "more codes keep distances better: {off:?}");
                // As chi-squared has it; pairs share images and R, so that it is not met exactly.
                assert!((off[3] / (4.0 / (std::f64::consts::PI * 1000.0)).sqrt() - 1.0).abs() < 0.5, "{off:?}");
                assert!((1.0..40.0).contains(&layer.effective_rank.unwrap()));
                let (h, v) = (layer.h.nearest_mean.unwrap(), layer.v.nearest_mean.unwrap());
                assert!(h > v && v > 20.0, "ten random codes of untrained features tell less: {h}, {v}");
            }
        }
    }

    #[test]
    fn a_gain_is_told_from_the_entries() {
        let r = Tensor::<2>::from_data([[1.0f32, -1.0], [2.0, 0.0]], &burn::tensor::Device::flex());
        assert_eq!(expected_gain(&r), 3.0);
    }

    #[test]
    fn outputs_that_are_no_numbers_have_none() {
        let (mut net, _, loader) = untrained("name = \"bp\"");
        let mut tensors: std::collections::BTreeMap<_, _> = net.tensors().into_iter().collect();
        let infinite = burn::tensor::TensorData::new(vec![f32::INFINITY; 40], [40]);
        tensors.insert("layers.0.bias".into(), infinite);
        net.set_tensors(&mut |name| tensors.get(name).cloned()).unwrap();
        let found = after(0, 1, &net, &baselines::bp::Bp, &loader, &|| false).unwrap();
        assert_eq!((found.layers[0].effective_rank, found.layers[0].fresh.len()), (None, 0));
    }
}
