//! Claims about memory against depth, from the measurements of a figure.

use super::finding::{Finding, Found, Page, Verdict};
use crate::report::memory::redraw;

/// The step's peak of `row` in the panel `column` does not grow with depth.
pub fn flat<'a>(pages: &[&'a Page], column: &str, row: &str) -> Found<'a> {
    for page in pages {
        let Some(drawn) = redraw::figure(&page.experiment, &page.folder)? else { continue };
        let panel = drawn.figure.panels.iter().position(|panel| panel.label == column);
        let Some(lines) = panel.map(|index| &drawn.panels[index]) else { continue };
        let of = |label: &str| lines.iter().find(|line| line.label == label);
        let (Some(line), Some(bp)) = (of(row), of("BP")) else { continue };
        let slope = |line: &crate::experiment::memory::figure::DepthLine| line.slope(|found| found.bytes.step_peak());
        let (Some(verdict), Some(own), Some(other)) = (line.is_flat(), slope(line), slope(bp)) else { continue };
        let deepest = line.points.last().map_or(0, |(depth, _)| *depth);
        let finding = Finding {
            verdict: if verdict { Verdict::Holds } else { Verdict::Fails },
            said: format!("{row} {own:+.0} bytes a layer, BP {other:+.0}"),
            scale: format!("{column}, up to {deepest} {}, batch {}", drawn.figure.depth, drawn.figure.batch),
            source: None,
        };
        return Ok((Some(page), finding));
    }
    Ok((None, Finding::not_done(format!("{row}, {column}: not weighed at two depths"))))
}
