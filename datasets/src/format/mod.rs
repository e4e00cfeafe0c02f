//! From bytes to pixels: every decoder. Each takes untrusted bytes.

pub(crate) mod cifar;
pub(crate) mod idx;
pub(crate) mod images;
mod jpeg;
pub(crate) mod picture;
pub(crate) mod shard;
pub(crate) mod stored;

use std::panic::{AssertUnwindSafe, catch_unwind};

/// A decoder that panics has met damaged data, to a user; in a thread that works ahead it would take what comes after
/// it along. `gave_up` is the problem then.
fn guarded<T>(gave_up: &str, decode: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(decode)).unwrap_or_else(|_| Err(gave_up.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_a_problem() {
        assert_eq!(guarded("gave up", || Ok(3)), Ok(3));
        assert_eq!(guarded::<()>("gave up", || panic!("on purpose")), Err("gave up".to_owned()));
    }
}
