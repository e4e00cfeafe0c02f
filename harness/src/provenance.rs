//! What made a number: hardware, threads, versions.

use crate::device;
use crate::record::Provenance;
use std::time::{SystemTime, UNIX_EPOCH};

/// The harness's version and the git commit it was built from.
pub const VERSION: &str = env!("SLL_VERSION");

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

/// The provenance of a run that ends now on `device`.
pub fn here(device: &str, memory_definition: &str) -> Provenance {
    Provenance {
        device: device.to_string(),
        hardware: device::hardware(device),
        threads: threads(),
        harness: VERSION.to_string(),
        backend: device::backend(device),
        memory_definition: memory_definition.to_string(),
        finished_unix: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs()),
    }
}
