//! The network: the hub's lists through hf-hub; files of the hub and archives through the HTTP client that hf-hub stands on, one way to download for both.

mod archive;
mod download;
mod http;
mod hub;
mod problem;
#[cfg(test)]
mod tests;
mod token;

pub(crate) use archive::fetch_archive;
pub(crate) use hub::{HubShards, Reach, hub_shards};
pub(crate) use problem::Problem;

/// A runtime for one fetch. hf-hub is asynchronous; nothing else in this crate is.
fn runtime() -> Result<tokio::runtime::Runtime, Problem> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| {
        Problem::new(format!("the network cannot be used ({error})"), "check the limits of this process (`ulimit -a`)")
    })
}
