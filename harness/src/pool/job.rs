//! One of several requests to make.

/// A request to make.
#[derive(Clone, Debug)]
pub struct Job<R> {
    /// Shown to the user.
    pub title: String,
    /// What to make.
    pub request: R,
    /// Bytes that it will need, where that is known.
    pub need: Option<u64>,
}
