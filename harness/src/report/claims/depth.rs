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

/// Memory of `row` in the panel `column` does not grow with depth.
pub fn flat<'a>(pages: &[&'a Page], column: &str, row: &str, part: Part) -> Found<'a> {
    for page in pages {
        let Some(drawn) = redraw::figure(&page.experiment, &page.folder)? else { continue };
        let panel = drawn.figure.panels.iter().position(|panel| panel.label == column);
        let Some(lines) = panel.map(|index| &drawn.panels[index]) else { continue };
        let of = |label: &str| lines.iter().find(|line| line.label == label);
        let (Some(line), Some(bp)) = (of(row), of("BP")) else { continue };
        let slope = |line: &DepthLine| line.slope(|found| part.bytes(found));
        let verdict = match part {
            Part::StepPeak => line.is_flat(),
            Part::Training => line.is_level(|found| found.peak),
        };
        let (Some(verdict), Some(own), Some(other)) = (verdict, slope(line), slope(bp)) else { continue };
        let deepest = line.points.last().map_or(0, |(depth, _)| *depth);
        let finding = Finding {
            verdict: if verdict { Verdict::Holds } else { Verdict::Fails },
            said: format!("{row}, {}: {own:+.0} bytes a layer, BP {other:+.0}", part.title()),
            scale: page
                .scale(format!("{column}, up to {deepest} {}, batch {}", drawn.figure.depth, drawn.figure.batch)),
            source: None,
        };
        return Ok((Some(page), finding));
    }
    Ok((None, Finding::not_done(format!("{row}, {column}: not weighed at two depths"))))
}
