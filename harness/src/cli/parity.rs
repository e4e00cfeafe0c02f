//! `harness parity`: one step of every rule on two devices.

use super::lists::{Format, FormatArgs};
use super::stdout::{print, print_json};
use crate::error::{Error, Result};
use crate::provenance;
use crate::record::Provenance;
use crate::report::grid::{Grid, escape};
use crate::spec::DeviceName;
use baselines::parity::{Parity, compare};
use clap::Args;
use serde::Serialize;
use sll_core::Precision;

/// What is compared with what.
#[derive(Args, Debug)]
pub struct ParityArgs {
    /// The device to look at: flex, cpu-tch or cuda:N.
    #[arg(long)]
    device: DeviceName,
    /// The device that is believed.
    #[arg(long, default_value = "flex")]
    against: DeviceName,
    /// What the device computes in: f32, or bf16 (mixed precision).
    #[arg(long, default_value = "f32", value_parser = precision)]
    precision: Precision,
    /// Fail if a rule's update is off by more than this, relative to its length. [default: 0.001, without limit in
    /// bf16]
    #[arg(long, value_name = "X")]
    tolerance: Option<f64>,
    #[command(flatten)]
    format: FormatArgs,
}

#[derive(Serialize)]
struct Report {
    against: DeviceName,
    precision: Precision,
    tolerance: f64,
    provenance: Provenance,
    rules: Vec<Parity>,
}

/// Compares and prints; an error if a rule is further off than the tolerance.
pub fn main(args: ParityArgs) -> Result<()> {
    crate::interrupt::nothing_to_keep();
    let (reference, other) = (crate::device::open(args.against)?, crate::device::open(args.device)?);
    let tolerance = args.tolerance.unwrap_or(if args.precision.is_single() { 1e-3 } else { f64::INFINITY });
    if tolerance.is_nan() || tolerance < 0.0 {
        return Err(Error::Input(format!("--tolerance {tolerance}: must be 0 or a positive number, like 0.001")));
    }
    let rules = compare(&reference, &other, args.precision)?;
    let meter = crate::device::meter(args.device);
    let provenance = provenance::here(args.device, meter.definition());
    let off = |parity: &&Parity| {
        !parity.same_start || parity.update.is_some_and(|off| off.is_nan() || off > tolerance) || parity.loss.is_nan()
    };
    let wrong: Vec<String> = rules.iter().filter(off).map(|p| format!("{} on {}", p.rule, p.network)).collect();
    match args.format.format {
        Format::Json => {
            print_json(&Report { against: args.against, precision: args.precision, tolerance, provenance, rules })?;
        }
        Format::Text => print(&text(&args, &provenance, &rules))?,
    }
    match wrong.is_empty() {
        true => Ok(()),
        false => Err(Error::Failed(format!(
            "on {} these take another step than on {}, by more than {:.0e} of its length: {}",
            args.device,
            args.against,
            tolerance,
            wrong.join("; ")
        ))),
    }
}

/// A number format by name.
fn precision(name: &str) -> std::result::Result<Precision, String> {
    toml::Value::String(name.into()).try_into().map_err(|_| "choose f32 or bf16".into())
}

fn text(args: &ParityArgs, provenance: &Provenance, rules: &[Parity]) -> String {
    let mut grid = Grid::new(["rule", "network", "same start", "update off by", "loss off by"]);
    for parity in rules {
        grid.push(vec![
            escape(&parity.rule),
            parity.network.clone(),
            if parity.same_start { "yes" } else { "NO" }.into(),
            parity.update.map_or("—".into(), |off| format!("{off:.1e}")),
            format!("{:.1e}", parity.loss),
        ]);
    }
    format!(
        "# One step of every rule: {}{} against {}\n\n\
         {} · {} · harness {}\n\n{grid}\n\
         Plain gradient descent from the same weights, on the same batch of 24. **update off by** is \
         ‖g − g_ref‖ / ‖g_ref‖ over all parameters; — where the step moves none. **same start** says whether the \
         parameters before the step are the same bits.\n",
        args.device,
        if args.precision.is_single() { "" } else { " in bf16" },
        args.against,
        provenance.hardware,
        provenance.backend,
        provenance.harness
    )
}
