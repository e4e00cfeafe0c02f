//! Large blocks kept for the next request of the same size: a training step asks for the same blocks as the one before
//! it, and memory that goes back to the system in between is mapped, cleared and faulted in again page by page.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Blocks from this size on are kept, about where system allocators begin to map each block by itself.
const LEAST: usize = 128 << 10;
/// Blocks kept at once.
const BLOCKS: usize = 128;
/// Bytes beyond the most that was ever in use at once that blocks in use and kept ones may take together.
const SLACK: usize = 64 << 20;

#[derive(Clone, Copy)]
struct Block {
    address: usize,
    layout: Layout,
}

struct Shelf {
    /// The oldest first.
    blocks: [Option<Block>; BLOCKS],
    count: usize,
    bytes: usize,
    /// Bytes of large blocks that are in use.
    used: usize,
    /// The most of these at once.
    most_used: usize,
}

/// The blocks kept, over the system's allocator.
pub(super) struct BlockCache(Mutex<Shelf>);

impl Shelf {
    fn remove(&mut self, index: usize) -> Option<Block> {
        let block = self.blocks[index].take()?;
        self.blocks[index..self.count].rotate_left(1);
        self.count -= 1;
        self.bytes -= block.layout.size();
        Some(block)
    }

    /// The youngest block of this very layout.
    fn take(&mut self, layout: Layout) -> Option<Block> {
        let index = self.blocks[..self.count].iter().rposition(|block| block.is_some_and(|b| b.layout == layout))?;
        self.remove(index)
    }

    fn use_more(&mut self, bytes: usize) {
        self.used += bytes;
        self.most_used = self.most_used.max(self.used);
    }

    /// Whether too much is kept, once `more` bytes are in use.
    fn is_over(&self, more: usize) -> bool {
        self.used + more + self.bytes > self.most_used.max(self.used + more) + SLACK
    }
}

impl BlockCache {
    pub const fn new() -> Self {
        Self(Mutex::new(Shelf { blocks: [None; BLOCKS], count: 0, bytes: 0, used: 0, most_used: 0 }))
    }

    /// A lock that does not allocate, which code below an allocator must not.
    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// As [`GlobalAlloc::alloc`], zeroed if that is asked for.
    ///
    /// # Safety
    /// As there: `layout` has a size that is not 0.
    #[allow(unsafe_code, reason = "it hands out memory")]
    pub unsafe fn alloc(&self, layout: Layout, zeroed: bool) -> *mut u8 {
        // SAFETY (of every call below): the layout is the caller's, and each block came from the system with its
        // layout.
        let fresh = || if zeroed { unsafe { System.alloc_zeroed(layout) } } else { unsafe { System.alloc(layout) } };
        if layout.size() < LEAST {
            return fresh();
        }
        let mut shelf = self.shelf();
        if let Some(block) = shelf.take(layout) {
            shelf.use_more(layout.size());
            drop(shelf);
            let pointer = block.address as *mut u8;
            if zeroed {
                unsafe { pointer.write_bytes(0, layout.size()) };
            }
            return pointer;
        }
        while shelf.is_over(layout.size())
            && let Some(oldest) = shelf.remove(0)
        {
            unsafe { System.dealloc(oldest.address as *mut u8, oldest.layout) };
        }
        let mut pointer = fresh();
        while pointer.is_null()
            && let Some(oldest) = shelf.remove(0)
        {
            unsafe { System.dealloc(oldest.address as *mut u8, oldest.layout) };
            pointer = fresh();
        }
        if !pointer.is_null() {
            shelf.use_more(layout.size());
        }
        pointer
    }

    /// As [`GlobalAlloc::dealloc`].
    ///
    /// # Safety
    /// As there: `pointer` came from here or from the system, with `layout`.
    #[allow(unsafe_code, reason = "it takes memory back")]
    pub unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        if layout.size() < LEAST {
            // SAFETY: small blocks are the system's own.
            unsafe { System.dealloc(pointer, layout) };
            return;
        }
        let mut shelf = self.shelf();
        shelf.used = shelf.used.saturating_sub(layout.size());
        let count = shelf.count;
        if count < BLOCKS {
            shelf.blocks[count] = Some(Block { address: pointer as usize, layout });
            shelf.count += 1;
            shelf.bytes += layout.size();
        } else {
            // SAFETY: as of the caller.
            unsafe { System.dealloc(pointer, layout) };
        }
        while shelf.is_over(0)
            && let Some(oldest) = shelf.remove(0)
        {
            // SAFETY: it came from the system with this layout.
            unsafe { System.dealloc(oldest.address as *mut u8, oldest.layout) };
        }
    }

    /// As [`GlobalAlloc::realloc`].
    ///
    /// # Safety
    /// As there: `pointer` came from here with `layout`, and `size` is not 0.
    #[allow(unsafe_code, reason = "it moves memory")]
    pub unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: every block is the system's, kept or not.
        let moved = unsafe { System.realloc(pointer, layout, size) };
        if !moved.is_null() {
            let large = |size: usize| if size < LEAST { 0 } else { size };
            let mut shelf = self.shelf();
            shelf.used = shelf.used.saturating_sub(large(layout.size()));
            shelf.use_more(large(size));
        }
        moved
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(size: usize) -> Layout {
        Layout::from_size_align(size, 16).unwrap()
    }

    /// SAFETY (of the whole test): blocks are given back once each, with their layouts.
    #[test]
    #[allow(unsafe_code, reason = "an allocator is called by hand")]
    fn a_block_serves_the_next_request_of_its_size_and_no_more_is_kept_than_was_used() {
        let kept = BlockCache::new();
        let large = layout(40 << 20);
        unsafe {
            let first = kept.alloc(large, false);
            first.write_bytes(7, large.size());
            kept.dealloc(first, large);
            let again = kept.alloc(large, true);
            assert_eq!(first, again);
            assert!(std::slice::from_raw_parts(again, large.size()).iter().all(|&byte| byte == 0));
            kept.dealloc(again, large);
            // Blocks of other sizes, one at a time: what is kept stays within the most in use and the slack.
            for step in 1..6 {
                let other = layout((30 + step) << 20);
                let block = kept.alloc(other, false);
                let shelf = kept.shelf();
                assert!(shelf.used + shelf.bytes <= shelf.most_used + SLACK);
                drop(shelf);
                kept.dealloc(block, other);
            }
            let shelf = kept.shelf();
            assert!(shelf.bytes > 0 && shelf.bytes <= shelf.most_used + SLACK);
            drop(shelf);
            let small = layout(1 << 10);
            let block = kept.alloc(small, false);
            let before = kept.shelf().count;
            kept.dealloc(block, small);
            assert_eq!(kept.shelf().count, before);
        }
    }
}
