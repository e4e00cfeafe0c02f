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
        text += &format!("\nMilliseconds of one worker in each unit: {}.\n\n{}", units.join(", "), schedule(measured));
        for name in names(measured) {
            text += &format!("\n![{name}]({name}.svg)\n");
        }
    }
    text + MEANING
}

const MEANING: &str = "\n## What a number means\n
- **Workers** carry a batch each through all units, one thread each; a unit takes batches in order, so that the numbers
  are the serial run's, bit for bit. **Threads** work together on one operation after the other, each on a part of the
  batch or of the outputs.
- **Step:** milliseconds from one step to the next, batches of noise that lie in memory, Adam, losses read: the median
  of bursts, in brackets the quartiles; filling and emptying the pipeline is in it. All ways were measured in turns.
- **Gain:** times as many images a second as the same rule's serial step with all threads.
- **Step memory:** the most bytes held at once above parameters, optimiser state and fixed matrices: activations,
  gradients, temporaries of all batches under way.
- **Cores** and **devices** are simulated from the units' milliseconds. Cores carry batches and reach all weights: a
  step takes the larger of the sum over N and the slowest unit. Devices own runs of units, as even as they can be cut,
  and hand batches on at no cost: a step takes the slowest run. Neither knows that cores share caches and memory.
";

fn table(measured: &PipelinedNetwork, threads: usize) -> String {
    let mut grid = Grid::new(["way", "step, ms", "images/s", "gain", "step memory, MiB"]);
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
            measured.gain(line).map_or(String::new(), |gain| format!("{gain:.2}")),
            format!("{:.1}", line.peak as f64 / MIB),
        ]);
    }
    grid.to_string()
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
        for part in ["BP, ", "SLL, 2 workers", "| 1.40 |", "6.0", "4.00, 5.00, 1.00", "(throughput-mlp.svg)"] {
            assert!(text.contains(part), "no `{part}` in\n{text}");
        }
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(std::fs::read_to_string(write(&found(), dir.path()).unwrap()).unwrap(), text);
    }
}
