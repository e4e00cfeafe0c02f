//! `harness report`: a results folder as one page of HTML.

use super::options::ResultOptions;
use crate::atomic::write_atomically;
use crate::error::Result;
use crate::report::html;
use crate::talk::say;
use clap::Args;
use std::path::PathBuf;

/// Options of `report`.
#[derive(Args, Debug)]
pub struct ReportArgs {
    /// The results folder; the one of --results where none is named.
    folder: Option<PathBuf>,
    /// The page; report.html in the folder where it is not named.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    results: ResultOptions,
}

/// Writes the page.
pub fn main(args: ReportArgs) -> Result<()> {
    let folder = args.folder.unwrap_or(args.results.results);
    let out = args.out.unwrap_or_else(|| folder.join("report.html"));
    let page = html::page(&folder)?;
    write_atomically(&out, page.as_bytes())?;
    say!("wrote {} ({:.1} MB)", out.display(), page.len() as f64 / 1e6);
    Ok(())
}
