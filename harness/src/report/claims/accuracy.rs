//! Claims about accuracy, from the runs of a table or sweep.

use super::finding::{
    Finding, Found, MIN_PAIRS, Page, Verdict, interval, judge, judge_one_of, scale_of, trained_on, weight,
};
use crate::record::RunResult;
use crate::report::grid::grouped;
use crate::report::paired::pairs;
use crate::report::parquet::LabelledRun;
use crate::report::stats::mean;
use std::collections::BTreeSet;

/// Rows beside one more than which only those above it are listed.
const MANY: usize = 15;

/// Two sets of runs of one page, seed by seed.
struct Compared<'a> {
    page: &'a Page,
    pairs: Vec<(RunResult, RunResult)>,
}

impl Compared<'_> {
    /// In points.
    fn differences(&self) -> Vec<f64> {
        self.pairs.iter().map(|(a, b)| accuracy(a) - accuracy(b)).collect()
    }

    fn means(&self) -> [f64; 2] {
        let of = |values: Vec<f64>| mean(&values).unwrap_or(f64::NAN);
        let (a, b) = self.pairs.iter().map(|(a, b)| (accuracy(a), accuracy(b))).unzip();
        [of(a), of(b)]
    }

    fn epochs(&self) -> usize {
        self.pairs[0].0.epochs
    }

    fn scale(&self) -> String {
        scale_of(&self.pairs.iter().flat_map(|(a, b)| [a, b]).collect::<Vec<_>>())
    }
}

fn accuracy(run: &RunResult) -> f64 {
    run.test_accuracy.unwrap_or(f64::NAN)
}

/// The runs of pages that did not diverge.
struct Runs<'a> {
    /// Of rules as they are now.
    now: Vec<(&'a Page, Vec<&'a LabelledRun>)>,
    /// Of rules that have changed since, which nothing is judged by.
    former: Vec<(&'a Page, &'a LabelledRun)>,
}

impl<'a> Runs<'a> {
    fn of(pages: &[&'a Page]) -> Self {
        let (mut now, mut former) = (Vec::new(), Vec::new());
        for page in pages {
            let sound = page.runs.iter().filter(|run| run.run.test_accuracy.is_some());
            let (changed, same): (Vec<_>, Vec<_>) = sound.partition(|run| run.run.is_of_a_former_rule());
            former.extend(changed.into_iter().map(|run| (*page, run)));
            now.push((*page, same));
        }
        Self { now, former }
    }

    /// What there is of former rules among the runs that `accepts` takes, behind a sentence that misses them.
    fn left_out(&self, accepts: impl Fn(&Page, &LabelledRun) -> bool) -> String {
        let left_out = self.former.iter().filter(|(page, run)| accepts(page, run));
        let titles: BTreeSet<String> = left_out.clone().map(|(_, run)| run.run.spec.rule.title()).collect();
        match left_out.count() {
            0 => String::new(),
            n => format!(" ({n} of {} as it was before it changed)", titles.into_iter().collect::<Vec<_>>().join(", ")),
        }
    }
}

/// Of every page the pairs of runs of one seed, data set and number of epochs, of which `left` and `right` accept one
/// each: of pages with [`MIN_PAIRS`] pairs, or of all where none has, the one trained on the most images, and of those
/// the one with the most pairs.
fn best<'a>(
    found: &[(&'a Page, Vec<&'a LabelledRun>)],
    left: &dyn Fn(&LabelledRun) -> bool,
    right: &dyn Fn(&LabelledRun) -> bool,
) -> Option<Compared<'a>> {
    let compared = found.iter().map(|(page, runs)| {
        let of = |accepts: &dyn Fn(&LabelledRun) -> bool| {
            runs.iter().filter(|run| accepts(run)).map(|run| &run.run).collect::<Vec<_>>()
        };
        let pairs = pairs(of(left).into_iter(), of(right).into_iter());
        Compared { page, pairs: pairs.into_iter().map(|(a, b)| (a.clone(), b.clone())).collect() }
    });
    let most = |compared: &Compared| weight(compared.pairs.len(), &compared.pairs[0].0);
    compared.filter(|compared| !compared.pairs.is_empty()).max_by_key(most)
}

/// `row` at least `at_least` points above `against`.
pub fn above<'a>(pages: &[&'a Page], column: &str, [row, against]: [&str; 2], at_least: f64) -> Found<'a> {
    let of = |label: &str, run: &LabelledRun| run.row == label && run.is_of(column);
    let runs = Runs::of(pages);
    let Some(best) = best(&runs.now, &|run| of(row, run), &|run| of(against, run)) else {
        let left_out = runs.left_out(|_, run| of(row, run) || of(against, run));
        let said = format!("{row} and {against} on {column}: no two runs of one seed{left_out}");
        return Ok((None, Finding::not_done(said)));
    };
    let ([a, b], differences) = (best.means(), best.differences());
    let asked = if at_least == 0.0 { String::new() } else { format!("; asked: {at_least:+.1}") };
    let said = format!("{row} {a:.2}, {against} {b:.2}: {}{asked}", interval(&differences));
    let verdict = judge(&differences, at_least);
    Ok((Some(best.page), Finding { verdict, said, scale: best.scale(), source: None }))
}

/// A training step of `row` takes fewer multiply-accumulates a sample than one of `against`.
pub fn fewer<'a>(pages: &[&'a Page], column: &str, [row, against]: [&str; 2]) -> Found<'a> {
    let of = |label: &str, run: &LabelledRun| run.row == label && run.is_of(column);
    let runs = Runs::of(pages);
    let Some(best) = best(&runs.now, &|run| of(row, run), &|run| of(against, run)) else {
        return Ok((None, Finding::not_done(format!("{row} and {against} on {column}: no two runs of one seed"))));
    };
    let [own, other] = [&best.pairs[0].0, &best.pairs[0].1].map(|run| run.macs.total());
    let said = format!(
        "{row} {} MACs per sample and step, {against} {}: {:.2} of it",
        grouped(own),
        grouped(other),
        own as f64 / other as f64
    );
    let verdict = if own < other { Verdict::Holds } else { Verdict::Fails };
    Ok((Some(best.page), Finding { verdict, said, scale: best.scale(), source: None }))
}

/// `row` above every other of `rows` in its column, which one below fails by the interval of all together. The page
/// where most others have [`MIN_PAIRS`] pairs with `row` decides, so that all stand at one scale; of equals, the one
/// trained on the most images. Who has no runs there leaves it open.
pub fn above_all<'a>(pages: &[&'a Page], column: &str, row: &str, rows: &[String]) -> Found<'a> {
    let runs = Runs::of(pages);
    let of = |label: &str, run: &LabelledRun| run.row == label && run.is_of(column);
    let others: Vec<&String> = rows.iter().filter(|label| *label != row).collect();
    let parts = runs.now.iter().map(|page| -> Vec<(&String, Compared)> {
        let compared = |other: &&String| best(std::slice::from_ref(page), &|run| of(row, run), &|run| of(other, run));
        others.iter().filter_map(|other| Some((*other, compared(other)?))).collect()
    });
    let most = |parts: &Vec<(&String, Compared)>| {
        let enough = parts.iter().filter(|(_, compared)| compared.pairs.len() >= MIN_PAIRS).count();
        let trained_on = parts.iter().map(|(_, compared)| trained_on(&compared.pairs[0].0)).max();
        (enough, trained_on, parts.iter().map(|(_, compared)| compared.pairs.len()).sum::<usize>())
    };
    let parts = parts.max_by_key(most).unwrap_or_default();
    let Some((_, first)) = parts.iter().max_by_key(|(_, compared)| compared.pairs.len()) else {
        let left_out = runs.left_out(|_, run| of(row, run) || others.iter().any(|other| of(other, run)));
        let said = format!("{row} beside others on {column}: no two runs of one seed{left_out}");
        return Ok((None, Finding::not_done(said)));
    };
    let (mut list, mut verdicts) = (Vec::new(), Vec::new());
    for (label, compared) in &parts {
        let epochs = compared.epochs();
        let after = if epochs == first.epochs() { String::new() } else { format!(" after {epochs} epochs") };
        let differences = compared.differences();
        if parts.len() <= MANY || mean(&differences).is_some_and(|mean| mean < 0.0) {
            list.push(format!("{label} {}{after}", interval(&differences)));
        }
        verdicts.push(judge_one_of(&differences, 0.0, parts.len()));
    }
    let is_lacking = |other: &&&String| parts.iter().all(|(label, _)| label != *other);
    let lacking: Vec<String> = others
        .iter()
        .filter(is_lacking)
        .map(|other| format!("{other}{}", runs.left_out(|page, run| std::ptr::eq(page, first.page) && of(other, run))))
        .collect();
    verdicts.extend(lacking.iter().map(|_| Verdict::Open));
    let verdict = Verdict::of_all(&verdicts);
    let lacking = if lacking.is_empty() { String::new() } else { format!("; no runs there of {}", lacking.join(", ")) };
    let above = match list.len() {
        shown if shown < parts.len() => format!(" is above {} of {} in the mean", parts.len() - shown, parts.len()),
        _ => String::new(),
    };
    let list = if list.is_empty() { String::new() } else { format!(", less: {}", list.join("; ")) };
    let said = format!("{row} {:.2}{above}{list}{lacking}", first.means()[0]);
    Ok((Some(first.page), Finding { verdict, said, scale: first.scale(), source: None }))
}

/// From the swept value `from` to `to` the accuracy of `row` rises by at least `at_least` points.
pub fn rises<'a>(pages: &[&'a Page], row: &str, [from, to]: [f64; 2], at_least: f64) -> Found<'a> {
    let of = |value: f64, run: &LabelledRun| run.row == row && run.value == Some(value);
    let Some(best) = best(&Runs::of(pages).now, &|run| of(to, run), &|run| of(from, run)) else {
        return Ok((None, Finding::not_done(format!("{row} at {from} and {to}: no two runs of one seed"))));
    };
    let ([a, b], differences) = (best.means(), best.differences());
    let said = format!("{row} at {to} {a:.2}, at {from} {b:.2}: {}; asked: {at_least:+.1}", interval(&differences));
    let verdict = judge(&differences, at_least);
    Ok((Some(best.page), Finding { verdict, said, scale: best.scale(), source: None }))
}

/// From the swept value `over` to `to` the accuracy of `row` rises by less than from `from` to `over`, both for a value
/// twice as large, seed by seed, on one page: of those with [`MIN_PAIRS`] seeds, or of all where none has, the one
/// trained on the most images.
pub fn slows<'a>(pages: &[&'a Page], row: &str, [from, over, to]: [f64; 3]) -> Found<'a> {
    let of = |value: f64, run: &LabelledRun| run.row == row && run.value == Some(value);
    let runs = Runs::of(pages);
    let on_each = runs.now.iter().filter_map(|page| {
        let page = std::slice::from_ref(page);
        let rise = |low: f64, high: f64| best(page, &|run| of(high, run), &|run| of(low, run));
        let (first, second) = (rise(from, over)?, rise(over, to)?);
        let later = |run: &RunResult| second.pairs.iter().find(|(_, low)| low.run_id == run.run_id);
        let three = first.pairs.into_iter().filter_map(|(middle, low)| {
            let (high, _) = later(&middle)?;
            Some([low, middle, high.clone()])
        });
        let three: Vec<[RunResult; 3]> = three.collect();
        (!three.is_empty()).then_some((second.page, three))
    });
    let most = |(_, three): &(&Page, Vec<[RunResult; 3]>)| weight(three.len(), &three[0][2]);
    let Some((page, three)) = on_each.max_by_key(most) else {
        let said = format!("{row} at {from}, {over} and {to}: no three runs of one seed");
        return Ok((None, Finding::not_done(said)));
    };
    let rises = three.iter().map(|three| {
        let [low, middle, high] = three.each_ref().map(accuracy);
        [(middle - low) / (over / from).log2(), (high - middle) / (to / over).log2()]
    });
    let rises: Vec<[f64; 2]> = rises.collect();
    let of_each = |index: usize| mean(&rises.iter().map(|rise| rise[index]).collect::<Vec<_>>()).unwrap_or(f64::NAN);
    let less: Vec<f64> = rises.iter().map(|[first, second]| first - second).collect();
    let said = format!(
        "{row} per doubling: from {from} to {over} {:+.2}, from {over} to {to} {:+.2}, less by {}; asked: less",
        of_each(0),
        of_each(1),
        interval(&less)
    );
    let scale = scale_of(&three.iter().flatten().collect::<Vec<_>>());
    Ok((Some(page), Finding { verdict: judge(&less, 0.0), said, scale, source: None }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::PlannedColumn;
    use crate::report::place::About;
    use crate::report::{Cell, Report, example, parquet};
    use std::path::Path;

    fn page(folder: &Path, name: &str, report: &Report) -> Page {
        let folder = folder.join(name);
        std::fs::create_dir(&folder).unwrap();
        parquet::write(report, &folder).unwrap();
        Page::read("table1".into(), folder, About::default()).unwrap()
    }

    fn table(bp: &[f64], tp: &[f64]) -> Report {
        let cell = |accuracies: &[f64]| Cell {
            runs: accuracies.iter().enumerate().map(|(seed, a)| example::run(seed as u64, *a)).collect(),
            ..Cell::default()
        };
        let mut report = example::table();
        (report.cells[0], report.cells[2]) = (cell(bp), cell(tp));
        report
    }

    #[test]
    fn a_whole_interval_decides_and_one_seed_does_not() {
        let dir = tempfile::tempdir().unwrap();
        let few = page(dir.path(), "few", &table(&[98.0], &[97.0]));
        let many = page(dir.path(), "many", &table(&[98.0, 98.1, 98.2], &[97.0, 97.2, 97.1]));
        let (found, finding) = above(&[&few], "MNIST", ["TP", "BP"], 0.0).unwrap();
        assert_eq!((finding.verdict, found.unwrap().folder.ends_with("few")), (Verdict::Open, true));
        // The page with more pairs: differences -1.0, -0.9, -1.1; s 0.1, half-width 4.3027 * 0.1 / sqrt 3 = 0.248.
        let (found, finding) = above(&[&few, &many], "MNIST", ["TP", "BP"], 0.0).unwrap();
        assert_eq!((finding.verdict, found.unwrap().folder.ends_with("many")), (Verdict::Fails, true));
        assert_eq!(finding.said, "TP 97.10, BP 98.10: -1.00 (-1.25 to -0.75, n=3)");
        assert!(finding.scale.contains("mlp-2x800") && finding.scale.contains("epochs"), "{}", finding.scale);
        let verdict = |bound| above(&[&many], "MNIST", ["TP", "BP"], bound).unwrap().1.verdict;
        assert_eq!([verdict(-2.0), verdict(-1.1)], [Verdict::Holds, Verdict::Open]);
        assert_eq!(above(&[&many], "CIFAR-100", ["TP", "BP"], 0.0).unwrap().1.verdict, Verdict::NotDone);
    }

    #[test]
    fn longer_training_goes_first_where_it_has_a_spread_or_nothing_has() {
        let dir = tempfile::tempdir().unwrap();
        let of = |name: &str, epochs: usize, seeds: usize| {
            let mut report = table(&[98.0, 98.1, 98.2][..seeds], &[97.0, 97.2, 97.1][..seeds]);
            for run in report.cells.iter_mut().flat_map(|cell| &mut cell.runs) {
                run.epochs = epochs;
            }
            page(dir.path(), name, &report)
        };
        let (short, long, alone) = (of("short", 2, 3), of("long", 100, 1), of("alone", 20, 2));
        let chosen = |pages: &[&Page]| {
            let (found, _) = above(pages, "MNIST", ["TP", "BP"], 0.0).unwrap();
            found.unwrap().folder.file_name().unwrap().to_string_lossy().into_owned()
        };
        assert_eq!(chosen(&[&long, &short, &alone]), "short");
        assert_eq!(chosen(&[&long, &alone]), "long");
    }

    #[test]
    fn a_rule_that_has_changed_since_is_not_judged_by_its_former_runs() {
        let dir = tempfile::tempdir().unwrap();
        let tff = baselines::rules().iter().find(|info| info.title == "TFF").unwrap().settings;
        let judged = |before: u32| {
            let mut report = table(&[98.0, 98.1], &[97.0, 97.09]);
            for run in &mut report.cells[2].runs {
                run.numerics = tff.numerics(&run.spec.network) - before;
                run.spec.rule = tff;
                run.run_id = run.spec.id_under(run.numerics);
            }
            let page = page(dir.path(), &before.to_string(), &report);
            above(&[&page], "MNIST", ["TP", "BP"], 0.0).unwrap().1
        };
        assert_eq!(judged(0).verdict, Verdict::Fails);
        let former = judged(1);
        assert!(former.verdict == Verdict::NotDone && former.said.contains("2 of TFF as it was"), "{former:?}");
    }

    #[test]
    fn above_all_needs_every_row_and_fails_by_one() {
        let dir = tempfile::tempdir().unwrap();
        let better = page(dir.path(), "better", &table(&[98.0, 98.1, 98.2], &[97.0, 97.2, 97.1]));
        let found = |row: &str, rows: &[&str]| {
            let rows: Vec<String> = rows.iter().map(|label| label.to_string()).collect();
            above_all(&[&better], "MNIST", row, &rows).unwrap().1
        };
        assert_eq!(found("BP", &["BP", "TP"]).verdict, Verdict::Holds);
        assert_eq!(found("TP", &["BP", "TP", "FA"]).verdict, Verdict::Fails);
        let lacking = found("BP", &["BP", "TP", "FA"]);
        assert!(lacking.verdict == Verdict::Open && lacking.said.ends_with("no runs there of FA"), "{lacking:?}");
        assert_eq!(found("TP", &["TP", "FA"]).verdict, Verdict::NotDone);
    }

    #[test]
    fn above_all_is_judged_by_one_page_alone() {
        let dir = tempfile::tempdir().unwrap();
        let few = page(dir.path(), "few", &table(&[98.0, 98.1, 98.2], &[97.0, 97.2, 97.1]));
        let mut long = table(&[99.0], &[98.0]);
        long.cells.iter_mut().flat_map(|cell| &mut cell.runs).for_each(|run| run.epochs = 100);
        long.rows[1] = "FA".into();
        let long = page(dir.path(), "long", &long);
        let rows = ["BP", "TP", "FA"].map(String::from);
        let (found, finding) = above_all(&[&long, &few], "MNIST", "BP", &rows).unwrap();
        assert!(found.unwrap().folder.ends_with("few"), "{finding:?}");
        assert_eq!(finding.said, "BP 98.10, less: TP +1.00 (+0.75 to +1.25, n=3); no runs there of FA");
        let (_, alone) = above_all(&[&long], "MNIST", "BP", &rows).unwrap();
        assert_eq!(alone.said, "BP 99.00, less: FA +1.00 (n=1); no runs there of TP");
    }

    #[test]
    fn of_many_others_those_above_are_listed() {
        let dir = tempfile::tempdir().unwrap();
        let mut many = table(&[98.0], &[97.0]);
        let labels: Vec<String> = (0..=MANY).map(|index| format!("R{index}")).collect();
        let column = many.columns.len();
        for (index, label) in labels.iter().enumerate() {
            many.rows.push(label.clone());
            let cell = Cell { runs: vec![example::run(0, if index == 3 { 99.5 } else { 96.0 })], ..Cell::default() };
            many.cells.push(cell);
            many.cells.extend((1..column).map(|_| Cell::default()));
        }
        let many = page(dir.path(), "many", &many);
        let (_, finding) = above_all(&[&many], "MNIST", "BP", &labels).unwrap();
        assert_eq!(finding.said, format!("BP 98.00 is above {MANY} of {} in the mean, less: R3 -1.50 (n=1)", MANY + 1));
        assert_eq!(finding.verdict, Verdict::Open);
    }

    #[test]
    fn operations_are_compared_by_their_sum() {
        let dir = tempfile::tempdir().unwrap();
        let mut report = table(&[98.0], &[97.0]);
        // example::run has 1 275 200 + 1 923 200 + 16 000.
        report.cells[2].runs[0].macs.backward = 1_000_000;
        let page = page(dir.path(), "macs", &report);
        let found = |rows| fewer(&[&page], "MNIST", rows).unwrap().1;
        let less = found(["TP", "BP"]);
        assert_eq!((less.verdict, found(["BP", "TP"]).verdict), (Verdict::Holds, Verdict::Fails));
        assert_eq!(less.said, "TP 2 291 200 MACs per sample and step, BP 3 214 400: 0.71 of it");
        assert_eq!(found(["BP", "FA"]).verdict, Verdict::NotDone);
    }

    #[test]
    fn values_of_a_sweep_are_compared() {
        let dir = tempfile::tempdir().unwrap();
        let mut report = example::sweep();
        let ten = report.columns.iter().position(|column| column.number() == Some(10.0)).unwrap();
        let first = report.cells[ten].runs[0].test_accuracy.as_mut().unwrap();
        *first += 0.01;
        let sweep = page(dir.path(), "sweep", &report);
        let verdict = |bounds, at_least| rises(&[&sweep], "BP", bounds, at_least).unwrap().1;
        // 91.01, 92 at 10 less 90, 91 at 1: 1.005 with a half-width of 12.706 * 0.01 / 2 = 0.064.
        assert_eq!(verdict([1.0, 10.0], 0.94).verdict, Verdict::Holds);
        assert_eq!(verdict([1.0, 10.0], 1.0).verdict, Verdict::Open);
        assert_eq!(verdict([1.0, 10.0], 1.07).verdict, Verdict::Fails);
        assert_eq!(verdict([1.0, 7.0], 1.0).verdict, Verdict::NotDone);
    }

    #[test]
    fn a_rise_slows_where_the_next_one_is_less_in_every_seed() {
        let dir = tempfile::tempdir().unwrap();
        let mut report = example::sweep();
        let numbers: Vec<f64> = report.columns.iter().filter_map(|column| column.number()).collect();
        let judged = |name: &str, report: &Report| {
            let sweep = page(dir.path(), name, report);
            slows(&[&sweep], "BP", [numbers[0], numbers[1], numbers[2]]).unwrap().1
        };
        let set = |report: &mut Report, column: usize, accuracies: [f64; 2]| {
            let runs = accuracies.iter().enumerate().map(|(seed, a)| {
                let mut run = example::run(seed as u64, *a);
                run.spec.recipe.lr = 1e-3 * (column + 1) as f64;
                RunResult { run_id: run.spec.id_under(run.numerics), ..run }
            });
            report.cells[column] = Cell { runs: runs.collect(), ..Cell::default() };
        };
        // Rises of 4 and 4.1, then of 1 and 1.11, over log2 10 = 3.32 doublings each.
        for (column, accuracies) in [[80.0, 81.0], [84.0, 85.1], [85.0, 86.21]].into_iter().enumerate() {
            set(&mut report, column, accuracies);
        }
        let slower = judged("slower", &report);
        assert!(slower.verdict == Verdict::Holds && slower.said.contains("less by +0.90 ("), "{slower:?}");
        // A page of longer runs that lacks the last value decides nothing, not even the first rise.
        let whole = page(dir.path(), "whole", &report);
        let mut long = report.clone();
        set(&mut long, 0, [20.0, 21.0]);
        long.cells.iter_mut().flat_map(|cell| &mut cell.runs).for_each(|run| run.epochs = 100);
        long.cells[2].runs.clear();
        let long = page(dir.path(), "long", &long);
        let values = [numbers[0], numbers[1], numbers[2]];
        let (found, of_two) = slows(&[&long, &whole], "BP", values).unwrap();
        assert!(found.unwrap().folder.ends_with("whole") && of_two.said == slower.said, "{of_two:?}");
        set(&mut report, 2, [95.0, 96.1]);
        assert_eq!(judged("faster", &report).verdict, Verdict::Fails);
        // Rises of 4 and 6 over log2 1.25 = 0.32 and log2 80 = 6.32 doublings, then the other way round.
        let uneven = |name: &str, over: f64| {
            let mut report = report.clone();
            report.columns[1] = PlannedColumn { label: over.to_string(), values: vec![over.into()] };
            for (column, accuracies) in [[80.0, 81.0], [84.0, 85.1], [90.0, 91.22]].into_iter().enumerate() {
                set(&mut report, column, accuracies);
            }
            slows(&[&page(dir.path(), name, &report)], "BP", [numbers[0], over, numbers[2]]).unwrap().1
        };
        let early = uneven("early", 1.25);
        assert_eq!([early.verdict, uneven("late", 80.0).verdict], [Verdict::Holds, Verdict::Fails]);
        assert!(early.scale.ends_with("3 epochs of 1000 images, 200 test images"), "{early:?}");
        report.cells[2].runs.clear();
        assert_eq!(judged("none", &report).verdict, Verdict::NotDone);
    }
}
