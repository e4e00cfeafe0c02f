//! Eager PyTorch beside ours: a Python that has it, made from PyPI's wheels where none is there, and a process of it
//! that answers questions, a line of JSON each (`scripts/reference/pytorch_serve.py`).

use crate::spec::DeviceName;
use crate::talk::say;
use datasets::LoadOptions;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// The version that is installed.
const VERSION: &str = "2.9.1";

macro_rules! scripts {
    ($($name:literal),*) => { [$(($name, include_str!(concat!("../../../scripts/", $name)))),*] };
}

const SCRIPTS: [(&str, &str); 3] =
    scripts!["reference/networks.py", "reference/rules.py", "reference/pytorch_serve.py"];
/// What pip is to install, with digests.
const WHEELS: [(&str, &str); 3] = scripts!["libtorch-cpu.txt", "libtorch-cuda.txt", "reference/torch-python.txt"];

/// The rules that it has, by title.
pub const RULES: [(&str, &str); 4] = [("BP", "bp"), ("SLL", "sll"), ("FA", "fa"), ("DFA", "dfa")];

/// Why something could not be had from it, in words.
pub type Told<T> = Result<T, String>;

/// A process of PyTorch; it ends with this value.
pub struct PyTorch {
    child: Child,
    questions: ChildStdin,
    answers: BufReader<ChildStdout>,
    /// Where its scripts and its complaints are.
    folder: tempfile::TempDir,
    made: u64,
    /// Its version, as it tells it.
    pub version: String,
}

impl Drop for PyTorch {
    fn drop(&mut self) {
        // Errors mean that it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl PyTorch {
    /// Starts it on `device`, `flex` being its processor too, with as many threads as ours.
    pub fn start(options: &LoadOptions, device: DeviceName, threads: usize) -> Told<Self> {
        let python = python(options)?;
        let folder = tempfile::tempdir().map_err(|e| format!("no temporary folder can be made: {e}"))?;
        for (name, text) in SCRIPTS {
            put(folder.path(), name, text)?;
        }
        let complaints = std::fs::File::create(folder.path().join("complaints")).map_err(|e| e.to_string())?;
        let mut command = Command::new(&python);
        command.arg("-B").arg(folder.path().join("reference/pytorch_serve.py"));
        let name = if device.card().is_some() { device.to_string() } else { "cpu".into() };
        command.args(["--device", &name]);
        command.args(["--threads", &threads.to_string()]).env("OMP_NUM_THREADS", threads.to_string());
        // LibTorch's libraries, where ours is built with them, are not Python's.
        command.env_remove("LD_LIBRARY_PATH");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(complaints);
        let mut child = command.spawn().map_err(|e| format!("Python does not start: {e}"))?;
        let questions = child.stdin.take().expect("stdin is piped");
        let answers = BufReader::new(child.stdout.take().expect("stdout is piped"));
        let mut started = Self { child, questions, answers, folder, made: 0, version: String::new() };
        started.version = started.read()?["torch"].as_str().unwrap_or("?").to_string();
        Ok(started)
    }

    /// Makes a network with a rule and gives its number, or why it cannot.
    pub fn make(&mut self, network: &str, rule: &str, batch: usize, fused: bool) -> Told<(u64, usize)> {
        self.made += 1;
        let make = self.made;
        let answer =
            self.ask(json!({"make": make, "network": network, "rule": rule, "batch": batch, "fused": fused}))?;
        Ok((make, answer["parameters"].as_u64().unwrap_or(0) as usize))
    }

    /// Seconds of each of `steps` steps.
    pub fn time(&mut self, number: u64, steps: usize) -> Told<Vec<f64>> {
        let answer = self.ask(json!({"time": number, "steps": steps}))?;
        answer["seconds"]
            .as_array()
            .and_then(|seconds| seconds.iter().map(Value::as_f64).collect())
            .ok_or_else(|| format!("PyTorch told no seconds: {answer}"))
    }

    /// Forgets one.
    pub fn forget(&mut self, number: u64) -> Told<()> {
        self.ask(json!({"drop": number})).map(|_| ())
    }

    /// Multiply-accumulates a second of products of these shapes.
    pub fn products(&mut self, shapes: &[[usize; 3]], seconds: f64) -> Told<f64> {
        let answer = self.ask(json!({"products": shapes, "seconds": seconds}))?;
        answer["macs_per_second"].as_f64().ok_or_else(|| format!("PyTorch told no rate: {answer}"))
    }

    fn ask(&mut self, question: Value) -> Told<Value> {
        writeln!(self.questions, "{question}").map_err(|_| self.ended())?;
        self.read()
    }

    fn read(&mut self) -> Told<Value> {
        let mut line = String::new();
        match self.answers.read_line(&mut line) {
            Ok(read) if read > 0 => {}
            _ => return Err(self.ended()),
        }
        let answer: Value = serde_json::from_str(&line).map_err(|_| format!("PyTorch said `{}`", line.trim()))?;
        match answer["error"].as_str() {
            Some(error) => Err(error.to_string()),
            None => Ok(answer),
        }
    }

    fn ended(&self) -> String {
        let told = std::fs::read_to_string(self.folder.path().join("complaints")).unwrap_or_default();
        format!("PyTorch's process ended: {}", told.lines().last().unwrap_or("it said nothing"))
    }
}

fn put(folder: &Path, name: &str, text: &str) -> Told<PathBuf> {
    let path = folder.join(name);
    let made = path.parent().map_or(Ok(()), std::fs::create_dir_all).and_then(|()| std::fs::write(&path, text));
    made.map(|()| path.clone()).map_err(|e| format!("cannot write {name}: {e}"))
}

/// The first Python that can import torch: what `PYTHON` names, the one made before, the system's; else one is made.
fn python(options: &LoadOptions) -> Told<PathBuf> {
    let venv = datasets::cache_dir(options).map(|cache| cache.join(format!("pytorch-{VERSION}")));
    let made = venv.as_ref().map(|venv| venv.join("bin/python"));
    if let Some(asked) = std::env::var_os("PYTHON").filter(|name| !name.is_empty()).map(PathBuf::from) {
        return match imports(&asked) {
            true => Ok(asked),
            false => Err("the Python that PYTHON names cannot import torch".into()),
        };
    }
    if let Some(python) = made.iter().cloned().chain([PathBuf::from("python3")]).find(|python| imports(python)) {
        return Ok(python);
    }
    let Some(venv) = venv else { return Err("there is no home folder to keep PyTorch in; set SLL_CACHE".into()) };
    if !options.online {
        return Err("PyTorch is not on this machine, and --offline forbids to fetch it".into());
    }
    make(&venv)?;
    Ok(venv.join("bin/python"))
}

fn imports(python: &Path) -> bool {
    let mut command = Command::new(python);
    command.args(["-c", "import torch"]).env_remove("LD_LIBRARY_PATH");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// What pip is given on this system: PyPI's torch for Linux on x86-64 needs NVIDIA's libraries even to compute without
/// a card; for others it comes without.
fn wheels(text: &str, nvidia: bool) -> String {
    let kept = |line: &&str| nvidia || !line.starts_with("nvidia-");
    text.lines().filter(kept).map(|line| format!("{line}\n")).collect()
}

/// Makes the virtual environment `venv`, whole or not at all.
fn make(venv: &Path) -> Told<()> {
    let nvidia = cfg!(all(target_os = "linux", target_arch = "x86_64"));
    let size = if nvidia { "3 GB to download, 7 GB on disk" } else { "100 MB to download" };
    say!("PyTorch {VERSION} is fetched from PyPI into {}, once (about {size}) ...", venv.display());
    let cache = venv.parent().expect("the cache has a name");
    let failed = |what: &str| format!("no Python with PyTorch could be made: {what}");
    std::fs::create_dir_all(cache).map_err(|e| failed(&e.to_string()))?;
    let partial = tempfile::tempdir_in(cache).map_err(|e| failed(&e.to_string()))?;
    let run = |command: &mut Command| match command.stdin(Stdio::null()).stdout(Stdio::null()).status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(failed(&format!("pip or venv ended with {status}"))),
        Err(error) => Err(failed(&format!("python3 does not start ({error}); install Python 3.10 to 3.14"))),
    };
    let made = partial.path().join("made");
    run(Command::new("python3").args(["-m", "venv"]).arg(&made))?;
    let mut pip = Command::new(made.join("bin/python"));
    pip.args(["-m", "pip", "install", "--quiet", "--no-deps", "--require-hashes", "--only-binary=:all:"]);
    for (name, text) in WHEELS {
        if nvidia || !name.ends_with("cuda.txt") {
            pip.arg("-r").arg(put(partial.path(), name, &wheels(text, nvidia))?);
        }
    }
    run(&mut pip)?;
    match std::fs::rename(&made, venv) {
        // Another process may have been faster.
        Err(error) if !venv.exists() => Err(failed(&error.to_string())),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_wheel_has_a_digest_and_other_systems_get_none_of_nvidias() {
        for (name, text) in WHEELS {
            let named = text.lines().filter(|line| line.contains("=="));
            assert!(named.clone().count() > 0, "{name}");
            assert!(named.clone().all(|line| line.contains("--hash=sha256:")), "{name}");
        }
        assert!(WHEELS[0].1.contains(&format!("torch=={VERSION} ")));
        let others = wheels(WHEELS[0].1, false);
        assert!(others.contains("torch==") && !others.contains("nvidia-"), "{others}");
        assert_eq!(wheels(WHEELS[0].1, true).lines().count(), WHEELS[0].1.lines().count());
    }

    #[test]
    fn offline_and_without_a_python_that_has_it_the_reason_is_told() {
        let cache = tempfile::tempdir().unwrap();
        let options = LoadOptions { online: false, cache_dir: Some(cache.path().into()), ..LoadOptions::default() };
        // Whether this machine's own Python has torch is not for a test to decide.
        if std::env::var_os("PYTHON").is_none() && !imports(Path::new("python3")) {
            assert!(PyTorch::start(&options, DeviceName::Flex, 1).err().unwrap().contains("--offline"));
        }
    }
}
