//! The time of training steps, beside eager PyTorch's and what the machine could do: `harness bench`.
//!
//! A network's rules are measured one after the other, each in turns ([`turns`]) with our BP and PyTorch's BP, and with
//! PyTorch's step of the same rule where it has one ([`pytorch`]). [`machine`] measures the rates of products and
//! copies that make the floor, [`around`] what a run adds to its steps. [`record`] is what was found; [`text`],
//! [`parquet`] and [`figure`] write it.

pub mod around;
pub mod case;
pub mod figure;
pub mod machine;
pub mod parquet;
pub mod pipeline;
pub mod pytorch;
pub mod record;
pub mod shown;
pub mod text;
pub mod turns;

use crate::device;
use crate::error::{Error, Result};
use crate::spec::DeviceName;
use crate::step::Stepper;
use baselines::RuleInfo;
use case::{Case, products};
use machine::{Rates, adam_bytes, copies};
use pytorch::{PyTorch, RULES, Told};
use record::{Asked, NetworkTimes, Quartiles, RuleTimes};
use sll_core::calls;
use std::cell::RefCell;
use std::time::Duration;
use turns::{Budget, Steps, take};

/// How long each rate of the machine is measured.
const RATE_TIME: Duration = Duration::from_millis(700);

/// What is measured on, and with.
pub struct Bencher {
    /// Where.
    pub device: DeviceName,
    /// Threads of tensor operations.
    pub threads: usize,
    /// How long each rule is measured on each network.
    pub budget: Budget,
    /// PyTorch, or why there is none.
    pub pytorch: Told<RefCell<PyTorch>>,
}

/// Our steps, with the multiply-accumulates of each.
struct Ours(RefCell<(Stepper, Vec<u64>)>);

impl Ours {
    fn new(stepper: Stepper) -> Self {
        Self(RefCell::new((stepper, Vec::new())))
    }

    fn steps(&self) -> Steps<'_> {
        Box::new(|count| {
            let (stepper, macs) = &mut *self.0.borrow_mut();
            (0..count)
                .map(|_| {
                    let (took, done) = stepper.step()?;
                    macs.push(done);
                    Ok(took.as_secs_f64())
                })
                .collect()
        })
    }

    /// Multiply-accumulates of a step, the mean over all: a rule may do different work in turn.
    fn macs(&self) -> f64 {
        let macs = &self.0.borrow().1;
        macs.iter().sum::<u64>() as f64 / macs.len().max(1) as f64
    }
}

impl Bencher {
    /// Every one of `rules`, of which BP is the first, on `case`; `news` hears of each line.
    pub fn network(&self, case: &Case, rules: &[RuleInfo], mut news: impl FnMut(&RuleTimes)) -> Result<NetworkTimes> {
        let spec = |info: &RuleInfo| case.spec(info.settings, self.device, self.threads);
        let mut bp = Stepper::new(&spec(&rules[0]), 0)?;
        let shapes = products(bp.network(), case.batch);
        let on = device::open(self.device)?;
        let ours = machine::products(&shapes, &on, RATE_TIME);
        let ask = |pytorch: &RefCell<PyTorch>| pytorch.borrow_mut().products(&shapes, RATE_TIME.as_secs_f64());
        let theirs = self.pytorch.as_ref().ok().map(ask).transpose().map_err(Error::Failed)?;
        let bytes = copies(&on, self.threads, self.device.card().is_some(), RATE_TIME);
        let rates = Rates { macs: theirs.map_or(ours, |theirs| theirs.max(ours)), bytes };
        bp.step()?;
        let bp = Ours::new(bp);
        let torch_bp = self.make(case, "BP", false)?;
        let mut lines = Vec::new();
        for (index, info) in rules.iter().enumerate() {
            let line = match index {
                0 => self.bp(case, &bp, torch_bp, &rates)?,
                _ => self.rule(case, info, (&bp, torch_bp), &rates)?,
            };
            news(&line);
            lines.push(line);
        }
        self.forget(torch_bp)?;
        let (title, network, batch) = (case.title(), case.network, case.batch);
        Ok(NetworkTimes { title, network, batch, rates, products: (ours, theirs), lines })
    }

    /// BP, which the others are set against.
    fn bp(&self, case: &Case, bp: &Ours, torch: Option<u64>, rates: &Rates) -> Result<RuleTimes> {
        let fused = self.make(case, "BP", true)?;
        let asked = self.asked(bp, [torch, fused])?;
        let [ours, torch, fused] = self.turns([Some(bp.steps()), self.steps(torch), self.steps(fused)], fused)?;
        let (macs, values) = (bp.macs(), bp.0.borrow().0.trained_values());
        let floor = rates.floor(macs, adam_bytes(values));
        let bp_macs = macs;
        Ok(RuleTimes {
            rule: "BP",
            macs,
            bp_macs,
            values,
            ours,
            bp: ours,
            torch_bp: torch,
            torch,
            fused,
            floor,
            asked,
            missing: None,
        })
    }

    /// Any other rule.
    fn rule(
        &self,
        case: &Case,
        info: &RuleInfo,
        (bp, torch_bp): (&Ours, Option<u64>),
        rates: &Rates,
    ) -> Result<RuleTimes> {
        let (spec, bp_macs) = (case.spec(info.settings, self.device, self.threads), bp.macs());
        let nothing = RuleTimes { rule: info.title, bp_macs, ..RuleTimes::default() };
        let mut stepper = match Stepper::new(&spec, spec.rule.learning_epoch()) {
            Ok(stepper) => stepper,
            // A rule that needs other layers, or more of them.
            Err(Error::Input(why)) => return Ok(RuleTimes { missing: Some(why), ..nothing }),
            Err(other) => return Err(other),
        };
        stepper.step()?;
        let rule = Ours::new(stepper);
        let same = self.make(case, info.title, false)?;
        let fused = self.make(case, info.title, true)?;
        let asked = self.asked(&rule, [same, fused])?;
        let (eager, quick) = (self.steps(same), self.steps(fused));
        let all = [Some(rule.steps()), Some(bp.steps()), self.steps(torch_bp), eager, quick];
        let [ours, bp, torch_bp, torch, fused] = self.turns(all, fused)?;
        self.forget(same)?;
        let (macs, values) = (rule.macs(), rule.0.borrow().0.trained_values());
        let floor = rates.floor(macs, adam_bytes(values));
        Ok(RuleTimes { macs, values, ours, bp, torch_bp, torch, fused, floor, asked, ..nothing })
    }

    /// What a step asks of LibTorch: of ours, and of PyTorch's that there are. Nothing on other devices.
    fn asked(&self, ours: &Ours, theirs: [Option<u64>; 2]) -> Result<[Option<Asked>; 3]> {
        if self.device == DeviceName::Flex {
            return Ok([None; 3]);
        }
        let (step, own) = calls::count(|| ours.0.borrow_mut().0.step());
        step?;
        let mut found = [Some(Asked::from(&own)), None, None];
        for (number, found) in theirs.into_iter().zip(&mut found[1..]) {
            if let (Ok(pytorch), Some(number)) = (&self.pytorch, number) {
                let calls = told(pytorch.borrow_mut().calls(number), "a step's calls")?;
                *found = Some(Asked::from(&calls));
            }
        }
        Ok(found)
    }

    /// The steps that there are, in turns; then forgets PyTorch's `last`.
    fn turns<const N: usize>(
        &self,
        steps: [Option<Steps<'_>>; N],
        last: Option<u64>,
    ) -> Result<[Option<Quartiles>; N]> {
        let there: Vec<usize> = (0..N).filter(|&index| steps[index].is_some()).collect();
        let mut steps: Vec<Steps<'_>> = steps.into_iter().flatten().collect();
        let mut found = [None; N];
        for (index, seconds) in there.into_iter().zip(take(&mut steps, self.budget)?) {
            found[index] = Quartiles::of(&seconds);
        }
        drop(steps);
        self.forget(last)?;
        Ok(found)
    }

    /// The rule in PyTorch, if there is one, and if it has that rule.
    fn make(&self, case: &Case, title: &str, fused: bool) -> Result<Option<u64>> {
        let name = RULES.iter().find(|(known, _)| *known == title).map(|(_, name)| *name);
        let (Ok(pytorch), Some(name)) = (&self.pytorch, name) else { return Ok(None) };
        let (number, parameters) =
            told(pytorch.borrow_mut().make(case.network, name, case.batch, fused), case.network)?;
        let spec = case.spec(baselines::RuleSpec::Bp(Default::default()), DeviceName::Flex, self.threads);
        let ours = spec.network.build(spec.image, spec.classes, 0, &device::open(DeviceName::Flex)?)?.num_params();
        match ours == parameters {
            true => Ok(Some(number)),
            false => Err(Error::Failed(format!(
                "{}: PyTorch's network has {parameters} parameters, ours {ours}: they are not the same network",
                case.network
            ))),
        }
    }

    fn steps(&self, number: Option<u64>) -> Option<Steps<'_>> {
        let (pytorch, number) = (self.pytorch.as_ref().ok()?, number?);
        Some(Box::new(move |count| told(pytorch.borrow_mut().time(number, count), "a step")))
    }

    fn forget(&self, number: Option<u64>) -> Result<()> {
        match (&self.pytorch, number) {
            (Ok(pytorch), Some(number)) => told(pytorch.borrow_mut().forget(number), "a network"),
            _ => Ok(()),
        }
    }
}

fn told<T>(answer: Told<T>, of: &str) -> Result<T> {
    answer.map_err(|why| Error::Failed(format!("PyTorch, asked for {of}: {why}; --no-pytorch does without it")))
}
