//! What the numbers say of a claim.

use crate::error::Result;
use crate::report::parquet::{LabelledRun, read_labelled};
use crate::report::place::About;
use crate::report::stats::{half_width_95, mean};
use crate::talk::say;
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

impl Verdict {
    /// Of what has to be so in every part: one that is not so decides.
    pub fn of_all(parts: &[Self]) -> Self {
        match parts.iter().all(|verdict| *verdict == Self::Holds) {
            true => Self::Holds,
            false if parts.contains(&Self::Fails) => Self::Fails,
            false => Self::Open,
        }
    }
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
    /// Its runs that can be read.
    pub runs: Vec<LabelledRun>,
}

impl Page {
    /// The page in `folder`.
    pub fn read(experiment: String, folder: PathBuf, about: About) -> Result<Self> {
        let runs = read_labelled(&folder, &mut |sentence| say!("{sentence}"))?;
        Ok(Self { experiment, folder, about, runs })
    }
}

/// What was found, with the page it stands on.
pub type Found<'a> = Result<(Option<&'a Page>, Finding)>;

/// Whether values over seeds lie above `bound`, by their 95 % interval.
pub fn judge(values: &[f64], bound: f64) -> Verdict {
    match (mean(values), half_width_95(values)) {
        (Some(mean), Some(half)) if mean - half >= bound => Verdict::Holds,
        (Some(mean), Some(half)) if mean + half < bound => Verdict::Fails,
        _ => Verdict::Open,
    }
}

/// `+0.40 (-0.10 to +0.90, n=3)`.
pub fn interval(values: &[f64]) -> String {
    let (centre, n) = (mean(values).unwrap_or(f64::NAN), values.len());
    half_width_95(values).map_or(format!("{centre:+.2} (n={n})"), |half| {
        format!("{centre:+.2} ({:+.2} to {:+.2}, n={n})", centre - half, centre + half)
    })
}
