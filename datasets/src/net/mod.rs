//! The network: addresses, the cache's layout and the answer about a data set as hf-hub knows them; every request by
//! the HTTP client that hf-hub stands on, one way to download for the hub's files and for archives.

mod archive;
mod download;
mod home;
mod http;
mod hub;
mod pace;
#[cfg(test)]
mod tests;
mod token;

pub(crate) use archive::fetch_archive;
pub(crate) use hub::{HubShards, Reach, hub_shards};
