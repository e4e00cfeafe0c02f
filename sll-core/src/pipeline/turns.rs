//! Units that take batches in order, whoever brings them.

use crate::chain::{Chain, Handed, Link};
use crate::error::Result;
use crate::network::Network;
use crate::optim::Updater;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A unit with its layers and its share of the rule and of the optimiser.
pub(super) struct Unit<'a> {
    link: Box<dyn Link + 'a>,
    net: Network,
    updater: Updater,
    /// Batches that it has been trained on.
    done: u64,
    took: Duration,
}

impl Unit<'_> {
    pub fn step(&mut self, handed: Handed, lr: f64) -> Result<Handed> {
        if self.link.layers().start == 0 {
            self.net.accept(&handed.batch)?;
        }
        let started = Instant::now();
        self.updater.set_lr(lr);
        let handed = self.link.step(handed, &mut self.net, &mut self.updater);
        self.took += started.elapsed();
        handed
    }
}

/// Where a worker waits for a unit.
pub(super) struct Place<'a> {
    unit: Mutex<Unit<'a>>,
    turned: Condvar,
}

impl<'a> Place<'a> {
    /// Does `step` when the unit has done all batches before `number`; `None` if the workers are to stop.
    pub fn turn<T>(&self, number: u64, turns: &Turns, step: impl FnOnce(&mut Unit<'a>) -> T) -> Option<T> {
        // A lock that somebody panicked with is one to stop at.
        let mut unit = self.unit.lock().ok()?;
        while unit.done < number && !turns.stopped() {
            unit = self.turned.wait(unit).ok()?;
        }
        if turns.stopped() {
            return None;
        }
        let found = step(&mut unit);
        unit.done += 1;
        drop(unit);
        self.turned.notify_all();
        Some(found)
    }
}

/// The units of a chain, from the first to the last.
pub(super) struct Turns<'a> {
    places: Vec<Place<'a>>,
    stopped: AtomicBool,
}

impl<'a> Turns<'a> {
    /// Takes the layers out of `net`, until [`Turns::join`].
    ///
    /// # Panics
    /// If the links do not have every layer, each once and in order.
    pub fn new(chain: Chain<'a>, net: &mut Network, updater: &Updater) -> Self {
        let mut end = net.depth();
        let place = |link: Box<dyn Link + 'a>| {
            assert_eq!(link.layers().end, end, "links follow on each other");
            end = link.layers().start;
            let net = net.split_off(end);
            let unit = Unit { link, net, updater: updater.share(), done: 0, took: Duration::ZERO };
            Place { unit: Mutex::new(unit), turned: Condvar::new() }
        };
        let mut places: Vec<_> = chain.into_iter().rev().map(place).collect();
        assert_eq!(end, 0, "the first link has the first layer");
        places.reverse();
        Self { places, stopped: AtomicBool::new(false) }
    }

    /// Puts the layers back into `net`; gives the time spent in each unit.
    pub fn join(self, net: &mut Network) -> Vec<Duration> {
        let unit = |place: Place<'_>| {
            let unit = place.unit.into_inner().unwrap_or_else(PoisonError::into_inner);
            net.append(unit.net);
            unit.took
        };
        self.places.into_iter().map(unit).collect()
    }

    /// Every unit, and whether it is the last.
    pub fn units(&self) -> impl Iterator<Item = (&Place<'a>, bool)> {
        self.places.iter().zip(1..).map(|(place, count)| (place, count == self.places.len()))
    }

    /// Whether the workers are to stop.
    pub fn stopped(&self) -> bool {
        self.stopped.load(Relaxed)
    }

    /// Tells all workers to stop, those that wait as well.
    pub fn stop(&self) {
        self.stopped.store(true, Relaxed);
        for place in &self.places {
            // Whoever has looked before is waiting once the lock is free.
            drop(place.unit.lock());
            place.turned.notify_all();
        }
    }

    /// Tells all workers to stop when it is dropped.
    pub fn alarm(&self) -> Alarm<'_, 'a> {
        Alarm(Some(self))
    }
}

/// See [`Turns::alarm`].
pub(super) struct Alarm<'t, 'a>(Option<&'t Turns<'a>>);

impl Alarm<'_, '_> {
    /// Nothing happened.
    pub fn disarm(mut self) {
        self.0 = None;
    }
}

impl Drop for Alarm<'_, '_> {
    fn drop(&mut self) {
        self.0.into_iter().for_each(Turns::stop);
    }
}
