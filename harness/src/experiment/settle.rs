//! Which data a column is run on, and why there may be none.

use super::choices::Choices;
use super::column::{Amount, Column, Profile};
use crate::error::Result;
use crate::remedy;
use crate::spec::unpublished;
use datasets::{DataError, LoadOptions, Status};

/// A column on a data set that was settled on.
pub(super) struct Settled<'a> {
    pub column: &'a Column,
    pub label: String,
    pub dataset: String,
    pub amount: Option<Amount>,
    pub missing: Option<String>,
    /// Digest of its content where that is not the official one, or nobody published which that is.
    pub digest: Option<String>,
    /// Whether the content is known to be another one, and is wanted all the same.
    pub unverified: bool,
    /// The paper's numbers are for the full data set only.
    pub quoted: bool,
}

/// The columns that `column` makes: none where the profile has no runs of it, two where a sample stands beside what is
/// missing.
pub(super) fn settle<'a>(
    column: &'a Column,
    choices: &Choices,
    data: &LoadOptions,
    lines: &mut Vec<String>,
) -> Result<Vec<Settled<'a>>> {
    let amount = column.amount(choices.profile.name(), choices.device);
    let narrowed = amount.iter().flat_map(|a| &a.network).map(|(key, value)| format!("{key} {value}"));
    let narrowed = narrowed.collect::<Vec<_>>().join(", ");
    let own = if narrowed.is_empty() { column.label.clone() } else { format!("{} ({narrowed})", column.label) };
    let settled = |label: String, dataset: &str, amount, missing, quoted| Settled {
        column,
        label,
        dataset: dataset.to_string(),
        amount,
        missing,
        digest: None,
        unverified: false,
        quoted,
    };
    let full = |missing| settled(own.clone(), &column.dataset, amount.clone(), missing, true);
    if let Some(reason) = &column.missing {
        lines.push(format!("{}: {reason}", column.label));
        return Ok(if amount.is_some() { vec![full(Some(reason.clone()))] } else { vec![] });
    }
    // An estimate, or a column that has no runs in this profile, is no reason to download anything.
    let state = match choices.assume_present || amount.is_none() {
        true => datasets::status(&column.dataset, data)?,
        false => datasets::status_or_fetch(&column.dataset, data)?,
    };
    match (state, &column.sample) {
        _ if amount.is_none() && !column.profile.contains_key("sample") => Ok(vec![]),
        (Status::Embedded, _) => {
            lines.push(format!("{}: embedded sample", column.label));
            Ok(vec![full(None)])
        }
        (Status::Found { source, .. }, _) => {
            let content = if choices.assume_present { Content::Official } else { content(column, choices, data)? };
            let from = format!("{}: {} from {source}", column.label, column.dataset);
            Ok(vec![match content {
                Content::Official => {
                    lines.push(from);
                    full(None)
                }
                Content::Pinned { digest, unverified } => {
                    let expected = datasets::manifest(&column.dataset)?.expected_content();
                    lines.push(if unverified { format!("{from}, NOT {expected}") } else { from });
                    Settled { digest: Some(digest), unverified, ..full(None) }
                }
                Content::Unusable(problem) => {
                    lines.push(format!("{}: {problem}", column.label));
                    full(Some(problem))
                }
            }])
        }
        (Status::InHubCache { .. }, _) => Ok(vec![full(None)]),
        (Status::Missing { .. }, _) if choices.assume_present => Ok(vec![full(None)]),
        (Status::Missing { next, .. }, sample) => {
            let missing = format!("{} is not on this machine; {}", column.dataset, remedy::advice(&next));
            let amount = column.amount("sample", choices.device);
            match (choices.profile, sample, amount) {
                (Profile::Quick, Some(sample), Some(amount)) => {
                    lines.push(format!(
                        "{}: not on this machine, so its embedded sample {sample} runs in a column of its own",
                        column.label
                    ));
                    Ok(vec![full(Some(missing)), settled(sample.clone(), sample, Some(amount), None, false)])
                }
                _ => {
                    lines.push(format!("{}: not on this machine, its cells stay empty", column.label));
                    Ok(vec![full(Some(missing))])
                }
            }
        }
    }
}

/// What was found under a data set's name.
enum Content {
    /// What was published.
    Official,
    /// What has this digest: other content is another run.
    Pinned { digest: String, unverified: bool },
    /// What no run is planned on, and why.
    Unusable(String),
}

fn content(column: &Column, choices: &Choices, data: &LoadOptions) -> Result<Content> {
    let (name, allowed) = (&column.dataset, choices.allow_unverified);
    let pinned = |(digest, unverified)| Content::Pinned { digest, unverified };
    let found = match datasets::manifest(name)?.names_content() {
        false => unpublished(name, allowed, data).map(|found| found.map_or(Content::Official, pinned)),
        true => match (not_official(name, data)?, allowed) {
            (None, _) => Ok(Content::Official),
            (Some(problem), false) => Ok(Content::Unusable(problem)),
            (Some(_), true) => datasets::load(name, &LoadOptions { allow_unverified: true, ..data.clone() })
                .map(|data| pinned((data.digest, true))),
        },
    };
    use DataError::{Changed, Corrupt, Own, Read, Record};
    match found {
        // A data set that is damaged leaves its own cells empty, not the table.
        Err(error @ (Changed { .. } | Corrupt { .. } | Own { .. } | Read { .. } | Record { .. })) => {
            Ok(Content::Unusable(remedy::explain(&error)))
        }
        outcome => Ok(outcome?),
    }
}

/// What is wrong with the content of a data set that was found, of those with a published digest.
fn not_official(name: &str, data: &LoadOptions) -> Result<Option<String>> {
    let verification = datasets::verify(name, data)?;
    let wrong: Vec<&str> = verification.files.iter().filter(|f| !f.ok).map(|f| f.file.as_str()).collect();
    Ok((!wrong.is_empty()).then(|| {
        format!(
            "{name}: {} of {} files are not the official content, first {}; replace them, or pass --allow-unverified \
             to run them with every result marked",
            wrong.len(),
            verification.files.len(),
            wrong[0]
        )
    }))
}
