//! Batch systems that make the runs of a plan: one file each behind [`Queue`]. A task makes some lines of the plan with
//! `harness work`, through the store, so that whatever is started twice is made once.

mod cluster;
mod handed;
mod hq;
mod queue;
mod slurm;

pub use cluster::Cluster;
pub use handed::{Handed, all, hand_over, place};
pub use queue::{Queue, Work};

use clap::ValueEnum;

/// Who makes the runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum EngineName {
    /// Processes of this machine.
    #[default]
    Local,
    /// Slurm's job arrays.
    Slurm,
    /// HyperQueue's task arrays.
    Hq,
}

impl EngineName {
    /// The batch system, if it is one.
    pub fn queue(self) -> Option<Box<dyn Queue>> {
        match self {
            EngineName::Local => None,
            EngineName::Slurm => Some(Box::new(slurm::Slurm)),
            EngineName::Hq => Some(Box::new(hq::HyperQueue)),
        }
    }

    /// The one of this name.
    pub fn named(name: &str) -> Option<Self> {
        <Self as ValueEnum>::from_str(name, false).ok()
    }

    /// Its name.
    pub fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_string()).unwrap_or_default()
    }
}

/// Lines of a plan, in their order, for tasks of about `minutes` with `at_once` runs side by side: short ones together.
/// Of runs of unknown length a task takes as many as go side by side.
pub fn tasks(lines: &[(usize, Option<f64>)], minutes: f64, at_once: usize) -> Vec<Vec<usize>> {
    let most = 60.0 * minutes * at_once as f64;
    let mut tasks: Vec<(f64, Vec<usize>)> = Vec::new();
    for &(line, seconds) in lines {
        let seconds = seconds.unwrap_or(most / at_once as f64);
        match tasks.last_mut() {
            Some((sum, lines)) if *sum + seconds <= most * (1.0 + 1e-9) => {
                *sum += seconds;
                lines.push(line);
            }
            _ => tasks.push((seconds, vec![line])),
        }
    }
    tasks.into_iter().map(|(_, lines)| lines).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_runs_share_a_task_and_long_or_unknown_ones_have_their_own() {
        let lines =
            |seconds: &[f64]| -> Vec<_> { seconds.iter().enumerate().map(|(i, &s)| (i + 1, Some(s))).collect() };
        let all = lines(&[20.0, 20.0, 20.0, 50.0, 100.0, 5.0]);
        assert_eq!(tasks(&all, 1.0, 1), [vec![1, 2, 3], vec![4], vec![5], vec![6]]);
        assert_eq!(tasks(&all, 1.0, 2), [vec![1, 2, 3, 4], vec![5, 6]]);
        let unknown: Vec<_> = (1..=3).map(|line| (line, None)).collect();
        assert_eq!(tasks(&unknown, 30.0, 1), [[1], [2], [3]]);
        assert_eq!(tasks(&unknown, 30.0, 2), [vec![1, 2], vec![3]]);
        assert!(tasks(&[], 30.0, 1).is_empty());
    }

    #[test]
    fn engines_have_the_names_of_the_command_line() {
        for engine in [EngineName::Local, EngineName::Slurm, EngineName::Hq] {
            assert_eq!(EngineName::named(&engine.name()), Some(engine));
        }
    }
}
