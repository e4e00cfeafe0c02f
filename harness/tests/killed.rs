//! Runs and sweeps that are killed at random moments, stopped by signals, out of memory, on a full disk, or made twice
//! at once: what comes out is what an uninterrupted run gives, bit for bit. Real processes, on one thread.

mod common;

use common::{clean, harness, run, stderr};
use serde_json::Value;
use sll_core::rng::mix;
use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant, SystemTime};

/// Four epochs of 32 steps, with what draws at random; its state is kept after every step.
const STEPS: &[&str] = &[
    "run",
    "--width",
    "16",
    "--dropout",
    "0.2",
    "--epochs",
    "4",
    "--train-limit",
    "2048",
    "--batch",
    "16",
    "--checkpoint-minutes",
    "0",
];
/// Epochs of 2000 steps each.
const LONG: &[&str] = &["run", "--width", "64", "--dropout", "0.2", "--epochs", "2", "--batch", "2", "--optimizer"];
/// Four runs in processes of their own.
const SWEEP: &[&str] = &[
    "sweep",
    "--rule",
    "sll",
    "--over",
    "network.width=16,24",
    "--seeds",
    "2",
    "--jobs",
    "2",
    "--set",
    "recipe.train_limit=1024",
    "--epochs",
    "3",
    "--batch",
    "16",
    "--checkpoint-minutes",
    "0",
];

/// Moments drawn from a seed.
struct Moments(u64);

impl Moments {
    /// The next number below `end`.
    fn below(&mut self, end: u64) -> u64 {
        self.0 = mix(self.0, 1);
        self.0 % end
    }

    /// The next moment before `end`.
    fn before(&mut self, end: Duration) -> Duration {
        Duration::from_micros(self.below(end.as_micros().max(1) as u64))
    }
}

/// How long a run takes until it trains, and from then on.
struct Lengths {
    start: Duration,
    training: Duration,
}

impl Lengths {
    fn of(took: Duration, training: f64) -> Self {
        let training = Duration::from_secs_f64(training);
        Self { start: took.saturating_sub(training), training }
    }

    /// The moment of the next kill, and whether it counts from when the run trains: by turns, since a short run spends
    /// most of its time on its start.
    fn moment(&self, kills: usize, moments: &mut Moments) -> (bool, Duration) {
        let training = kills.is_multiple_of(2);
        (training, moments.before(if training { self.training } else { self.start }))
    }
}

fn json(output: &Output) -> Value {
    assert!(output.status.success(), "{}", stderr(output));
    serde_json::from_slice(&output.stdout).expect("one JSON object on stdout")
}

/// All of a result that is no time, place or memory of other processes.
fn numbers(result: &Value) -> Value {
    let mut result = result.clone();
    let fields = result.as_object_mut().expect("an object");
    ["seconds", "provenance", "digest"].iter().for_each(|key| drop(fields.remove(*key)));
    // How workers fared, and what the library keeps for each thread, hang on who was first.
    if fields.remove("pipeline").is_some() {
        fields.remove("peak_bytes");
    }
    let source = fields["data"].as_object_mut().expect("an object").remove("source");
    assert!(source.is_some());
    for point in fields["curve"].as_array_mut().expect("points") {
        point.as_object_mut().expect("a point").remove("seconds");
    }
    result
}

/// The results of every finished run, by name.
fn results(folder: &Path) -> BTreeMap<String, Value> {
    let runs = fs::read_dir(folder.join("runs")).unwrap().map(|entry| entry.unwrap().path());
    let read = |path: PathBuf| {
        let text = fs::read_to_string(path.join("result.json")).ok()?;
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        Some((name, numbers(&serde_json::from_str(&text).unwrap())))
    };
    runs.filter_map(read).collect()
}

/// How long the finished run in `folder` trained.
fn seconds(folder: &Path) -> f64 {
    let result: Value = serde_json::from_slice(&fs::read(folder.join("result.json")).unwrap()).unwrap();
    result["seconds"].as_f64().unwrap()
}

/// The weights of a saved network as they lie in the file, without what it says about them.
fn weights(path: &Path) -> Vec<(String, Vec<u8>)> {
    let bytes = fs::read(path).unwrap();
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let mut all: Vec<_> = file.iter().map(|(name, tensor)| (name.to_string(), tensor.data().to_vec())).collect();
    all.sort();
    assert!(!all.is_empty());
    all
}

/// The processes that `pid` has started.
fn children(pid: u32) -> Vec<u32> {
    let text = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    text.split_whitespace().map(|pid| pid.parse().unwrap()).collect()
}

fn signal(pid: u32, name: &str) {
    // One that has just ended cannot be told.
    let _ = Command::new("kill").args([name, &pid.to_string()]).stderr(Stdio::null()).status().unwrap();
}

fn kill(mut child: Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

/// Starts `command` and gives it with the lines of its stderr, once one has had `word`.
fn until(mut command: Command, word: &str) -> (Child, impl Iterator<Item = String> + use<>) {
    let mut child = command.stderr(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
    assert!(lines.any(|line| line.contains(word)), "never said: {word}");
    (child, lines)
}

/// Spoils the latest state under `results`, if there is one: cuts it, or flips a bit.
fn spoil(results: &Path, moments: &mut Moments) {
    for entry in fs::read_dir(results.join("runs")).into_iter().flatten().flatten() {
        let path = entry.path().join("checkpoint.bin");
        let Ok(mut bytes) = fs::read(&path) else { continue };
        let place = moments.below(bytes.len() as u64) as usize;
        match moments.below(2) {
            0 => bytes.truncate(place),
            _ => bytes[place] ^= 1 << moments.below(8),
        }
        fs::write(&path, bytes).unwrap();
    }
}

/// When the states under `results` were last kept.
fn states(results: &Path) -> Vec<SystemTime> {
    let runs = fs::read_dir(results.join("runs")).into_iter().flatten().flatten();
    runs.filter_map(|run| fs::metadata(run.path().join("checkpoint.bin")).ok()?.modified().ok()).collect()
}

/// Starts `command` and lets it go on until `moment`, with what it says in `said`; gives it if it has not come to its
/// end by then. With `kept`, a store, the moment counts from the first state that is kept there: the command's, or that
/// of a run which outlived the sweep that was killed before.
fn started(mut command: Command, said: &Path, kept: Option<&Path>, moment: Duration) -> Option<Child> {
    let file = fs::File::options().create(true).append(true).open(said).unwrap();
    let before = kept.map(states);
    let mut child = command.stdout(Stdio::null()).stderr(file).spawn().unwrap();
    while kept.map(states) == before && kept.is_some() && child.try_wait().unwrap().is_none() {
        std::thread::sleep(Duration::from_millis(1));
    }
    std::thread::sleep(moment);
    let ended = child.try_wait().unwrap();
    assert!(ended.is_none_or(|status| status.success()), "{}", fs::read_to_string(said).unwrap());
    ended.is_none().then_some(child)
}

/// A folder for runs that are killed: in memory where the system has such a place, since a disk that others use takes
/// seconds for the states of a run that keeps one at every step.
fn folder() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

/// Kills the run `args` `times` times at random, now and then spoils its latest state, and holds what comes out, the
/// trained weights included, to what an uninterrupted one gives.
fn run_survives(args: &[&str], times: usize, seed: u64) {
    let (folder, whole) = (folder(), folder());
    let saved = |folder: &Path| folder.join("saved.safetensors").display().to_string();
    let last = |results: &Path| run(results, &[args, &["--keep-state", "--save", &saved(results)]].concat());
    let started_with = |results: &Path, args: &[&str], training: bool, moment: Duration| {
        let mut command = harness(results);
        command.args(args);
        started(command, &folder.path().join("said"), training.then_some(results), moment)
    };
    let began = Instant::now();
    let expected = json(&last(whole.path()));
    let lengths = Lengths::of(began.elapsed(), expected["seconds"].as_f64().unwrap());
    let (mut moments, mut kills) = (Moments(seed), 0);
    // A store for each pass, so that all moments of a run have their kills.
    for pass in 0.. {
        if kills == times {
            break;
        }
        let store = folder.path().join(pass.to_string());
        while kills < times {
            let (training, moment) = lengths.moment(kills, &mut moments);
            let Some(child) = started_with(&store, args, training, moment) else { break };
            kill(child);
            kills += 1;
            if moments.below(4) == 0 {
                spoil(&store, &mut moments);
            }
        }
        assert_eq!(numbers(&json(&run(&store, args))), numbers(&expected), "{kills} kills, seed {seed}");
    }
    // Weights, once more with a kill, and with its state kept, in case it is faster than the first time.
    let store = folder.path().join("weights");
    // Killed early, it has made no folder that weights could be saved in.
    fs::create_dir(&store).unwrap();
    if let Some(running) = started_with(&store, &[args, &["--keep-state"]].concat(), true, lengths.training / 3) {
        kill(running);
    }
    json(&last(&store));
    assert!(weights(Path::new(&saved(&store))) == weights(Path::new(&saved(whole.path()))), "other weights");
    let said = fs::read_to_string(folder.path().join("said")).unwrap();
    assert!(said.contains("resumes after step"), "no run went on within an epoch: {said}");
}

/// Fifty kills of four runs at once: SLL on an MLP, a rule that trains in phases, one whose feedback learns, and one
/// with running statistics; then twelve of one whose units are trained at once.
#[test]
fn runs_killed_at_fifty_random_moments_give_the_bits_of_uninterrupted_ones() {
    let softhebb = ["run", "--rule", "softhebb", "--width", "32", "--train-limit", "512", "--lr", "0.003"];
    let mirror = ["run", "--rule", "fa", "--set", "rule.mode=weight-mirror", "--width", "16", "--train-limit", "512"];
    let sll = ["run", "--rule", "sll", "--network", "cnn-1", "--width", "8", "--batch-norm", "--train-limit", "320"];
    let more = ["--epochs", "3", "--batch", "32", "--checkpoint-minutes", "0"];
    std::thread::scope(|scope| {
        scope.spawn(|| run_survives(STEPS, 14, 2));
        for (seed, args) in (3..).zip([&softhebb[..], &mirror, &sll]) {
            scope.spawn(move || run_survives(&[args, &more].concat(), 12, seed));
        }
    });
    run_survives(&[STEPS, &["--pipeline", "2"]].concat(), 12, 6);
}

/// Kills the whole sweep, or one of its runs, `times` times at random, and holds all results to uninterrupted ones.
fn sweep_survives(times: usize, seed: u64) {
    let (folder, whole) = (folder(), folder());
    let began = Instant::now();
    let first = run(whole.path(), SWEEP);
    assert!(first.status.success(), "{}", stderr(&first));
    let took = began.elapsed();
    let expected = results(whole.path());
    assert_eq!(expected.len(), 4);
    let seconds: f64 = fs::read_dir(whole.path().join("runs")).unwrap().map(|run| seconds(&run.unwrap().path())).sum();
    // Two runs at once.
    let lengths = Lengths::of(took, seconds / 2.0);
    let (mut moments, mut kills) = (Moments(seed), 0);
    for pass in 0.. {
        if kills == times {
            break;
        }
        let store = folder.path().join(pass.to_string());
        while kills < times {
            let mut command = harness(&store);
            command.args(SWEEP);
            let (training, moment) = lengths.moment(kills, &mut moments);
            let kept = training.then_some(&*store);
            let Some(child) = started(command, &folder.path().join("said"), kept, moment) else { break };
            let runs = children(child.id());
            let chosen = moments.below(3) as usize;
            kills += 1;
            match runs.get(chosen) {
                // One run: the others go on, and the sweep ends with what it has.
                Some(run) => signal(*run, "-KILL"),
                None => kill(child),
            }
        }
        // Whatever of the last pass is still on its way holds locks, which are waited for.
        let last = run(&store, SWEEP);
        assert!(last.status.success(), "{}", stderr(&last));
        let found = results(&store);
        for (id, numbers) in &expected {
            assert_eq!(found.get(id), Some(numbers), "{kills} kills, seed {seed}");
        }
        assert_eq!(found.len(), expected.len(), "{kills} kills, seed {seed}");
    }
    let said = fs::read_to_string(folder.path().join("said")).unwrap();
    assert!(said.contains("resumes after"), "no run of a sweep went on from its state: {said}");
}

#[test]
fn sweeps_killed_at_fifty_random_moments_give_the_bits_of_uninterrupted_ones() {
    std::thread::scope(|scope| {
        for seed in [1, 2] {
            scope.spawn(move || sweep_survives(25, seed));
        }
    });
}

#[test]
fn every_signal_keeps_the_step_it_came_in_and_has_the_same_exit_code() {
    let whole = tempfile::tempdir().unwrap();
    let args = [LONG, &["sgd"]].concat();
    let expected = json(&run(whole.path(), &args));
    let folder = tempfile::tempdir().unwrap();
    for (before, name) in ["-TERM", "-USR1", "-HUP", "-INT"].into_iter().enumerate() {
        let mut command = harness(folder.path());
        command.args(&args);
        let (child, lines) = until(command, if before == 0 { "training images" } else { "resumes after step" });
        std::thread::sleep(Duration::from_millis(100));
        let sent = Instant::now();
        signal(child.id(), name);
        // A scheduler's second signal changes nothing.
        signal(child.id(), "-TERM");
        let said: Vec<String> = lines.collect();
        let output = child.wait_with_output().unwrap();
        assert!(sent.elapsed() < Duration::from_secs(10), "{name} took {:?}", sent.elapsed());
        assert_eq!(output.status.code(), Some(130), "{name}: {said:?}");
    }
    let resumed = run(folder.path(), &args);
    assert!(stderr(&resumed).contains("resumes after step"), "{}", stderr(&resumed));
    assert_eq!(numbers(&json(&resumed)), numbers(&expected));
}

#[test]
fn a_signal_to_a_sweep_reaches_its_runs_which_keep_their_state() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = harness(folder.path());
    command.args(["sweep", "--rule", "sll", "--over", "network.width=64,96", "--jobs", "2", "--batch", "2"]);
    command.args(["--epochs", "50"]);
    let (child, _lines) = until(command, "training images");
    std::thread::sleep(Duration::from_millis(1500));
    let runs = children(child.id());
    assert!(!runs.is_empty());
    signal(child.id(), "-USR1");
    assert_eq!(child.wait_with_output().unwrap().status.code(), Some(130));
    for pid in runs {
        assert!(!Path::new(&format!("/proc/{pid}/exe")).exists(), "{pid} outlived its parent");
    }
    let kept = fs::read_dir(folder.path().join("runs")).unwrap().flatten();
    assert!(kept.filter(|entry| entry.path().join("checkpoint.bin").exists()).count() >= 1);
}

#[test]
fn the_end_of_memory_and_a_signal_cost_one_run_and_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -c 0; ulimit -v 900000; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_harness")]);
    command.args(["sweep", "--rule", "dtp", "--over", "network.width=16,4000", "--epochs", "1", "--jobs", "1"]);
    command.args(["--set", "recipe.train_limit=256"]);
    clean(&mut command, folder.path());
    let output = command.output().unwrap();
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("1 of 2 runs failed; the others are kept"), "{said}");
    assert!(said.contains("no more memory") && said.contains("SIGABRT"), "{said}");
    assert_eq!(results(folder.path()).len(), 1);
    // A run that ends by a signal, with its number and name. (Of a first SIGSEGV by hand Rust makes nothing.)
    let mut command = harness(folder.path());
    command.args(["sweep", "--rule", "sll", "--over", "network.width=64,96", "--jobs", "1", "--epochs", "20"]);
    let (child, lines) = until(command, "training images");
    let [victim] = children(child.id())[..] else { panic!("one run at once") };
    signal(victim, "-ILL");
    let said: Vec<String> = lines.collect();
    assert_eq!(child.wait_with_output().unwrap().status.code(), Some(1), "{said:?}");
    assert!(said.iter().any(|line| line.contains("signal 4, SIGILL")), "{said:?}");
}

/// In a namespace of its own, where anybody may mount; where nobody may, the limit on files of `faults.rs` is the test.
#[test]
#[cfg(target_os = "linux")]
fn a_disk_that_is_full_costs_no_step_that_was_kept() {
    let (folder, whole) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let args = ["run", "--width", "64", "--epochs", "3", "--train-limit", "512", "--checkpoint-minutes", "0"];
    let script = r#"
        mount -t tmpfs -o size=1100k tmpfs "$SLL_RESULTS" || exit 77
        "$0" "$@" >/dev/null; first=$?
        mount -o remount,size=50m "$SLL_RESULTS"
        "$0" "$@" || exit 1
        exit "$first""#;
    let mut command = Command::new("unshare");
    command.args(["--mount", "--map-root-user", "sh", "-c", script, env!("CARGO_BIN_EXE_harness")]).args(args);
    clean(&mut command, folder.path());
    let output = match command.output() {
        Ok(output) if output.status.code() == Some(3) => output,
        Ok(output) if output.status.code() != Some(77) && !stderr(&output).contains("unshare: ") => {
            panic!("{:?}: {}", output.status, stderr(&output));
        }
        other => return eprintln!("no file system could be mounted here, so none was filled: {other:?}"),
    };
    let said = stderr(&output);
    assert!(said.contains("free some disk space") && said.contains("what was there before is kept"), "{said}");
    let resumed: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(numbers(&resumed), numbers(&json(&run(whole.path(), &args))));
}

#[test]
fn two_harnesses_on_one_store_make_every_run_once() {
    let folder = tempfile::tempdir().unwrap();
    let start = || {
        let mut command = harness(folder.path());
        command.args(SWEEP).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let both = [start(), start()];
    let said: Vec<String> = both
        .into_iter()
        .map(|child| {
            let output = child.wait_with_output().unwrap();
            assert!(output.status.success() && output.status.signal().is_none(), "{}", stderr(&output));
            stderr(&output)
        })
        .collect();
    let trained: usize = said.iter().map(|text| text.matches("training images of").count()).sum();
    assert_eq!((trained, results(folder.path()).len()), (4, 4), "{said:?}");
}
