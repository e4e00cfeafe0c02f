//! Every byte of the heap, counted at the allocator.

use super::kept::BlockCache;
use super::ledger::Ledger;
use super::{Meter, StepBytes};
use std::alloc::{GlobalAlloc, Layout};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

static HEAP: Ledger = Ledger::new();
static BLOCKS: BlockCache = BlockCache::new();
static REFUSED: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(usize::MAX);

/// From now on no block is given with which this process would hold more than `bytes`; a program that cannot go on
/// without it ends.
pub fn at_most(bytes: usize) {
    MOST.store(bytes, Relaxed);
}

/// Bytes of the last block that was not given, 0 where all were.
pub fn refused() -> usize {
    REFUSED.load(Relaxed)
}

/// The system's allocator with every byte counted, and large blocks kept for the next request of their size. A program
/// that wants exact numbers declares `#[global_allocator] static ALLOCATOR: CountingAllocator = CountingAllocator;`.
///
/// Each block is preceded by a tag that says in which step it was made and whether as an activation. Tags, and what the
/// system adds to a block, are not in the counts.
pub struct CountingAllocator;

/// Room for the tag that keeps the alignment of any ordinary type.
const TAG: usize = 16;

fn room(layout: Layout) -> usize {
    layout.align().max(TAG)
}

fn with_tag(layout: Layout, size: usize) -> Option<Layout> {
    Layout::from_size_align(size.checked_add(room(layout))?, room(layout)).ok()
}

/// Whether a block of `size` may be given.
fn allowed(size: usize) -> bool {
    let allowed = size <= MOST.load(Relaxed).saturating_sub(HEAP.live());
    if !allowed {
        REFUSED.store(size, Relaxed);
    }
    allowed
}

/// [`with_tag`] of a block that may be given.
fn asked(layout: Layout, size: usize) -> Option<Layout> {
    with_tag(layout, size).filter(|_| allowed(size))
}

/// Tags and counts a block whose tag's room starts at `base`.
///
/// # Safety
/// `base` is null, or a block of at least `room(layout)` bytes, aligned to it.
#[allow(unsafe_code, reason = "a tag has to be written before the block it is about")]
unsafe fn tagged(base: *mut u8, layout: Layout, size: usize) -> *mut u8 {
    if base.is_null() {
        REFUSED.store(size, Relaxed);
        return base;
    }
    let tag = HEAP.tag();
    let pointer = unsafe { base.add(room(layout)) };
    unsafe { pointer.cast::<usize>().sub(1).write(tag) };
    HEAP.grow(size, tag);
    pointer
}

// SAFETY: every call is handed on to the system's allocator with room for a tag before the block; the pointer given out
// is that far into the system's block, has the alignment asked for, and is moved back before the system sees it again.
#[allow(unsafe_code, reason = "`GlobalAlloc` is an unsafe trait; there is no other way to see every byte")]
unsafe impl GlobalAlloc for CountingAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let Some(whole) = asked(layout, layout.size()) else { return std::ptr::null_mut() };
        unsafe { tagged(BLOCKS.alloc(whole, false), layout, layout.size()) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        let Some(whole) = asked(layout, layout.size()) else { return std::ptr::null_mut() };
        unsafe { tagged(BLOCKS.alloc(whole, true), layout, layout.size()) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        let tag = unsafe { pointer.cast::<usize>().sub(1).read() };
        if let Some(whole) = with_tag(layout, layout.size()) {
            unsafe { BLOCKS.dealloc(pointer.sub(room(layout)), whole) };
        }
        HEAP.shrink(layout.size(), tag);
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let tag = unsafe { pointer.cast::<usize>().sub(1).read() };
        let (Some(whole), Some(new)) = (with_tag(layout, layout.size()), asked(layout, size)) else {
            return std::ptr::null_mut();
        };
        let moved = unsafe { BLOCKS.realloc(pointer.sub(room(layout)), whole, new.size()) };
        let moved = unsafe { tagged(moved, layout, size) };
        if !moved.is_null() {
            // The old block counts until the new one is filled, as it does when the system has to move it.
            HEAP.shrink(layout.size(), tag);
        }
        moved
    }
}

/// Reads what [`CountingAllocator`] counted. Only meaningful in a program that declares it.
#[derive(Clone, Copy, Debug, Default)]
pub struct HeapMeter;

impl Meter for HeapMeter {
    fn definition(&self) -> &'static str {
        "bytes requested from the process's heap by the training step, counted at every allocation (flex keeps tensors \
         there)"
    }

    fn live(&self) -> usize {
        HEAP.live()
    }

    fn peak(&self) -> usize {
        HEAP.peak()
    }

    fn begin_step(&self) {
        HEAP.begin_step();
    }

    fn step(&self) -> StepBytes {
        HEAP.step()
    }

    fn most_activations(&self) -> u64 {
        HEAP.most_activations()
    }
}
