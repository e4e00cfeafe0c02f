//! How fast steps go: timed in processes of this program, as runs will be, or scaled from those that were.

use super::crew::Crew;
use crate::error::{Error, Result};
use crate::interrupt;
use crate::pool::{this_program, told};
use crate::spec::{MemorySpec, Request};
use crate::step::Stepper;
use serde::{Deserialize, Serialize};
use sll_core::Network;
use std::collections::HashMap;
use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A step of more multiply-accumulates than this is timed on fewer samples.
const WORK: u64 = 8_000_000_000;
/// But never on fewer than these: rules compare samples.
const FEWEST: usize = 8;
/// Each step is timed for about this long, where its plan has time for all.
const EACH: Duration = Duration::from_millis(150);
/// Images predicted to time prediction.
const PREDICTED: usize = 128;
/// Bytes that a process may take to time steps. What needs more would be drawn for longer than an estimate is worth,
/// and beside runs that are under way.
pub const MOST: usize = 4 << 30;
/// After so many processes in a row that ended at their first step the others of their share are left untried.
const FAILURES: usize = 3;

/// The pace of one network and rule, in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Pace {
    /// A step.
    pub step: f64,
    /// A step of the epochs in which the rule prepares.
    pub preparing: f64,
    /// Predicting an image.
    pub image: f64,
    /// Building everything, twice, since a run warms up on objects that it throws away, with their first steps.
    pub start: f64,
    /// Writing a checkpoint.
    pub checkpoint: f64,
    /// Bytes of a checkpoint.
    pub state: f64,
    /// Bytes of tensors, where rule and layers are modelled.
    pub bytes: Option<u64>,
    /// Multiply-accumulates of a step's sample; with the bytes all that is known of what was not timed.
    pub macs: f64,
}

impl Pace {
    /// The same network with another rule that does `macs`, or on another number of samples.
    fn scaled(self, macs: f64, samples: f64) -> Self {
        let factor = samples * macs / self.macs;
        Self { step: self.step * factor, preparing: self.preparing * factor, macs, ..self }
    }

    fn is_timed(&self) -> bool {
        self.step > 0.0
    }
}

/// Times `spec` as a run would go, its checkpoint in `folder`.
fn time(spec: &MemorySpec, folder: &Path) -> Result<Pace> {
    let started = Instant::now();
    let preparation = spec.rule.preparation().1;
    let stepper = Stepper::new(spec, preparation)?;
    let macs = stepper.cost().total();
    let bytes = stepper.bytes(spec);
    let batch = ((WORK / macs.max(1)) as usize).clamp(FEWEST.min(spec.batch), spec.batch);
    let mut stepper = if batch < spec.batch { stepper.with_batch(batch) } else { stepper };
    stepper.step()?;
    let start = 2.0 * started.elapsed().as_secs_f64();
    let samples = spec.batch as f64 / batch as f64;
    let step = samples * mean(&mut stepper)?;
    let image = stepper.predict(PREDICTED.min(batch)).as_secs_f64() / PREDICTED.min(batch) as f64;
    let saving = Instant::now();
    let path = folder.join("checkpoint");
    stepper.save(&path)?;
    let checkpoint = saving.elapsed().as_secs_f64();
    let state = path.metadata().map_err(|e| Error::file("read", &path, e))?.len() as f64;
    let preparing = match preparation {
        0 => step,
        _ => {
            stepper.set_epoch(0);
            samples * mean(&mut stepper)?
        }
    };
    Ok(Pace { step, preparing, image, start, checkpoint, state, bytes, macs: macs as f64 })
}

/// Mean seconds of a step, over two or more, or one that is slow.
fn mean(stepper: &mut Stepper) -> Result<f64> {
    let (mut steps, started) = (0, Instant::now());
    while steps < 2 || started.elapsed() < EACH {
        stepper.step()?;
        steps += 1;
        if started.elapsed() > 4 * EACH {
            break;
        }
    }
    Ok(started.elapsed().as_secs_f64() / f64::from(steps))
}

/// In a process of its own: tells `each` the pace of every one of `specs` in turn for `seconds`, then of the others
/// their work alone.
pub fn times(
    specs: &[MemorySpec],
    seconds: f64,
    results: &Path,
    each: &mut dyn FnMut(Pace) -> Result<()>,
) -> Result<()> {
    // Locked while it is in use: what a killed process leaves is swept up.
    let folder = tempfile::Builder::new().prefix(datasets::TEMPORARY).tempdir_in(results);
    let folder = folder.map_err(|e| Error::file("write in", results, e))?;
    let _held = std::fs::File::open(folder.path()).inspect(|folder| drop(folder.try_lock()));
    let started = Instant::now();
    let mut built: Option<(&MemorySpec, Network)> = None;
    for spec in specs {
        if started.elapsed().as_secs_f64() < seconds {
            each(time(spec, folder.path())?)?;
            continue;
        }
        let same = |of: &MemorySpec| (&of.network, of.image, of.classes) == (&spec.network, spec.image, spec.classes);
        if !built.as_ref().is_some_and(|(of, _)| same(of)) {
            let device = crate::device::open(spec.device)?;
            built = Some((spec, spec.network.build(spec.image, spec.classes, 0, &device)?));
        }
        let (_, net) = built.as_ref().expect("just built");
        let mut net = net.duplicate();
        let rule = spec.rule.init(&mut net, 0)?;
        let bytes = rule.memory(&net, spec.batch, &spec.optimizer()).map(|memory| memory.total());
        let macs = rule.cost(&net, spec.batch).total() as f64;
        each(Pace { macs, bytes, ..Pace::default() })?;
    }
    Ok(())
}

/// The paces of a plan.
pub struct Paces {
    found: HashMap<String, Pace>,
    /// Why there is none.
    untried: HashMap<String, String>,
}

/// A process that times; it ends with this value.
struct Timer(Child);

impl Timer {
    /// The paces that it gives until it ends, unless a signal comes first.
    fn answer(&mut self) -> Result<Vec<Pace>> {
        let output = self.0.stdout.take().expect("stdout is piped");
        let listener = std::thread::spawn(move || std::io::read_to_string(output).unwrap_or_default());
        while !listener.is_finished() {
            if interrupt::requested() {
                return Err(Error::Interrupted);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let said = listener.join().unwrap_or_default();
        Ok(said.lines().map_while(|line| serde_json::from_str(line).ok()).collect())
    }

    /// Why it ended before it was done.
    fn why(&mut self) -> String {
        match self.0.wait() {
            Ok(status) if status.signal() == Some(libc::SIGABRT) => {
                format!("to try it takes more than {} GiB", MOST >> 30)
            }
            Ok(status) => format!("the process that tried it: {}", told(status)),
            Err(error) => error.to_string(),
        }
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        // Errors mean that it has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Paces {
    /// Times each of `specs` once, by `crew`'s processes at once, for about `time`; what that leaves over is scaled by
    /// its multiply-accumulates from what was timed of the same network.
    pub fn measure(specs: &[MemorySpec], crew: Crew, time: Duration) -> Result<Self> {
        let specs = ordered(specs);
        let shares: Vec<Vec<&MemorySpec>> = (0..crew.jobs.max(1))
            .map(|job| specs.iter().skip(job).step_by(crew.jobs.max(1)).collect())
            .filter(|share: &Vec<_>| !share.is_empty())
            .collect();
        let started = Instant::now();
        let timers: Vec<Timer> = shares.iter().map(|share| start(share, crew, time)).collect::<Result<_>>()?;
        let (mut found, mut untried) = (HashMap::new(), HashMap::new());
        for (mut timer, share) in timers.into_iter().zip(&shares) {
            let (mut left, mut failures) = (&share[..], 0);
            // A process that ends early has lost the step that it was at, and another goes on behind that.
            loop {
                let paces = timer.answer()?;
                let (done, rest) = left.split_at(paces.len().min(left.len()));
                failures = if done.is_empty() { failures + 1 } else { 1 };
                found.extend(done.iter().map(|spec| spec.id()).zip(paces));
                let lost = if failures < FAILURES { rest.len().min(1) } else { rest.len() };
                let (lost, rest) = rest.split_at(lost);
                if let Some(why) = (!lost.is_empty()).then(|| timer.why()) {
                    untried.extend(lost.iter().map(|spec| (spec.id(), why.clone())));
                }
                if rest.is_empty() {
                    break;
                }
                left = rest;
                timer = start(left, crew, time.saturating_sub(started.elapsed()))?;
            }
        }
        Ok(Self { found: filled(&specs, found), untried })
    }

    /// The pace of `spec`, which was among those that were measured, or why there is none.
    pub fn of(&self, spec: &MemorySpec) -> std::result::Result<Pace, String> {
        let id = spec.id();
        let why = || self.untried.get(&id).cloned().unwrap_or_else(|| "it was not timed".into());
        self.found.get(&id).copied().ok_or_else(why)
    }
}

/// With what was only counted, not timed.
fn filled(specs: &[MemorySpec], mut found: HashMap<String, Pace>) -> HashMap<String, Pace> {
    let timed: Vec<(&MemorySpec, Pace)> = specs
        .iter()
        .filter_map(|spec| Some((spec, *found.get(&spec.id())?)))
        .filter(|(_, pace)| pace.is_timed())
        .collect();
    for spec in specs {
        let (macs, bytes) = match found.get(&spec.id()) {
            Some(pace) if !pace.is_timed() => (pace.macs, pace.bytes),
            _ => continue,
        };
        let same = |of: &MemorySpec| (&of.network, of.image, of.classes) == (&spec.network, spec.image, spec.classes);
        let near: Vec<&(&MemorySpec, Pace)> = timed.iter().filter(|(of, _)| same(of)).collect();
        let near = if near.is_empty() { timed.iter().collect() } else { near };
        let scaled = near.iter().map(|(of, pace)| pace.scaled(macs, spec.batch as f64 / of.batch as f64));
        let count = near.len() as f64;
        let sum = scaled.fold(Pace::default(), |a, b| Pace {
            step: a.step + b.step / count,
            preparing: a.preparing + b.preparing / count,
            image: a.image + b.image / count,
            start: a.start + b.start / count,
            checkpoint: a.checkpoint + b.checkpoint / count,
            state: a.state.max(b.state),
            bytes,
            macs,
        });
        found.insert(spec.id(), sum);
    }
    found
}

/// Each of `specs` once, the first of every network before the second of any, and so on.
fn ordered(specs: &[MemorySpec]) -> Vec<MemorySpec> {
    let mut seen = std::collections::HashSet::new();
    let mut turns: HashMap<String, usize> = HashMap::new();
    let mut all: Vec<(usize, &MemorySpec)> = Vec::new();
    for spec in specs.iter().filter(|spec| seen.insert(spec.id())) {
        let turn = turns.entry(format!("{:?} {:?}", spec.network, spec.image)).or_insert(0);
        all.push((*turn, spec));
        *turn += 1;
    }
    all.sort_by_key(|(turn, _)| *turn);
    all.into_iter().map(|(_, spec)| spec.clone()).collect()
}

fn start(share: &[&MemorySpec], crew: Crew, time: Duration) -> Result<Timer> {
    let mut command = Command::new(this_program()?);
    command.args(["pace", "--seconds", &time.as_secs_f64().to_string(), "--results"]).arg(crew.results);
    command.arg("--parent").arg(std::process::id().to_string());
    command.env("RAYON_NUM_THREADS", crew.threads.to_string());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().map_err(|e| Error::Missing(format!("cannot time steps: {e}")))?;
    let mut input = child.stdin.take().expect("stdin is piped");
    let timer = Timer(child);
    let text = serde_json::to_string(share).expect("plain data");
    input.write_all(text.as_bytes()).map_err(|e| Error::Failed(format!("cannot ask for times: {e}")))?;
    Ok(timer)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(network: &str, rule: &str, batch: usize) -> MemorySpec {
        let text = format!(
            "image = [1, 8, 8]\nclasses = 10\nbatch = {batch}\nnetwork = {{ name = \"mlp-2x800\", width = {network} \
             }}\n\
             rule = {{ name = \"{rule}\" }}"
        );
        MemorySpec::from_table(text.parse().unwrap(), "test").unwrap()
    }

    #[test]
    fn every_network_has_its_turn_before_any_has_a_second() {
        let all =
            [spec("16", "bp", 8), spec("16", "sll", 8), spec("16", "bp", 8), spec("32", "bp", 8), spec("32", "fa", 8)];
        assert_eq!(ordered(&all), [all[0].clone(), all[3].clone(), all[1].clone(), all[4].clone()]);
    }

    #[test]
    fn what_was_not_timed_is_scaled_by_its_work_within_its_network() {
        let all = [spec("16", "bp", 8), spec("32", "bp", 8), spec("16", "sll", 16)];
        let timed = |step, macs| Pace {
            step,
            preparing: step,
            image: 0.1,
            start: 1.0,
            checkpoint: 0.5,
            state: 8.0,
            bytes: None,
            macs,
        };
        let paces = [timed(1.0, 30.0), timed(99.0, 30.0), Pace { macs: 20.0, ..Pace::default() }];
        let found = all.iter().map(MemorySpec::id).zip(paces).collect();
        let paces = filled(&all, found);
        // Two thirds of the work of a sample, and twice the samples.
        let sll = paces[&all[2].id()];
        assert!((sll.step - 4.0 / 3.0).abs() < 1e-9 && sll.image == 0.1 && sll.macs == 20.0, "{sll:?}");
        assert_eq!(paces[&all[1].id()].step, 99.0);
    }

    #[test]
    fn a_step_is_timed_with_what_is_around_it_and_after_the_time_only_counted() {
        let folder = tempfile::tempdir().unwrap();
        let all = [spec("16", "softhebb", 8), spec("16", "bp", 8)];
        let times = |seconds: f64| {
            let mut found = Vec::new();
            super::times(&all, seconds, folder.path(), &mut |pace| {
                found.push(pace);
                Ok(())
            })
            .unwrap();
            found
        };
        let [hebb, bp] = times(f64::MIN_POSITIVE)[..] else { panic!("two paces") };
        assert!(!hebb.is_timed() && hebb.macs > 0.0 && !bp.is_timed());
        let timed = times(60.0);
        assert!(
            timed.iter().all(|p| p.step > 0.0 && p.image > 0.0 && p.start > 0.0 && p.checkpoint > 0.0),
            "{timed:?}"
        );
        // The first layer's weights at least, 64 by 16 numbers of four bytes.
        assert!(timed.iter().all(|p| p.state > 4.0 * 64.0 * 16.0), "{timed:?}");
        assert!(timed[0].preparing != timed[0].step && timed[1].preparing == timed[1].step, "{timed:?}");
    }
}
