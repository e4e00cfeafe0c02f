//! The page of a bench.

use super::record::{Asked, Bench, Loading, NetworkTimes, Parts, Quartiles, RuleTimes};
use crate::atomic::write_atomically;
use crate::error::Result;
use crate::report::grid::{Grid, escape, grouped};
use std::path::{Path, PathBuf};

/// Where there is no number.
const NONE: &str = "—";

/// Writes `README.md` and says where it is.
pub fn write(bench: &Bench, dir: &Path) -> Result<PathBuf> {
    let path = dir.join("README.md");
    let text = render(bench);
    write_atomically(&path, text.as_bytes())?;
    Ok(path)
}

/// The text.
pub fn render(bench: &Bench) -> String {
    let place = &bench.provenance;
    let pytorch = match &bench.pytorch {
        Ok(version) => format!("PyTorch {version}, eager, as many threads"),
        Err(why) => format!("without PyTorch: {why}"),
    };
    let mut text = format!(
        "# Time of a training step\n\nDevice {} · on {} · threads {} · harness {} · with {} · {} · `{}`\n",
        place.device,
        escape(&place.hardware),
        place.threads,
        escape(&place.harness),
        place.backend,
        escape(&pytorch),
        bench.command
    );
    for network in &bench.networks {
        text += &format!("\n## {}\n\n{}\n{}", network.title, rates(network), table(&network.lines));
        text += &asked(&network.lines);
        text += &reasons(&network.lines);
    }
    if !bench.networks.is_empty() {
        text += "\n![Steps against PyTorch's BP](bench.svg)\n";
    }
    let counted = bench.networks.iter().flat_map(|network| &network.lines).any(|line| line.asked[0].is_some());
    let calls = if counted { MEANING_OF_CALLS } else { "" };
    text + &loading(&bench.loading) + &runs(&bench.runs) + MEANING + calls
}

const MEANING: &str = "\n## What a number means\n
- **Step:** milliseconds of one training step on one batch of noise that lies on the device, Adam, f32, the loss read
  at its end: the median, in brackets the quartiles. All numbers of a row were measured in turns, in bursts of some
  steps, ours and PyTorch's, so that what else the machine did met all of them; a burst's first step, which finds
  caches and threads cold, does not count where steps are fast.
- **PyTorch** is eager, written plainly (`scripts/reference`), `torch.optim.Adam` as it is by default; *fused* is the
  same with `fused=True`.
- **Floor:** the step's multiply-accumulates over the rate of products of this network's shapes (the faster of our
  tensor library's and PyTorch's), plus the bytes that Adam moves (parameters, gradients and two moments read,
  parameters and moments written) over the rate of copies, with as many threads, measured just before.
- **MACs / BP's:** multiply-accumulates as counted where they are done, over BP's. **Time over work** is the rule's time
  over BP's, over that share: 1 is as fast as its work allows, beside BP.
- **Added** by the harness is what a run spends neither in steps nor in predicting the test images: making batches,
  reading losses, counting, writing checkpoints; its start aside.
";

const MEANING_OF_CALLS: &str = "\
- **Calls** of LibTorch's operators in a step, reading the loss included, as LibTorch tells them to its observers, ours
  and in PyTorch alike: those from outside, not what an operator calls in turn. **Work** are those of them that launch
  something on a GPU: no views, no requests for memory, and not PyTorch's counters of steps, which lie on the host.
- **Waits** of the host for a GPU: values read back, sizes that depend on values, copies to and from the device. On the
  CPU they are known by the operators' names; nothing waits there. One is the reading of the loss.
";

fn ms(seconds: f64) -> String {
    let ms = 1e3 * seconds;
    format!("{ms:.*}", if ms < 10.0 { 2 } else { 1 })
}

fn step(spread: Option<Quartiles>) -> String {
    spread.map_or(NONE.into(), |s| format!("{} [{}, {}]", ms(s.median), ms(s.low), ms(s.high)))
}

fn median(spread: Option<Quartiles>) -> String {
    spread.map_or(NONE.into(), |s| ms(s.median))
}

fn ratio(value: Option<f64>) -> String {
    value.map_or(NONE.into(), |value| format!("{value:.2}"))
}

fn rates(network: &NetworkTimes) -> String {
    let giga = |rate: f64| format!("{:.0}", 2.0 * rate / 1e9);
    let theirs = network.products.1.map_or(String::new(), |rate| format!(", {} by PyTorch's", giga(rate)));
    format!(
        "Products of its shapes: {} GFLOP/s by our tensor library{theirs}; copies: {:.1} GB/s read and written.\n",
        giga(network.products.0),
        network.rates.bytes / 1e9
    )
}

fn table(lines: &[RuleTimes]) -> String {
    let mut grid = Grid::new([
        "rule",
        "step, ms",
        "steps",
        "/ PyTorch's BP",
        "/ same rule in PyTorch",
        "/ same, fused Adam",
        "PyTorch's BP, ms",
        "PyTorch's same, ms",
        "its fused, ms",
        "floor, ms",
        "/ floor",
        "MACs / BP's",
        "time over work",
    ]);
    for line in lines.iter().filter(|line| line.missing.is_none()) {
        grid.push(vec![
            escape(line.rule),
            step(line.ours),
            line.ours.map_or(NONE.into(), |spread| spread.n.to_string()),
            ratio(line.over_torch_bp()),
            ratio(line.over_torch()),
            ratio(line.over_fused()),
            median(line.torch_bp),
            median(line.torch),
            median(line.fused),
            ms(line.floor),
            ratio(line.over_floor()),
            ratio(Some(line.share())),
            ratio(line.over_share()),
        ]);
    }
    grid.to_string()
}

/// What steps ask of LibTorch; nothing where that was not counted.
fn asked(lines: &[RuleTimes]) -> String {
    let mut grid = Grid::new([
        "rule",
        "calls",
        "PyTorch's",
        "its fused",
        "work",
        "PyTorch's",
        "its fused",
        "waits",
        "PyTorch's",
        "its fused",
    ]);
    let number = |value: Option<u64>| value.map_or(NONE.into(), |value| value.to_string());
    for line in lines.iter().filter(|line| line.asked[0].is_some()) {
        let of: [fn(&Asked) -> u64; 3] = [|asked| asked.calls, |asked| asked.work, |asked| asked.waits];
        let cells = of.iter().flat_map(|of| line.asked.iter().map(move |asked| number(asked.as_ref().map(of))));
        grid.push(std::iter::once(escape(line.rule)).chain(cells).collect());
    }
    if grid.is_empty() { String::new() } else { format!("\nWhat a step asks of LibTorch:\n\n{grid}") }
}

fn reasons(lines: &[RuleTimes]) -> String {
    let each = lines.iter().filter_map(|line| Some(format!("- {}: {}\n", line.rule, escape(line.missing.as_ref()?))));
    let each: String = each.collect();
    if each.is_empty() { each } else { format!("\nNot on this network:\n\n{each}") }
}

fn loading(found: &[Loading]) -> String {
    let mut grid = Grid::new(["data set", "augmentation", "images a second"]);
    for line in found {
        grid.push(vec![line.dataset.clone(), line.augmentation.into(), grouped(line.rate as u64)]);
    }
    if grid.is_empty() { String::new() } else { format!("\n## Loading\n\n{grid}") }
}

fn runs(found: &[Parts]) -> String {
    let mut grid =
        Grid::new(["run", "seconds", "start", "data", "steps", "evaluation", "checkpoints", "rest", "added"]);
    for parts in found {
        let seconds =
            [parts.total, parts.start, parts.data, parts.steps, parts.evaluation, parts.checkpoint, parts.rest()];
        let mut line = vec![parts.title.clone()];
        line.extend(seconds.map(|seconds| format!("{seconds:.3}")));
        line.push(format!("{:.1} %", parts.added()));
        grid.push(line);
    }
    if grid.is_empty() {
        String::new()
    } else {
        format!("\n## Around the steps\n\nSeconds of one epoch, its checkpoint included.\n\n{grid}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::record::tests::bench;

    /// Without the padding of its cells.
    fn rendered(bench: &Bench) -> String {
        render(bench).lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ") + "\n").collect()
    }

    #[test]
    fn every_number_stands_in_its_row_and_reasons_below() {
        let text = rendered(&bench());
        let sll =
            "| SLL | 20.0 [19.0, 21.0] | 3 | 1.00 | 1.33 | 2.00 | 20.0 | 15.0 | 10.0 | 16.0 | 1.25 | 0.67 | 0.75 |";
        assert!(text.contains(sll), "{text}");
        assert!(text.contains("180 GFLOP/s by our tensor library, 200 by PyTorch's; copies: 20.0 GB/s"), "{text}");
        assert!(
            text.contains("- DTP: needs \\| layers") && text.contains("123 456") && text.contains("| 5.6 % |"),
            "{text}"
        );
        assert!(text.contains("PyTorch 2.9.1") && text.contains("threads"), "{text}");
        assert!(text.contains("| SLL | 60 | 97 | 70 | 40 | 80 | 50 | 1 | 1 | 1 |"), "{text}");
    }

    #[test]
    fn without_pytorch_its_columns_are_empty_and_the_reason_is_told() {
        let mut bench = bench();
        bench.pytorch = Err("there is no python3".into());
        let line = &mut bench.networks[0].lines[1];
        (line.torch, line.torch_bp, line.fused) = (None, None, None);
        let text = rendered(&bench);
        assert!(text.contains("without PyTorch: there is no python3"), "{text}");
        assert!(
            text.contains("| SLL | 20.0 [19.0, 21.0] | 3 | — | — | — | — | — | — | 16.0 | 1.25 | 0.67 | 0.75 |"),
            "{text}"
        );
    }
}
