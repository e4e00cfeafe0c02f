//! Whether the environment is ready to build with LibTorch and to run: what `doctor` says about it.

use std::path::Path;

/// The LibTorch that burn-tch 0.22 is written for.
pub const WANTED: &str = "2.9";

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
    let version = version(folder);
    let named = version.as_deref().unwrap_or("of unknown version");
    let mut text = format!("{named} {cuda}, in {folder}");
    if !version.as_deref().is_some_and(|version| version.starts_with(WANTED)) {
        text += &format!("; burn-tch is written for {WANTED}");
        text += if bypass {
            ", results will name both"
        } else {
            ": set LIBTORCH_BYPASS_VERSION_CHECK=1 to build with it all the same"
        };
    }
    let found = library_path.is_some_and(|paths| paths.split(':').any(|path| Path::new(path) == lib));
    if !found {
        text += &format!("; add {} to LD_LIBRARY_PATH, or what is built will not start", lib.display());
    }
    text
}

/// The version of its headers, or of the file that says so.
fn version(folder: &str) -> Option<String> {
    let read = |path: &str| std::fs::read_to_string(Path::new(folder).join(path)).ok();
    let header = || {
        let text =
            read("include/torch/csrc/api/include/torch/version.h").or_else(|| read("include/torch/version.h"))?;
        let line = text.lines().find(|line| line.starts_with("#define TORCH_VERSION \""))?;
        line.split('"').nth(1).map(str::to_owned)
    };
    read("build-version").map(|text| text.trim().to_owned()).or_else(header)
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
        assert!(describe(Some(folder), Some(&path), true).ends_with("results will name both"));
        std::fs::write(dir.path().join("build-version"), "2.9.1\n").unwrap();
        std::fs::write(dir.path().join("lib/libtorch_cuda.so"), "").unwrap();
        assert_eq!(describe(Some(folder), Some(&path), false), format!("2.9.1 with CUDA, in {folder}"));
    }
}
