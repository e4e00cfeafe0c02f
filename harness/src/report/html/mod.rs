//! A results folder as one page of HTML that asks nobody for anything: its Markdown, figures and Parquet files, seen
//! through a template. No number is made here.

mod cells;
mod curves;
mod escape;
mod links;
mod markdown;
mod pages;
mod svg;
mod views;

use crate::error::{Error, Result};
use crate::provenance::VERSION;
use crate::report::parquet::read_labelled;
use crate::talk::say;
use cells::CellRow;
use curves::{Curves, Drawing};
use escape::json;
use links::Links;
use minijinja::value::{Serde, Value};
use minijinja::{Environment, context};
use std::path::{Path, PathBuf};
use views::View;

const TEMPLATE: &str = include_str!("page.html");
const STYLE: &str = include_str!("style.css");
/// In the order in which they run.
const SCRIPTS: [&str; 3] = [include_str!("tables.js"), include_str!("explorer.js"), include_str!("page.js")];
/// What is claimed and what became of it, in the results folder or beside it.
const CLAIMS: &str = "CLAIMS.md";

/// The page of the folder `results`.
///
/// # Errors
/// Where the folder cannot be read or has no page, and where one of its files is damaged.
pub fn page(results: &Path) -> Result<String> {
    let pages = pages::all(results)?;
    if pages.is_empty() {
        let next = "`harness table table1` makes one, or name a folder that holds `<experiment>/<profile>-<device>/`";
        return Err(Error::Missing(format!("{}: there is no page of results in it; {next}", results.display())));
    }
    let links = Links::to(results, &pages);
    let views = views::all(&pages, &links)?;
    let claims = claims(results, &links)?;
    let (mut cells, mut curves): (Vec<CellRow>, Vec<Curves>) = (Vec::new(), Vec::new());
    for page in &pages {
        let runs = read_labelled(&page.folder, &mut |sentence| say!("{sentence}"))?;
        cells.extend(cells::of_page(page, &runs)?);
        curves.extend(curves::of_page(page, &runs));
    }
    let mut environment = Environment::new();
    let wrong = |error: minijinja::Error| Error::Failed(format!("the page's template: {error:#}"));
    environment.add_template("page.html", TEMPLATE).map_err(wrong)?;
    let template = environment.get_template("page.html").map_err(wrong)?;
    let groups = views::groups(&views);
    template
        .render(context! {
            version => VERSION,
            style => STYLE,
            scripts => SCRIPTS.concat(),
            claims => Value::from(Serde(claims)),
            groups => Value::from(Serde(groups)),
            views => Value::from(Serde(views)),
            filters => Value::from(Serde(cells::Filters::of(&cells))),
            has_curves => !curves.is_empty(),
            curves => json(&Drawing::of(curves)),
            cells => Value::from(Serde(cells)),
        })
        .map_err(wrong)
}

/// `CLAIMS.md`, where there is one.
fn claims(results: &Path, links: &Links) -> Result<Option<View>> {
    let beside = std::path::absolute(results).ok().and_then(|path| path.parent().map(Path::to_path_buf));
    let folders: Vec<PathBuf> = [Some(results.to_path_buf()), beside].into_iter().flatten().collect();
    match folders.iter().find(|folder| folder.join(CLAIMS).is_file()) {
        Some(folder) => View::of_file(&folder.join(CLAIMS), "claims", links).map(Some),
        None => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::place::About;
    use crate::report::{Report, example, figure, markdown, parquet};

    fn kept(results: &Path, report: &Report) {
        let folder = results.join(&report.name).join(&report.variant);
        std::fs::create_dir_all(&folder).unwrap();
        parquet::write(report, &folder).unwrap();
        let figures = figure::write(report, &folder).unwrap();
        markdown::write(report, &figures, &folder).unwrap();
        About::runs(&report.title, &report.command, report.runs()).write(&folder).unwrap();
    }

    #[test]
    fn a_page_holds_cells_with_what_is_quoted_their_caveats_and_their_commands() {
        let results = tempfile::tempdir().unwrap();
        let mut report = example::table();
        report.cells[0].runs[0].provenance.harness = "0.1.0 (abc + uncommitted changes)".into();
        kept(results.path(), &report);
        let page = page(results.path()).unwrap();
        for part in [
            "<td class=\"n\">98.13 ± 0.25</td>",
            "<td class=\"n\">99.25 ± 0.09</td>",
            "2x800 | MLP",
            "data are not verified",
            "1 of 3 diverged",
            "1 of uncommitted code",
            "TP is not implemented",
            "harness reproduce table1 --row &#x27;BP&#x27;",
            "<svg class=\"figure\"",
            "id=\"table1-quick-flex\"",
        ] {
            assert!(page.contains(part), "no {part:?}");
        }
        assert!(!page.contains("src=") && !page.contains("@import") && !page.contains("rel=\"stylesheet\""));
    }

    #[test]
    fn claims_come_first_and_their_links_lead_to_pages() {
        let folder = tempfile::tempdir().unwrap();
        let results = folder.path().join("results");
        kept(&results, &example::table());
        let link = "# What the paper claims\n\n[here](results/table1/quick-flex/README.md) [gone](results/none.md)\n";
        std::fs::write(folder.path().join(CLAIMS), link).unwrap();
        let page = page(&results).unwrap();
        let place = |part: &str| page.find(part).unwrap_or_else(|| panic!("no {part}"));
        assert!(place("<section class=\"view\" id=\"claims\"") < place("<section class=\"view\" id=\"cells\""));
        assert!(page.contains("<a href=\"#table1-quick-flex\">here</a>"));
        assert!(page.contains("<span class=\"file\" title=\"results&#x2f;none.md\">gone</span>"));
    }

    #[test]
    fn what_is_no_results_folder_says_what_to_do() {
        let empty = tempfile::tempdir().unwrap();
        let error = page(empty.path()).unwrap_err();
        assert!(error.to_string().contains("harness table table1") && error.exit_code() == 3, "{error}");
        assert!(page(&empty.path().join("none")).unwrap_err().to_string().contains("none"));
    }
}
