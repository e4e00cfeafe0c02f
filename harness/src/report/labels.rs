//! Names, titles and marks that all figures of a report share.

use super::axis::epoch_ticks;
use super::picture::Point;
use super::stats::{CellStats, mean};
use super::{Cell, Report, distinct, settings};

/// `label` with nothing that a file system could mind.
pub fn file_name(label: &str) -> String {
    label.chars().map(|c| if c.is_ascii_alphanumeric() || c == '.' { c.to_ascii_lowercase() } else { '-' }).collect()
}

/// The mean of `values` at `x`, ranging from the least to the greatest; nothing of nothing.
pub fn worst_to_best(x: f64, values: &[f64]) -> Option<Point> {
    let (low, high) = (values.iter().copied().reduce(f64::min)?, values.iter().copied().reduce(f64::max)?);
    Some(Point { x, y: mean(values)?, low, high })
}

/// Labels of an axis of epochs.
pub fn epochs(last: usize) -> Vec<(f64, String)> {
    epoch_ticks(last).into_iter().map(|epoch| (epoch as f64, epoch.to_string())).collect()
}

/// A column's label with the data really seen.
pub fn data(label: &str, cells: &[&Cell]) -> String {
    let runs = || cells.iter().flat_map(|cell| cell.sound());
    let data = distinct(runs(), |run| run.data.name.clone());
    let named = if data.eq_ignore_ascii_case(label) { label.to_string() } else { format!("{label} ({data})") };
    let unverified = if runs().all(|run| run.data.verified) { "" } else { ", unverified data" };
    format!("{named}{unverified}")
}

/// The data that cells of a sweep saw, and their settings.
pub fn subtitle(report: &Report, drawn: &[&Cell]) -> String {
    let names = distinct(drawn.iter().flat_map(|cell| cell.sound()), |run| run.data.name.clone());
    format!("{} · {}", data(&names, drawn), settings(report, drawn))
}

/// What is measured.
pub fn y_label(cells: &[&Cell]) -> String {
    let images = distinct(cells.iter().flat_map(|cell| cell.sound()), |run| run.evaluated_on.clone());
    format!("{images} accuracy (%)")
}

/// How the spread is drawn, where there is any.
pub fn spread(cells: &[&Cell], how: &str) -> String {
    if cells.iter().any(|cell| cell.sound().count() > 1) { how.to_string() } else { String::new() }
}

/// The settings of the runs in `cells`, which are some of `report`'s, their number and their profile.
pub fn settings(report: &Report, cells: &[&Cell]) -> String {
    format!("{}, profile {}, {}", settings::in_words(&settings::rows(report, cells)), report.profile, n_text(cells))
}

/// `n=3`, or `n=1-3` where cells differ; cells without sound runs aside.
pub fn n_text(cells: &[&Cell]) -> String {
    let counts = || cells.iter().map(|cell| cell.sound().count()).filter(|n| *n > 0);
    match (counts().min().unwrap_or(0), counts().max().unwrap_or(0)) {
        (least, most) if least == most => format!("n={most}"),
        (least, most) => format!("n={least}-{most}"),
    }
}

/// How many of the runs diverged, if any did, and how many did not, where that is not what the figure's settings say.
pub fn remark(cells: &[&Cell], all: &[&Cell]) -> String {
    let diverged: usize = cells.iter().map(|cell| CellStats::of(cell).diverged).sum();
    match (diverged, n_text(cells)) {
        (0, n) if n == n_text(all) => String::new(),
        (0, n) => n,
        (diverged, n) => format!("{n}, {diverged} diverged"),
    }
}

/// A value with three or more digits that say something.
pub fn round(value: f64) -> String {
    let decimals = if value.abs() < 0.1 { 4 } else { 2 };
    format!("{value:.decimals$}")
}

/// Remarks one after the other, of those that say something.
pub fn remarks<const N: usize>(remarks: [String; N], between: &str) -> String {
    remarks.into_iter().filter(|remark| !remark.is_empty()).collect::<Vec<_>>().join(between)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_names_are_plain() {
        assert_eq!(file_name("CIFAR-10 / a"), "cifar-10---a");
    }
}
