//! Devices by name. The only place that knows which backends are compiled in.

use crate::error::{Error, Result};
use crate::provenance;
use burn::tensor::Device;
use sll_core::memory::{HeapMeter, Meter};
use std::process::Command;

/// What a name can stand for.
const NAMES: &str = "`flex` (pure Rust, CPU), `cpu-tch` (LibTorch, CPU) or `cuda:N` (LibTorch, GPU number N)";

/// The device called `name`, without autodiff.
pub fn open(name: &str) -> Result<Device> {
    match (name, card(name)) {
        ("flex", _) => Ok(Device::flex()),
        ("cpu-tch", _) => libtorch(None),
        (_, Some(card)) => libtorch(Some(card)),
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
        _ => format!("burn 0.22.1, burn-tch, {}", libtorch_version()),
    }
}

/// The number of the card that `name` stands for.
fn card(name: &str) -> Option<usize> {
    name.strip_prefix("cuda:")?.parse().ok()
}

/// The processor or card behind `name`, as the machine calls it.
pub fn hardware(name: &str) -> String {
    let Some(card) = card(name) else { return provenance::processor() };
    let told = Command::new("nvidia-smi")
        .args(["--query-gpu=name,memory.total,driver_version", "--format=csv,noheader", "-i", &card.to_string()])
        .output();
    let told =
        told.ok().filter(|out| out.status.success()).map(|out| String::from_utf8_lossy(&out.stdout).into_owned());
    match told.as_deref().map(str::trim).and_then(|line| line.rsplit_once(", ")) {
        Some((card, driver)) => format!("{card}, driver {driver}"),
        None => format!("GPU {card}, of which nvidia-smi tells nothing"),
    }
}

/// What counts the memory of training on `name`, which was opened before. Only for the thread that trains.
pub fn meter(name: &str) -> Box<dyn Meter> {
    match name {
        "flex" => Box::new(HeapMeter),
        _ => libtorch_meter(card(name)),
    }
}

#[cfg(feature = "tch")]
#[allow(deprecated)] // burn-tch goes away in burn 0.23; this is the one place to change then
fn libtorch(cuda: Option<usize>) -> Result<Device> {
    sll_core::memory::libtorch::watch();
    sll_core::memory::libtorch::full_precision();
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
