//! From bytes to pixels: every decoder. Each takes untrusted bytes.

pub(crate) mod cifar;
pub(crate) mod idx;
pub(crate) mod images;
mod jpeg;
pub(crate) mod picture;
pub(crate) mod shard;
pub(crate) mod stored;
