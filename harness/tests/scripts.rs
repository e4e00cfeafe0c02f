//! The scripts as they are called: from elsewhere, through links, and by a bash as old as macOS's 3.2, whose missing
//! builtins are turned off. Cargo and the harness are stand-ins that write down how they were called.
#![cfg(unix)]

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const SCRIPTS: [&str; 4] = [".ci/run", "reproduce.sh", "scripts/gpu.sh", "scripts/libtorch.sh"];

/// What every bash that starts reads first: bash 3.2 has none of these.
const OLD: &str = "enable -n mapfile readarray\n";

/// A harness that writes its folder and its arguments down, a line a call.
const HARNESS: &str = r#"#!/bin/sh
printf '%s|' "$PWD" "$@" >>"$CALLS"
echo >>"$CALLS"
"#;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").to_path_buf()
}

fn text(script: &str) -> String {
    std::fs::read_to_string(root().join(script)).unwrap_or_else(|e| panic!("{script}: {e}"))
}

/// A folder to call the scripts from, with the stand-ins in `bin`.
struct Elsewhere(tempfile::TempDir);

impl Elsewhere {
    fn new() -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        std::fs::create_dir(folder.path("bin")).unwrap();
        folder.program("harness", HARNESS);
        let built = folder.path("bin/harness");
        let built = format!("{{\"name\":\"harness\",\"executable\":\"{}\"}}", built.display());
        folder.program(
            "cargo",
            &format!("#!/bin/sh\nprintf '%s|' cargo \"$@\" >>\"$CALLS\"\necho >>\"$CALLS\"\necho '{built}'\n"),
        );
        std::fs::write(folder.path("old.sh"), OLD).unwrap();
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().canonicalize().unwrap().join(name)
    }

    fn program(&self, name: &str, text: &str) {
        let path = self.path("bin").join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// Calls `script` from here as an old bash would, and gives what it wrote and the calls that the stand-ins saw.
    fn call(&self, script: &Path, args: &[&str]) -> (Output, Vec<String>) {
        let path = format!("{}:{}", self.path("bin").display(), std::env::var("PATH").unwrap());
        let mut command = Command::new("bash");
        command.arg(script).args(args).current_dir(self.path("")).env("PATH", path);
        command.env("BASH_ENV", self.path("old.sh")).env("CALLS", self.path("calls")).env("LIBTORCH", self.path(""));
        let output = command.output().expect("bash starts");
        let calls = std::fs::read_to_string(self.path("calls")).unwrap_or_default();
        (output, calls.lines().map(str::to_string).collect())
    }

    fn called(&self, args: &[&str]) -> String {
        format!("{}|{}|", self.path("").display().to_string().trim_end_matches('/'), args.join("|"))
    }
}

#[test]
fn reproduce_keeps_the_callers_folder_and_finds_its_workspace_through_links() {
    let manifest = format!("|--manifest-path|{}|", root().join("Cargo.toml").display());
    for links in 0..3 {
        let folder = Elsewhere::new();
        std::fs::create_dir(folder.path("deep")).unwrap();
        symlink(root().join("reproduce.sh"), folder.path("deep/one")).unwrap();
        // A link that is relative to its own folder, to one that is not.
        symlink("deep/one", folder.path("two")).unwrap();
        let script = [root().join("reproduce.sh"), folder.path("deep/one"), folder.path("two")][links].clone();
        let (output, calls) = folder.call(&script, &["table1", "--data-dir", "my data", "--results", "out"]);
        assert!(output.status.success(), "{output:?}");
        assert!(calls[0].starts_with("cargo|build|") && calls[0].contains(&manifest), "{calls:?}");
        assert!(!calls[0].contains("quiet"), "a build is never silent: {calls:?}");
        assert_eq!(calls[1..], [folder.called(&["table", "table1", "--data-dir", "my data", "--results", "out"])]);
    }
}

#[test]
fn reproduce_all_needs_nothing_that_bash_3_2_lacks() {
    let folder = Elsewhere::new();
    let (output, calls) =
        folder.call(&root().join("reproduce.sh"), &["all", "--results", "a b", "--device=flex", "--seeds", "1"]);
    assert!(output.status.success(), "{output:?}");
    let memory = ["footprint", "figure2a", "figure2b", "figure2c", "table3", "--results", "a b", "--device=flex"];
    let page = ["report", "--results", "a b"];
    assert_eq!(calls[calls.len() - 2..], [folder.called(&memory), folder.called(&page)]);
    assert_eq!(calls.len(), 1 + 9 + 8 + 1 + 1, "{calls:?}");
    let (_, calls) = Elsewhere::new().call(&root().join("reproduce.sh"), &["all", "--profile", "quick"]);
    let weighed = calls.iter().find(|call| call.contains("|footprint|")).expect("memory is weighed");
    assert!(weighed.ends_with("|table3|--extrapolate|"), "the quick profile measures no real batch: {weighed}");
    let (_, calls) = Elsewhere::new().call(&root().join("reproduce.sh"), &["all", "--dry-run"]);
    assert_eq!(calls.len(), 1 + 9 + 8 + 1, "a dry run writes no page: {calls:?}");
    assert!(calls[1..].iter().all(|call| call.ends_with("|--dry-run|")), "{calls:?}");
}

#[test]
fn a_part_of_all_that_fails_stops_no_other_unless_it_was_interrupted_or_called_wrongly() {
    let all = |code: i32| {
        let folder = Elsewhere::new();
        let fails = format!("[ \"$2\" != table2 ] || exit {code}\n");
        folder.program("harness", &(HARNESS.to_string() + &fails));
        let (output, calls) = folder.call(&root().join("reproduce.sh"), &["all"]);
        (output.status.code(), calls.len() - 1, String::from_utf8(output.stderr).unwrap())
    };
    for code in [1, 3] {
        let (ended, parts, told) = all(code);
        assert_eq!((ended, parts), (Some(code), 19), "{told}");
        assert!(told.contains("table table2 is not complete") && !told.contains("table1 is not"), "{told}");
    }
    for code in [2, 130] {
        let (ended, parts, _) = all(code);
        assert_eq!((ended, parts), (Some(code), 2));
    }
}

#[test]
fn a_failed_build_ends_the_script_with_cargos_code() {
    let folder = Elsewhere::new();
    folder.program("cargo", "#!/bin/sh\nexit 101\n");
    let (output, calls) = folder.call(&root().join("reproduce.sh"), &["table1"]);
    assert_eq!((output.status.code(), calls.len()), (Some(101), 0), "{output:?}");
}

#[test]
fn the_gpu_script_asks_for_tables_before_the_bench() {
    let folder = Elsewhere::new();
    let (output, calls) = folder.call(
        &root().join("scripts/gpu.sh"),
        &["--harness", "bin/harness", "--out", "found", "--device", "cpu-tch", "--dry"],
    );
    assert!(output.status.success(), "{output:?}");
    let words = calls.iter().map(|call| call.split('|').skip(1).take(2).collect::<Vec<_>>().join(" "));
    let asked: Vec<String> = words.filter(|words| words.starts_with("table") || words.starts_with("bench")).collect();
    assert_eq!(asked, ["table table1", "table table2", "bench --device"], "{calls:?}");
}

#[test]
fn help_is_the_whole_head_of_the_script() {
    let folder = Elsewhere::new();
    for script in &SCRIPTS[1..] {
        let (output, _) = folder.call(&root().join(script), &["--help"]);
        let head: Vec<String> = text(script)
            .lines()
            .skip(1)
            .take_while(|line| line.starts_with('#'))
            .map(|line| line.trim_start_matches('#').strip_prefix(' ').unwrap_or("").to_string())
            .collect();
        let told: Vec<String> = String::from_utf8(output.stdout).unwrap().lines().map(str::to_string).collect();
        assert_eq!(told, head, "{script}");
    }
}

/// The rest of what came after 3.2: the syntax, which no setting of a newer bash refuses.
#[test]
fn scripts_have_no_syntax_that_bash_3_2_lacks() {
    let words = [
        "mapfile",
        "readarray",
        "declare -A",
        "local -A",
        "typeset -A",
        "declare -n",
        "local -n",
        "&>>",
        "|&",
        "coproc",
    ];
    let later = [",,}", "^^}", "@Q}", ";;&", ";&\n", "[[ -v ", "wait -n", "[-1]", "${EPOCH", "printf '%("];
    for script in SCRIPTS {
        let text = text(script);
        for word in words.iter().chain(&later) {
            assert!(!text.contains(word), "{script} has `{word}`");
        }
        // Under `set -u`, an empty array is unset there.
        for line in text.lines() {
            for name in line.split_whitespace().filter_map(|word| word.strip_suffix("=()")) {
                let (all, guarded) = (format!("${{{name}[@]}}"), format!("${{{name}[@]+\"${{{name}[@]}}\"}}"));
                assert_eq!(text.matches(&all).count(), text.matches(&guarded).count(), "{script}: {name} may be empty");
            }
        }
    }
}
