//! Plans made elsewhere: by line, by shard, within a time; how they stand, and their end. Batch systems are stand-ins
//! here, which say what they were asked; `scripts/slurm-test.sh` has a real one.

mod common;

use common::{harness, run, stderr};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

/// A sweep of four short runs, in a file, since plans take no `--over`.
const SWEEP: &str = r#"
    title = "Width"
    name = "widths"
    kind = "sweep"
    sweep = { parameter = "network.width", label = "width", values = [16, 24] }
    [[rows]]
    label = "SLL"
    rule = { name = "sll" }
    [[columns]]
    label = "MNIST sample"
    dataset = "mnist-sample"
    network = { name = "mlp-2x800" }
    profile.quick = { epochs = 1, seeds = 2, train_limit = 256 }
    profile.short = { epochs = 2000, seeds = 1, train_limit = 256 }
"#;

struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("widths.toml"), SWEEP).unwrap();
        Self { folder }
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    fn results(&self) -> &Path {
        self.folder.path()
    }

    fn harness(&self, args: &[&str]) -> Output {
        run(self.results(), args)
    }

    /// Writes the plan of a profile, and gives its path.
    fn plan(&self, profile: &str) -> String {
        let output = self.harness(&["plan", &self.path("widths.toml"), "--profile", profile]);
        assert!(output.status.success(), "{}", stderr(&output));
        fs::write(self.path("plan.jsonl"), output.stdout).unwrap();
        self.path("plan.jsonl")
    }

    fn status(&self, plan: &str) -> String {
        let output = self.harness(&["status", plan]);
        assert!(output.status.success(), "{}", stderr(&output));
        String::from_utf8(output.stdout).unwrap()
    }
}

fn fails(output: &Output, code: i32, words: &[&str]) {
    let text = stderr(output);
    assert_eq!(output.status.code(), Some(code), "{text}");
    for word in words {
        assert!(text.contains(word), "no `{word}` in: {text}");
    }
}

#[test]
fn a_plan_is_made_by_line_and_by_shard_and_its_page_written_afterwards() {
    let place = Place::new();
    let plan = place.plan("quick");
    let text = fs::read_to_string(&plan).unwrap();
    let lines: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 4);
    for line in &lines {
        assert!(line["seconds"].as_f64().unwrap() > 0.0 && line["bytes"].as_u64().unwrap() > 3_000_000, "{line}");
        assert_eq!(line["spec"]["dataset"], "mnist-sample");
    }
    assert!(place.status(&plan).contains("4 runs: 0 done, 0 running, 4 waiting, 0 failed; about"));
    let work = |more: &[&str]| place.harness(&[&["work", &plan], more].concat());
    assert!(work(&["--line", "2"]).status.success());
    let status = place.status(&plan);
    let second = lines[1]["id"].as_str().unwrap();
    assert!(status.contains("1 done") && status.lines().any(|l| l.contains(second) && l.ends_with("done")), "{status}");
    assert!(stderr(&work(&["--shard", "1/2", "--jobs", "2"])).contains("2 to do"));
    assert!(stderr(&work(&["--shard", "2/2"])).contains("1 already done, 1 to do"));
    assert!(place.status(&plan).contains("4 done"));
    let page = place.harness(&["sweep", &place.path("widths.toml"), "--profile", "quick", "--no-run"]);
    assert!(page.status.success() && String::from_utf8_lossy(&page.stdout).contains("SLL"), "{}", stderr(&page));
    // A sweep's own shard makes its part and writes no page.
    let fresh = Place::new();
    let shard = fresh.harness(&["sweep", &fresh.path("widths.toml"), "--profile", "quick", "--shard", "2/4"]);
    assert!(shard.status.success() && shard.stdout.is_empty(), "{}", stderr(&shard));
    assert!(!fresh.results().join("quick").exists());
    assert!(fresh.status("widths").contains("1 done, 0 running, 3 waiting"));
}

#[test]
fn mistakes_in_a_plan_are_named() {
    let place = Place::new();
    let plan = place.plan("quick");
    fails(&place.harness(&["work", &plan, "--line", "5"]), 2, &["--line 5", "4 lines"]);
    fails(&place.harness(&["work", &place.path("none.jsonl")]), 3, &["none.jsonl"]);
    fails(&place.harness(&["status", "nothing"]), 2, &["`nothing`", "there is none here", "harness plan"]);
    fails(&place.harness(&["cancel", &plan]), 0, &["nobody works on these plans"]);
    let text = fs::read_to_string(&plan).unwrap();
    fs::write(&plan, text.replacen("\"seed\":0", "\"seed\":7", 1)).unwrap();
    fails(&place.harness(&["work", &plan]), 2, &["line 1", "harness plan"]);
    let sweep = place.path("widths.toml");
    fails(&place.harness(&["sweep", &sweep, "--engine", "slurm", "--shard", "1/2"]), 2, &["--shard", "--task-minutes"]);
}

#[test]
fn work_stops_in_time_or_when_it_is_cancelled_and_its_state_is_kept() {
    let place = Place::new();
    let plan = place.plan("short");
    fails(
        &place.harness(&["work", &plan, "--max-time", "0s"]),
        75,
        &["before any run made a step", "give it more time"],
    );
    let began = Instant::now();
    let stopped = place.harness(&["work", &plan, "--max-time", "3s", "--jobs", "2"]);
    fails(&stopped, 130, &["what is finished is kept"]);
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    let status = place.status(&plan);
    assert!(status.contains("0 running, 2 waiting, 0 failed") && status.contains("of 2000 epochs"), "{status}");
    // A sweep on this machine is found by its plan, and ended by its locks.
    let mut sweep = harness(place.results());
    sweep.args(["sweep", &place.path("widths.toml"), "--profile", "short", "--jobs", "2"]);
    let child = sweep.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let began = Instant::now();
    while !place.status(&plan).contains("2 running") {
        assert!(began.elapsed() < Duration::from_secs(60), "never two at once: {}", place.status(&plan));
        std::thread::sleep(Duration::from_millis(100));
    }
    assert!(place.status(&plan).contains(&format!("(process {} on ", child.id())));
    let cancelled = place.harness(&["cancel"]);
    assert!(cancelled.status.success() && stderr(&cancelled).contains("asked process"), "{}", stderr(&cancelled));
    fails(&child.wait_with_output().unwrap(), 130, &["interrupted"]);
    assert!(place.status(&plan).contains("0 running, 2 waiting, 0 failed"));
}

#[test]
fn what_another_process_works_on_is_made_after_all_else() {
    let place = Place::new();
    let plan = place.plan("quick");
    let text = fs::read_to_string(&plan).unwrap();
    let first: serde_json::Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    let folder = place.results().join("runs").join(first["id"].as_str().unwrap());
    fs::create_dir_all(&folder).unwrap();
    let held = fs::File::create(folder.join("lock")).unwrap();
    held.lock().unwrap();
    let mut work = harness(place.results());
    let child = work.args(["work", &plan]).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let began = Instant::now();
    while !place.status(&plan).contains("3 done, 1 running") {
        assert!(began.elapsed() < Duration::from_secs(60), "it waits: {}", place.status(&plan));
        std::thread::sleep(Duration::from_millis(100));
    }
    held.unlock().unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(place.status(&plan).contains("4 done"));
}

#[test]
fn a_run_that_failed_is_told_with_its_reason_until_it_is_begun_again() {
    let place = Place::new();
    let plan = place.plan("quick");
    let text = fs::read_to_string(&plan).unwrap();
    let first: serde_json::Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    let folder = place.results().join("runs").join(first["id"].as_str().unwrap());
    fs::create_dir_all(folder.parent().unwrap()).unwrap();
    fs::write(&folder, "a file where the run's folder should be").unwrap();
    fails(&place.harness(&["work", &plan, "--jobs", "2"]), 1, &["1 of 4 runs failed", "cannot create"]);
    let status = place.status(&plan);
    assert!(status.contains("3 done, 0 running, 0 waiting, 1 failed"), "{status}");
    assert!(status.lines().any(|line| line.contains("failed: error: cannot create")), "{status}");
    fs::remove_file(&folder).unwrap();
    assert!(place.harness(&["work", &plan]).status.success());
    assert!(place.status(&plan).contains("4 done, 0 running, 0 waiting, 0 failed"));
}

/// A stand-in of Slurm's commands, which note what they are asked in `asked`; to submit a job is to do `submit`, and it
/// is alive while there is the file `alive`.
struct StandIn<'a> {
    place: &'a Place,
    folder: tempfile::TempDir,
}

impl<'a> StandIn<'a> {
    fn new(place: &'a Place, submit: &str) -> Self {
        let this = Self { place, folder: tempfile::tempdir().unwrap() };
        this.script("sbatch", &format!("{submit}; echo '42;cluster'"));
        let told = "case $2 in *PENDING) echo Priority;; *) echo RUNNING; echo PENDING;; esac";
        let squeue = format!("if [ -e alive ]; then {told}; else echo 'Invalid job id specified' >&2; exit 1; fi");
        this.script("squeue", &squeue);
        this.script("scancel", "rm alive");
        this
    }

    /// A command called `name` that `does` something.
    fn script(&self, name: &str, does: &str) {
        let (path, home) = (self.folder.path().join(name), self.folder.path().display());
        fs::write(&path, format!("#!/bin/sh\ncd '{home}'\necho \"{name} $*\" >> asked\n{does}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// `PATH` with these commands before the machine's own.
    fn path(&self) -> String {
        format!("{}:{}", self.folder.path().display(), std::env::var("PATH").unwrap())
    }

    /// The program on a machine with these commands.
    fn harness(&self, args: &[&str]) -> Command {
        let mut command = harness(self.place.results());
        command.args(args).env("PATH", self.path());
        command
    }

    fn call(&self, args: &[&str]) -> Output {
        self.harness(args).output().unwrap()
    }

    /// The file while which a job is alive.
    fn alive(&self) -> PathBuf {
        self.folder.path().join("alive")
    }

    /// What was asked so far.
    fn asked(&self) -> String {
        fs::read_to_string(self.folder.path().join("asked")).unwrap_or_default()
    }
}

#[test]
fn a_batch_system_is_handed_what_is_missing_once() {
    let place = Place::new();
    let slurm = StandIn::new(&place, "touch alive");
    let file = place.path("widths.toml");
    let sweep = |more: &[&str]| {
        slurm.call(&[&["sweep", &file, "--profile", "quick", "--engine", "slurm", "--partition", "p"], more].concat())
    };
    let dry = sweep(&["--dry-run"]);
    let script = String::from_utf8_lossy(&dry.stdout).into_owned();
    assert!(script.contains("#SBATCH --partition=p") && script.contains("lines=(1-4)"), "{script}");
    assert!(slurm.asked().is_empty() && !place.results().join("plans").exists());
    assert!(sweep(&[]).status.success());
    let second = sweep(&[]);
    assert!(
        stderr(&second).contains("2 tasks of widths") && slurm.asked().matches("sbatch").count() == 1,
        "{}",
        slurm.asked()
    );
    let status = slurm.call(&["status"]);
    assert!(String::from_utf8_lossy(&status.stdout).contains("4 waiting, 0 failed"), "{status:?}");
    assert!(String::from_utf8_lossy(&status.stdout).contains("(waiting for: Priority)"), "{status:?}");
    assert!(String::from_utf8_lossy(&status.stdout).contains("2 tasks in the batch system"), "{status:?}");
    assert!(slurm.call(&["cancel"]).status.success() && slurm.asked().contains("scancel 42"), "{}", slurm.asked());
    // The script that was submitted does what it is for.
    let plans = fs::read_dir(place.results().join("plans")).unwrap().next().unwrap().unwrap().path();
    let mut task = Command::new("bash");
    task.arg(plans.join("slurm.sh"))
        .env("SLURM_ARRAY_TASK_ID", "0")
        .env("SLURM_JOB_ID", "42")
        .env("PATH", slurm.path());
    common::clean(&mut task, place.results());
    let task = task.output().unwrap();
    assert!(task.status.success(), "{}", stderr(&task));
    let last = sweep(&[]);
    assert!(last.status.success() && String::from_utf8_lossy(&last.stdout).contains("SLL"), "{}", stderr(&last));
    assert_eq!(slurm.asked().matches("sbatch").count(), 1, "all was there");
}

#[test]
fn two_who_hand_the_same_plan_over_submit_it_once() {
    let place = Place::new();
    let slurm = StandIn::new(&place, "sleep 1; touch alive");
    let file = place.path("widths.toml");
    let sweep = || {
        let mut command = slurm.harness(&["sweep", &file, "--profile", "quick", "--engine", "slurm"]);
        command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let outputs = [sweep(), sweep()].map(|child| child.wait_with_output().unwrap());
    assert!(outputs.iter().all(|output| output.status.success()), "{outputs:?}");
    assert!(outputs.iter().any(|output| stderr(output).contains("nothing is submitted")), "{outputs:?}");
    assert_eq!(slurm.asked().matches("sbatch").count(), 1, "{}", slurm.asked());
}

#[test]
fn who_waits_for_a_batch_system_gets_the_page_and_passes_over_another_ones_lost_job() {
    let place = Place::new();
    // What is submitted is made at once: `sbatch --parsable SCRIPT`.
    let slurm = StandIn::new(&place, "SLURM_ARRAY_TASK_ID=0 SLURM_JOB_ID=42 bash \"$2\" >&2");
    let file = place.path("widths.toml");
    let sweep = |engine: &str, more: &[&str]| {
        slurm.call(&[&["sweep", &file, "--profile", "quick", "--engine", engine], more].concat())
    };
    // HyperQueue has the plan, and is not there any more.
    assert!(sweep("slurm", &[]).status.success());
    let plan = fs::read_dir(place.results().join("plans")).unwrap().next().unwrap().unwrap().path();
    fs::write(plan.join("jobs.jsonl"), "{\"engine\":\"hq\",\"job\":\"3@gone\"}\n").unwrap();
    slurm.script("hq", "echo no server >&2; exit 1");
    fs::remove_dir_all(place.results().join("runs")).unwrap();
    fails(&sweep("hq", &[]), 3, &["hq server info", "no server"]);
    let waited = sweep("slurm", &["--wait"]);
    assert!(waited.status.success(), "{}", stderr(&waited));
    assert_eq!(stderr(&waited).matches("is taken to be gone").count(), 1, "{}", stderr(&waited));
    assert!(String::from_utf8_lossy(&waited.stdout).contains("SLL"), "{waited:?}");
    // Nor does the lost job keep Slurm's alive.
    fs::write(slurm.alive(), "").unwrap();
    let cancelled = slurm.call(&["cancel"]);
    fails(&cancelled, 1, &["2 tasks ended", "job 3@gone of hq"]);
    assert!(slurm.asked().contains("scancel 42"), "{}", slurm.asked());
}

#[test]
fn of_several_plans_under_way_cancel_wants_a_name() {
    let place = Place::new();
    let slurm = StandIn::new(&place, "touch alive");
    fails(&slurm.call(&["cancel"]), 2, &["there is no plan here"]);
    for profile in ["quick", "short"] {
        let file = place.path("widths.toml");
        assert!(slurm.call(&["sweep", &file, "--profile", profile, "--engine", "slurm"]).status.success());
    }
    fails(&slurm.call(&["cancel"]), 2, &["widths-quick-flex-", "widths-short-flex-", "--all"]);
    assert!(slurm.alive().exists());
    let named = slurm.call(&["cancel", "widths-short"]);
    assert!(named.status.success() && stderr(&named).contains("widths-short"), "{}", stderr(&named));
    fs::write(slurm.alive(), "").unwrap();
    assert!(slurm.call(&["cancel", "--all"]).status.success() && !slurm.alive().exists());
}
