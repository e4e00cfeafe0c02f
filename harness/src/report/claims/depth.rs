//! Claims about memory against depth, from the measurements of a figure.

use super::finding::{Finding, Found, Page, Verdict};
use crate::experiment::memory::figure::DepthLine;
use crate::record::Footprint;
use crate::report::memory::redraw;
use serde::Deserialize;

/// What of training is weighed.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// The peak of a step, above what stands between steps.
    StepPeak,
    /// The peak of all of training: parameters, the optimiser's state and the step.
    Training,
}

impl Part {
    fn bytes(self, found: &Footprint) -> u64 {
        match self {
            Self::StepPeak => found.bytes.step_peak(),
            Self::Training => found.peak,
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::StepPeak => "step's peak",
            Self::Training => "training in all",
        }
    }
}

/// Memory of `row` in the panel `column` does not grow with depth, by the page with the deepest network; of equals, by
/// one that was not weighed on a card, whose allocator rounds.
pub fn flat<'a>(pages: &[&'a Page], column: &str, row: &str, part: Part) -> Found<'a> {
    let mut found: Vec<((usize, bool), &'a Page, Finding)> = Vec::new();
    for &page in pages {
        let Some(drawn) = redraw::figure(&page.experiment, &page.folder)? else { continue };
        let panel = drawn.figure.panels.iter().position(|panel| panel.label == column);
        let Some(lines) = panel.map(|index| &drawn.panels[index]) else { continue };
        let of = |label: &str| lines.iter().find(|line| line.label == label);
        let (Some(line), Some(bp)) = (of(row), of("BP")) else { continue };
        let slope = |line: &DepthLine| line.slope(|found| part.bytes(found));
        let verdict = match part {
            Part::StepPeak => line.stays(),
            Part::Training => line.does_not_grow(|found| part.bytes(found)),
        };
        let (Some(verdict), Some(own), Some(other)) = (verdict, slope(line), slope(bp)) else { continue };
        let Some((deepest, weighed)) = line.points.last() else { continue };
        let scale = format!("{column}, up to {deepest} {}, batch {}", drawn.figure.depth, drawn.figure.batch);
        let finding = Finding {
            verdict: if verdict { Verdict::Holds } else { Verdict::Fails },
            said: format!("{row}, {}: {own:+.0} bytes a layer, BP {other:+.0}", part.title()),
            scale: page.scale(scale),
            source: None,
        };
        found.push(((*deepest, weighed.spec.device.card().is_none()), page, finding));
    }
    match found.into_iter().max_by_key(|(weight, ..)| *weight) {
        Some((_, page, finding)) => Ok((Some(page), finding)),
        None => Ok((None, Finding::not_done(format!("{row}, {column}: not weighed at two depths")))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::memory::example::footprint;
    use crate::report::memory::parquet::{Measured, write};
    use crate::report::place::About;

    // footprint() has 8192 bytes of the optimiser's state and 4096 of parameters a layer beside its step.
    #[test]
    fn a_steps_peak_may_stay_where_all_of_training_grows() {
        let dir = tempfile::tempdir().unwrap();
        let all = [("BP", 2, 4 << 20), ("BP", 4, 8 << 20), ("SLL", 2, 4 << 20), ("SLL", 4, 4 << 20)];
        let rule = |row| if row == "BP" { "bp" } else { "sll" };
        let all = all.map(|(row, depth, step)| (row, footprint(rule(row), depth, step)));
        let measured = all.each_ref().map(|(row, found)| Measured { column: "width 1000", row, role: "point", found });
        write("figure2a", &measured, dir.path()).unwrap();
        let page = Page::read("figure2a".into(), dir.path().into(), About::default()).unwrap();
        let found = |row, part| flat(&[&page], "width 1000", row, part).unwrap().1;
        let peak = found("SLL", Part::StepPeak);
        assert_eq!((peak.verdict, found("BP", Part::StepPeak).verdict), (Verdict::Holds, Verdict::Fails));
        assert_eq!(peak.said, "SLL, step's peak: +0 bytes a layer, BP +2097152");
        assert_eq!(found("SLL", Part::Training).verdict, Verdict::Fails);
        assert_eq!(found("FA", Part::Training).verdict, Verdict::NotDone);
    }
}
