//! Data sets of one's own: a folder of class folders, or a manifest.

mod before;
pub(crate) mod describe;
mod notes;
mod text;

use crate::error::{Advice, DataError};
use crate::manifest::registry::{manifest, named_by, register};
use crate::manifest::{Manifest, Own};
use crate::options::LoadOptions;
use describe::{HowToDescribe, MANIFEST, described};
use std::fs;
use std::path::{Path, PathBuf};

/// The data set that `name` names: one of [`manifests`](crate::manifests) by its name, or one of one's own by its
/// folder or manifest (`.toml`), which is from then on known by the name in its manifest.
///
/// A folder that holds a manifest `dataset.toml` is what that says; of another, [`describe`](crate::describe) makes
/// one, and its outcome is kept in the cache for as long as the files look the same.
///
/// # Errors
/// [`DataError::Unknown`] for what is neither a name nor a path, [`DataError::Own`] for a folder or manifest that
/// cannot be used, [`DataError::Interrupted`] if `options.stop` says so.
pub fn resolve(name: &str, options: &LoadOptions) -> Result<&'static Manifest, DataError> {
    let path = Path::new(name);
    let is_path = path.components().count() > 1 || path.extension().is_some_and(|e| e == "toml");
    match manifest(name) {
        Ok(known) => return Ok(known),
        Err(unknown) if !is_path && !path.is_dir() => return Err(unknown),
        Err(_) => {}
    }
    let path = fs::canonicalize(path).map_err(|error| unusable(path, format!("cannot be found ({error})")))?;
    if let Some(known) = named_by(&path) {
        return Ok(known);
    }
    let found = match path.is_dir() {
        true if path.join(MANIFEST).is_file() => read(&path.join(MANIFEST), &path)?,
        true => {
            let text = described(&path, &HowToDescribe::default(), options)?.text;
            parsed(&text, &path, &path)?
        }
        false => read(&path, &path)?,
    };
    let name = found.name.clone();
    register(found).map_err(|known| {
        let what = match &known.own {
            Some(own) => own.path.display().to_string(),
            None => "a data set of this program".to_owned(),
        };
        let problem = format!("has the name `{name}`, which {what} has already");
        DataError::Own { path, problem, next: "give it another `name`".into() }
    })
}

/// The manifest in the file `file`, of the data set that `path` named.
fn read(file: &Path, path: &Path) -> Result<Manifest, DataError> {
    let text = fs::read_to_string(file).map_err(|error| unusable(file, format!("cannot be read ({error})")))?;
    parsed(&text, file, path)
}

fn parsed(text: &str, file: &Path, path: &Path) -> Result<Manifest, DataError> {
    let wrong = |error: DataError| unusable(file, format!("is no manifest: {}", error.problem()));
    let mut manifest = Manifest::parse(text).map_err(wrong)?;
    let beside = if file.is_dir() { file } else { file.parent().unwrap_or(Path::new(".")) };
    let dir: PathBuf = beside.join(&manifest.folder);
    let dir = fs::canonicalize(&dir)
        .map_err(|error| unusable(file, format!("names the folder {}, which is not there ({error})", dir.display())))?;
    manifest.own = Some(Own { path: path.to_owned(), dir });
    Ok(manifest)
}

fn unusable(path: &Path, problem: String) -> DataError {
    let next = Advice::from("name a folder of class folders, or a manifest that `describe` wrote");
    DataError::Own { path: path.to_owned(), problem, next }
}
