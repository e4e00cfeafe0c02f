//! `harness bench`: times the step of every rule, beside eager PyTorch's and the machine's floor.

use super::memory::with_threads;
use super::options::{DataOptions, ResultOptions};
use super::stdout::print;
use crate::bench::pytorch::PyTorch;
use crate::bench::record::{Bench, RuleTimes};
use crate::bench::shown::Shown;
use crate::bench::turns::Budget;
use crate::bench::{Bencher, around, case, figure, parquet, text};
use crate::error::{Error, Result};
use crate::report::place::{About, Shelf, ShelfFlags, folder, variant, write_index};
use crate::spec::DeviceName;
use crate::talk::say;
use crate::{device, provenance};
use clap::Args;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::time::Duration;

/// The folder of benches in the results.
const NAME: &str = "bench";
/// Nobody measures a rule on a network for longer.
const MOST_SECONDS: f64 = 86_400.0;

/// Options of the bench.
#[derive(Args, Debug)]
pub struct BenchArgs {
    /// Only these networks, comma-separated: mlp-2x800, mlp-3x1000, cnn-1, cnn-small, vit-7.
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    networks: Vec<String>,
    /// Only this rule, by its title in `harness rules`, and BP (repeatable).
    #[arg(long = "rule", value_name = "TITLE")]
    rules: Vec<String>,
    /// flex, cpu-tch or cuda:N.
    #[arg(long, default_value = "flex")]
    device: DeviceName,
    /// Threads of tensor operations, ours and PyTorch's; all of the machine's by default.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=1024))]
    threads: Option<u64>,
    /// Seconds for each rule on each network, for all that is measured in turns.
    #[arg(long, default_value_t = 4.0)]
    seconds: f64,
    /// Steps of each at least, unless they take three times `--seconds`.
    #[arg(long, default_value_t = 7)]
    steps: usize,
    /// Measure ours alone.
    #[arg(long)]
    no_pytorch: bool,
    #[command(flatten)]
    data: DataOptions,
    #[command(flatten)]
    shelf: ShelfFlags,
    #[command(flatten)]
    results: ResultOptions,
}

/// Measures and writes.
pub fn main(args: BenchArgs) -> Result<()> {
    if !(0.0..=MOST_SECONDS).contains(&args.seconds) {
        return Err(Error::Input(format!("--seconds {}: must be from 0 to {MOST_SECONDS}, a day", args.seconds)));
    }
    let (cases, rules) = (case::networks(&args.networks)?, case::rules(&args.rules)?);
    device::open(args.device)?;
    std::fs::create_dir_all(&args.results.results).map_err(|e| Error::file("create", &args.results.results, e))?;
    let threads = args.threads.map_or_else(device::threads, |n| n as usize);
    with_threads(threads)?;
    let options = args.data.load_options()?;
    let pytorch = match args.no_pytorch {
        true => Err("--no-pytorch".to_string()),
        false => PyTorch::start(&options, args.device, threads).map(RefCell::new),
    };
    let version = pytorch.as_ref().map(|pytorch| pytorch.borrow().version.clone()).map_err(String::clone);
    match &version {
        Ok(version) => say!("ours and PyTorch {version}, in turns, {threads} threads each"),
        Err(why) => say!("ours alone, {threads} threads; no PyTorch: {why}"),
    }
    let most = 3.0 * args.seconds * (cases.len() * rules.len()) as f64;
    say!("{} rules on {} networks, at most about {:.0} minutes", rules.len(), cases.len(), (most / 60.0).ceil());
    let budget = Budget { time: Duration::from_secs_f64(args.seconds), steps: args.steps };
    let bencher = Bencher { device: args.device, threads, budget, pytorch };
    let mut networks = Vec::new();
    for case in &cases {
        say!("{}", case.title());
        networks.push(bencher.network(case, &rules, |line| say!("  {}", told(line)))?);
    }
    drop(bencher);
    say!("loading, and short runs");
    // Nothing is fetched to be timed.
    let here = datasets::LoadOptions { online: false, ..options };
    let bench = Bench {
        command: command(&args, threads),
        loading: around::loading(args.device, &here)?,
        runs: around::runs(args.device, &here)?,
        provenance: provenance::here(args.device, ""),
        pytorch: version,
        networks,
    };
    let about = About::of("Time of a training step", &bench.command, std::iter::once(&bench.provenance));
    let results = &args.results.results;
    let variant = variant(None, args.device, None);
    // Its machine and code are what a bench is of: another's is another bench.
    let of = |about: &About| about.hardware.iter().chain(&about.harness).cloned().collect::<BTreeSet<_>>();
    let there = About::read(&results.join(NAME).join(&variant))?;
    let kept = there.as_ref().map(of).unwrap_or_default();
    let (shelf, why) = Shelf::of(&about, &of(&about), &kept, false, args.shelf);
    let dir = folder(results, shelf, NAME, &variant)?;
    let mut written = vec![parquet::write(&bench, &dir)?, text::write(&bench, &dir)?];
    written.extend(figure::write(&Shown::of(&bench), &dir)?);
    about.write(&dir)?;
    written.iter().for_each(|path| say!("wrote {}", path.display()));
    why.into_iter().for_each(|why| say!("not among what is kept: {why}"));
    if shelf == Shelf::Kept {
        say!("wrote {}", write_index(results)?.display());
    }
    print(&text::render(&bench))
}

fn told(line: &RuleTimes) -> String {
    let Some(ours) = line.ours else {
        return format!("{}: {}", line.rule, line.missing.as_deref().unwrap_or("not measured"));
    };
    let of = |value: Option<f64>, what: &str| value.map_or(String::new(), |value| format!(", {value:.2} of {what}"));
    format!(
        "{}: {:.1} ms{}{}{}",
        line.rule,
        1e3 * ours.median,
        of(line.over_torch_bp(), "PyTorch's BP"),
        of(line.over_torch(), "PyTorch's"),
        of(line.over_floor(), "the floor")
    )
}

/// What makes the same table again.
fn command(args: &BenchArgs, threads: usize) -> String {
    let mut text = format!("harness bench --device {} --threads {threads}", args.device);
    text += &format!(" --seconds {} --steps {}", args.seconds, args.steps);
    if !args.networks.is_empty() {
        text += &format!(" --networks {}", args.networks.join(","));
    }
    args.rules.iter().for_each(|rule| text += &format!(" --rule '{rule}'"));
    if args.no_pytorch { text + " --no-pytorch" } else { text }
}
