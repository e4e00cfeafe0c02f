//! Units trained at once against steps one after the other: `harness pipeline`.
//!
//! On each network, in turns: BP and a local rule with all threads, and the same rule by pipelines of more and more
//! workers, one thread each. The seconds that one worker spends in each unit make simulated schedules on more cores and
//! on more devices than there are, and with the serial step's a bound on what workers can gain. [`text`], [`parquet`]
//! and [`figure`] write it.

pub mod figure;
pub mod parquet;
pub mod text;

use super::case::Case;
use super::record::Quartiles;
use crate::error::{Error, Result};
use crate::record::Provenance;
use crate::spec::DeviceName;
use crate::step::Stepper;
use crate::{device, interrupt};
use baselines::RuleInfo;
use sll_core::pipeline::{Pipeline, Spent, simulate};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// Bursts of each way: filling and emptying a pipeline belongs to them, as it does to an epoch.
const BURSTS: usize = 5;
/// Steps of a burst at least, for each worker.
const LEAST: usize = 4;
/// Steps of a simulated run.
const SIMULATED: usize = 1000;

/// All that was measured.
#[derive(Clone, Debug)]
pub struct PipelineBench {
    /// The command that makes it again.
    pub command: String,
    /// Where and with what.
    pub provenance: Provenance,
    /// Each network.
    pub networks: Vec<PipelinedNetwork>,
}

/// One network with one rule.
#[derive(Clone, Debug, PartialEq)]
pub struct PipelinedNetwork {
    /// The network with its input and batch.
    pub title: String,
    /// Its name.
    pub network: String,
    /// Samples a step.
    pub batch: usize,
    /// The rule's title.
    pub rule: String,
    /// Threads of the steps that are made one after the other.
    pub threads: usize,
    /// Seconds of a step in each unit, of one worker alone.
    pub units: Vec<f64>,
    /// What was measured.
    pub lines: Vec<WayTimes>,
}

/// How steps are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// BP, with all threads in every operation.
    Bp,
    /// The rule likewise, one step after the other.
    Serial,
    /// The rule by so many workers.
    Pipeline(usize),
}

/// What was measured of one way.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WayTimes {
    /// The way.
    pub way: Way,
    /// Seconds a step.
    pub step: Quartiles,
    /// Seconds a step that workers spent in units, all of them together; none where there are no workers.
    pub busy: Option<f64>,
    /// The most bytes held at once, above what stands between steps.
    pub peak: u64,
}

impl PipelinedNetwork {
    /// The line of `way`.
    pub fn line(&self, way: Way) -> Option<&WayTimes> {
        self.lines.iter().find(|line| line.way == way)
    }

    /// Images a second by `workers` cores that carry batches through all units, as simulated.
    pub fn cores(&self, workers: usize) -> f64 {
        self.rate(simulate::carried(&self.units, workers, SIMULATED))
    }

    /// The same by as many devices that own units.
    pub fn devices(&self, workers: usize) -> f64 {
        self.rate(simulate::handed(&self.units, workers, SIMULATED))
    }

    fn rate(&self, seconds: f64) -> f64 {
        (self.batch * SIMULATED) as f64 / seconds
    }

    /// Images a second of `line`.
    pub fn images(&self, line: &WayTimes) -> f64 {
        self.batch as f64 / line.step.median
    }

    /// Times the images a second that the serial step with all threads makes.
    pub fn gain(&self, line: &WayTimes) -> Option<f64> {
        Some(self.line(Way::Serial)?.step.median / line.step.median)
    }

    /// The gain of workers of which as many run at once as the serial step has threads, if a unit took as long then as
    /// it takes one worker alone, and nobody waited but for the slowest unit.
    pub fn bound(&self, line: &WayTimes) -> Option<f64> {
        let Way::Pipeline(workers) = line.way else { return None };
        let at_once = workers.min(self.threads) as f64;
        let slowest = self.units.iter().copied().fold(0.0, f64::max);
        Some(self.line(Way::Serial)?.step.median / (self.alone() / at_once).max(slowest))
    }

    /// Seconds a step that one worker alone spends in units.
    pub fn alone(&self) -> f64 {
        self.units.iter().sum()
    }

    /// Times as long that units take as they take one worker alone.
    pub fn slowed(&self, line: &WayTimes) -> Option<f64> {
        Some(line.busy? / self.alone())
    }
}

/// Measures the rule `info` on `case`, each way for about `time`; with one worker and each number of `workers`, as many
/// as units and one more at the most.
pub fn measure(
    case: &Case,
    (bp, info): (&RuleInfo, &RuleInfo),
    threads: usize,
    workers: &[usize],
    time: Duration,
) -> Result<PipelinedNetwork> {
    let stepper = |info: &RuleInfo| Stepper::new(&case.spec(info.settings, DeviceName::Flex, threads), 0);
    let (mut bp, mut serial, mut together) = (stepper(bp)?, stepper(info)?, stepper(info)?);
    let units = together.units();
    if units == 0 {
        return Err(Error::Input(format!(
            "--rule {}: its units cannot be trained at once; take SLL or LLS",
            info.title
        )));
    }
    let workers: BTreeSet<usize> = workers.iter().copied().filter(|&n| n <= units + 1).chain([1]).collect();
    let of = |workers| Ok((Way::Pipeline(workers), Some(Pipeline::new(workers)?)));
    let ways: Vec<(Way, Option<Pipeline>)> = [Ok((Way::Bp, None)), Ok((Way::Serial, None))]
        .into_iter()
        .chain(workers.into_iter().map(of))
        .collect::<Result<_>>()?;
    let mut found: Vec<Samples> = vec![Samples::default(); ways.len()];
    let mut alone = vec![Vec::new(); units];
    let meter = device::meter(DeviceName::Flex);
    // The first round makes the optimisers' state, and finds caches and threads cold.
    for round in 0..=BURSTS {
        let mut burst = |way: Way, pipeline: Option<&Pipeline>, count: usize| -> Result<(Duration, Option<Spent>)> {
            match (way, pipeline) {
                (Way::Pipeline(_), Some(pipeline)) => {
                    together.burst(pipeline, count).map(|(took, spent)| (took, Some(spent)))
                }
                (Way::Bp, _) => Ok((steps(&mut bp, count)?, None)),
                _ => Ok((steps(&mut serial, count)?, None)),
            }
        };
        for ((way, pipeline), samples) in ways.iter().zip(&mut found) {
            let live = meter.live();
            meter.begin_step();
            let least = LEAST * if let Way::Pipeline(workers) = way { *workers } else { 1 };
            let count = match samples.step.first() {
                Some(step) => ((time.as_secs_f64() / BURSTS as f64 / step) as usize).max(least),
                None => least,
            };
            let (took, spent) = burst(*way, pipeline.as_ref(), count)?;
            if round == 0 {
                continue;
            }
            let per_step = |took: &Duration| took.as_secs_f64() / count as f64;
            samples.step.push(per_step(&took));
            samples.peak = samples.peak.max(meter.peak().saturating_sub(live.max(meter.live())) as u64);
            if let Some(spent) = spent {
                samples.busy.push(spent.units.iter().map(per_step).sum());
                if *way == Way::Pipeline(1) {
                    alone.iter_mut().zip(&spent.units).for_each(|(seconds, unit)| seconds.push(per_step(unit)));
                }
            }
            if interrupt::requested() {
                return Err(Error::Interrupted);
            }
        }
    }
    let median = |seconds: &Vec<f64>| Quartiles::of(seconds).map(|spread| spread.median);
    let line = |((way, _), samples): (&(Way, _), Samples)| {
        let (step, busy) = (Quartiles::of(&samples.step)?, median(&samples.busy));
        Some(WayTimes { way: *way, step, busy, peak: samples.peak })
    };
    Ok(PipelinedNetwork {
        title: case.title(),
        network: case.network.into(),
        batch: case.batch,
        rule: info.title.into(),
        threads,
        units: alone.iter().filter_map(median).collect(),
        lines: ways.iter().zip(found).filter_map(line).collect(),
    })
}

/// What the bursts of one way gave.
#[derive(Clone, Default)]
struct Samples {
    /// Seconds a step.
    step: Vec<f64>,
    /// Seconds a step in units.
    busy: Vec<f64>,
    /// The most bytes.
    peak: u64,
}

fn steps(stepper: &mut Stepper, count: usize) -> Result<Duration> {
    let started = Instant::now();
    for _ in 0..count {
        stepper.step()?;
    }
    Ok(started.elapsed())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::record::example;

    /// Two networks of made-up numbers.
    pub(crate) fn found() -> PipelineBench {
        let spread = |median: f64| Quartiles { n: 5, low: 0.9 * median, median, high: 1.1 * median };
        // Units take a tenth longer where two workers run.
        let busy = |way| match way {
            Way::Bp | Way::Serial => None,
            Way::Pipeline(1) => Some(1.0),
            Way::Pipeline(_) => Some(1.1),
        };
        let line = |(way, median, peak), unit| WayTimes {
            way,
            step: spread(median),
            busy: busy(way).map(|times| times * unit),
            peak,
        };
        let of = |network: &str, seconds: f64| PipelinedNetwork {
            title: format!("{network}, 1x28x28, batch 100"),
            network: network.into(),
            batch: 100,
            rule: "SLL".into(),
            threads: 2,
            units: vec![0.4 * seconds, 0.5 * seconds, 0.1 * seconds],
            lines: [
                (Way::Bp, 0.8 * seconds, 5 << 20),
                (Way::Serial, 0.7 * seconds, 3 << 20),
                (Way::Pipeline(1), seconds, 3 << 20),
                (Way::Pipeline(2), 0.5 * seconds, 6 << 20),
            ]
            .map(|way| line(way, seconds))
            .to_vec(),
        };
        let provenance = example::run(0, 97.0).provenance;
        PipelineBench {
            command: "harness pipeline".into(),
            provenance,
            networks: vec![of("mlp", 0.01), of("vit", 0.1)],
        }
    }

    #[test]
    fn rates_and_gains_are_those_of_the_medians_and_of_the_units() {
        let found = found();
        let mlp = &found.networks[0];
        let two = mlp.line(Way::Pipeline(2)).unwrap();
        assert!((mlp.images(two) - 20_000.0).abs() < 1e-6 && (mlp.gain(two).unwrap() - 1.4).abs() < 1e-9);
        // Half of 10 ms, which no unit of 5 ms exceeds; three workers have no third core.
        assert!((mlp.bound(two).unwrap() - 1.4).abs() < 1e-9 && mlp.bound(&mlp.lines[1]).is_none());
        assert!((mlp.bound(&WayTimes { way: Way::Pipeline(3), ..*two }).unwrap() - 1.4).abs() < 1e-9);
        let slow = PipelinedNetwork { units: vec![0.008, 0.002], ..mlp.clone() };
        assert!((slow.bound(two).unwrap() - 0.875).abs() < 1e-9, "the slowest unit bounds it");
        assert!((mlp.slowed(two).unwrap() - 1.1).abs() < 1e-9);
        // Carrying is bound by the sum over two, owning by 0.5 + 0.1.
        assert!((mlp.cores(2) / 20_000.0 - 1.0).abs() < 0.01, "{}", mlp.cores(2));
        assert!((mlp.devices(2) / (100.0 / 0.006) - 1.0).abs() < 0.01, "{}", mlp.devices(2));
    }

    #[test]
    fn every_way_is_measured_in_turns_and_what_no_pipeline_trains_is_refused() {
        let case = Case { network: "mlp-2x800", batch: 4, batch_norm: false };
        let rule = |title: &str| baselines::rules().iter().find(|info| info.title == title).unwrap();
        let (bp, sll) = (rule("BP"), rule("SLL"));
        let found = measure(&case, (bp, sll), 1, &[2, 9], Duration::ZERO).unwrap();
        let ways: Vec<Way> = found.lines.iter().map(|line| line.way).collect();
        assert_eq!(ways, [Way::Bp, Way::Serial, Way::Pipeline(1), Way::Pipeline(2)]);
        assert!(found.units.len() == 3 && found.units.iter().all(|&seconds| seconds > 0.0), "{:?}", found.units);
        assert!(found.lines.iter().all(|line| line.step.n == BURSTS && line.step.median > 0.0));
        let busy: Vec<Option<f64>> = found.lines.iter().map(|line| line.busy).collect();
        assert!(busy[..2] == [None; 2] && busy[2..].iter().all(|busy| busy.unwrap() > 0.0), "{busy:?}");
        let refused = measure(&case, (bp, rule("FA")), 1, &[2], Duration::ZERO).unwrap_err().to_string();
        assert!(refused.contains("FA") && refused.contains("at once"), "{refused}");
    }
}
