//! The books of one allocator: live bytes, their peak, and what the peak of a step is made of.

use super::{Category, GRADIENTS, StepBytes, category};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Counts the blocks of one allocator, from any thread.
///
/// Whoever reports a block keeps a tag with it, which says in which step it was made and whether as an activation.
pub(super) struct Ledger {
    live: AtomicUsize,
    peak: AtomicUsize,
    /// Live bytes when the step began.
    stood: AtomicUsize,
    /// Number of the present step; an allocation carries that of its own.
    step: AtomicUsize,
    /// Live activation bytes of the present step.
    activations: AtomicUsize,
    /// The most of these at once, whenever that was.
    most_activations: AtomicUsize,
    /// Activation and gradient bytes at the peak.
    peak_activations: AtomicUsize,
    peak_gradients: AtomicUsize,
}

impl Ledger {
    pub const fn new() -> Self {
        Self {
            live: AtomicUsize::new(0),
            peak: AtomicUsize::new(0),
            stood: AtomicUsize::new(0),
            step: AtomicUsize::new(0),
            activations: AtomicUsize::new(0),
            most_activations: AtomicUsize::new(0),
            peak_activations: AtomicUsize::new(0),
            peak_gradients: AtomicUsize::new(0),
        }
    }

    /// The tag of a block made now.
    pub fn tag(&self) -> usize {
        self.step.load(Relaxed) << 1 | usize::from(category() == Category::Activations as u8)
    }

    /// Whether a block of `tag` counts among the present step's activations.
    fn is_activation(&self, tag: usize) -> bool {
        tag & 1 == 1 && tag >> 1 == self.step.load(Relaxed)
    }

    /// Books a block of `tag`.
    pub fn grow(&self, bytes: usize, tag: usize) {
        if self.is_activation(tag) {
            let activations = self.activations.fetch_add(bytes, Relaxed) + bytes;
            self.most_activations.fetch_max(activations, Relaxed);
        }
        let live = self.live.fetch_add(bytes, Relaxed) + bytes;
        if live > self.peak.load(Relaxed) {
            self.peak.fetch_max(live, Relaxed);
            self.peak_activations.store(self.activations.load(Relaxed), Relaxed);
            self.peak_gradients.store(GRADIENTS.load(Relaxed), Relaxed);
        }
    }

    /// Books the end of a block of `tag`.
    pub fn shrink(&self, bytes: usize, tag: usize) {
        if self.is_activation(tag) {
            self.activations.fetch_sub(bytes, Relaxed);
        }
        self.live.fetch_sub(bytes, Relaxed);
    }

    pub fn live(&self) -> usize {
        self.live.load(Relaxed)
    }

    pub fn peak(&self) -> usize {
        self.peak.load(Relaxed)
    }

    pub fn most_activations(&self) -> u64 {
        self.most_activations.load(Relaxed) as u64
    }

    pub fn begin_step(&self) {
        self.step.fetch_add(1, Relaxed);
        let parts = [&self.activations, &self.most_activations, &self.peak_activations, &self.peak_gradients];
        parts.into_iter().chain([&GRADIENTS]).for_each(|counter| counter.store(0, Relaxed));
        let live = self.live();
        self.stood.store(live, Relaxed);
        self.peak.store(live, Relaxed);
    }

    pub fn step(&self) -> StepBytes {
        let total = self.peak().saturating_sub(self.stood.load(Relaxed));
        let activations = self.peak_activations.load(Relaxed).min(total);
        let gradients = self.peak_gradients.load(Relaxed).min(total - activations);
        StepBytes {
            activations: activations as u64,
            gradients: gradients as u64,
            workspace: (total - activations - gradients) as u64,
        }
    }
}
