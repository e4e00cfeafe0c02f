//! Where results go, below the results folder:
//!
//! ```text
//! README.md                            an index of what is kept
//! <experiment>/README.md               its tables, one of each profile and device
//! <experiment>/<profile>-<device>/     README.md, Parquet files and figures of one of them
//! quick/<experiment>/...               of the quick profile: minutes to make again, in no commit
//! local/<experiment>/...               what must not take the place of something that is kept, in no commit
//! runs/, memory-runs/                  the store, in no commit
//! ```

mod about;
mod index;
mod shelf;

pub use about::About;
pub use index::{pages, write as write_index};
pub use shelf::{Shelf, ShelfFlags};

use crate::error::{Error, Result};
use crate::spec::DeviceName;
use std::path::{Path, PathBuf};

/// What tells the pages of one experiment from each other: `short-flex`, or `paper-cuda-3-epochs`.
pub fn variant(profile: Option<&str>, device: DeviceName, epochs: Option<usize>) -> String {
    let device = match device {
        // Which of a machine's cards it was is in the page.
        DeviceName::Cuda(_) => "cuda".to_string(),
        other => other.to_string(),
    };
    let parts = [profile.map(String::from), Some(device), epochs.map(|epochs| format!("{epochs}-epochs"))];
    parts.into_iter().flatten().collect::<Vec<_>>().join("-")
}

/// The folder of one page, which is made.
pub fn folder(results: &Path, shelf: Shelf, experiment: &str, variant: &str) -> Result<PathBuf> {
    let below = match shelf {
        Shelf::Kept => results.to_path_buf(),
        Shelf::Quick => results.join("quick"),
        Shelf::Local => results.join("local"),
    };
    let folder = below.join(experiment).join(variant);
    std::fs::create_dir_all(&folder).map_err(|e| Error::file("create", &folder, e))?;
    Ok(folder)
}

/// Removes pictures of an earlier page that the one just written does not have.
pub fn tidy(folder: &Path, written: &[PathBuf]) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let ours = path.extension().is_some_and(|ending| ["svg", "png", "parquet"].iter().any(|one| ending == *one));
        if ours && !written.contains(&path) {
            // One that stays is a picture too many, no more.
            let _ = std::fs::remove_file(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_of_other_profiles_devices_and_epochs_have_other_folders() {
        let names = [
            variant(Some("short"), DeviceName::Flex, None),
            variant(Some("paper"), DeviceName::Cuda(3), Some(3)),
            variant(None, DeviceName::CpuTch, None),
        ];
        assert_eq!(names, ["short-flex", "paper-cuda-3-epochs", "cpu-tch"]);
        let results = tempfile::tempdir().unwrap();
        let folder = |shelf| folder(results.path(), shelf, "table1", "short-flex").unwrap();
        for (shelf, expected) in [
            (Shelf::Kept, "table1/short-flex"),
            (Shelf::Quick, "quick/table1/short-flex"),
            (Shelf::Local, "local/table1/short-flex"),
        ] {
            assert!(folder(shelf).ends_with(expected) && folder(shelf).is_dir());
        }
    }

    #[test]
    fn pictures_of_an_earlier_page_go_and_everything_else_stays() {
        let folder = tempfile::tempdir().unwrap();
        let paths = ["old.svg", "old.png", "new.svg", "notes.txt"].map(|name| folder.path().join(name));
        paths.iter().for_each(|path| std::fs::write(path, "").unwrap());
        tidy(folder.path(), &paths[2..3]);
        assert_eq!(paths.map(|path| path.exists()), [false, false, true, true]);
    }
}
