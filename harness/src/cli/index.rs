//! `harness results`: the pages of the results folder that are made of others.

use super::ResultOptions;
use crate::error::Result;
use crate::report::memory::page;
use crate::report::place::write_index;
use crate::talk::say;
use clap::Args;

/// Options of `results`.
#[derive(Args, Debug)]
pub struct IndexArgs {
    #[command(flatten)]
    results: ResultOptions,
}

/// Writes the page about memory and the index again.
pub fn main(args: IndexArgs) -> Result<()> {
    let results = args.results.results;
    say!("wrote {}", page::write(&results)?.display());
    say!("wrote {}", write_index(&results)?.display());
    Ok(())
}
