//! `harness pipeline`: units trained at once against steps one after the other.

use super::memory::with_threads;
use super::options::ResultOptions;
use super::stdout::print;
use crate::bench::case;
use crate::bench::pipeline::{PipelineBench, PipelinedNetwork, Way, figure, measure, parquet, text};
use crate::error::{Error, Result};
use crate::report::place::{About, Shelf, ShelfFlags, folder, variant, write_index};
use crate::spec::DeviceName;
use crate::talk::say;
use crate::{device, provenance};
use clap::Args;
use std::collections::BTreeSet;
use std::time::Duration;

/// The folder of its page in the results.
const NAME: &str = "pipeline";
/// Nobody measures a way for longer.
const MOST_SECONDS: f64 = 3600.0;

/// Options of the comparison.
#[derive(Args, Debug)]
pub struct PipelineArgs {
    /// Networks of the bench, comma-separated.
    #[arg(long, value_name = "NAMES", value_delimiter = ',', default_value = "mlp-2x800,mlp-3x1000,vit-7")]
    networks: Vec<String>,
    /// The local rule, by its title in `harness rules`.
    #[arg(long, value_name = "TITLE", default_value = "SLL")]
    rule: String,
    /// Numbers of workers, comma-separated; one always is, and more than a network has units and one are left out.
    #[arg(long, value_name = "N", value_delimiter = ',', default_value = "1,2,3,4",
          value_parser = clap::value_parser!(u16).range(1..=1024))]
    workers: Vec<u16>,
    /// Threads of steps that are made one after the other; all of the machine's by default.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=1024))]
    threads: Option<u64>,
    /// Seconds for each way on each network.
    #[arg(long, default_value_t = 6.0)]
    seconds: f64,
    #[command(flatten)]
    shelf: ShelfFlags,
    #[command(flatten)]
    results: ResultOptions,
}

/// Measures and writes.
pub fn main(args: PipelineArgs) -> Result<()> {
    if !(0.0..=MOST_SECONDS).contains(&args.seconds) {
        return Err(Error::Input(format!("--seconds {}: must be from 0 to {MOST_SECONDS}, an hour", args.seconds)));
    }
    let (cases, rules) = (case::networks(&args.networks)?, case::rules(std::slice::from_ref(&args.rule))?);
    let (Some(bp), Some(rule)) = (rules.first(), rules.last()) else { unreachable!("BP is always there") };
    let results = &args.results.results;
    std::fs::create_dir_all(results).map_err(|e| Error::file("create", results, e))?;
    let threads = args.threads.map_or_else(device::threads, |n| n as usize);
    with_threads(threads)?;
    device::open(DeviceName::Flex)?;
    let workers: Vec<usize> = args.workers.iter().map(|&n| usize::from(n)).collect();
    let time = Duration::from_secs_f64(args.seconds);
    let mut networks = Vec::new();
    for case in &cases {
        let measured = measure(case, (bp, rule), threads, &workers, time)?;
        say!("{}: {}", measured.title, told(&measured));
        networks.push(measured);
    }
    let command = command(&args, threads);
    let found = PipelineBench { command, provenance: provenance::here(DeviceName::Flex, ""), networks };
    let about = About::of("Units trained at once", &found.command, std::iter::once(&found.provenance));
    let variant = variant(None, DeviceName::Flex, None);
    // Its machine and code are what it is of, as of a bench.
    let of = |about: &About| about.hardware.iter().chain(&about.harness).cloned().collect::<BTreeSet<_>>();
    let there = About::read(&results.join(NAME).join(&variant))?;
    let kept = there.as_ref().map(of).unwrap_or_default();
    let (shelf, why) = Shelf::of(&about, &of(&about), &kept, false, args.shelf);
    let dir = folder(results, shelf, NAME, &variant)?;
    let mut written = vec![parquet::write(&found, &dir)?, text::write(&found, &dir)?];
    written.extend(figure::write(&found, &dir)?);
    about.write(&dir)?;
    written.iter().for_each(|path| say!("wrote {}", path.display()));
    why.into_iter().for_each(|why| say!("not among what is kept: {why}"));
    if shelf == Shelf::Kept {
        say!("wrote {}", write_index(results)?.display());
    }
    print(&text::render(&found))
}

fn told(measured: &PipelinedNetwork) -> String {
    let pipelines = measured.lines.iter().filter_map(|line| match line.way {
        Way::Pipeline(workers) => Some(format!("{workers} workers {:.2}", measured.gain(line)?)),
        Way::Bp | Way::Serial => None,
    });
    format!("times the serial step's images a second: {}", pipelines.collect::<Vec<_>>().join(", "))
}

/// What makes the same page again.
fn command(args: &PipelineArgs, threads: usize) -> String {
    let workers: Vec<String> = args.workers.iter().map(u16::to_string).collect();
    format!(
        "harness pipeline --networks {} --rule '{}' --workers {} --threads {threads} --seconds {}",
        args.networks.join(","),
        args.rule,
        workers.join(","),
        args.seconds
    )
}
