//! Where links of a text lead from within the page.

use super::pages::Page;
use std::path::{Component, Path, PathBuf};

/// The folders that the page shows, each with its anchor.
pub struct Links {
    results: PathBuf,
    anchors: Vec<(PathBuf, String)>,
}

/// Where a link leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A place on the page, as `#anchor`, or an address on the web.
    Address(String),
    /// A file that the page does not show.
    File,
}

impl Links {
    /// Links to `pages` of the folder `results`.
    pub fn to(results: &Path, pages: &[Page]) -> Self {
        let results = plain(results);
        let mut anchors: Vec<(PathBuf, String)> = Vec::new();
        for page in pages {
            anchors.push((plain(&page.folder), page.id.clone()));
            if let Some(experiment) = plain(&page.folder).parent() {
                anchors.push((experiment.to_path_buf(), page.experiment.clone()));
            }
        }
        if results.join("memory/README.md").is_file() {
            anchors.push((results.join("memory"), "memory".into()));
        }
        anchors.push((results.clone(), "cells".into()));
        Self { results, anchors }
    }

    /// The results folder.
    pub fn results(&self) -> &Path {
        &self.results
    }

    /// Where `link` leads, which stands in a text that lies in `folder` and has the anchor `id`.
    pub fn target(&self, link: &str, folder: &Path, id: &str) -> Target {
        let (path, fragment) = link.split_once('#').map_or((link, None), |(path, part)| (path, Some(part)));
        if ["http://", "https://", "mailto:"].iter().any(|scheme| link.starts_with(scheme)) {
            return Target::Address(link.to_string());
        }
        let anchor = |id: &str| match fragment {
            Some(part) => Target::Address(format!("#{id}-{part}")),
            None => Target::Address(format!("#{id}")),
        };
        if path.is_empty() {
            return anchor(id);
        }
        let place = plain(&folder.join(path));
        let known = |place: &Path| self.anchors.iter().find(|(folder, _)| folder == place).map(|(_, id)| id.as_str());
        // A file of a page is part of it; of the results folder itself its index is.
        let is_part = |folder: &Path| folder != self.results || place.ends_with("README.md");
        let parent = || place.parent().filter(|folder| place.extension().is_some() && is_part(folder)).and_then(known);
        known(&place).or_else(parent).map_or(Target::File, anchor)
    }
}

/// An absolute path without `.` and `..`, links left as they are.
fn plain(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
    let mut plain = PathBuf::new();
    for part in absolute.components() {
        match part {
            Component::ParentDir => {
                plain.pop();
            }
            Component::CurDir => {}
            part => plain.push(part),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::place::About;

    #[test]
    fn links_lead_to_pages_their_files_and_headings_and_to_the_web() {
        let results = Path::new("/r/results");
        let page = |experiment: &str, variant: &str| Page {
            id: format!("{experiment}-{variant}"),
            shelf: None,
            experiment: experiment.into(),
            variant: variant.into(),
            folder: results.join(experiment).join(variant),
            about: About::default(),
        };
        let links = Links::to(results, &[page("table1", "short-flex"), page("figure2a", "flex")]);
        let folder = results.join("table1/short-flex");
        for (link, expected) in [
            ("../../figure2a/flex/README.md", Some("#figure2a-flex")),
            ("cells.parquet", Some("#table1-short-flex")),
            ("../README.md", Some("#table1")),
            ("../../figure2a", Some("#figure2a")),
            ("../../README.md", Some("#cells")),
            ("#notes", Some("#table1-short-flex-notes")),
            ("../../figure2a/flex/README.md#laws", Some("#figure2a-flex-laws")),
            ("https://a.b/c#d", Some("https://a.b/c#d")),
            ("../../../docs/data.md", None),
            ("javascript:alert(1)", None),
        ] {
            let expected = expected.map_or(Target::File, |address| Target::Address(address.into()));
            assert_eq!(links.target(link, &folder, "table1-short-flex"), expected, "{link}");
        }
    }
}
