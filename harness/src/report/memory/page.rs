//! `memory/README.md`: one page about memory, written by hand around tables that are generated.
//!
//! A line `{{NAME: HEADING}}` of the template stands for the section of that experiment's page on flex whose heading
//! starts with `HEADING`; `{{NAME}}` for the line that says where its numbers come from.

use crate::atomic::write_atomically;
use crate::error::{Error, Result};
use std::path::{Path, PathBuf};

const TEMPLATE: &str = include_str!("../../../experiments/memory.md");

/// Writes the page from what is kept in `results`, and says where it is; nothing where no memory of flex is kept there.
pub fn write(results: &Path) -> Result<Option<PathBuf>> {
    let dir = results.join("memory");
    let kept = |name: &str| results.join(name).join("flex/README.md");
    if !names(TEMPLATE).any(|name| kept(name).exists()) {
        return Ok(None);
    }
    std::fs::create_dir_all(&dir).map_err(|e| Error::file("create", &dir, e))?;
    let path = dir.join("README.md");
    let is_there = |picture: &str| dir.join(picture).exists();
    write_atomically(&path, fill(TEMPLATE, |name| read(&kept(name)), is_there)?.as_bytes())?;
    Ok(Some(path))
}

/// What stands between the braces of a line of the template.
fn place(line: &str) -> Option<&str> {
    line.strip_prefix("{{").and_then(|line| line.strip_suffix("}}"))
}

/// The experiments that the template has places for.
fn names(template: &str) -> impl Iterator<Item = &str> {
    template.lines().filter_map(place).map(|place| place.split_once(": ").map_or(place, |(name, _)| name))
}

/// The files of the pictures in `line`.
fn pictures(line: &str) -> impl Iterator<Item = &str> {
    line.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(file, _)| file)
}

fn read(path: &Path) -> Result<Option<String>> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(Error::file("read", path, e)),
    }
}

fn fill(
    template: &str,
    read: impl Fn(&str) -> Result<Option<String>>,
    is_there: impl Fn(&str) -> bool,
) -> Result<String> {
    let mut text = String::new();
    for line in template.lines() {
        let Some(place) = place(line) else {
            if !line.starts_with("![") || pictures(line).all(&is_there) {
                text.push_str(line);
                text.push('\n');
            }
            continue;
        };
        let (name, heading) = place.split_once(": ").unwrap_or((place, ""));
        let found = read(name)?.and_then(|file| section(&file, heading));
        let missing =
            || format!("*`{name}` has not been made yet: `./reproduce.sh figures` and `./reproduce.sh table3`.*");
        text.push_str(found.unwrap_or_else(missing).trim());
        text.push('\n');
    }
    Ok(text)
}

/// The first heading of `file` that starts with `heading`, in bold where one was asked for, and what stands under it up
/// to the next heading of any level or the next picture.
fn section(file: &str, heading: &str) -> Option<String> {
    let title = |line: &&str| line.starts_with('#') && line.trim_start_matches('#').trim_start().starts_with(heading);
    let mut lines = file.lines().skip_while(|line| !title(line));
    let title = lines.next()?.trim_start_matches('#').trim();
    let body: Vec<&str> = lines.take_while(|line| !line.starts_with('#') && !line.starts_with("![")).collect();
    let title = if heading.is_empty() { String::new() } else { format!("**{title}**\n") };
    Some(title + &body.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::catalogue;

    const FILE: &str =
        "# Title\n\nmade by `x`\n\n## Peaks: a\n\n| 1 |\n\nflat\n\n![p](p.svg)\n\n## Peaks: b\n\n| 2 |\n";

    #[test]
    fn sections_of_files_stand_where_the_template_names_them() {
        let read = |name: &str| Ok((name == "f").then(|| FILE.to_string()));
        let template =
            "Before\n{{f}}\n{{f: Peaks}}\n{{f: Peaks: b}}\n{{g: x}}\n![p](p.svg) ![q](q.svg)\n![p](p.svg)\nAfter";
        let text = fill(template, read, |picture| picture == "p.svg").unwrap();
        assert!(text.contains("\n![p](p.svg)\nAfter") && !text.contains("q.svg"), "{text}");
        assert_eq!(text.lines().take(5).collect::<Vec<_>>(), ["Before", "made by `x`", "**Peaks: a**", "", "| 1 |"]);
        assert!(text.contains("\n| 2 |\n") && text.contains("`g` has not been made yet") && text.ends_with("After\n"));
    }

    #[test]
    fn every_place_of_the_template_is_one_that_the_experiments_fill() {
        let names: Vec<&str> = names(TEMPLATE).collect();
        assert!(names.len() >= 7, "{names:?}");
        for name in names {
            assert!(catalogue::names(&catalogue::Kind::MEMORY).contains(&name), "{name}");
        }
    }

    #[test]
    fn a_folder_without_memory_has_no_page_about_it() {
        let results = tempfile::tempdir().unwrap();
        assert_eq!(write(results.path()).unwrap(), None);
        std::fs::create_dir_all(results.path().join("figure2b/flex")).unwrap();
        std::fs::write(results.path().join("figure2b/flex/README.md"), FILE).unwrap();
        let page = std::fs::read_to_string(write(results.path()).unwrap().unwrap()).unwrap();
        assert!(page.contains("made by `x`") && !page.contains("!["), "{page}");
    }
}
