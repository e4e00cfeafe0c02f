//! From bytes to pixels: every decoder. Each takes bytes that nobody vouched for.

pub(crate) mod cifar;
pub(crate) mod idx;
pub(crate) mod images;
mod jpeg;
pub(crate) mod picture;
pub(crate) mod shard;
pub(crate) mod stored;
