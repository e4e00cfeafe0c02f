//! What a run takes of memory, booked step by step.

use super::loader::Loader;
use super::subject::subject;
use crate::error::Result;
use crate::record::PeakBytes;
use crate::spec::RunSpec;
use crate::{device, room};
use burn::tensor::Device;
use sll_core::memory::{Meter, StepBytes};
use sll_core::pipeline::Pipeline;

/// A loss left on the device, and bookkeeping: not counted as memory that a step leaves behind.
const HELD_BYTES: u64 = 4096;

/// What a step leaves besides what was there before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Leaves {
    /// The run's first: the optimiser's state.
    FirstState,
    /// Optimiser state of what a rule that trains in phases moves from a later phase on.
    MoreState,
    /// No state of the optimiser: buffers of a worker thread that wakes late, or of a layer.
    Buffers,
}

/// The books of a run.
pub(super) struct Books {
    /// What counts.
    pub meter: Box<dyn Meter>,
    /// What the tensor library kept before the network was built.
    pub library: u64,
    /// What steps have added to it since.
    grown: i64,
}

impl Books {
    /// Books before the network is built, after one step on objects that are thrown away: what is still allocated after
    /// it is the tensor library's own.
    pub fn open(
        spec: &RunSpec,
        (image, classes): ([usize; 3], usize),
        loader: &Loader,
        device: &Device,
        pipeline: Option<&Pipeline>,
    ) -> Result<Self> {
        let meter = device::meter(spec.device);
        let before = meter.live();
        {
            let (mut net, mut rule, mut updater) = subject(spec, image, classes, device)?;
            let samples = spec.recipe.batch.min(loader.counts().0);
            let (optimizer, workers) = (spec.recipe.optimizer(), pipeline.map_or(1, Pipeline::workers));
            room::check(spec.device, &net, &*rule, samples, &optimizer, workers)?;
            let batch = loader.batch(&loader.epoch(0), 0)?;
            // In the thread that makes the steps that are booked: the library keeps some of it for each thread.
            match pipeline {
                Some(pipeline) => pipeline.in_order(&mut *rule, &mut net, &batch, &mut updater)?,
                None => rule.step(&mut net, &batch, &mut updater)?,
            };
        }
        let library = meter.live().saturating_sub(before) as u64;
        Ok(Self { meter, library, grown: 0 })
    }

    /// Books in `bytes` a step that found `before` bytes alive: what it leaves, and what it held above that at the
    /// most, which is its peak.
    pub fn book(&mut self, bytes: &mut PeakBytes, before: usize, leaves: Leaves) {
        let (live, peak) = (self.meter.live(), self.meter.peak());
        let change = live as i64 - before as i64;
        let stays = change.max(0) as u64;
        let standing = &mut bytes.standing;
        match leaves {
            Leaves::FirstState => standing.optimizer_state = stays,
            Leaves::MoreState => standing.optimizer_state += stays,
            // A later step may free them again.
            Leaves::Buffers if change.unsigned_abs() > HELD_BYTES => {
                self.grown += change;
                standing.library = standing.library.max(self.library.saturating_add_signed(self.grown));
            }
            Leaves::Buffers => {}
        }
        let above = peak.saturating_sub(before.max(live)) as u64;
        if above > bytes.step_peak {
            bytes.step_peak = above;
            // What the step leaves behind was workspace while it ran, and is booked as state.
            let made = self.meter.step();
            bytes.step = StepBytes { workspace: above.saturating_sub(made.activations + made.gradients), ..made };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;
    use std::rc::Rc;

    /// A meter that shows what it is told.
    struct Told {
        live: Rc<Cell<usize>>,
        peak: usize,
    }

    impl Meter for Told {
        fn definition(&self) -> &'static str {
            "told"
        }

        fn live(&self) -> usize {
            self.live.get()
        }

        fn peak(&self) -> usize {
            self.peak
        }

        fn begin_step(&self) {}

        fn step(&self) -> StepBytes {
            StepBytes { activations: 30_000, gradients: 20_000, workspace: 1 }
        }

        fn most_activations(&self) -> u64 {
            0
        }
    }

    #[test]
    fn a_step_is_booked_by_what_it_leaves_and_its_peak_above_that() {
        let now = Rc::new(Cell::new(0));
        let meter = Box::new(Told { live: now.clone(), peak: 1_000_000 });
        let mut books = Books { meter, library: 500, grown: 0 };
        let mut bytes = PeakBytes::default();
        let mut book = |before: usize, live: usize, leaves| {
            now.set(live);
            books.book(&mut bytes, before, leaves);
            (bytes.standing.optimizer_state, bytes.standing.library, bytes.step_peak)
        };
        assert_eq!(book(800_000, 900_000, Leaves::FirstState), (100_000, 0, 100_000));
        assert_eq!(book(900_000, 930_000, Leaves::MoreState), (130_000, 0, 100_000));
        // A held loss is nobody's; a buffer is the library's, also after it is freed.
        assert_eq!(book(900_000, 904_000, Leaves::Buffers), (130_000, 0, 100_000));
        assert_eq!(book(900_000, 920_000, Leaves::Buffers), (130_000, 20_500, 100_000));
        assert_eq!(book(920_000, 900_000, Leaves::Buffers), (130_000, 20_500, 100_000));
        assert_eq!(book(850_000, 850_000, Leaves::Buffers), (130_000, 20_500, 150_000));
        assert_eq!(bytes.step, StepBytes { activations: 30_000, gradients: 20_000, workspace: 100_000 });
    }
}
