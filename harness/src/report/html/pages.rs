//! Which pages a results folder has, and in which order they are shown.

use crate::error::Result;
use crate::report::place::{self, About};
use std::path::{Path, PathBuf};

/// What an experiment's pages are about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Group {
    /// Tables and calibrations.
    Tables,
    /// Sweeps of what is claimed.
    Sweeps,
    /// Bytes.
    Memory,
    /// Seconds.
    Time,
    /// Sweeps by which settings were chosen.
    Settings,
}

impl Group {
    /// Its heading.
    pub fn title(self) -> &'static str {
        match self {
            Group::Tables => "Tables",
            Group::Sweeps => "Sweeps",
            Group::Memory => "Memory",
            Group::Time => "Time",
            Group::Settings => "How settings were chosen",
        }
    }
}

/// One profile and device of an experiment.
#[derive(Clone, Debug)]
pub struct Page {
    /// Its anchor.
    pub id: String,
    /// The part of the results folder it lies in, if not among what is kept: `quick`, `local`.
    pub shelf: Option<&'static str>,
    /// The experiment's name.
    pub experiment: String,
    /// Its folder's name there, like `short-flex`.
    pub variant: String,
    /// Its folder.
    pub folder: PathBuf,
    /// What it was made of.
    pub about: About,
}

/// Every page below `results`, group by group: what is kept, then what is not.
pub fn all(results: &Path) -> Result<Vec<Page>> {
    let mut pages = Vec::new();
    for shelf in [None, Some("quick"), Some("local")] {
        let folder = shelf.map_or(results.to_path_buf(), |shelf| results.join(shelf));
        if shelf.is_some() && !folder.is_dir() {
            continue;
        }
        for (experiment, folder) in place::pages(&folder)? {
            let variant = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if let Some(about) = About::read(&folder)? {
                let parts = [shelf, Some(experiment.as_str()), Some(variant.as_str())];
                let id = parts.into_iter().flatten().collect::<Vec<_>>().join("-");
                pages.push(Page { id, shelf, experiment, variant, folder, about });
            }
        }
    }
    pages.sort_by_key(group);
    Ok(pages)
}

/// The page's group.
pub fn group(page: &Page) -> Group {
    let has = |file: &str| page.folder.join(file).is_file();
    match page.experiment.as_str() {
        name if name.starts_with("tune_") => Group::Settings,
        _ if has("measurements.parquet") => Group::Memory,
        _ if !has("runs.parquet") => Group::Time,
        _ if page.about.command.starts_with("harness sweep") => Group::Sweeps,
        _ => Group::Tables,
    }
}
