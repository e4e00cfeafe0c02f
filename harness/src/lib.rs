//! Everything around the learning rules: specs, data, runs, tables, figures, the command line.

#![deny(clippy::print_stdout, clippy::print_stderr)] // both panic where nobody reads; see `talk`

pub mod bench;
pub mod check;
pub mod cli;
pub mod device;
pub mod engine;
pub mod error;
pub mod estimate;
pub mod experiment;
pub mod footprint;
pub mod interrupt;
pub mod paper;
pub mod progress;
pub mod provenance;
pub mod record;
pub mod report;
pub mod room;
pub mod run;
pub mod sealed;
pub mod spec;
pub mod step;
pub mod store;
pub mod talk;
