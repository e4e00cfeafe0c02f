//! A report as Markdown: the main table here, what stands under it in `details.rs`.

use super::grid::{Grid, escape};
use super::stats::{Aggregate, CellStats, aggregate_text, quoted_text};
use super::{Cell, Report, calibration, chosen, details, distinct, each_once, paired, representations, theorem};
use crate::atomic::write_atomically;
use crate::error::Result;
use crate::experiment::shown;
use crate::record::{Provenance, RunResult, each_maker};
use std::collections::HashSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// What somebody said who looked at the runs stands under this.
pub const READING: &str = "## Reading";

/// Writes `README.md` with `figures`, which lie beside it, and says where it is.
pub fn write(report: &Report, figures: &[PathBuf], dir: &Path) -> Result<PathBuf> {
    let path = dir.join("README.md");
    let shown = figures.iter().filter(|path| path.extension().is_some_and(|ending| ending == "svg"));
    let names: Vec<String> = shown.filter_map(|path| Some(path.file_name()?.to_string_lossy().into_owned())).collect();
    write_atomically(&path, render(report, &names).as_bytes())?;
    Ok(path)
}

/// The whole text.
pub fn render(report: &Report, figures: &[String]) -> String {
    let mut footnotes = Footnotes::default();
    let main = match (report.is_grid(), report.is_calibration()) {
        (true, _) => grids(report, &mut footnotes),
        (_, true) => calibration::main_table(report, |cell| text_of(cell, cell.ours(), &mut footnotes)).to_string(),
        _ => main_table(report, &mut footnotes).to_string(),
    };
    let mut text = format!("# {}\n\n{}\n\n{main}\n{}", escape(&report.title), origin(report), legend(report));
    footnotes.0.iter().enumerate().for_each(|(i, why)| {
        let _ = writeln!(text, "- {} {}", superscript(i + 1), escape(why));
    });
    figures.iter().for_each(|name| {
        let _ = writeln!(text, "\n![{}]({name})", name.trim_end_matches(".svg"));
    });
    let sections = [
        reading(report),
        chosen::section(report),
        paired::section(report),
        theorem::section(report),
        representations::section(report),
        details::runs(report),
        details::memory(report),
        if report.is_calibration() { calibration::sources(report) } else { details::quoted(report) },
    ];
    for section in sections.into_iter().flatten() {
        let _ = write!(text, "\n{section}");
    }
    if !report.notes.is_empty() {
        text.push_str("\n## Notes\n\n");
        report.notes.iter().for_each(|note| {
            let _ = writeln!(text, "- {}", note.replace('\n', " "));
        });
    }
    text
}

/// What somebody said who looked at these runs.
fn reading(report: &Report) -> Option<String> {
    let lines: String = report.reading.iter().map(|line| format!("- {}\n", line.replace('\n', " "))).collect();
    (!lines.is_empty()).then(|| format!("{READING}\n\n{lines}"))
}

/// One line: profile, machine, versions, command.
fn origin(report: &Report) -> String {
    let list = |name: &str, value: String| if value.is_empty() { String::new() } else { format!(" · {name} {value}") };
    // Who came after whom is in the Parquet file, run by run.
    let makers = |names: fn(&Provenance) -> &str| {
        let each = report.runs().flat_map(|run| each_maker(names(&run.provenance)));
        escape(&each_once(each.map(String::from)))
    };
    format!(
        "Profile {}{}{}{}{} · `{}`",
        escape(&report.profile),
        list("device", escape(&distinct(report.runs(), |run| run.provenance.device.to_string()))),
        list("on", makers(|provenance| &provenance.hardware)),
        list("harness", makers(|provenance| &provenance.harness)),
        list("with", escape(&distinct(report.runs(), |run| run.provenance.backend.clone()))),
        report.command
    )
}

fn main_table(report: &Report, footnotes: &mut Footnotes) -> Grid {
    let columns: Vec<&String> = report.columns.iter().map(|column| &column.label).collect();
    let rows: Vec<&String> = report.rows.iter().collect();
    // Rules go down the page; of a sweep its values do, for they are many.
    let down = report.is_sweep();
    let (axis, lines, groups) =
        if down { (&report.column_axis, columns, rows) } else { (&report.row_axis, rows, columns) };
    let cell = |line: usize, group: usize| if down { report.cell(group, line) } else { report.cell(line, group) };
    // A sub-column `quoted` stands where the paper has a number for at least one line.
    let quotes: Vec<bool> =
        (0..groups.len()).map(|group| (0..lines.len()).any(|line| cell(line, group).quoted.is_some())).collect();

    let mut header = vec![escape(axis)];
    for (label, quoted) in groups.iter().zip(&quotes) {
        header.push(format!("{}, run", escape(label)));
        header.extend(quoted.then(|| format!("{}, quoted", escape(label))));
    }
    let mut grid = Grid::new(header);
    for (index, label) in lines.iter().enumerate() {
        let mut line = vec![escape(label)];
        for (group, quoted) in quotes.iter().enumerate() {
            let cell = cell(index, group);
            line.push(run_text(cell, footnotes));
            line.extend(quoted.then(|| cell.quoted.as_ref().map_or("—".into(), |q| quoted_text(q.mean, q.std))));
        }
        grid.push(line);
    }
    grid
}

/// A table for each row: the first parameter's values down the page, the second's across.
fn grids(report: &Report, footnotes: &mut Footnotes) -> String {
    let [first, second] = report.swept.as_slice() else { return String::new() };
    let mut text = String::new();
    for (row, label) in report.rows.iter().enumerate() {
        let corner = format!("{}, {} \\ {}", escape(label), escape(&first.label), escape(&second.label));
        let mut grid = Grid::new([corner].into_iter().chain(second.values.iter().map(|value| escape(&shown(value)))));
        for (i, value) in first.values.iter().enumerate() {
            let cells = (0..second.values.len()).map(|j| report.cell(row, i * second.values.len() + j));
            let line = [escape(&shown(value))].into_iter().chain(cells.map(|cell| run_text(cell, footnotes)));
            grid.push(line.collect());
        }
        let _ = writeln!(text, "{grid}");
    }
    text
}

fn run_text(cell: &Cell, footnotes: &mut Footnotes) -> String {
    text_of(cell, CellStats::of(cell).accuracy, footnotes)
}

/// `accuracy` of a cell, with what there is to know of its runs.
fn text_of(cell: &Cell, accuracy: Option<Aggregate>, footnotes: &mut Footnotes) -> String {
    let stats = CellStats::of(cell);
    let unverified = if cell.runs.iter().all(|run| run.data.verified) { "" } else { "\\*" };
    let number = accuracy.map(|accuracy| format!("{}{unverified}", aggregate_text(accuracy, 2)));
    let diverged = (stats.diverged > 0).then(|| match &number {
        Some(_) => format!("diverged ({} of {})", stats.diverged, cell.runs.len()),
        None => format!("diverged ({} of {}){unverified}", stats.diverged, cell.runs.len()),
    });
    let parts: Vec<String> = number.into_iter().chain(diverged).collect();
    let text = if parts.is_empty() { "—".to_string() } else { parts.join(", ") };
    text + &cell.missing.as_deref().map_or(String::new(), |why| footnotes.mark(why))
}

/// What the signs of the main table mean; only those that it has.
fn legend(report: &Report) -> String {
    let mut lines = Vec::new();
    if report.runs().next().is_some() {
        let images = match distinct(report.runs(), |run| run.evaluated_on.clone()).as_str() {
            "test" => "the test images".to_string(),
            "validation" => "**validation images** held out of training, not on the test images".to_string(),
            other => format!("the images named in the next table ({})", escape(other)),
        };
        lines.push(format!(
            "run: percent right after the last epoch on {images}; mean ± sample standard deviation over n seeds."
        ));
    }
    if report.is_calibration() {
        lines.extend(calibration::legend());
    } else if report.cells.iter().any(|cell| cell.quoted.is_some()) {
        lines.push("quoted: as the paper prints it, in percent; it does not say over how many runs.".into());
    }
    if report.runs().any(|run| !run.data.verified) {
        let what = "nothing says that they are the official content, or of one's own what was described";
        lines.push(format!("\\* at least one run saw data that are **not verified**: {what}."));
    }
    if report.runs().any(|run| run.diverged_at_step.is_some()) {
        lines.push("diverged: the loss became infinite or not a number; such runs are counted and in no mean.".into());
    }
    // Cells may share a run.
    let mut seen = HashSet::new();
    let runs: Vec<&RunResult> = report.runs().filter(|run| seen.insert(&run.run_id)).collect();
    let earlier: Vec<&RunResult> = runs.iter().copied().filter(|run| run.numerics != run.spec.numerics()).collect();
    if !earlier.is_empty() {
        let versions = distinct(earlier.iter().copied(), |run| run.numerics.to_string());
        let now = distinct(earlier.iter().copied(), |run| run.spec.numerics().to_string());
        lines.push(format!(
            "{} runs were made under earlier numerics ({versions}; now {now}): the same spec gives other numbers now, \
             within the noise between seeds unless a note says more.",
            earlier.len()
        ));
        let changed = |run: &&RunResult| run.is_of_a_former_rule();
        let changed = distinct(earlier.iter().copied().filter(changed), |run| run.spec.rule.title());
        if !changed.is_empty() {
            lines.push(format!(
                "**{changed}**: the rule itself has changed since these runs (CHANGELOG.md). They say nothing of it as \
                 it is now."
            ));
        }
    }
    let dirty = runs.iter().filter(|run| run.provenance.is_dirty()).count();
    if dirty > 0 {
        lines.push(format!("{dirty} runs are of **uncommitted code**, which nobody can get."));
    }
    lines.iter().map(|line| format!("- {line}\n")).collect()
}

/// Reasons under the main table, each once.
#[derive(Default)]
struct Footnotes(Vec<String>);

impl Footnotes {
    fn mark(&mut self, why: &str) -> String {
        let index = self.0.iter().position(|known| known == why).unwrap_or_else(|| {
            self.0.push(why.to_string());
            self.0.len() - 1
        });
        superscript(index + 1)
    }
}

fn superscript(number: usize) -> String {
    const DIGITS: [char; 10] = ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'];
    number.to_string().bytes().map(|digit| DIGITS[usize::from(digit - b'0')]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::example;

    fn page(report: &Report) -> String {
        render(report, &["mnist.svg".into()])
    }

    fn has(text: &str, parts: &[&str]) {
        // Cells are padded; how far is no one's concern here.
        let text = text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect::<Vec<_>>();
        let text = text.join("\n");
        parts.iter().for_each(|part| assert!(text.contains(part), "no {part:?} in:\n{text}"));
    }

    #[test]
    fn the_main_table_says_run_quoted_unverified_diverged_and_missing() {
        has(
            &page(&example::table()),
            &[
                "# Accuracy of MLPs\n",
                "\n![mnist](mnist.svg)\n",
                "Profile quick · device flex · on A processor · harness 0.1.0 (abc1234) · with burn 0.22.1 · `harness \
                 reproduce table1`",
                "| rule | MNIST, run | MNIST, quoted | CIFAR-10, run | CIFAR-10, quoted |\n",
                "| BP | 98.13 ± 0.25 (n=3) | 99.25 ± 0.09 | 30.50 ± 0.71 (n=2)\\*, diverged (1 of 3) | 60.95 |\n",
                "| TP | —¹ | 97.96 ± 0.08 | —¹ | — |\n",
                "- ¹ TP is not implemented\n",
                "- \\* at least one run saw data that are **not verified**",
                "## Notes\n\n- Ten epochs, not a hundred.",
            ],
        );
    }

    #[test]
    fn two_parameters_have_a_table_for_each_row() {
        let text = page(&example::grid());
        let head = "| SLL, alignment \\ projection | fan_in | orthogonal |\n";
        has(&text, &[head, "| 0.5 | 92.00 (n=1) | 93.00 (n=1) |\n", "| 1.0 | — | 95.00 (n=1) |\n"]);
    }

    #[test]
    fn runs_of_earlier_numerics_and_of_uncommitted_code_are_counted() {
        let mut report = example::table();
        assert!(!page(&report).contains("numerics") && !page(&report).contains("uncommitted"));
        report.cells[0].runs[0].numerics = 2;
        report.cells[0].runs[1].provenance.harness = "0.1.0 (abc + uncommitted changes)".into();
        has(&page(&report), &["- 1 runs were made under earlier numerics (2;", "- 1 runs are of **uncommitted code**"]);
    }

    #[test]
    fn everybody_who_made_a_run_is_named_once() {
        let mut report = example::table();
        for (run, names) in report.cells[0].runs.iter_mut().zip(["1 (a)", "1 (b); before that 1 (a)"].iter().cycle()) {
            run.provenance.harness = names.to_string();
        }
        report.cells.iter_mut().skip(1).for_each(|cell| cell.runs.clear());
        has(&page(&report), &[" · harness 1 (a), 1 (b) · "]);
    }

    #[test]
    fn rules_that_changed_since_their_runs_are_named() {
        let mut report = example::table();
        report.cells[0].runs[0].numerics = 2;
        assert!(!page(&report).contains("the rule itself has changed"));
        report.cells[0].runs[0].spec.rule = toml::from_str("name = \"tff\"").unwrap();
        let now = report.cells[0].runs[0].spec.numerics();
        has(
            &page(&report),
            &[&format!("(2; now {now}"), "- **TFF**: the rule itself has changed since these runs (CHANGELOG.md)."],
        );
    }

    #[test]
    fn a_sweep_has_a_line_for_each_value_and_no_quoted_columns() {
        has(
            &page(&example::sweep()),
            &[
                "| projection size | BP, run | TP, run |\n",
                "| 10 | 91.50 ± 0.71 (n=2) | 86.50 ± 0.71 (n=2) |\n",
                "| 100 | 92.50 ± 0.71 (n=2) | — |\n",
            ],
        );
    }

    #[test]
    fn a_reading_stands_before_the_details_and_measured_layers_after_it() {
        let mut report = example::measured();
        assert!(!page(&report).contains("## Reading"));
        report.reading = vec!["SLL is below BP.".into(), "Two seeds.".into()];
        let text = page(&report);
        has(&text, &["## Reading\n\n- SLL is below BP.\n- Two seeds.\n"]);
        let place = |part: &str| text.find(part).unwrap_or_else(|| panic!("no {part} in:\n{text}"));
        assert!(place("## Reading") < place("## Theorem 1, measured"));
        assert!(place("## Theorem 1, measured") < place("## What was run"));
    }

    #[test]
    fn columns_that_are_no_numbers_stay_columns() {
        let mut report = example::sweep();
        report.columns.iter_mut().for_each(|column| column.values.clear());
        has(&page(&report), &["| rule | 1, run | 10, run |"]);
    }

    #[test]
    fn only_diverged_runs_give_no_number_and_an_empty_report_is_still_a_table() {
        let mut report = example::table();
        report.cells[0].runs = vec![example::diverged(0)];
        has(&page(&report), &["| BP | diverged (1 of 1) | 99.25 ± 0.09 |"]);
        report.cells.iter_mut().for_each(|cell| *cell = Cell::default());
        has(&page(&report), &["Profile quick · `harness reproduce table1`", "| BP | — | — |"]);
    }

    #[test]
    fn superscripts_have_every_digit() {
        assert_eq!(superscript(10), "¹⁰");
    }
}
