//! A memory table as Markdown.

use super::text::{definitions, mib, notes, origin, percent};
use crate::atomic::write_atomically;
use crate::error::Result;
use crate::experiment::memory::cell::MemoryCell;
use crate::experiment::memory::table::{FilledColumn, TableData};
use crate::experiment::memory::{MemoryColumn, MemoryRow, quoted};
use crate::paper::QuotedMemory;
use crate::record::Footprint;
use crate::report::grid::{Grid, escape, grouped};
use crate::units::{GIB, MIB};
use sll_core::memory::{ByCategory, MemoryUse, StandingBytes};
use std::path::{Path, PathBuf};

/// The rule that runs segments again.
const CHECKPOINTED: &str = "bp-checkpoint";

/// Writes `README.md` and says where it is.
pub fn write(report: &TableData, dir: &Path) -> Result<PathBuf> {
    let path = dir.join("README.md");
    write_atomically(&path, render(report).as_bytes())?;
    Ok(path)
}

/// The whole text.
pub fn render(report: &TableData) -> String {
    let table = &report.table;
    let found: Vec<&Footprint> = report.each().map(|(.., found)| found).collect();
    let mut text = format!("# {}\n\n{}\n", escape(&table.title), origin(&found, &report.command));
    for (column, filled) in table.columns.iter().zip(&report.columns) {
        let size = escape(&column.sizes[filled.chosen].label);
        let name = escape(&column.label);
        text += &format!("\n## {name}: {size}\n\n{}", main(&table.rows, column, filled));
        if column.sizes.len() > 1 {
            text += &format!("\n### Which size: {name}\n\n{}", sizes(&table.rows[0], column, filled));
        }
        text += &format!("\n### What it is made of, MiB: {name}\n\n{}", parts(&table.rows, filled));
        text += &format!("\n### The law in the batch, and work: {name}\n\n{}", laws(&table.rows, column, filled));
    }
    text += &format!("\n## What the numbers are\n\n{}{}", how(report), definitions(&found));
    text + &notes(&table.notes)
}

fn how(report: &TableData) -> String {
    format!(
        "- **GiB** is 2^30 bytes, **GB** 10^9. The paper says GB and not which; both are printed. Reductions do not \
         depend on it.\n\
         - **measured** is at the real batch. **extrapolated** is by the law `bytes = a + b batch` through the first \
         two small batches, where the real one was predicted above {:.1} GiB or was not asked for; the law is checked \
         on a third batch, and wherever the real one was measured. A peak is the largest of several such laws, and \
         long matrices come in larger chunks beyond some size: far from its batches the law is an approximation, a few \
         percent off at these sizes and tens where a network is small.\n\
         - **Units alone**: no implementation that keeps one unit's activations can save more of what BP's layers keep \
         than 1 − largest unit / all of them. A quoted reduction above it needs something more, such as running a unit \
         again in place of keeping it, or fewer parameters, or another implementation of BP.\n\
         - **Less than BP, checkpointed**: BP that keeps segments' inputs and runs segments again, for one more \
         forward pass. It needs no local rule, and is what a saving has to be set against where time may be spent.\n",
        report.limit as f64 / GIB
    )
}

fn main(rows: &[MemoryRow], column: &MemoryColumn, filled: &FilledColumn) -> Grid {
    let mut grid = Grid::new([
        "rule",
        "GiB",
        "GB",
        "how",
        "less than BP",
        "of the step's peak alone",
        "less than BP, checkpointed",
        "units alone",
        "quoted GB",
        "quoted, less than BP",
        "at least that",
    ]);
    let quoted_bp = quoted(column, &rows[0]).map(|quoted| quoted.gb);
    let checkpointed =
        rows.iter().position(|row| row.rule.get("name").and_then(|name| name.as_str()) == Some(CHECKPOINTED));
    for (index, (row, cell)) in rows.iter().zip(&filled.cells).enumerate() {
        let Some(value) = cell.value() else {
            let mut line = vec![escape(&row.label), "—".into(), "—".into(), why(cell)];
            line.resize(11, "—".into());
            grid.push(line);
            continue;
        };
        let bytes = value.bytes.total() as f64;
        let of = |base: usize, part: fn(&MemoryUse) -> u64| filled.reduction((index, base), |value| part(&value.bytes));
        let (total, step) = (of(0, MemoryUse::total), of(0, MemoryUse::step_peak));
        let against = checkpointed.and_then(|base| of(base, MemoryUse::total));
        let quoted = quoted(column, row);
        let unsigned = |value: Option<f64>| value.map_or("—".to_string(), |value| format!("{value:.2} %"));
        grid.push(vec![
            escape(&row.label),
            format!("{:.2}", bytes / GIB),
            format!("{:.2}", bytes / 1e9),
            if value.measured { "measured" } else { "extrapolated" }.into(),
            unsigned(total),
            unsigned(step),
            against.map_or("—".into(), |value| format!("{value:.2} %")),
            unsigned(cell.units_alone),
            quoted.map_or("—".into(), |quoted| format!("{:.2}", quoted.gb)),
            quoted.map_or("—".into(), |quoted| quoted_reduction(quoted, quoted_bp)),
            verdict(total, quoted, quoted_bp) + aided(row, total, quoted),
        ]);
    }
    grid
}

fn why(cell: &MemoryCell) -> String {
    cell.missing.as_deref().map_or("not measured yet".into(), escape)
}

/// What helps a row whose units run again.
fn aided(row: &MemoryRow, ours: Option<f64>, quoted: Option<QuotedMemory>) -> &'static str {
    let again = row.rule.get("recompute").is_some_and(|value| *value != toml::Value::Boolean(false));
    let reached = ours.zip(quoted.and_then(|quoted| quoted.reduction)).is_some_and(|(ours, quoted)| ours >= quoted);
    if again && reached { ", by running units again" } else { "" }
}

/// The printed reduction, and the one that the printed gigabytes give where it is another.
fn quoted_reduction(quoted: QuotedMemory, bp: Option<f64>) -> String {
    let Some(printed) = quoted.reduction else { return "—".into() };
    match of_gigabytes(quoted, bp).filter(|own| (own - printed).abs() > 0.1) {
        Some(own) => format!("{printed:.2} % printed; {own:.2} % by its gigabytes"),
        None => format!("{printed:.2} %"),
    }
}

fn of_gigabytes(quoted: QuotedMemory, bp: Option<f64>) -> Option<f64> {
    bp.map(|bp| 100.0 * (1.0 - quoted.gb / bp))
}

/// Whether ours is at least the quoted one, both of them where the paper has two.
fn verdict(ours: Option<f64>, quoted: Option<QuotedMemory>, bp: Option<f64>) -> String {
    let (Some(ours), Some(quoted)) = (ours, quoted) else { return "—".into() };
    let Some(printed) = quoted.reduction else { return "—".into() };
    let own = of_gigabytes(quoted, bp).unwrap_or(printed);
    match (ours >= printed, ours >= own) {
        (true, _) => "yes".into(),
        (false, true) => "than by its gigabytes: yes; than printed: no".into(),
        (false, false) => format!("no, {:.2} points less", printed - ours),
    }
}

fn sizes(first: &MemoryRow, column: &MemoryColumn, filled: &FilledColumn) -> String {
    let mut grid = Grid::new(["size", "BP, GiB", "GB", "of the quoted, as GiB", "as GB", "stands"]);
    let quoted = quoted(column, first).map(|quoted| quoted.gb);
    for (index, (size, bytes)) in column.sizes.iter().zip(&filled.candidates).enumerate() {
        let Some(bytes) = *bytes else { continue };
        let ratio = |unit: f64| quoted.map_or("—".into(), |gb| format!("{:.2}", bytes / unit / gb));
        grid.push(vec![
            escape(&size.label),
            format!("{:.2}", bytes / GIB),
            format!("{:.2}", bytes / 1e9),
            ratio(GIB),
            ratio(1e9),
            if index == filled.chosen { "yes" } else { "" }.into(),
        ]);
    }
    let quoted = quoted.map_or("nothing".into(), |gb| format!("{gb} GB"));
    format!(
        "{grid}\nThe paper's text leaves the size open and quotes {quoted} for BP. The size whose BP comes nearest \
         stands, by the law through batches {} and {}.\n",
        column.probes[0], column.probes[1]
    )
}

fn parts(rows: &[MemoryRow], filled: &FilledColumn) -> Grid {
    let names = MemoryUse::default().parts().into_iter().map(|(name, _)| name);
    let mut grid =
        Grid::new(["rule".to_string()].into_iter().chain(names).chain(["step's peak".into(), "total".into()]));
    for (row, cell) in rows.iter().zip(&filled.cells) {
        let Some(value) = cell.value() else { continue };
        let mut line = vec![escape(&row.label)];
        // What a step's peak is made of was seen where it was measured, and has no law.
        let standing = StandingBytes::CATEGORIES.len();
        let seen = |(index, (_, bytes)): (usize, (String, u64))| {
            if value.measured || index < standing { mib(bytes) } else { "—".into() }
        };
        line.extend(value.bytes.parts().into_iter().enumerate().map(seen));
        line.extend([mib(value.bytes.step_peak()), mib(value.bytes.total())]);
        grid.push(line);
    }
    grid
}

fn laws(rows: &[MemoryRow], column: &MemoryColumn, filled: &FilledColumn) -> Grid {
    let [_, _, third] = column.probes;
    let mut grid = Grid::new([
        "rule".to_string(),
        "a, MiB".into(),
        "b, MiB a sample".into(),
        format!("law off at batch {third}"),
        "law off at the real batch".into(),
        "theory off, step's peak".into(),
        "MACs per sample and step".into(),
        "counted".into(),
        "seconds a sample".into(),
        "process's peak RSS, MiB (at batch)".into(),
    ]);
    for (row, cell) in rows.iter().zip(&filled.cells) {
        let (Some(law), Some(found)) = (cell.law(), cell.representative()) else { continue };
        let off = |value: Option<f64>| value.map_or("—".to_string(), percent);
        let [third, real] = cell.deviations().map(off);
        let batch = found.spec.batch;
        grid.push(vec![
            escape(&row.label),
            format!("{:.2}", law.a / MIB),
            format!("{:.3}", law.b / MIB),
            third,
            real,
            off(cell.theory_off()),
            grouped(found.macs.total()),
            grouped(found.macs_counted),
            format!("{:.3}", found.seconds_per_step / batch as f64),
            found.peak_rss.map_or("—".into(), |rss| format!("{} ({batch})", mib(rss))),
        ]);
    }
    grid
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::memory::table::tests::report;

    #[test]
    fn the_text_has_both_units_how_it_was_made_and_the_papers_two_reductions() {
        let text = render(&report(false));
        for part in [
            "## CIFAR-10: large",
            "| BP     | 3.13 | 3.36 | extrapolated",
            "64.10 % printed; 61.31 % by its gigabytes",
            "no, 4.1",
            "Which size: CIFAR-10",
            "quotes 3.05 GB",
            "| 33.33 %",
            "+0.00 %",
            "`harness footprint table3`",
        ] {
            assert!(text.contains(part), "no {part:?} in:\n{text}");
        }
        assert!(render(&report(true)).contains("| 3.13 | 3.36 | measured"));
    }

    #[test]
    fn a_reduction_is_set_against_the_quoted_one() {
        let quoted = Some(QuotedMemory { gb: 1.18, reduction: Some(64.1) });
        let bp = Some(3.05);
        assert_eq!(verdict(Some(65.0), quoted, bp), "yes");
        assert_eq!(verdict(Some(62.0), quoted, bp), "than by its gigabytes: yes; than printed: no");
        assert_eq!(verdict(Some(60.0), quoted, bp), "no, 4.10 points less");
        assert_eq!(verdict(Some(60.0), None, bp), "—");
        let exact = QuotedMemory { gb: 5.43, reduction: Some(75.45) };
        assert_eq!(quoted_reduction(exact, Some(22.12)), "75.45 %");
    }

    #[test]
    fn a_row_that_runs_units_again_says_so_where_it_reaches_the_quoted() {
        let row = |rule: &str| MemoryRow {
            label: "x".into(),
            rule: rule.parse().unwrap(),
            quoted: None,
            layers_per_unit: None,
            flat: false,
        };
        let quoted = Some(QuotedMemory { gb: 1.18, reduction: Some(64.1) });
        let again = row("name = \"sll\"\nunits = 3\nrecompute = true");
        assert_eq!(aided(&again, Some(70.0), quoted), ", by running units again");
        assert_eq!((aided(&again, Some(60.0), quoted), aided(&row("name = \"bp\""), Some(70.0), quoted)), ("", ""));
    }
}
