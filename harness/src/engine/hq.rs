//! HyperQueue: an array of tasks on workers that somebody has started, or that `hq alloc` starts.
//!
//! A task whose worker is lost is queued again by HyperQueue; one that fails is not. What HyperQueue ends hears SIGINT
//! and is killed a second later; where a worker is killed, what it started hears SIGTERM. The script ends in `exec`, so
//! that the program hears these signals and not a shell around it.

use super::cluster::Cluster;
use super::queue::{Queue, Work, ask, quoted};
use crate::error::{Error, Result};
use serde_json::Value;
use std::ffi::OsString;
use std::path::Path;
use std::process::Command;

/// Variables that say where things are: tasks have their worker's surroundings, not those of whoever submits them. What
/// is handed on stands in the list of processes and in the server's description of the job, so that no token is.
const HANDED_ON: [&str; 12] = [
    "SLL_DATA_DIR",
    "SLL_CACHE",
    "SLL_OFFLINE",
    "XDG_CACHE_HOME",
    "HF_HOME",
    "HF_HUB_CACHE",
    "HUGGINGFACE_HUB_CACHE",
    "HF_ENDPOINT",
    "HF_TOKEN_PATH",
    "HF_HUB_DISABLE_IMPLICIT_TOKEN",
    "LIBTORCH",
    "LD_LIBRARY_PATH",
];

/// The batch system.
pub struct HyperQueue;

impl Queue for HyperQueue {
    fn unused(&self, cluster: &Cluster) -> Vec<&'static str> {
        let asked = [
            ("partition", cluster.partition.is_some()),
            ("account", cluster.account.is_some()),
            ("mem", cluster.mem.is_some()),
            ("tasks", cluster.tasks.is_some()),
        ];
        asked.into_iter().filter_map(|(key, asked)| asked.then_some(key)).collect()
    }

    fn script(&self, work: &Work) -> String {
        let cluster = &work.cluster;
        let own = [
            Some(format!("--name={}", work.name)),
            Some(format!("--array=0-{}", work.tasks.len() - 1)),
            // A task that is started again would begin its log anew.
            Some("--stdout=none --stderr=none".into()),
            cluster.cpus.map(|cpus| format!("--cpus={cpus}")),
            cluster.gres.as_ref().map(|what| format!("--resource={what}")),
            cluster.time.as_ref().map(|time| format!("--time-limit={time}")),
        ];
        let options = own.into_iter().flatten().chain(cluster.options.iter().cloned());
        let options: String = options.map(|option| format!("#HQ {option}\n")).collect();
        let folder = quoted(&work.folder.display().to_string());
        let (before, program) = work.parts("HQ_TASK_ID");
        format!(
            "#!/bin/bash\n{options}\nexec >>{folder}/\"${{HQ_JOB_ID}}_$HQ_TASK_ID.log\" 2>&1\n{before}exec {program}\n"
        )
    }

    fn submit(&self, path: &Path) -> Result<String> {
        let server = server()?;
        let told = told(hq(&["submit", "--directives=file"]).args(handed_on(|name| std::env::var_os(name))).arg(path))?;
        let id = told["id"].as_u64().ok_or_else(|| Error::Failed(format!("hq submit gave no job's id: {told}")))?;
        Ok(format!("{id}@{server}"))
    }

    fn alive(&self, job: &str) -> Result<usize> {
        let server = server()?;
        let Some(id) = of_server(job, &server) else { return Ok(0) };
        let told = told(&mut hq(&["job", "info", id]))?;
        tasks_left(&told).ok_or_else(|| Error::Failed(format!("hq job info tells no numbers of tasks: {told}")))
    }

    fn cancel(&self, job: &str) -> Result<()> {
        match of_server(job, &server()?) {
            Some(id) => told(&mut hq(&["job", "cancel", id])).map(drop),
            None => Ok(()),
        }
    }
}

/// The options that hand on what `value` has of [`HANDED_ON`].
fn handed_on(value: impl Fn(&str) -> Option<OsString>) -> Vec<OsString> {
    let option = |name: &&str| {
        let mut assignment = OsString::from(format!("{name}="));
        assignment.push(value(name)?);
        Some(["--env".into(), assignment])
    };
    HANDED_ON.iter().filter_map(option).flatten().collect()
}

/// The server's own name, which it keeps only where it restarts from a journal.
fn server() -> Result<String> {
    let next = "start one (`hq server start`), name its folder in HQ_SERVER_DIR, or take another --engine";
    let told = told(&mut hq(&["server", "info"])).map_err(|error| Error::Missing(format!("{error}; {next}")))?;
    let name = told["server_uid"].as_str().map(String::from);
    name.ok_or_else(|| Error::Failed(format!("hq server info tells no server_uid: {told}")))
}

/// The number of a job that `server` has. Another server's jobs are gone with it, and their numbers are other jobs'
/// now; a job that does not say whose it is may be this one's.
fn of_server<'a>(job: &'a str, server: &str) -> Option<&'a str> {
    match job.split_once('@') {
        Some((id, submitted_to)) => (submitted_to == server).then_some(id),
        None => Some(job),
    }
}

fn hq(words: &[&str]) -> Command {
    let mut command = Command::new("hq");
    command.arg("--output-mode=json").args(words);
    command
}

/// What `command` tells as JSON, or why it failed.
fn told(command: &mut Command) -> Result<Value> {
    let output = ask(command)?;
    let said = String::from_utf8_lossy(&output.stdout);
    match (output.status.success(), serde_json::from_str(&said)) {
        (true, Ok(told)) => Ok(told),
        (_, told) => {
            let words = command.get_args().skip(1).map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ");
            let heard = String::from_utf8_lossy(&output.stderr);
            let error = told.ok().and_then(|told: Value| told["error"].as_str().map(String::from));
            let why = error.unwrap_or_else(|| format!("{said} {heard}"));
            Err(Error::Failed(format!("hq {words}: {}", why.trim())))
        }
    }
}

/// Tasks that wait or run, of `[{"info": {"task_stats": {"running": 1, "waiting": 2, ..}}}]`. A job that the server
/// does not know has no entry.
fn tasks_left(told: &Value) -> Option<usize> {
    let left = |job: &Value| {
        let stats = &job["info"]["task_stats"];
        Some((stats["running"].as_u64()? + stats["waiting"].as_u64()?) as usize)
    };
    told.as_array()?.iter().map(left).sum()
}

#[cfg(test)]
mod tests {
    use super::super::queue::example;
    use super::*;
    use serde_json::json;

    #[test]
    fn a_script_has_its_options_as_directives_and_is_a_shells() {
        let mut work = example();
        work.cluster.gres = Some("gpus/nvidia=1".into());
        work.cluster.options = vec!["--crash-limit=9".into()];
        let script = HyperQueue.script(&work);
        for option in ["--array=0-1", "--cpus=8", "--resource=gpus/nvidia=1", "--name=table2", "--crash-limit=9"] {
            assert!(script.contains(&format!("#HQ {option}\n")), "no {option} in {script}");
        }
        assert!(
            script.contains("exec >>'/shared/my results/plans/table2'/\"${HQ_JOB_ID}_$HQ_TASK_ID.log\""),
            "{script}"
        );
        let folder = tempfile::tempdir().unwrap();
        // In the place of its script, a program tells its words, and what it is told is in the log.
        let work = Work { folder: folder.path().into(), command: vec!["echo".into(), "it's".into()], ..example() };
        let work = Work { cluster: Default::default(), ..work };
        let path = folder.path().join("hq.sh");
        std::fs::write(&path, HyperQueue.script(&work)).unwrap();
        for _ in 0..2 {
            let mut command = Command::new("bash");
            command.arg(&path).env("HQ_JOB_ID", "7").env("HQ_TASK_ID", "1");
            assert!(command.status().unwrap().success());
        }
        let log = std::fs::read_to_string(folder.path().join("7_1.log")).unwrap();
        assert_eq!(log, "it's --line 4,9\n".repeat(2));
    }

    #[test]
    fn places_are_handed_on_and_no_token() {
        let value = |name: &str| (name != "HF_HOME").then(|| OsString::from(format!("of {name}")));
        let options = handed_on(value);
        let options: Vec<&str> = options.iter().map(|option| option.to_str().unwrap()).collect();
        assert_eq!(options[..2], ["--env", "SLL_DATA_DIR=of SLL_DATA_DIR"]);
        assert!(!options.iter().any(|option| option.starts_with("HF_HOME=") || option.starts_with("HF_TOKEN=")));
    }

    #[test]
    fn jobs_of_another_server_are_gone() {
        assert_eq!(
            (of_server("3@abc", "abc"), of_server("3@abc", "def"), of_server("3", "def")),
            (Some("3"), None, Some("3"))
        );
    }

    #[test]
    fn what_has_no_use_here_is_named() {
        let cluster = Cluster { mem: Some("64G".into()), cpus: Some(4), ..Cluster::default() };
        assert_eq!(HyperQueue.unused(&cluster), ["mem"]);
    }

    #[test]
    fn tasks_that_wait_or_run_are_counted() {
        let stats = json!({"running": 1, "waiting": 2, "finished": 4, "failed": 0, "canceled": 0, "aborted": 1});
        assert_eq!(tasks_left(&json!([{"info": {"id": 3, "task_stats": stats}}])), Some(3));
        assert_eq!((tasks_left(&json!([])), tasks_left(&json!({}))), (Some(0), None));
    }
}
