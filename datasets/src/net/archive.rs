//! An official archive, or official files one by one, over HTTP.

use std::path::Path;

use super::{
    Problem,
    download::{Check, Goal, download, wait},
    http, runtime,
};
use crate::{digest::Digest, options::LoadOptions};

/// Downloads `url` to `part`, going on where an earlier try stopped. At most `max_bytes`; checked against `digest` if there is one.
pub(crate) fn fetch_archive(
    url: &str,
    part: &Path,
    max_bytes: u64,
    digest: Option<&Digest>,
    options: &LoadOptions,
) -> Result<(), Problem> {
    let client = http::client()?;
    let name = url.rsplit('/').next().unwrap_or(url);
    runtime()?.block_on(async {
        let mut goal =
            Goal { name, size: None, max_bytes, check: digest.cloned().map_or(Check::Nothing, Check::Digest) };
        // The size tells a cut download from a whole one, before the first byte and across tries.
        goal.size = size(&client, url, options).await?;
        let refused = |response: &reqwest::Response| Problem::status(response.status().as_u16(), url);
        download(part, &goal, options, |from| http::open(client.get(url), from, refused)).await?;
        Ok(())
    })
}

/// The size that the server announces, if it does.
async fn size(client: &reqwest::Client, url: &str, options: &LoadOptions) -> Result<Option<u64>, Problem> {
    let mut tries = 0;
    loop {
        let request = async {
            let response = client.head(url).send().await.map_err(|error| Problem::request(&error))?;
            match response.status().as_u16() {
                200 => Ok(http::length(&response)),
                // No HEAD here; the download will say what is wrong, if anything is.
                405 | 501 => Ok(None),
                status => Err(Problem::status(status, url)),
            }
        };
        match wait(options, request).await.and_then(|outcome| outcome) {
            Err(problem) if problem.passing && tries < options.hub.retries => tries += 1,
            outcome => return outcome,
        }
    }
}
