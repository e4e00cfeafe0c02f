//! The epoch loop. It knows no rule and no network by name.

use super::books::{Books, Leaves};
use super::checkpoint::{Checkpoint, Keeping, Partial};
use super::evaluate::{accuracy, unit_accuracies};
use super::events::{Activity, EpochNews, Events, Place, evaluating};
use super::loader::{Epoch, Loader};
use super::losses::{self, Diverged, Losses};
use super::subject::subject;
use super::trained::Trained;
use super::{data, diagnostics, picture, pipelined, representations};
use crate::error::{Error, Result};
use crate::record::{DataInfo, EpochPoint, Maker, PeakBytes, Pipelined, RunResult};
use crate::spec::{Request, RunSpec};
use crate::store::set_aside;
use crate::{device, provenance, room};
use baselines::bp::Bp;
use burn::tensor::{Device, Tensor};
use datasets::{Dataset, LoadOptions};
use sll_core::Network;
use sll_core::memory::{Category, StandingBytes, scope};
use sll_core::optim::Updater;
use sll_core::pipeline::Pipeline;
use sll_core::rule::{LearningRule, StepReport};
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Instant;

/// Steps after which weights are looked at, and at every epoch's start: a loss may stay finite where they do not.
const WATCHED: usize = 1024;
/// Steps of an epoch before its state is worth keeping: a resumed run books no bytes of its first step, which is like
/// the second of these.
const FEWEST_STEPS: usize = 2;

/// Some steps of an epoch, with its images.
struct EpochPart<'a> {
    epoch: usize,
    images: &'a Epoch,
    steps: Range<usize>,
}

/// A run under way.
struct Training {
    net: Network,
    rule: Box<dyn LearningRule>,
    updater: Updater,
    loader: Loader,
    /// Makes steps, where one is asked for.
    pipeline: Option<Pipeline>,
    books: Books,
    state: Checkpoint,
    device: Device,
    base_lr: f64,
    /// Multiply-accumulates of backpropagation's step on this network, per sample.
    bp_macs: u64,
    /// Whether this process has made no step yet.
    first_step: bool,
    /// Since when time has not been added to the state's seconds.
    clock: Instant,
    /// When the state was kept last.
    saved: Instant,
}

/// Loads the data, trains as `spec` says and gives the result with what was trained. Goes on from the state that is
/// kept, if there is one, and keeps it up to date. With `workers` a pipeline makes the steps: the numbers are the same,
/// bit for bit, as of one thread without.
pub fn train(
    spec: &RunSpec,
    options: &LoadOptions,
    keeping: Option<Keeping>,
    workers: Option<usize>,
    events: &mut dyn Events,
) -> Result<Trained> {
    if let Some(reason) = spec.too_short() {
        return Err(Error::Input(reason));
    }
    let device = device::open(spec.device)?;
    let (mut training, info) = Training::new(spec, data::load(spec, options)?, device, workers)?;
    if let Some(keeping) = keeping {
        training.resume(spec, keeping, &info, events)?;
    }
    let partial = training.state.partial.unwrap_or_default();
    events.start(Place { epochs: training.state.epochs, steps: partial.steps }, &info);
    events.before(&training.state.curve);
    let diverged = training.run(spec, keeping, events)?;
    // The units' own heads predict once more.
    let ending = Instant::now();
    let result = training.result(spec, info, diverged, events);
    events.spent(Activity::Evaluation, ending.elapsed());
    result
}

impl Training {
    fn new(spec: &RunSpec, data: Dataset, device: Device, workers: Option<usize>) -> Result<(Self, DataInfo)> {
        let (image, classes) = (data.shape, data.classes);
        let mut info = DataInfo {
            name: data.name.clone(),
            digest: data.digest.clone(),
            verified: data.verified,
            source: data.source.clone(),
            train: 0,
            test: 0,
        };
        let loader = Loader::new(data, &spec.recipe, spec.seed, &device)?;
        (info.train, info.test) = loader.counts();
        room::check_weights(&spec.network, image, classes)?;
        // Threads allocate while they start.
        let pipeline = workers.map(Pipeline::new).transpose()?;
        let books = Books::open(spec, (image, classes), &loader, &device, pipeline.as_ref())?;
        let before = books.meter.live();
        let mut net = spec.network.build(image, classes, spec.seed, &device)?;
        let with_net = books.meter.live();
        let bp_macs = Bp.cost(&net, spec.recipe.batch).total();
        let mut rule = spec.rule.init(&mut net, spec.seed)?;
        if let Some(why) = workers.and_then(|workers| pipelined::refusal(spec, &net, &mut *rule, workers)) {
            return Err(Error::Input(why));
        }
        let standing = StandingBytes {
            parameters: with_net.saturating_sub(before) as u64,
            fixed: books.meter.live().saturating_sub(with_net) as u64,
            library: books.library,
            ..StandingBytes::default()
        };
        let peak_bytes = PeakBytes { standing, ..PeakBytes::default() };
        let (run_id, data_digest) = (spec.id(), info.digest.clone());
        let makers = vec![provenance::maker(spec.device)];
        let state = Checkpoint { run_id, data_digest, makers, peak_bytes, ..Checkpoint::default() };
        let updater = spec.recipe.optimizer().init()?;
        let base_lr = spec.recipe.lr;
        let (first_step, clock, saved) = (true, Instant::now(), Instant::now());
        let training = Self {
            net,
            rule,
            updater,
            loader,
            pipeline,
            books,
            state,
            device,
            base_lr,
            bp_macs,
            first_step,
            clock,
            saved,
        };
        Ok((training, info))
    }

    /// Goes on from the latest state that is whole and this run's, if there is one; others are set aside.
    fn resume(&mut self, spec: &RunSpec, keeping: Keeping, info: &DataInfo, events: &mut dyn Events) -> Result<()> {
        let id = spec.id();
        for path in keeping.kept.all() {
            let Some(found) = Checkpoint::read(&path, (&id, spec.recipe.epochs, self.net.depth()))? else { continue };
            let (state, tensors) = match found {
                Ok(found) => found,
                Err(why) => {
                    events.note(&set_aside(&path, &why)?);
                    continue;
                }
            };
            if state.data_digest != info.digest {
                return Err(Error::Missing(format!(
                    "{} was made on other content of data set `{}` (sha256:{}, now sha256:{}); bring that content \
                     back, or start afresh with --force",
                    path.display(),
                    spec.dataset,
                    state.data_digest,
                    info.digest
                )));
            }
            match tensors.restore(&mut self.net, &mut *self.rule, &mut self.updater) {
                Ok(()) => {
                    let here = std::mem::take(&mut self.state.makers);
                    self.state = state;
                    if self.state.makers.is_empty() {
                        self.state.makers.push(Maker::unknown());
                    }
                    self.state.makers.extend(here);
                    self.state.makers.dedup();
                    return Ok(());
                }
                Err(error) => {
                    events.note(&set_aside(&path, &error.to_string())?);
                    (self.net, self.rule, self.updater) =
                        subject(spec, self.loader.image(), self.net.classes(), &self.device)?;
                }
            }
        }
        Ok(())
    }

    /// Trains the epochs that are left; gives the step at which loss or weights stopped being numbers.
    fn run(&mut self, spec: &RunSpec, keeping: Option<Keeping>, events: &mut dyn Events) -> Result<Option<u64>> {
        // A state that was kept has been measured before its first step, where that is asked for.
        if self.state.diagnostics.is_empty() && self.state.representations.is_empty() {
            self.diagnose(0, spec, events)?;
        }
        for epoch in self.state.epochs..spec.recipe.epochs {
            self.clock = Instant::now();
            let (train_loss, diverged) = self.epoch(spec, epoch, keeping, events)?;
            if diverged.is_some() {
                self.tick();
                return Ok(diverged);
            }
            let measured = self.measure(spec, epoch, events);
            if matches!(measured, Err(Error::Interrupted)) {
                self.save(keeping, events)?;
            }
            let (test_accuracy, sound) = measured?;
            if !sound {
                return Ok(Some(self.state.steps));
            }
            let point = EpochPoint { epoch: epoch + 1, train_loss, test_accuracy, seconds: self.state.seconds };
            self.state.curve.push(point);
            self.state.epochs = epoch + 1;
            self.state.partial = None;
            self.save(keeping, events)?;
            events.epoch(&EpochNews { point: &point, epochs: spec.recipe.epochs });
        }
        Ok(None)
    }

    /// What an epoch's training reached, and whether that is a number: accuracy, and every layer where it is asked for.
    fn measure(&mut self, spec: &RunSpec, epoch: usize, events: &mut dyn Events) -> Result<(f64, bool)> {
        let began = Instant::now();
        let (accuracy, sound) = accuracy(&self.net, &*self.rule, &self.loader, &mut evaluating(events))?;
        events.spent(Activity::Evaluation, began.elapsed());
        // No loss comes after the last step to show what became of the weights.
        let last = epoch + 1 == spec.recipe.epochs;
        let sound = !last || (sound && self.is_finite());
        self.tick();
        if sound {
            self.diagnose(epoch + 1, spec, events)?;
        }
        Ok((accuracy, sound))
    }

    /// Adds the time since the last call, or since the epoch began, to the run's.
    fn tick(&mut self) {
        self.state.seconds += self.clock.elapsed().as_secs_f64();
        self.clock = Instant::now();
    }

    /// Keeps the state, outside of the time that counts.
    fn save(&mut self, keeping: Option<Keeping>, events: &mut dyn Events) -> Result<()> {
        let Some(keeping) = keeping else { return Ok(()) };
        let saving = Instant::now();
        self.state.save(keeping.kept, &self.net, &*self.rule, &self.updater)?;
        events.spent(Activity::Checkpoint, saving.elapsed());
        self.saved = Instant::now();
        self.clock = self.saved;
        Ok(())
    }

    /// Whether every parameter and running statistic of the network is a number.
    fn is_finite(&self) -> bool {
        let values = self.net.params().into_iter().flatten();
        values.map(|data| data.convert::<f32>()).all(|data| data.iter::<f32>().all(f32::is_finite))
    }

    /// Measures every layer after `epochs` epochs, where the recipe asks for it, outside of what is timed and weighed.
    /// A signal in its midst leaves none of it, so that a resumed run measures each epoch once.
    fn diagnose(&mut self, epochs: usize, spec: &RunSpec, events: &dyn Events) -> Result<()> {
        let stop = || events.interrupted();
        let layers = spec
            .recipe
            .diagnostics
            .then(|| diagnostics::after(epochs, spec, &self.net, &*self.rule, &self.loader, &stop));
        let layers = layers.transpose()?;
        let represented = spec
            .recipe
            .representations
            .then(|| representations::after(epochs, spec.seed, &self.net, &*self.rule, &self.loader, &stop));
        let represented = represented.transpose()?;
        self.state.diagnostics.extend(layers);
        self.state.representations.extend(represented);
        Ok(())
    }

    /// What is left of an epoch: its mean loss, and the step of the first loss that is not finite, or that left weights
    /// as they were which are not.
    fn epoch(
        &mut self,
        spec: &RunSpec,
        epoch: usize,
        keeping: Option<Keeping>,
        events: &mut dyn Events,
    ) -> Result<(f64, Option<u64>)> {
        let steps = self.loader.steps();
        let Partial { steps: mut done, loss_sum, .. } = self.state.partial.unwrap_or_default();
        let mut losses = Losses::after(self.state.steps, loss_sum);
        let images = self.loader.epoch(epoch);
        while done < steps {
            // At steps of fixed numbers, so that a resumed run ends where an uninterrupted one does.
            let unsound = done.is_multiple_of(WATCHED) && !self.is_finite();
            // What a step leaves and holds is booked of steps in order: the first makes the optimiser's state.
            let booked = epoch == 0 && done < FEWEST_STEPS;
            done = match self.pipeline.is_some() && !booked && !unsound {
                true => {
                    let end = steps.min((done / WATCHED + 1) * WATCHED);
                    let part = EpochPart { epoch, images: &images, steps: done..end };
                    match self.together(spec, part, keeping, &mut losses, events)? {
                        Ok(done) => done,
                        Err(diverged) => return Ok((diverged.loss, Some(diverged.step))),
                    }
                }
                false => {
                    let loss = self.step(spec, (epoch, &images, done), events)?;
                    losses.hold(loss);
                    done + 1
                }
            };
            let stopping = events.interrupted();
            let keeps = (stopping || self.is_due(keeping)) && done >= FEWEST_STEPS;
            if losses.is_full() || done == steps || unsound || keeps {
                if let Some(diverged) = losses.look() {
                    return Ok((diverged.loss, Some(diverged.step)));
                }
                self.state.partial = Some(Partial { steps: done, total: steps, loss_sum: losses.sum() });
            }
            if unsound {
                return Ok((f64::NAN, Some(self.state.steps)));
            }
            if keeps {
                self.tick();
                self.save(keeping, events)?;
            }
            if stopping {
                return Err(Error::Interrupted);
            }
        }
        Ok((losses.sum() / steps as f64, None))
    }

    /// Whether the state has not been kept for as long as it may be.
    fn is_due(&self, keeping: Option<Keeping>) -> bool {
        keeping.is_some_and(|keeping| self.saved.elapsed() >= keeping.every)
    }

    /// One step after the one before; gives its loss.
    fn step(
        &mut self,
        spec: &RunSpec,
        (epoch, images, step): (usize, &Epoch, usize),
        events: &mut dyn Events,
    ) -> Result<Tensor<1>> {
        let steps = self.loader.steps();
        self.updater.set_lr(self.base_lr * spec.recipe.lr_factor(epoch, step, steps));
        // The batch belongs to the step: it is made inside the window that is measured.
        let live = self.books.meter.live();
        self.books.meter.begin_step();
        let started = Instant::now();
        let activations = scope(Category::Activations);
        let batch = self.loader.batch(images, step)?;
        drop(activations);
        let made = Instant::now();
        let Self { net, rule, updater, .. } = self;
        // Losses of units go at once: what is alive when the step is booked would count as kept by the library.
        let loss = match &self.pipeline {
            Some(pipeline) => pipeline.in_order(&mut **rule, net, &batch, updater)?.loss,
            None => rule.step(net, &batch, updater)?.loss,
        };
        let took = made.elapsed();
        drop(batch);
        let trained = self.updater.trained();
        let new_state = trained > self.state.trained;
        let resumed = std::mem::take(&mut self.first_step) && self.state.steps > 0;
        if new_state && step == 0 && epoch > 0 {
            // Not this step: what was loaded, or held since the phase before, moves or goes in it, too.
            self.account_phase(spec, epoch)?;
        } else if !resumed {
            // A step like the first one after a resume was booked before.
            let leaves = match self.state.steps {
                0 => Leaves::FirstState,
                _ if new_state => Leaves::MoreState,
                _ => Leaves::Buffers,
            };
            self.books.book(&mut self.state.peak_bytes, live, leaves);
        }
        self.state.trained = self.state.trained.max(trained);
        self.state.steps += 1;
        events.spent(Activity::Data, made - started);
        events.spent(Activity::Step, took);
        events.step(epoch, step + 1, steps);
        Ok(loss)
    }

    /// Steps of an epoch by the pipeline, up to a signal or until the state is to be kept; gives how many are done, or
    /// the first loss that is no number.
    fn together(
        &mut self,
        spec: &RunSpec,
        EpochPart { epoch, images, steps: range }: EpochPart,
        keeping: Option<Keeping>,
        losses: &mut Losses,
        events: &mut dyn Events,
    ) -> Result<std::result::Result<usize, Diverged>> {
        let Some(pipeline) = &self.pipeline else { return Ok(Ok(range.start)) };
        let (steps, base_lr, saved) = (self.loader.steps(), self.base_lr, self.saved);
        self.books.meter.begin_step();
        let subject = pipelined::Subject { net: &mut self.net, rule: &mut *self.rule, updater: &mut self.updater };
        let (state, mut step, halt) = (&mut self.state, range.start, AtomicBool::new(false));
        let done = |report: StepReport| {
            step += 1;
            state.steps += 1;
            events.step(epoch, step, steps);
            losses.hold(report.loss);
            let due = keeping.is_some_and(|keeping| saved.elapsed() >= keeping.every);
            if events.interrupted() || due {
                // Batches that are under way come to their end.
                halt.store(true, Relaxed);
            }
            Ok(if losses.is_full() { losses.look() } else { None })
        };
        let lr = |step| base_lr * spec.recipe.lr_factor(epoch, step, steps);
        let stretch = pipelined::Stretch { loader: &self.loader, images, steps: range };
        let (diverged, spent) = pipelined::steps(pipeline, subject, stretch, lr, &halt, done)?;
        let found = self.state.pipeline.get_or_insert_with(Pipelined::default);
        found.workers = pipeline.workers();
        found.book(&*self.books.meter, &spent);
        self.first_step = false;
        events.spent(Activity::Data, spent.batches);
        events.spent(Activity::Step, spent.units.iter().sum());
        Ok(diverged.map_or(Ok(step), Err))
    }

    /// Books the first step of a phase of the rule that begins with `epoch`: on objects that are thrown away, after a
    /// step of the epoch before, so that a resumed run books what an uninterrupted one does.
    fn account_phase(&mut self, spec: &RunSpec, epoch: usize) -> Result<()> {
        let (mut net, mut rule, mut updater) = subject(spec, self.loader.image(), self.net.classes(), &self.device)?;
        let mut held = Vec::with_capacity(losses::HELD);
        for epoch in [epoch - 1, epoch] {
            let images = self.loader.epoch(epoch);
            let (live, trained) = (self.books.meter.live(), updater.trained());
            self.books.meter.begin_step();
            let activations = scope(Category::Activations);
            let batch = self.loader.batch(&images, 0)?;
            drop(activations);
            held.push(rule.step(&mut net, &batch, &mut updater)?.loss);
            drop(batch);
            if updater.trained() > trained && held.len() > 1 {
                self.books.book(&mut self.state.peak_bytes, live, Leaves::MoreState);
            }
        }
        Ok(())
    }

    fn result(
        mut self,
        spec: &RunSpec,
        data: DataInfo,
        diverged_at_step: Option<u64>,
        events: &mut dyn Events,
    ) -> Result<Trained> {
        let unit_accuracy = match diverged_at_step {
            None => unit_accuracies(&self.net, &*self.rule, &self.loader, &mut evaluating(events))?,
            Some(_) => Vec::new(),
        };
        let drawn = spec.recipe.representations && diverged_at_step.is_none();
        let picture = match drawn {
            true => Some(picture::of(spec, &self.net, &*self.rule, &self.loader, &|| events.interrupted())?),
            false => None,
        };
        let bytes = &mut self.state.peak_bytes;
        bytes.total = bytes.standing.total() + bytes.step_peak;
        let accuracies = || self.state.curve.iter().map(|point| point.test_accuracy);
        let last = accuracies().next_back().filter(|_| diverged_at_step.is_none());
        let result = RunResult {
            run_id: spec.id(),
            numerics: spec.numerics(),
            test_accuracy: last,
            best_test_accuracy: accuracies().reduce(f64::max),
            evaluated_on: if spec.recipe.validation.is_some() { "validation" } else { "test" }.into(),
            epochs: self.state.epochs,
            seconds: self.state.seconds,
            diverged_at_step,
            parameters: self.net.num_params() as u64,
            macs: self.rule.cost(&self.net, spec.recipe.batch),
            bp_macs: Some(self.bp_macs),
            peak_bytes: *bytes,
            unit_accuracy,
            data,
            provenance: provenance::here(spec.device, self.books.meter.definition()).made_by(&self.state.makers),
            spec: spec.clone(),
            curve: self.state.curve,
            diagnostics: self.state.diagnostics,
            representations: self.state.representations,
            picture: picture.map(Box::new),
            pipeline: self.state.pipeline,
        };
        Ok(Trained { result, net: self.net, rule: self.rule })
    }
}

#[cfg(test)]
mod tests {
    use super::super::evaluate::EVALUATION_BATCH;
    use super::*;
    use std::cell::Cell;

    /// A signal that comes after so many looks at it.
    struct Late {
        looks: Cell<usize>,
        epochs: usize,
        evaluated: Vec<(usize, usize)>,
    }

    impl Events for Late {
        fn step(&mut self, _: usize, _: usize, _: usize) {}

        fn evaluated(&mut self, images: usize, of: usize) {
            self.evaluated.push((images, of));
        }

        fn epoch(&mut self, _: &EpochNews) {
            self.epochs += 1;
        }

        fn start(&mut self, _: Place, _: &DataInfo) {}

        fn note(&mut self, sentence: &str) {
            panic!("{sentence}");
        }

        fn interrupted(&self) -> bool {
            self.looks.replace(self.looks.get().saturating_sub(1)) == 0
        }
    }

    fn late(looks: usize) -> Late {
        Late { looks: Cell::new(looks), epochs: 0, evaluated: Vec::new() }
    }

    #[test]
    fn a_signal_is_seen_between_steps_and_while_evaluating_and_measuring() {
        let text = "dataset = \"mnist-sample\"\nnetwork = { name = \"mlp-2x800\", width = 24 }\nrule = { name = \
                    \"sll\" }\n\
                    recipe = { train_limit = 256, epochs = 1, diagnostics = true }";
        let spec = RunSpec::from_toml(text, "test").unwrap();
        let batches = datasets::load(&spec.dataset, &LoadOptions::default())
            .unwrap()
            .in_memory()
            .unwrap()
            .test
            .len()
            .div_ceil(EVALUATION_BATCH);
        let run = |looks| {
            let mut events = late(looks);
            (train(&spec, &LoadOptions::default(), None, None, &mut events), events)
        };
        // Measuring before training: every batch and both training batches shown. Then two steps, and the evaluation.
        let before = batches + 2;
        for looks in [0, batches - 1, batches + 1, before, before + 1, before + 2, before + 2 + batches - 1] {
            assert!(matches!(run(looks), (Err(Error::Interrupted), Late { epochs: 0, .. })), "{looks} looks");
        }
        // Measuring once more, then each unit's accuracy.
        let all = before + 2 + batches + before;
        assert!(matches!(run(all), (Err(Error::Interrupted), Late { epochs: 1, .. })));
        let (trained, events) = run(all + batches);
        let images = trained.unwrap().result.data.test;
        // It tells of the epoch's evaluation, then of each unit's.
        let each: Vec<_> = (1..=batches).map(|batch| (images.min(batch * EVALUATION_BATCH), images)).collect();
        assert_eq!((events.epochs, events.evaluated), (1, [each.clone(), each].concat()));
    }

    #[test]
    fn weights_that_are_no_numbers_end_a_run_whose_loss_stays_finite() {
        let text = "dataset = \"mnist-sample\"\nrule = { name = \"bp\" }\n\
                    network = { name = \"cnn-1\", width = 4, batch_norm = true }\n\
                    recipe = { train_limit = 96, batch = 16, epochs = 3 }";
        let spec = RunSpec::from_toml(text, "test").unwrap();
        let start = || {
            let data = datasets::load(&spec.dataset, &LoadOptions::default()).unwrap();
            Training::new(&spec, data, burn::tensor::Device::flex(), None).unwrap().0
        };
        let mut events = late(usize::MAX);
        assert_eq!(start().run(&spec, None, &mut events).unwrap(), None);
        // Running statistics are read in evaluation alone.
        let mut training = start();
        let (mut net, mut rule) = (training.net.duplicate(), spec.rule.init(&mut training.net, 0).unwrap());
        let mut all: std::collections::HashMap<_, _> =
            sll_core::snapshot::tensors(&mut net, &*rule).into_iter().collect();
        let (_, mean) = all.iter_mut().find(|(name, _)| name.contains("running_mean")).unwrap();
        *mean = burn::tensor::TensorData::new(vec![f32::NAN; mean.num_elements()], mean.shape().clone());
        sll_core::snapshot::load(&mut training.net, &mut *rule, &mut |name| all.remove(name)).unwrap();
        let mut events = late(usize::MAX);
        assert_eq!(training.run(&spec, None, &mut events).unwrap(), Some(1));
        assert_eq!(events.epochs, 0);
    }
}
