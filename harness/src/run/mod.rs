//! One run in this process: data in, epochs, result out.

mod checkpoint;
mod diagnostics;
mod kept;
mod loader;
mod resident;
mod trainer;

pub use checkpoint::Checkpoint;
pub use kept::{Kept, set_aside};
pub use loader::Loader;
pub use trainer::{EpochNews, Events, Part, train};
