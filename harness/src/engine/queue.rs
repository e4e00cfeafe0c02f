//! What a batch system does, and what is handed to it.

use super::cluster::Cluster;
use crate::error::{Error, Result};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A batch system.
///
/// ```
/// use harness::engine::{Cluster, EngineName, Work};
///
/// let work = Work {
///     name: "table1".into(),
///     folder: "/scratch/plans".into(),
///     // Two tasks: lines of the plan.
///     tasks: vec!["1-8".into(), "9-12".into()],
///     command: vec!["harness".into(), "work".into(), "/scratch/plans/table1.jsonl".into()],
///     cluster: Cluster { gres: Some("gpu:1".into()), ..Cluster::default() },
/// };
/// let slurm = EngineName::Slurm.queue().expect("a batch system");
/// let script = slurm.script(&work);
/// assert!(script.contains("--array=0-1") && script.contains("--gres=gpu:1"));
/// ```
pub trait Queue {
    /// What `cluster` asks for that it has no use for, by key.
    fn unused(&self, _cluster: &Cluster) -> Vec<&'static str> {
        Vec::new()
    }

    /// Refuses what `cluster` asks for where no task could ever be done with it.
    fn check(&self, _cluster: &Cluster) -> Result<()> {
        Ok(())
    }

    /// The script of an array with a task for each of `work`'s tasks.
    fn script(&self, work: &Work) -> String;
    /// Submits the script at `path`; gives the job's name.
    fn submit(&self, path: &Path) -> Result<String>;
    /// How many tasks of the job wait or run.
    ///
    /// # Errors
    /// If the batch system cannot be asked.
    fn alive(&self, job: &str) -> Result<usize>;
    /// What tasks of the job wait for, in the batch system's own words, where it tells.
    fn waits_for(&self, _job: &str) -> Result<Vec<String>> {
        Ok(Vec::new())
    }
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
    pub fn parts(&self, number: &str) -> (String, String) {
        let tasks: Vec<String> = self.tasks.iter().map(|lines| quoted(lines)).collect();
        let setup: String = self.cluster.setup.iter().map(|line| format!("{line}\n")).collect();
        let command: String = self.command.iter().map(|word| format!("{} ", quoted(word))).collect();
        (format!("lines=({})\n{setup}", tasks.join(" ")), format!("{command}--line \"${{lines[{number}]}}\""))
    }
}

/// A word as the shell takes it.
pub fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,+@%".contains(c);
    match !word.is_empty() && word.chars().all(plain) {
        true => word.into(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

/// What `command` says; an error that names it where it cannot be started.
pub fn ask(command: &mut Command) -> Result<Output> {
    let name = command.get_program().to_string_lossy().into_owned();
    let missing = |e| {
        Error::Missing(format!("cannot start `{name}`: {e}; call this where jobs are submitted, like a login node"))
    };
    command.output().map_err(missing)
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
    fn words_come_through_a_shell_as_they_are() {
        for word in ["", "plain-1.2/x", "it's", "a b", "$HOME `x` \"y\" \\", "1,2-3"] {
            let output = Command::new("sh").args(["-c", &format!("printf %s {}", quoted(word))]).output().unwrap();
            assert_eq!(String::from_utf8(output.stdout).unwrap(), word);
        }
    }
}
