//! Laws that rules obey, as helpers for their tests. A new rule calls those that hold for it; see `baselines`.

use crate::Pass;
use crate::learned::Part;
use crate::network::Network;
use crate::optim::{OptimizerConfig, OptimizerKind, Updater};
use crate::pipeline::Pipeline;
use crate::rule::{Batch, LearningRule, StepReport};
pub use crate::toy::batch;
use crate::{NetworkSpec, Result, snapshot, toy};
use burn::tensor::{Device, Tensor, TensorData};
use std::collections::HashMap;

/// Builds a rule for a network, as rules that install feedback need it: mutably.
pub type Build<'a> = &'a dyn Fn(&mut Network) -> Result<Box<dyn LearningRule>>;

/// Runs tensor operations on one thread, so that bits can be compared.
pub fn one_thread() {
    // A second call finds the pool made, by this same function.
    let _ = rayon::ThreadPoolBuilder::new().num_threads(1).build_global();
}

/// [`toy::mlp`].
pub fn small_mlp(depth: usize) -> Network {
    toy::mlp(depth).build(&Device::flex()).expect("a valid network")
}

/// [`toy::cnn`] with batch norm.
pub fn small_cnn() -> Network {
    toy::cnn(true).build(&Device::flex()).expect("a valid network")
}

/// [`toy::vit`].
pub fn small_vit(mean_token: bool) -> Network {
    toy::vit(mean_token).build(&Device::flex()).expect("a valid network")
}

/// A network `inputs - width - 4` of ReLU units without dropout, small enough for plain loops.
pub fn plain_mlp(inputs: usize, width: usize, classes: usize) -> Network {
    let spec = NetworkSpec { depth: Some(1), width: Some(width), ..NetworkSpec::named("mlp-2x800") };
    spec.build([1, 1, inputs], classes, 2, &Device::flex()).expect("a valid network")
}

/// The values of a tensor, row by row.
pub fn floats<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_to_vec().expect("f32 values")
}

/// What the lowest `layers` layers make of the batch, without noise.
pub fn hidden(net: &Network, layers: usize, batch: &Batch) -> Tensor<2> {
    net.valid().forward_range(0..layers, batch.x.clone(), &Pass::Eval)
}

/// The network's softmax posterior, without noise.
pub fn posterior(net: &Network, batch: &Batch) -> Tensor<2> {
    burn::tensor::activation::softmax(net.valid().forward(batch.x.clone(), &Pass::Eval), 1)
}

/// One step of gradient descent at learning rate 1: what was taken from each parameter, so the gradient the rule used.
pub fn moved(net: &mut Network, rule: &mut dyn LearningRule, batch: &Batch) -> Vec<Vec<Vec<f32>>> {
    one_thread();
    let values = |net: &Network| -> Vec<Vec<Vec<f32>>> {
        let layer = |l: Vec<TensorData>| l.into_iter().map(|d| d.try_to_vec().expect("f32 parameters")).collect();
        net.params().into_iter().map(layer).collect()
    };
    let before = values(net);
    rule.step(net, batch, &mut descent()).expect("a step");
    let difference = |(a, b): (Vec<f32>, Vec<f32>)| a.into_iter().zip(b).map(|(a, b)| a - b).collect();
    let layers = before.into_iter().zip(values(net));
    layers.map(|(a, b)| a.into_iter().zip(b).map(difference).collect()).collect()
}

/// Gradient descent at learning rate 1: parameters move by their gradients.
pub fn descent() -> Updater {
    updater(OptimizerKind::Sgd, 1.0)
}

fn updater(kind: OptimizerKind, lr: f64) -> Updater {
    let mut updater = OptimizerConfig { kind, momentum: 0.0, weight_decay: 0.0 }.init().expect("valid settings");
    updater.set_lr(lr);
    updater
}

/// Trains for `steps` and gives the parameters, layer by layer.
pub fn train(net: &mut Network, build: Build, steps: std::ops::Range<u64>) -> Vec<Vec<TensorData>> {
    one_thread();
    let mut rule = build(net).expect("the rule fits the network");
    let mut updater = updater(OptimizerKind::Adam, 1e-2);
    for step in steps {
        let batch = batch(net, step);
        rule.step(net, &batch, &mut updater).expect("a step");
    }
    net.params()
}

/// Both rules give the same parameters, bit for bit, after three steps.
pub fn same_update(net: impl Fn() -> Network, one: Build, other: Build) {
    let (a, b) = (train(&mut net(), one, 0..3), train(&mut net(), other, 0..3));
    assert_ne!(a, net().params(), "training moved nothing");
    assert_eq!(a, b, "the two rules differ");
}

/// Two rules give the same parameters up to rounding after one step of plain gradient descent.
pub fn close_update(net: impl Fn() -> Network, one: Build, other: Build, tolerance: f32) {
    one_thread();
    let step = |build: Build| {
        let mut net = net();
        let mut rule = build(&mut net).expect("the rule fits the network");
        let batch = batch(&net, 0);
        rule.step(&mut net, &batch, &mut updater(OptimizerKind::Sgd, 1.0)).expect("a step");
        net.params()
    };
    let floats = |params: Vec<Vec<TensorData>>| -> Vec<f32> {
        params.into_iter().flatten().flat_map(|d| d.try_to_vec::<f32>().expect("f32 parameters")).collect()
    };
    let (a, b, before) = (floats(step(one)), floats(step(other)), floats(net().params()));
    let largest = |x: &[f32], y: &[f32]| x.iter().zip(y).map(|(x, y)| (x - y).abs()).fold(0.0, f32::max);
    let (moved, differ) = (largest(&a, &before), largest(&a, &b));
    assert!(moved > 0.0, "training moved nothing");
    assert!(differ <= tolerance * moved, "updates differ by {differ}, the largest is {moved}");
}

/// The same seed gives the same bits.
pub fn repeats(net: impl Fn() -> Network, build: Build) {
    assert_eq!(train(&mut net(), build, 0..3), train(&mut net(), build, 0..3));
}

/// Saving after two steps and resuming in new objects gives the bits of four steps in one go.
pub fn resumes(net: impl Fn() -> Network, build: Build) {
    let whole = train(&mut net(), build, 0..4);
    let (mut first, mut updater_1) = (net(), updater(OptimizerKind::Adam, 1e-2));
    let mut rule = build(&mut first).expect("the rule fits the network");
    for step in 0..2 {
        let batch = batch(&first, step);
        rule.step(&mut first, &batch, &mut updater_1).expect("a step");
    }
    let (layers, state) = (first.record().expect("a record"), updater_1.record().expect("a record"));
    let learned = rule.record().expect("a record");
    let (mut second, mut updater_2) = (net(), updater(OptimizerKind::Adam, 1e-2));
    let mut rule = build(&mut second).expect("the rule fits the network");
    second.load(layers).expect("loads");
    rule.load(learned).expect("loads");
    updater_2.load(state).expect("loads");
    updater_2.set_lr(1e-2);
    for step in 2..4 {
        let batch = batch(&second, step);
        rule.step(&mut second, &batch, &mut updater_2).expect("a step");
    }
    assert_eq!(whole, second.params(), "a resumed run differs from an uninterrupted one");
}

/// What a run is made of.
struct Training {
    net: Network,
    rule: Box<dyn LearningRule>,
    updater: Updater,
}

impl Training {
    fn new(mut net: Network, build: Build, config: &OptimizerConfig) -> Self {
        let rule = build(&mut net).expect("the rule fits the network");
        let mut updater = config.init().expect("valid settings");
        updater.set_lr(1e-2);
        Self { net, rule, updater }
    }

    /// One epoch; gives the bits of every step's loss.
    fn epoch(&mut self, epoch: usize, steps: u64) -> Vec<u32> {
        let first = epoch as u64 * steps;
        let step = |step| {
            let batch = Batch { epoch, ..batch(&self.net, step) };
            let report = self.rule.step(&mut self.net, &batch, &mut self.updater).expect("a step");
            report.loss.into_scalar::<f32>().to_bits()
        };
        (first..first + steps).map(step).collect()
    }

    /// Steps `range` of the first epoch by a pipeline; gives the bits of every step's loss.
    fn pipelined(&mut self, pipeline: &Pipeline, range: std::ops::Range<u64>) -> Vec<u32> {
        let Self { net, rule, updater } = self;
        // Made beforehand: while units are trained, their layers are not in the network.
        let batches: Vec<Batch> = range.map(|step| batch(net, step)).collect();
        let (lr, mut batches, mut bits) = (updater.lr(), batches.into_iter(), Vec::new());
        let source = || Ok::<_, crate::Error>(batches.next().map(|batch| (batch, lr)));
        let sink = |report: StepReport| {
            bits.push(report.loss.into_scalar::<f32>().to_bits());
            Ok(())
        };
        pipeline.train(&mut **rule, net, updater, source, sink).expect("a pipeline");
        bits
    }

    /// A run that goes on from this one's checkpoint.
    fn resumed(&self, net: Network, build: Build, config: &OptimizerConfig) -> Self {
        let (layers, learned, state) = self.saved();
        let mut resumed = Self::new(net, build, config);
        resumed.net.load(layers).expect("loads");
        resumed.rule.load(learned).expect("loads");
        resumed.updater.load(state).expect("loads");
        resumed
    }

    /// The state as a checkpoint has it.
    fn saved(&self) -> (Vec<Vec<u8>>, Vec<Vec<u8>>, Vec<u8>) {
        let (layers, learned) = (self.net.record().expect("a record"), self.rule.record().expect("a record"));
        (layers, learned, self.updater.record().expect("a record"))
    }

    /// The network's parameters, and the scores that the rule gives to a fixed batch.
    fn outcome(&self) -> (Vec<Vec<TensorData>>, Vec<u32>) {
        let scores = self.rule.predict(&self.net.valid(), batch(&self.net, 0).x);
        (self.net.params(), floats(scores).into_iter().map(f32::to_bits).collect())
    }
}

/// Training of `epochs` times `steps` steps that was cut off after any of its epochs and goes on in new objects gives
/// the bits of training in one go: every loss, all parameters, and what the rule predicts.
pub fn resumes_after_every_epoch(
    net: impl Fn() -> Network,
    build: Build,
    config: &OptimizerConfig,
    (epochs, steps): (usize, u64),
) {
    one_thread();
    let mut whole = Training::new(net(), build, config);
    let (mut losses, mut saved) = (Vec::new(), Vec::new());
    for epoch in 0..epochs {
        losses.push(whole.epoch(epoch, steps));
        saved.push(whole.saved());
    }
    let outcome = whole.outcome();
    assert_ne!(outcome.0, net().params(), "training moved nothing");
    for (last, (layers, learned, state)) in saved.into_iter().enumerate() {
        let mut resumed = Training::new(net(), build, config);
        resumed.net.load(layers).expect("loads");
        resumed.rule.load(learned).expect("loads");
        resumed.updater.load(state).expect("loads");
        for (epoch, expected) in losses.iter().enumerate().skip(last + 1) {
            let same = resumed.epoch(epoch, steps) == *expected;
            assert!(same, "resumed after epoch {last}: other losses in epoch {epoch}");
        }
        assert!(resumed.outcome() == outcome, "resumed after epoch {last}: other weights or scores at the end");
    }
}

/// Training `steps` steps in two parts by a pipeline of each number of `workers` gives the bits of the serial run:
/// every loss, all parameters, what the rule learned, what the optimiser keeps, and what the rule predicts.
pub fn pipelines(net: impl Fn() -> Network, build: Build, workers: &[usize], steps: u64) {
    one_thread();
    let config = OptimizerConfig::default();
    let mut serial = Training::new(net(), build, &config);
    let losses = serial.epoch(0, steps);
    let outcome = serial.outcome();
    assert_ne!(outcome.0, net().params(), "training moved nothing");
    for &workers in workers {
        let mut together = Training::new(net(), build, &config);
        let pipeline = Pipeline::new(workers).expect("threads");
        let half = steps / 2;
        let found = [together.pipelined(&pipeline, 0..half), together.pipelined(&pipeline, half..steps)].concat();
        assert!(found == losses, "{workers} workers: other losses than the serial run's");
        assert!(together.outcome() == outcome, "{workers} workers: other weights or scores than the serial run's");
        // Both go on alike: what the optimiser keeps and the rule learned are the same.
        assert_eq!(
            together.epoch(1, steps),
            serial.resumed(net(), build, &config).epoch(1, steps),
            "{workers} workers"
        );
    }
}

/// What a network and its rule hold after `steps` comes back by name into new objects, none of it unasked for: the same
/// parameters, and the same scores for a fixed batch, to the bit.
pub fn comes_back_by_name(net: impl Fn() -> Network, build: Build, steps: u64) {
    one_thread();
    let mut trained = Training::new(net(), build, &OptimizerConfig::default());
    trained.epoch(0, steps);
    let all = snapshot::tensors(&mut trained.net, &*trained.rule);
    let mut left: HashMap<String, TensorData> = all.iter().cloned().collect();
    assert_eq!(left.len(), all.len(), "two tensors share a name");
    let mut again = Training::new(net(), build, &OptimizerConfig::default());
    snapshot::load(&mut again.net, &mut *again.rule, &mut |name| left.remove(name)).expect("loads");
    assert!(left.is_empty(), "nobody asked for {:?}", left.keys());
    assert!(trained.outcome() == again.outcome(), "other weights or scores than before");
    let learned = |rule: &dyn LearningRule| -> Vec<_> {
        rule.parts().iter().filter_map(Part::as_learned).flat_map(|part| part.tensors()).collect()
    };
    assert!(learned(&*trained.rule) == learned(&*again.rule), "the rule learned something else");
}

/// The update of layer `l` does not depend on the weights of layers above it, nor on how many there are: networks that
/// share their lowest `shared` layers keep them equal, bit for bit.
pub fn local(shallow: impl Fn() -> Network, deep: impl Fn() -> Network, shared: usize, build: Build) {
    let (a, b) = (train(&mut shallow(), build, 0..3), train(&mut deep(), build, 0..3));
    assert_ne!(a[..shared], shallow().params()[..shared], "training moved nothing");
    assert_eq!(a[..shared], b[..shared], "a lower layer's update depends on the layers above it");
}

/// How far up the update of a layer reaches: after `steps` of `epoch`, weights of layer `changed` have no influence,
/// bit for bit, on the update of any layer more than `hops` below it, and do have one on the layer `hops` below.
pub fn reaches(net: impl Fn() -> Network, changed: usize, hops: usize, epoch: usize, steps: u64, build: Build) {
    let other = || {
        let mut other = net();
        for slot in other.weights().swap_remove(changed) {
            let rows = slot.rows();
            slot.set_rows(rows * -0.5);
        }
        other
    };
    let step = |mut net: Network| {
        let (mut rule, mut updater) = (build(&mut net).expect("the rule fits the network"), descent());
        for step in 0..steps {
            let batch = Batch { epoch, ..batch(&net, step) };
            rule.step(&mut net, &batch, &mut updater).expect("a step");
        }
        net.params()
    };
    one_thread();
    let (before, a, b) = (net().params(), step(net()), step(other()));
    let below = changed - hops;
    assert_ne!(a[..=below], before[..=below], "training moved nothing");
    assert_eq!(a[..below], b[..below], "an update reaches more than {hops} layers up");
    if hops > 0 {
        assert_ne!(a[below], b[below], "an update reaches less than {hops} layers up");
    }
}

/// Percent of 20 fresh batches of a learnable task that the rule classifies right after `steps`.
pub fn accuracy(net: impl Fn() -> Network, build: Build, steps: u64) -> f64 {
    one_thread();
    let mut net = net();
    let mut rule = build(&mut net).expect("the rule fits the network");
    let mut updater = updater(OptimizerKind::Adam, 3e-3);
    for step in 0..steps {
        let batch = batch(&net, step);
        rule.step(&mut net, &batch, &mut updater).expect("a step");
    }
    let (valid, mut right, mut seen) = (net.valid(), 0, 0);
    for step in 10_000..10_020 {
        let batch = batch(&net, step);
        let chosen = rule.predict(&valid, batch.x).argmax(1).into_data().convert::<i64>();
        let chosen = chosen.try_to_vec::<i64>().expect("class indices");
        right += chosen.iter().zip(&batch.labels).filter(|(chosen, label)| **chosen == **label as i64).count();
        seen += batch.labels.len();
    }
    100.0 * right as f64 / seen as f64
}

/// The training loss falls on a learnable task: mean of the last quarter of `steps` below that of the first quarter.
pub fn learns(net: impl Fn() -> Network, build: Build, steps: u64) {
    one_thread();
    let mut net = net();
    let mut rule = build(&mut net).expect("the rule fits the network");
    let mut updater = updater(OptimizerKind::Adam, 3e-3);
    let losses: Vec<f32> = (0..steps)
        .map(|step| {
            let batch = batch(&net, step);
            let report = rule.step(&mut net, &batch, &mut updater).expect("a step");
            report.loss.into_scalar::<f32>()
        })
        .collect();
    let quarter = losses.len() / 4;
    let mean = |part: &[f32]| part.iter().sum::<f32>() / part.len() as f32;
    let (first, last) = (mean(&losses[..quarter]), mean(&losses[losses.len() - quarter..]));
    assert!(last < 0.8 * first, "the loss went from {first} to {last}");
}
