//! What helps against an error, for the program to put into its own words.

use std::fmt;
use std::path::PathBuf;

/// One thing that helps. [`Display`](fmt::Display) names it as this library does; a program with flags and commands of
/// its own says it in its words: [`DataError::explain`](crate::DataError::explain).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// This, in words that are nobody's in particular.
    Do(String),
    /// The same call again, which resumes where this one stopped.
    Again,
    /// Another source of the same data set.
    OtherSource,
    /// The official files, brought by hand: [`LoadOptions::data_dir`](crate::LoadOptions::data_dir).
    OwnFiles,
    /// A page that says where the files are, then [`OwnFiles`](Self::OwnFiles): how to get at them.
    ByHand(String),
    /// The same, without a network.
    Offline,
    /// [`fetch`](crate::fetch) of the data set with this name, where there is a network.
    Fetch(String),
    /// The same, which puts sound content in the place of what is damaged.
    Refetch(String),
    /// A folder as [`LoadOptions::data_dir`](crate::LoadOptions::data_dir) that holds this.
    DataDir(String),
    /// The official file in the place of this one.
    Replace,
    /// [`describe`](crate::describe) of this folder, for a manifest of what is there now.
    Describe(PathBuf),
    /// [`LoadOptions::allow_unverified`](crate::LoadOptions::allow_unverified).
    Accept,
}

impl fmt::Display for Next {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Do(text) => f.write_str(text),
            Self::Again => f.write_str("do the same again: it resumes where it stopped"),
            Self::OtherSource => f.write_str("use another source"),
            Self::OwnFiles => f.write_str("bring the official files (`data_dir`)"),
            Self::ByHand(how) => write!(f, "{how} and bring the files (`data_dir`)"),
            Self::Offline => f.write_str("bring the official files (`data_dir`) and stay off the network"),
            Self::Fetch(name) => write!(f, "fetch {name} where there is a network"),
            Self::Refetch(name) => {
                write!(f, "fetch {name} where there is a network, which puts sound content in its place")
            }
            Self::DataDir(holds) => write!(f, "set `data_dir` to a folder that holds {holds}"),
            Self::Describe(dir) => write!(f, "describe {} again if the change is meant", dir.display()),
            Self::Replace => f.write_str("replace it with the official file"),
            Self::Accept => f.write_str("set `allow_unverified` to use it and mark every result"),
        }
    }
}

/// Things that help, each alone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Advice(pub Vec<Next>);

impl Advice {
    /// One after the other, each in the words that `say` finds for it.
    pub fn explain(&self, say: &dyn Fn(&Next) -> String) -> String {
        self.0.iter().map(say).collect::<Vec<_>>().join(", or ")
    }

    /// These, and then `more`.
    pub(crate) fn or(mut self, more: impl Into<Self>) -> Self {
        self.0.extend(more.into().0);
        self
    }
}

impl fmt::Display for Advice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.explain(&Next::to_string))
    }
}

impl From<&str> for Advice {
    fn from(text: &str) -> Self {
        Self::from(text.to_owned())
    }
}

impl From<String> for Advice {
    fn from(text: String) -> Self {
        Self(vec![Next::Do(text)])
    }
}

impl From<Next> for Advice {
    fn from(next: Next) -> Self {
        Self(vec![next])
    }
}

impl<const N: usize> From<[Next; N]> for Advice {
    fn from(next: [Next; N]) -> Self {
        Self(next.into())
    }
}
