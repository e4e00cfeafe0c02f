//! What made a number: hardware, threads, versions.

use crate::device;
use crate::record::{Maker, Provenance};
use crate::spec::DeviceName;
use std::time::{SystemTime, UNIX_EPOCH};

/// The harness's version and the git commit it was built from.
pub const VERSION: &str = env!("SLL_VERSION");

/// This program on this machine.
pub fn maker(device: DeviceName) -> Maker {
    Maker { harness: VERSION.to_string(), hardware: device::hardware(device) }
}

/// The provenance of a run that ends now on `device`.
pub fn here(device: DeviceName, memory_definition: &str) -> Provenance {
    Provenance {
        device,
        hardware: device::hardware(device),
        threads: device::threads(),
        harness: VERSION.to_string(),
        backend: device::backend(device),
        memory_definition: memory_definition.to_string(),
        finished_unix: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs()),
    }
}
