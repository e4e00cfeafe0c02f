//! The rules that SLL is compared with, one file each, and the register of all rules by name.

pub mod bp;
pub mod checkpoint;
pub mod df;
pub mod dfa;
mod direct;
pub mod dkp;
pub mod drtp;
pub mod dtp;
pub mod fa;
mod facts;
pub mod ff;
pub mod fused;
pub mod lls;
pub mod local;
pub mod parity;
pub mod pepita;
pub mod per_layer;
mod register;
pub mod sgr;
pub mod shallow;
pub mod similarity;
mod sll;
pub mod softhebb;
pub mod sp;

pub use facts::{Reach, Rule, Usual, Variant, Variants};
pub use register::{RuleInfo, RuleSpec, rules};
