//! A part of the runs, for schedulers that nobody thought of.

use super::batch::EngineArgs;
use crate::error::{Error, Result};
use crate::plan::Shard;
use clap::Args;
use std::time::{Duration, Instant};

/// Which part, and for how long.
#[derive(Args, Debug, Clone, Copy)]
pub struct PartArgs {
    /// Make every n-th run from the i-th on only, and write no page: i of 1 to n on as many machines make all.
    #[arg(long, value_name = "I/N")]
    shard: Option<Shard>,
    /// Stop after this time as at a signal (exit code 130), with the state of unfinished runs kept: 90s, 30m, 4h, or
    /// H:M:S.
    #[arg(long, value_name = "TIME", value_parser = time)]
    max_time: Option<Duration>,
}

impl PartArgs {
    /// What `--shard` with `text` is.
    #[cfg(test)]
    pub fn shard(text: &str) -> Self {
        Self { shard: Some(text.parse().expect("a shard")), max_time: None }
    }

    /// Those of `all` that are to be made.
    pub fn of<T: Clone>(&self, all: &[T]) -> Vec<T> {
        self.shard.map_or_else(|| all.to_vec(), |shard| shard.of(all))
    }

    /// Whether that is a part only.
    pub fn is_shard(&self) -> bool {
        self.shard.is_some()
    }

    /// When to stop.
    pub fn until(&self) -> Option<Instant> {
        self.max_time.and_then(|time| Instant::now().checked_add(time))
    }

    /// Refuses both beside a batch system, which has its own.
    pub fn no_other_engine(&self, engine: &EngineArgs) -> Result<()> {
        match engine.is_local() || (self.shard.is_none() && self.max_time.is_none()) {
            true => Ok(()),
            false => Err(Error::Input(
                "--shard and --max-time are for this machine; a batch system shares runs out by itself \
                 (--task-minutes) and has --time"
                    .into(),
            )),
        }
    }
}

/// `90s`, `30m`, `4h`, `1:30:00`.
fn time(text: &str) -> std::result::Result<Duration, String> {
    let wrong = || format!("write a time like 90s, 30m, 4h or 1:30:00, not `{text}`");
    let unit = |text: &str| {
        let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
        let seconds = match unit {
            "s" => 1,
            "m" => 60,
            "h" => 3600,
            _ => return None,
        };
        number.parse::<u64>().ok()?.checked_mul(seconds)
    };
    let parts = |text: &str| {
        let parts: Option<Vec<u64>> = text.split(':').map(|part| part.parse().ok()).collect();
        let [hours, minutes, seconds] = parts?[..] else { return None };
        hours.checked_mul(3600)?.checked_add(60 * minutes.min(59) + seconds.min(59))
    };
    unit(text).or_else(|| parts(text)).map(Duration::from_secs).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_and_mistakes_say_how_to_write_them() {
        let seconds = |text: &str| time(text).unwrap().as_secs();
        assert_eq!(["90s", "30m", "4h", "1:30:05"].map(seconds), [90, 1800, 14400, 5405]);
        for wrong in ["", "90", "s", "1:2", "-1h", "1d", "é"] {
            assert!(time(wrong).unwrap_err().contains("1:30:00"), "{wrong}");
        }
    }
}
