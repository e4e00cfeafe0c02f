//! Several steps measured in turns, so that what else the machine does meets all of them alike.

use crate::error::{Error, Result};
use crate::interrupt;
use std::time::{Duration, Instant};

/// A turn of a fast step lasts about this long.
const TURN: Duration = Duration::from_millis(80);
/// Below this a turn's first step, which finds caches and threads cold, is no sample.
const FAST: f64 = 0.04;

/// How long is measured.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    /// Seconds for all turns together.
    pub time: Duration,
    /// Samples of each at least, unless that takes three times as long.
    pub steps: usize,
}

/// What takes a number of steps and tells the seconds of each.
pub type Steps<'a> = Box<dyn FnMut(usize) -> Result<Vec<f64>> + 'a>;

/// Takes turns among `steps` within `budget`, two rounds at least, and gives the seconds of each one's steps.
pub fn take(steps: &mut [Steps<'_>], budget: Budget) -> Result<Vec<Vec<f64>>> {
    let mut found = vec![Vec::new(); steps.len()];
    let mut last: Vec<f64> = vec![f64::INFINITY; steps.len()];
    let started = Instant::now();
    for round in 0.. {
        let enough = found.iter().all(|samples| samples.len() >= budget.steps);
        let over = if enough { budget.time } else { 3 * budget.time };
        if round >= 2 && started.elapsed() >= over {
            break;
        }
        for ((steps, found), last) in steps.iter_mut().zip(&mut found).zip(&mut last) {
            let count = ((TURN.as_secs_f64() / *last) as usize).clamp(1, 10);
            let seconds = steps(count + usize::from(*last < FAST))?;
            *last = seconds.iter().copied().fold(f64::INFINITY, f64::min).max(f64::EPSILON);
            found.extend(seconds.iter().skip(usize::from(*last < FAST)));
            if interrupt::requested() {
                return Err(Error::Interrupted);
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;

    #[test]
    fn turns_alternate_and_a_fast_ones_first_step_is_no_sample() {
        let log = RefCell::new(Vec::new());
        let pretend = |name: char, seconds: f64| -> Steps<'_> {
            let log = &log;
            Box::new(move |count| {
                log.borrow_mut().push((name, count));
                let mut all = vec![seconds; count];
                all[0] = 2.0 * seconds;
                Ok(all)
            })
        };
        let budget = Budget { time: Duration::ZERO, steps: 1 };
        let found = take(&mut [pretend('a', 0.01), pretend('b', 1.0)], budget).unwrap();
        // The first turn does not know yet how fast a step is.
        assert_eq!(*log.borrow(), [('a', 1), ('b', 1), ('a', 5), ('b', 1)]);
        assert_eq!(found[0], [0.01, 0.01, 0.01, 0.01]);
        assert_eq!(found[1], [2.0, 2.0]);
    }
}
