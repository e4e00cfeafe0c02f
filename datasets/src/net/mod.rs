//! The network: one way to ask and one to download, for the hub's files and for archives.

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
