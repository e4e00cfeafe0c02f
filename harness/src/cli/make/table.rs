//! `harness table`.

use super::args::{MakeArgs, NamedArgs};
use super::whole::{called, make};
use crate::error::Result;
use crate::experiment::{Kind, find};
use clap::Args;

/// Options of tables.
#[derive(Args, Debug)]
pub struct TableArgs {
    #[command(flatten)]
    named: NamedArgs,
    #[command(flatten)]
    make: MakeArgs,
}

/// Makes the table.
pub fn table(args: TableArgs) -> Result<()> {
    let NamedArgs { name, epochs, device } = args.named;
    make(find(&name, &Kind::TABLES)?, &called(&name), device, epochs, &args.make)
}
