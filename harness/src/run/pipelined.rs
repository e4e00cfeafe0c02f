//! Steps of a run by a pipeline of workers, `harness run --pipeline N`: the serial run's numbers, in other seconds and
//! with more memory.

use super::loader::{Epoch, Loader};
use crate::error::{Error, Result};
use crate::record::Pipelined;
use crate::spec::{DeviceName, RunSpec};
use baselines::rules;
use sll_core::Network;
use sll_core::memory::{Category, Meter, scope};
use sll_core::optim::Updater;
use sll_core::pipeline::{Pipeline, Spent};
use sll_core::rule::{LearningRule, StepReport};
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// Why `rule` cannot be trained by `workers` on `net`, if it cannot.
pub fn refusal(spec: &RunSpec, net: &Network, rule: &mut dyn LearningRule, workers: usize) -> Option<String> {
    let title = spec.rule.title();
    if spec.device != DeviceName::Flex {
        return Some(format!(
            "--pipeline {workers}: its workers are threads on this machine's processor that flex's kernels run in; \
             --device {} has threads or streams of its own: use --device flex",
            spec.device
        ));
    }
    let Some(chain) = rule.chain() else {
        let info = rules().iter().find(|info| info.title == title);
        let why = match info.filter(|info| info.update_locked != "no") {
            Some(info) => {
                format!("a layer's update depends on {} (update locked: {})", info.reach.text(), info.update_locked)
            }
            None => "with these settings its step does not go unit by unit".into(),
        };
        return Some(format!(
            "--pipeline {workers}: {title} cannot train units at once: {why}. Leave it out, or take a local rule, \
             like --rule sll"
        ));
    };
    // One more may make batches.
    let most = chain.len() + 1;
    (workers > most).then(|| {
        let units = chain.len();
        let layers = net.depth();
        format!(
            "--pipeline {workers}: {title} cuts this network of {layers} layers into {units} units; take at most \
             {most} workers, of which one makes batches"
        )
    })
}

/// What is trained.
pub struct Subject<'a> {
    pub net: &'a mut Network,
    pub rule: &'a mut dyn LearningRule,
    pub updater: &'a mut Updater,
}

/// Which steps of an epoch.
pub struct Stretch<'a> {
    pub loader: &'a Loader,
    pub images: &'a Epoch,
    pub steps: Range<usize>,
}

/// Why steps ended before their time.
enum Ended<T> {
    Early(T),
    Failed(Error),
}

impl<T> From<sll_core::Error> for Ended<T> {
    fn from(error: sll_core::Error) -> Self {
        Self::Failed(error.into())
    }
}

/// Makes the steps of a stretch, each with its learning rate `lr`, and begins none once `halt` is set; gives what
/// `done` gave if it ended them.
pub fn steps<T: Send>(
    pipeline: &Pipeline,
    Subject { net, rule, updater }: Subject,
    Stretch { loader, images, mut steps }: Stretch,
    lr: impl Fn(usize) -> f64 + Sync,
    halt: &AtomicBool,
    mut done: impl FnMut(StepReport) -> Result<Option<T>>,
) -> Result<(Option<T>, Spent)> {
    let source = || match steps.next().filter(|_| !halt.load(Relaxed)) {
        Some(step) => {
            let _activations = scope(Category::Activations);
            Ok(Some((loader.batch(images, step).map_err(Ended::Failed)?, lr(step))))
        }
        None => Ok(None),
    };
    let sink = |report| match done(report) {
        Ok(None) => Ok(()),
        Ok(Some(early)) => Err(Ended::Early(early)),
        Err(error) => Err(Ended::Failed(error)),
    };
    match pipeline.train(rule, net, updater, source, sink) {
        Ok(spent) => Ok((None, spent)),
        Err(Ended::Early(early)) => Ok((Some(early), Spent::default())),
        Err(Ended::Failed(error)) => Err(error),
    }
}

impl Pipelined {
    /// Books steps since `meter` began one: the most that was held above what stood then, what threads keep for their
    /// products of matrices included, and the seconds.
    pub fn book(&mut self, meter: &dyn Meter, spent: &Spent) {
        let held = meter.step();
        if held.total() > self.step_peak {
            (self.step, self.step_peak) = (held, held.total());
        }
        self.steps += spent.steps;
        self.batch_seconds += spent.batches.as_secs_f64();
        self.unit_seconds.resize(spent.units.len().max(self.unit_seconds.len()), 0.0);
        self.unit_seconds.iter_mut().zip(&spent.units).for_each(|(sum, unit)| *sum += unit.as_secs_f64());
    }
}
