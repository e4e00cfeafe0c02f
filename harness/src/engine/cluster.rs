//! What is asked of a cluster: `cluster.toml`, or flags.

use crate::error::{Error, Result};
use crate::suggest::of_serde;
use serde::Deserialize;
use std::path::Path;

/// A task's resources and surroundings.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Cluster {
    /// Slurm's partition.
    pub partition: Option<String>,
    /// Slurm's account.
    pub account: Option<String>,
    /// Slurm's generic resources, like `gpu:1`; of HyperQueue a resource, like `gpus/nvidia=1`.
    pub gres: Option<String>,
    /// The most time of a task, as the batch system writes it. A task that does not end within it goes on in another.
    pub time: Option<String>,
    /// Memory of a task, as the batch system writes it.
    pub mem: Option<String>,
    /// Cores of a task.
    pub cpus: Option<usize>,
    /// Tasks that run at once, where Slurm has room for more.
    pub tasks: Option<usize>,
    /// Runs side by side in a task, which share its cores and its GPU.
    pub jobs: usize,
    /// Minutes that a task should take: short runs share one.
    pub task_minutes: f64,
    /// Seconds before its end at which a task is told to keep its state.
    pub grace: u32,
    /// Lines of the script before the program, like `module load cuda`.
    pub setup: Vec<String>,
    /// More options of the batch system, like `--constraint=a100`.
    pub options: Vec<String>,
}

impl Default for Cluster {
    fn default() -> Self {
        Self {
            partition: None,
            account: None,
            gres: None,
            time: None,
            mem: None,
            cpus: None,
            tasks: None,
            jobs: 1,
            task_minutes: 30.0,
            grace: 120,
            setup: Vec::new(),
            options: Vec::new(),
        }
    }
}

impl Cluster {
    /// The file that is read where none is named.
    pub const FILE: &str = "cluster.toml";

    /// What `file` says, or [`Cluster::FILE`] in this folder if it is there.
    pub fn read(file: Option<&Path>) -> Result<Self> {
        let path = file.unwrap_or(Path::new(Self::FILE));
        let text = match std::fs::read_to_string(path) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound && file.is_none() => return Ok(Self::default()),
            text => text.map_err(|e| Error::file("read", path, e))?,
        };
        let wrong = |e: toml::de::Error| Error::Input(format!("{}: {}", path.display(), of_serde(&e.to_string())));
        let cluster: Self = toml::from_str(&text).map_err(wrong)?;
        cluster.validate()?;
        Ok(cluster)
    }

    /// Seconds of [`Cluster::grace`] that runs may take to keep their state; in the rest a task queues itself again.
    pub fn for_state(&self) -> u32 {
        (self.grace - self.grace / 4).max(1)
    }

    /// Checks numbers.
    pub fn validate(&self) -> Result<()> {
        let wrong = |key: &str, must: &str| Err(Error::Input(format!("`{key}` of a cluster: must be {must}")));
        match self {
            Self { jobs: 0, .. } => wrong("jobs", "at least 1"),
            Self { cpus: Some(0), .. } => wrong("cpus", "at least 1"),
            Self { tasks: Some(0), .. } => wrong("tasks", "at least 1"),
            Self { grace, .. } if !(1..=86_400).contains(grace) => wrong("grace", "from 1 to 86400 seconds"),
            Self { task_minutes, .. } if !(0.0..=1e6).contains(task_minutes) => {
                wrong("task_minutes", "from 0 to 1000000")
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_and_its_mistakes_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cluster.toml");
        let read = |text: &str| {
            std::fs::write(&path, text).unwrap();
            Cluster::read(Some(&path))
        };
        let found = read("partition = \"gpu\"\ngres = \"gpu:1\"\njobs = 2\nsetup = [\"module load cuda\"]").unwrap();
        assert_eq!((found.partition.as_deref(), found.jobs, found.grace), (Some("gpu"), 2, 120));
        let error = |text: &str| read(text).unwrap_err().to_string();
        assert!(error("partiton = \"gpu\"").contains("cluster.toml"));
        assert!(error("jobs = 0").contains("`jobs`") && error("task_minutes = -1").contains("task_minutes"));
        std::fs::remove_file(&path).unwrap();
        assert!(Cluster::read(Some(&path)).unwrap_err().to_string().contains("cluster.toml"));
    }
}
