//! LLS: local learning signals from fixed periodic bases (Apolinario, Roy & Roy 2025).
//!
//! ```text
//! s = pool(h), a = s / ‖s‖,   v = Φ a / T,   L = CE(softmax(v), y),   Φ_kt = sin(f_k t), f_k from 50 to 512
//! ```
//!
//! `h` is taken before dropout and pooling; maps are pooled to 4x4 in the first layer and to 2x2 in all others, as in
//! the authors' code. Variants: LLS-M scales each logit by a learned factor (`v (.) m`), LLS-MxM mixes them by a
//! learned `K x K` matrix (`v M`). No other head is learned; the output layer is trained by cross-entropy. One layer's
//! activations are held.
//!
//! In a narrow network pooling leaves the head little: on `cnn-1` of width 8 with batch norm, whose codes are 32 to 256
//! values a layer, LLS-M classifies 72.4 % of the test images of the Fashion-MNIST sample (three seeds, 70.8 to 73.3;
//! 750 steps of 32 images, Adam at 3e-3), with the common head 78.7 % (77.7 to 80.0). Where `m` starts decides less: at
//! `mix_std` 1 they are 74.8 % (69.2 to 78.9) and 77.9 % (76.5 to 78.9). With untrained hidden layers it is 67.7 %
//! after 500 steps.

use crate::local::{Head, Local, Objective, UnitObjective, inside};
use crate::per_layer::PerLayer;
use crate::register::{Rule, Variant, Variants};
use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};
use sll_core::divergence::cross_entropy;
use sll_core::learned::{Learned, Matrix, load_all};
use sll_core::named::Part;
use sll_core::op::Product;
use sll_core::optim::Updater;
use sll_core::rng::{Purpose, Stream, upload};
use sll_core::rule::{Batch, LearningRule};
use sll_core::summary::{MapSummary, Summary};
use sll_core::{Cut, Error, Network, NetworkSpec, Result, is_default};
use std::ops::Range;

/// What is learned between the fixed basis and the local posterior.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mix {
    /// Nothing: LLS.
    #[default]
    None,
    /// A factor for each class: LLS-M.
    M,
    /// A matrix over the classes: LLS-MxM.
    MxM,
}

/// The shape of the basis functions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Wave {
    /// `sin(f t)`.
    #[default]
    Sine,
    /// `sign(sin(f t))`.
    Square,
}

/// Settings of LLS.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LlsConfig {
    /// The variant.
    pub mix: Mix,
    /// The basis functions.
    pub wave: Wave,
    /// Temperature `T` (authors' code: 0.5).
    pub temperature: f64,
    /// Standard deviation of the entries that `m` and `M` start with (authors' code: 0.01).
    #[serde(skip_serializing_if = "is_authors")]
    pub mix_std: f64,
    /// How feature maps are pooled before the basis, layer by layer (authors' code: to 4x4, deeper ones to 2x2).
    pub summary: PerLayer<MapSummary>,
    /// The local head: the authors', or the basis on the whole output behind dropout and pooling, without a `summary`.
    #[serde(skip_serializing_if = "is_default")]
    pub head: Head,
}

/// Of [`LlsConfig::mix_std`].
const AUTHORS: f64 = 0.01;

fn is_authors(mix_std: &f64) -> bool {
    *mix_std == AUTHORS
}

impl Default for LlsConfig {
    fn default() -> Self {
        let summary = PerLayer::list(&[MapSummary::Pool4, MapSummary::Pool2]).expect("two values");
        Self { mix: Mix::None, wave: Wave::Sine, temperature: 0.5, mix_std: AUTHORS, summary, head: Head::Authors }
    }
}

/// The local heads.
pub struct Bases {
    temperature: f64,
    head: Head,
    /// Whether some head reads a map before it is pooled, which no model of memory follows.
    unpooled: bool,
    mix: Mix,
    /// Pooling and `Φᵀ [m, K]` of each unit but the last.
    heads: Vec<(Summary, Tensor<2>)>,
    /// `m [1, K]` or `M [K, K]` of each, where there is one.
    mixes: Vec<Learned<Matrix>>,
}

/// The rule.
pub type Lls = Local<Bases>;

impl Rule for LlsConfig {
    const VARIANTS: Variants<Self> = &[
        Variant {
            title: "LLS",
            equation: "L_l = CE(softmax(Phi a_l / T), y), a_l = pool(h_l) / |pool(h_l)|, Phi_kt = sin(f_k t)",
            paper: "Apolinario, Roy & Roy 2025",
            stores: "fixed: Phi, K values a pooled feature",
            ..Variant::local(Self::default)
        },
        Variant {
            title: "LLS-M",
            equation: "as LLS with logits m (.) Phi a_l / T",
            paper: "Apolinario, Roy & Roy 2025",
            stores: "fixed: Phi; learned: m, K values a layer",
            ..Variant::local(|| Self { mix: Mix::M, ..Self::default() })
        },
        Variant {
            title: "LLS-MxM",
            equation: "as LLS with logits (Phi a_l / T) M",
            paper: "Apolinario, Roy & Roy 2025",
            stores: "fixed: Phi; learned: M, K^2 values a layer",
            ..Variant::local(|| Self { mix: Mix::MxM, ..Self::default() })
        },
    ];

    fn build(&self, net: &mut Network, seed: u64) -> Result<Box<dyn LearningRule>> {
        Ok(Box::new(self.init(net, seed)?))
    }

    fn title(&self) -> String {
        self.head.titled(Self::VARIANTS[self.mix as usize].title)
    }

    fn numerics(&self, _network: &NetworkSpec) -> u32 {
        // Codes came to be taken before dropout and pooling.
        9
    }
}

impl LlsConfig {
    /// Builds the rule for `net`; `m` and `M` are drawn from `seed`.
    ///
    /// # Errors
    /// If a setting is out of its range.
    pub fn init(&self, net: &Network, seed: u64) -> Result<Lls> {
        Error::check_gain("temperature", self.temperature)?;
        Error::check_gain("mix_std", self.mix_std)?;
        self.head.check_summary(self.summary, Self::default().summary)?;
        if self.mix == Mix::None {
            Error::check_idle("mix_std", self.mix_std, AUTHORS, "with `mix` = m or mxm")?;
        }
        let (units, classes) = (net.units(Cut::EveryLayer)?, net.classes());
        let device = net.device().clone().inner();
        let hidden = &units[..units.len() - 1];
        let seen_otherwise = |unit: &Range<usize>| inside(net, unit).len() != net.output_of(unit.end - 1).len();
        let unpooled = self.head.is_authors() && hidden.iter().any(seen_otherwise);
        let heads = hidden.iter().enumerate().map(|(index, unit)| {
            let summary = Summary::new(self.head.shape(net, unit), self.head.summary(self.summary.at(index)));
            (summary, upload(self.basis(summary.len(), classes), [summary.len(), classes], &device))
        });
        let heads = heads.collect();
        let rows = match self.mix {
            Mix::None => 0,
            Mix::M => 1,
            Mix::MxM => classes,
        };
        let mix = |index: usize| {
            let mut stream = Stream::new(seed, Purpose::Learned, &[index as u64]);
            let entries = stream.normal(rows * classes, self.mix_std);
            Learned::new(Matrix::new(entries, [rows, classes], net.device()))
        };
        let mixes = if rows == 0 { Vec::new() } else { (0..hidden.len()).map(mix).collect() };
        Local::new(net, Bases { temperature: self.temperature, head: self.head, unpooled, mix: self.mix, heads, mixes })
    }

    /// `Φᵀ [m, K]`, row by row, computed in f64: the arguments reach many thousands of radians.
    fn basis(&self, m: usize, classes: usize) -> Vec<f32> {
        let frequency = |k: usize| 50.0 + 462.0 * k as f64 / (classes - 1).max(1) as f64;
        let value = |t: usize, k: usize| match self.wave {
            Wave::Sine => (frequency(k) * t as f64).sin(),
            // sign(0) is 0, which f64::signum does not say.
            Wave::Square if t == 0 => 0.0,
            Wave::Square => (frequency(k) * t as f64).sin().signum(),
        };
        (0..m).flat_map(|t| (0..classes).map(move |k| value(t, k) as f32)).collect()
    }
}

/// What the head computes on the way, for the way back.
struct Forward {
    /// `a`, `[b, m]`.
    direction: Tensor<2>,
    /// `‖s‖`, `[b, 1]`.
    norm: Tensor<2>,
    /// `Φ a / T`.
    raw: Tensor<2>,
    logits: Tensor<2>,
}

/// The head of one unit.
struct Basis<'a> {
    temperature: f64,
    mix: Mix,
    summary: &'a Summary,
    /// `Φᵀ`.
    basis: &'a Tensor<2>,
}

impl Basis<'_> {
    fn forward(&self, mix: Option<&Learned<Matrix>>, h: Tensor<2>) -> Forward {
        let s = self.summary.forward(h);
        let norm = (s.clone() * s.clone()).sum_dim(1).sqrt().clamp_min(1e-12);
        let direction = s / norm.clone();
        let raw = direction.clone().product(self.basis.clone()) / self.temperature;
        let logits = match (self.mix, mix) {
            (Mix::M, Some(m)) => raw.clone() * m.get().plain(),
            (Mix::MxM, Some(m)) => raw.clone().product(m.get().plain()),
            _ => raw.clone(),
        };
        Forward { direction, norm, raw, logits }
    }

    fn signal(
        &self,
        mix: Option<&mut Learned<Matrix>>,
        h: Tensor<2>,
        batch: &Batch,
        updater: &mut Updater,
    ) -> Tensor<2> {
        let Forward { direction, norm, raw, logits } = self.forward(mix.as_deref(), h);
        let targets = batch.targets(logits.dims()[1], &logits.device());
        let (_, _, error) = cross_entropy(logits, targets);
        let error = error * batch.share();
        let (draw, dmix) = match (self.mix, mix.as_deref()) {
            (Mix::M, Some(m)) => (error.clone() * m.get().plain(), Some((error * raw).sum_dim(0))),
            (Mix::MxM, Some(m)) => {
                (error.clone().product(m.get().plain().transpose()), Some(raw.transpose().product(error)))
            }
            _ => (error, None),
        };
        if let (Some(gradient), Some(mix)) = (dmix, mix) {
            mix.descend(gradient, updater, 1.0);
        }
        let da = draw.product(self.basis.clone().transpose()) / self.temperature;
        // Through the normalisation: what lies along `a` is lost.
        let along = (da.clone() * direction.clone()).sum_dim(1);
        self.summary.adjoint((da - direction * along) / norm)
    }
}

impl Objective for Bases {
    fn sees_inside(&self) -> bool {
        self.head.is_authors()
    }

    fn units(&mut self) -> Vec<UnitObjective<'_>> {
        let (temperature, mix) = (self.temperature, self.mix);
        let mixes = self.mixes.iter_mut().map(Some).chain(std::iter::repeat_with(|| None));
        let bases = self.heads.iter().map(|(summary, basis)| Basis { temperature, mix, summary, basis });
        let units = bases.zip(mixes).map(|(basis, mut learned)| -> UnitObjective<'_> {
            Box::new(move |h, batch, updater| basis.signal(learned.as_deref_mut(), h, batch, updater))
        });
        units.collect()
    }

    fn logits(&self, unit: usize, h: Tensor<2>) -> Option<Tensor<2>> {
        let (summary, basis) = &self.heads[unit];
        let basis = Basis { temperature: self.temperature, mix: self.mix, summary, basis };
        Some(basis.forward(self.mixes.get(unit), h).logits)
    }

    fn macs(&self, _batch: usize) -> u64 {
        // Of the mixes only a matrix multiplies; a vector scales.
        let mixed = self.mixes.iter().filter(|_| self.mix == Mix::MxM).map(|m| 3 * m.num_params());
        let bases = self.heads.iter().map(|(_, basis)| 2 * basis.shape().num_elements());
        bases.chain(mixed).sum::<usize>() as u64
    }

    /// `a`, `Φᵀ` times the error and either the second copy of that product or `a` times it, `[b, m]` each.
    fn temporaries(&self, batch: usize) -> Option<Vec<usize>> {
        let values = || self.heads.iter().map(|(summary, _)| 3 * batch * summary.len()).collect();
        (!self.unpooled).then(values)
    }

    fn parts(&self) -> Vec<Part<'_>> {
        let mut parts = Part::fixed_list("bases", self.heads.iter().map(|(_, basis)| basis.clone()));
        parts.extend(Part::learned_list("mixes", &self.mixes));
        parts
    }

    fn load(&mut self, record: Vec<Vec<u8>>) -> Result<()> {
        load_all(&mut self.mixes, record)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sll_core::laws::{self, Build, floats};

    const LLS: Build = &|net| Ok(Box::new(LlsConfig::default().init(net, 3)?));
    const MXM: Build = &|net| Ok(Box::new(LlsConfig { mix: Mix::MxM, ..LlsConfig::default() }.init(net, 3)?));

    /// The loss of one layer's output in plain f64.
    fn loss(h: &[f64], labels: &[usize], mix: &[f64], square: bool) -> f64 {
        let (b, k) = (labels.len(), 4);
        let n = h.len() / b;
        let mut total = 0.0;
        for (s, &label) in labels.iter().enumerate() {
            let row = &h[s * n..(s + 1) * n];
            let norm = row.iter().map(|v| v * v).sum::<f64>().sqrt();
            let raw = |c: usize| -> f64 {
                let f = 50.0 + 462.0 * c as f64 / 3.0;
                let phi = |t: usize| if square && t > 0 { (f * t as f64).sin().signum() } else { (f * t as f64).sin() };
                row.iter().enumerate().map(|(t, v)| phi(t) * v / norm).sum::<f64>() / 0.5
            };
            let logit = |c: usize| -> f64 {
                match mix.len() {
                    4 => raw(c) * mix[c],
                    16 => (0..k).map(|j| raw(j) * mix[j * k + c]).sum(),
                    _ => raw(c),
                }
            };
            total += (0..k).map(|c| logit(c).exp()).sum::<f64>().ln() - logit(label);
        }
        total / b as f64
    }

    #[test]
    fn mixes_start_as_normal_draws_of_the_authors_size() {
        let net = laws::plain_mlp(6, 5, 40);
        let rule = LlsConfig { mix: Mix::MxM, ..LlsConfig::default() }.init(&net, 3).unwrap();
        let values = floats(rule.objective().mixes[0].get().plain());
        // Of 1,600 draws with deviation 0.01: the mean square to within five of its standard errors, the fourth moment
        // three times its square, where a uniform law has 1.8.
        let moment = |power| values.iter().map(|v| f64::from(*v).powi(power)).sum::<f64>() / values.len() as f64;
        assert_eq!(values.len(), 1600);
        assert!((moment(2) / 1e-4 - 1.0).abs() < 5.0 * (2.0f64 / 1600.0).sqrt(), "{}", moment(2));
        assert!((moment(4) / moment(2).powi(2) - 3.0).abs() < 0.6, "{}", moment(4) / moment(2).powi(2));
    }

    #[test]
    fn the_signal_and_the_mixs_gradient_are_those_of_the_loss() {
        for (mix, wave) in [(Mix::None, Wave::Sine), (Mix::M, Wave::Square), (Mix::MxM, Wave::Sine)] {
            let net = laws::small_mlp(1);
            let mut rule = LlsConfig { mix, wave, ..LlsConfig::default() }.init(&net, 3).unwrap();
            let batch = laws::batch(&net, 2);
            let h = laws::hidden(&net, 1, &batch) + 0.1;
            let values: Vec<f64> = floats(h.clone()).into_iter().map(f64::from).collect();
            let plain = |m: &Bases| -> Vec<f64> {
                m.mixes.first().map_or(vec![], |m| floats(m.get().plain()).into_iter().map(f64::from).collect())
            };
            let before = plain(rule.objective());
            let mut updater = laws::descent();
            let signal = floats((rule.objective_mut().units().swap_remove(0))(h, &batch, &mut updater));
            let after = plain(rule.objective());
            let slope = |f: &dyn Fn(f64) -> f64| (f(1e-5) - f(-1e-5)) / 2e-5;
            for i in (0..values.len()).step_by(7) {
                let expected = slope(&|by| {
                    let mut h = values.clone();
                    h[i] += by;
                    loss(&h, &batch.labels, &before, wave == Wave::Square)
                });
                assert!((expected - f64::from(signal[i])).abs() < 1e-5, "{mix:?} h[{i}]: {expected}, {}", signal[i]);
            }
            for i in 0..before.len() {
                let expected = slope(&|by| {
                    let mut mix = before.clone();
                    mix[i] += by;
                    loss(&values, &batch.labels, &mix, wave == Wave::Square)
                });
                assert!((expected - (before[i] - after[i])).abs() < 1e-5, "{mix:?} M[{i}]");
            }
        }
    }

    /// Averages of each channel over the cells of a grid that cover the whole of maps `[c, side, side]`.
    fn pooled(h: &[f64], side: usize, grid: usize) -> Vec<f64> {
        let cell = |i: usize| i * side / grid..((i + 1) * side).div_ceil(grid);
        let mut found = Vec::new();
        for map in h.chunks(side * side) {
            for (rows, columns) in (0..grid).flat_map(|i| (0..grid).map(move |j| (cell(i), cell(j)))) {
                let count = (rows.len() * columns.len()) as f64;
                let all = rows.flat_map(|y| columns.clone().map(move |x| y * side + x));
                found.push(all.map(|at| map[at]).sum::<f64>() / count);
            }
        }
        found
    }

    #[test]
    fn on_maps_the_signal_is_the_gradient_of_the_loss_of_pooled_maps() {
        // Maps of sides that the grids do not divide: 14 on 4x4 cells, then 7 on 2x2.
        let spec = NetworkSpec { depth: Some(2), width: Some(3), ..NetworkSpec::named("cnn-1") };
        let net = spec.build([1, 14, 14], 4, 5, &burn::tensor::Device::flex()).unwrap();
        for (unit, c, side, grid) in [(0, 3, 14, 4), (1, 6, 7, 2)] {
            let mut rule = LlsConfig { mix: Mix::M, mix_std: 1.0, ..LlsConfig::default() }.init(&net, 3).unwrap();
            let batch = laws::batch(&net, 2);
            let b = batch.len();
            let h = Stream::new(unit, Purpose::Noise, &[]).uniform(b * c * side * side, 1.0);
            let values: Vec<f64> = h.iter().map(|&v| f64::from(v)).collect();
            let mix: Vec<f64> = {
                let m = &rule.objective().mixes[unit as usize];
                floats(m.get().plain()).into_iter().map(f64::from).collect()
            };
            let h = upload(h, [b, c * side * side], &batch.x.device());
            let signal =
                floats((rule.objective_mut().units().swap_remove(unit as usize))(h, &batch, &mut laws::descent()));
            let mut largest = 0f64;
            for i in (0..values.len()).step_by(values.len() / 60) {
                let at = |by: f64| {
                    let mut h = values.clone();
                    h[i] += by;
                    loss(&pooled(&h, side, grid), &batch.labels, &mix, false)
                };
                let slope = (at(1e-4) - at(-1e-4)) / 2e-4;
                assert!((slope - f64::from(signal[i])).abs() < 1e-5, "unit {unit}, h[{i}]: {slope}, {}", signal[i]);
                largest = largest.max(slope.abs());
            }
            assert!(largest > 1e-4, "unit {unit}: {largest}");
        }
    }

    #[test]
    fn is_local_repeats_resumes_and_learns() {
        laws::local(|| laws::small_mlp(2), || laws::small_mlp(4), 2, LLS);
        laws::repeats(|| laws::small_mlp(3), LLS);
        laws::resumes(|| laws::small_mlp(3), LLS);
        laws::resumes(|| laws::small_mlp(3), MXM);
        laws::learns(|| laws::small_mlp(2), LLS, 160);
        laws::learns(laws::small_cnn, MXM, 80);
        laws::learns(|| laws::small_vit(true), LLS, 120);
    }

    #[test]
    fn codes_are_taken_before_pooling_on_4x4_then_2x2_cells() {
        // 16x16 maps of 4, then 8x8 of 8 channels, before they are halved.
        let net = laws::small_cnn();
        let lengths = |head| {
            let rule = LlsConfig { head, ..LlsConfig::default() }.init(&net, 3).unwrap();
            rule.objective().heads.iter().map(|(summary, _)| summary.len()).take(2).collect::<Vec<_>>()
        };
        assert_eq!(lengths(Head::Authors), [4 * 16, 8 * 4]);
        assert_eq!(lengths(Head::Common), [4 * 64, 8 * 16]);
        // The first layer's update is the gradient of the loss on its map before pooling.
        let mut net = laws::small_cnn();
        let mut rule = LlsConfig::default().init(&net, 3).unwrap();
        let (batch, before) = (laws::batch(&net, 1), net.duplicate());
        let moved = laws::moved(&mut net, &mut rule, &batch);
        let h = before.respond(0, Tensor::from_inner(batch.x.clone()), &batch.pass()).unwrap();
        assert_eq!(h.dims()[1], 4 * 256);
        let signal = (rule.objective_mut().units().swap_remove(0))(h.clone().inner(), &batch, &mut laws::descent());
        let grads = sll_core::op::inject(h, signal);
        let mut other = before;
        let start = laws::floats(other.weights()[0][0].rows());
        laws::descent().step(&mut other, 0..1, grads);
        let end = laws::floats(other.weights()[0][0].rows());
        for ((a, b), found) in start.iter().zip(end).zip(&moved[0][0]) {
            assert!((a - b - found).abs() < 1e-6);
        }
    }

    #[test]
    fn the_common_head_runs_on_every_network() {
        let common: Build = &|net| Ok(Box::new(LlsConfig { head: Head::Common, ..LlsConfig::default() }.init(net, 3)?));
        laws::learns(laws::small_cnn, common, 80);
        laws::local(|| laws::small_mlp(2), || laws::small_mlp(4), 2, common);
    }

    #[test]
    fn bad_settings_are_named() {
        let config = LlsConfig { temperature: 0.0, ..LlsConfig::default() };
        assert!(config.init(&laws::small_mlp(1), 3).err().unwrap().to_string().contains("temperature"));
    }

    #[test]
    fn settings_without_an_effect_are_refused() {
        let refused = |config: LlsConfig| config.init(&laws::small_cnn(), 3).err().map(|error| error.to_string());
        let pooled = LlsConfig { summary: PerLayer::all(MapSummary::Pool2), ..LlsConfig::default() };
        assert!(refused(LlsConfig { head: Head::Common, ..pooled }).unwrap().contains("`summary`"));
        assert!(refused(pooled).is_none());
        let wide = LlsConfig { mix_std: 1.0, ..LlsConfig::default() };
        assert!(refused(wide).unwrap().contains("`mix_std` = 1.0: it has no effect here, only with `mix` = m or mxm"));
        assert!(refused(LlsConfig { mix: Mix::M, ..wide }).is_none());
    }
}
