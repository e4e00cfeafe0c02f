//! Runs to a file and from one.

use crate::error::{Error, Result};
use crate::record::RunResult;
use crate::report::parquet;
use crate::report::paths::kind_of_source;
use crate::spec::{Request, RunSpec};
use crate::store::Store;
use crate::talk::say;
use std::path::{Path, PathBuf};

/// Writes `runs` to `file`, by its ending.
pub fn export(runs: &[RunResult], file: &Path) -> Result<()> {
    if runs.is_empty() {
        return Err(Error::Missing("nothing written: the store has no such run; `harness runs list` shows all".into()));
    }
    let mut runs = runs.to_vec();
    // Where the data lay is this machine's business.
    runs.iter_mut().for_each(|run| run.data.source = kind_of_source(&run.data.source).to_string());
    match file.extension().and_then(|ending| ending.to_str()) {
        Some("parquet") => parquet::write_runs(&runs, file)?,
        Some("csv") => parquet::write_csv(&runs, file)?,
        _ => {
            let file = file.display();
            return Err(Error::Input(format!("{file}: its name must end in .parquet or .csv")));
        }
    }
    say!("wrote {} runs to {}", runs.len(), file.display());
    Ok(())
}

/// Takes the runs of `files` into `store`. What is there already stays as it is.
pub fn import(store: &Store, files: &[PathBuf]) -> Result<()> {
    store.ready()?;
    let mut refused = Vec::new();
    for file in files {
        let (runs, wrong) = parquet::read_runs(file)?;
        let count = runs.len();
        let mut taken = 0;
        for run in runs {
            taken += usize::from(take(store, &run)?);
        }
        say!("{}: {taken} runs taken, {} there already", file.display(), count - taken);
        refused.extend(wrong.into_iter().map(|why| format!("  {}: {why}", file.display())));
    }
    match refused.is_empty() {
        true => Ok(()),
        false => Err(Error::Failed(format!("these were not taken:\n{}", refused.join("\n")))),
    }
}

fn take(store: &Store, run: &RunResult) -> Result<bool> {
    if let Ok(Some(_)) = store.named::<RunSpec>(&run.run_id) {
        return Ok(false);
    }
    let claim = store.lock::<RunSpec>(&run.run_id, || say!("another process is working on {}; waiting", run.run_id))?;
    if claim.result(|sentence| say!("{sentence}"))?.is_some() {
        return Ok(false);
    }
    claim.describe(&run.spec.to_toml())?;
    claim.finish(run)?;
    Ok(true)
}
