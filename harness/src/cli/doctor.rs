//! `harness doctor`: what this build and machine can do.

use super::options::{DataOptions, ResultOptions};
use super::stdout::print;
use crate::error::{Error, Result};
use crate::spec::DeviceName;
use crate::units::GIB;
use crate::{device, provenance};
use clap::Args;
use datasets::Status;

/// Options of `doctor`.
#[derive(Args, Debug)]
pub struct DoctorArgs {
    #[command(flatten)]
    data: DataOptions,
    #[command(flatten)]
    results: ResultOptions,
}

/// Prints the state of everything a run depends on.
pub fn main(args: DoctorArgs) -> Result<()> {
    print(&format!("harness    {}", provenance::VERSION))?;
    print(&format!("backend    {}", device::backend(DeviceName::Flex)))?;
    if cfg!(feature = "tch") {
        print(&format!("backend    {}", device::backend(DeviceName::CpuTch)))?;
    }
    print(&format!("processor  {}, {} threads", device::processor(), device::threads()))?;
    print(&format!("LibTorch   {}", device::libtorch_environment()))?;
    for (name, state) in device::survey() {
        print(&format!("device     {name:<8} {state}"))?;
    }
    let options = args.data.load_options()?;
    for manifest in datasets::manifests() {
        let state = match datasets::status(&manifest.name, &options)? {
            Status::Embedded => "embedded".to_string(),
            Status::Found { source, known, .. } => super::data::found(manifest, &source, &known),
            Status::InHubCache { dir, source } => super::data::in_hub_cache(&manifest.name, &dir, &source),
            Status::Missing { .. } => "missing; `harness data list` says what to do".to_string(),
        };
        print(&format!("data       {:<22} {state}", manifest.name))?;
    }
    match datasets::cache_dir(&options) {
        Some(dir) if options.online => print(&format!("fetching   into {}", dir.display()))?,
        Some(dir) => print(&format!("fetching   forbidden (--offline); the cache is {}", dir.display()))?,
        None => print("fetching   not possible: there is no home for a cache; set SLL_CACHE")?,
    }
    let folder = args.results.results;
    // Where the folder is not there yet, what it would be made in has to be writable.
    let there = folder.ancestors().find(|part| part.is_dir()).unwrap_or(std::path::Path::new("."));
    let probe = tempfile::tempfile_in(there).map_err(|e| Error::file("write in", there, e));
    let state = probe.map_or_else(|e| e.to_string(), |_| "writable".to_string());
    print(&format!("results    {}: {state}", folder.display()))?;
    match free_bytes(there) {
        Some(bytes) => print(&format!("disk       {:.1} GiB free for results", bytes as f64 / GIB)),
        None => print("disk       free space unknown"),
    }
}

/// Free bytes where `folder` lies, as `df` tells.
fn free_bytes(folder: &std::path::Path) -> Option<u64> {
    let output = std::process::Command::new("df").arg("-Pk").arg(folder).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    text.lines().nth(1)?.split_whitespace().nth(3)?.parse::<u64>().ok().map(|kib| kib * 1024)
}
