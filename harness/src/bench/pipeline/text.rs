//! The page of units trained at once.

use super::figure::names;
use super::{PipelineBench, PipelinedNetwork, Way};
use crate::atomic::write_atomically;
use crate::error::Result;
use crate::report::grid::{Grid, escape};
use crate::units::MIB;
use std::path::{Path, PathBuf};

/// Writes `README.md` and says where it is.
pub fn write(found: &PipelineBench, dir: &Path) -> Result<PathBuf> {
    let path = dir.join("README.md");
    write_atomically(&path, render(found).as_bytes())?;
    Ok(path)
}

/// The text.
pub fn render(found: &PipelineBench) -> String {
    let place = &found.provenance;
    let mut text = format!(
        "# Units trained at once\n\nDevice {} · on {} · threads {} · harness {} · with {} · `{}`\n",
        place.device,
        escape(&place.hardware),
        place.threads,
        escape(&place.harness),
        place.backend,
        found.command
    );
    for measured in &found.networks {
        let units: Vec<String> = measured.units.iter().map(|seconds| format!("{:.2}", 1e3 * seconds)).collect();
        text += &format!("\n## {} on {}\n\n{}", measured.rule, measured.title, table(measured, place.threads));
        text += &format!("\nMilliseconds of one worker in each unit: {}.\n\n", units.join(", "));
        text += &format!("{}\n{}", bounds(measured), schedule(measured));
        for name in names(measured) {
            text += &format!("\n![{name}]({name}.svg)\n");
        }
    }
    text + MEANING
}

const MEANING: &str = "\n## What a number means\n
- **Workers** carry a batch each through all units, one thread each; a unit takes batches in order, so that the numbers
  are the serial run's, bit for bit. **Threads** work together on one operation after the other, each on a part of the
  batch or of the outputs; so are BP's.
- **Step:** milliseconds from one step to the next, batches of noise that lie in memory, Adam, losses read: the median
  of bursts, in brackets the quartiles; filling and emptying the pipeline is in it. All ways were measured in turns.
- **Gain:** times as many images a second as the same rule's serial step with all threads.
- **Bound:** the gain if units took no longer than one worker alone takes in them, and no worker waited: the serial
  step's time divided by the larger of two times, all units' shared among as many cores as there are workers (as there
  are threads, if workers are more), and the slowest unit's.
- **Slowed:** times as long that a unit takes while the other workers run, as it takes one worker alone: what cores
  share, such as memory and caches. The gain is below the bound by that, and by what workers wait.
- **Step memory:** the most bytes held at once above parameters, optimiser state and fixed matrices: activations,
  gradients, temporaries of all batches under way.
- **Cores** and **devices** are simulated from the units' milliseconds. Cores carry batches and reach all weights: a
  step takes the larger of the sum over N and the slowest unit. Devices own runs of units, as even as they can be cut,
  and hand batches on at no cost: a step takes the slowest run. Neither knows that cores share caches and memory.
";

fn table(measured: &PipelinedNetwork, threads: usize) -> String {
    let mut grid = Grid::new(["way", "step, ms", "images/s", "gain", "bound", "slowed", "step memory, MiB"]);
    let times = |value: Option<f64>| value.map_or(String::new(), |value| format!("{value:.2}"));
    for line in &measured.lines {
        let way = match line.way {
            Way::Bp => format!("BP, {threads} threads"),
            Way::Serial => format!("{}, {threads} threads", measured.rule),
            Way::Pipeline(1) => format!("{}, 1 worker", measured.rule),
            Way::Pipeline(workers) => format!("{}, {workers} workers", measured.rule),
        };
        let [low, median, high] = [line.step.low, line.step.median, line.step.high].map(|seconds| 1e3 * seconds);
        grid.push(vec![
            way,
            format!("{median:.2} [{low:.2}, {high:.2}]"),
            format!("{:.0}", measured.images(line)),
            times(measured.gain(line)),
            times(measured.bound(line)),
            times(measured.slowed(line)),
            format!("{:.1}", line.peak as f64 / MIB),
        ]);
    }
    grid.to_string()
}

/// What bounds the gain of as many workers as the serial step has threads, in a sentence.
fn bounds(measured: &PipelinedNetwork) -> String {
    let Some(serial) = measured.line(Way::Serial) else { return String::new() };
    let (threads, serial, alone) = (measured.threads, serial.step.median, measured.alone());
    let slowest = measured.units.iter().copied().fold(0.0, f64::max);
    format!(
        "On {threads} cores the gain is at most {threads} x {serial:.2} / {alone:.2} = {:.2}, since {threads} threads \
         make a serial step {:.2} times as fast as one worker, and at most {serial:.2} / {slowest:.2} = {:.2} by the \
         slowest unit.\n",
        threads as f64 * serial / alone,
        alone / serial,
        serial / slowest,
        serial = 1e3 * serial,
        alone = 1e3 * alone,
        slowest = 1e3 * slowest,
    )
}

fn schedule(measured: &PipelinedNetwork) -> String {
    let mut grid = Grid::new(["N", "N cores, images/s", "gain on 1", "N devices, images/s", "gain on 1"]);
    for n in 1..=measured.units.len() {
        let (cores, devices) = (measured.cores(n), measured.devices(n));
        let gain = |rate: f64, one: f64| format!("{:.2}", rate / one);
        grid.push(vec![
            n.to_string(),
            format!("{cores:.0}"),
            gain(cores, measured.cores(1)),
            format!("{devices:.0}"),
            gain(devices, measured.devices(1)),
        ]);
    }
    grid.to_string()
}

#[cfg(test)]
mod tests {
    use super::super::tests::found;
    use super::*;

    #[test]
    fn the_page_has_what_was_measured_and_what_was_simulated() {
        let text = render(&found());
        for part in [
            "BP, ",
            "SLL, 2 workers",
            "| 1.40 | 1.40  | 1.10   | 6.0 |",
            "4.00, 5.00, 1.00",
            "at most 2 x 7.00 / 10.00 = 1.40, since 2 threads make a serial step 1.43 times as fast",
            "at most 7.00 / 5.00 = 1.40 by the slowest unit",
            "(throughput-mlp.svg)",
        ] {
            assert!(text.contains(part), "no `{part}` in\n{text}");
        }
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(std::fs::read_to_string(write(&found(), dir.path()).unwrap()).unwrap(), text);
    }
}
