//! Whether the environment is ready to build with LibTorch and to run: what `doctor` says about it.

use std::path::Path;

/// The LibTorch that burn-tch 0.22 is written for; its build wants this one to the last digit, where a file tells.
const WANTED: &str = "2.9.0";

/// What `LIBTORCH` and `LD_LIBRARY_PATH` amount to, with what to do where they do not fit.
pub fn describe(libtorch: Option<&str>, library_path: Option<&str>, bypass: bool) -> String {
    let script = "`eval \"$(scripts/libtorch.sh)\"` (--cuda for a GPU) makes one ready";
    let Some(folder) = libtorch.filter(|folder| !folder.is_empty()) else {
        return format!("LIBTORCH is not set; {script}");
    };
    let lib = Path::new(folder).join("lib");
    if !lib.join("libtorch_cpu.so").exists() {
        return format!("LIBTORCH={folder} has no lib/libtorch_cpu.so; {script}");
    }
    let cuda = if lib.join("libtorch_cuda.so").exists() { "with CUDA" } else { "for the CPU only" };
    let (told, headers) = (told(folder), headers(folder));
    let version = headers.as_deref().or(told.as_deref());
    let mut text = format!("{} {cuda}, in {folder}", version.unwrap_or("of unknown version"));
    let same = |version: &str, parts: usize| version.split(['.', '+']).take(parts).eq(WANTED.split('.').take(parts));
    if !version.is_some_and(|version| same(version, 2)) {
        text += "; burn-tch is written for 2.9, results name both";
    }
    if !bypass && told.as_deref().is_some_and(|version| !same(version, 3)) {
        text += "; set LIBTORCH_BYPASS_VERSION_CHECK=1 to build with it";
    }
    let found = library_path.is_some_and(|paths| paths.split(':').any(|path| Path::new(path) == lib));
    if !found {
        text += &format!("; add {} to LD_LIBRARY_PATH, or what is built will not start", lib.display());
    }
    text
}

/// The version that the file `build-version` tells; LibTorch from pytorch.org and from our script has it.
fn told(folder: &str) -> Option<String> {
    let text = std::fs::read_to_string(Path::new(folder).join("build-version")).ok()?;
    Some(text.trim().to_owned())
}

/// The version of its headers.
fn headers(folder: &str) -> Option<String> {
    let places = ["torch/headeronly", "torch/csrc/api/include/torch", "torch"];
    let read = |place| std::fs::read_to_string(Path::new(folder).join("include").join(place).join("version.h")).ok();
    places.iter().find_map(|place| {
        let text = read(place)?;
        let part = |name| text.lines().find_map(|line| line.strip_prefix(&format!("#define TORCH_VERSION_{name} ")));
        Some([part("MAJOR")?, part("MINOR")?, part("PATCH")?].map(str::trim).join("."))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_is_wrong_with_the_environment() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().to_str().unwrap();
        assert!(describe(None, None, false).starts_with("LIBTORCH is not set"));
        assert!(describe(Some(folder), None, false).contains("has no lib/libtorch_cpu.so"));
        std::fs::create_dir(dir.path().join("lib")).unwrap();
        std::fs::write(dir.path().join("lib/libtorch_cpu.so"), "").unwrap();
        std::fs::write(dir.path().join("build-version"), "2.11.0\n").unwrap();
        let path = format!("/elsewhere:{folder}/lib/");
        let wrong = describe(Some(folder), None, false);
        assert!(wrong.contains("2.11.0 for the CPU only") && wrong.contains("written for 2.9"), "{wrong}");
        assert!(wrong.contains("LIBTORCH_BYPASS_VERSION_CHECK=1") && wrong.contains("LD_LIBRARY_PATH"), "{wrong}");
        assert!(describe(Some(folder), Some(&path), true).ends_with("results name both"));
        // PyPI's torch: no such file, and headers like these.
        std::fs::remove_file(dir.path().join("build-version")).unwrap();
        std::fs::write(dir.path().join("lib/libtorch_cuda.so"), "").unwrap();
        let include = dir.path().join("include/torch/csrc/api/include/torch");
        std::fs::create_dir_all(&include).unwrap();
        let numbers =
            [("MAJOR", 2), ("MINOR", 9), ("PATCH", 1)].map(|(n, v)| format!("#define TORCH_VERSION_{n} {v}\n\n"));
        std::fs::write(include.join("version.h"), numbers.concat() + "#define TORCH_VERSION \\\n  \"2.9.1\"\n")
            .unwrap();
        assert_eq!(describe(Some(folder), Some(&path), false), format!("2.9.1 with CUDA, in {folder}"));
        // Ours has both, and burn-tch's build refuses it without the variable.
        std::fs::write(dir.path().join("build-version"), "2.9.1\n").unwrap();
        assert!(describe(Some(folder), Some(&path), false).ends_with("=1 to build with it"));
        assert_eq!(describe(Some(folder), Some(&path), true), format!("2.9.1 with CUDA, in {folder}"));
    }
}
