//! What direct feedback rules share: a forward pass through all units, then the output error sent straight to each.

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};
use sll_core::op::{Product, inject};
use sll_core::optim::Updater;
use sll_core::rng::{Purpose, Stream, upload};
use sll_core::rule::{Batch, StepReport};
use sll_core::{Cut, Network, Result, Shape};
use std::ops::Range;

/// Fixed random `B_l [K, n_l]` for each unit but the last, with entries from `U(±gain/√K)`: zero mean, as the rules
/// need.
pub fn feedback(net: &Network, gain: f64, seed: u64) -> Result<Vec<Tensor<2>>> {
    let (units, classes) = (net.units(Cut::EveryLayer)?, net.classes());
    let device = net.device().clone().inner();
    let bound = gain / (classes as f64).sqrt();
    let draw = |(index, unit): (usize, &Range<usize>)| {
        let n = net.output_of(unit.end - 1).len();
        let mut stream = Stream::new(seed, Purpose::Feedback, &[index as u64]);
        upload(stream.uniform(classes * n, bound), [classes, n], &device)
    };
    Ok(units[..units.len() - 1].iter().enumerate().map(draw).collect())
}

/// How the feedback to a feature map is laid out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Layout {
    /// A value for every class and value of the map.
    #[default]
    Dense,
    /// A value for every class and channel, the same at all positions, as biotorch repeats the error over the map.
    Shared,
}

/// Fixed feedback to one unit.
pub struct Feedback {
    /// `[K, n_l]`, or `[K, c]` if it is shared.
    pub matrix: Tensor<2>,
    /// Positions that share it; 1 where none do.
    positions: usize,
}

impl Feedback {
    /// What [`feedback`] draws, laid out so.
    pub fn draw(net: &Network, gain: f64, layout: Layout, seed: u64) -> Result<Vec<Self>> {
        let (units, classes) = (net.units(Cut::EveryLayer)?, net.classes());
        let places = units[..units.len() - 1].iter().map(|unit| match net.output_of(unit.end - 1) {
            Shape::Map { h, w, .. } if layout == Layout::Shared => h * w,
            _ => 1,
        });
        let narrow = |(dense, positions): (Tensor<2>, usize)| {
            let n = dense.dims()[1] / positions;
            Self { matrix: dense.narrow(1, 0, n).reshape([classes, n]), positions }
        };
        Ok(feedback(net, gain, seed)?.into_iter().zip(places).map(narrow).collect())
    }

    /// `dh_l [b, n_l]` from the error `[b, K]`.
    pub fn signal(&self, error: Tensor<2>) -> Tensor<2> {
        let signal = error.product(self.matrix.clone());
        if self.positions == 1 {
            return signal;
        }
        let [b, c] = signal.dims();
        signal.reshape([b, c, 1]).expand([b, c, self.positions]).reshape([b, c * self.positions])
    }
}

/// One step: `signal(l, h_l, e)` gives unit `l`'s `dh_l` from its output and the error `e = (softmax(z_L) - y)/b`. The
/// last unit gets `e`.
pub fn step(
    units: &[Range<usize>],
    net: &mut Network,
    batch: &Batch,
    updater: &mut Updater,
    mut signal: impl FnMut(usize, Tensor<2>, Tensor<2>, &mut Updater) -> Tensor<2>,
) -> Result<StepReport> {
    net.accept(batch)?;
    let pass = batch.pass();
    let mut outputs = Vec::with_capacity(units.len());
    let mut x = Tensor::from_inner(batch.x.clone());
    for unit in units {
        let output = net.forward_range(unit.clone(), x, &pass);
        x = output.clone().detach();
        outputs.push(output);
    }
    let (loss, error) = net.loss().evaluate(x.inner(), batch.targets(net.classes(), &batch.x.device()));
    let error = error * batch.share();
    for (index, unit) in units.iter().enumerate().rev() {
        let Some(output) = outputs.pop() else { break };
        let signal = match index + 1 == units.len() {
            true => error.clone(),
            false => signal(index, output.clone().inner(), error.clone(), updater),
        };
        updater.step(net, unit.clone(), inject(output, signal));
    }
    Ok(StepReport { loss: loss.mean(), units: Vec::new() })
}
