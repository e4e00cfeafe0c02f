//! Devices by name. The only place that knows which backends are compiled in.

// Without LibTorch only its tests explain a card.
#[cfg_attr(not(feature = "tch"), allow(dead_code, reason = "GPUs are LibTorch's"))]
mod card;
mod setup;

use crate::error::{Error, Result};
use crate::spec::DeviceName;
use burn::tensor::Device;
use card::{is_out_of_memory, nvidia_smi};
use sll_core::memory::{HeapMeter, Meter};
use std::panic::PanicHookInfo;

/// The device called `name`, without autodiff.
pub fn open(name: DeviceName) -> Result<Device> {
    match name {
        DeviceName::Flex => {
            // Threads allocate while they start: here, and not beside a step that is weighed.
            rayon::broadcast(|_| ());
            Ok(Device::flex())
        }
        DeviceName::CpuTch | DeviceName::Cuda(_) => libtorch(name.card()),
    }
}

/// The first GPU, if this build and machine have one that can be used.
pub fn gpu() -> Option<DeviceName> {
    Some(DeviceName::Cuda(0)).filter(|name| open(*name).is_ok())
}

/// Devices compiled in, each with whether it can be used here.
pub fn survey() -> Vec<(String, String)> {
    let mut found = vec![("flex".to_string(), "usable (pure Rust, always compiled in)".to_string())];
    for name in [DeviceName::CpuTch, DeviceName::Cuda(0)] {
        let memory = || match name.card().and_then(|card| nvidia_smi("memory.total,memory.free", Some(card))) {
            Some(told) => format!("usable, {} free", told.replace(", ", ", of them ")),
            None => "usable".to_string(),
        };
        found.push((name.to_string(), open(name).map_or_else(|e| e.to_string(), |_| memory())));
    }
    found
}

/// What the environment says about LibTorch, for `doctor`.
pub fn libtorch_environment() -> String {
    let (libtorch, path) = (std::env::var("LIBTORCH").ok(), std::env::var("LD_LIBRARY_PATH").ok());
    setup::describe(libtorch.as_deref(), path.as_deref(), std::env::var_os("LIBTORCH_BYPASS_VERSION_CHECK").is_some())
}

/// Runs `work`; where LibTorch's memory ends, which reaches Rust as a panic, that becomes an error like any other.
pub fn within_memory<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info: &PanicHookInfo| {
        if !info.payload_as_str().is_some_and(is_out_of_memory) {
            hook(info);
        }
    }));
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        match text_of(&*panic).filter(|text| is_out_of_memory(text)) {
            Some(text) => Err(Error::Missing(format!(
                "the device has no memory left: {}; take a smaller --batch, a rule or network that needs less \
                 (`harness memory` weighs one step; accuracy is measured on 500 images at a time), fewer --jobs at \
                 once, or another device",
                said(text)
            ))),
            None => std::panic::resume_unwind(panic),
        }
    })
}

fn text_of(panic: &(dyn std::any::Any + Send)) -> Option<&str> {
    panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied())
}

/// LibTorch's own words in a panic's text, without the places in its sources.
fn said(text: &str) -> &str {
    let text = text.split_once("Torch(\"").map_or(text, |(_, said)| said);
    let end = ["\\n", "\n"].iter().filter_map(|end| text.find(end)).min().unwrap_or(text.len());
    text[..end].trim_end_matches(['"', ')', '.'])
}

/// The version of burn that Cargo.lock has.
const BURN: &str = env!("SLL_BURN_VERSION");

/// The tensor library behind `name` and its version.
pub fn backend(name: DeviceName) -> String {
    match name {
        DeviceName::Flex => format!("burn {BURN}, burn-flex"),
        DeviceName::CpuTch | DeviceName::Cuda(_) => format!("burn {BURN}, burn-tch, {}", libtorch_version()),
    }
}

/// The processor or card behind `name`, as the machine calls it.
pub fn hardware(name: DeviceName) -> String {
    let Some(card) = name.card() else { return processor() };
    let told = nvidia_smi("name,memory.total,driver_version", Some(card));
    match told.as_deref().and_then(|line| line.rsplit_once(", ")) {
        Some((card, driver)) => format!("{card}, driver {driver}"),
        None => format!("GPU {card} (unknown to nvidia-smi)"),
    }
}

/// The processor, as the system calls it.
pub fn processor() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':').map(|(_, n)| n.trim()));
    format!("{} ({})", name.unwrap_or("unknown processor"), std::env::consts::ARCH)
}

/// Threads that tensor operations use.
pub fn threads() -> usize {
    let asked = std::env::var("RAYON_NUM_THREADS").ok().and_then(|n| n.parse().ok()).filter(|&n| n > 0);
    asked.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from))
}

/// What counts the memory of training on `name`, which was opened before. Only for the thread that trains.
pub fn meter(name: DeviceName) -> Box<dyn Meter> {
    match name {
        DeviceName::Flex => Box::new(HeapMeter),
        DeviceName::CpuTch | DeviceName::Cuda(_) => libtorch_meter(name.card()),
    }
}

#[cfg(feature = "tch")]
#[allow(deprecated, reason = "burn-tch goes away in burn 0.23; this is the one place to change then")]
fn libtorch(cuda: Option<usize>) -> Result<Device> {
    sll_core::memory::libtorch::watch();
    sll_core::memory::libtorch::full_precision();
    if cuda.is_none() {
        sll_core::memory::libtorch::keep_freed();
    }
    // LibTorch reports a missing GPU by throwing on first use, which reaches Rust as a panic.
    let device = cuda.map_or_else(Device::libtorch, Device::libtorch_cuda);
    let probe = device.clone();
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let works = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || {
        burn::tensor::Tensor::<1>::ones([1], &probe).into_scalar::<f32>();
    }));
    std::panic::set_hook(hook);
    match works {
        Ok(()) => Ok(device),
        Err(panic) => {
            let refusal = text_of(&*panic).map(|text| said(text).to_owned());
            Err(Error::Missing(match cuda {
                Some(number) => card::Facts::gather(sll_core::memory::libtorch::cuda(), refusal).explain(number),
                None => format!("LibTorch cannot use the CPU: {}", refusal.unwrap_or_default()),
            }))
        }
    }
}

#[cfg(not(feature = "tch"))]
fn libtorch(_cuda: Option<usize>) -> Result<Device> {
    Err(Error::Missing(
        "this build has no LibTorch; `eval \"$(scripts/libtorch.sh)\"` (--cuda for a GPU) and build with \
         `cargo build -p harness --features tch`, or use --device flex"
            .into(),
    ))
}

#[cfg(feature = "tch")]
fn libtorch_meter(card: Option<usize>) -> Box<dyn Meter> {
    Box::new(sll_core::memory::libtorch::LibTorchMeter { card })
}

#[cfg(feature = "tch")]
fn libtorch_version() -> String {
    let (built, runs) = sll_core::memory::libtorch::versions();
    match built == runs {
        true => format!("LibTorch {runs}"),
        false => format!("LibTorch {runs}, built with the headers of {built}"),
    }
}

// Nothing opens such a device without the feature.
#[cfg(not(feature = "tch"))]
fn libtorch_meter(_card: Option<usize>) -> Box<dyn Meter> {
    Box::new(HeapMeter)
}

#[cfg(not(feature = "tch"))]
fn libtorch_version() -> String {
    "without LibTorch".to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_memory_is_an_error_and_any_other_panic_stays_one() {
        let full = "called `Result::unwrap()` on an `Err` value: Torch(\"CUDA out of memory. Tried to allocate 20.00 \
                    GiB. GPU 0 has 1 GiB free.\\nException raised from malloc at CUDACachingAllocator.cpp:1\")";
        let error = within_memory::<()>(|| panic!("{full}")).unwrap_err();
        assert!(matches!(error, Error::Missing(_)), "{error:?}");
        let text = error.to_string();
        assert!(text.contains("Tried to allocate 20.00 GiB") && text.contains("--batch"), "{text}");
        assert!(!text.contains("Allocator.cpp") && !text.contains("unwrap"), "{text}");
        assert!(std::panic::catch_unwind(|| within_memory::<()>(|| panic!("another"))).is_err());
    }
}
