//! Claims about units trained at once, from what `harness pipeline` measured.

use super::finding::{Finding, Found, Page, Verdict};
use crate::report::parquet::{FrameRow, file};

/// A rule's steps by `workers` on the network whose title begins with `network` take at most as long as the serial
/// steps with all of the machine's threads, `at_least` times as many of them in the same time.
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
            let bound = row.number("bound").map_or(String::new(), |bound| format!(" (units bound it to {bound:.2})"));
            let finding = Finding {
                verdict: if gain >= at_least { Verdict::Holds } else { Verdict::Fails },
                said: format!("{rule}: {gain:.2} times the serial step with all threads{bound}; asked: {at_least}"),
                scale: format!("{network}, {workers} workers of one thread"),
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
        let lines: [(&str, Option<u64>, Option<f64>); 3] =
            [("mlp, x", None, None), ("mlp, x", Some(2), Some(1.4)), ("vit, y", Some(2), Some(0.9))];
        let columns = Columns::of(&lines)
            .add("network", |line| line.0.to_string())
            .add("rule", |_| "SLL".to_string())
            .add("workers", |line| line.1)
            .add("gain", |line| line.2)
            .add("bound", |line| line.2.map(|gain| 1.5 * gain))
            .columns;
        file::write(&dir.path().join("pipeline.parquet"), columns).unwrap();
        let page = Page::read("pipeline".into(), dir.path().into(), About::default()).unwrap();
        let verdict = |network, workers| gains(&[&page], network, workers, 1.0).unwrap().1.verdict;
        assert_eq!([verdict("mlp", 2), verdict("vit", 2)], [Verdict::Holds, Verdict::Fails]);
        let said = gains(&[&page], "mlp", 2, 1.0).unwrap().1.said;
        assert_eq!(said, "SLL: 1.40 times the serial step with all threads (units bound it to 2.10); asked: 1");
        assert_eq!([verdict("mlp", 3), verdict("cnn", 2)], [Verdict::NotDone; 2]);
    }
}
