//! Downloads against answers made by hand, and the hub's cache against a server on this machine.

use super::download::{Check, Goal, download};
use super::http::{Answer, Piece, Pieces};
use super::{Reach, fetch_archive, hub_shards};
use crate::error::Problem;
use crate::manifest::HubSource;
use crate::manifest::digest::Digest;
use crate::options::{HubOptions, LoadOptions, Stop};
use crate::testing::options_in;
use crate::testing::server::{Fault, Server};
use std::cell::RefCell;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// A body of these pieces; who keeps the sender keeps it from ending.
fn body(pieces: Vec<Piece>) -> (SyncSender<Piece>, Pieces) {
    let (sender, body) = sync_channel(pieces.len());
    pieces.into_iter().for_each(|piece| sender.send(piece).unwrap());
    (sender, body)
}

fn bytes(from: u64, content: &[u8]) -> Answer {
    Answer::Bytes { from, total: None, pieces: body(vec![Ok(Some(content.to_vec())), Ok(None)]).1 }
}

/// `content`, and then the connection breaks.
fn cut(from: u64, content: &[u8]) -> Answer {
    let broken = Err(Problem::passing("the connection broke", "try again"));
    Answer::Bytes { from, total: None, pieces: body(vec![Ok(Some(content.to_vec())), broken]).1 }
}

/// A download of `abcdef` to a file that holds `part`, if there is one.
struct Case {
    folder: tempfile::TempDir,
    part: PathBuf,
    size: Option<u64>,
    options: LoadOptions,
}

const WHOLE: &[u8] = b"abcdef";

impl Case {
    fn new(part: Option<&[u8]>, size: Option<u64>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("part");
        part.into_iter().for_each(|part| fs::write(&path, part).unwrap());
        Self { options: options_in(folder.path()), part: path, folder, size }
    }

    fn retries(mut self, retries: usize) -> Self {
        self.options.hub.retries = retries;
        self
    }

    /// How it ends, and what was asked for. `answer` gets the byte asked for and the number of the request.
    fn run(&self, answer: impl Fn(u64, usize) -> Answer) -> (Result<String, Problem>, Vec<u64>) {
        let check = Check::Digest(Digest::sha256(WHOLE));
        let (goal, asked) = (Goal { name: "it", size: self.size, max_bytes: 100, check }, RefCell::new(Vec::new()));
        let open = |from| {
            let number = asked.borrow().len();
            assert!(number < 20, "it asks for ever: {asked:?}");
            asked.borrow_mut().push(from);
            let (sender, answered) = sync_channel(1);
            sender.send(Ok(answer(from, number))).unwrap();
            answered
        };
        let outcome = download(&self.part, &goal, &self.options, open);
        (outcome, asked.into_inner())
    }

    /// It comes to the whole file by these requests.
    fn works(&self, requests: &[u64], answer: impl Fn(u64, usize) -> Answer) {
        let (outcome, asked) = self.run(answer);
        assert_eq!((outcome, &asked[..]), (Ok(Digest::sha256(WHOLE).hex), requests));
        assert_eq!(fs::read(&self.part).unwrap(), WHOLE);
    }

    fn fails(&self, requests: &[u64], word: &str, answer: impl Fn(u64, usize) -> Answer) {
        let (outcome, asked) = self.run(answer);
        let problem = outcome.unwrap_err();
        assert!(problem.text.contains(word), "no `{word}` in {problem:?}");
        assert_eq!(asked, requests);
    }
}

#[test]
fn only_what_is_new_counts_as_going_on() {
    let same_start = |_, _| cut(0, b"abc");
    Case::new(None, Some(6)).retries(2).fails(&[0, 3, 3], "the connection broke", same_start);
    Case::new(Some(b"abcd"), Some(6)).retries(1).fails(&[4, 3], "the connection broke", same_start);
    // One byte at a time is slow, but goes on.
    let next_byte = |from: u64, _| cut(from, &WHOLE[from as usize..][..1]);
    Case::new(None, Some(6)).retries(1).works(&[0, 1, 2, 3, 4, 5], next_byte);
}

#[test]
fn a_part_that_goes_to_the_end_is_compared_and_one_that_goes_beyond_is_dropped() {
    let server = |from: u64, _| match from {
        0 => bytes(0, WHOLE),
        from if from < 6 => bytes(from, &WHOLE[from as usize..]),
        _ => Answer::Ended { total: Some(6) },
    };
    Case::new(Some(WHOLE), None).works(&[6], server);
    Case::new(Some(b"uvwxyz"), None).works(&[6, 0], server);
    Case::new(Some(b"of another file"), None).works(&[15, 0], server);
    let says_nothing = |from: u64, _| if from == 0 { bytes(0, WHOLE) } else { Answer::Ended { total: None } };
    Case::new(Some(WHOLE), None).works(&[6, 0], says_nothing);
    // A server that has no more where it broke off has another file than it began with.
    let confused = |from: u64, _| if from == 0 { cut(0, b"abc") } else { Answer::Ended { total: None } };
    Case::new(None, Some(6)).retries(1).fails(&[0, 3, 0, 3], "another content than announced", confused);
}

#[test]
fn wrong_content_is_fetched_anew_once_and_not_again() {
    let wrong = |from: u64, _| if from == 0 { cut(0, b"xyz") } else { bytes(from, b"def") };
    Case::new(None, Some(6)).retries(1).fails(&[0, 3, 0, 3], "another content than announced", wrong);
    Case::new(Some(b"x"), Some(6))
        .fails(&[1, 0], "another content than announced", |from, _| bytes(from, &b"uvwxyz"[from as usize..]));
    Case::new(None, Some(6)).fails(&[0], "another content than announced", |_, _| bytes(0, b"uvwxyz"));
}

#[test]
fn what_announces_more_than_it_may_have_is_refused_before_its_first_byte() {
    Case::new(None, Some(101)).fails(&[], "it has 101 bytes, more than the 100 it may have", |_, _| bytes(0, b"a"));
    let announced = Case::new(None, None);
    announced.fails(&[0], "it has 101 bytes, more than the 100 it may have", |_, _| Answer::Bytes {
        from: 0,
        total: Some(101),
        pieces: body(vec![Ok(Some(vec![0; 101])), Ok(None)]).1,
    });
    assert!(!announced.part.exists());

    let (server, folder) = (Server::start(), tempfile::tempdir().unwrap());
    server.file("large.zip", vec![0; 1001]);
    let url = format!("{}/large.zip", server.address);
    let fetched = fetch_archive(&url, &folder.path().join("part"), 1000, None, &options_in(folder.path()));
    assert!(fetched.unwrap_err().text.contains("1001 bytes, more than the 1000"));
    assert_eq!(server.log(), ["HEAD /large.zip"]);
}

#[test]
fn who_stops_keeps_what_was_downloaded() {
    let mut case = Case::new(None, Some(6));
    let (stopped, began) = (Arc::new(AtomicBool::new(false)), Instant::now());
    let asked = Arc::clone(&stopped);
    case.options.stop = Stop::new(move || asked.load(Ordering::Relaxed));
    case.options.hub.silence = Duration::from_secs(60);
    let senders = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        let download = scope.spawn(|| {
            case.run(|from, _| {
                let (sender, pieces) = body(vec![Ok(Some(b"abc".to_vec()))]);
                senders.lock().unwrap().push(sender);
                Answer::Bytes { from, total: None, pieces }
            })
        });
        while fs::metadata(&case.part).map_or(0, |part| part.len()) < 3 {
            assert!(began.elapsed().as_secs() < 30, "nothing comes");
            std::thread::sleep(Duration::from_millis(5));
        }
        stopped.store(true, Ordering::Relaxed);
        assert_eq!(download.join().unwrap(), (Err(Problem::stopped()), vec![0]));
    });
    assert!(began.elapsed().as_secs() < 30, "it waited for the server");
    stopped.store(false, Ordering::Relaxed);
    case.works(&[3], |from, _| bytes(from, &WHOLE[3..]));

    // Nor is a file read to its end for its digest.
    let check = Check::Digest(Digest::sha256(WHOLE));
    assert!(check.name(&case.part, &case.options.stop).unwrap().is_some());
    assert!(check.name(&case.part, &Stop::new(|| true)).is_err());
    assert!(case.folder.path().is_dir());
}

#[test]
fn an_archive_whose_part_is_whole_needs_no_byte_more() {
    let (server, folder) = (Server::start(), tempfile::tempdir().unwrap());
    server.file("a.zip", WHOLE.to_vec());
    let (url, part) = (format!("{}/a.zip", server.address), folder.path().join("part"));
    for (start, requests) in [(&b"abc"[..], &["bytes=3-"][..]), (b"abcdef", &[]), (b"longer than it is", &[""])] {
        fs::write(&part, start).unwrap();
        let before = server.log().len();
        fetch_archive(&url, &part, 100, Some(&Digest::sha256(WHOLE)), &options_in(folder.path())).unwrap();
        let asked = server.log()[before + 1..].join("|");
        let expected: Vec<String> =
            requests.iter().map(|range| format!("GET /a.zip {range}").trim().to_owned()).collect();
        assert_eq!(asked, expected.join("|"));
        assert_eq!(fs::read(&part).unwrap(), WHOLE);
    }
    // A server that says no sizes: what is beyond the end shows in its answer alone.
    server.fault("a.zip", Fault::NoHead);
    for (start, requests) in [(WHOLE, 1), (b"longer than it is", 2)] {
        fs::write(&part, start).unwrap();
        let before = server.log().len();
        fetch_archive(&url, &part, 100, None, &options_in(folder.path())).unwrap();
        assert_eq!(server.log().len() - before, 1 + requests, "{:?}", server.log());
        assert_eq!(fs::read(&part).unwrap(), WHOLE);
    }
}

/// Two shards on a hub.
struct Shards {
    server: Server,
    folder: tempfile::TempDir,
}

const NAMES: [&str; 2] = ["plain/train-0.parquet", "plain/test-0.parquet"];

impl Shards {
    fn start() -> Self {
        let shards = Self { server: Server::start(), folder: tempfile::tempdir().unwrap() };
        for name in NAMES {
            shards.server.hub_file(&format!("owner/small/{name}"), Self::content(name));
        }
        shards
    }

    fn content(name: &str) -> Vec<u8> {
        name.bytes().cycle().take(1000).collect()
    }

    fn cache(&self) -> PathBuf {
        self.folder.path().join("hub/datasets--owner--small")
    }

    fn options(&self) -> LoadOptions {
        let options = options_in(self.folder.path());
        let hub = HubOptions { endpoint: Some(self.server.address.clone()), ..options.hub.clone() };
        LoadOptions { online: true, hub, ..options }
    }

    fn fetch(&self, options: &LoadOptions) -> Result<Vec<PathBuf>, Problem> {
        let source = HubSource {
            repo: "owner/small".to_owned(),
            revision: "main".to_owned(),
            gated: false,
            train: "plain/train-*.parquet".to_owned(),
            test: "plain/test-*.parquet".to_owned(),
            image: String::new(),
            label: String::new(),
            coarse_label: None,
        };
        hub_shards(&source, Reach::Network, options).map(|shards| [shards.train, shards.test].concat())
    }

    /// Fetches what the hub has, by `downloads` downloads.
    fn works(&self, downloads: usize) -> Vec<PathBuf> {
        let count = || self.server.log().iter().filter(|line| line.starts_with("GET /hub/")).count();
        let before = count();
        let paths = self.fetch(&self.options()).unwrap();
        for (path, name) in paths.iter().zip(NAMES) {
            assert!(fs::read(path).unwrap() == Self::content(name), "{} is wrong", path.display());
        }
        assert_eq!(count() - before, downloads, "{:?}", self.server.log());
        paths
    }

    fn part(&self) -> PathBuf {
        let blobs = fs::read_dir(self.cache().join("blobs")).unwrap().map(|entry| entry.unwrap().path());
        blobs.into_iter().find(|path| path.extension().is_some_and(|end| end == "incomplete")).unwrap()
    }
}

#[test]
fn a_shard_that_went_bad_in_the_cache_is_brought_anew() {
    let shards = Shards::start();
    let paths = shards.works(2);
    shards.works(0);
    let mut damaged = Shards::content(NAMES[0]);
    damaged[500] ^= 1;
    fs::write(&paths[0], &damaged).unwrap();
    shards.works(1);
    shards.works(0);
    // While it cannot be had, the bad one is not taken.
    fs::write(&paths[1], &damaged).unwrap();
    shards.server.fault("test-0.parquet", Fault::Status(503));
    assert!(shards.fetch(&shards.options()).unwrap_err().text.contains("503"));
}

#[cfg(unix)]
#[test]
fn a_shard_that_another_commit_brought_is_linked() {
    let shards = Shards::start();
    let paths = shards.works(2);
    fs::remove_dir_all(shards.cache().join("snapshots")).unwrap();
    fs::remove_dir_all(shards.cache().join("refs")).unwrap();
    shards.works(0);
    assert!(paths[0].is_symlink() && shards.cache().join("refs/main").is_file());
    // Not one that is bad, though it has the right name.
    let blob = fs::canonicalize(&paths[0]).unwrap();
    fs::write(&blob, vec![7; 1000]).unwrap();
    fs::remove_dir_all(shards.cache().join("snapshots")).unwrap();
    shards.works(1);
    assert_eq!(fs::read_dir(shards.cache().join("blobs")).unwrap().count(), 2);
}

#[test]
fn a_mirror_that_sends_parts_with_the_length_of_the_whole_is_gone_on_with() {
    let shards = Shards::start();
    shards.server.fault("train-0.parquet", Fault::Cut { bytes: 300, times: 1 });
    assert!(shards.fetch(&shards.options()).unwrap_err().text.contains("the connection broke"));
    assert_eq!(fs::metadata(shards.part()).unwrap().len(), 300);
    shards.server.fault("train-0.parquet", Fault::Direct);
    shards.works(1);
    let log = shards.server.log();
    assert!(log.iter().any(|line| line.contains("train-0.parquet bytes=300-")), "{log:?}");
    assert_eq!(log.iter().filter(|line| line.contains("resolve") && line.contains("train-0")).count(), 2, "{log:?}");
}

#[test]
fn a_hub_without_ranges_that_cuts_is_given_up() {
    let shards = Shards::start();
    shards.server.fault("train-0.parquet", Fault::CutWhole { bytes: 300 });
    let mut options = shards.options();
    options.hub.retries = 2;
    assert!(shards.fetch(&options).unwrap_err().text.contains("the connection broke"));
    let asked = shards.server.log().iter().filter(|line| line.starts_with("GET /hub/")).count();
    assert_eq!(asked, 3, "{:?}", shards.server.log());
    shards.server.heal();
    shards.works(2);
}

#[test]
fn nothing_is_asked_for_after_a_stop() {
    let shards = Shards::start();
    let options = LoadOptions { stop: Stop::new(|| true), ..shards.options() };
    assert_eq!(shards.fetch(&options), Err(Problem::stopped()));
    let part = shards.folder.path().join("part");
    let url = format!("{}/hub/owner/small/{}", shards.server.address, NAMES[0]);
    assert_eq!(fetch_archive(&url, &part, 2000, None, &options), Err(Problem::stopped()));
    assert!(shards.server.log().is_empty() && !Path::new(&part).exists());
}

#[test]
fn a_server_that_trickles_is_given_up_and_what_came_is_kept() {
    let shards = Shards::start();
    let mut options = shards.options();
    options.hub.silence = Duration::from_millis(300);
    options.hub.retries = 1;
    let began = Instant::now();
    for (file, kept) in [("train-0.parquet", true), ("/plain", false)] {
        shards.server.fault(file, Fault::Trickle);
        let problem = shards.fetch(&options).unwrap_err();
        assert!(problem.text.contains("sends too slowly"), "{problem:?}");
        if kept {
            assert!(fs::metadata(shards.part()).unwrap().len() > 0);
        }
        shards.server.heal();
    }
    // The file would take 20 seconds, the list as long.
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    options.hub.silence = Duration::from_secs(20);
    shards.fetch(&options).unwrap();
}

#[test]
fn a_list_without_an_end_is_refused() {
    for (fault, words) in
        [(Fault::Endless, "continues after 1000 answers"), (Fault::Flood, "continues after 50000000 bytes")]
    {
        let shards = Shards::start();
        shards.server.fault("/plain", fault);
        let problem = shards.fetch(&shards.options()).unwrap_err();
        assert!(problem.text.contains(words), "{problem:?}");
    }
}

#[test]
fn the_hub_alone_gets_the_token() {
    let shards = Shards::start();
    let mut options = shards.options();
    options.hub.token = Some("hf_secret".to_owned());
    shards.server.fault("/plain", Fault::Endless);
    shards.fetch(&options).unwrap_err();
    shards.server.heal();
    shards.fetch(&options).unwrap();
    let tokens = shards.server.tokens();
    let hub = shards.server.address.trim_start_matches("http://");
    assert!(tokens.iter().all(|token| token.starts_with(hub) && !token.contains("/hub/")), "{tokens:?}");
    assert!(tokens.iter().any(|token| token.contains("resolve")), "{tokens:?}");
    assert!(shards.server.log().iter().any(|line| line.starts_with("GET /hub/")), "bytes come from elsewhere");
    // A list that goes on at another host.
    shards.server.fault("/plain", Fault::Endless);
    options.hub.endpoint = Some(shards.server.elsewhere());
    let before = shards.server.tokens().len();
    shards.fetch(&options).unwrap_err();
    assert_eq!(shards.server.tokens().len() - before, 2, "one for the commit and one for the list's first part");
}
