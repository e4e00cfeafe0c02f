//! The rules that SLL is compared with, one file each, and the register of all rules by name.

pub mod bp;
pub mod dfa;
pub mod fa;
mod register;

pub use register::{RuleInfo, RuleSpec, rules};
