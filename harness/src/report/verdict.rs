//! Whether a rule gives what its authors' gives: one number beside another, by how far runs differ anyway.

use super::Cell;
use super::stats::{Aggregate, mean};
use crate::experiment::{Read, Theirs};
use crate::record::RunResult;
use std::fmt;

/// What two accuracies of the same setting may differ by whatever their deviations: ten of 10,000 test images.
const FLOOR: f64 = 0.1;
/// Deviations that two runs may lie apart.
const DEVIATIONS: f64 = 2.0;

/// What a comparison comes to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Found {
    /// No further apart than runs are.
    Within,
    /// Ours is lower by more.
    Short,
    /// Ours is higher by more.
    Above,
}

/// Ours beside theirs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Verdict {
    /// What it comes to.
    pub found: Found,
    /// Ours less theirs, in points.
    pub difference: f64,
    /// How far they may lie apart: [`spread`].
    pub spread: f64,
    /// Epochs of ours, and of theirs.
    pub epochs: (usize, usize),
}

/// `2 √(s² + t²)` of the two deviations, at least 0.1 points. Where one is not known, the other stands for it; where
/// neither is, the least is taken.
pub fn spread(ours: Option<f64>, theirs: Option<f64>) -> f64 {
    let known = ours.or(theirs).unwrap_or(0.0);
    let (s, t) = (ours.unwrap_or(known), theirs.unwrap_or(known));
    (DEVIATIONS * s.hypot(t)).max(FLOOR)
}

/// Sets `ours`, of runs of so many epochs, beside `theirs`.
pub fn verdict(ours: Aggregate, epochs: usize, theirs: &Theirs) -> Verdict {
    let (difference, spread) = (ours.mean - theirs.mean, spread(ours.std, theirs.std));
    let found = match difference {
        // A difference of exactly the spread is one of rounding.
        d if d.abs() <= spread * (1.0 + 1e-9) => Found::Within,
        d if d < 0.0 => Found::Short,
        _ => Found::Above,
    };
    Verdict { found, difference, spread, epochs: (epochs, theirs.epochs) }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let (by, spread) = (self.difference.abs(), self.spread);
        match self.found {
            Found::Within => write!(f, "within the spread ({spread:.2})")?,
            Found::Short => write!(f, "short by {by:.2} (spread {spread:.2})")?,
            Found::Above => write!(f, "above by {by:.2} (spread {spread:.2})")?,
        }
        match self.epochs {
            (ours, theirs) if ours < theirs => write!(f, " after {ours} of their {theirs} epochs"),
            (ours, theirs) if ours > theirs => write!(f, " after {ours} epochs, theirs after {theirs}"),
            _ => Ok(()),
        }
    }
}

/// The accuracy of a run as `read` says; nothing of one that has none.
pub fn read_out(run: &RunResult, read: Read) -> Option<f64> {
    match read {
        Read::Last => run.test_accuracy,
        Read::Best => run.best_test_accuracy,
        Read::LastTen => {
            let last = run.curve.iter().rev().take(10).map(|point| point.test_accuracy);
            mean(&last.collect::<Vec<_>>())
        }
    }
}

impl Cell {
    /// The authors' number that its runs stand beside; without runs that of the whole recipe.
    pub fn theirs(&self) -> Option<&Theirs> {
        let authors = self.authors.as_ref()?;
        let epochs = self.sound().next().map(|run| run.epochs).or_else(|| authors.epochs())?;
        authors.beside(epochs)
    }

    /// Its runs' accuracies, read from the epochs that the authors' number is read from.
    pub fn ours(&self) -> Option<Aggregate> {
        let read = self.theirs().map(|theirs| theirs.read).unwrap_or_default();
        Aggregate::of(&self.sound().filter_map(|run| read_out(run, read)).collect::<Vec<_>>())
    }

    /// Ours beside theirs; nothing without runs or without a number.
    pub fn verdict(&self) -> Option<Verdict> {
        let epochs = self.sound().next()?.epochs;
        Some(verdict(self.ours()?, epochs, self.theirs()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::EpochPoint;
    use crate::report::example;

    fn of(ours: (f64, Option<f64>), theirs: (f64, Option<f64>)) -> Verdict {
        let ours = Aggregate { n: 3, mean: ours.0, std: ours.1 };
        let source = String::new();
        let theirs = Theirs { epochs: 100, mean: theirs.0, std: theirs.1, n: Some(10), read: Read::Last, source };
        verdict(ours, 100, &theirs)
    }

    #[test]
    fn two_numbers_are_within_two_deviations_of_their_difference_or_not() {
        // 2 √(0.3² + 0.4²) = 1
        let (ours, theirs) = ((97.0, Some(0.3)), (98.0, Some(0.4)));
        assert_eq!(of(ours, theirs).found, Found::Within);
        assert_eq!(of((96.99, ours.1), theirs).found, Found::Short);
        assert_eq!(of((99.01, ours.1), theirs).found, Found::Above);
        assert_eq!(of((96.5, ours.1), theirs).to_string(), "short by 1.50 (spread 1.00)");
        assert_eq!(of(theirs, theirs).to_string(), "within the spread (1.13)");
    }

    #[test]
    fn a_deviation_that_is_not_known_is_taken_from_the_other_and_ten_images_are_always_allowed() {
        assert_eq!(
            (spread(Some(0.5), None), spread(None, Some(0.5))),
            (0.5f64.hypot(0.5) * 2.0, 0.5f64.hypot(0.5) * 2.0)
        );
        assert_eq!((spread(None, None), spread(Some(0.0), Some(0.0)), spread(Some(0.01), Some(0.02))), (0.1, 0.1, 0.1));
        assert_eq!(of((98.0, None), (98.1, None)).found, Found::Within);
        assert_eq!(of((97.98, None), (98.1, None)).found, Found::Short);
    }

    #[test]
    fn other_epochs_than_theirs_are_said() {
        let mut short = of((95.0, Some(0.1)), (98.0, Some(0.1)));
        short.epochs = (10, 100);
        assert_eq!(short.to_string(), "short by 3.00 (spread 0.28) after 10 of their 100 epochs");
        short.epochs = (100, 10);
        assert!(short.to_string().ends_with(" after 100 epochs, theirs after 10"), "{short}");
    }

    #[test]
    fn ours_is_read_from_the_epochs_that_theirs_is_read_from() {
        let mut run = example::run(0, 90.0);
        (run.test_accuracy, run.best_test_accuracy) = (Some(90.0), Some(95.0));
        let point = |epoch: usize| EpochPoint { epoch, train_loss: 0.0, test_accuracy: epoch as f64, seconds: 0.0 };
        run.curve = (1..=20).map(point).collect();
        let read = |read| read_out(&run, read);
        assert_eq!((read(Read::Last), read(Read::Best), read(Read::LastTen)), (Some(90.0), Some(95.0), Some(15.5)));
        run.curve.clear();
        assert_eq!(read_out(&run, Read::LastTen), None);
    }
}
