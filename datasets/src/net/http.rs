//! Requests by a blocking client, each in a thread of its own, so that who asked can stop waiting at any time; the
//! thread ends when its server has been silent for too long.
//!
//! What a server has from some byte on is told by the status and `Content-Range`. Lengths do not tell it, since mirrors
//! state the whole file's in answers that are a part of it.

use super::pace::{Pace, wait};
use crate::error::{Next, Problem};
use crate::options::LoadOptions;
use std::io::{self, Read};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;
use std::time::Duration;
use ureq::config::AutoHeaderValue;
use ureq::http::{HeaderMap, Method, Request, Response};
use ureq::tls::{RootCerts, TlsConfig};
use ureq::{Agent, Body};

/// Pieces of a body that wait for who asked, and the bytes of one.
const AHEAD: usize = 4;
const PIECE_BYTES: usize = 1 << 16;

/// Some bytes of a response; none at its end.
pub(super) type Piece = Result<Option<Vec<u8>>, Problem>;

/// No server sends on more often.
const MAX_REDIRECTS: usize = 10;

/// The bytes of a response, piece by piece.
pub(super) type Pieces = Receiver<Piece>;

/// What comes of a request, once it comes.
pub(super) type Pending<T> = Receiver<Result<T, Problem>>;

/// A response whose body has not been read.
pub(super) struct Reply {
    /// Its status.
    pub(super) status: u16,
    /// Where it is from, after redirects.
    pub(super) url: String,
    headers: HeaderMap,
    /// Its body.
    pub(super) pieces: Pieces,
}

/// What a server has from some byte of a file on.
pub(super) enum Answer {
    /// The file from byte `from` on, which may be an earlier one, and the bytes of all of it as far as they are said.
    Bytes { from: u64, total: Option<u64>, pieces: Pieces },
    /// Nothing from there on, and the bytes of the whole file as far as they are said.
    Ended { total: Option<u64> },
}

impl Reply {
    /// A header's value.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The bytes that it announces.
    pub(super) fn length(&self) -> Option<u64> {
        self.header("content-length")?.parse().ok()
    }

    /// The file that was asked for from byte `from` on. `refused` names an answer that is neither the file nor a part
    /// of it.
    pub(super) fn file(self, from: u64, refused: impl Fn(&Self) -> Problem) -> Result<Answer, Problem> {
        let range = self.header("content-range").and_then(content_range);
        match self.status {
            // A server without ranges sends everything again.
            200 => Ok(Answer::Bytes { from: 0, total: self.length(), pieces: self.pieces }),
            206 if from > 0 => {
                let (start, total) = range.unwrap_or((Some(from), None));
                match start.filter(|&start| start <= from) {
                    Some(from) => Ok(Answer::Bytes { from, total, pieces: self.pieces }),
                    None => Err(Problem::new(
                        format!("the server sends another part of {} than was asked for", self.url),
                        [Next::OtherSource, Next::OwnFiles],
                    )),
                }
            }
            416 if from > 0 => Ok(Answer::Ended { total: range.and_then(|range| range.1) }),
            _ => Err(refused(&self)),
        }
    }
}

/// The first byte and the whole file's length in `bytes <first>-<last>/<length>`; either may be missing or `*`.
fn content_range(value: &str) -> Option<(Option<u64>, Option<u64>)> {
    let (part, total) = value.strip_prefix("bytes")?.trim().split_once('/')?;
    let first = part.split_once('-').and_then(|(first, _)| first.trim().parse().ok());
    Some((first, total.trim().parse().ok()))
}

/// A request without a body.
#[derive(Clone, Debug)]
pub(super) struct Ask<'a> {
    pub(super) method: Method,
    pub(super) url: &'a str,
    /// The account's token, if the server is to have it.
    pub(super) token: Option<&'a str>,
    /// The first byte wanted.
    pub(super) from: u64,
}

impl<'a> Ask<'a> {
    /// For all of `url`.
    pub(super) fn get(url: &'a str) -> Self {
        Self { method: Method::GET, url, token: None, from: 0 }
    }

    fn request(&self) -> Result<Request<()>, Problem> {
        let mut request = Request::builder().method(&self.method).uri(self.url);
        if let Some(token) = self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        if self.from > 0 {
            request = request.header("range", format!("bytes={}-", self.from));
        }
        request.body(()).map_err(|error| {
            let next = "check HF_ENDPOINT (https://..) and HF_TOKEN, or unset them";
            Problem::new(format!("{} cannot be asked for ({error})", self.url), next)
        })
    }
}

/// The HTTP client.
#[derive(Clone, Debug)]
pub(super) struct Client(Agent);

impl Client {
    /// A client that waits no longer than `silence` for an address, a connection, the head of an answer, or more of its
    /// body.
    pub(super) fn new(silence: Duration) -> Self {
        let limit = Some(silence);
        let config = Agent::config_builder()
            .user_agent(concat!("sll-datasets/", env!("CARGO_PKG_VERSION")))
            // The certificates that this machine trusts.
            .tls_config(TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build())
            .http_status_as_error(false)
            // Redirects are followed here: the library reads their bodies to the end, which need not come.
            .max_redirects(0)
            .max_redirects_will_error(false)
            // Bytes are counted, and asked for by number: as they are.
            .accept_encoding(AutoHeaderValue::None)
            .timeout_resolve(limit)
            .timeout_connect(limit)
            .timeout_recv_response(limit)
            .timeout_per_read(limit)
            .timeout_per_write(limit);
        Self(config.build().into())
    }

    /// Sends a request; `make` says what its answer is.
    pub(super) fn send<T: Send + 'static>(
        &self,
        ask: &Ask,
        make: impl FnOnce(Reply) -> Result<T, Problem> + Send + 'static,
    ) -> Pending<T> {
        let (to_caller, pending) = sync_channel(1);
        let (agent, method, from) = (self.0.clone(), ask.method.clone(), ask.from);
        let (asked, token) = (ask.url.to_owned(), ask.token.map(str::to_owned));
        let to_thread = to_caller.clone();
        // A caller that is gone wants no answer: what cannot be sent is dropped, and the thread ends.
        let work = move || {
            let (to_reader, pieces) = sync_channel(AHEAD);
            let response = followed(&agent, Ask { method, url: &asked, token: token.as_deref(), from });
            let mut body = None;
            let made = response.and_then(|(url, response)| {
                let (head, unread) = response.into_parts();
                body = Some(unread);
                make(Reply { status: head.status.as_u16(), url, headers: head.headers, pieces })
            });
            let wanted = made.is_ok();
            if to_thread.send(made).is_err() || !wanted {
                return;
            }
            let mut reader = body.expect("of a response").into_reader();
            let mut buffer = vec![0; PIECE_BYTES];
            loop {
                let piece = match reader.read(&mut buffer) {
                    Ok(0) => Ok(None),
                    Ok(read) => Ok(Some(buffer[..read].to_vec())),
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                    Err(error) => Err(Problem::request(&error.into(), &asked)),
                };
                let last = !matches!(piece, Ok(Some(_)));
                if to_reader.send(piece).is_err() || last {
                    return;
                }
            }
        };
        if let Err(error) = thread::Builder::new().name("download".to_owned()).spawn(work) {
            let text = format!("the network cannot be used ({error})");
            let _ = to_caller.send(Err(Problem::new(text, "check the limits of this process (`ulimit -a`)")));
        }
        pending
    }
}

/// The answer to `ask`, and where it is from in the end. The token goes along where a server sends on to itself, and
/// nowhere else.
fn followed(agent: &Agent, ask: Ask) -> Result<(String, Response<Body>), Problem> {
    let (mut url, mut token) = (ask.url.to_owned(), ask.token);
    for _ in 0..=MAX_REDIRECTS {
        let request = Ask { url: &url, token, ..ask.clone() }.request()?;
        let response = agent.run(request).map_err(|error| Problem::request(&error, &url))?;
        let location = response.headers().get("location").and_then(|location| location.to_str().ok());
        let (true, Some(location)) = (matches!(response.status().as_u16(), 301..=303 | 307 | 308), location) else {
            return Ok((url, response));
        };
        let next = joined(&url, location);
        token = token.filter(|_| origin(&next) == origin(&url));
        url = next;
    }
    Err(Problem::redirects(ask.url))
}

/// Scheme, host and port of an address.
fn origin(url: &str) -> &str {
    let host = url.find("://").map_or(0, |at| at + 3);
    &url[..url[host..].find(['/', '?', '#']).map_or(url.len(), |at| host + at)]
}

/// The address that `location` means in an answer from `url`.
fn joined(url: &str, location: &str) -> String {
    let origin = origin(url);
    if location.contains("://") {
        location.to_owned()
    } else if location.starts_with("//") {
        format!("{}:{location}", origin.split(':').next().unwrap_or_default())
    } else if location.starts_with('/') {
        format!("{origin}{location}")
    } else {
        let path = url[origin.len()..].split(['?', '#']).next().unwrap_or_default();
        format!("{origin}{}/{location}", path.rsplit_once('/').map_or("", |(folder, _)| folder))
    }
}

/// All of a body that has at most `max_bytes`. `name` is its name in messages.
pub(super) fn whole(pieces: &Pieces, name: &str, max_bytes: usize, options: &LoadOptions) -> Result<Vec<u8>, Problem> {
    let (mut all, mut pace) = (Vec::new(), Pace::new(options.hub.silence));
    while let Some(piece) = wait(options, pieces)? {
        all.extend(&piece);
        if all.len() > max_bytes {
            return Err(Problem::new(
                format!("{name} continues after {max_bytes} bytes"),
                "check HF_ENDPOINT, or use another source: no data set here has such a list",
            ));
        }
        pace.came(piece.len() as u64)?;
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirects_are_joined_to_where_they_are_from() {
        let from = "https://hub:8/a/b?q=/x";
        for (location, expected) in [
            ("http://other/c", "http://other/c"),
            ("//other/c", "https://other/c"),
            ("/c/d?e", "https://hub:8/c/d?e"),
            ("c", "https://hub:8/a/c"),
        ] {
            assert_eq!(joined(from, location), expected);
        }
        assert_eq!(joined("http://hub", "c"), "http://hub/c");
        assert_eq!((origin(from), origin("http://hub?x")), ("https://hub:8", "http://hub"));
    }

    #[test]
    fn content_ranges_are_read() {
        assert_eq!(content_range("bytes 200-999/1000"), Some((Some(200), Some(1000))));
        assert_eq!(content_range("bytes 200-999/*"), Some((Some(200), None)));
        assert_eq!(content_range("bytes */1000"), Some((None, Some(1000))));
        assert_eq!((content_range("200-999/1000"), content_range("bytes 5")), (None, None));
    }
}
