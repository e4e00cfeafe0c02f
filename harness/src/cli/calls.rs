//! `harness calls`: the operators of LibTorch that one training step calls, by name.

use super::stdout::print;
use crate::bench::case;
use crate::device;
use crate::error::{Error, Result};
use crate::report::grid::Grid;
use crate::spec::DeviceName;
use crate::step::Stepper;
use clap::Args;
use sll_core::calls::{self, Calls};

/// What to look at.
#[derive(Args, Debug)]
pub struct CallsArgs {
    /// One of the bench's networks: mlp-2x800, mlp-3x1000, cnn-1, cnn-small, vit-7.
    #[arg(long, default_value = "mlp-3x1000")]
    network: String,
    /// A rule, by its title in `harness rules`.
    #[arg(long, default_value = "SLL")]
    rule: String,
    /// cpu-tch or cuda:N.
    #[arg(long, default_value = "cpu-tch")]
    device: DeviceName,
}

/// Takes a step, counts the next one and prints a table.
pub fn main(args: CallsArgs) -> Result<()> {
    if args.device == DeviceName::Flex {
        return Err(Error::Input("--device flex: it calls nothing of LibTorch; name cpu-tch or cuda:N".into()));
    }
    let case = case::networks(std::slice::from_ref(&args.network))?[0];
    let rules = case::rules(std::slice::from_ref(&args.rule))?;
    // BP stands before the rule that was asked for.
    let rule = rules[rules.len() - 1].settings;
    let mut stepper = Stepper::new(&case.spec(rule, args.device, device::threads()), rule.learning_epoch())?;
    stepper.step()?;
    let (step, calls) = calls::count(|| stepper.step());
    step?;
    print(&table(&calls))
}

/// An operator a line, the most called first; the sums last.
fn table(calls: &Calls) -> String {
    let mut grid = Grid::new(["calls", "work", "waits", "operator"]);
    let mut operators: Vec<_> = calls.0.iter().filter(|operator| operator.calls + operator.waits > 0).collect();
    operators.sort_by_key(|operator| std::cmp::Reverse(operator.calls));
    for operator in operators {
        let work = if operator.is_work() { operator.calls } else { 0 };
        grid.push(vec![
            operator.calls.to_string(),
            work.to_string(),
            operator.waits.to_string(),
            operator.name.clone(),
        ]);
    }
    grid.push(vec![calls.calls().to_string(), calls.work().to_string(), calls.waits().to_string(), "all".into()]);
    grid.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use sll_core::calls::Operator;

    #[test]
    fn operators_stand_by_their_number_and_sums_last() {
        let of = |name: &str, calls| Operator::new(name.into(), calls, calls, 0);
        let text = table(&Calls(vec![of("aten::mm", 2), of("aten::t", 3), of("aten::_local_scalar_dense", 0)]));
        let lines: Vec<String> = text.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(lines[2..], ["|3|0|0|aten::t|", "|2|2|0|aten::mm|", "|5|2|0|all|"]);
    }
}
