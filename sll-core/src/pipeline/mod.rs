//! Units trained at once, on different batches, by a rule whose step is a [chain](crate::chain): layer-parallel
//! training.
//!
//! Each of `N` workers carries a batch from the first unit to the last and then fetches another one. Units take batches
//! in order: a worker waits at a unit until the batch before its own has left it. So every unit sees the batches of the
//! serial run in the order of the serial run, with the weights of the serial run: nothing is stale, and the result is
//! the same bit for bit. `N` batches are under way at once, each with the memory of one serial step.
//!
//! ```text
//! seconds a step = max(sum of all units' / N, the slowest unit's)
//! ```
//!
//! Workers that own a run of units and hand batches on, as devices with memories of their own must, take as long as the
//! slowest run; where all workers reach all weights, carrying batches needs no such balance. [`simulate`] has both.
//!
//! A worker is one thread, and tensor operations inside it use no other.

pub mod simulate;
mod turns;

use self::turns::{Turns, Unit};
use crate::chain::Handed;
use crate::error::{Error, Result};
use crate::memory::own_books;
use crate::network::Network;
use crate::optim::Updater;
use crate::rule::{Batch, LearningRule, StepReport};
use rayon::{ThreadPool, ThreadPoolBuilder};
use std::panic::resume_unwind;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::thread::ScopedJoinHandle;
use std::time::{Duration, Instant};

/// A batch with the learning rate of its step.
pub type Fed = (Batch, f64);

/// The workers.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use sll_core::optim::OptimizerConfig;
/// use sll_core::pipeline::Pipeline;
/// use sll_core::rule::{Batch, LearningRule};
/// use sll_core::{Error, NetworkSpec, sll::SllConfig};
///
/// let device = Device::flex();
/// let mut net = NetworkSpec { width: Some(8), ..NetworkSpec::named("mlp-2x800") }.build([1, 2, 2], 3, 0, &device)?;
/// let mut rule = SllConfig::default().init(&net, 0)?;
/// let mut updater = OptimizerConfig::default().init()?;
/// let batch = |step| Batch::new(Tensor::ones([2, 4], &device), vec![0, 2], step);
/// let (mut batches, mut losses) = ((0..5).map(|step| (batch(step), 0.1)), Vec::new());
/// Pipeline::new(2)?.train(&mut rule, &mut net, &mut updater, || Ok::<_, Error>(batches.next()), |report| {
///     losses.push(report.loss.into_scalar::<f32>());
///     Ok(())
/// })?;
/// assert!(losses.len() == 5 && losses[4] < losses[0]);
/// # Ok::<(), Error>(())
/// ```
pub struct Pipeline {
    workers: Vec<ThreadPool>,
}

/// What the workers did, all together.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Spent {
    /// Steps made.
    pub steps: u64,
    /// Making batches.
    pub batches: Duration,
    /// In each unit, from the first to the last.
    pub units: Vec<Duration>,
}

/// Where batches come from, and how many did.
struct Feed<S> {
    source: S,
    fed: u64,
    took: Duration,
}

impl Pipeline {
    /// `workers` workers.
    ///
    /// # Errors
    /// [`Error::Setting`] if there is to be none, or the system gives no more threads.
    pub fn new(workers: usize) -> Result<Self> {
        if workers == 0 {
            return Err(Error::setting("pipeline", 0, "needs at least one worker"));
        }
        let thread = |_| ThreadPoolBuilder::new().num_threads(1).start_handler(|_| own_books()).build();
        let workers_made: std::result::Result<_, _> = (0..workers).map(thread).collect();
        match workers_made {
            Ok(workers) => Ok(Self { workers }),
            Err(error) => Err(Error::setting("pipeline", workers, format!("{error}; take fewer workers"))),
        }
    }

    /// Number of workers.
    pub fn workers(&self) -> usize {
        self.workers.len()
    }

    /// One serial step, in the thread of a worker: with the bits of all others.
    ///
    /// # Errors
    /// As [`LearningRule::step`].
    pub fn in_order(
        &self,
        rule: &mut dyn LearningRule,
        net: &mut Network,
        batch: &Batch,
        updater: &mut Updater,
    ) -> Result<StepReport> {
        self.workers[0].install(|| rule.step(net, batch, updater))
    }

    /// Trains on batches of `source` until it gives none, and gives `sink` the reports, in order. Workers call `source`
    /// in turn; `sink` is called by the thread that calls this.
    ///
    /// # Errors
    /// The first error of `source`, of a unit or of `sink`; a panic goes on as one. All workers have stopped then. Lower
    /// units may have made steps that higher ones have not: what was trained is of no use.
    /// [`Error::Unsupported`] if the rule's step is no chain.
    pub fn train<E: From<Error> + Send>(
        &self,
        rule: &mut dyn LearningRule,
        net: &mut Network,
        updater: &mut Updater,
        source: impl FnMut() -> std::result::Result<Option<Fed>, E> + Send,
        mut sink: impl FnMut(StepReport) -> std::result::Result<(), E>,
    ) -> std::result::Result<Spent, E> {
        let Some(chain) = rule.chain() else {
            let reason = "units cannot be trained at once: a unit's update depends on units above it";
            return Err(Error::Unsupported { rule: "pipeline".into(), reason: reason.into() }.into());
        };
        let carry = Carry {
            turns: Turns::new(chain, net, updater),
            feed: Mutex::new(Feed { source, fed: 0, took: Duration::ZERO }),
        };
        let (reports, inbox) = channel();
        let outcome = std::thread::scope(|scope| {
            let start = |worker| {
                let (carry, reports) = (&carry, reports.clone());
                // Kernels that look for threads find the worker's own one.
                scope.spawn(move || ThreadPool::install(worker, || carry.all(&reports)))
            };
            let workers: Vec<_> = self.workers.iter().map(start).collect();
            drop(reports);
            let sunk = inbox.iter().try_for_each(&mut sink);
            if sunk.is_err() {
                carry.turns.stop();
            }
            let ended: Vec<_> = workers.into_iter().map(ScopedJoinHandle::join).collect();
            ended
                .into_iter()
                .fold(sunk, |outcome, ended| outcome.and(ended.unwrap_or_else(|panic| resume_unwind(panic))))
        });
        let units = carry.turns.join(net);
        let feed = carry.feed.into_inner().unwrap_or_else(PoisonError::into_inner);
        outcome.map(|()| Spent { steps: feed.fed, batches: feed.took, units })
    }
}

/// What workers share.
struct Carry<'a, S> {
    turns: Turns<'a>,
    feed: Mutex<Feed<S>>,
}

impl<E: From<Error> + Send, S: FnMut() -> std::result::Result<Option<Fed>, E> + Send> Carry<'_, S> {
    /// Carries batches through all units until there is none, or another worker fails.
    fn all(&self, reports: &Sender<StepReport>) -> std::result::Result<(), E> {
        // However this ends before its time, nobody is to wait for it.
        let alarm = self.turns.alarm();
        while let Some((number, (batch, lr))) = self.next()? {
            if self.one(number, Handed::new(batch), lr, reports)?.is_none() {
                break;
            }
        }
        alarm.disarm();
        Ok(())
    }

    fn next(&self) -> std::result::Result<Option<(u64, Fed)>, E> {
        let Ok(mut feed) = self.feed.lock() else { return Ok(None) };
        if self.turns.stopped() {
            return Ok(None);
        }
        let started = Instant::now();
        let fed = (feed.source)()?;
        feed.took += started.elapsed();
        Ok(fed.map(|fed| {
            feed.fed += 1;
            (feed.fed - 1, fed)
        }))
    }

    /// One batch through all units; `None` if another worker failed.
    fn one(
        &self,
        number: u64,
        handed: Handed,
        lr: f64,
        reports: &Sender<StepReport>,
    ) -> std::result::Result<Option<()>, E> {
        let mut carried = Some(handed);
        for (unit, last) in self.turns.units() {
            let step = |unit: &mut Unit| {
                let handed = carried.take().map(|handed| unit.step(handed, lr)).transpose()?;
                match handed {
                    // Within the last unit's turn: reports come in order. Nobody listens to a run that is stopped.
                    Some(handed) if last => drop(reports.send(handed.report())),
                    handed => carried = handed,
                }
                Ok(())
            };
            match unit.turn(number, &self.turns, step) {
                Some(outcome) => outcome.map_err(E::from)?,
                None => return Ok(None),
            }
        }
        Ok(Some(()))
    }
}
