//! An official archive, or official files one by one, over HTTP.

use super::download::{Check, Goal, download};
use super::http::{Ask, Client};
use super::pace::{going, retried, wait};
use crate::error::Problem;
use crate::manifest::digest::Digest;
use crate::options::LoadOptions;
use std::path::Path;
use ureq::http::Method;

/// Downloads `url` to `part`, resuming where an earlier try stopped. At most `max_bytes`; checked against `digest` if
/// there is one.
pub(crate) fn fetch_archive(
    url: &str,
    part: &Path,
    max_bytes: u64,
    digest: Option<&Digest>,
    options: &LoadOptions,
) -> Result<(), Problem> {
    let client = Client::new(options.hub.silence);
    let name = url.rsplit('/').next().unwrap_or(url);
    let check = digest.cloned().map_or(Check::Nothing, Check::Digest);
    // The size tells a cut download from a whole one, before the first byte and across tries.
    let size = retried(options, || size(&client, url, options))?;
    let goal = Goal { name, size, max_bytes, check };
    let open = |from| {
        let asked = url.to_owned();
        client.send(&Ask { from, ..Ask::get(url) }, move |reply| {
            reply.file(from, |reply| Problem::status(reply.status, &asked))
        })
    };
    download(part, &goal, options, open).map(drop)
}

/// The size that the server announces, if it does.
fn size(client: &Client, url: &str, options: &LoadOptions) -> Result<Option<u64>, Problem> {
    going(&options.stop)?;
    let asked = url.to_owned();
    let size = client.send(&Ask { method: Method::HEAD, ..Ask::get(url) }, move |reply| match reply.status {
        200 => Ok(reply.length()),
        // No HEAD here; the download will say what is wrong, if anything is.
        405 | 501 => Ok(None),
        status => Err(Problem::status(status, &asked)),
    });
    wait(options, &size)
}
