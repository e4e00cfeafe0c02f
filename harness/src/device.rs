//! Devices by name. The only place that knows which backends are compiled in.

use crate::error::{Error, Result};
use burn::tensor::Device;
use sll_core::memory::{HeapMeter, Meter};

/// What a name can stand for.
const NAMES: &str = "`flex` (pure Rust, CPU), `cpu-tch` (LibTorch, CPU) or `cuda:N` (LibTorch, GPU number N)";

/// The device called `name`, without autodiff.
pub fn open(name: &str) -> Result<Device> {
    match (name, name.strip_prefix("cuda:").map(str::parse::<usize>)) {
        ("flex", _) => Ok(Device::flex()),
        ("cpu-tch", _) => libtorch(None),
        (_, Some(Ok(index))) => libtorch(Some(index)),
        _ => Err(Error::Input(format!("unknown device `{name}`: choose {NAMES}"))),
    }
}

/// Devices compiled in, each with whether it can be used here.
pub fn survey() -> Vec<(String, String)> {
    let mut found = vec![("flex".to_string(), "usable (pure Rust, always compiled in)".to_string())];
    for name in ["cpu-tch", "cuda:0"] {
        let state = open(name).map_or_else(|e| e.to_string(), |_| "usable".to_string());
        found.push((name.to_string(), state));
    }
    found
}

/// The tensor library behind `name` and its version.
pub fn backend(name: &str) -> String {
    match name {
        "flex" => "burn 0.22.1, burn-flex".to_string(),
        _ => "burn 0.22.1, burn-tch (LibTorch)".to_string(),
    }
}

/// What the memory numbers of runs on `name` count.
pub fn memory_definition(name: &str) -> &'static str {
    match name {
        "flex" => HeapMeter.definition(),
        _ => {
            "bytes requested from the host's heap only: LibTorch's own allocator, which holds the tensors, is NOT counted"
        }
    }
}

#[cfg(feature = "tch")]
#[allow(deprecated)] // burn-tch goes away in burn 0.23; this is the one place to change then
fn libtorch(cuda: Option<usize>) -> Result<Device> {
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
        Err(_) => Err(Error::Missing(format!(
            "LibTorch cannot use {}; check the driver with `nvidia-smi`, or use --device flex or cpu-tch",
            cuda.map_or("the CPU".into(), |i| format!("GPU {i}"))
        ))),
    }
}

#[cfg(not(feature = "tch"))]
fn libtorch(_cuda: Option<usize>) -> Result<Device> {
    Err(Error::Missing(
        "this build has no LibTorch; build with `cargo build -p harness --features tch` after setting LIBTORCH as the README's \
         section on devices says, or use --device flex"
            .into(),
    ))
}
