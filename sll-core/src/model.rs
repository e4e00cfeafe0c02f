//! The analytic side of memory: what a step must hold, followed layer by layer through forward pass, backward pass and
//! update, from shapes alone. Tests hold it against the measured bytes.

use crate::memory::{LayerMemory, MemoryUse, StandingBytes, StepBytes};
use crate::network::Network;
use crate::optim::OptimizerConfig;
use std::ops::Range;

/// Bytes of one `f32`.
const VALUE: u64 = 4;
/// Matrices `[b, K]` alive beside a unit's signal: log-posteriors of parent and child, and the error.
const CODE_MATRICES: u64 = 3;
/// The same at the most, while losses and their slopes are computed.
const HEAD_MATRICES: u64 = 14;

/// How a rule trains a chain.
#[derive(Clone, Debug)]
pub enum Pattern {
    /// Unit by unit: forward, signal, backward, update.
    Local(Vec<LocalUnit>),
    /// All units forward, each from a detached input; then from the last to the first signal, backward, update.
    Feedback(Vec<Range<usize>>),
}

/// A unit that is trained at once.
#[derive(Clone, Debug)]
pub struct LocalUnit {
    /// Its segments: all but the last run again for the backward pass.
    pub segments: Vec<Range<usize>>,
    /// Values that its head holds at the most while it makes the signal, beside matrices `[b, K]`.
    pub head: u64,
}

impl LocalUnit {
    /// A unit whose head multiplies its summary by a matrix and nothing else.
    pub fn new(segments: Vec<Range<usize>>) -> Self {
        Self { segments, head: 0 }
    }

    /// A unit without segments and without a head of its own.
    pub fn whole(layers: Range<usize>) -> Self {
        Self::new(vec![layers])
    }
}

/// Follows what is alive through a step.
#[derive(Default)]
struct Timeline {
    live: StepBytes,
    peak: StepBytes,
}

impl Timeline {
    fn look(&mut self, temporaries: u64) {
        let now = StepBytes { workspace: self.live.workspace + VALUE * temporaries, ..self.live };
        if now.total() > self.peak.total() {
            self.peak = now;
        }
    }

    fn keep(&mut self, values: u64) {
        self.live.activations += VALUE * values;
        self.look(0);
    }

    fn drop_kept(&mut self, values: u64) {
        self.live.activations -= VALUE * values;
    }

    fn hold(&mut self, values: u64) {
        self.live.workspace += VALUE * values;
        self.look(0);
    }

    fn release(&mut self, values: u64) {
        self.live.workspace -= VALUE * values;
    }
}

/// The chain as the timeline sees it.
struct Chain {
    layers: Vec<LayerMemory>,
    params: Vec<u64>,
    input: u64,
    codes: u64,
    timeline: Timeline,
}

impl Chain {
    /// Values of what layer `index` gets.
    fn input_of(&self, index: usize) -> u64 {
        if index == 0 { self.input } else { self.layers[index - 1].output }
    }

    /// Runs `range` and keeps what its backward pass needs, its outputs included.
    fn forward(&mut self, range: Range<usize>) {
        let first = range.start;
        for index in range {
            let layer = self.layers[index];
            self.timeline.look(layer.output + layer.kept + layer.forward);
            self.timeline.keep(layer.output + layer.kept);
            if layer.frees_input && index > first {
                self.timeline.drop_kept(self.input_of(index));
            }
        }
    }

    /// Runs `range` without keeping anything but its last output.
    fn forward_plain(&mut self, range: Range<usize>) {
        for index in range.clone() {
            let layer = self.layers[index];
            self.timeline.look(layer.output + layer.forward);
            self.timeline.keep(layer.output);
            if index > range.start {
                self.timeline.drop_kept(self.layers[index - 1].output);
            }
        }
    }

    /// Differentiates `range`, whose signal is held, and moves it. Its input stays, and its output if that is `held` by
    /// somebody. Leaves the signal at its input held if that is `wanted`, else none.
    fn train(&mut self, range: Range<usize>, wanted: bool, held: bool) {
        for index in range.clone().rev() {
            let (layer, params, input) = (self.layers[index], self.params[index], self.input_of(index));
            let down = index > range.start || wanted;
            self.timeline.live.gradients += VALUE * layer.early_gradients;
            self.timeline.look(layer.backward);
            self.timeline.live.gradients += VALUE * (params - layer.early_gradients);
            let freed = index + 1 < range.end && self.layers[index + 1].frees_input;
            if !freed && (index + 1 < range.end || !held) {
                self.timeline.drop_kept(layer.output);
            }
            self.timeline.look(if down && !layer.in_place { input } else { 0 });
            self.timeline.drop_kept(layer.kept);
            self.timeline.release(layer.output);
            if down {
                self.timeline.hold(input);
            }
        }
        for index in range.rev() {
            self.timeline.live.gradients -= VALUE * self.params[index];
        }
    }

    /// One unit in segments: all but the last run without a graph, and again on the way back.
    fn unit(&mut self, LocalUnit { segments, head }: &LocalUnit) {
        let Some((last, before)) = segments.split_last() else { return };
        for segment in before {
            self.forward_plain(segment.clone());
        }
        self.forward(last.clone());
        let output = self.layers[last.end - 1].output;
        self.timeline.look(HEAD_MATRICES * self.codes);
        self.timeline.look(CODE_MATRICES * self.codes + head);
        // The network's own output has given its error and nothing else is left of it.
        let topmost = last.end == self.layers.len();
        let codes = if topmost { 0 } else { CODE_MATRICES * self.codes };
        self.timeline.hold(output + codes);
        for (place, segment) in segments.iter().enumerate().rev() {
            if place + 1 < segments.len() {
                // The output is there already: the input of the segment above, whose unit it has just served.
                self.timeline.drop_kept(self.layers[segment.end - 1].output);
                self.forward(segment.clone());
            }
            self.train(segment.clone(), place > 0, place + 1 == segments.len() && !topmost);
        }
        self.timeline.release(codes);
    }

    fn local(&mut self, units: &[LocalUnit]) {
        for (index, unit) in units.iter().enumerate() {
            self.unit(unit);
            if index > 0 {
                self.timeline.drop_kept(self.input_of(unit.segments[0].start));
            }
        }
    }

    fn feedback(&mut self, units: &[Range<usize>]) {
        for unit in units {
            self.forward(unit.clone());
        }
        self.timeline.look(HEAD_MATRICES * self.codes);
        self.timeline.hold(self.codes);
        for unit in units.iter().rev() {
            self.timeline.hold(self.layers[unit.end - 1].output);
            self.train(unit.clone(), false, false);
        }
    }
}

impl MemoryUse {
    /// The model of a rule that trains `net` by `pattern` and keeps `fixed` values; `None` where a layer has none.
    pub fn of(
        net: &Network,
        batch: usize,
        optimizer: &OptimizerConfig,
        pattern: &Pattern,
        (fixed, learned): (usize, usize),
    ) -> Option<Self> {
        let layers = net.memories(batch).into_iter().collect::<Option<Vec<_>>>()?;
        let params: Vec<u64> = (0..net.depth()).map(|index| net.layer_params(index) as u64).collect();
        let input = (batch * net.input().len()) as u64;
        let codes = (batch * net.classes()) as u64;
        let timeline = Timeline::default();
        let mut chain = Chain { layers, params, input, codes, timeline };
        chain.timeline.keep(input);
        match pattern {
            Pattern::Local(units) => chain.local(units),
            Pattern::Feedback(units) => chain.feedback(units),
        }
        let trained = (net.num_params() + learned) as u64;
        let standing = StandingBytes {
            parameters: VALUE * net.num_params() as u64,
            optimizer_state: VALUE * optimizer.moments() * trained,
            fixed: VALUE * (fixed + learned) as u64,
            ..StandingBytes::default()
        };
        Some(Self { standing, step: chain.timeline.peak })
    }
}
