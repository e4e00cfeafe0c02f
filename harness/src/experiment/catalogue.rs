//! The experiments that are built in, and files of the user's own.

use crate::error::{Error, Result};
use crate::suggest::{did_you_mean, of_serde};
use serde::Deserialize;
use std::path::Path;

/// What an experiment is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Rules against data sets.
    Table,
    /// Rules against their authors' own numbers, each in its authors' setting.
    Calibration,
    /// Rules against values of one parameter or two.
    Sweep,
    /// Memory against depth.
    MemoryFigure,
    /// Memory at given sizes.
    MemoryTable,
}

impl Kind {
    /// The kinds with a rule a row.
    pub const TABLES: [Kind; 2] = [Kind::Table, Kind::Calibration];
    /// The kinds that train.
    pub const TRAINING: [Kind; 3] = [Kind::Table, Kind::Calibration, Kind::Sweep];

    /// The kinds that weigh steps.
    pub const MEMORY: [Kind; 2] = [Kind::MemoryFigure, Kind::MemoryTable];

    /// The subcommand that makes one.
    pub fn subcommand(self) -> &'static str {
        match self {
            Kind::Table | Kind::Calibration => "table",
            Kind::Sweep => "sweep",
            Kind::MemoryFigure | Kind::MemoryTable => "footprint",
        }
    }
}

macro_rules! builtin {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("../../experiments/", $name, ".toml")))),*]
    };
}

const BUILTIN: &[(&str, &str)] = builtin![
    "table1",
    "table2",
    "table3_accuracy",
    "small_cnn",
    "rules_mlp",
    "floors_cnn",
    "calibration",
    "theorem1",
    "representations",
    "features",
    "figure4b",
    "figure4c",
    "ablation_width",
    "ablation_depth",
    "ablation_projection",
    "ablation_projection_seed",
    "ablation_alignment",
    "ablation_dropout",
    "precision",
    "tune_dropout",
    "tune_dropout_cifar10",
    "tune_sll_cifar10",
    "tune_cnn",
    "tune_dkp",
    "tune_drtp",
    "tune_dtp",
    "tune_ff",
    "tune_ff_cnn",
    "tune_lls",
    "tune_mlp",
    "tune_pepita",
    "tune_pepita_cnn",
    "tune_similarity",
    "tune_small_cnn",
    "tune_softhebb",
    "tune_sp",
    "tune_vit",
    "figure2a",
    "figure2b",
    "figure2c",
    "table3",
];

/// What stands first in every experiment, whatever its kind.
#[derive(Deserialize)]
struct Head {
    kind: Kind,
}

pub(super) fn kind_of(text: &str, origin: &str) -> Result<Kind> {
    let head: Head =
        toml::from_str(text).map_err(|e| Error::Input(format!("{origin}: {}", of_serde(&e.to_string()))))?;
    Ok(head.kind)
}

/// Names of the built-in experiments of these kinds.
pub fn names(kinds: &[Kind]) -> Vec<&'static str> {
    let wanted = |text: &str| kind_of(text, "").is_ok_and(|kind| kinds.contains(&kind));
    BUILTIN.iter().filter(|(_, text)| wanted(text)).map(|(name, _)| *name).collect()
}

/// What the built-in experiment called `name` is called in errors.
pub fn origin(name: &str) -> String {
    format!("experiments/{name}.toml")
}

fn for_another_command(origin: &str, kind: Kind, name: &str) -> Error {
    Error::Input(format!("{origin} is for another command: `harness {} {name}`", kind.subcommand()))
}

/// The names of the built-in experiments of these kinds as a command's help has them.
pub fn help(kinds: &[Kind]) -> String {
    format!("Built in: {}.", names(kinds).join(", "))
}

/// The text of the experiment called `name`, or of the file `name` if that ends in `.toml`, which is of one of these
/// kinds; and its name in errors.
pub fn read(name: &str, kinds: &[Kind]) -> Result<(String, String)> {
    let (text, origin) = if name.ends_with(".toml") {
        let text = std::fs::read_to_string(Path::new(name)).map_err(|e| {
            Error::Input(format!(
                "cannot read the experiment {name}: {e}; check the path, or name one of {}",
                names(kinds).join(", ")
            ))
        })?;
        (text, name.to_string())
    } else {
        // `tune-ff` and `tune_ff` are one.
        let plain = |name: &str| name.replace('-', "_");
        let known = BUILTIN.iter().find(|(known, _)| plain(known) == plain(name));
        let other = known.and_then(|(_, text)| kind_of(text, name).ok()).filter(|kind| !kinds.contains(kind));
        if let Some(kind) = other {
            return Err(for_another_command(name, kind, name));
        }
        let wanted = known.filter(|(_, text)| kind_of(text, name).is_ok_and(|kind| kinds.contains(&kind)));
        let (known, text) = wanted.ok_or_else(|| {
            let what = if kinds == Kind::MEMORY { "memory experiment" } else { kinds[0].subcommand() };
            let names = names(kinds);
            let (all, close) = (names.join(", "), did_you_mean(name, names));
            Error::Input(format!("there is no {what} `{name}`; choose one of {all}, or give a .toml file{close}"))
        })?;
        (text.to_string(), origin(known))
    };
    let kind = kind_of(&text, &origin)?;
    if !kinds.contains(&kind) {
        return Err(for_another_command(&origin, kind, name));
    }
    Ok((text, origin))
}

/// Folders of the results that no experiment may have the name of.
pub const RESERVED: [&str; 6] = ["quick", "local", "runs", "memory-runs", "memory", "tensorboard"];

/// Checks that a folder can have the experiment's name.
pub fn check_name(name: &str, origin: &str) -> Result<()> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    match !name.is_empty() && !RESERVED.contains(&name) && name.len() <= 100 && name.chars().all(plain) {
        true => Ok(()),
        false => Err(Error::Input(format!(
            "{origin}: `name` = \"{name}\": take letters, digits, - and _, and none of {}: its results' folder has \
             that name",
            RESERVED.join(", ")
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_ones_own_is_read_and_one_of_another_kind_names_its_command() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("my.toml");
        std::fs::write(&path, "kind = \"sweep\"\n").unwrap();
        let name = path.to_str().unwrap();
        assert_eq!(read(name, &[Kind::Sweep]).unwrap().1, name);
        let error = read(name, &[Kind::Table]).unwrap_err().to_string();
        assert!(error.contains("harness sweep"), "{error}");
        std::fs::write(&path, "kind = \"swoop\"\n").unwrap();
        let error = read(name, &[Kind::Table]).unwrap_err().to_string();
        assert!(error.contains("my.toml") && error.contains("memory-figure"), "{error}");
    }

    #[test]
    fn every_built_in_experiment_is_of_some_kind_and_names_are_those_of_folders() {
        let all = [Kind::Table, Kind::Calibration, Kind::Sweep, Kind::MemoryFigure, Kind::MemoryTable];
        assert_eq!(names(&all).len(), BUILTIN.len());
        for wrong in ["", "../x", "a b", "a/b", ".x", "quick"] {
            assert!(check_name(wrong, "my.toml").unwrap_err().to_string().contains("my.toml"), "{wrong}");
        }
    }
}
