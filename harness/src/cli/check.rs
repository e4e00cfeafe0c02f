//! `harness check`: the regression on accuracy, memory and updates.

use super::stdout::print;
use crate::check::{self, Baseline, Compared, Entry};
use crate::error::{Error, Result};
use crate::talk::say;
use clap::{Args, ValueEnum};
use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};
use std::path::PathBuf;

/// Options of `check`.
#[derive(Args, Debug)]
pub struct CheckArgs {
    /// The committed baseline.
    #[arg(long, value_name = "FILE", default_value = "harness/baseline.toml")]
    baseline: PathBuf,
    /// Rewrite the baseline with what this build gives, with `--filter` those runs of it.
    #[arg(long)]
    update: bool,
    /// Only the runs with this text in their names, in any case, for example `sll` or `cnn`.
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    filter: String,
    /// How to print the comparison.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Processes at once; by default as many as there are cores.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=256))]
    jobs: Option<u64>,
}

/// How the comparison is printed.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// A line a run.
    Text,
    /// A list of runs with what was measured, the baseline, and what got worse.
    Json,
    /// JUnit's XML, a test case a run.
    Junit,
}

/// Runs the suite afresh and compares, or updates.
pub fn main(args: CheckArgs) -> Result<()> {
    // Read first: a wrong path is no reason to train anything.
    let whole = args.filter.is_empty();
    let baseline = if args.update && whole { None } else { Some(Baseline::load(&args.baseline)?) };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let measured = check::measure(args.jobs.map_or(cores, |n| n as usize), &args.filter)?;
    match baseline {
        None => save(&measured, &args),
        Some(baseline) if args.update => save(&baseline.replaced(measured), &args),
        Some(baseline) => tell(&baseline.filtered(&args.filter).compare(&measured), &args),
    }
}

fn save(baseline: &Baseline, args: &CheckArgs) -> Result<()> {
    baseline.save(&args.baseline)?;
    say!("wrote {}", args.baseline.display());
    Ok(())
}

fn tell(compared: &[Compared], args: &CheckArgs) -> Result<()> {
    match args.format {
        Format::Text => print(&text(compared))?,
        Format::Json => print(&serde_json::to_string_pretty(compared).expect("plain data"))?,
        Format::Junit => print(&junit(compared))?,
    }
    let faults: Vec<&str> = compared.iter().flat_map(|run| &run.faults).map(String::as_str).collect();
    if faults.is_empty() {
        say!("no regression");
        return Ok(());
    }
    let worse = compared.iter().filter(|run| !run.faults.is_empty()).count();
    Err(Error::Failed(format!(
        "{worse} of {} runs got worse: {}\nif that is meant, `harness check --update` rewrites {}",
        compared.len(),
        faults.join(", "),
        args.baseline.display()
    )))
}

fn text(compared: &[Compared]) -> String {
    let mut lines = vec![format!(
        "{:<28} {:>9} {:>9} {:>7}   {:>12} {:>12} {:>8}   {:>12} {:>12} {:>8}",
        "run", "accuracy", "baseline", "change", "bytes", "baseline", "change", "step bytes", "baseline", "change"
    )];
    for run in compared {
        let (Some(now), Some(then)) = (&run.now, &run.then) else {
            lines.push(format!("{:<28} {}", run.name, run.faults.join(", ")));
            continue;
        };
        let change = |now: u64, then: u64| 100.0 * (now as f64 / then as f64 - 1.0);
        let accuracy = |of: &Entry| of.accuracy.map_or("diverged".into(), |accuracy| format!("{accuracy:.2}"));
        let gain = now.accuracy.zip(then.accuracy).map_or(String::new(), |(now, then)| format!("{:+.2}", now - then));
        lines.push(format!(
            "{:<28} {:>9} {:>9} {gain:>7}   {:>12} {:>12} {:>+7.2}%   {:>12} {:>12} {:>+7.2}%",
            run.name,
            accuracy(now),
            accuracy(then),
            now.bytes,
            then.bytes,
            change(now.bytes, then.bytes),
            now.step_bytes,
            then.step_bytes,
            change(now.step_bytes, then.step_bytes)
        ));
    }
    lines.join("\n")
}

fn junit(compared: &[Compared]) -> String {
    let mut suite = TestSuite::new("harness check");
    for run in compared {
        let status = match run.faults.as_slice() {
            [] => TestCaseStatus::success(),
            faults => {
                let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
                status.set_message(faults.join(", "));
                status
            }
        };
        suite.add_test_case(TestCase::new(run.name.as_str(), status));
    }
    let mut report = Report::new("harness check");
    report.add_test_suite(suite);
    report.to_string().expect("names and messages are text")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_got_worse_is_a_failure_with_its_words_in_every_format() {
        let entry = |accuracy| Entry {
            name: "sll mlp".into(),
            accuracy: Some(accuracy),
            bytes: 10,
            step_bytes: 5,
            signals: Vec::new(),
        };
        let compared = |faults: &[&str]| Compared {
            name: "sll mlp".into(),
            now: Some(entry(80.0)),
            then: Some(entry(90.0)),
            faults: faults.iter().map(|&fault| fault.into()).collect(),
        };
        let runs = [compared(&[]), compared(&["accuracy of sll mlp"])];
        let xml = junit(&runs);
        assert!(xml.contains("tests=\"2\"") && xml.contains("failures=\"1\""), "{xml}");
        assert!(xml.contains("message=\"accuracy of sll mlp\""), "{xml}");
        assert!(text(&runs).lines().nth(1).unwrap().contains("-10.00"), "{}", text(&runs));
        let gone = Compared { now: None, ..compared(&["sll mlp was not measured"]) };
        assert!(text(&[gone]).contains("sll mlp was not measured"));
    }
}
