//! Claims and what was found as Markdown.

use super::claim::Claim;
use super::finding::{Finding, Verdict};
use crate::report::grid::{Grid, escape};
use std::fmt::Write as _;

impl Verdict {
    pub(super) fn text(self) -> &'static str {
        match self {
            Verdict::Fails => "fails",
            Verdict::Holds => "holds",
            Verdict::Open => "open",
            Verdict::NotDone => "not done",
        }
    }
}

/// What several pieces of evidence come to: one word where they agree, else how many of each.
fn together(found: &[Finding]) -> String {
    let all = [Verdict::Holds, Verdict::Fails, Verdict::Open, Verdict::NotDone];
    let count = |verdict: Verdict| found.iter().filter(|finding| finding.verdict == verdict).count();
    let counted: Vec<(Verdict, usize)> = all.into_iter().map(|v| (v, count(v))).filter(|(_, n)| *n > 0).collect();
    match counted.as_slice() {
        [(verdict, _)] => verdict.text().to_string(),
        several => several.iter().map(|(v, n)| format!("{} {n}", v.text())).collect::<Vec<_>>().join(", "),
    }
}

/// The whole page.
pub fn render(judged: &[(Claim, Vec<Finding>)]) -> String {
    let mut all = Grid::new(["claim", "where", "verdict"]);
    for (index, (claim, found)) in judged.iter().enumerate() {
        let name = format!("[{}. {}](#claim-{})", index + 1, escape(&claim.claim), index + 1);
        all.push(vec![name, escape(&claim.place), together(found)]);
    }
    let mut text = format!(
        "# The paper's claims, and what we measured\n\nWritten by `harness results` from the Parquet files below; the \
         claims and what would decide each are in `harness/claims.toml`. *Holds* and *fails* are said of accuracies, \
         and of what layers represent, where the whole 95 % interval (Student's t over seeds) lies on one side of the \
         bound; of several comparisons that all have to hold, one below it fails by the interval that has 95 % for \
         all of them together (Bonferroni). *Open* is where the interval does not, or where there are too few seeds; \
         *not done* where there is no number. Bytes and operations are counted once, exactly; an assumption of a \
         theorem has to hold in every measurement; times go by quartiles. A line is one comparison by itself: the \
         tests on its page are adjusted for all rows there (Holm), and may not tell apart what holds or fails here. A \
         verdict is of the scale that stands beside it: fewer epochs or a narrower network than the paper's decide \
         nothing about the paper's own.\n\n{all}\n"
    );
    for (index, (claim, found)) in judged.iter().enumerate() {
        let (number, title) = (index + 1, escape(&claim.claim));
        let _ = write!(
            text,
            "\n## Claim {number}\n\n**{title}.**\n\n> {}\n\n{}. Verdict: **{}**.\n\n",
            escape(&claim.quote),
            escape(&claim.place),
            together(found)
        );
        let mut grid = Grid::new(["verdict", "ours", "scale", "where", "command"]);
        for finding in found {
            let (page, command) = finding.source.as_ref().map_or(("—".into(), "—".into()), |(folder, command)| {
                (format!("[{folder}]({folder}/README.md)"), format!("`{command}`"))
            });
            let scale = if finding.scale.is_empty() { "—".into() } else { escape(&finding.scale) };
            grid.push(vec![finding.verdict.text().into(), escape(&finding.said), scale, page, command]);
        }
        let _ = write!(text, "{grid}");
        if !claim.note.is_empty() {
            let _ = write!(text, "\n{}\n", claim.note.trim());
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(verdict: Verdict) -> Finding {
        let source = Some(("table1/paper-cuda".into(), "harness table table1".into()));
        Finding { verdict, said: "SLL 60.2".into(), scale: "100 epochs".into(), source }
    }

    #[test]
    fn a_page_has_every_claim_with_its_words_its_numbers_and_its_command() {
        let claim = Claim {
            claim: "SLL reaches BP".into(),
            quote: "even surpasses | BP".into(),
            place: "section 5.1".into(),
            note: "One note.".into(),
            evidence: vec![],
        };
        let found = vec![finding(Verdict::Holds), finding(Verdict::Fails), Finding::not_done("no runs".into())];
        let text = render(&[(claim, found)]);
        for part in [
            "holds 1, fails 1, not done 1",
            "> even surpasses \\| BP",
            "(table1/paper-cuda/README.md)",
            "`harness table table1`",
            "| not done | no runs",
            "One note.",
        ] {
            assert!(text.contains(part), "no {part:?} in:\n{text}");
        }
        assert_eq!(together(&[finding(Verdict::Open), finding(Verdict::Open)]), "open");
    }
}
