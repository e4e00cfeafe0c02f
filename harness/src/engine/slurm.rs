//! Slurm: an array of jobs, one a task.
//!
//! A task that is preempted, or whose node fails, is queued again by Slurm; one whose time is nearly over hears
//! SIGUSR1, keeps its state and queues itself again, and so does one that was killed, or that made no step in its time,
//! three times in a row at most: a file beside its log counts them.

use super::cluster::Cluster;
use super::queue::{Queue, Work, ask, quoted};
use crate::error::{Error, Result};
use std::path::Path;
use std::process::{Command, Output};

/// How often a task that was killed, or made no step, is queued again.
const TRIES: u32 = 3;
/// Seconds by which Slurm may send a signal early (sbatch(1), `--signal`).
const EARLY: u64 = 60;
/// What Slurm says of a job that is over and forgotten.
const FORGOTTEN: &str = "Invalid job id";

/// The batch system.
pub struct Slurm;

impl Queue for Slurm {
    fn check(&self, cluster: &Cluster) -> Result<()> {
        match cluster.time.as_deref().and_then(seconds) {
            Some(time) if time <= u64::from(cluster.grace) + EARLY => Err(Error::Input(format!(
                "`time` of a cluster: a task of {time} seconds may be told to end as soon as it begins, since `grace`, \
                 the time for keeping its state, is {} and Slurm may send its signal {EARLY} seconds early; ask for \
                 more time",
                cluster.grace
            ))),
            _ => Ok(()),
        }
    }

    fn script(&self, work: &Work) -> String {
        let cluster = &work.cluster;
        let log = work.folder.join("%A_%a.log").display().to_string();
        let at_once = cluster.tasks.map_or_else(String::new, |tasks| format!("%{tasks}"));
        let own = [
            Some(format!("--job-name={}", work.name)),
            Some(format!("--array=0-{}{at_once}", work.tasks.len() - 1)),
            Some(format!("--output=\"{log}\"")),
            Some("--open-mode=append".into()),
            Some("--requeue".into()),
            Some(format!("--signal=B:USR1@{}", cluster.grace)),
            Some("--ntasks=1".into()),
            cluster.partition.as_ref().map(|name| format!("--partition={name}")),
            cluster.account.as_ref().map(|name| format!("--account={name}")),
            cluster.gres.as_ref().map(|what| format!("--gres={what}")),
            cluster.time.as_ref().map(|time| format!("--time={time}")),
            cluster.mem.as_ref().map(|mem| format!("--mem={mem}")),
            cluster.cpus.map(|cpus| format!("--cpus-per-task={cpus}")),
        ];
        let options = own.into_iter().flatten().chain(cluster.options.iter().cloned());
        let options: String = options.map(|option| format!("#SBATCH {option}\n")).collect();
        let (before, program) = work.parts("SLURM_ARRAY_TASK_ID");
        let folder = quoted(&work.folder.display().to_string());
        format!(
            r#"#!/bin/bash
{options}
{before}{program} &
child=$!
over= asked=
# The program keeps its state and ends.
trap 'over=1; kill -TERM "$child" 2>/dev/null' USR1
trap 'asked=1; kill -TERM "$child" 2>/dev/null' TERM INT HUP
code=0
wait "$child" || code=$?
while kill -0 "$child" 2>/dev/null; do
  code=0
  wait "$child" || code=$?
done

# 130: its state is kept; 75: no step was made. Slurm itself queues what it preempted; what was cancelled stays so.
tries={folder}/"${{SLURM_ARRAY_JOB_ID:-$SLURM_JOB_ID}}_$SLURM_ARRAY_TASK_ID.tries"
again= failed=
[[ -n $over && $code -eq 130 ]] && again=1
[[ -n $over && $code -eq 75 ]] && failed=1
[[ -z $asked ]] && ((code > 128 && code != 130)) && failed=1
if [[ -z $failed ]]; then
  rm -f "$tries"
else
  echo >>"$tries"
  (($(wc -l <"$tries") <= {TRIES})) && again=1
fi
[[ -n $again ]] && exec scontrol requeue "$SLURM_JOB_ID"
exit "$code"
"#
        )
    }

    fn submit(&self, path: &Path) -> Result<String> {
        let said = answer("sbatch", &ask(Command::new("sbatch").arg("--parsable").arg(path))?).map_err(advised)?;
        // The cluster's name may follow.
        Ok(said.split(';').next().unwrap_or_default().to_string())
    }

    fn alive(&self, job: &str) -> Result<usize> {
        let output = ask(Command::new("squeue").args(["--noheader", "--array", "--format=%T", "--jobs", job]))?;
        if String::from_utf8_lossy(&output.stderr).contains(FORGOTTEN) {
            return Ok(0);
        }
        Ok(answer("squeue", &output)?.lines().count())
    }

    fn waits_for(&self, job: &str) -> Result<Vec<String>> {
        let pending = ["--noheader", "--states=PENDING", "--format=%r", "--jobs", job];
        let output = ask(Command::new("squeue").args(pending))?;
        if String::from_utf8_lossy(&output.stderr).contains(FORGOTTEN) {
            return Ok(Vec::new());
        }
        Ok(answer("squeue", &output)?.lines().map(|line| line.trim().to_string()).collect())
    }

    fn cancel(&self, job: &str) -> Result<()> {
        match answer("scancel", &ask(Command::new("scancel").arg(job))?) {
            Err(Error::Failed(why)) if !why.contains(FORGOTTEN) => Err(Error::Failed(why)),
            Err(other @ Error::Missing(_)) => Err(other),
            _ => Ok(()),
        }
    }
}

/// What to do about an array that is longer than the cluster takes (its `MaxArraySize`).
fn advised(error: Error) -> Error {
    match error {
        Error::Failed(why) if why.contains("job array") => Error::Failed(format!(
            "{why}; `scontrol show config` has the longest array as MaxArraySize: take a larger --task-minutes, for \
             fewer tasks"
        )),
        other => other,
    }
}

/// Slurm's times in seconds: minutes, minutes:seconds, hours:minutes:seconds, and days-hours with or without minutes
/// and seconds; nothing of what is none.
fn seconds(text: &str) -> Option<u64> {
    let (days, rest) = text.split_once('-').map_or((None, text), |(days, rest)| (Some(days), rest));
    let parts: Vec<u64> = rest.split(':').map(|part| part.parse().ok()).collect::<Option<_>>()?;
    let units: &[u64] = match (days, parts.len()) {
        (None, 1 | 2) => &[60, 1],
        (_, 1..=3) => &[3600, 60, 1],
        _ => return None,
    };
    let days = days.map_or(Some(0), |days| days.parse::<u64>().ok())?;
    let add = |sum: u64, (part, unit): (&u64, &u64)| sum.checked_add(part.checked_mul(*unit)?);
    parts.iter().zip(units).try_fold(days.checked_mul(86_400)?, add)
}

/// The words of `output`, or what it says went wrong.
fn answer(doing: &str, output: &Output) -> Result<String> {
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).trim().to_string()),
        false => {
            let why = String::from_utf8_lossy(&output.stderr).trim().to_string();
            // In Slurm's words: that there is no configuration, no controller, or no way to say who asks.
            let nobody = ["Unable to contact", "configuration source", "auth_munge", "Munge"];
            let next = match nobody.iter().any(|words| why.contains(words)) {
                true => "; call this where Slurm answers `scontrol ping`, like a login node",
                false => "",
            };
            Err(Error::Failed(format!("{doing}: {why}{next}")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::queue::example;
    use super::*;

    #[test]
    fn a_refusal_is_told_and_where_no_controller_answers_what_to_do() {
        use std::os::unix::process::ExitStatusExt;
        let told = |stderr: &str| {
            let status = std::process::ExitStatus::from_raw(1 << 8);
            let output = Output { status, stdout: Vec::new(), stderr: stderr.into() };
            answer("sbatch", &output).unwrap_err().to_string()
        };
        let none = "sbatch: error: resolve_ctls_from_dns_srv: Could not establish a configuration source";
        assert!(told(none).contains(none) && told(none).contains("scontrol ping"));
        let refused = "Batch job submission failed: Requested node configuration is not available";
        assert_eq!(told(refused), format!("sbatch: {refused}"));
    }

    #[test]
    fn a_script_asks_for_what_it_was_told_and_is_a_shells() {
        let script = Slurm.script(&example());
        for option in [
            "--array=0-1%8",
            "--requeue",
            "--signal=B:USR1@120",
            "--partition=gpu",
            "--gres=gpu:1",
            "--time=4:00:00",
            "--cpus-per-task=8",
            "--constraint=a100",
            "--output=\"/shared/my results/plans/table2/%A_%a.log\"",
        ] {
            assert!(script.contains(&format!("#SBATCH {option}\n")), "no {option} in {script}");
        }
        assert!(!script.contains("--account") && !script.contains("--mem"), "{script}");
        assert!(script.contains("module load cuda\n/shared/harness work 'it'\\''s.jsonl' --line"), "{script}");
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("script.sh");
        std::fs::write(&path, script).unwrap();
        assert!(Command::new("bash").arg("-n").arg(&path).status().unwrap().success());
    }

    #[test]
    fn a_script_passes_signals_on_and_queues_itself_again_when_its_time_is_over() {
        let folder = tempfile::tempdir().unwrap();
        // A program that ends with 130 at a signal, and a `scontrol` that tells what it was asked.
        let program = folder.path().join("program");
        let ends = "#!/bin/bash\ntrap 'exit ${CODE:-130}' TERM\necho \"$@\"\nwhile :; do sleep 0.05; done\n";
        std::fs::write(&program, ends).unwrap();
        std::fs::write(folder.path().join("scontrol"), "#!/bin/bash\necho scontrol \"$@\"\n").unwrap();
        let command = vec![program.display().to_string()];
        let place = folder.path().join("it's a plan");
        std::fs::create_dir(&place).unwrap();
        let work = Work { command, cluster: Default::default(), folder: place, ..example() };
        let script = folder.path().join("script.sh");
        std::fs::write(&script, Slurm.script(&work)).unwrap();
        for file in ["program", "scontrol"] {
            let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
            std::fs::set_permissions(folder.path().join(file), mode).unwrap();
        }
        let path = format!("{}:{}", folder.path().display(), std::env::var("PATH").unwrap());
        // What made a step goes on as often as it takes; what made none is tried three times in a row.
        let stuck = [("-USR1", 75, true); 3];
        let turns = [("-USR1", 130, true), ("-TERM", 130, false)].into_iter().chain(stuck);
        let turns = turns.chain([("-USR1", 130, true)]).chain(stuck).chain([("-USR1", 75, false)]);
        for (turn, (signal, code, again)) in turns.enumerate() {
            let mut command = Command::new("bash");
            command.arg(&script).env("PATH", &path).env("SLURM_ARRAY_TASK_ID", "1").env("SLURM_JOB_ID", "77");
            command.env("CODE", code.to_string()).env("SLURM_ARRAY_JOB_ID", "70");
            let child = command.stdout(std::process::Stdio::piped()).spawn().unwrap();
            std::thread::sleep(std::time::Duration::from_millis(500));
            assert!(Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap().success());
            let output = child.wait_with_output().unwrap();
            let said = String::from_utf8_lossy(&output.stdout);
            assert!(said.starts_with("--line 4,9"), "{said}");
            assert_eq!(said.contains("scontrol requeue 77"), again, "turn {turn}, {signal} {code}: {said}");
            assert_eq!(output.status.code(), Some(if again { 0 } else { code }), "turn {turn}, {signal} {code}");
        }
    }

    // sbatch(1), --time: the formats, and what each of them is.
    #[test]
    fn times_are_slurms_and_one_that_is_all_grace_is_refused() {
        let huge = "213503982334602-0";
        let times = ["90", "1:30", "1:00:00", "2-0", "1-1:1", "1-0:0:5", "UNLIMITED", "1h", "1:2:3:4", "-1", huge];
        let expected = [5400, 90, 3600, 172_800, 90_060, 86_405].map(Some);
        assert_eq!(times[..6].iter().map(|time| seconds(time)).collect::<Vec<_>>(), expected);
        assert!(times[6..].iter().all(|time| seconds(time).is_none()));
        let check = |time: &str| Slurm.check(&Cluster { time: Some(time.into()), ..Cluster::default() });
        let error = check("3").unwrap_err().to_string();
        assert!(error.contains("180 seconds") && error.contains("`grace`"), "{error}");
        assert!(check("3:01").is_ok() && check("4:00:00").is_ok() && check("UNLIMITED").is_ok());
        let told = advised(Error::Failed("sbatch: error: Invalid job array specification".into())).to_string();
        assert!(told.contains("MaxArraySize") && told.contains("--task-minutes"), "{told}");
    }
}
