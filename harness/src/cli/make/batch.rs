//! Options of batch systems.

use crate::engine::{Cluster, EngineName};
use crate::error::{Error, Result};
use clap::Args;
use std::path::PathBuf;

/// Who makes the runs. What a cluster is asked for stands in cluster.toml, too (docs/cluster.md); flags beat it.
#[derive(Args, Debug)]
#[command(next_help_heading = "Batch systems")]
pub struct EngineArgs {
    /// Who makes the runs.
    #[arg(long, value_enum, default_value = "local")]
    pub engine: EngineName,
    /// What to ask of the cluster; cluster.toml here if it is there.
    #[arg(long, value_name = "FILE")]
    cluster: Option<PathBuf>,
    /// Slurm's partition.
    #[arg(long, value_name = "NAME")]
    partition: Option<String>,
    /// Slurm's account.
    #[arg(long, value_name = "NAME")]
    account: Option<String>,
    /// A task's generic resources, like gpu:1 (Slurm) or gpus/nvidia=1 (HyperQueue).
    #[arg(long, value_name = "WHAT")]
    gres: Option<String>,
    /// The most time of a task, as the batch system writes it; one that does not end in it goes on in another.
    #[arg(long, value_name = "TIME")]
    time: Option<String>,
    /// A task's memory, as the batch system writes it.
    #[arg(long, value_name = "SIZE")]
    mem: Option<String>,
    /// A task's cores.
    #[arg(long, value_name = "N")]
    cpus: Option<usize>,
    /// Tasks that run at once, where Slurm has room for more.
    #[arg(long, value_name = "N")]
    tasks: Option<usize>,
    /// Minutes that a task should take: short runs share one.
    #[arg(long, value_name = "N")]
    task_minutes: Option<f64>,
    /// Wait until all is done, hand over again what a job leaves, then write the page.
    #[arg(long)]
    pub wait: bool,
}

impl EngineArgs {
    /// Whether this machine makes the runs.
    pub fn is_local(&self) -> bool {
        self.engine == EngineName::Local
    }

    /// Refuses what only a batch system would look at where none is asked for.
    pub fn no_idle_flags(&self) -> Result<()> {
        let Self { engine: _, cluster, partition, account, gres, time, mem, cpus, tasks, task_minutes, wait } = self;
        let flags = [
            ("--cluster", cluster.is_some()),
            ("--partition", partition.is_some()),
            ("--account", account.is_some()),
            ("--gres", gres.is_some()),
            ("--time", time.is_some()),
            ("--mem", mem.is_some()),
            ("--cpus", cpus.is_some()),
            ("--tasks", tasks.is_some()),
            ("--task-minutes", task_minutes.is_some()),
            ("--wait", *wait),
        ];
        let given: Vec<&str> = flags.iter().filter(|(_, given)| *given).map(|(flag, _)| *flag).collect();
        match given.is_empty() || !self.is_local() {
            true => Ok(()),
            false => Err(Error::Input(format!(
                "{} asks something of a batch system, and --engine local, the default, has none: add --engine slurm or \
                 --engine hq, or leave it out",
                given.join(", ")
            ))),
        }
    }

    /// The cluster's file with the flags over it; `jobs` runs side by side, if that is given.
    pub fn asked(&self, jobs: Option<u64>) -> Result<Cluster> {
        let file = Cluster::read(self.cluster.as_deref())?;
        let text = |flag: &Option<String>, file: Option<String>| flag.clone().or(file);
        let cluster = Cluster {
            partition: text(&self.partition, file.partition),
            account: text(&self.account, file.account),
            gres: text(&self.gres, file.gres),
            time: text(&self.time, file.time),
            mem: text(&self.mem, file.mem),
            cpus: self.cpus.or(file.cpus),
            tasks: self.tasks.or(file.tasks),
            task_minutes: self.task_minutes.unwrap_or(file.task_minutes),
            jobs: jobs.map_or(file.jobs, |jobs| jobs as usize),
            ..file
        };
        cluster.validate()?;
        Ok(cluster)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        engine: EngineArgs,
    }

    #[test]
    fn flags_beat_the_clusters_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("cluster.toml");
        std::fs::write(&file, "partition = \"cpu\"\ncpus = 2\njobs = 2\nsetup = [\"x\"]").unwrap();
        let file = file.display().to_string();
        let line =
            Line::parse_from(["x", "--engine", "slurm", "--cluster", &file, "--partition", "gpu", "--mem", "8G"]);
        let cluster = line.engine.asked(None).unwrap();
        let found = (cluster.partition.as_deref(), cluster.mem.as_deref(), cluster.cpus, cluster.jobs);
        assert_eq!(found, (Some("gpu"), Some("8G"), Some(2), 2));
        assert_eq!((cluster.setup.len(), line.engine.asked(Some(4)).unwrap().jobs), (1, 4));
    }

    #[test]
    fn what_is_asked_of_a_batch_system_needs_one() {
        let refused = |args: &[&str]| Line::parse_from([&["x"], args].concat()).engine.no_idle_flags();
        let error = refused(&["--gres", "gpu:1", "--wait"]).unwrap_err().to_string();
        assert!(error.contains("--gres, --wait") && error.contains("--engine slurm"), "{error}");
        assert!(refused(&[]).is_ok() && refused(&["--engine", "slurm", "--gres", "gpu:1", "--wait"]).is_ok());
    }
}
