//! Memory as an experiment: single measurements, figures against depth, and the paper's Table 3.
//!
//! A measurement is a fresh process that takes a few training steps on images of noise and weighs them
//! ([`weigh`], [`measure`]); it is kept by the digest of its spec and of the code that decides memory. Experiments are
//! TOML files ([`experiment`]) from which measurements follow; [`figure`] and [`table`] make files of them.

pub mod engine;
#[cfg(test)]
mod example;
pub mod experiment;
pub mod figure;
pub mod law;
pub mod measure;
pub mod page;
pub mod parquet;
pub mod record;
pub mod spec;
pub mod store;
pub mod table;
mod text;
pub mod weigh;
