//! Units of what is told.

use std::collections::BTreeSet;

/// Bytes of a mebibyte.
pub const MIB: f64 = 1_048_576.0;

/// Bytes of a gibibyte.
pub const GIB: f64 = 1024.0 * MIB;

/// Seconds of a year.
const YEAR: f64 = 365.25 * 86400.0;

/// `40 seconds`, `12 minutes`, `7.5 hours`, `3.1 days`, `31 years`.
pub fn duration(seconds: f64) -> String {
    match seconds {
        s if s < 1.5 => "a second".into(),
        s if s < 99.5 => format!("{s:.0} seconds"),
        s if s < 99.5 * 60.0 => format!("{:.0} minutes", s / 60.0),
        s if s < 48.0 * 3600.0 => format!("{:.1} hours", s / 3600.0),
        s if s < 2.0 * YEAR => format!("{:.1} days", s / 86400.0),
        s => format!("{:.0} years", s / YEAR),
    }
}

/// `3`, or `3 to 10`: the least and the most of `values`; nothing of nothing.
pub fn range(values: impl IntoIterator<Item = usize>) -> Option<String> {
    let values: BTreeSet<usize> = values.into_iter().collect();
    let (least, most) = (values.first()?, values.last()?);
    Some(if least == most { least.to_string() } else { format!("{least} to {most}") })
}

/// `1 epoch`, `3 epochs` or `3 to 10 epochs`: how many of what is called `noun`.
pub fn counted(values: impl IntoIterator<Item = usize>, noun: &str) -> String {
    let count = range(values).unwrap_or_else(|| "0".into());
    let ending = if count == "1" { "" } else { "s" };
    format!("{count} {noun}{ending}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_told_with_their_noun() {
        assert_eq!(counted([3, 10, 5], "epoch"), "3 to 10 epochs");
        assert_eq!([counted([4], "epoch"), counted([1, 1], "epoch")], ["4 epochs", "1 epoch"]);
        assert_eq!((counted([], "seed"), range([])), ("0 seeds".into(), None));
    }

    #[test]
    fn times_are_told_in_words_that_fit() {
        let words = [0.2, 40.0, 100.0, 7200.0, 3.1 * 86400.0, 11411.4 * 86400.0].map(duration);
        assert_eq!(words, ["a second", "40 seconds", "2 minutes", "2.0 hours", "3.1 days", "31 years"]);
    }
}
