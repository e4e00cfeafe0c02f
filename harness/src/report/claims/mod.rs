//! `CLAIMS.md`: what the paper claims, beside what was measured.
//!
//! Claims are data (`claims.toml`): the paper's words, their place, and what would decide them. Numbers, scales and
//! verdicts come from the Parquet files of the results folder alone, so that no sentence outlives its runs.

mod accuracy;
mod claim;
mod depth;
mod finding;
mod layers;
mod memory;
mod pipeline;
mod text;
mod theorem;

use super::place::{About, pages};
use crate::atomic::write_atomically;
use crate::error::Result;
use crate::experiment::{Kind, find};
use claim::{Evidence, claims};
use finding::{Finding, Page, Verdict};
use std::path::{Path, PathBuf};

/// The file's name.
pub const FILE: &str = "CLAIMS.md";

/// Every page below `results` that says what it was made of.
fn kept(results: &Path) -> Result<Vec<Page>> {
    let mut found = Vec::new();
    for (experiment, folder) in pages(results)? {
        if let Some(about) = About::read(&folder)? {
            found.push(Page::read(experiment, folder, about)?);
        }
    }
    Ok(found)
}

impl Evidence {
    /// What `pages` have of it.
    fn find(&self, pages: &[Page], results: &Path) -> Result<Finding> {
        let of = |name: &str| pages.iter().filter(|page| page.experiment == *name).collect::<Vec<_>>();
        let (page, finding) = match self {
            Evidence::Above { experiment, column, row, against, at_least } => {
                accuracy::above(&of(experiment), column, [row, against], *at_least)?
            }
            Evidence::AboveAll { experiment, column, row, except } => {
                let rows = find(experiment, &Kind::TRAINING)?.rows.into_iter();
                let rows = rows.filter(|row| row.rule.is_some()).map(|row| row.label);
                let others: Vec<String> = rows.filter(|label| !except.contains(label)).collect();
                accuracy::above_all(&of(experiment), column, row, &others)?
            }
            Evidence::Fewer { experiment, column, row, against } => {
                accuracy::fewer(&of(experiment), column, [row, against])?
            }
            Evidence::Rises { experiment, row, from, to, at_least } => {
                accuracy::rises(&of(experiment), row, [*from, *to], *at_least)?
            }
            Evidence::Slows { experiment, row, from, over, to } => {
                accuracy::slows(&of(experiment), row, [*from, *over, *to])?
            }
            Evidence::Flat { experiment, column, row, of: part } => depth::flat(&of(experiment), column, row, *part)?,
            Evidence::Saves { experiment, column, row, against, at_least } => {
                memory::saves(&of(experiment), column, [row, against], *at_least)?
            }
            Evidence::Gains { experiment, network, workers, at_least } => {
                pipeline::gains(&of(experiment), network, *workers, *at_least)?
            }
            Evidence::Theorem { experiment, column, row, assumption } => {
                theorem::held(&of(experiment), column, row, *assumption)?
            }
            Evidence::Layers(asked) => asked.judged(&of(&asked.experiment))?,
            Evidence::Read { experiment, why } => match of(experiment).first() {
                Some(page) => (Some(*page), Finding { verdict: Verdict::Open, ..Finding::not_done(why.clone()) }),
                None => (None, Finding::not_done(format!("{why} (`{experiment}` has not been run)"))),
            },
            Evidence::NotDone { why } => (None, Finding::not_done(why.clone())),
        };
        let below = |page: &Page| page.folder.strip_prefix(results).unwrap_or(&page.folder).display().to_string();
        Ok(Finding { source: page.map(|page| (below(page), page.about.command.clone())), ..finding })
    }
}

/// Writes `CLAIMS.md` from what is kept below `results` and says where it is; nothing where no claim has a number.
pub fn write(results: &Path) -> Result<Option<PathBuf>> {
    let pages = kept(results)?;
    let mut judged = Vec::new();
    for claim in claims() {
        let found = claim.evidence.iter().map(|evidence| evidence.find(&pages, results));
        let found: Vec<Finding> = found.collect::<Result<_>>()?;
        judged.push((claim, found));
    }
    if judged.iter().flat_map(|(_, found)| found).all(|finding| finding.source.is_none()) {
        return Ok(None);
    }
    let path = results.join(FILE);
    write_atomically(&path, text::render(&judged).as_bytes())?;
    Ok(Some(path))
}

#[cfg(test)]
mod tests {
    use super::layers::Layers;
    use super::*;
    use crate::experiment::{catalogue, memory as weighed};

    #[test]
    fn every_experiment_row_and_column_of_a_claim_is_one_that_there_is() {
        let tables = |name: &str| {
            let experiment = find(name, &Kind::TRAINING).unwrap();
            let labels = experiment.rows.into_iter().map(|row| row.label);
            (labels.collect::<Vec<_>>(), experiment.columns.into_iter().map(|c| c.label).collect::<Vec<_>>())
        };
        let memory = |name: &str| match weighed::find(name).unwrap() {
            weighed::MemoryExperiment::MemoryFigure(figure) => (
                figure.rows.into_iter().map(|row| row.label).collect::<Vec<_>>(),
                figure.panels.into_iter().map(|panel| panel.label).collect::<Vec<_>>(),
            ),
            weighed::MemoryExperiment::MemoryTable(table) => (
                table.rows.into_iter().map(|row| row.label).collect(),
                table.columns.into_iter().map(|column| column.label).collect(),
            ),
        };
        let has = |all: &[String], word: &String| assert!(all.contains(word), "{word} is none of {all:?}");
        for evidence in claims().iter().flat_map(|claim| &claim.evidence) {
            match evidence {
                Evidence::Above { experiment, column, row, against, .. }
                | Evidence::Fewer { experiment, column, row, against } => {
                    let (rows, columns) = tables(experiment);
                    [row, against].iter().for_each(|word| has(&rows, word));
                    has(&columns, column);
                }
                Evidence::AboveAll { experiment, column, row, except } => {
                    let (rows, columns) = tables(experiment);
                    except.iter().chain([row]).for_each(|word| has(&rows, word));
                    has(&columns, column);
                }
                Evidence::Rises { experiment, row, .. } | Evidence::Slows { experiment, row, .. } => {
                    has(&tables(experiment).0, row);
                }
                Evidence::Theorem { experiment, row, .. } => has(&tables(experiment).0, row),
                Evidence::Layers(Layers { experiment, column, row, against, at_least, at_most, .. }) => {
                    let (rows, columns) = tables(experiment);
                    against.iter().chain([row]).for_each(|word| has(&rows, word));
                    has(&columns, column);
                    assert!(at_least.is_some() != at_most.is_some(), "{row}: one bound");
                }
                Evidence::Flat { experiment, column, row, .. } => {
                    has(&memory(experiment).0, row);
                    has(&memory(experiment).1, column);
                }
                Evidence::Saves { experiment, column, row, against, .. } => {
                    [row, against].iter().for_each(|word| has(&memory(experiment).0, word));
                    has(&memory(experiment).1, column);
                }
                Evidence::Read { experiment, .. } => assert!(
                    catalogue::names(&Kind::TRAINING).contains(&experiment.as_str())
                        || catalogue::names(&Kind::MEMORY).contains(&experiment.as_str()),
                    "{experiment}"
                ),
                Evidence::Gains { .. } | Evidence::NotDone { .. } => {}
            }
        }
    }

    #[test]
    fn an_empty_folder_has_no_claims_to_judge() {
        assert_eq!(write(tempfile::tempdir().unwrap().path()).unwrap(), None);
    }
}
