//! Local prediction and similarity losses: pred, sim and predsim (Nøkland & Eidnes 2019).
//!
//! ```text
//! pred:     CE(softmax(A_l s_l), y)          s_l = pool(h_l), A_l a learned linear head
//! sim:      mean (S(f_l) - S(y))²            S(X)_ij = cosine of centred rows i and j; f_l = P_l h_l, or on maps the
//!                                            deviation over space of each channel of P_l * h_l
//! predsim:  (1 - β) pred + β sim,  β = 0.99
//! ```
//!
//! `P_l` is learned with the layer, by the similarity loss: an `n x n` matrix, on maps a 3x3 convolution from `c` to
//! `c` channels, without bias. It lets the layer's own output keep more than what tells classes apart. Tokens are
//! compared themselves. `h` is taken before dropout and pooling; heads start at zero, as in the authors' code. The
//! output layer is trained by cross-entropy. One layer's activations and `b²` similarities are held.

use crate::local::{Head, Local, Objective, UnitObjective};
use crate::register::{Rule, Variant, Variants};
use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};
use sll_core::divergence::cross_entropy;
use sll_core::learned::{Learned, Matrix, load_all};
use sll_core::named::Part;
use sll_core::op::{Product, conv2d};
use sll_core::optim::Updater;
use sll_core::rng::{Purpose, Stream};
use sll_core::rule::{Batch, LearningRule};
use sll_core::summary::{MapSummary, Summary};
use sll_core::{Cut, Error, Network, NetworkSpec, Result, Shape, is_default};

/// Settings of the local losses.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SimilarityConfig {
    /// Weight `β` of the similarity loss: 0 is pred, 1 is sim, between them predsim (authors' code: 0.99).
    pub beta: f64,
    /// How feature maps are pooled for the prediction head (authors' code: until at most 4,096 values are left).
    pub summary: MapSummary,
    /// The prediction head: the authors', or one on the whole output behind dropout and pooling, without a `summary`.
    /// With the common one the similarity, too, is of that output.
    #[serde(skip_serializing_if = "is_default")]
    pub head: Head,
    /// Whether a learned layer comes before the similarity, as in the authors' code.
    #[serde(skip_serializing_if = "is_projected")]
    pub projection: bool,
}

/// Of [`SimilarityConfig::projection`]: a run is named as before there was a choice, and told apart by its numerics.
fn is_projected(projection: &bool) -> bool {
    *projection
}

impl Default for SimilarityConfig {
    fn default() -> Self {
        Self { beta: 0.99, summary: MapSummary::Decoder, head: Head::Authors, projection: true }
    }
}

/// The local losses.
pub struct Losses {
    beta: f64,
    head: Head,
    classes: usize,
    shapes: Vec<Shape>,
    summaries: Vec<Summary>,
    /// `A_lᵀ [n, K]`; none for sim.
    heads: Vec<Learned<Matrix>>,
    /// `P_lᵀ [n, n]`, or the kernels `[c, 9 c]`; none for pred and on tokens.
    projections: Vec<Option<Learned<Matrix>>>,
}

/// The rule.
pub type Similarity = Local<Losses>;

impl Rule for SimilarityConfig {
    const VARIANTS: Variants<Self> = &[
        Variant {
            title: "pred",
            equation: "L_l = CE(softmax(A_l pool(h_l)), y)",
            paper: "Nokland & Eidnes 2019",
            stores: "learned: A, K values a pooled feature",
            ..Variant::local(|| Self { beta: 0.0, ..Self::default() })
        },
        Variant {
            title: "sim",
            equation: "L_l = mean (S(P_l h_l) - S(y))^2, S the cosines of centred rows",
            paper: "Nokland & Eidnes 2019",
            stores: "learned: P, n_l^2 values (9 c^2 on maps)",
            activations: "one layer's, and b^2 similarities",
            ..Variant::local(|| Self { beta: 1.0, ..Self::default() })
        },
        Variant {
            title: "predsim",
            equation: "L_l = (1 - beta) pred + beta sim",
            paper: "Nokland & Eidnes 2019",
            stores: "learned: A, K values a pooled feature; P, n_l^2 values (9 c^2 on maps)",
            activations: "one layer's, and b^2 similarities",
            ..Variant::local(Self::default)
        },
    ];

    fn build(&self, net: &mut Network, seed: u64) -> Result<Box<dyn LearningRule>> {
        Ok(Box::new(self.init(net, seed)?))
    }

    fn title(&self) -> String {
        let variant = match self.beta {
            0.0 => 0,
            1.0 => 1,
            _ => 2,
        };
        self.head.titled(Self::VARIANTS[variant].title)
    }

    fn numerics(&self, _network: &NetworkSpec) -> u32 {
        // The losses came to be taken before dropout and pooling.
        9
    }
}

impl SimilarityConfig {
    /// Draws the heads for `net` from `seed`.
    ///
    /// # Errors
    /// If a setting is out of its range.
    pub fn init(&self, net: &Network, seed: u64) -> Result<Similarity> {
        if !(0.0..=1.0).contains(&self.beta) {
            let reason = "must lie in [0, 1]: 0 is pred, 1 is sim (default 0.99, predsim)";
            return Err(Error::setting("beta", self.beta, reason));
        }
        self.head.check_summary(self.summary, Self::default().summary)?;
        if self.beta == 0.0 {
            Error::check_idle("projection", self.projection, true, "with `beta` above 0")?;
        }
        let (units, classes) = (net.units(Cut::EveryLayer)?, net.classes());
        let shapes: Vec<Shape> = units[..units.len() - 1].iter().map(|unit| self.head.shape(net, unit)).collect();
        let summary = self.head.summary(self.summary);
        let summaries: Vec<Summary> = shapes.iter().map(|&shape| Summary::new(shape, summary)).collect();
        let zeros = |n: usize| Learned::new(Matrix::new(vec![0.0; n * classes], [n, classes], net.device()));
        let heads = summaries.iter().filter(|_| self.beta < 1.0).map(|summary| zeros(summary.len())).collect();
        let projection = |(index, shape): (usize, &Shape)| {
            let (rows, columns) = match *shape {
                _ if !self.projection || self.beta == 0.0 => return None,
                Shape::Flat(n) => (n, n),
                Shape::Map { c, .. } => (c, 9 * c),
                Shape::Tokens { .. } => return None,
            };
            let mut stream = Stream::new(seed, Purpose::Learned, &[index as u64]);
            let values = stream.uniform(rows * columns, 1.0 / (columns as f64).sqrt());
            Some(Learned::new(Matrix::new(values, [rows, columns], net.device())))
        };
        let projections = shapes.iter().enumerate().map(projection).collect();
        Local::new(net, Losses { beta: self.beta, head: self.head, classes, shapes, summaries, heads, projections })
    }
}

/// Cosines of the centred rows, `[b, b]`.
fn similarity(rows: Tensor<2>) -> Tensor<2> {
    let centred = rows.clone() - rows.mean_dim(1);
    let norm = ((centred.clone() * centred.clone()).sum_dim(1) + 1e-12).sqrt();
    let unit = centred / norm;
    unit.clone().product(unit.transpose())
}

/// What is compared: the rows themselves, or each channel's deviation over space.
fn features(h: Tensor<2>, shape: Shape) -> Tensor<2> {
    match shape {
        Shape::Map { c, h: height, w } if height * w > 1 => {
            let map = h.reshape([-1, c as i32, (height * w) as i32]);
            let centred = map.clone() - map.mean_dim(2);
            let variance: Tensor<3> = (centred.clone() * centred).mean_dim(2);
            (variance + 1e-8).sqrt().flatten(1, 2)
        }
        _ => h,
    }
}

/// `P h`, row by row, or the convolution of maps with the kernels `P`.
fn projected(h: Tensor<2>, projection: Tensor<2>, shape: Shape) -> Tensor<2> {
    let Shape::Map { c, h: height, w } = shape else { return h.product(projection) };
    let kernels = projection.reshape([c, c, 3, 3]);
    let map = h.reshape([-1, c as i32, height as i32, w as i32]);
    let bias = Tensor::zeros([c], &kernels.device());
    conv2d(map, kernels.clone(), bias, kernels, 1).flatten(1, 3)
}

/// The losses of one unit.
struct UnitLosses<'a> {
    beta: f64,
    classes: usize,
    shape: Shape,
    summary: &'a Summary,
    head: Option<&'a mut Learned<Matrix>>,
    projection: Option<&'a mut Learned<Matrix>>,
}

impl UnitLosses<'_> {
    /// The similarity loss's gradient to `h`; moves the projection.
    fn similar(&mut self, h: Tensor<2>, wanted: Tensor<2>, updater: &mut Updater) -> Tensor<2> {
        let h = Tensor::from_inner(h).require_grad();
        let projection = self.projection.as_ref().map(|p| Tensor::from_inner(p.get().plain()).require_grad());
        let compared = match &projection {
            Some(projection) => projected(h.clone(), projection.clone(), self.shape),
            None => h.clone(),
        };
        let differ = similarity(features(compared, self.shape)) - Tensor::from_inner(wanted);
        let mut grads = (differ.clone() * differ).mean().backward();
        let signal = h.grad_remove(&mut grads).expect("the loss is a function of the output") * self.beta;
        if let (Some(learned), Some(projection)) = (self.projection.as_deref_mut(), projection) {
            let gradient = projection.grad_remove(&mut grads).expect("the loss is a function of the projection");
            drop((projection, grads));
            learned.descend(gradient * self.beta, updater, 1.0);
        }
        signal
    }

    fn signal(&mut self, h: Tensor<2>, batch: &Batch, updater: &mut Updater) -> Tensor<2> {
        let mut signal: Option<Tensor<2>> = None;
        if self.beta > 0.0 {
            let wanted = similarity(batch.targets(self.classes, &h.device()));
            signal = Some(self.similar(h.clone(), wanted, updater));
        }
        if let Some(head) = self.head.as_deref_mut() {
            let weights = head.get().plain();
            let s = self.summary.forward(h);
            let targets = batch.targets(weights.dims()[1], &s.device());
            let (_, _, error) = cross_entropy(s.clone().product(weights.clone()), targets);
            let error = error * ((1.0 - self.beta) * batch.share());
            head.descend(s.transpose().product(error.clone()), updater, 1.0);
            let gradient = self.summary.adjoint(error.product(weights.transpose()));
            signal = Some(match signal {
                Some(similar) => similar + gradient,
                None => gradient,
            });
        }
        signal.expect("one of the two losses has weight")
    }
}

impl Objective for Losses {
    fn sees_inside(&self) -> bool {
        self.head.is_authors()
    }

    fn units(&mut self) -> Vec<UnitObjective<'_>> {
        let (beta, classes) = (self.beta, self.classes);
        let heads = self.heads.iter_mut().map(Some).chain(std::iter::repeat_with(|| None));
        let kept = heads.zip(self.projections.iter_mut().map(Option::as_mut));
        let unit = |((&shape, summary), (head, projection))| -> UnitObjective<'_> {
            let mut losses = UnitLosses { beta, classes, shape, summary, head, projection };
            Box::new(move |h, batch, updater| losses.signal(h, batch, updater))
        };
        self.shapes.iter().zip(&self.summaries).zip(kept).map(unit).collect()
    }

    fn logits(&self, unit: usize, h: Tensor<2>) -> Option<Tensor<2>> {
        let head = self.heads.get(unit)?;
        Some(self.summaries[unit].forward(h).product(head.get().plain()))
    }

    /// Heads and projections, and the products between samples, of outputs both ways and of labels:
    /// `b (3 n + K)` a sample.
    fn macs(&self, batch: usize) -> u64 {
        let heads = 3 * self.heads.iter().map(Learned::num_params).sum::<usize>() as u64;
        let positions = |shape: &Shape| match *shape {
            Shape::Map { h, w, .. } => h * w,
            _ => 1,
        };
        let projections = self.projections.iter().zip(&self.shapes);
        let projections = projections.filter_map(|(p, shape)| Some(3 * p.as_ref()?.num_params() * positions(shape)));
        let compared = |shape: &Shape| match *shape {
            Shape::Map { c, .. } => c,
            other => other.len(),
        };
        let similar: usize = self.shapes.iter().map(|shape| batch * (3 * compared(shape) + self.classes)).sum();
        heads + if self.beta > 0.0 { (similar + projections.sum::<usize>()) as u64 } else { 0 }
    }

    fn parts(&self) -> Vec<Part<'_>> {
        let mut parts = Part::learned_list("heads", &self.heads);
        let projections = self.projections.iter().enumerate();
        let projections = projections.filter_map(|(unit, p)| Some((format!("projections.{unit}"), p.as_ref()?)));
        parts.extend(projections.map(|(name, p)| Part::learned(name, p)));
        parts
    }

    fn load(&mut self, record: Vec<Vec<u8>>) -> Result<()> {
        load_all(self.heads.iter_mut().chain(self.projections.iter_mut().flatten()), record)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sll_core::Pass;
    use sll_core::laws::{self, Build, floats};

    const PREDSIM: Build = &|net| Ok(Box::new(SimilarityConfig::default().init(net, 3)?));
    const PRED: Build =
        &|net| Ok(Box::new(SimilarityConfig { beta: 0.0, ..SimilarityConfig::default() }.init(net, 3)?));
    const SIM: Build = &|net| Ok(Box::new(SimilarityConfig { beta: 1.0, ..SimilarityConfig::default() }.init(net, 3)?));

    #[test]
    fn heads_start_at_zero_and_projections_do_not() {
        let net = laws::small_mlp(2);
        let rule = SimilarityConfig::default().init(&net, 3).unwrap();
        let losses = rule.objective();
        assert!(losses.heads.iter().all(|head| floats(head.get().plain()).iter().all(|value| *value == 0.0)));
        let projections = losses.projections.iter().flatten();
        assert!(projections.clone().count() == 2 && losses.heads.len() == 2);
        assert!(projections.clone().all(|p| floats(p.get().plain()).iter().any(|value| *value != 0.0)));
    }

    /// Centred cosines of `b` rows in plain loops.
    fn cosines(x: &[f64], b: usize) -> Vec<f64> {
        let n = x.len() / b;
        let unit: Vec<Vec<f64>> = x
            .chunks(n)
            .map(|row| {
                let mean = row.iter().sum::<f64>() / n as f64;
                let norm = (row.iter().map(|v| (v - mean).powi(2)).sum::<f64>() + 1e-12).sqrt();
                row.iter().map(|v| (v - mean) / norm).collect()
            })
            .collect();
        let dot = |i: usize, j: usize| unit[i].iter().zip(&unit[j]).map(|(a, b)| a * b).sum();
        (0..b * b).map(|at| dot(at / b, at % b)).collect()
    }

    /// `P h`, row by row; no projection is the identity.
    fn dense(h: &[f64], p: &[f64], b: usize) -> Vec<f64> {
        let n = h.len() / b;
        let product = |at: usize| (0..n).map(|i| h[at / n * n + i] * p[i * n + at % n]).sum();
        if p.is_empty() { h.to_vec() } else { (0..b * n).map(product).collect() }
    }

    /// Maps convolved with the kernels `P`, zeros around them; no projection is the identity. Then the deviation over
    /// space of each channel.
    fn deviations(h: &[f64], p: &[f64], [c, height, width]: [usize; 3]) -> Vec<f64> {
        let convolved = |image: &[f64], o: usize, y: usize, x: usize| -> f64 {
            let mut sum = 0.0;
            for (i, (dy, dx)) in (0..c).flat_map(|i| (0..9).map(move |k| (i, (k / 3, k % 3)))) {
                if (1..=height).contains(&(y + dy)) && (1..=width).contains(&(x + dx)) {
                    let at = (i * height + y + dy - 1) * width + x + dx - 1;
                    sum += p[((o * c + i) * 3 + dy) * 3 + dx] * image[at];
                }
            }
            sum
        };
        let mut found = Vec::new();
        for (image, o) in h.chunks(c * height * width).flat_map(|image| (0..c).map(move |o| (image, o))) {
            let place = |at: usize| match p.is_empty() {
                true => image[o * height * width + at],
                false => convolved(image, o, at / width, at % width),
            };
            let map: Vec<f64> = (0..height * width).map(place).collect();
            let mean = map.iter().sum::<f64>() / map.len() as f64;
            found.push((map.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / map.len() as f64 + 1e-8).sqrt());
        }
        found
    }

    /// `(1 - β) CE + β MSE` of one layer's output `h`, of which `f` is compared, in plain loops.
    fn loss(h: &[f64], head: &[f64], f: &[f64], labels: &[usize], beta: f64) -> f64 {
        let (b, k) = (labels.len(), 4);
        let n = h.len() / b;
        let one_hot: Vec<f64> = labels.iter().flat_map(|&y| (0..k).map(move |c| f64::from(c == y))).collect();
        let (found, wanted) = (cosines(f, b), cosines(&one_hot, b));
        let similar = found.iter().zip(wanted).map(|(a, b)| (a - b).powi(2)).sum::<f64>() / (b * b) as f64;
        let row = |s: usize| {
            let logit = |c: usize| -> f64 { (0..n).map(|i| h[s * n + i] * head[i * k + c]).sum() };
            (0..k).map(|c| logit(c).exp()).sum::<f64>().ln() - logit(labels[s])
        };
        let predicted = if beta < 1.0 { (0..b).map(row).sum::<f64>() / b as f64 } else { 0.0 };
        (1.0 - beta) * predicted + beta * similar
    }

    /// What is compared, of outputs and a projection.
    type Features<'a> = &'a dyn Fn(&[f64], &[f64]) -> Vec<f64>;

    /// Of the first layer of `net`, whose outputs and projection give `features`: the signal and the steps of head and
    /// projection are the loss's slopes by central differences.
    fn are_gradients(net: &Network, config: SimilarityConfig, features: Features) {
        let mut rule = config.init(net, 3).unwrap();
        let batch = laws::batch(net, 2);
        let h = net.valid().respond(0, batch.x.clone(), &Pass::Eval).unwrap();
        let wide = |t: Tensor<2>| -> Vec<f64> { floats(t).into_iter().map(f64::from).collect() };
        let head = |l: &Losses| l.heads.first().map_or(vec![], |head| wide(head.get().plain()));
        let middle = |l: &Losses| l.projections[0].as_ref().map_or(vec![], |p| wide(p.get().plain()));
        // Heads start at zero and send nothing back before they have moved.
        (rule.objective_mut().units().swap_remove(0))(h.clone(), &batch, &mut laws::descent());
        let (values, before, p) = (wide(h.clone()), head(rule.objective()), middle(rule.objective()));
        let signal = wide((rule.objective_mut().units().swap_remove(0))(h, &batch, &mut laws::descent()));
        let (after, p_after) = (head(rule.objective()), middle(rule.objective()));
        assert_eq!(p.is_empty(), !config.projection || config.beta == 0.0);
        let nudged = |v: &[f64], i: usize, by: f64| {
            let mut v = v.to_vec();
            v[i] += by;
            v
        };
        let all = |h: &[f64], head: &[f64], p: &[f64]| loss(h, head, &features(h, p), &batch.labels, config.beta);
        let slope = |at: &dyn Fn(f64) -> f64| (at(1e-5) - at(-1e-5)) / 2e-5;
        let mut largest = [0f64; 3];
        let mut same = |what: usize, index: usize, slope: f64, found: f64| {
            assert!((slope - found).abs() < 1e-5, "{config:?}, {}[{index}]: {slope}, {found}", ["h", "A", "P"][what]);
            largest[what] = largest[what].max(slope.abs());
        };
        // Some of each: differences take the whole loss twice.
        let some = |v: &[f64], step: usize| (0..v.len()).step_by(step.max(v.len() / 60)).collect::<Vec<_>>();
        for i in some(&values, 5) {
            same(0, i, slope(&|by| all(&nudged(&values, i, by), &before, &p)), signal[i]);
        }
        for i in some(&before, 1) {
            same(1, i, slope(&|by| all(&values, &nudged(&before, i, by), &p)), before[i] - after[i]);
        }
        for i in some(&p, 7) {
            same(2, i, slope(&|by| all(&values, &before, &nudged(&p, i, by))), p[i] - p_after[i]);
        }
        let told = [true, !before.is_empty(), !p.is_empty()];
        assert!(largest.iter().zip(told).all(|(most, there)| !there || *most > 1e-4), "{config:?}: {largest:?}");
    }

    #[test]
    fn signals_are_the_gradients_of_the_loss() {
        for (beta, projection) in [(0.0, true), (0.6, true), (1.0, true), (0.6, false)] {
            let config = SimilarityConfig { beta, projection, ..SimilarityConfig::default() };
            are_gradients(&laws::small_mlp(1), config, &|h, p| dense(h, p, laws::batch(&laws::small_mlp(1), 2).len()));
        }
    }

    #[test]
    fn on_maps_signals_are_the_gradients_of_the_loss_of_convolved_maps() {
        let spec = NetworkSpec { depth: Some(1), width: Some(3), ..NetworkSpec::named("cnn-1") };
        let net = spec.build([1, 4, 5], 4, 5, &burn::tensor::Device::flex()).unwrap();
        for (beta, projection) in [(0.6, true), (1.0, true), (0.6, false)] {
            let config = SimilarityConfig { beta, projection, ..SimilarityConfig::default() };
            are_gradients(&net, config, &|h, p| deviations(h, p, [3, 4, 5]));
        }
    }

    #[test]
    fn a_map_is_compared_by_its_channels_deviations() {
        let shape = Shape::Map { c: 2, h: 1, w: 3 };
        let map = Tensor::<2>::from_floats([[1.0, 2.0, 3.0, 4.0, 4.0, 4.0]], &burn::tensor::Device::flex());
        let found = floats(features(map, shape));
        assert!((found[0] - (2f32 / 3.0).sqrt()).abs() < 1e-4 && found[1].abs() < 1e-3, "{found:?}");
    }

    #[test]
    fn a_map_is_convolved_before_it_is_compared() {
        // One channel whose kernel shifts the map by one column: what falls off the edge is gone.
        let shape = Shape::Map { c: 1, h: 1, w: 3 };
        let device = burn::tensor::Device::flex();
        let kernel = Tensor::<2>::from_floats([[0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0]], &device);
        let found = projected(Tensor::<2>::from_floats([[1.0, 2.0, 3.0]], &device), kernel, shape);
        assert_eq!(floats(found), [0.0, 1.0, 2.0]);
    }

    #[test]
    fn is_local_repeats_resumes_and_learns() {
        for build in [PRED, SIM, PREDSIM] {
            laws::local(|| laws::small_mlp(2), || laws::small_mlp(4), 2, build);
            laws::resumes(|| laws::small_mlp(3), build);
            laws::learns(|| laws::small_mlp(2), build, 160);
        }
        laws::repeats(|| laws::small_mlp(3), PREDSIM);
        laws::learns(laws::small_cnn, PREDSIM, 80);
        laws::learns(|| laws::small_vit(true), PREDSIM, 120);
    }

    #[test]
    fn losses_are_taken_before_dropout_unless_the_head_is_the_common_one() {
        // What the first unit is trained by does not depend on its mask, but through the common head it does.
        for (head, dropped) in [(Head::Authors, false), (Head::Common, true)] {
            let config = SimilarityConfig { beta: 1.0, head, ..SimilarityConfig::default() };
            let step = |seed: u64| {
                let mut net = laws::small_mlp(2);
                let mut rule = config.init(&net, 3).unwrap();
                let batch = Batch { seed, ..laws::batch(&net, 1) };
                laws::moved(&mut net, &mut rule, &batch).swap_remove(0)
            };
            assert_eq!(step(1) != step(2), dropped, "{head:?}");
        }
        let common: Build =
            &|net| Ok(Box::new(SimilarityConfig { head: Head::Common, ..SimilarityConfig::default() }.init(net, 3)?));
        laws::learns(laws::small_cnn, common, 80);
    }

    #[test]
    fn bad_settings_are_named() {
        let config = SimilarityConfig { beta: 1.5, ..SimilarityConfig::default() };
        assert!(config.init(&laws::small_mlp(1), 0).err().unwrap().to_string().contains("beta"));
    }

    #[test]
    fn settings_without_an_effect_are_refused() {
        let refused = |config: SimilarityConfig| config.init(&laws::small_cnn(), 0).err().map(|e| e.to_string());
        let pooled = SimilarityConfig { summary: MapSummary::Pool2, ..SimilarityConfig::default() };
        assert!(refused(SimilarityConfig { head: Head::Common, ..pooled }).unwrap().contains("`summary`"));
        assert!(refused(pooled).is_none());
        let bare = SimilarityConfig { projection: false, ..SimilarityConfig::default() };
        assert!(refused(SimilarityConfig { beta: 0.0, ..bare }).unwrap().contains("`projection` = false"));
        assert!(refused(bare).is_none());
    }
}
