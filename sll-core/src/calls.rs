//! What a piece of work asks of LibTorch: calls of operators, and waits of the host for the device.
//!
//! Counted from what LibTorch tells its observers (`at::RecordFunction`), as PyTorch's profiler counts; the C++ side is
//! `shim/calls.cpp`. A call is one from outside LibTorch: what an operator calls in turn is not counted. On a CUDA
//! device a call that is no view launches at least one kernel, and a wait is a moment at which the host does nothing
//! until the device has done all that it was asked for. On the CPU the same are told by the operators' names: what
//! would wait on a card is counted, although here nothing does.

/// Views, and requests for memory: nothing runs on a device for them.
const VIEWS: [&str; 37] = [
    "_conj",
    "_reshape_alias",
    "_unsafe_view",
    "alias",
    "as_strided",
    "chunk",
    "contiguous",
    "detach",
    "detach_",
    "diagonal",
    "empty",
    "empty_like",
    "empty_permuted",
    "empty_strided",
    "expand",
    "expand_as",
    "flatten",
    "lift_fresh",
    "movedim",
    "narrow",
    "new_empty",
    "permute",
    "reshape",
    "resize_",
    "select",
    "slice",
    "split",
    "squeeze",
    "swapaxes",
    "swapdims",
    "t",
    "transpose",
    "unbind",
    "unfold",
    "unsqueeze",
    "view",
    "view_as",
];

/// Operators whose result the host needs before it goes on: a value, or the size of a result that depends on values.
/// (Their CUDA kernels end in a copy to the host, `cudaStreamSynchronize`.)
const WAITING: [&str; 9] = [
    "_local_scalar_dense",
    "_unique2",
    "bincount",
    "equal",
    "masked_select",
    "nonzero",
    "repeat_interleave",
    "unique_consecutive",
    "unique_dim",
];

/// How often one operator was called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operator {
    /// Its name, like `aten::addmm`; with ` (host)` behind it where it is known to work on the host whatever the device
    /// is, and with ` (copy)` where values are copied in it, as in a `reshape` that cannot be a view.
    pub name: String,
    /// Calls from outside LibTorch.
    pub calls: u64,
    /// Calls, from wherever, for which the host waits.
    pub waits: u64,
}

impl Operator {
    /// An operator called `outer` times from outside LibTorch and `all` times altogether, which moved `moved` tensors
    /// between host and device.
    pub fn new(name: String, outer: u64, all: u64, moved: u64) -> Self {
        let waiting = WAITING.contains(&plain(&name));
        Self { calls: outer, waits: moved + if waiting { all } else { 0 }, name }
    }

    /// Whether a device has to run something for it.
    pub fn is_work(&self) -> bool {
        !VIEWS.contains(&plain(&self.name)) && !self.name.ends_with(" (host)")
    }
}

fn plain(name: &str) -> &str {
    name.strip_prefix("aten::").unwrap_or(name)
}

/// What was called, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Calls(pub Vec<Operator>);

impl Calls {
    /// Calls from outside LibTorch.
    pub fn calls(&self) -> u64 {
        self.0.iter().map(|operator| operator.calls).sum()
    }

    /// Those of them that a device has to run something for: neither views nor requests for memory.
    pub fn work(&self) -> u64 {
        self.0.iter().filter(|operator| operator.is_work()).map(|operator| operator.calls).sum()
    }

    /// Waits of the host for the device: values read, sizes that depend on values, and copies between host and device.
    /// (On the CPU such a copy shows as a call of `aten::to` that has nothing to do.)
    pub fn waits(&self) -> u64 {
        self.0.iter().map(|operator| operator.waits).sum()
    }
}

/// Does `work` and counts what this thread asks of LibTorch meanwhile; nothing where LibTorch is not compiled in.
///
/// # Panics
/// If it is used within itself.
pub fn count<T>(work: impl FnOnce() -> T) -> (T, Calls) {
    #[cfg(feature = "tch")]
    return shim::count(work);
    #[cfg(not(feature = "tch"))]
    (work(), Calls::default())
}

#[cfg(feature = "tch")]
mod shim {
    use super::{Calls, Operator};
    use std::cell::Cell;
    use std::ffi::{CStr, c_char, c_void};
    use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

    #[allow(unsafe_code, reason = "the shim's functions; each catches what LibTorch throws")]
    unsafe extern "C" {
        fn sll_libtorch_calls_begin();
        fn sll_libtorch_calls_end(told: *mut c_void, tell: extern "C" fn(*mut c_void, *const c_char, u64, u64, u64));
    }

    extern "C" fn tell(told: *mut c_void, name: *const c_char, outer: u64, all: u64, moved: u64) {
        // SAFETY: `told` is the list that `count` gave, and the name a string of the shim's that lives during the call.
        #[allow(unsafe_code, reason = "a function of the shim")]
        let (list, name) = unsafe { (&mut *told.cast::<Vec<Operator>>(), CStr::from_ptr(name)) };
        list.push(Operator::new(name.to_string_lossy().into_owned(), outer, all, moved));
    }

    pub(super) fn count<T>(work: impl FnOnce() -> T) -> (T, Calls) {
        thread_local!(static COUNTING: Cell<bool> = const { Cell::new(false) });
        assert!(!COUNTING.replace(true), "calls are being counted already");
        // SAFETY: begins an observer of this thread, which ends below.
        #[allow(unsafe_code, reason = "a function of the shim")]
        unsafe {
            sll_libtorch_calls_begin();
        }
        let done = catch_unwind(AssertUnwindSafe(work));
        let mut operators: Vec<Operator> = Vec::new();
        // SAFETY: `operators` outlives the call, in which `tell` alone uses it.
        #[allow(unsafe_code, reason = "a function of the shim")]
        unsafe {
            sll_libtorch_calls_end((&raw mut operators).cast(), tell);
        }
        COUNTING.set(false);
        match done {
            Ok(done) => (done, Calls(operators)),
            Err(panic) => resume_unwind(panic),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn views_and_the_hosts_own_are_no_work_and_reads_are_waits() {
        let of = |name: &str, outer, all| Operator::new(name.into(), outer, all, 0);
        let read = of("aten::_local_scalar_dense", 0, 2);
        let calls = Calls(vec![of("aten::t", 3, 4), of("aten::mm", 2, 2), of("aten::add_ (host)", 5, 5), read]);
        assert_eq!((calls.calls(), calls.work(), calls.waits()), (10, 2, 2));
        assert_eq!(of("aten::_local_scalar_dense (host)", 1, 1).waits, 0);
    }

    #[cfg(feature = "tch")]
    mod libtorch {
        use super::super::*;
        use burn::tensor::{Device, Tensor};

        #[allow(deprecated, reason = "burn-tch goes away in burn 0.23")]
        fn device() -> Device {
            Device::libtorch()
        }

        #[test]
        fn a_known_sequence_is_counted_call_by_call() {
            let device = device();
            let (a, b) = (Tensor::<2>::ones([3, 4], &device), Tensor::<2>::ones([4, 5], &device));
            let (_, calls) = count(|| {
                let product = a.clone().matmul(b.clone());
                (product.clone() + product.clone()).transpose().exp()
            });
            let names: Vec<_> = calls.0.iter().filter(|op| op.calls > 0).map(|op| (&*op.name, op.calls)).collect();
            assert_eq!(names, [("aten::add", 1), ("aten::exp_", 1), ("aten::matmul", 1), ("aten::transpose", 1)]);
            assert_eq!((calls.calls(), calls.work(), calls.waits()), (4, 3, 0));
        }

        #[test]
        fn what_is_sent_and_what_is_read_are_waits_and_nothing_else_is() {
            let device = device();
            let (sent, calls) = count(|| Tensor::<1>::from_floats([1.0, 2.0, 3.0], &device));
            assert_eq!(calls.waits(), 1, "{calls:?}");
            let (_, calls) = count(|| sent.clone().sum().into_scalar::<f32>());
            assert_eq!(calls.waits(), 1, "{calls:?}");
            let (_, calls) = count(|| (sent.clone() * 2.0).sum());
            assert_eq!(calls.waits(), 0, "{calls:?}");
            let (_, calls) = count(|| sent.clone().greater_elem(1.0).float());
            assert_eq!(calls.waits(), 0, "{calls:?}");
        }

        #[test]
        fn other_threads_and_what_comes_later_are_not_counted() {
            let device = device();
            let ((), calls) = count(|| {
                std::thread::spawn(move || drop(Tensor::<1>::ones([3], &device))).join().unwrap();
            });
            assert_eq!(calls, Calls::default());
            assert!(std::panic::catch_unwind(|| count(|| panic!("in the middle"))).is_err());
            assert_eq!(count(|| ()).1, Calls::default());
        }
    }
}
