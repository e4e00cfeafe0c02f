//! One request for a file, from some byte on: what comes is told by the status and `Content-Range`. Lengths do not tell it, since mirrors state the whole
//! file's in answers that are a part of it.

use reqwest::{RequestBuilder, Response};

use super::{
    Problem,
    download::{Answer, Body},
};

/// The HTTP client.
pub(super) fn client() -> Result<reqwest::Client, Problem> {
    let agent = concat!("sll-datasets/", env!("CARGO_PKG_VERSION"));
    reqwest::Client::builder().user_agent(agent).build().map_err(|error| Problem::request(&error))
}

/// Sends `request`, for the bytes from `from` on. `refused` names an answer that is neither the file nor a part of it.
pub(super) async fn open(
    request: RequestBuilder,
    from: u64,
    refused: impl Fn(&Response) -> Problem,
) -> Result<Answer<HttpBody>, Problem> {
    let request = if from > 0 { request.header("range", format!("bytes={from}-")) } else { request };
    let response = request.send().await.map_err(|error| Problem::request(&error))?;
    let range = text(&response, "content-range").and_then(content_range);
    match response.status().as_u16() {
        // A server without ranges sends everything again.
        200 => Ok(Answer::Bytes { from: 0, total: length(&response), body: HttpBody(response) }),
        206 if from > 0 => {
            let (start, total) = range.unwrap_or((Some(from), None));
            match start.filter(|&start| start <= from) {
                Some(from) => Ok(Answer::Bytes { from, total, body: HttpBody(response) }),
                None => Err(Problem::new(
                    format!("the server sends another part of {} than was asked for", response.url()),
                    "use another source, or --data-dir",
                )),
            }
        }
        416 if from > 0 => Ok(Answer::Ended { total: range.and_then(|range| range.1) }),
        _ => Err(refused(&response)),
    }
}

/// The bytes that a response announces.
pub(super) fn length(response: &Response) -> Option<u64> {
    text(response, "content-length")?.parse().ok()
}

/// A header's value.
pub(super) fn text<'a>(response: &'a Response, header: &str) -> Option<&'a str> {
    response.headers().get(header)?.to_str().ok()
}

/// The first byte and the whole file's length in `bytes <first>-<last>/<length>`; either may be missing or `*`.
fn content_range(value: &str) -> Option<(Option<u64>, Option<u64>)> {
    let (part, total) = value.strip_prefix("bytes")?.trim().split_once('/')?;
    let first = part.split_once('-').and_then(|(first, _)| first.trim().parse().ok());
    Some((first, total.trim().parse().ok()))
}

/// A file as it arrives.
pub(super) struct HttpBody(Response);

impl Body for HttpBody {
    async fn next(&mut self) -> Result<Option<Vec<u8>>, Problem> {
        let piece = self.0.chunk().await.map_err(|error| Problem::request(&error))?;
        Ok(piece.map(|bytes| bytes.to_vec()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_ranges_are_read() {
        assert_eq!(content_range("bytes 200-999/1000"), Some((Some(200), Some(1000))));
        assert_eq!(content_range("bytes 200-999/*"), Some((Some(200), None)));
        assert_eq!(content_range("bytes */1000"), Some((None, Some(1000))));
        assert_eq!((content_range("200-999/1000"), content_range("bytes 5")), (None, None));
    }
}
