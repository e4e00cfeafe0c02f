//! What made a number.

use crate::spec::DeviceName;
use serde::{Deserialize, Serialize};

/// Where and with what a run was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provenance {
    /// The device.
    pub device: DeviceName,
    /// The processor or GPU, as the machine calls it.
    pub hardware: String,
    /// Threads of the tensor library.
    pub threads: usize,
    /// The harness's version and git commit.
    pub harness: String,
    /// The tensor library's version.
    pub backend: String,
    /// What the memory numbers count.
    pub memory_definition: String,
    /// When the run finished, seconds since 1970.
    pub finished_unix: u64,
}

/// A version of the harness and the machine that it trained on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Maker {
    /// See [`Provenance::harness`].
    pub harness: String,
    /// See [`Provenance::hardware`].
    pub hardware: String,
}

impl Maker {
    /// Of a state that was kept before states said who made them: nobody can get that code, as far as is known.
    pub fn unknown() -> Self {
        Self { harness: "an unknown version (no git commit known)".into(), hardware: "an unknown machine".into() }
    }
}

/// What stands between the names of those who made a run one after the other.
const BEFORE: &str = "; before that ";

/// Those who made a run, of whose versions or machines `names` tells as [`Provenance`] has it.
pub fn each_maker(names: &str) -> impl Iterator<Item = &str> {
    names.split(BEFORE)
}

impl Provenance {
    /// The same of a run that `makers` made one after the other, the last of them here: all are named, newest first.
    #[must_use]
    pub fn made_by(self, makers: &[Maker]) -> Self {
        let all = |name: fn(&Maker) -> &String| {
            let mut names: Vec<&str> = Vec::new();
            for name in makers.iter().rev().map(name) {
                if !names.contains(&name.as_str()) {
                    names.push(name);
                }
            }
            names.join(BEFORE)
        };
        match makers {
            [] => self,
            _ => Self { harness: all(|maker| &maker.harness), hardware: all(|maker| &maker.hardware), ..self },
        }
    }

    /// Whether it was made by a build of code that no commit has.
    pub fn is_dirty(&self) -> bool {
        self.harness.contains("uncommitted") || self.harness.contains("no git commit")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::example;

    #[test]
    fn everybody_who_trained_a_run_is_named_and_one_without_a_commit_makes_it_dirty() {
        let of = |makers: &[(&str, &str)]| {
            let maker = |(harness, hardware): &(&str, &str)| Maker {
                harness: harness.to_string(),
                hardware: hardware.to_string(),
            };
            let makers: Vec<Maker> = makers.iter().map(maker).collect();
            example::run(0, 98.0).provenance.made_by(&makers)
        };
        let one = of(&[("0.1.0 (a)", "x"), ("0.1.0 (a)", "x")]);
        assert_eq!((one.harness.as_str(), one.hardware.as_str(), one.is_dirty()), ("0.1.0 (a)", "x", false));
        let two = of(&[("0.1.0 (a + uncommitted changes)", "x"), ("0.1.0 (b)", "y")]);
        assert_eq!(two.harness, "0.1.0 (b); before that 0.1.0 (a + uncommitted changes)");
        assert_eq!((two.hardware.as_str(), two.is_dirty()), ("y; before that x", true));
        assert_eq!(each_maker(&two.hardware).collect::<Vec<_>>(), ["y", "x"]);
        let unknown = Maker::unknown();
        assert!(of(&[(&unknown.harness, &unknown.hardware), ("0.1.0 (b)", "y")]).is_dirty());
    }
}
