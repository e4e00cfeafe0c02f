//! A calibration as Markdown: each rule beside its authors' number, and where that number is from.

use super::grid::{Grid, escape};
use super::stats::quoted_text;
use super::{Cell, Report};
use crate::experiment::{Authors, Read, Theirs};
use crate::record::facts;

/// A line a row: ours, in the words of `ours`, theirs, and what they come to.
pub fn main_table(report: &Report, mut ours: impl FnMut(&Cell) -> String) -> Grid {
    let header = ["rule", "data", "network", "epochs, of theirs", "ours", "theirs", "difference", "verdict"];
    let mut grid = Grid::new(header);
    for (row, _, cell) in report.each() {
        let none = || "—".to_string();
        let (run, verdict) = (cell.runs.first(), cell.verdict());
        let whole = cell.authors.as_ref().and_then(Authors::epochs);
        grid.push(vec![
            escape(&report.rows[row]),
            run.map_or_else(none, |run| escape(&run.data.name)),
            run.map_or_else(none, |run| escape(&facts::in_words(&facts::network(&run.spec.network)))),
            run.map_or_else(none, |run| match whole {
                Some(whole) => format!("{} of {whole}", run.epochs),
                None => run.epochs.to_string(),
            }),
            ours(cell),
            cell.theirs().map_or_else(none, theirs_text),
            verdict.map_or_else(none, |verdict| format!("{:+.2}", verdict.difference)),
            verdict.map_or_else(none, |verdict| verdict.to_string()),
        ]);
    }
    grid
}

/// `98.01 ± 0.09 (n=10)`.
fn theirs_text(theirs: &Theirs) -> String {
    let n = theirs.n.map_or(String::new(), |n| format!(" (n={n})"));
    format!("{}{n}", quoted_text(theirs.mean, theirs.std))
}

/// What the signs of the main table mean.
pub fn legend() -> Vec<String> {
    vec![
        "theirs: the number of the rule's authors, or of their code, on this network, data and recipe, after as many \
         epochs as ours; where there is none after as many, after the whole of their recipe. Where it comes from \
         stands below. It is read from the last epoch, the best one or the mean of the last ten, and ours then is, too."
            .into(),
        "verdict: *within the spread* where ours and theirs differ by at most 2 √(s² + t²) of their deviations s and \
         t over seeds, and in any case where by at most 0.10 points, ten of 10,000 images. A deviation that is not \
         known is taken to be the other one. Differences are of means before they are rounded. A wide spread, of few \
         seeds or of a rule that varies much, tests little."
            .into(),
    ]
}

/// `Where the authors' numbers are from`; nothing if there is none.
pub fn sources(report: &Report) -> Option<String> {
    let header = ["rule", "after epochs", "theirs", "read from", "source", "what differs from theirs", "reading"];
    let mut grid = Grid::new(header);
    for (row, _, cell) in report.each() {
        let Some(authors) = &cell.authors else { continue };
        for (index, theirs) in authors.theirs.iter().enumerate() {
            let once = |text: Option<&String>| match (index, text) {
                (0, Some(text)) => text.replace('\n', " "),
                _ => "—".into(),
            };
            grid.push(vec![
                escape(&report.rows[row]),
                theirs.epochs.to_string(),
                theirs_text(theirs),
                read_text(theirs.read).into(),
                escape(&theirs.source),
                once(authors.differs.as_ref()),
                once(authors.reading.get(&report.variant)),
            ]);
        }
    }
    (!grid.is_empty()).then(|| format!("## Where the authors' numbers are from\n\n{grid}"))
}

fn read_text(read: Read) -> &'static str {
    match read {
        Read::Last => "the last epoch",
        Read::Best => "the best epoch",
        Read::LastTen => "the last ten epochs",
    }
}

#[cfg(test)]
mod tests {
    use crate::report::{example, markdown};

    #[test]
    fn a_page_has_ours_theirs_the_verdict_and_the_source() {
        let text = markdown::render(&example::calibration(), &[]);
        let lines: Vec<String> =
            text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
        for part in [
            "| rule | data | network | epochs, of theirs | ours | theirs | difference | verdict |",
            "| BP | mnist-sample | mlp-2x800, dropout 0.2 | 3 of 100 | 98.00 ± 0.14 (n=2) | 98.10 ± 0.10 (n=10) | \
             -0.10 | within the spread (0.35) |",
            "| SGR | — | — | — | —¹ | — | — | — |",
            "- ¹ no public code",
            "## Where the authors' numbers are from",
            "| BP | 100 | 98.63 | the best epoch | Table \\| 1 | another seed | two epochs are few |",
            "| BP | 3 | 98.10 ± 0.10 (n=10) | the last epoch | their code | — | — |",
        ] {
            assert!(lines.iter().any(|line| line == part), "no {part:?} in:\n{}", lines.join("\n"));
        }
        assert!(text.contains("- verdict:") && !text.contains("as the paper prints it"), "{text}");
    }
}
