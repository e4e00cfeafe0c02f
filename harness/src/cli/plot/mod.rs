//! `harness plot`: learning curves of runs of one's own choice.

mod group;

use super::options::ResultOptions;
use super::runs::{Filter, chosen, one};
use crate::error::{Error, Result};
use crate::report::axis::round_ticks;
use crate::report::curves::{Across, CurveRow, Height, curve, settled};
use crate::report::labels::{epochs, round};
use crate::report::picture::{self, Line, Plot, Scale, strokes};
use crate::report::{distinct, parquet};
use crate::store::Store;
use crate::talk::say;
use clap::Args;
use group::{Group, of_curves, of_runs};
use std::path::PathBuf;

const HELP: &str = "\
One line a rule, data set and settings: the mean over its seeds, in a band from the worst seed to the best. A rule has
the same colour, dash and marker as in every other figure. Runs come from the store (`harness runs list` takes the same
filters), or from files: a table's curves.parquet, or a runs.parquet, to which the filters apply too.

Examples:
  harness plot --experiment table1 --dataset mnist
  harness plot --rule BP --rule SLL --dataset mnist --x seconds --y error --out seconds.png
  harness plot --id 3f2a --id 9c01 --y loss --title 'Two runs'
  harness plot results/table1/paper-flex/curves.parquet --out table1.svg";

/// Options of `plot`.
#[derive(Args, Debug)]
#[command(after_help = HELP)]
pub struct PlotArgs {
    /// Draw what these files hold in place of the store's runs: curves.parquet or runs.parquet of a table or sweep.
    #[arg(value_name = "FILE", conflicts_with = "ids")]
    files: Vec<PathBuf>,
    /// Draw this run, by its name or its beginning (repeatable); the filters then choose among these.
    #[arg(long = "id", value_name = "ID")]
    ids: Vec<String>,
    #[command(flatten)]
    filter: Filter,
    /// Along the bottom.
    #[arg(long, value_enum, default_value = "epoch")]
    x: Across,
    /// Upwards.
    #[arg(long, value_enum, default_value = "accuracy")]
    y: Height,
    /// Over the picture, in place of the data sets' names.
    #[arg(long)]
    title: Option<String>,
    /// The picture, whose name ends in .svg or .png.
    #[arg(long, value_name = "FILE", default_value = "curves.svg")]
    out: PathBuf,
    #[command(flatten)]
    results: ResultOptions,
}

/// Draws the picture.
pub fn main(args: PlotArgs) -> Result<()> {
    // Before anything is read.
    picture::check_name(&args.out)?;
    let (groups, settings) = groups(&args)?;
    let curves = groups.iter().filter(|group| !group.rows.is_empty()).count();
    if curves < groups.len() {
        say!(
            "{} of {} lines have no learning curve, which runs of before have not",
            groups.len() - curves,
            groups.len()
        );
    }
    let plot = plot(&groups, settings, &args);
    let svg = plot.svg().ok_or_else(|| {
        let next = "`harness runs list` with the same filters says what there is";
        Error::Missing(format!("nothing to draw: no run with a learning curve has all that was asked for; {next}"))
    })?;
    picture::write(&svg, &args.out)?;
    say!("wrote {}", args.out.display());
    Ok(())
}

/// The lines, and the settings of their runs in words.
fn groups(args: &PlotArgs) -> Result<(Vec<Group>, String)> {
    let accepts = args.filter.prepared()?;
    let mut runs = Vec::new();
    let mut groups = Vec::new();
    for file in &args.files {
        if parquet::has_runs(file)? {
            let (found, wrong) = parquet::read_runs(file)?;
            wrong.iter().for_each(|why| say!("{}: {why}", file.display()));
            runs.extend(found.into_iter().filter(|run| accepts(run)));
        } else if args.filter.is_given() {
            let next = "name its runs.parquet, or leave the filters out";
            return Err(Error::Input(format!("{}: the filters need whole runs; {next}", file.display())));
        } else {
            groups.extend(of_curves(parquet::read_curves(file)?));
        }
    }
    if args.files.is_empty() {
        let store = Store::at(&args.results.results);
        runs = match args.ids.as_slice() {
            [] => chosen(&store, &args.filter)?,
            ids => ids.iter().map(|id| one(&store, id)).collect::<Result<_>>()?,
        };
        runs.retain(|run| accepts(run));
    }
    let (of_runs, settings) = of_runs(&runs);
    groups.extend(of_runs);
    Ok((groups, settings))
}

fn plot(groups: &[Group], settings: String, args: &PlotArgs) -> Plot {
    let strokes = strokes(groups.iter().map(|group| (group.rule.as_str(), group.title.as_str())));
    let lines = groups.iter().zip(strokes).filter_map(|(group, stroke)| {
        let points = curve(&group.rows, args.x, args.y);
        let last = points.last()?;
        let remark = format!("{}, n={}", round(last.y), group.seeds());
        Some(Line::new(stroke, &group.label, remark, points))
    });
    let series: Vec<Line> = lines.collect();
    let rows = || groups.iter().flat_map(|group| &group.rows);
    let last = series.iter().flat_map(|line| &line.points).map(|point| point.x).fold(0.0, f64::max);
    let images = distinct(rows(), |row: &CurveRow| row.evaluated_on.clone());
    let (x_label, ticks) = match args.x {
        Across::Epoch => ("epoch", epochs(last as usize)),
        Across::Seconds => ("seconds since the start of training, evaluation included", round_ticks(0.0, last, 9)),
    };
    let (y_label, scale) = match args.y {
        Height::Accuracy => (format!("{images} accuracy (%)"), Scale::Percent),
        Height::Error => (format!("{images} error (%)"), Scale::Log),
        Height::Loss => ("mean training loss at the output".to_string(), Scale::Any),
    };
    let band = if groups.iter().any(|group| group.seeds() > 1) { "band: worst to best seed" } else { "" };
    // Of the settings, a file of curves has the network alone.
    let networks = || distinct(rows(), |row: &CurveRow| row.network.clone());
    let most = rows().map(|row| row.point.epoch).max().unwrap_or(0);
    let subtitle = if settings.is_empty() { format!("{} · {most} epochs", networks()) } else { settings };
    Plot {
        title: args.title.clone().unwrap_or_else(|| distinct(rows(), |row: &CurveRow| row.dataset.clone())),
        subtitle,
        x_label: x_label.into(),
        y_label,
        y_remark: band.into(),
        ticks,
        scale,
        settled: settled(&series),
        series,
        ..Plot::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::example;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        plot: PlotArgs,
    }

    fn drawn(words: &str) -> Result<String> {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let runs = [example::run(0, 98.0), example::run(1, 97.0), example::diverged(2)];
        parquet::write_runs(&runs, &path("runs.parquet"))?;
        let words = words.replace("FILE", path("runs.parquet").to_str().unwrap());
        let out = path("a.svg");
        let words = format!("plot {words} --out {}", out.display());
        main(Line::parse_from(words.split(' ')).plot)?;
        Ok(std::fs::read_to_string(out).unwrap())
    }

    #[test]
    fn a_files_runs_become_one_line_of_their_seeds() {
        let svg = drawn("FILE").unwrap();
        for part in [">mnist-sample<", "BP", "97.50, n=2", "band: worst to best seed", "mlp-2x800", "test accuracy"] {
            assert!(svg.replace('\n', "").contains(part), "no {part:?} in {svg}");
        }
        let errors = drawn("FILE --y error --x seconds --title Errors").unwrap();
        for part in ["2.50, n=2", "test error (%)", "seconds since the start", "Errors"] {
            assert!(errors.contains(part), "no {part:?} in {errors}");
        }
        assert!(drawn("FILE --y loss --rule bp").unwrap().contains("0.10, n=2"));
    }

    #[test]
    fn what_nothing_is_left_of_is_an_error_that_says_what_to_do() {
        let error = drawn("FILE --rule sll").unwrap_err().to_string();
        assert!(error.contains("harness runs list"), "{error}");
    }

    #[test]
    fn other_endings_are_refused() {
        let error = main(Line::parse_from(["plot", "--out", "a.jpg"]).plot).unwrap_err().to_string();
        assert!(error.contains("a.jpg") && error.contains(".png"), "{error}");
    }
}
