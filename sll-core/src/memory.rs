//! Memory as a measured fact: the meter every report goes through, and an exact one for the process's heap.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Where a device's memory is read.
pub trait Meter {
    /// What the numbers count, for people.
    fn definition(&self) -> &'static str;
    /// Bytes allocated now.
    fn live(&self) -> usize;
    /// The most bytes allocated at once since [`Meter::reset_peak`].
    fn peak(&self) -> usize;
    /// Starts a new peak at the bytes allocated now.
    fn reset_peak(&self);
}

static LIVE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

/// The system's allocator with every byte counted. A program that wants exact numbers declares
/// `#[global_allocator] static ALLOCATOR: CountingAllocator = CountingAllocator;`.
pub struct CountingAllocator;

fn grow(bytes: usize) {
    let live = LIVE.fetch_add(bytes, Relaxed) + bytes;
    PEAK.fetch_max(live, Relaxed);
}

// SAFETY: every call is handed on unchanged to the system's allocator.
#[allow(unsafe_code)] // `GlobalAlloc` is an unsafe trait; there is no other way to see every byte
unsafe impl GlobalAlloc for CountingAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let pointer = unsafe { System.alloc(layout) };
        if !pointer.is_null() {
            grow(layout.size());
        }
        pointer
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        let pointer = unsafe { System.alloc_zeroed(layout) };
        if !pointer.is_null() {
            grow(layout.size());
        }
        pointer
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        unsafe { System.dealloc(pointer, layout) };
        LIVE.fetch_sub(layout.size(), Relaxed);
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let moved = unsafe { System.realloc(pointer, layout, size) };
        if !moved.is_null() {
            // The old block counts until the new one is filled, as it does when the system has to move it.
            grow(size);
            LIVE.fetch_sub(layout.size(), Relaxed);
        }
        moved
    }
}

/// Reads what [`CountingAllocator`] counted. Only meaningful in a program that declares it.
#[derive(Clone, Copy, Debug, Default)]
pub struct HeapMeter;

impl Meter for HeapMeter {
    fn definition(&self) -> &'static str {
        "bytes requested from the process's heap by the training step, counted at every allocation (flex keeps tensors there)"
    }

    fn live(&self) -> usize {
        LIVE.load(Relaxed)
    }

    fn peak(&self) -> usize {
        PEAK.load(Relaxed)
    }

    fn reset_peak(&self) {
        PEAK.store(LIVE.load(Relaxed), Relaxed);
    }
}
