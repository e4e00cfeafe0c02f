//! HyperQueue: an array of tasks on workers that somebody has started, or that `hq alloc` starts.
//!
//! A task whose worker is lost is queued again by HyperQueue.

use super::queue::{Queue, Work, answer, ask};
use crate::error::{Error, Result};
use serde_json::Value;
use std::path::Path;
use std::process::Command;

/// The batch system.
pub struct HyperQueue;

impl Queue for HyperQueue {
    fn script(&self, work: &Work) -> String {
        let cluster = &work.cluster;
        let log = work.folder.join("%{JOB_ID}_%{TASK_ID}.log").display().to_string();
        let own = [
            Some(format!("--name={}", work.name)),
            Some(format!("--array=0-{}", work.tasks.len() - 1)),
            Some(format!("--stdout=\"{log}\"")),
            Some(format!("--stderr=\"{log}\"")),
            cluster.cpus.map(|cpus| format!("--cpus={cpus}")),
            cluster.gres.as_ref().map(|what| format!("--resource={what}")),
            cluster.time.as_ref().map(|time| format!("--time-limit={time}")),
        ];
        let options = own.into_iter().flatten().chain(cluster.options.iter().cloned());
        let options: String = options.map(|option| format!("#HQ {option}\n")).collect();
        format!("#!/bin/bash\n{options}\n{}exit \"$code\"\n", work.body("HQ_TASK_ID"))
    }

    fn submit(&self, path: &Path) -> Result<String> {
        let said = answer("hq submit", &ask(hq().arg("submit").arg(path))?)?;
        let id = serde_json::from_str::<Value>(&said).ok().and_then(|told| told["id"].as_u64());
        id.map(|id| id.to_string()).ok_or_else(|| Error::Failed(format!("hq submit gave no job's id: {said}")))
    }

    fn alive(&self, job: &str) -> Result<usize> {
        let said = answer("hq job info", &ask(hq().args(["job", "info", job]))?)?;
        tasks_left(&said).ok_or_else(|| Error::Failed(format!("hq job info tells no numbers of tasks: {said}")))
    }

    fn cancel(&self, job: &str) -> Result<()> {
        answer("hq job cancel", &ask(hq().args(["job", "cancel", job]))?).map(drop)
    }
}

fn hq() -> Command {
    let mut command = Command::new("hq");
    command.arg("--output-mode=json");
    command
}

/// Tasks that wait or run, of `[{"info": {"task_stats": {"running": 1, "waiting": 2, ..}}}]`. A job that the server
/// does not know has no entry.
fn tasks_left(said: &str) -> Option<usize> {
    let told: Value = serde_json::from_str(said).ok()?;
    let jobs = told.as_array()?;
    let left = |job: &Value| {
        let stats = &job["info"]["task_stats"];
        Some((stats["running"].as_u64()? + stats["waiting"].as_u64()?) as usize)
    };
    jobs.iter().map(left).sum()
}

#[cfg(test)]
mod tests {
    use super::super::queue::example;
    use super::*;

    #[test]
    fn a_script_has_its_options_as_directives_and_is_a_shells() {
        let script = HyperQueue.script(&example());
        for option in ["--array=0-1", "--cpus=8", "--resource=gpu:1", "--name=table2"] {
            assert!(script.contains(&format!("#HQ {option}\n")), "no {option} in {script}");
        }
        assert!(script.contains("${lines[HQ_TASK_ID]}") && script.ends_with("exit \"$code\"\n"), "{script}");
    }

    #[test]
    fn tasks_that_wait_or_run_are_counted() {
        let stats = r#"{"running": 1, "waiting": 2, "finished": 4, "failed": 0, "canceled": 0}"#;
        assert_eq!(tasks_left(&format!(r#"[{{"info": {{"id": 3, "task_stats": {stats}}}}}]"#)), Some(3));
        assert_eq!((tasks_left("[]"), tasks_left("{}"), tasks_left("")), (Some(0), None, None));
    }
}
