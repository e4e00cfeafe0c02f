//! Steps of several parameters at once.

/// Does `work`, in which parameters are moved, each once, and none is looked at: a backend may move them all at its
/// end.
pub fn together<T>(work: impl FnOnce() -> T) -> T {
    #[cfg(feature = "tch")]
    return super::libtorch::update::together(work);
    #[cfg(not(feature = "tch"))]
    work()
}
