//! The memory of LibTorch's tensors, as LibTorch's own allocators report it to its profiler, and what else of LibTorch
//! the harness has to ask. The C++ side is `shim/libtorch.cpp`.

use super::ledger::Ledger;
use super::{Meter, Reserved, StepBytes};
use std::collections::HashMap;
use std::ffi::{c_char, c_void};
use std::sync::{LazyLock, Mutex, PoisonError};

/// Blocks on the host and on cards, which are booked apart. A process trains on one card.
static BOOKS: [Ledger; 2] = [Ledger::new(), Ledger::new()];
/// The size and tag of every block that is alive.
static BLOCKS: LazyLock<Mutex<HashMap<usize, (usize, usize)>>> = LazyLock::new(Mutex::default);

#[repr(C)]
#[derive(Default)]
struct CudaBytes {
    reserved: i64,
    reserved_peak: i64,
}

#[allow(unsafe_code, reason = "the shim's functions; each catches what LibTorch throws")]
unsafe extern "C" {
    fn sll_libtorch_watch(report: extern "C" fn(*mut c_void, i64, bool));
    fn sll_libtorch_cuda_bytes(card: i8, found: *mut CudaBytes) -> bool;
    fn sll_libtorch_cuda_reset_peak(card: i8);
    fn sll_libtorch_versions(text: *mut c_char, room: usize) -> usize;
    fn sll_libtorch_full_precision();
    fn sll_libtorch_keep_freed();
    fn sll_libtorch_cuda(version: *mut i64, cards: *mut i64) -> bool;
}

/// Called by LibTorch for every block made (`bytes > 0`) and freed (`bytes < 0`).
extern "C" fn report(block: *mut c_void, bytes: i64, cuda: bool) {
    let books = &BOOKS[usize::from(cuda)];
    let mut blocks = BLOCKS.lock().unwrap_or_else(PoisonError::into_inner);
    if bytes > 0 {
        let (size, tag) = (bytes as usize, books.tag());
        blocks.insert(block.addr(), (size, tag));
        books.grow(size, tag);
    } else if let Some((size, tag)) = blocks.remove(&block.addr()) {
        books.shrink(size, tag);
    }
}

/// From here on, what this thread makes and frees with LibTorch is counted. Call it before the thread's first tensor;
/// once is enough. Other threads' tensors are not seen: a run makes none there.
pub fn watch() {
    thread_local!(static WATCHED: () = {
        // SAFETY: `report` is a function of the program, and there for as long as the program is.
        #[allow(unsafe_code, reason = "a function of the shim")]
        unsafe {
            sll_libtorch_watch(report);
        }
    });
    WATCHED.with(|()| ());
}

/// Lets the process keep what LibTorch frees of the host's memory for its next tensor, since every page that is given
/// back costs a fault when it comes again. What the meter counts is what LibTorch asks for, and not this.
pub fn keep_freed() {
    // SAFETY: sets parameters of the C library's allocator.
    #[allow(unsafe_code, reason = "a function of the shim")]
    unsafe {
        sll_libtorch_keep_freed();
    }
}

/// Turns products in TF32 off, which LibTorch by itself uses in convolutions on a card.
pub fn full_precision() {
    // SAFETY: sets flags of LibTorch's global context.
    #[allow(unsafe_code, reason = "a function of the shim")]
    unsafe {
        sll_libtorch_full_precision();
    }
}

/// The version of LibTorch's headers that this program was built with, and that of the library it runs with.
pub fn versions() -> (String, String) {
    let mut text = [0u8; 128];
    // SAFETY: the shim writes at most `room` bytes and gives how many it wrote.
    #[allow(unsafe_code, reason = "a function of the shim")]
    let written = unsafe { sll_libtorch_versions(text.as_mut_ptr().cast(), text.len()) };
    let text = String::from_utf8_lossy(&text[..written]).into_owned();
    let (built, runs) = text.split_once('\n').unwrap_or((&text, ""));
    (built.to_string(), runs.to_string())
}

/// Whether the LibTorch in use has its CUDA half, the CUDA version it was made with (`1000 major + 10 minor`, 0 if
/// unknown), and the cards it sees.
pub fn cuda() -> (bool, i64, usize) {
    let (mut version, mut cards) = (0, 0);
    // SAFETY: both outlive the call, which writes to them.
    #[allow(unsafe_code, reason = "a function of the shim")]
    let built = unsafe { sll_libtorch_cuda(&mut version, &mut cards) };
    (built, version, cards.max(0) as usize)
}

/// Reads what LibTorch's allocators report; the thread that trains has called [`watch`].
#[derive(Clone, Copy, Debug)]
pub struct LibTorchMeter {
    /// The card, or none for the CPU.
    pub card: Option<usize>,
}

impl LibTorchMeter {
    fn books(&self) -> &'static Ledger {
        &BOOKS[usize::from(self.card.is_some())]
    }

    /// Bytes of the caching allocator of the card.
    fn cuda(&self) -> Option<CudaBytes> {
        let (card, mut found) = (i8::try_from(self.card?).ok()?, CudaBytes::default());
        // SAFETY: `found` outlives the call, which fills it or gives `false`.
        #[allow(unsafe_code, reason = "a function of the shim")]
        unsafe { sll_libtorch_cuda_bytes(card, &mut found) }.then_some(found)
    }
}

impl Meter for LibTorchMeter {
    fn definition(&self) -> &'static str {
        match self.card {
            None => {
                "bytes of tensors that LibTorch's CPU allocator hands out to the training step, as it reports them \
                 itself; what oneDNN and MKL pack for themselves is not among them"
            }
            Some(_) => {
                "bytes of blocks that LibTorch's CUDA caching allocator hands out to the training step, as it reports \
                 them itself: what PyTorch's max_memory_allocated counts"
            }
        }
    }

    fn live(&self) -> usize {
        self.books().live()
    }

    fn peak(&self) -> usize {
        self.books().peak()
    }

    fn begin_step(&self) {
        self.books().begin_step();
        if let Some(card) = self.card.and_then(|card| i8::try_from(card).ok()) {
            // SAFETY: resets counters of a card's allocator.
            #[allow(unsafe_code, reason = "a function of the shim")]
            unsafe {
                sll_libtorch_cuda_reset_peak(card);
            }
        }
    }

    fn step(&self) -> StepBytes {
        self.books().step()
    }

    fn most_activations(&self) -> u64 {
        self.books().most_activations()
    }

    fn reserved(&self) -> Option<Reserved> {
        self.cuda().map(|found| Reserved { live: found.reserved as u64, peak: found.reserved_peak as u64 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::{Category, scope};
    use burn::tensor::{Device, Tensor};

    /// In a thread of its own: tests that run beside it make tensors on others, which are not seen.
    #[test]
    fn every_tensor_is_counted_and_forgotten_and_the_peak_is_split() {
        watch();
        #[allow(deprecated, reason = "burn-tch goes away in burn 0.23")]
        let device = Device::libtorch();
        let meter = LibTorchMeter { card: None };
        let before = meter.live();
        let kept = Tensor::<2>::zeros([100, 10], &device);
        assert_eq!(meter.live() - before, 4000);
        meter.begin_step();
        let made = scope(Category::Activations);
        let activation = kept.clone() + 1.0;
        drop(made);
        let temporary = activation.clone().matmul(Tensor::<2>::ones([10, 100], &device));
        let sum = temporary.sum().into_scalar::<f32>();
        assert_eq!(sum, 100.0 * 100.0 * 10.0);
        drop(activation);
        let step = meter.step();
        assert_eq!(step.activations, 4000);
        // The product, its right factor, and a scalar.
        assert!((44_000..=44_064).contains(&step.workspace), "{step:?}");
        drop(kept);
        assert_eq!(meter.live(), before);
        assert!(meter.reserved().is_none());
    }

    #[test]
    fn the_library_says_its_version() {
        let (built, runs) = versions();
        assert!(built.starts_with("2.") && runs.starts_with("2."), "{built} {runs}");
    }
}
