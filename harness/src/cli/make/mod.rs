//! `harness table` and `harness sweep`: plan, run what is missing, write what was asked for.

mod args;
mod batch;
mod chosen;
mod collect;
mod hand;
mod part;
mod sweep;
mod table;
mod whole;
mod write;

pub use args::{NamedArgs, SelectArgs};
pub use chosen::{Asked, Chosen, lines};
pub use part::PartArgs;
pub use sweep::{SweepArgs, sweep};
pub use table::{TableArgs, table};
