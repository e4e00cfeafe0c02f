//! `README.md` of the results folder, an index of what is kept, and of every experiment in it.

use super::About;
use crate::atomic::write_atomically;
use crate::error::{Error, Result};
use crate::experiment::catalogue::RESERVED;
use crate::report::claims;
use crate::report::grid::{Grid, escape};
use crate::report::markdown::READING;
use std::path::{Path, PathBuf};

const TEMPLATE: &str = include_str!("../../../experiments/results.md");
/// Where the template has the table.
const PLACE: &str = "{{index}}";
/// Where it has the verdicts on the paper's claims.
const CLAIMS: &str = "{{claims}}";

/// Writes the index of what is kept below `results`, and a page for each experiment; says where the index is.
pub fn write(results: &Path) -> Result<PathBuf> {
    let mut grid = Grid::new(["results", "what", "trained", "records", "caveats", "command"]);
    for experiment in folders(results)?.into_iter().filter(|name| !RESERVED.contains(&name.as_str())) {
        let folder = results.join(&experiment);
        let mut pages = Vec::new();
        for variant in folders(&folder)? {
            if let Some(about) = About::read(&folder.join(&variant))? {
                pages.push((variant, about));
            }
        }
        for (variant, about) in &pages {
            grid.push(vec![
                format!("[{experiment}/{variant}]({experiment}/{variant}/README.md)"),
                escape(&about.title),
                if about.scale.is_empty() { "—".into() } else { escape(&about.scale.join("; ")) },
                about.records.to_string(),
                about.caveats().unwrap_or_else(|| "—".into()),
                format!("`{}`", about.command),
            ]);
        }
        if !pages.is_empty() {
            text(&folder.join("README.md"), &experiment_page(&folder, &pages)?)?;
        }
    }
    let path = results.join("README.md");
    let index = TEMPLATE.replace(CLAIMS, verdicts(results)?.trim_end()).replace(PLACE, grid.to_string().trim_end());
    text(&path, &index)?;
    Ok(path)
}

/// The table of claims and verdicts of the page about them, as links to it.
fn verdicts(results: &Path) -> Result<String> {
    let path = results.join(claims::FILE);
    if !path.exists() {
        return Ok("`harness results` judges the paper's claims by what is kept here.".into());
    }
    let page = std::fs::read_to_string(&path).map_err(|e| Error::file("read", &path, e))?;
    let table = page.lines().skip_while(|line| !line.starts_with('|')).take_while(|line| line.starts_with('|'));
    let linked = table.map(|line| line.replace("](#", &format!("]({}#", claims::FILE)) + "\n");
    Ok(linked.collect())
}

/// Every page that is kept below `results`: its experiment and its folder.
pub fn pages(results: &Path) -> Result<Vec<(String, PathBuf)>> {
    let mut pages = Vec::new();
    for experiment in folders(results)?.into_iter().filter(|name| !RESERVED.contains(&name.as_str())) {
        let folder = results.join(&experiment);
        let own = folders(&folder)?.into_iter().map(|variant| (experiment.clone(), folder.join(variant)));
        pages.extend(own);
    }
    Ok(pages)
}

fn text(path: &Path, text: &str) -> Result<()> {
    write_atomically(path, text.as_bytes())
}

/// The names of the folders in `folder`, in order.
fn folders(folder: &Path) -> Result<Vec<String>> {
    let entries = std::fs::read_dir(folder).map_err(|e| Error::file("read", folder, e))?;
    let name = |entry: std::fs::DirEntry| entry.file_name().into_string().ok();
    let mut names: Vec<String> = entries.flatten().filter(|entry| entry.path().is_dir()).filter_map(name).collect();
    names.sort();
    Ok(names)
}

/// The first tables of an experiment's pages, with a way to the rest of each.
fn experiment_page(folder: &Path, pages: &[(String, About)]) -> Result<String> {
    let mut page = format!("# {}\n", escape(&pages[0].1.title));
    for (variant, about) in pages {
        let path = folder.join(variant).join("README.md");
        let whole = std::fs::read_to_string(&path).map_err(|e| Error::file("read", &path, e))?;
        let caveats = about.caveats().map_or(String::new(), |caveats| format!("**{caveats}** · "));
        page +=
            &format!("\n## {variant}\n\n{caveats}[all of it]({variant}/README.md)\n\n{}", beginning(&whole, variant));
    }
    Ok(page)
}

/// A page from below its title to the end of the section with its first table, and the reading behind it.
fn beginning(page: &str, variant: &str) -> String {
    let mut has_table = false;
    let mut kept = String::new();
    for line in page.lines().skip(1).skip_while(|line| line.is_empty()) {
        has_table |= line.starts_with('|');
        if line.starts_with('#') && has_table && line != READING {
            break;
        }
        // Headings one level down, and pictures where they lie from here.
        let line = line.strip_prefix("## ").map_or_else(|| line.to_string(), |title| format!("### {title}"));
        kept += &line.replace("](", &format!("]({variant}/")).replace(&format!("]({variant}/http"), "](http");
        kept.push('\n');
    }
    kept.trim_end().to_string() + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(results: &Path, folder: &str, title: &str, body: &str) {
        let folder = results.join(folder);
        std::fs::create_dir_all(&folder).unwrap();
        About { title: title.into(), command: "harness x".into(), records: 3, ..About::default() }
            .write(&folder)
            .unwrap();
        std::fs::write(folder.join("README.md"), format!("# {title}\n\n{body}")).unwrap();
    }

    #[test]
    fn the_index_has_what_is_kept_and_an_experiments_page_its_first_tables() {
        let results = tempfile::tempdir().unwrap();
        let body = "Profile short\n\n| rule |\n|---|\n| BP |\n\n- legend\n\n## Reading\n\n- Read.\n\n\
                    ## What was run\n\n| x |\n";
        page(results.path(), "table1/short-flex", "Table | 1", body);
        let second = "![p](a.svg)\n\n## Peaks\n\n| y |\n\n[w](https://x)\n\n## More\n\n| z |\n";
        page(results.path(), "table1/paper-cuda", "Table | 1", second);
        std::fs::write(results.path().join("CLAIMS.md"), "# C\n\n| claim |\n|---|\n| [1](#claim-1) |\n\n| no |\n")
            .unwrap();
        page(results.path(), "quick/table1/quick-flex", "Hidden", "x");
        let index = std::fs::read_to_string(write(results.path()).unwrap()).unwrap();
        assert!(index.contains("[table1/short-flex](table1/short-flex/README.md) | Table \\| 1 | — "), "{index}");
        assert!(index.contains("| [1](CLAIMS.md#claim-1) |") && !index.contains("| no |"), "{index}");
        assert!(!index.contains("Hidden") && !index.contains(PLACE), "{index}");
        let page = std::fs::read_to_string(results.path().join("table1/README.md")).unwrap();
        for part in [
            "| BP |\n\n- legend\n",
            "### Reading\n\n- Read.\n",
            "![p](paper-cuda/a.svg)",
            "### Peaks",
            "[w](https://x)",
            "## short-flex",
        ] {
            assert!(page.contains(part), "no {part:?} in:\n{page}");
        }
        assert!(!page.contains("What was run") && !page.contains("| z |"), "{page}");
    }
}
