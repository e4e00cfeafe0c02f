//! Claims about units trained at once, from what `harness pipeline` measured.

use super::finding::{Finding, Found, Page, Verdict};
use crate::report::parquet::{FrameRow, file};

/// Columns of quartiles of the seconds of a step.
const LOW: &str = "step_lower_quartile";
const HIGH: &str = "step_upper_quartile";

/// A rule makes by `workers`, on the network whose title begins with `network`, at least `at_least` times as many steps
/// in the same time as by serial steps with all of the machine's threads: the ratio of the medians of their bursts, and
/// what it would be where the upper quartile of the one meets the lower quartile of the other. Both ends decide.
pub fn gains<'a>(pages: &[&'a Page], network: &str, workers: u64, at_least: f64) -> Found<'a> {
    for page in pages {
        let path = page.folder.join("pipeline.parquet");
        if !path.exists() {
            continue;
        }
        let frame = file::read(&path)?;
        for index in 0..frame.height() {
            let row = FrameRow { frame: &frame, index };
            let named = row.text("network").is_some_and(|title| title.starts_with(network));
            let (Some(rule), Some(gain)) = (row.text("rule"), row.number("gain")) else { continue };
            if !named || row.count("workers") != Some(workers) {
                continue;
            }
            let quartiles = |row: &FrameRow| Some([row.number(LOW)?, row.number(HIGH)?]);
            let is_serial = |other: &FrameRow| {
                let same = |column| other.text(column) == row.text(column);
                same("network") && same("rule") && other.count("workers").is_none()
            };
            let serial = (0..frame.height()).map(|index| FrameRow { frame: &frame, index }).find(is_serial);
            let (Some(serial), Some(own)) = (serial.as_ref().and_then(quartiles), quartiles(&row)) else { continue };
            let ends = [serial[0] / own[1], serial[1] / own[0]];
            let bound = row.number("bound").map_or(String::new(), |bound| format!("; units bound it to {bound:.2}"));
            let bursts = row.count("bursts").unwrap_or_default();
            let finding = Finding {
                verdict: match ends {
                    [low, _] if low >= at_least => Verdict::Holds,
                    [_, high] if high < at_least => Verdict::Fails,
                    _ => Verdict::Open,
                },
                said: format!(
                    "{rule}: {gain:.2} times the serial step with all threads ({:.2} to {:.2} by the quartiles of \
                     {bursts} bursts each{bound}); asked: {at_least}",
                    ends[0], ends[1]
                ),
                scale: page.scale(format!("{network}, {workers} workers of one thread")),
                source: None,
            };
            return Ok((Some(page), finding));
        }
    }
    Ok((None, Finding::not_done(format!("{network}, {workers} workers: not measured"))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::parquet::Columns;
    use crate::report::place::About;

    #[test]
    fn the_gain_of_as_many_workers_on_the_network_decides() {
        let dir = tempfile::tempdir().unwrap();
        // Serial steps take a second, give or take a tenth; steps by two workers that much over the gain.
        let lines: [(&str, Option<u64>, f64); 6] = [
            ("mlp, x", None, 1.0),
            ("mlp, x", Some(2), 1.4),
            ("vit, y", None, 1.0),
            ("vit, y", Some(2), 0.8),
            ("cnn, z", None, 1.0),
            ("cnn, z", Some(2), 1.1),
        ];
        let columns = Columns::of(&lines)
            .add("network", |line| line.0.to_string())
            .add("rule", |_| "SLL".to_string())
            .add("workers", |line| line.1)
            .add("bursts", |_| 5_u64)
            .add(LOW, |line| 0.9 / line.2)
            .add(HIGH, |line| 1.1 / line.2)
            .add("gain", |line| Some(line.2))
            .add("bound", |line| line.1.map(|_| 1.5 * line.2))
            .columns;
        file::write(&dir.path().join("pipeline.parquet"), columns).unwrap();
        let page = Page::read("pipeline".into(), dir.path().into(), About::default()).unwrap();
        let verdict = |network, workers| gains(&[&page], network, workers, 1.0).unwrap().1.verdict;
        let verdicts = [verdict("mlp", 2), verdict("vit", 2), verdict("cnn", 2)];
        assert_eq!(verdicts, [Verdict::Holds, Verdict::Fails, Verdict::Open]);
        let said = gains(&[&page], "mlp", 2, 1.0).unwrap().1.said;
        // 0.9 / (1.1 / 1.4) and 1.1 / (0.9 / 1.4).
        assert_eq!(
            said,
            "SLL: 1.40 times the serial step with all threads (1.15 to 1.71 by the quartiles of 5 bursts each; units \
             bound it to 2.10); asked: 1"
        );
        assert_eq!([verdict("mlp", 3), verdict("rnn", 2)], [Verdict::NotDone; 2]);
    }
}
