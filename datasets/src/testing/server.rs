//! A server on 127.0.0.1 that behaves like the hub, and like a plain file server, with faults on request.

use sha1::Digest;
use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// The commit that a data set is at unless a test says otherwise.
pub const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
/// The token of an account that may have gated data.
pub const TOKEN: &str = "hf_may_have_it";

/// What goes wrong with one file.
#[derive(Clone, Debug)]
pub enum Fault {
    /// This status in place of the file.
    Status(u16),
    /// The connection breaks after so many bytes, so many times.
    Cut { bytes: usize, times: usize },
    /// The server falls silent after the headers and so many bytes.
    Silent { bytes: usize },
    /// A redirect to itself, with a body that does not come.
    Loop,
    /// Other bytes of the same length.
    Other,
    /// More bytes than announced by the list.
    Longer,
    /// Ranges are ignored.
    NoRanges,
    /// Ranges are ignored, and the connection breaks after so many bytes, every time.
    CutWhole { bytes: usize },
    /// The hub sends the bytes itself, with the whole file's length in a header of its own beside a part of it, as
    /// mirrors do.
    Direct,
    /// Only the file itself can be asked for.
    NoHead,
    /// A byte of the body every fiftieth of a second.
    Trickle,
    /// The list of files goes on at itself, answer after answer.
    Endless,
    /// The list of files is one answer without an end.
    Flood,
}

#[derive(Default)]
struct State {
    files: HashMap<String, Vec<u8>>,
    commits: HashMap<String, String>,
    faults: HashMap<String, Fault>,
    gated: bool,
    log: Vec<String>,
    /// Where a token was sent: host and path.
    tokens: Vec<String>,
}

/// A running server; it ends with the test's process.
#[derive(Clone)]
pub struct Server {
    state: Arc<Mutex<State>>,
    /// `http://127.0.0.1:<port>`
    pub address: String,
}

impl Server {
    /// Starts one.
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let server = Self { state: Arc::default(), address };
        let serving = server.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let server = serving.clone();
                thread::spawn(move || drop(server.serve(stream)));
            }
        });
        server
    }

    /// Serves a file of a data set on the hub: `owner/name/path`.
    pub fn hub_file(&self, path: &str, content: Vec<u8>) {
        self.state.lock().unwrap().files.insert(format!("hub/{path}"), content);
    }

    /// Says at which commit the data set `owner/name` is: every branch leads there, and no other commit is known.
    pub fn hub_at(&self, repo: &str, commit: &str) {
        self.state.lock().unwrap().commits.insert(repo.to_owned(), commit.to_owned());
    }

    /// Serves a plain file.
    pub fn file(&self, path: &str, content: Vec<u8>) {
        self.state.lock().unwrap().files.insert(path.to_owned(), content);
    }

    /// Makes a file go wrong, by the end of its path.
    pub fn fault(&self, path: &str, fault: Fault) {
        self.state.lock().unwrap().faults.insert(path.to_owned(), fault);
    }

    /// Heals all.
    pub fn heal(&self) {
        self.state.lock().unwrap().faults.clear();
    }

    /// Wants a token for every file of the hub.
    pub fn gate(&self) {
        self.state.lock().unwrap().gated = true;
    }

    /// The requests so far: method, path, range.
    pub fn log(&self) -> Vec<String> {
        self.state.lock().unwrap().log.clone()
    }

    /// Where a token was sent so far: host and path.
    pub fn tokens(&self) -> Vec<String> {
        self.state.lock().unwrap().tokens.clone()
    }

    fn serve(&self, mut stream: TcpStream) -> std::io::Result<()> {
        let mut reader = BufReader::new(stream.try_clone()?);
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let mut words = line.split_whitespace();
        let (method, path) = (words.next().unwrap_or("").to_owned(), words.next().unwrap_or("").to_owned());
        let mut headers = HashMap::new();
        loop {
            let mut line = String::new();
            reader.read_line(&mut line)?;
            match line.trim().split_once(": ") {
                Some((name, value)) => drop(headers.insert(name.to_lowercase(), value.to_owned())),
                None => break,
            }
        }
        let range = headers.get("range").cloned().unwrap_or_default();
        let path = path.split('?').next().unwrap_or("").replace("%2F", "/");
        if headers.contains_key("authorization") {
            self.state.lock().unwrap().tokens.push(format!("{}{path}", headers["host"]));
        }
        self.state.lock().unwrap().log.push(format!("{method} {path} {range}").trim().to_owned());
        self.answer(&mut stream, &method, path.trim_start_matches('/'), &headers)
    }

    fn answer(
        &self,
        stream: &mut TcpStream,
        method: &str,
        path: &str,
        headers: &HashMap<String, String>,
    ) -> std::io::Result<()> {
        let gated = self.state.lock().unwrap().gated;
        let parts: Vec<&str> = path.split('/').collect();
        if gated && parts.contains(&"resolve") {
            match headers.get("authorization").map(String::as_str) {
                Some(token) if token == format!("Bearer {TOKEN}") => {}
                Some(_) => return head(stream, "403 Forbidden", &["X-Error-Code: GatedRepo"], 0),
                None => return head(stream, "401 Unauthorized", &["X-Error-Code: GatedRepo"], 0),
            }
        }
        let commit = match parts[..] {
            ["api", "datasets", owner, name, ..] | ["datasets", owner, name, ..] => self.commit(owner, name),
            _ => String::new(),
        };
        match parts[..] {
            ["api", "datasets", owner, name, "revision", ref revision @ ..] => {
                let known = self.names(&format!("hub/{owner}/{name}/"));
                match (known.is_empty(), revision) {
                    (true, _) => head(stream, "404 Not Found", &["X-Error-Code: RepoNotFound"], 0),
                    (_, [other]) if other.len() == 40 && *other != commit => no_revision(stream),
                    _ => json(stream, &format!("{{\"id\":\"{owner}/{name}\",\"sha\":\"{commit}\",\"siblings\":[]}}")),
                }
            }
            ["api", "datasets", _, _, "tree", other, ..] | ["datasets", _, _, "resolve", other, ..]
                if other != commit =>
            {
                no_revision(stream)
            }
            ["api", "datasets", owner, name, "tree", _, ref dir @ ..] => {
                let root = format!("hub/{owner}/{name}/");
                let dir = dir.join("/");
                let entries = self.names(&root).into_iter().filter_map(|name| {
                    let path = name.strip_prefix(&root)?;
                    let inside = path.rsplit_once('/').map_or("", |(dir, _)| dir) == dir;
                    inside.then(|| self.entry(&name, path))
                });
                let entries = format!("[{}]", entries.collect::<Vec<_>>().join(","));
                match self.fault_of(path, method) {
                    Some(Fault::Endless) => {
                        let next = format!("Link: <{}/{path}?cursor=next>; rel=\"next\"", self.address);
                        head(stream, "200 OK", &[&next], entries.len())?;
                        stream.write_all(entries.as_bytes())
                    }
                    Some(Fault::Flood) => {
                        head(stream, "200 OK", &[], usize::MAX / 2)?;
                        loop {
                            stream.write_all(&[b' '; 1 << 16])?;
                        }
                    }
                    Some(Fault::Trickle) => {
                        head(stream, "200 OK", &[], entries.len())?;
                        trickle(stream, entries.as_bytes())
                    }
                    _ => json(stream, &entries),
                }
            }
            ["datasets", owner, name, "resolve", _, ref rest @ ..] => {
                let key = format!("hub/{owner}/{name}/{}", rest.join("/"));
                let Some(content) = self.content(&key) else {
                    return head(stream, "404 Not Found", &["X-Error-Code: EntryNotFound"], 0);
                };
                if self.is_direct(path) {
                    return self.bytes(stream, method, &key, headers.get("range"));
                }
                // As on the hub, the bytes are elsewhere, and only this answer says what they are.
                let linked = [
                    format!("Location: {}/{key}", self.elsewhere()),
                    format!("X-Repo-Commit: {commit}"),
                    format!("X-Linked-Etag: \"{}\"", hex(&sha2::Sha256::digest(&content))),
                    format!("X-Linked-Size: {}", content.len()),
                ];
                head(stream, "302 Found", &linked.iter().map(String::as_str).collect::<Vec<_>>(), 0)
            }
            _ => self.bytes(stream, method, path, headers.get("range")),
        }
    }

    fn commit(&self, owner: &str, name: &str) -> String {
        let known = self.state.lock().unwrap().commits.get(&format!("{owner}/{name}")).cloned();
        known.unwrap_or_else(|| COMMIT.to_owned())
    }

    /// This server by another name: another host to a client.
    pub fn elsewhere(&self) -> String {
        self.address.replace("127.0.0.1", "localhost")
    }

    fn names(&self, root: &str) -> Vec<String> {
        let mut names: Vec<String> =
            self.state.lock().unwrap().files.keys().filter(|name| name.starts_with(root)).cloned().collect();
        names.sort_unstable();
        names
    }

    fn content(&self, key: &str) -> Option<Vec<u8>> {
        self.state.lock().unwrap().files.get(key).cloned()
    }

    /// An entry of the hub's list of files: large files by their pointer's object name.
    fn entry(&self, key: &str, path: &str) -> String {
        let content = self.content(key).unwrap();
        let sha256 = hex(&sha2::Sha256::digest(&content));
        let pointer =
            format!("version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {}\n", content.len());
        let oid = hex(&sha1::Sha1::digest(format!("blob {}\0{pointer}", pointer.len())));
        let size = content.len();
        format!(
            "{{\"type\":\"file\",\"oid\":\"{oid}\",\"size\":{size},\"path\":\"{path}\",\
             \"lfs\":{{\"oid\":\"{sha256}\",\"size\":{size},\"pointerSize\":{}}}}}",
            pointer.len()
        )
    }

    fn is_direct(&self, path: &str) -> bool {
        let state = self.state.lock().unwrap();
        state.faults.iter().any(|(end, fault)| path.ends_with(end) && matches!(fault, Fault::Direct))
    }

    /// The fault of `path`, which it uses up.
    fn fault_of(&self, path: &str, method: &str) -> Option<Fault> {
        let mut state = self.state.lock().unwrap();
        let key = state.faults.keys().find(|end| path.ends_with(*end))?.clone();
        let fault = state.faults[&key].clone();
        if let Fault::Cut { bytes, times } = fault {
            if method == "HEAD" {
                return None;
            }
            match times {
                0 => return None,
                _ => drop(state.faults.insert(key, Fault::Cut { bytes, times: times - 1 })),
            }
        }
        Some(fault)
    }

    fn bytes(&self, stream: &mut TcpStream, method: &str, path: &str, range: Option<&String>) -> std::io::Result<()> {
        let Some(mut content) = self.content(path) else { return head(stream, "404 Not Found", &[], 0) };
        let mut range = range.and_then(|range| {
            let (from, to) = range.strip_prefix("bytes=")?.split_once('-')?;
            let to = to.parse().map_or(content.len(), |to: usize| (to + 1).min(content.len()));
            Some((from.parse::<usize>().ok()?.min(to), to))
        });
        let fault = self.fault_of(path, method);
        match &fault {
            Some(Fault::Status(status)) => {
                let after = if *status == 429 { "Retry-After: 7" } else { "X-Nothing: 0" };
                return head(stream, &format!("{status} Fault"), &[after], 0);
            }
            Some(Fault::NoHead) if method == "HEAD" => return head(stream, "405 Method Not Allowed", &[], 0),
            Some(Fault::Loop) => {
                return head(stream, "302 Found", &[&format!("Location: {}/{path}", self.address)], 1000);
            }
            Some(Fault::Other) => content.iter_mut().for_each(|byte| *byte ^= 0x5a),
            Some(Fault::Longer) => content.extend_from_slice(&[0; 1000]),
            Some(Fault::NoRanges | Fault::CutWhole { .. }) => range = None,
            _ => {}
        }
        let total = content.len();
        let linked =
            if matches!(fault, Some(Fault::Direct)) { format!("X-Linked-Size: {total}") } else { String::new() };
        let headers = |range: String| [format!("Content-Range: {range}"), linked.clone()];
        let (status, headers, part) = match range {
            Some((from, _)) if from == total => {
                let [range, _] = headers(format!("bytes */{total}"));
                return head(stream, "416 Range Not Satisfiable", &[&range], 0);
            }
            Some((from, to)) => (
                "206 Partial Content",
                headers(format!("bytes {from}-{}/{total}", to - 1)).to_vec(),
                &content[from..to],
            ),
            None => ("200 OK", vec![linked], &content[..]),
        };
        let headers = headers.iter().map(String::as_str).filter(|header| !header.is_empty());
        head(stream, status, &["Accept-Ranges: bytes"].into_iter().chain(headers).collect::<Vec<_>>(), part.len())?;
        if method == "HEAD" {
            return Ok(());
        }
        match fault {
            Some(Fault::Silent { bytes }) => {
                stream.write_all(&part[..bytes.min(part.len())])?;
                stream.flush()?;
                thread::sleep(Duration::from_secs(60));
            }
            Some(Fault::Trickle) => trickle(stream, part)?,
            Some(Fault::Cut { bytes, .. } | Fault::CutWhole { bytes }) => {
                stream.write_all(&part[..bytes.min(part.len())])?;
            }
            _ => stream.write_all(part)?,
        }
        stream.flush()
    }
}

fn head(stream: &mut TcpStream, status: &str, headers: &[&str], length: usize) -> std::io::Result<()> {
    let lines: String = headers.iter().map(|line| format!("{line}\r\n")).collect();
    write!(stream, "HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {length}\r\n{lines}\r\n")
}

fn trickle(stream: &mut TcpStream, bytes: &[u8]) -> std::io::Result<()> {
    bytes.iter().try_for_each(|byte| {
        thread::sleep(Duration::from_millis(20));
        stream.write_all(&[*byte])
    })
}

fn no_revision(stream: &mut TcpStream) -> std::io::Result<()> {
    head(stream, "404 Not Found", &["X-Error-Code: RevisionNotFound"], 0)
}

fn json(stream: &mut TcpStream, body: &str) -> std::io::Result<()> {
    head(stream, "200 OK", &["Content-Type: application/json"], body.len())?;
    stream.write_all(body.as_bytes())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
