//! What stands under a report's main table: what was run, its memory, and where quoted numbers are from.

use super::grid::{Grid, escape, grouped};
use super::stats::{CellStats, aggregate_text, quoted_text};
use super::{Cell, Report, distinct};
use crate::record::{RunResult, facts};
use crate::units::MIB;
use sll_core::memory::{ByCategory, StandingBytes};

/// Cells that have what `filter` asks for, with their row's and column's labels.
fn cells<'a>(
    report: &'a Report,
    filter: impl Fn(&Cell) -> bool + 'a,
) -> impl Iterator<Item = (Vec<String>, &'a Cell)> + 'a {
    let labels = |row: usize, column: usize| vec![escape(&report.rows[row]), escape(&report.columns[column].label)];
    report.each().filter(move |(.., cell)| filter(cell)).map(move |(row, column, cell)| (labels(row, column), cell))
}

fn labelled<'a>(report: &Report, header: impl IntoIterator<Item = &'a str>) -> Grid {
    let labels = [&report.row_axis, &report.column_axis].map(|axis| escape(axis));
    Grid::new(labels.into_iter().chain(header.into_iter().map(String::from)))
}

/// `What was run`; nothing if nothing was.
pub fn runs(report: &Report) -> Option<String> {
    let mut grid = labelled(
        report,
        [
            "n",
            "seeds",
            "epochs",
            "best epoch (optimistic)",
            "evaluated on",
            "network",
            "recipe",
            "parameters",
            "MACs per sample and step",
            "of BP's",
            "seconds per run",
            "data",
        ],
    );
    for (mut line, cell) in cells(report, |cell| !cell.runs.is_empty()) {
        let stats = CellStats::of(cell);
        let each = |name: &dyn Fn(&RunResult) -> String| escape(&distinct(&cell.runs, name));
        line.extend([
            stats.n().to_string(),
            each(&|run| run.spec.seed.to_string()),
            each(&|run| run.epochs.to_string()),
            stats.best.map_or("—".into(), |best| aggregate_text(best, 2)),
            each(&|run| format!("{} {}", run.data.test, run.evaluated_on)),
            each(&network),
            each(&recipe),
            each(&|run| grouped(run.parameters)),
            each(&|run| grouped(run.macs.total())),
            each(&|run| of_bp(run)),
            cell.aggregate(|run| run.seconds).map_or("—".into(), |seconds| aggregate_text(seconds, 1)),
            each(&data),
        ]);
        grid.push(line);
    }
    let about = "n counts the runs that did not diverge; seeds lists the diverged ones too. The best epoch is chosen \
                 on the same images that the accuracy is measured on, so it flatters. MACs are multiply-accumulates, \
                 counted from the network's shape, heads and projections and their way back included; the next column \
                 sets them against a step of BP on the same network. Seconds include evaluation, and are of a \
                 machine that may have done other work beside: results/bench compares times. Data are named with \
                 the first 12 hex digits of their SHA-256; every run's whole spec is in the Parquet file.";
    (!grid.is_empty()).then(|| format!("## What was run\n\n{grid}\n{about}\n"))
}

/// Work of a step against backpropagation's on the same network and data.
fn of_bp(run: &RunResult) -> String {
    run.bp_macs.map_or("—".into(), |bp| format!("{:.2}", run.macs.total() as f64 / bp as f64))
}

fn network(run: &RunResult) -> String {
    facts::in_words(&facts::network(&run.spec.network))
}

fn recipe(run: &RunResult) -> String {
    facts::in_words(&facts::recipe(&run.spec.recipe))
}

fn data(run: &RunResult) -> String {
    let digest: String = run.data.digest.chars().take(12).collect();
    format!("{} {digest}{}", run.data.name, if run.data.verified { "" } else { " unverified" })
}

/// `Memory`; nothing if nothing was run.
pub fn memory(report: &Report) -> Option<String> {
    let standing = StandingBytes::CATEGORIES;
    let titles = standing.iter().map(|category| category.title);
    let mut grid = labelled(report, ["n"].into_iter().chain(titles).chain(["step peak", "total"]));
    for (mut line, cell) in cells(report, |cell| cell.sound().next().is_some()) {
        let mib = |bytes: &dyn Fn(&RunResult) -> u64| {
            let mean = cell.aggregate(|run| bytes(run) as f64).map(|bytes| bytes.mean / MIB);
            mean.map_or("—".to_string(), |mib| format!("{mib:.2}"))
        };
        line.push(CellStats::of(cell).n().to_string());
        line.extend(standing.iter().map(|category| mib(&|run| category.of(run.peak_bytes.standing))));
        line.extend([mib(&|run| run.peak_bytes.step_peak), mib(&|run| run.peak_bytes.total)]);
        grid.push(line);
    }
    let definition = escape(&distinct(report.runs(), |run| run.provenance.memory_definition.clone()));
    (!grid.is_empty()).then(|| {
        format!(
            "## Peak memory of training, MiB\n\n{grid}\nMeans over n runs; exact bytes of every run are in the Parquet \
             file. Library is what the tensor library keeps between steps. Step peak is the most a training step holds \
             above all the others: the batch, activations, gradients, temporaries. What is counted: {}.\n",
            definition.trim_end_matches('.')
        )
    })
}

/// `Where quoted numbers are from`; nothing if nothing is quoted.
pub fn quoted(report: &Report) -> Option<String> {
    let mut grid = labelled(report, ["quoted", "network behind it", "caveat"]);
    for (mut line, cell) in cells(report, |cell| cell.quoted.is_some()) {
        let Some(quoted) = &cell.quoted else { continue };
        let caveat = quoted.note.as_deref().map_or("—".into(), escape);
        line.extend([quoted_text(quoted.mean, quoted.std), escape(&quoted.network), caveat]);
        grid.push(line);
    }
    (!grid.is_empty()).then(|| format!("## Where quoted numbers are from\n\n{grid}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::example;

    #[test]
    fn what_was_run_has_settings_cost_and_data() {
        let text = runs(&example::table()).unwrap();
        for part in [
            "best epoch (optimistic)",
            "98.63 ± 0.25 (n=3)",
            "0, 1, 2",
            "200 test",
            "mlp-2x800, dropout 0.2",
            "adamax, lr 0.001, batch 128, flip",
            "1 276 810",
            "3 214 400",
            "12.0 ± 0.0 (n=3)",
            "mnist-sample 0123456789ab |",
            "mnist-sample 0123456789ab unverified |",
        ] {
            assert!(text.contains(part), "no {part:?} in:\n{text}");
        }
    }

    #[test]
    fn memory_is_in_mib_with_what_is_counted() {
        let text = memory(&example::table()).unwrap();
        let words: Vec<&str> = text.lines().nth(4).unwrap().split('|').map(str::trim).collect();
        assert_eq!(words[1..10], ["BP", "MNIST", "3", "4.87", "9.74", "0.00", "0.50", "2.00", "17.11"]);
        assert!(text.contains("What is counted: bytes of live tensors."), "{text}");
    }

    #[test]
    fn quoted_numbers_name_their_network_escaped() {
        let mut report = example::table();
        report.cells[0].quoted.as_mut().unwrap().note = Some("copied".into());
        let text = quoted(&report).unwrap();
        assert!(text.contains("2x800 \\| MLP") && text.contains("| copied |"), "{text}");
        assert_eq!(text.lines().filter(|line| line.starts_with("| ")).count(), 4);
    }

    #[test]
    fn sections_without_content_are_left_out() {
        let mut report = example::table();
        report.cells.iter_mut().for_each(|cell| *cell = Cell::default());
        assert_eq!((runs(&report), memory(&report), quoted(&report)), (None, None, None));
    }
}
