//! Batch systems that make the runs of a plan: one file each behind [`Queue`]. A task makes some lines of the plan with
//! `harness work`, through the store, so that whatever is started twice is made once.

mod cluster;
mod handed;
mod hq;
mod slurm;

pub use cluster::Cluster;
pub use handed::{Handed, all, hand_over, place};

use crate::error::{Error, Result};
use clap::ValueEnum;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

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

/// A batch system.
pub trait Queue {
    /// The script of an array with a task for each of `work`'s tasks.
    fn script(&self, work: &Work) -> String;
    /// Submits the script at `path`; gives the job's name.
    fn submit(&self, path: &Path) -> Result<String>;
    /// How many tasks of the job wait or run.
    ///
    /// # Errors
    /// If the batch system cannot be asked.
    fn alive(&self, job: &str) -> Result<usize>;
    /// Ends the job's tasks, and those that wait.
    fn cancel(&self, job: &str) -> Result<()>;
}

/// What is handed to a batch system.
#[derive(Clone, Debug)]
pub struct Work {
    /// What it is called.
    pub name: String,
    /// Where the plan lies and logs go, as an absolute path.
    pub folder: PathBuf,
    /// For each task its lines of the plan, as `harness work` takes them.
    pub tasks: Vec<String>,
    /// The command that makes them, up to the lines.
    pub command: Vec<String>,
    /// What is asked of the cluster.
    pub cluster: Cluster,
}

impl Work {
    /// The lines of a script before its program, and the program's own, which makes the task whose number the shell
    /// expression `number` gives.
    fn script(&self, number: &str) -> (String, String) {
        let tasks: Vec<String> = self.tasks.iter().map(|lines| quoted(lines)).collect();
        let setup: String = self.cluster.setup.iter().map(|line| format!("{line}\n")).collect();
        let command: String = self.command.iter().map(|word| format!("{} ", quoted(word))).collect();
        (format!("lines=({})\n{setup}", tasks.join(" ")), format!("{command}--line \"${{lines[{number}]}}\""))
    }
}

/// A word as the shell takes it.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,+@%".contains(c);
    match !word.is_empty() && word.chars().all(plain) {
        true => word.into(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
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

/// What `command` says; an error that names it where it cannot be started.
fn ask(command: &mut Command) -> Result<Output> {
    let name = command.get_program().to_string_lossy().into_owned();
    let missing = |e| {
        Error::Missing(format!("cannot start `{name}`: {e}; call this where jobs are submitted, like a login node"))
    };
    command.output().map_err(missing)
}

/// The words of `output`, or what it says went wrong.
fn answer(doing: &str, output: &Output) -> Result<String> {
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).trim().to_string()),
        false => Err(Error::Failed(format!("{doing}: {}", String::from_utf8_lossy(&output.stderr).trim()))),
    }
}

#[cfg(test)]
pub(crate) fn example() -> Work {
    Work {
        name: "table2".into(),
        folder: "/shared/my results/plans/table2".into(),
        tasks: vec!["1-3".into(), "4,9".into()],
        command: ["/shared/harness", "work", "it's.jsonl"].map(String::from).into(),
        cluster: Cluster {
            partition: Some("gpu".into()),
            gres: Some("gpu:1".into()),
            time: Some("4:00:00".into()),
            cpus: Some(8),
            tasks: Some(8),
            setup: vec!["module load cuda".into()],
            options: vec!["--constraint=a100".into()],
            ..Cluster::default()
        },
    }
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
    fn words_come_through_a_shell_as_they_are() {
        for word in ["", "plain-1.2/x", "it's", "a b", "$HOME `x` \"y\" \\", "1,2-3"] {
            let output = Command::new("sh").args(["-c", &format!("printf %s {}", quoted(word))]).output().unwrap();
            assert_eq!(String::from_utf8(output.stdout).unwrap(), word);
        }
    }

    #[test]
    fn engines_have_the_names_of_the_command_line() {
        for engine in [EngineName::Local, EngineName::Slurm, EngineName::Hq] {
            assert_eq!(EngineName::named(&engine.name()), Some(engine));
        }
    }
}
