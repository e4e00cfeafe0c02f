//! Everything around the learning rules: what is asked for ([`spec`]), what is kept of it ([`store`], [`record`]),
//! processes that make it ([`pool`]), the work itself ([`run`], [`weigh`]), experiments, reports, the command line.

#![deny(clippy::print_stdout, clippy::print_stderr, reason = "both panic where nobody reads; see `talk`")]
#![allow(clippy::missing_errors_doc, reason = "a program: its errors are for its user, and `error::Error` says which")]

mod atomic;
pub mod bench;
pub mod check;
pub mod cli;
pub mod device;
pub mod engine;
pub mod error;
pub mod estimate;
pub mod experiment;
pub mod interrupt;
pub mod model;
pub mod news;
pub mod paper;
pub mod plan;
pub mod pool;
pub mod progress;
pub mod provenance;
pub mod record;
pub mod remedy;
pub mod report;
pub mod room;
pub mod run;
pub mod sealed;
pub mod spec;
pub mod step;
pub mod store;
pub mod suggest;
pub mod talk;
pub mod tensorboard;
pub mod units;
pub mod weigh;
