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
mod options;
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
mod stdout;
mod values;
mod work;

use crate::error::Result;
use crate::experiment::{Kind, catalogue};
use crate::talk::{self, Manner};
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

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

Exit codes: 0 done, 1 a check or run failed, 2 wrong input, 3 data, device or folder missing, 130 interrupted,
75 interrupted before a step was made (work).";

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
    Cancel(status::CancelArgs),
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

/// The command line of this process. A variable that is set to nothing counts as not set. Ends the process where the
/// command line is wrong or asks for help.
pub fn parse() -> Cli {
    let change = |arg| with_negative_numbers(without_empty_variable(arg));
    let matches = with_arguments(Cli::command(), change).get_matches();
    Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit())
}

/// The command with every argument, of its subcommands too, as `change` makes it.
fn with_arguments(command: clap::Command, change: fn(clap::Arg) -> clap::Arg) -> clap::Command {
    command.mut_args(change).mut_subcommands(|command| with_arguments(command, change))
}

fn without_empty_variable(arg: clap::Arg) -> clap::Arg {
    let empty = arg.get_env().and_then(std::env::var_os).is_some_and(|value| value.is_empty());
    if empty { arg.env(None::<&'static str>) } else { arg }
}

/// Takes `-1` behind a flag for its value, so that what checks the value says what is wrong with it.
fn with_negative_numbers(arg: clap::Arg) -> clap::Arg {
    let valued = !arg.is_positional() && arg.get_action().takes_values();
    if valued { arg.allow_negative_numbers(true) } else { arg }
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
        Command::Completions(args) => completions::completions(args, Cli::command()),
        Command::Man(args) => completions::man(args, Cli::command()),
    }
}
