//! What Figures 3 and 5 are drawn from, after a run's last epoch.

use super::Loader;
use super::representations::show;
use crate::error::Result;
use crate::record::{Kernels, LayerPlanes, Picture, Planes, WeightSpread};
use crate::spec::RunSpec;
use burn::tensor::TensorData;
use sll_core::Network;
use sll_core::representation::{Rows, Spectrum, neighbours};
use sll_core::rule::LearningRule;

/// Evaluated images that are drawn as points.
const POINTS: usize = 250;
/// Bins of a layer's weights.
const BINS: usize = 60;
/// The share of weights beyond the bins.
const TAILS: f64 = 0.001;
/// Kernels that are kept.
const KERNELS: usize = 64;
/// What the farthest point is from the middle.
const FARTHEST: f64 = 1000.0;

/// Everything that is drawn of the trained network.
pub fn of(
    spec: &RunSpec,
    net: &Network,
    rule: &dyn LearningRule,
    loader: &Loader,
    stop: &dyn Fn() -> bool,
) -> Result<Picture> {
    let shown = show(POINTS, spec.seed, net, rule, loader, stop)?;
    let before = spec.network.build(loader.image(), net.classes(), spec.seed, &net.device().clone().inner())?;
    let layers = shown.layers.iter().map(|layer| LayerPlanes { h: planes(&layer.h), v: planes(&layer.v) });
    Ok(Picture {
        labels: shown.labels.iter().map(|label| *label as u16).collect(),
        layers: layers.collect(),
        weights: (0..net.depth()).filter_map(|l| spread(net, &before, l)).collect(),
        kernels: kernels(net),
    })
}

fn planes(rows: &Rows) -> Planes {
    if !rows.is_finite() {
        return Planes::default();
    }
    let spectrum = Spectrum::of(rows);
    Planes { pca: scaled(&spectrum.plane()), tsne: scaled(&neighbours(rows, &spectrum)) }
}

/// Points around their middle, the farthest coordinate at [`FARTHEST`].
fn scaled(points: &[[f64; 2]]) -> Vec<[i16; 2]> {
    let middle = [0, 1].map(|k| points.iter().map(|point| point[k]).sum::<f64>() / points.len().max(1) as f64);
    let away = |point: &[f64; 2]| [point[0] - middle[0], point[1] - middle[1]];
    let most = points.iter().flat_map(away).fold(0.0, |most: f64, x| most.max(x.abs()));
    let scale = if most > 0.0 { FARTHEST / most } else { 0.0 };
    points.iter().map(|point| away(point).map(|x| (x * scale).round() as i16)).collect()
}

/// The matrices and kernels of layer `l`, biases and norms left out.
fn weights(net: &Network, l: usize) -> Vec<f32> {
    let (head, mut all) = (format!("layers.{l}."), Vec::new());
    for (name, data) in net.tensors() {
        let own = name.strip_prefix(&head).is_some_and(|name| name.ends_with("weight") && !name.contains("norm"));
        if own {
            all.extend(floats(data));
        }
    }
    all
}

fn floats(data: TensorData) -> Vec<f32> {
    data.convert::<f32>().try_to_vec::<f32>().expect("f32 values")
}

/// Mean, standard deviation and kurtosis.
fn moments(values: &[f32]) -> (f64, f64, f64) {
    let count = values.len() as f64;
    let mean = values.iter().map(|x| f64::from(*x)).sum::<f64>() / count;
    let moment = |power| values.iter().map(|x| (f64::from(*x) - mean).powi(power)).sum::<f64>() / count;
    (mean, moment(2).sqrt(), moment(4) / moment(2).powi(2))
}

fn spread(net: &Network, before: &Network, l: usize) -> Option<WeightSpread> {
    let mut values = weights(net, l);
    if values.is_empty() {
        return None;
    }
    let ((_, std, kurtosis), (_, initial_std, _)) = (moments(&values), moments(&weights(before, l)));
    values.sort_by(f32::total_cmp);
    let cut = (TAILS / 2.0 * values.len() as f64) as usize;
    let inner = &values[cut..values.len() - cut];
    let (low, high) = (f64::from(inner[0]), f64::from(inner[inner.len() - 1]));
    let width = (high - low) / BINS as f64;
    let mut counts = [0u32; BINS];
    for value in inner.iter().filter(|_| width > 0.0) {
        counts[(((f64::from(*value) - low) / width) as usize).min(BINS - 1)] += 1;
    }
    let density = |count: u32| (f64::from(count) / (values.len() as f64 * width)) as f32;
    Some(WeightSpread {
        name: net.layer_names()[l].clone(),
        std,
        initial_std,
        kurtosis,
        ends: [low + width / 2.0, high - width / 2.0].map(|x| x as f32),
        density: if width > 0.0 { counts.map(density).to_vec() } else { Vec::new() },
    })
}

/// The first kernels of a first layer that is a convolution.
fn kernels(net: &Network) -> Option<Kernels> {
    let (_, data) = net.tensors().into_iter().find(|(name, _)| name == "layers.0.weight")?;
    let [out, inner, side, _] = data.shape().iter().copied().collect::<Vec<_>>()[..] else { return None };
    let out = out.min(KERNELS);
    let values = floats(data)[..out * inner * side * side].to_vec();
    let most = values.iter().fold(0.0f32, |most, x| most.max(x.abs())).max(f32::MIN_POSITIVE);
    Some(Kernels {
        shape: [out, inner, side],
        values: values.into_iter().map(|x| (127.0 * x / most).round() as i8).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;
    use sll_core::NetworkSpec;

    #[test]
    fn points_lie_around_the_middle_and_fill_their_box() {
        assert_eq!(scaled(&[[1.0, 1.0], [5.0, 2.0]]), [[-1000, -250], [1000, 250]]);
        assert_eq!(scaled(&[[3.0, 3.0]; 2]), [[0, 0]; 2]);
    }

    #[test]
    fn moments_are_those_of_the_laws() {
        let uniform: Vec<f32> = (0..10_001).map(|i| i as f32 / 10_000.0).collect();
        let (mean, std, kurtosis) = moments(&uniform);
        assert!((mean - 0.5).abs() < 1e-6 && (std - 12f64.sqrt().recip()).abs() < 1e-4);
        assert!((kurtosis - 1.8).abs() < 1e-3, "{kurtosis}");
    }

    #[test]
    fn weights_are_counted_layer_by_layer_and_kernels_kept_as_they_lie() {
        let cnn = NetworkSpec { width: Some(8), batch_norm: true.into(), ..NetworkSpec::named("cnn-1") };
        let net = cnn.build([1, 28, 28], 10, 1, &Device::flex()).unwrap();
        // 8 channels of one 3x3 kernel each, drawn from U(±1/3): biases and batch norm are no weights.
        assert_eq!(weights(&net, 0).len(), 72);
        let spread = spread(&net, &net, 1).unwrap();
        assert_eq!((spread.std, spread.density.len()), (spread.initial_std, BINS));
        let width = f64::from(spread.ends[1] - spread.ends[0]) / (BINS - 1) as f64;
        let whole: f64 = spread.density.iter().map(|p| f64::from(*p) * width).sum();
        assert!((whole - (1.0 - TAILS)).abs() < 0.01, "{whole}");
        let kept = kernels(&net).unwrap();
        let own = weights(&net, 0);
        let most = own.iter().fold(0.0f32, |most, x| most.max(x.abs()));
        assert_eq!(kept.shape, [8, 1, 3]);
        assert!(kept.values.iter().zip(own).all(|(a, b)| (f32::from(*a) / 127.0 - b / most).abs() < 0.005));
        let mlp = NetworkSpec { width: Some(8), ..NetworkSpec::named("mlp-2x800") };
        assert!(kernels(&mlp.build([1, 4, 4], 3, 1, &Device::flex()).unwrap()).is_none());
    }
}
