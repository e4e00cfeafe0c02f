//! Pages as they are shown: an experiment's side by side, with its place in the list of contents.

use super::links::Links;
use super::markdown;
use super::pages::{Group, Page, group};
use crate::error::{Error, Result};
use serde::Serialize;
use std::path::Path;

/// Pages of one experiment, or a text of its own.
#[derive(Clone, Debug, Serialize)]
pub struct View {
    /// Its anchor.
    pub id: String,
    /// Its headline.
    pub title: String,
    /// Its name in the list of contents.
    pub name: String,
    /// Of which group.
    group: &'static str,
    /// Text that stands before its articles.
    pub html: String,
    /// Its pages.
    pub articles: Vec<Article>,
}

/// A page as it is shown.
#[derive(Clone, Debug, Serialize)]
pub struct Article {
    id: String,
    name: String,
    records: usize,
    caveats: String,
    hardware: String,
    harness: String,
    command: String,
    html: String,
}

/// A heading of the list of contents, with its views' anchors and names.
#[derive(Clone, Debug, Serialize)]
pub struct Contents {
    title: &'static str,
    views: Vec<(String, String)>,
}

/// The views of `pages`, an experiment each, in the order of the list of contents; before those of memory the text
/// that the results folder has about it.
pub fn all(pages: &[Page], links: &Links) -> Result<Vec<View>> {
    let mut views: Vec<(Group, View)> = Vec::new();
    for page in pages {
        let article = article(page, links)?;
        match views.iter_mut().find(|(_, view)| view.id == page.experiment) {
            Some((_, view)) => view.articles.push(article),
            None => {
                let (group, id) = (group(page), page.experiment.clone());
                let name = page.experiment.replace('_', " ");
                let (title, html) = (page.about.title.clone(), String::new());
                views.push((group, View { id, title, name, group: group.title(), html, articles: vec![article] }));
            }
        }
    }
    let memory = links.results().join("memory/README.md");
    if memory.is_file() {
        let view = View::of_file(&memory, "memory", links)?;
        views.insert(0, (Group::Memory, View { group: Group::Memory.title(), ..view }));
    }
    views.sort_by_key(|(group, _)| *group);
    Ok(views.into_iter().map(|(_, view)| view).collect())
}

/// Headings of the list of contents with what stands under each.
pub fn groups(views: &[View]) -> Vec<Contents> {
    let mut contents: Vec<Contents> = Vec::new();
    for view in views {
        let entry = (view.id.clone(), view.name.clone());
        match contents.iter_mut().find(|group| group.title == view.group) {
            Some(group) => group.views.push(entry),
            None => contents.push(Contents { title: view.group, views: vec![entry] }),
        }
    }
    contents
}

fn article(page: &Page, links: &Links) -> Result<Article> {
    let path = page.folder.join("README.md");
    let text = std::fs::read_to_string(&path).map_err(|e| Error::file("read", &path, e))?;
    let rendered = markdown::render(&text, &page.folder, &page.id, 2, links)?;
    let set = |items: &std::collections::BTreeSet<String>| items.iter().cloned().collect::<Vec<_>>().join(", ");
    let shelf = page.shelf.map_or(String::new(), |shelf| format!(" ({shelf})"));
    Ok(Article {
        id: page.id.clone(),
        name: format!("{}{shelf}", page.variant),
        records: page.about.records,
        caveats: page.about.caveats().unwrap_or_default(),
        hardware: set(&page.about.hardware),
        harness: set(&page.about.harness),
        command: page.about.command.clone(),
        html: rendered.html,
    })
}

impl View {
    /// A text without pages.
    pub fn of_file(path: &Path, id: &str, links: &Links) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(|e| Error::file("read", path, e))?;
        let folder = path.parent().unwrap_or(Path::new("."));
        let rendered = markdown::render(&text, folder, id, 1, links)?;
        let title = if rendered.title.is_empty() { id.to_string() } else { rendered.title };
        let (id, html) = (id.to_string(), rendered.html);
        Ok(Self { name: title.clone(), id, title, group: "", html, articles: Vec::new() })
    }
}
