//! Waiting for a server: no longer than it may be silent or slow, and no longer than the caller wants to.

use crate::error::Problem;
use crate::options::{LoadOptions, Stop};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

/// How often the caller is asked whether to stop.
const LOOK: Duration = Duration::from_millis(100);

/// Bytes a second below which a server counts as sending nothing.
pub(super) const SLOWEST: u64 = 1000;

/// What `from` gives, but no longer than a server may be silent or the caller waits.
pub(super) fn wait<T>(options: &LoadOptions, from: &Receiver<Result<T, Problem>>) -> Result<T, Problem> {
    let started = Instant::now();
    loop {
        going(&options.stop)?;
        let left = options.hub.silence.saturating_sub(started.elapsed());
        match from.recv_timeout(left.min(LOOK)) {
            Ok(done) => return done,
            Err(RecvTimeoutError::Disconnected) => return Err(Problem::broken("what reads from it gave up")),
            Err(RecvTimeoutError::Timeout) if left <= LOOK => return Err(Problem::silent("the server")),
            Err(RecvTimeoutError::Timeout) => {}
        }
    }
}

/// Fails if the caller asked to stop.
pub(super) fn going(stop: &Stop) -> Result<(), Problem> {
    if stop.requested() { Err(Problem::stopped()) } else { Ok(()) }
}

/// Makes a small request again where that may help, as often as the options have it.
pub(super) fn retried<T>(options: &LoadOptions, mut ask: impl FnMut() -> Result<T, Problem>) -> Result<T, Problem> {
    let mut tries = 0;
    loop {
        match ask() {
            Err(problem) if problem.kind.passes() && tries < options.hub.retries => tries += 1,
            outcome => return outcome,
        }
        pause(tries, &options.stop)?;
    }
}

/// Waits before request number `tries` is made again: a fifth of a second, twice as long each time, at most 6.4 s.
pub(super) fn pause(tries: usize, stop: &Stop) -> Result<(), Problem> {
    let (started, limit) = (Instant::now(), Duration::from_millis(100 << tries.min(6)));
    loop {
        going(stop)?;
        let left = limit.saturating_sub(started.elapsed());
        if left.is_zero() {
            return Ok(());
        }
        thread::sleep(left.min(LOOK));
    }
}

/// How fast a server sends: within each stretch of time that it might be silent, it must send some bytes a second.
pub(super) struct Pace {
    stretch: Duration,
    since: Instant,
    bytes: u64,
}

impl Pace {
    /// Begins now.
    pub(super) fn new(stretch: Duration) -> Self {
        Self { stretch, since: Instant::now(), bytes: 0 }
    }

    /// Counts `bytes` that came. Fails if those of the stretch that is over were too few.
    pub(super) fn came(&mut self, bytes: u64) -> Result<(), Problem> {
        self.bytes += bytes;
        let elapsed = self.since.elapsed();
        if elapsed < self.stretch {
            return Ok(());
        }
        let (came, least) = (self.bytes, (elapsed.as_secs_f64() * SLOWEST as f64) as u64);
        *self = Self::new(self.stretch);
        if came >= least { Ok(()) } else { Err(Problem::slow(came, elapsed)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::options_in;
    use std::sync::mpsc::sync_channel;

    #[test]
    fn who_waits_is_told_of_silence_of_a_stop_and_of_a_reader_that_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let mut options = options_in(folder.path());
        let (sender, receiver) = sync_channel::<Result<u8, Problem>>(1);
        options.hub.silence = Duration::from_millis(250);
        let began = Instant::now();
        assert!(wait(&options, &receiver).unwrap_err().text.contains("does not answer"));
        assert!(began.elapsed() >= options.hub.silence);
        sender.send(Ok(7)).unwrap();
        assert_eq!(wait(&options, &receiver), Ok(7));
        options.stop = Stop::new(|| true);
        assert_eq!(wait(&options, &receiver), Err(Problem::stopped()));
        assert_eq!(pause(0, &options.stop), Err(Problem::stopped()));
        options.stop = Stop::default();
        drop(sender);
        assert!(wait(&options, &receiver).unwrap_err().text.contains("the connection broke"));
    }

    #[test]
    fn what_passes_is_asked_for_again_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let mut options = options_in(folder.path());
        options.hub.retries = 1;
        let tries = |problem: &Problem| {
            let mut tries = 0;
            let outcome = retried(&options, || {
                tries += 1;
                Err::<(), _>(problem.clone())
            });
            assert_eq!(outcome.as_ref(), Err(problem));
            tries
        };
        assert_eq!((tries(&Problem::broken("reset")), tries(&Problem::status(404, "http://a"))), (2, 1));
    }

    #[test]
    fn a_trickle_is_no_progress() {
        let stretch = Duration::from_millis(20);
        let mut pace = Pace::new(stretch);
        assert!(pace.came(1).is_ok(), "it has just begun");
        thread::sleep(stretch);
        assert!(pace.came(1).unwrap_err().text.contains("2 bytes"));
        assert!(pace.came(1).is_ok(), "it begins again");
        thread::sleep(stretch);
        assert!(pace.came(100_000_000).is_ok());
    }
}
