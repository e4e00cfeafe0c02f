//! Units trained at once against steps one after the other: `harness pipeline`.
//!
//! On each network, in turns: BP and a local rule with all threads, and the same rule by pipelines of more and more
//! workers, one thread each. The seconds that one worker spends in each unit make simulated schedules on more cores and
//! on more devices than there are. [`text`], [`parquet`] and [`figure`] write it.

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
use sll_core::pipeline::{Pipeline, simulate};
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
}

/// Measures the rule `info` on `case`, each way for about `time`; with as many workers as units and one more at the
/// most.
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
    let alone = Pipeline::new(1)?;
    let of = |&workers: &usize| Ok((Way::Pipeline(workers), Some(Pipeline::new(workers)?)));
    let pipelines = workers.iter().filter(|&&workers| workers <= units + 1).map(of);
    let ways: Vec<(Way, Option<Pipeline>)> =
        [Ok((Way::Bp, None)), Ok((Way::Serial, None))].into_iter().chain(pipelines).collect::<Result<_>>()?;
    let mut found: Vec<(Vec<f64>, u64)> = vec![(Vec::new(), 0); ways.len()];
    let mut seconds = vec![Vec::new(); units];
    let meter = device::meter(DeviceName::Flex);
    // The first round makes the optimisers' state, and finds caches and threads cold.
    for round in 0..=BURSTS {
        let mut burst = |way: Way, pipeline: Option<&Pipeline>, count: usize| -> Result<Duration> {
            match (way, pipeline) {
                (Way::Pipeline(_), Some(pipeline)) => Ok(together.burst(pipeline, count)?.0),
                (Way::Bp, _) => steps(&mut bp, count),
                _ => steps(&mut serial, count),
            }
        };
        for ((way, pipeline), (samples, peak)) in ways.iter().zip(&mut found) {
            let live = meter.live();
            meter.begin_step();
            let least = LEAST * if let Way::Pipeline(workers) = way { *workers } else { 1 };
            let count = match samples.first() {
                Some(step) => ((time.as_secs_f64() / BURSTS as f64 / step) as usize).max(least),
                None => least,
            };
            let took = burst(*way, pipeline.as_ref(), count)?.as_secs_f64() / count as f64;
            if round == 0 {
                continue;
            }
            samples.push(took);
            *peak = (*peak).max(meter.peak().saturating_sub(live.max(meter.live())) as u64);
            if interrupt::requested() {
                return Err(Error::Interrupted);
            }
        }
        let (_, spent) = together.burst(&alone, LEAST)?;
        if round > 0 {
            let of = |unit: &Duration| unit.as_secs_f64() / spent.steps as f64;
            seconds.iter_mut().zip(&spent.units).for_each(|(seconds, unit)| seconds.push(of(unit)));
        }
    }
    let median = |seconds: Vec<f64>| Quartiles::of(&seconds).map_or(0.0, |spread| spread.median);
    let line = |((way, _), (samples, peak)): (&(Way, _), (Vec<f64>, u64))| {
        Some(WayTimes { way: *way, step: Quartiles::of(&samples)?, peak })
    };
    Ok(PipelinedNetwork {
        title: case.title(),
        network: case.network.into(),
        batch: case.batch,
        rule: info.title.into(),
        units: seconds.into_iter().map(median).collect(),
        lines: ways.iter().zip(found).filter_map(line).collect(),
    })
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
        let line = |(way, median, peak)| WayTimes { way, step: spread(median), peak };
        let of = |network: &str, seconds: f64| PipelinedNetwork {
            title: format!("{network}, 1x28x28, batch 100"),
            network: network.into(),
            batch: 100,
            rule: "SLL".into(),
            units: vec![0.4 * seconds, 0.5 * seconds, 0.1 * seconds],
            lines: [
                (Way::Bp, 0.8 * seconds, 5 << 20),
                (Way::Serial, 0.7 * seconds, 3 << 20),
                (Way::Pipeline(1), seconds, 3 << 20),
                (Way::Pipeline(2), 0.5 * seconds, 6 << 20),
            ]
            .map(line)
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
        // Carrying is bound by the sum over two, owning by 0.5 + 0.1.
        assert!((mlp.cores(2) / 20_000.0 - 1.0).abs() < 0.01, "{}", mlp.cores(2));
        assert!((mlp.devices(2) / (100.0 / 0.006) - 1.0).abs() < 0.01, "{}", mlp.devices(2));
    }

    #[test]
    fn every_way_is_measured_in_turns_and_what_no_pipeline_trains_is_refused() {
        let case = Case { network: "mlp-2x800", batch: 4, batch_norm: false };
        let rule = |title: &str| baselines::rules().iter().find(|info| info.title == title).unwrap();
        let (bp, sll) = (rule("BP"), rule("SLL"));
        let found = measure(&case, (bp, sll), 1, &[1, 2, 9], Duration::ZERO).unwrap();
        let ways: Vec<Way> = found.lines.iter().map(|line| line.way).collect();
        assert_eq!(ways, [Way::Bp, Way::Serial, Way::Pipeline(1), Way::Pipeline(2)]);
        assert!(found.units.len() == 3 && found.units.iter().all(|&seconds| seconds > 0.0), "{:?}", found.units);
        assert!(found.lines.iter().all(|line| line.step.n == BURSTS && line.step.median > 0.0));
        let refused = measure(&case, (bp, rule("FA")), 1, &[2], Duration::ZERO).unwrap_err().to_string();
        assert!(refused.contains("FA") && refused.contains("at once"), "{refused}");
    }
}
