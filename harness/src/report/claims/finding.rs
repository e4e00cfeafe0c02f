//! What the numbers say of a claim.

use crate::error::Result;
use crate::report::place::About;
use std::path::PathBuf;

/// What the numbers say of one piece of evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// It is not so.
    Fails,
    /// It is so.
    Holds,
    /// They do not decide.
    Open,
    /// There are none.
    NotDone,
}

/// A piece of evidence as it was found.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    pub verdict: Verdict,
    /// What was compared, and the numbers, with how many there are.
    pub said: String,
    /// Network, data and epochs, where the numbers are from runs.
    pub scale: String,
    /// The page's folder below the results folder, and the command that makes it.
    pub source: Option<(String, String)>,
}

impl Finding {
    pub fn not_done(said: String) -> Self {
        Self { verdict: Verdict::NotDone, said, scale: String::new(), source: None }
    }
}

/// A page that is kept.
pub struct Page {
    pub experiment: String,
    pub folder: PathBuf,
    pub about: About,
}

/// What was found, with the page it stands on.
pub type Found<'a> = Result<(Option<&'a Page>, Finding)>;
