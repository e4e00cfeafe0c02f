//! A pipeline ends with whatever went wrong, wherever that was, and never waits for ever.

use burn::tensor::Tensor;
use sll_core::chain::{Chain, Handed, Link};
use sll_core::laws::{batch, descent, one_thread, small_mlp};
use sll_core::optim::Updater;
use sll_core::pipeline::Pipeline;
use sll_core::rule::{Batch, LearningRule, StepCost, StepReport};
use sll_core::{Cut, Error, Network, Result};
use std::ops::Range;
use std::sync::mpsc::channel;
use std::time::Duration;

/// What happens at a unit in a step.
#[derive(Clone, Copy, PartialEq)]
enum Fault {
    None,
    Error,
    Panic,
}

/// Runs units and moves nothing, until a fault in unit `unit` at step `step`.
struct Faulty {
    units: Vec<Range<usize>>,
    fault: Fault,
    unit: usize,
    step: u64,
}

struct FaultyUnit {
    layers: Range<usize>,
    fault: Fault,
    step: u64,
}

impl Link for FaultyUnit {
    fn layers(&self) -> Range<usize> {
        self.layers.clone()
    }

    fn step(&mut self, mut handed: Handed, net: &mut Network, _: &mut Updater) -> Result<Handed> {
        if handed.batch.step == self.step {
            match self.fault {
                Fault::None => {}
                Fault::Error => return Err(Error::setting("unit", self.layers.start, "is faulty")),
                Fault::Panic => panic!("unit {} is faulty", self.layers.start),
            }
        }
        handed.batch.x = net.forward_plain(self.layers.clone(), handed.batch.x.clone(), &handed.batch.pass());
        handed.loss = Some(Tensor::from_floats([handed.batch.step as f32], &handed.batch.x.device()));
        Ok(handed)
    }
}

impl LearningRule for Faulty {
    fn step(&mut self, _: &mut Network, _: &Batch, _: &mut Updater) -> Result<StepReport> {
        unreachable!("only its chain is run")
    }

    fn chain(&mut self) -> Option<Chain<'_>> {
        let unit = |(index, layers): (usize, &Range<usize>)| -> Box<dyn Link> {
            let fault = if index == self.unit { self.fault } else { Fault::None };
            Box::new(FaultyUnit { layers: layers.clone(), fault, step: self.step })
        };
        Some(self.units.iter().enumerate().map(unit).collect())
    }

    fn cut(&self) -> Cut {
        Cut::EveryLayer
    }

    fn cost(&self, _: &Network, _: usize) -> StepCost {
        StepCost::default()
    }
}

/// The outcome of `steps` steps, or of the time in which they must end, and the losses that were reported.
fn run(fault: Fault, unit: usize, stop_at: Option<f32>) -> (std::thread::Result<Result<u64>>, Vec<f32>) {
    one_thread();
    let (done, outcome) = channel();
    std::thread::spawn(move || {
        let mut net = small_mlp(3);
        let mut rule = Faulty { units: net.units(Cut::EveryLayer).unwrap(), fault, unit, step: 7 };
        let batches: Vec<Batch> = (0..20).map(|step| batch(&net, step)).collect();
        let (mut batches, mut losses) = (batches.into_iter(), Vec::new());
        let work = std::panic::AssertUnwindSafe(|| {
            let source = || Ok::<_, Error>(batches.next().map(|batch| (batch, 0.1)));
            let sink = |report: StepReport| {
                losses.push(report.loss.into_scalar::<f32>());
                match stop_at == losses.last().copied() {
                    true => Err(Error::setting("sink", "full", "is enough")),
                    false => Ok(()),
                }
            };
            let spent = Pipeline::new(3)?.train(&mut rule, &mut net, &mut descent(), source, sink);
            assert!(net.depth() == 4 && net.params() == small_mlp(3).params(), "the layers are back");
            spent.map(|spent| spent.steps)
        });
        let outcome = std::panic::catch_unwind(work);
        done.send((outcome, losses)).unwrap();
    });
    outcome.recv_timeout(Duration::from_secs(60)).expect("it ends")
}

#[test]
fn reports_come_in_order_and_all_steps_are_made() {
    let (outcome, losses) = run(Fault::None, 0, None);
    assert_eq!(outcome.unwrap().unwrap(), 20);
    assert_eq!(losses, (0..20).map(|step| step as f32).collect::<Vec<_>>());
}

#[test]
fn an_error_or_a_panic_in_any_unit_ends_it_with_that_one() {
    for unit in 0..4 {
        let (outcome, losses) = run(Fault::Error, unit, None);
        assert!(outcome.unwrap().unwrap_err().to_string().contains("is faulty"));
        assert!(losses.len() <= 7, "{losses:?}");
        let (outcome, losses) = run(Fault::Panic, unit, None);
        let text = outcome.unwrap_err().downcast_ref::<String>().cloned().unwrap();
        assert!(text == format!("unit {unit} is faulty") && losses.len() <= 7, "{text}");
    }
}

#[test]
fn who_takes_the_reports_can_stop_it() {
    let (outcome, losses) = run(Fault::None, 0, Some(4.0));
    assert!(outcome.unwrap().unwrap_err().to_string().contains("is enough"));
    assert_eq!(losses, [0.0, 1.0, 2.0, 3.0, 4.0]);
}

#[test]
fn there_is_at_least_one_worker() {
    assert!(Pipeline::new(0).err().unwrap().to_string().contains("pipeline"));
}
