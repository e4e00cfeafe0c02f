//! One run in this process: data in, epochs, result out.

mod checkpoint;
mod diagnostics;
mod loader;
mod resident;
mod trainer;

pub use checkpoint::Checkpoint;
pub use loader::Loader;
pub use trainer::{EpochNews, Events, Part, train};
