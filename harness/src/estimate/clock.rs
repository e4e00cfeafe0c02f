//! From the pace of a step to the time of a run, and of many.

use super::pace::Pace;

/// What a run has to do, and how fast it goes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Load {
    /// Its pace.
    pub pace: Pace,
    /// Seconds to read its data.
    pub reading: f64,
    /// Seconds to make the batches of an epoch.
    pub batches: f64,
    /// Steps of an epoch.
    pub steps: usize,
    /// Images evaluated after an epoch.
    pub evaluated: usize,
    /// Epochs.
    pub epochs: usize,
    /// The first of these, in which the rule prepares.
    pub preparation: usize,
    /// Bytes of its images in memory.
    pub images: u64,
}

impl Load {
    /// Seconds of the run: `start + Σ_epochs (batches + steps · step + images · prediction + checkpoint)`, and what is
    /// predicted once more at its end.
    pub fn seconds(&self) -> f64 {
        let Pace { step, preparing, image, start, checkpoint, .. } = self.pace;
        let evaluation = self.evaluated as f64 * image;
        let training = self.preparation as f64 * preparing + (self.epochs - self.preparation) as f64 * step;
        let around = self.epochs as f64 * (self.batches + evaluation + checkpoint) + evaluation;
        self.reading + start + self.steps as f64 * training + around
    }

    /// Bytes of its tensors and images, where they are known; the program itself takes some 50 MB more.
    pub fn bytes(&self) -> Option<u64> {
        self.pace.bytes.map(|bytes| bytes + self.images)
    }
}

/// Seconds until the last of runs that take `seconds` ends, started in this order, `jobs` at once.
pub fn makespan(seconds: &[f64], jobs: usize) -> f64 {
    let mut free = vec![0.0_f64; jobs.max(1)];
    for run in seconds {
        let next = free.iter_mut().min_by(|a, b| a.total_cmp(b)).expect("at least one");
        *next += run;
    }
    free.into_iter().fold(0.0, f64::max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_runs_time_is_its_steps_and_what_is_around_them() {
        let pace = Pace {
            step: 0.1,
            preparing: 0.5,
            image: 0.001,
            start: 2.0,
            checkpoint: 0.25,
            state: 0.0,
            bytes: Some(7),
            macs: 1.0,
        };
        let load =
            Load { pace, reading: 1.0, batches: 0.5, steps: 30, evaluated: 1000, epochs: 4, preparation: 1, images: 3 };
        // 1 + 2, an epoch of 15, three of 3, four times 0.5 + 1 + 0.25, and 1.
        assert!((load.seconds() - (3.0 + 15.0 + 9.0 + 7.0 + 1.0)).abs() < 1e-9, "{}", load.seconds());
        assert_eq!(load.bytes(), Some(10));
    }

    #[test]
    fn runs_share_the_machine_in_the_order_they_start() {
        assert_eq!(makespan(&[3.0, 1.0, 1.0, 4.0], 2), 6.0);
        assert_eq!(makespan(&[3.0, 1.0], 1), 4.0);
        assert_eq!((makespan(&[], 2), makespan(&[5.0], 8)), (0.0, 5.0));
    }
}
