//! What made a number.

use crate::spec::DeviceName;
use serde::{Deserialize, Serialize};

/// Where and with what a run was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provenance {
    /// The device.
    pub device: DeviceName,
    /// The processor or GPU, as the machine calls it.
    pub hardware: String,
    /// Threads of the tensor library.
    pub threads: usize,
    /// The harness's version and git commit.
    pub harness: String,
    /// The tensor library's version.
    pub backend: String,
    /// What the memory numbers count.
    pub memory_definition: String,
    /// When the run finished, seconds since 1970.
    pub finished_unix: u64,
}

impl Provenance {
    /// Whether it was made by a build of code that no commit has.
    pub fn is_dirty(&self) -> bool {
        self.harness.contains("uncommitted") || self.harness.contains("no git commit")
    }
}
