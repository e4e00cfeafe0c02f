//! `harness results`: the pages of the results folder that are made of others.

use super::options::ResultOptions;
use crate::bench;
use crate::error::Result;
use crate::report::claims;
use crate::report::memory::{page, redraw};
use crate::report::place::write_index;
use crate::talk::say;
use clap::Args;

/// Options of `results`.
#[derive(Args, Debug)]
pub struct IndexArgs {
    #[command(flatten)]
    results: ResultOptions,
}

/// Writes the pages of memory's figures, and draws those of the bench, again from the Parquet beside them, and writes
/// the page about memory, the paper's claims beside what was measured, and the index.
pub fn main(args: IndexArgs) -> Result<()> {
    let results = args.results.results;
    let drawn = [redraw::figures(&results, &mut |told| say!("{told}"))?, bench::figure::redraw(&results)?].concat();
    drawn.iter().for_each(|path| say!("wrote {}", path.display()));
    let pages = [page::write(&results)?, claims::write(&results)?];
    pages.iter().flatten().for_each(|path| say!("wrote {}", path.display()));
    say!("wrote {}", write_index(&results)?.display());
    Ok(())
}
