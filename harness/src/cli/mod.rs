//! The command line, one file a subcommand.

mod bench;
mod calls;
mod check;
mod completions;
mod data;
mod doctor;
mod evaluate;
mod footprint;
mod index;
mod lists;
mod make;
mod memory;
mod pace;
mod parity;
mod pipeline;
mod plan;
mod plot;
mod report;
mod run;
mod runs;
mod spec_args;
mod status;
mod work;

use crate::error::{Error, Result};
use crate::experiment::{Kind, catalogue};
use crate::record::RunResult;
use crate::spec::RunSpec;
use crate::talk::{self, Manner, say};
use crate::tensorboard::{self, Board};
use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};
use datasets::LoadOptions;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Reproducible benchmarks of Stochastic Layer-wise Learning and the rules it is compared with.
///
/// Numbers go to stdout, talk to stderr. Runs are kept under results/runs/, named by the digest of what was run: the
/// same command twice runs nothing twice, and an interrupted one resumes where it stopped.
#[derive(Parser, Debug)]
#[command(version = crate::provenance::VERSION, max_term_width = 110, after_help = EXAMPLES)]
pub struct Cli {
    /// How progress is told on stderr.
    #[arg(long, value_enum, value_name = "HOW", default_value = "auto", env = talk::VARIABLE, global = true)]
    progress: Manner,
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  harness table table1                                  the paper's Table 1, as far as this machine's data go
  harness run --rule sll --dataset mnist-sample --epochs 5
  harness run --rule sll --set rule.projection_gain=3 --set recipe.schedule.kind=cosine
  harness sweep ablation_width --profile quick
  harness sweep --rule sll --over rule.align_weight=0,0.3,1 --over network.width=50,100
  harness table table2 --engine slurm --gres gpu:1 --wait   on a cluster; docs/cluster.md
  harness status                                        what is done, running, waiting, failed
  harness runs best --dataset mnist                     of all runs that are kept
  harness plot --dataset mnist --rule BP --rule SLL --x seconds --out curves.png
  harness report                                        everything in results/, as one page for a browser
  harness memory --rule bp --network vit-7 --depth 4    one step's bytes, by category
  harness footprint figure2a figure2b figure2c          memory against depth
  harness check                                         fails if accuracy or memory got worse, or an update changed

Exit codes: 0 done, 1 a check or run failed, 2 wrong input, 3 data, device or folder missing, 130 interrupted.";

#[derive(Subcommand, Debug)]
enum Command {
    /// Train one network with one rule; prints one JSON object.
    #[command(after_help = spec_args::defaults_help())]
    Run(Box<run::RunArgs>),
    /// Evaluate a network that `run --save` wrote; prints one JSON object.
    Evaluate(evaluate::EvaluateArgs),
    /// Make one of the paper's tables: Parquet, Markdown and figures.
    #[command(after_help = catalogue::help(&Kind::TABLES))]
    Table(Box<make::TableArgs>),
    /// Sweep one parameter, or two: Parquet, Markdown and a figure.
    #[command(after_help = catalogue::help(&[Kind::Sweep]))]
    Sweep(Box<make::SweepArgs>),
    /// Print the runs of a table or sweep, a line of JSON each: spec, name, estimated seconds and bytes.
    #[command(after_help = catalogue::help(&Kind::TRAINING))]
    Plan(Box<plan::PlanArgs>),
    /// Make the runs of a plan, or some of its lines.
    Work(work::WorkArgs),
    /// Say how the runs of plans are: done, running, waiting, failed and why; and how long is to go.
    Status(status::StatusArgs),
    /// End the work on plans, here and in batch systems; what is unfinished keeps its state.
    Cancel(status::StatusArgs),
    /// List, compare, remove, export and import the runs that are kept.
    Runs(runs::RunsArgs),
    /// Draw learning curves of runs of one's own choice, as SVG or PNG.
    Plot(Box<plot::PlotArgs>),
    /// Write the index of the results folder and the page about memory again, and draw figures of memory and of the
    /// bench, all from the pages that are kept. Tables and sweeps are drawn again by their own command with --no-run.
    Results(index::IndexArgs),
    /// Write one page of HTML that shows a results folder: tables to sort and filter, figures, learning curves, and for
    /// each cell where it is from and the command that makes it. It needs no network and no server.
    Report(report::ReportArgs),
    /// Weigh the training step of one network and rule, byte by byte; prints one JSON object.
    Memory(Box<memory::MemoryArgs>),
    /// Make a figure or table of memory: training memory against depth (figure2a, figure2b, figure2c), the paper's
    /// Table 3.
    #[command(after_help = catalogue::help(&Kind::MEMORY))]
    Footprint(footprint::FootprintArgs),
    /// Time the training step of every rule, beside eager PyTorch's and what the machine could do.
    Bench(bench::BenchArgs),
    /// Time a local rule whose units are trained at once by several workers, beside steps one after the other.
    Pipeline(pipeline::PipelineArgs),
    /// List the operators of LibTorch that a training step calls.
    Calls(calls::CallsArgs),
    /// List the networks with layers, parameters, multiply-accumulates and activations.
    Networks(lists::NetworksArgs),
    /// List the rules with their equations and what they store.
    Rules(lists::FormatArgs),
    /// List, fetch, check and show the data sets.
    Data(data::DataArgs),
    /// Take one step of every rule on two devices and say how far apart rounding takes them.
    Parity(parity::ParityArgs),
    /// Time steps asked for on stdin.
    #[command(hide = true)]
    Pace(pace::PaceArgs),
    /// Compare accuracy, memory and first updates of a fixed suite with the committed baseline.
    Check(check::CheckArgs),
    /// Say what this machine and this build can do.
    Doctor(doctor::DoctorArgs),
    /// Print what a shell needs to complete this program's commands and options.
    Completions(completions::CompletionsArgs),
    /// Write man pages, one for each command.
    Man(completions::ManArgs),
}

/// Where data come from.
#[derive(Args, Debug, Clone)]
pub struct DataOptions {
    /// Folder with data sets in their official layouts (mnist/, fashion-mnist/, cifar-10/cifar-10-batches-bin/, ...).
    #[arg(long, env = "SLL_DATA_DIR", value_name = "DIR", global = true)]
    data_dir: Option<PathBuf>,
    /// Use data whose content is not the official one; every result says so.
    #[arg(long, global = true)]
    allow_unverified: bool,
    /// Fetch nothing: use what is on this machine.
    #[arg(long, global = true, env = "SLL_OFFLINE", value_parser = clap::builder::FalseyValueParser::new())]
    offline: bool,
}

impl DataOptions {
    /// As the `datasets` crate takes it.
    fn load_options(&self) -> Result<LoadOptions> {
        if let Some(dir) = &self.data_dir {
            let wrong = |problem: &str| {
                let next = "name a folder that holds data sets in their official layouts, or none";
                Err(Error::Missing(format!("--data-dir {}: {problem}; {next}", dir.display())))
            };
            match std::fs::read_dir(dir) {
                Ok(_) => {}
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => return wrong("there is no such folder"),
                Err(error) => return wrong(&format!("it cannot be read ({error})")),
            }
        }
        Ok(LoadOptions {
            data_dir: self.data_dir.clone(),
            allow_unverified: self.allow_unverified,
            online: !self.offline,
            progress: crate::progress::downloads(),
            notice: datasets::Notice::new(|sentence| say!("{sentence}")),
            stop: datasets::Stop::new(crate::interrupt::requested),
            ..LoadOptions::default()
        })
    }
}

impl DataOptions {
    /// The same options for a process that works for this one.
    fn arguments(&self) -> Vec<OsString> {
        let dir = self.data_dir.iter().flat_map(|dir| ["--data-dir".into(), dir.clone().into_os_string()]);
        dir.chain(self.offline.then(|| "--offline".into())).collect()
    }
}

/// How often a run keeps its state within an epoch.
#[derive(Args, Debug, Clone, Copy)]
pub struct KeepOptions {
    /// Keep a run's state every so many minutes within an epoch, beside after every one and at a signal; 0 for every
    /// step. Changes no number.
    #[arg(long, value_name = "N", default_value_t = 5.0, value_parser = minutes)]
    checkpoint_minutes: f64,
}

/// Minutes of a wait that is none or longer, up to a million.
fn minutes(text: &str) -> std::result::Result<f64, String> {
    let minutes = text.parse().ok().filter(|minutes| (0.0..=1e6).contains(minutes));
    minutes.ok_or_else(|| format!("write minutes as a number from 0 to 1000000, like 5 or 0.5, not `{text}`"))
}

impl KeepOptions {
    /// The time between two checkpoints.
    fn every(self) -> Duration {
        Duration::from_secs_f64(60.0 * self.checkpoint_minutes)
    }

    /// The same option for a process that works for this one.
    fn arguments(self) -> [OsString; 2] {
        ["--checkpoint-minutes".into(), self.checkpoint_minutes.to_string().into()]
    }
}

/// What learning curves are written to while they grow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Log {
    /// Event files below tensorboard/ in the results folder; `tensorboard --logdir` shows them.
    Tensorboard,
}

/// Where curves go beside the store.
#[derive(Args, Debug, Clone, Copy)]
pub struct LogOptions {
    /// Write each run's learning curve while it grows.
    #[arg(long, value_enum, value_name = "FORMAT")]
    log: Option<Log>,
}

impl LogOptions {
    /// Where a run that begins is logged.
    fn board(self, spec: &RunSpec, results: &Path) -> Result<Option<Board>> {
        self.log.map(|Log::Tensorboard| Board::open(spec, results)).transpose()
    }

    /// Logs a run that was found, unless it is logged.
    fn of_found(self, run: &RunResult, results: &Path) -> Result<()> {
        match self.log {
            Some(Log::Tensorboard) if !tensorboard::exists(&run.spec, results) => {
                Board::open(&run.spec, results)?.rest(run)
            }
            _ => Ok(()),
        }
    }

    /// The same option for a process that works for this one.
    fn arguments(self) -> impl Iterator<Item = OsString> {
        self.log.into_iter().flat_map(|Log::Tensorboard| ["--log".into(), "tensorboard".into()])
    }
}

/// Where results go.
#[derive(Args, Debug, Clone)]
pub struct ResultOptions {
    /// Folder for tables, figures and the run store.
    #[arg(long, value_name = "DIR", default_value = "results", env = "SLL_RESULTS", global = true)]
    results: PathBuf,
}

/// The command line of this process. A variable that is set to nothing counts as not set. Ends the process where the
/// command line is wrong or asks for help.
pub fn parse() -> Cli {
    let matches = without_empty_variables(Cli::command()).get_matches();
    Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit())
}

fn without_empty_variables(command: clap::Command) -> clap::Command {
    let empty = |arg: &clap::Arg| arg.get_env().and_then(std::env::var_os).is_some_and(|value| value.is_empty());
    command
        .mut_args(|arg| if empty(&arg) { arg.env(None::<&'static str>) } else { arg })
        .mut_subcommands(without_empty_variables)
}

/// A whole number from a flag as TOML has it, whose own are signed; larger ones are refused as too large by the spec.
fn whole(value: usize) -> toml::Value {
    toml::Value::Integer(i64::try_from(value).unwrap_or(i64::MAX))
}

/// What goes into a network.
#[derive(Clone, Copy, Debug)]
struct Input {
    /// Channels, height, width.
    image: [usize; 3],
    /// Classes, where a data set says how many.
    classes: Option<usize>,
}

/// Sizes like `3x32x32`, or those of a data set: a name of `data list`, or a folder or manifest.
fn input(text: &str) -> std::result::Result<Input, String> {
    sizes(text).map(|image| Input { image, classes: None }).or_else(|wrong| {
        let stop = datasets::Stop::new(crate::interrupt::requested);
        match datasets::resolve(text, &LoadOptions { stop, ..LoadOptions::default() }) {
            Ok(manifest) => Ok(Input { image: manifest.shape, classes: Some(manifest.classes) }),
            Err(datasets::DataError::Unknown { .. }) => Err(format!("{wrong}, or name a data set")),
            Err(error) => Err(crate::remedy::explain(&error)),
        }
    })
}

/// Three sizes like `3x32x32`, each at least 1.
fn sizes(text: &str) -> std::result::Result<[usize; 3], String> {
    let size =
        |part: &str| part.parse().ok().filter(|&size| size > 0 && part.bytes().all(|byte| byte.is_ascii_digit()));
    let sizes: Option<Vec<usize>> = text.split('x').map(size).collect();
    let sizes = sizes.and_then(|sizes| <[usize; 3]>::try_from(sizes).ok());
    sizes.ok_or_else(|| format!("write it as CxHxW, like 3x32x32, not `{text}`"))
}

/// Runs the command.
pub fn dispatch(cli: Cli) -> Result<()> {
    talk::decide(cli.progress);
    match cli.command {
        Command::Run(args) => run::main(*args),
        Command::Evaluate(args) => evaluate::main(args),
        Command::Table(args) => make::table(*args),
        Command::Sweep(args) => make::sweep(*args),
        Command::Plan(args) => plan::main(*args),
        Command::Work(args) => work::main(args),
        Command::Status(args) => status::status(args),
        Command::Cancel(args) => status::cancel(args),
        Command::Runs(args) => runs::main(args),
        Command::Plot(args) => plot::main(*args),
        Command::Results(args) => index::main(args),
        Command::Report(args) => report::main(args),
        Command::Memory(args) => memory::main(*args),
        Command::Footprint(args) => footprint::main(args),
        Command::Bench(args) => bench::main(args),
        Command::Pipeline(args) => pipeline::main(args),
        Command::Calls(args) => calls::main(args),
        Command::Networks(args) => lists::networks(args),
        Command::Rules(args) => lists::rules(args),
        Command::Data(args) => data::main(args),
        Command::Pace(args) => pace::main(args),
        Command::Parity(args) => parity::main(args),
        Command::Check(args) => check::main(args),
        Command::Doctor(args) => doctor::main(args),
        Command::Completions(args) => completions::completions(args),
        Command::Man(args) => completions::man(args),
    }
}

/// Prints `value` on stdout as indented JSON. A closed pipe (`| head`) is no error.
fn print_json(value: &impl serde::Serialize) -> Result<()> {
    print(&serde_json::to_string_pretty(value).expect("plain data"))
}

/// Prints a line on stdout. A closed pipe is no error.
fn print(line: &str) -> Result<()> {
    use std::io::Write;
    match writeln!(std::io::stdout(), "{line}") {
        Err(e) if e.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Error::Missing(format!("cannot write to stdout: {e}")))
        }
        _ => Ok(()),
    }
}
