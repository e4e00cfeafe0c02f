//! Paths of the machine told in words: where its folders lie is in no result.

use datasets::LoadOptions;
use std::path::{Path, PathBuf};

/// The kind of place that data were read from, without its path: `data directory`.
pub fn kind_of_source(source: &str) -> &str {
    source.split_once(" /").map_or(source, |(kind, _)| kind)
}

/// Folders that results speak of, longest first, with what they are called.
#[derive(Clone, Debug, Default)]
pub struct Paths {
    known: Vec<(String, &'static str)>,
}

impl Paths {
    /// The folders that data come from and results go to.
    pub fn of(options: &LoadOptions, results: &Path) -> Self {
        let home = std::env::var_os("HOME").map(PathBuf::from);
        let folders = [
            (options.data_dir.clone(), "the data directory"),
            (datasets::cache_dir(options), "the cache"),
            (options.hub.cache_dir.clone(), "the hub's cache"),
            (std::path::absolute(results).ok(), "the results folder"),
            (std::env::current_dir().ok(), "the working folder"),
            (home, "the home folder"),
        ];
        let absolute = |(path, name): (Option<PathBuf>, &'static str)| Some((std::path::absolute(path?).ok()?, name));
        let known = folders.into_iter().filter_map(absolute).filter(|(path, _)| path.parent().is_some());
        let mut known: Vec<_> = known.map(|(path, name)| (path.display().to_string(), name)).collect();
        known.sort_by_key(|(path, _)| std::cmp::Reverse(path.len()));
        Self { known }
    }

    /// `text` with a file in a known folder as `a/b in the data directory`, and any other absolute path as its last
    /// part.
    pub fn told(&self, text: &str) -> String {
        let mut told = String::with_capacity(text.len());
        let mut rest = text;
        let mut before = ' ';
        while let Some(c) = rest.chars().next() {
            // A path begins a word; the slashes of a URL or of `a/b` do not.
            let begins = c == '/'
                && (before.is_whitespace() || "'\"`([=:,".contains(before))
                && rest[1..].starts_with(|c: char| !c.is_whitespace() && c != '/');
            let length = if begins { self.length(rest) } else { c.len_utf8() };
            let (part, after) = rest.split_at(length);
            match begins {
                true => told.push_str(&self.called(part)),
                false => told.push(c),
            }
            before = part.chars().next_back().unwrap_or(' ');
            rest = after;
        }
        told
    }

    /// The length of the path that `text` begins with.
    fn length(&self, text: &str) -> usize {
        let inside =
            |path: &str| text.strip_prefix(path).is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric()));
        let known = self.known.iter().find(|(path, _)| inside(path)).map_or(0, |(path, _)| path.len());
        let ends = |c: char| c.is_whitespace() || "'\"`)],;".contains(c);
        let word = known + text[known..].find(ends).unwrap_or(text.len() - known);
        // A colon or full stop that ends a sentence is no part of it.
        text[..word].trim_end_matches([':', '.']).len().max(known).max(1)
    }

    fn called(&self, path: &str) -> String {
        let inside = |(known, name): &(String, &'static str)| {
            let rest = path.strip_prefix(known.as_str())?;
            let file = rest.strip_prefix('/').map(|file| file.trim_end_matches('/'));
            match (rest, file) {
                ("", _) | (_, Some("")) => Some((*name).to_string()),
                (_, Some(file)) => Some(format!("{file} in {name}")),
                (_, None) => None,
            }
        };
        let last = || path.trim_end_matches('/').rsplit('/').next().unwrap_or_default().to_string();
        self.known.iter().find_map(inside).unwrap_or_else(last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_folders_have_their_names_and_other_paths_their_last_part() {
        let options = LoadOptions { data_dir: Some("/data dir/sets".into()), ..LoadOptions::default() };
        let paths = Paths::of(&options, Path::new("/elsewhere/results"));
        for (text, expected) in [
            ("data directory /data dir/sets/mnist", "data directory mnist in the data directory"),
            ("first /data dir/sets/cifar-10/a.bin; replace", "first cifar-10/a.bin in the data directory; replace"),
            ("(/data dir/sets)", "(the data directory)"),
            ("a system package /usr/share/dataset-x: it", "a system package dataset-x: it"),
            ("harness table '/elsewhere/my.toml'", "harness table 'my.toml'"),
            ("https://a.b/c and a/b, 1 / 2", "https://a.b/c and a/b, 1 / 2"),
            ("embedded sample", "embedded sample"),
        ] {
            assert_eq!(paths.told(text), expected);
        }
        assert_eq!(kind_of_source("data directory /data dir/sets/mnist"), "data directory");
        assert_eq!(kind_of_source("embedded sample"), "embedded sample");
        // Another folder whose name begins alike.
        assert!(!paths.told("/data dir/sets2/x").contains("the data directory"));
    }
}
