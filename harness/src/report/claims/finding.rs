//! What the numbers say of a claim.

use crate::error::Result;
use crate::record::RunResult;
use crate::report::parquet::{LabelledRun, read_labelled};
use crate::report::place::About;
use crate::report::stats::{half_width, half_width_95, mean};
use crate::talk::say;
use crate::units::{counted, range};
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
    /// Of what has to be so in every part: one that is not so decides. No part decides nothing.
    pub fn of_all(parts: &[Self]) -> Self {
        match !parts.is_empty() && parts.iter().all(|verdict| *verdict == Self::Holds) {
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

    /// The scale `of` something measured here, with what is to be known of the page.
    pub fn scale(&self, of: String) -> String {
        with_caveats(of, &self.about)
    }
}

/// What was found, with the page it stands on.
pub type Found<'a> = Result<(Option<&'a Page>, Finding)>;

/// Whether values over seeds lie above `bound`, by their 95 % interval.
pub fn judge(values: &[f64], bound: f64) -> Verdict {
    judge_one_of(values, bound, 1)
}

/// The same of one of `several` comparisons that all have to hold. Together they hold as seldom by chance as one does;
/// that one of them fails by chance is the likelier the more there are, so that failing takes the interval that has
/// 95 % for all of them together.
pub fn judge_one_of(values: &[f64], bound: f64, several: usize) -> Verdict {
    match (mean(values), half_width_95(values), half_width(values, several)) {
        (Some(mean), Some(half), _) if mean - half >= bound => Verdict::Holds,
        (Some(mean), _, Some(half)) if mean + half < bound => Verdict::Fails,
        _ => Verdict::Open,
    }
}

/// Pairs of runs with which a page goes before longer training of fewer: the least with a spread to speak of. Fewer
/// than five are called few on pages.
pub const MIN_PAIRS: usize = 3;

/// What makes one page decide and not another: `count` of the seeds compared, of which [`MIN_PAIRS`] are enough, then
/// the images that `run`, one of the runs compared, was trained on, then the seeds.
pub fn weight(count: usize, run: &RunResult) -> (bool, usize, usize) {
    (count >= MIN_PAIRS, trained_on(run), count)
}

/// Images that `run` was trained on, every epoch counted.
pub fn trained_on(run: &RunResult) -> usize {
    run.epochs * run.data.train
}

/// What `runs` are of: data set, network and how long it was trained; and what is to be known of them.
pub fn scale_of(runs: &[&RunResult]) -> String {
    let Some(run) = runs.first() else { return String::new() };
    let width = range(runs.iter().filter_map(|run| run.spec.network.width));
    let width = width.map_or(String::new(), |width| format!(", width {width}"));
    let epochs = counted(runs.iter().map(|run| run.epochs), "epoch");
    let trained = counted(runs.iter().map(|run| run.data.train), "image");
    let evaluated = format!("{} {} images", run.data.test, run.evaluated_on);
    let (data, network) = (&run.data.name, &run.spec.network.name);
    let scale = format!("{data}: {network}{width}, {epochs} of {trained}, {evaluated}");
    with_caveats(scale, &About::runs("", "", runs.iter().copied()))
}

fn with_caveats(scale: String, about: &About) -> String {
    match about.caveats() {
        Some(caveats) => format!("{scale}; {caveats}"),
        None => scale,
    }
}

/// `+0.40 (-0.10 to +0.90, n=3)`.
pub fn interval(values: &[f64]) -> String {
    let (centre, n) = (mean(values).unwrap_or(f64::NAN), values.len());
    half_width_95(values).map_or(format!("{centre:+.2} (n={n})"), |half| {
        format!("{centre:+.2} ({:+.2} to {:+.2}, n={n})", centre - half, centre + half)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_of_several_fails_by_the_wider_interval_and_holds_by_its_own() {
        // Mean 1, s 0.4: half-widths 0.994 for one, 2.293 for five (t of two degrees 4.303 and 9.925).
        let values = [0.6, 1.0, 1.4];
        let below: Vec<f64> = values.iter().map(|value| -value).collect();
        let of = |values: &[f64], several| judge_one_of(values, 0.0, several);
        assert_eq!([of(&values, 1), of(&values, 5)], [Verdict::Holds; 2]);
        assert_eq!([of(&below, 1), of(&below, 5)], [Verdict::Fails, Verdict::Open]);
    }
}
