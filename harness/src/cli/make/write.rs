//! A report into its place.

use super::args::MakeArgs;
use crate::error::Result;
use crate::experiment::{Choices, Profile};
use crate::record::RunResult;
use crate::report::place::{About, Shelf, folder, tidy, write_index};
use crate::report::{Report, figure, markdown, parquet};
use crate::talk::say;
use std::path::PathBuf;

/// Writes the report, and the index where it is kept; says where the page is.
pub fn write(report: &Report, choices: &Choices, args: &MakeArgs) -> Result<PathBuf> {
    let results = &args.select.results.results;
    let about = About::runs(&report.title, &report.command, report.runs());
    let stamps = report.runs().map(RunResult::stamp).collect();
    let kept = parquet::read_stamps(&results.join(&report.name).join(&report.variant).join("runs.parquet"))?;
    let (shelf, why) = Shelf::of(&about, &stamps, &kept, choices.profile == Profile::Quick, args.shelf);
    let dir = folder(results, shelf, &report.name, &report.variant)?;
    let mut written = parquet::write(report, &dir)?;
    let figures = figure::write(report, &dir)?;
    let page = markdown::write(report, &figures, &dir)?;
    written.extend(figures);
    written.push(page.clone());
    about.write(&dir)?;
    tidy(&dir, &written);
    written.iter().for_each(|path| say!("wrote {}", path.display()));
    why.into_iter().for_each(|why| say!("not among what is kept: {why}"));
    if shelf == Shelf::Kept {
        say!("wrote {}", write_index(results)?.display());
    }
    Ok(page)
}
