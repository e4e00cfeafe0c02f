//! An official archive, or official files one by one, over HTTP.

use std::path::Path;

use super::{
    Problem,
    download::{Body, Check, Goal, download},
    runtime,
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
    let client = reqwest::Client::builder().build().map_err(|error| Problem::request(&error))?;
    let name = url.rsplit('/').next().unwrap_or(url);
    runtime()?.block_on(async {
        let mut goal =
            Goal { name, size: None, max_bytes, check: digest.cloned().map_or(Check::Nothing, Check::Digest) };
        // The size tells a cut download from a whole one, before the first byte and across tries.
        goal.size = size(&client, url, options).await?;
        download(part, &goal, &options.hub, &options.progress, |from| open(&client, url, from)).await?;
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
                200 => Ok(response.headers().get("content-length").and_then(|size| size.to_str().ok()?.parse().ok())),
                // No HEAD here; the download will say what is wrong, if anything is.
                405 | 501 => Ok(None),
                status => Err(Problem::status(status, url)),
            }
        };
        match super::download::wait(options.hub.silence, request).await.and_then(|outcome| outcome) {
            Err(problem) if problem.passing && tries < options.hub.retries => tries += 1,
            outcome => return outcome,
        }
    }
}

async fn open(client: &reqwest::Client, url: &str, from: u64) -> Result<(u64, HttpBody), Problem> {
    let mut request = client.get(url);
    if from > 0 {
        request = request.header("range", format!("bytes={from}-"));
    }
    let response = request.send().await.map_err(|error| Problem::request(&error))?;
    match response.status().as_u16() {
        200 => Ok((0, HttpBody(response))),
        206 if from > 0 => Ok((from, HttpBody(response))),
        status => Err(Problem::status(status, url)),
    }
}

/// A file as it arrives.
struct HttpBody(reqwest::Response);

impl Body for HttpBody {
    async fn next(&mut self) -> Result<Option<Vec<u8>>, Problem> {
        let piece = self.0.chunk().await.map_err(|error| Problem::request(&error))?;
        Ok(piece.map(|bytes| bytes.to_vec()))
    }
}
