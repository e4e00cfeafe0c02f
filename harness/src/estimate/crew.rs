//! How the runs of a command go side by side.

use crate::pool::share;
use std::path::Path;

/// How runs will be made.
#[derive(Clone, Copy, Debug)]
pub struct Crew<'a> {
    /// Runs at once.
    pub jobs: usize,
    /// Threads of each.
    pub threads: usize,
    /// Whether each leaves its last state.
    pub keeps_state: bool,
    /// Where results go, and so checkpoints.
    pub results: &'a Path,
}

impl Crew<'_> {
    /// The same for no more than `runs`, which then get the threads of those that are not there.
    #[must_use]
    pub fn of(self, runs: usize) -> Self {
        let jobs = self.jobs.min(runs).max(1);
        Self { jobs, threads: share(jobs), ..self }
    }
}
