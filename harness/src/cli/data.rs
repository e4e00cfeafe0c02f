//! `harness data`: what is where, and whether it is what it should be.

use super::{DataOptions, print};
use crate::error::{Error, Result};
use clap::{Args, Subcommand};
use datasets::Status;

/// Options of `data`.
#[derive(Args, Debug)]
pub struct DataArgs {
    #[command(subcommand)]
    command: DataCommand,
    #[command(flatten)]
    data: DataOptions,
}

#[derive(Subcommand, Debug)]
enum DataCommand {
    /// Every data set, and where it is or what to do to have it.
    List,
    /// Compare the content with the official digests, file by file; of every data set found, or of one.
    Verify {
        /// A name of `data list`.
        name: Option<String>,
    },
}

/// Lists or verifies.
pub fn main(args: DataArgs) -> Result<()> {
    let options = args.data.load_options()?;
    match args.command {
        DataCommand::List => {
            for manifest in datasets::manifests() {
                let [c, h, w] = manifest.shape;
                let size = format!("{} + {} images of {c}x{h}x{w}", manifest.counts.train, manifest.counts.test);
                let state = match datasets::status(&manifest.name, &options)? {
                    Status::Embedded => "embedded in this program".to_string(),
                    Status::Found { source, .. } => format!("found: {source}"),
                    Status::Missing { next, .. } => format!("missing: {next}"),
                };
                print(&format!("{:<22} {:>3} classes, {size:<36} {state}", manifest.name, manifest.classes))?;
            }
            Ok(())
        }
        DataCommand::Verify { name } => {
            let mut wrong = Vec::new();
            let names: Vec<String> = match name {
                Some(name) => vec![name],
                None => datasets::manifests().iter().map(|m| m.name.clone()).collect(),
            };
            let only = names.len() == 1;
            for name in names {
                if let (Status::Missing { next, .. }, false) = (datasets::status(&name, &options)?, only) {
                    print(&format!("{name}: not on this machine; {next}"))?;
                    continue;
                }
                let verification = datasets::verify(&name, &options)?;
                print(&format!("{name}: {}", verification.source))?;
                for file in &verification.files {
                    let state = if file.ok { "ok" } else { "WRONG" };
                    print(&format!("  {state:<5} {} expected {}", file.file, file.expected))?;
                    if !file.ok {
                        let found = file.found.as_ref().map_or("unreadable".to_string(), ToString::to_string);
                        print(&format!("        found {found} {}", file.problem.as_deref().unwrap_or("")))?;
                        wrong.push(format!("{name}: {}", file.file));
                    }
                }
            }
            if wrong.is_empty() {
                return Ok(());
            }
            let next = "replace them with the official files, or run with --allow-unverified, which marks every result";
            Err(Error::Failed(format!("not the official content: {}; {next}", wrong.join(", "))))
        }
    }
}
