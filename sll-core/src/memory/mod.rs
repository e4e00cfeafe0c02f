//! Memory as a measured fact: the meter every report goes through, and an exact one for the process's heap.
//!
//! A training step's peak is split into what it is made of at that very moment:
//!
//! - **activations**: outputs of forward passes, alive for a backward pass or for the next unit, and the batch itself;
//! - **gradients**: gradients of parameters that no optimiser has taken yet;
//! - **workspace**: all the rest of the step: signals on their way back, temporaries, the optimiser's included.
//!
//! What stood before the step (parameters, optimiser state, fixed matrices) is in none of the three.

mod heap;
mod kept;
mod layer;
mod ledger;
#[cfg(feature = "tch")]
pub mod libtorch;
mod usage;

pub use heap::{CountingAllocator, HeapMeter, at_most, refused};
pub use layer::LayerMemory;
pub use usage::{ByCategory, CategoryOf, MemoryUse, StandingBytes, StepBytes};

use serde::{Deserialize, Serialize};
use std::cell::Cell;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering::Relaxed};

/// Where a device's memory is read.
///
/// ```
/// use sll_core::memory::{CountingAllocator, HeapMeter, Meter};
///
/// #[global_allocator]
/// static HEAP: CountingAllocator = CountingAllocator;
///
/// let before = HeapMeter.live();
/// HeapMeter.begin_step();
/// drop(vec![0u8; 1 << 20]);
/// assert!(HeapMeter.peak() - before >= 1 << 20 && HeapMeter.step().workspace >= 1 << 20);
/// ```
pub trait Meter {
    /// What the numbers count, for people.
    fn definition(&self) -> &'static str;
    /// Bytes allocated now.
    fn live(&self) -> usize;
    /// The most bytes allocated at once since [`Meter::begin_step`].
    fn peak(&self) -> usize;
    /// Starts a step: a new peak at the bytes allocated now, which from here on are what stood before it.
    fn begin_step(&self);
    /// The composition of the peak since [`Meter::begin_step`], above what stood then.
    fn step(&self) -> StepBytes;
    /// The most activations at once since [`Meter::begin_step`], in bytes, whether or not the peak was then: what a
    /// rule keeps of a network's depth shows here even where something else decides the peak.
    fn most_activations(&self) -> u64;
    /// Bytes that the allocator holds of the device for itself, handed out or not, where it caches.
    fn reserved(&self) -> Option<Reserved> {
        None
    }
}

/// Bytes of a caching allocator, as it counts them itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reserved {
    /// Now.
    pub live: u64,
    /// The most since [`Meter::begin_step`].
    pub peak: u64,
}

/// What allocations of the present moment are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Category {
    /// Anything that is not an activation.
    Workspace,
    /// The output of a forward pass.
    Activations,
}

static CATEGORY: AtomicU8 = AtomicU8::new(Category::Workspace as u8);
static GRADIENTS: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    /// The category of what this thread alone allocates, where it has books of its own.
    static OWN: Cell<Option<u8>> = const { Cell::new(None) };
    /// Gradients among [`GRADIENTS`] that this thread has made.
    static MADE: Cell<usize> = const { Cell::new(0) };
}

/// What is allocated from here on by the present thread is of the category that this thread says: for threads that do
/// parts of a step at once, each with no help from others.
pub(crate) fn own_books() {
    OWN.set(Some(Category::Workspace as u8));
}

/// The present category of this thread.
fn category() -> u8 {
    OWN.get().unwrap_or_else(|| CATEGORY.load(Relaxed))
}

/// What is allocated while this lives is of its category: on any thread, or on one that has `own_books`, there.
#[must_use = "it ends when it is dropped"]
pub struct Scope(u8);

/// Books what is allocated from here on as `category`, until the scope is dropped.
pub fn scope(category: Category) -> Scope {
    Scope(swap(category as u8))
}

fn swap(category: u8) -> u8 {
    match OWN.get() {
        Some(before) => {
            OWN.set(Some(category));
            before
        }
        None => CATEGORY.swap(category, Relaxed),
    }
}

impl Drop for Scope {
    fn drop(&mut self) {
        swap(self.0);
    }
}

/// A backward pass begins: what the last one of this thread made has been used up or dropped.
pub(crate) fn gradients_begin() {
    less(MADE.take());
}

/// Says that the gradients of the last backward pass are gone: for rules that change weights themselves, without an
/// [`Updater`](crate::optim::Updater).
pub fn gradients_gone() {
    gradients_begin();
}

/// Books `values` gradient values of parameters that a backward pass has made.
pub(crate) fn gradients_made(values: usize) {
    MADE.set(MADE.get() + 4 * values);
    GRADIENTS.fetch_add(4 * values, Relaxed);
}

/// Books `values` gradient values as used up by the optimiser.
pub(crate) fn gradients_used(values: usize) {
    let used = MADE.get().min(4 * values);
    MADE.set(MADE.get() - used);
    less(used);
}

fn less(bytes: usize) {
    let less = |made: usize| Some(made.saturating_sub(bytes));
    // The closure always gives a value.
    let _ = GRADIENTS.fetch_update(Relaxed, Relaxed, less);
}
