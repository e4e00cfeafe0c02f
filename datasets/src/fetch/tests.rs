//! The real client against a real server on this machine: every source, every container, and what goes wrong.

use super::*;
use crate::Dataset;
use crate::fetch::verify::verify_manifest;
use crate::load::load_manifest;
use crate::manifest::digest::Digest;
use crate::manifest::{HubSource, Split};
use crate::options::HubOptions;
use crate::testing::server::{COMMIT, Fault, Server, TOKEN};
use crate::testing::{
    Small, encoded_files, encoded_images, gzip, options_in, shard_of, small_cifar, small_encoded, small_idx, tar_of,
    zip_of,
};
use std::fs;
use std::path::Path;
use std::time::Duration;

/// The hub's entry of a small data set.
fn hub(revision: &str, coarse: bool) -> HubSource {
    HubSource {
        repo: "owner/small".to_owned(),
        revision: revision.to_owned(),
        gated: false,
        train: "plain/train-*.parquet".to_owned(),
        test: "plain/test-*.parquet".to_owned(),
        image: "img".to_owned(),
        label: "label".to_owned(),
        coarse_label: coarse.then(|| "coarse".to_owned()),
    }
}

fn archive(server: &Server, path: &str, format: ArchiveFormat) -> ArchiveSource {
    let (url, root) = (format!("{}/{path}", server.address), if format == ArchiveFormat::Files { "" } else { "small" });
    ArchiveSource { url, format, root: root.to_owned(), digest: None, max_bytes: 100_000 }
}

/// Serves shards of `images`: the training images in two, the test images in one.
fn serve(server: &Server, train: &[(Vec<u8>, u8)], test: &[(Vec<u8>, u8)], coarse: bool) {
    let shard = |rows: &[(Vec<u8>, u8)]| shard_of("img", "label", coarse.then_some("coarse"), rows, 2);
    let (first, second) = train.split_at(train.len() / 2);
    server.hub_file("owner/small/plain/train-00000-of-00002.parquet", shard(first));
    server.hub_file("owner/small/plain/train-00001-of-00002.parquet", shard(second));
    server.hub_file("owner/small/plain/test-00000-of-00001.parquet", shard(test));
    server.hub_file("owner/small/README.md", b"not asked for".to_vec());
}

fn on_hub(mut small: Small, server: &Server) -> Small {
    let coarse = small.manifest.layout.label_bytes() == 2;
    small.manifest.hub = vec![hub("main", coarse)];
    serve(server, &small.pngs(Split::Train), &small.pngs(Split::Test), coarse);
    small
}

fn online(folder: &Path, server: &Server) -> LoadOptions {
    let options = options_in(folder);
    LoadOptions {
        online: true,
        hub: HubOptions { endpoint: Some(server.address.clone()), ..options.hub.clone() },
        ..options
    }
}

/// The data set loaded from its official files, the reference for every other container.
fn from_files(small: &Small) -> Dataset {
    let data = tempfile::tempdir().unwrap();
    small.write(&data.path().join("small"));
    load_manifest(&small.manifest, &LoadOptions { data_dir: Some(data.path().to_owned()), ..options_in(data.path()) })
        .unwrap()
}

fn same(found: &Dataset, expected: &Dataset) {
    assert_eq!(
        (&found.digest, &found.in_memory().unwrap().train, &found.in_memory().unwrap().test),
        (&expected.digest, &expected.in_memory().unwrap().train, &expected.in_memory().unwrap().test)
    );
    assert_eq!(found.verified, expected.verified);
}

#[test]
fn shards_of_the_hub_give_the_official_content() {
    for small in [small_idx(), small_cifar(1), small_cifar(2)] {
        let (server, folder) = (Server::start(), tempfile::tempdir().unwrap());
        let small = on_hub(small, &server);
        let options = online(folder.path(), &server);
        let data = load_manifest(&small.manifest, &options).unwrap();
        same(&data, &from_files(&small));
        assert!(data.source.ends_with(&format!("cache/small, from hub owner/small at {COMMIT}")), "{}", data.source);

        // In the hub's own layout: a blob by its SHA-256, a link by its name, the branch's commit.
        let cache = folder.path().join("hub/datasets--owner--small");
        let link = cache.join("snapshots").join(COMMIT).join("plain/test-00000-of-00001.parquet");
        let digest = Digest::sha256(&fs::read(&link).unwrap()).hex;
        assert_eq!(fs::canonicalize(&link).unwrap(), fs::canonicalize(cache.join("blobs").join(digest)).unwrap());
        assert_eq!(fs::read_to_string(cache.join("refs/main")).unwrap(), COMMIT);

        // Neither a second load nor one without a network asks again.
        let requests = server.log().len();
        let offline = LoadOptions { online: false, ..options.clone() };
        same(&load_manifest(&small.manifest, &offline).unwrap(), &from_files(&small));
        // Shards that are in the hub's cache, from whichever program, need no network either.
        fs::remove_dir_all(folder.path().join("cache")).unwrap();
        same(&load_manifest(&small.manifest, &offline).unwrap(), &from_files(&small));
        assert_eq!(server.log().len(), requests);
    }
}

#[test]
fn official_archives_give_the_same() {
    let (idx, cifar) = (small_idx(), small_cifar(1));
    let server = Server::start();
    for (file, content) in idx.manifest.files.iter().zip(&idx.contents) {
        server.file(&format!("idx/{}", file.path), gzip(content, "a name", 1));
    }
    let named: Vec<(String, &[u8])> = cifar
        .manifest
        .files
        .iter()
        .zip(&cifar.contents)
        .map(|(file, content)| (format!("small/{}", file.path), &content[..]))
        .collect();
    let mut entries: Vec<(&str, &[u8])> = named.iter().map(|(name, content)| (name.as_str(), *content)).collect();
    entries.push(("small/readme.html", b"hello"));
    server.file("small.tar.gz", gzip(&tar_of(&entries), "", 6));
    server.file("small.zip", zip_of(&entries));
    for (small, path, format) in [
        (&idx, "idx/", ArchiveFormat::Files),
        (&cifar, "small.tar.gz", ArchiveFormat::TarGz),
        (&cifar, "small.zip", ArchiveFormat::Zip),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let mut manifest = small.manifest.clone();
        manifest.archives = vec![archive(&server, path, format)];
        let data = load_manifest(&manifest, &online(folder.path(), &server)).unwrap();
        same(&data, &from_files(small));
        let address = &server.address;
        assert!(
            data.source.starts_with("cache ") && data.source.contains(&format!("from {address}/")),
            "{}",
            data.source
        );
        let left = fs::read_dir(folder.path().join("cache/.partial")).unwrap().count();
        assert_eq!((left, folder.path().join("cache/small/readme.html").exists()), (0, false));
    }
}

#[test]
fn encoded_images_are_one_data_set_in_folders_shards_tar_and_zip() {
    for layout in ["class-folders", "tiny-imagenet"] {
        let server = Server::start();
        let files = encoded_files(layout);
        let named: Vec<(String, &[u8])> =
            files.iter().map(|(path, image)| (format!("small/{path}"), &image[..])).collect();
        let entries: Vec<(&str, &[u8])> = named.iter().map(|(name, image)| (name.as_str(), *image)).collect();
        server.file("small.tgz", gzip(&tar_of(&entries), "", 6));
        server.file("small.zip", zip_of(&entries));
        serve(&server, &encoded_images(Split::Train), &encoded_images(Split::Test), false);
        let folder = tempfile::tempdir().unwrap();
        for (path, image) in &files {
            let path = folder.path().join("small").join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, image).unwrap();
        }
        let manifest = small_encoded(layout).manifest;
        let local = LoadOptions { data_dir: Some(folder.path().to_owned()), ..options_in(folder.path()) };
        let expected = load_manifest(&manifest, &local).unwrap();
        assert_eq!(
            (
                expected.in_memory().unwrap().train.len(),
                expected.in_memory().unwrap().test.len(),
                expected.in_memory().unwrap().train.image_len()
            ),
            (6, 4, 192)
        );
        assert!(!expected.verified, "nobody published a digest");
        assert!(verify_manifest(&manifest, &local).unwrap().ok());

        for source in ["hub", "small.tgz", "small.zip"] {
            let folder = tempfile::tempdir().unwrap();
            let mut manifest = manifest.clone();
            match source {
                "hub" => manifest.hub = vec![hub("refs/pr/1", false)],
                zip if zip.ends_with("zip") => manifest.archives = vec![archive(&server, zip, ArchiveFormat::Zip)],
                tar => manifest.archives = vec![archive(&server, tar, ArchiveFormat::TarGz)],
            }
            let options = online(folder.path(), &server);
            same(&load_manifest(&manifest, &options).unwrap(), &expected);
            assert!(verify_manifest(&manifest, &options).unwrap().ok(), "{layout} {source}");
            same(&load_manifest(&manifest, &LoadOptions { online: false, ..options }).unwrap(), &expected);
        }
    }
}

#[test]
fn images_that_changed_since_their_first_use_are_refused() {
    let (server, folder) = (Server::start(), tempfile::tempdir().unwrap());
    let mut manifest = small_encoded("class-folders").manifest;
    manifest.hub = vec![hub("main", false)];
    serve(&server, &encoded_images(Split::Train), &encoded_images(Split::Test), false);
    let options = online(folder.path(), &server);
    let first = load_manifest(&manifest, &options).unwrap();
    // Another data directory with one image in another class.
    for (index, (path, image)) in encoded_files("class-folders").into_iter().enumerate() {
        let path = if index == 0 { path.replace("n1", "n2") } else { path };
        let path = folder.path().join("data/small").join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, image).unwrap();
    }
    let other = LoadOptions { data_dir: Some(folder.path().join("data")), ..options };
    let error = load_manifest(&manifest, &other).unwrap_err().to_string();
    assert!(error.contains(&first.digest) && error.contains("first used on this machine"), "{error}");
    assert!(error.contains("hub owner/small at") && error.contains("`allow_unverified`"), "{error}");
    let verification = verify_manifest(&manifest, &other).unwrap();
    assert!(!verification.ok() && verification.files[0].expected.as_ref().unwrap().hex == first.digest);
    assert!(load_manifest(&manifest, &LoadOptions { allow_unverified: true, ..other }).is_ok());
}

/// Every fault: its message has the words, nothing is taken for the data set, and afterwards the same command works.
fn fails(small: &Small, options: &LoadOptions, words: &[&str]) {
    let error = load_manifest(&small.manifest, options).unwrap_err();
    assert!(matches!(error, DataError::Fetch { .. }), "{error:?}");
    let text = error.to_string();
    for word in words {
        assert!(text.contains(word), "no `{word}` in: {text}");
    }
    assert!(text.contains("data set `small`") && text.contains("`data_dir`"), "{text}");
    assert!(locate(&small.manifest, options).is_err(), "something was left: {text}");
}

#[test]
fn each_fault_of_the_hub_says_what_it_is_and_leaves_nothing() {
    let server = Server::start();
    let small = on_hub(small_idx(), &server);
    let shard = "train-00001-of-00002.parquet";
    let faults: [(Fault, &[&str]); 8] = [
        (Fault::Status(403), &["hub owner/small", "refuses this account (403)", "ask for access"]),
        (Fault::Status(404), &["does not have it (404"]),
        (Fault::Status(429), &["too many requests", "(429)", "wait 7 s"]),
        (Fault::Status(503), &["503", "try again later"]),
        (Fault::Loop, &["redirects in a loop"]),
        (Fault::Silent { bytes: 0 }, &["does not answer", "resumes where it stopped"]),
        (Fault::Other, &[shard, "another content than announced"]),
        (Fault::Longer, &[shard, "continues after"]),
    ];
    for (fault, words) in faults {
        let folder = tempfile::tempdir().unwrap();
        let mut options = online(folder.path(), &server);
        options.hub.silence = Duration::from_secs(if matches!(fault, Fault::Silent { .. }) { 1 } else { 20 });
        server.fault(shard, fault);
        fails(&small, &options, words);
        server.heal();
        same(&load_manifest(&small.manifest, &options).unwrap(), &from_files(&small));
    }
}

#[test]
fn each_fault_of_an_archive_says_what_it_is_and_leaves_nothing() {
    let server = Server::start();
    let mut small = small_cifar(1);
    let named: Vec<(String, &[u8])> = small
        .manifest
        .files
        .iter()
        .zip(&small.contents)
        .map(|(file, content)| (format!("small/{}", file.path), &content[..]))
        .collect();
    let entries: Vec<(&str, &[u8])> = named.iter().map(|(name, content)| (name.as_str(), *content)).collect();
    server.file("small.tar.gz", gzip(&tar_of(&entries), "", 6));
    let evil = [&entries[..], &[("../../evil.bin", &b"x"[..])]].concat();
    server.file("evil.tar.gz", gzip(&tar_of(&evil), "", 6));
    server.file("page.tar.gz", b"<html>Please log in</html>".to_vec());
    small.manifest.archives = vec![archive(&server, "small.tar.gz", ArchiveFormat::TarGz)];
    let faults: [(Fault, &[&str]); 7] = [
        (Fault::Status(401), &["small.tar.gz", "401", "wants a login"]),
        (Fault::Status(404), &["404", "home page"]),
        (Fault::Status(429), &["429", "wait some minutes"]),
        (Fault::Status(500), &["500", "try again later"]),
        (Fault::Loop, &["redirects in a loop"]),
        (Fault::Silent { bytes: 0 }, &["does not answer"]),
        (Fault::Other, &["cannot be unpacked"]),
    ];
    for (fault, words) in faults {
        let folder = tempfile::tempdir().unwrap();
        let mut options = online(folder.path(), &server);
        options.hub.silence = Duration::from_secs(if matches!(fault, Fault::Silent { .. }) { 1 } else { 20 });
        server.fault("small.tar.gz", fault);
        fails(&small, &options, words);
        server.heal();
        same(&load_manifest(&small.manifest, &options).unwrap(), &from_files(&small));
    }
    for (path, words) in [("evil.tar.gz", "leaves its folder"), ("page.tar.gz", "cannot be unpacked")] {
        let folder = tempfile::tempdir().unwrap();
        small.manifest.archives = vec![archive(&server, path, ArchiveFormat::TarGz)];
        fails(&small, &online(folder.path(), &server), &[path, words]);
    }
    let folder = tempfile::tempdir().unwrap();
    small.manifest.archives[0].digest = Some(Digest::sha256(b"other"));
    fails(&small, &online(folder.path(), &server), &["another content than announced"]);
}

#[test]
fn gated_data_need_a_token() {
    let server = Server::start();
    let mut small = on_hub(small_idx(), &server);
    small.manifest.hub[0].gated = true;
    server.gate();
    let folder = tempfile::tempdir().unwrap();
    let mut options = online(folder.path(), &server);
    options.hub.token = Some("hf_stranger".to_owned());
    fails(&small, &options, &["403", "ask for access at https://huggingface.co/datasets/owner/small"]);
    options.hub.token = Some(TOKEN.to_owned());
    same(&load_manifest(&small.manifest, &options).unwrap(), &from_files(&small));
}

#[test]
fn a_dead_server_and_a_server_that_is_no_hub_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let (server, mut small) = (Server::start(), small_idx());
    small.manifest.hub = vec![hub("main", false)];
    fails(
        &small,
        &LoadOptions { online: true, ..options_in(folder.path()) },
        &["cannot connect to", "HTTPS_PROXY", "off the network"],
    );
    fails(&small, &online(folder.path(), &server), &["does not have it (404"]);
    let offline = load_manifest(&small.manifest, &options_in(folder.path())).unwrap_err();
    assert!(
        matches!(&offline, DataError::Missing { next, .. } if next.to_string().contains("`data_dir`")),
        "{offline}"
    );
}

#[test]
fn a_download_that_was_cut_goes_on_where_it_stopped() {
    let server = Server::start();
    let mut small = on_hub(small_idx(), &server);
    let shard = "train-00000-of-00002.parquet";
    let ranges = |from: &str| {
        server
            .log()
            .iter()
            .filter(|line| line.starts_with("GET") && line.contains(shard) && line.contains(from))
            .count()
    };

    // Cut twice, taken up twice within one fetch.
    let folder = tempfile::tempdir().unwrap();
    let mut options = online(folder.path(), &server);
    server.fault(shard, Fault::Cut { bytes: 300, times: 2 });
    options.hub.retries = 1;
    same(&load_manifest(&small.manifest, &options).unwrap(), &from_files(&small));
    assert!(ranges("bytes=300-") >= 1 && ranges("bytes=600-") >= 1, "{:?}", server.log());

    // Cut for good: an error, and the next fetch goes on.
    let folder = tempfile::tempdir().unwrap();
    let options = online(folder.path(), &server);
    server.fault(shard, Fault::Cut { bytes: 350, times: 1 });
    fails(&small, &options, &["resumes where it stopped"]);
    same(&load_manifest(&small.manifest, &options).unwrap(), &from_files(&small));
    assert!(ranges("bytes=350-") >= 1, "{:?}", server.log());

    // What was there is of another file: the whole is wrong, and the download starts anew.
    let folder = tempfile::tempdir().unwrap();
    let options = online(folder.path(), &server);
    server.fault(shard, Fault::Cut { bytes: 200, times: 1 });
    fails(&small, &options, &[]);
    let blobs = folder.path().join("hub/datasets--owner--small/blobs");
    let part = fs::read_dir(&blobs)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.to_string_lossy().ends_with("incomplete"));
    fs::write(part.unwrap(), [7; 200]).unwrap();
    same(&load_manifest(&small.manifest, &options).unwrap(), &from_files(&small));

    // Archives likewise, from a server without ranges, too.
    small.manifest.hub.clear();
    for (file, content) in small.manifest.files.iter().zip(&small.contents) {
        server.file(&format!("idx/{}", file.path), gzip(content, "", 1));
    }
    small.manifest.archives = vec![archive(&server, "idx/", ArchiveFormat::Files)];
    for after in [None, Some(Fault::NoRanges)] {
        let folder = tempfile::tempdir().unwrap();
        let options = online(folder.path(), &server);
        server.fault("train-images.gz", Fault::Cut { bytes: 20, times: 1 });
        fails(&small, &options, &["train-images.gz"]);
        server.heal();
        if let Some(fault) = after {
            server.fault("train-images.gz", fault);
        }
        same(&load_manifest(&small.manifest, &options).unwrap(), &from_files(&small));
    }
    assert!(server.log().iter().any(|line| line.contains("train-images.gz bytes=20-")), "{:?}", server.log());
}

#[test]
fn what_was_begun_elsewhere_goes_once_the_data_set_is_there() {
    let (server, folder) = (Server::start(), tempfile::tempdir().unwrap());
    let mut small = on_hub(small_idx(), &server);
    server.file("idx/train-images.gz", gzip(&small.contents[0], "", 1));
    small.manifest.archives = vec![archive(&server, "idx/", ArchiveFormat::Files)];
    let options = online(folder.path(), &server);
    server.fault("train-images.gz", Fault::Cut { bytes: 20, times: 1 });
    server.fault("/plain", Fault::Flood);
    fails(&small, &options, &["continues after", "the connection broke"]);
    let parts = || fs::read_dir(folder.path().join("cache/.partial")).unwrap().count();
    assert_eq!(parts(), 1, "what was downloaded is kept");
    server.heal();
    same(&load_manifest(&small.manifest, &options).unwrap(), &from_files(&small));
    assert_eq!(parts(), 0);
}

#[test]
fn two_at_once_fetch_once() {
    let server = Server::start();
    let small = on_hub(small_idx(), &server);
    let (folder, expected) = (tempfile::tempdir().unwrap(), from_files(&small));
    let options = online(folder.path(), &server);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| same(&load_manifest(&small.manifest, &options).unwrap(), &expected));
        }
    });
    let downloads = server.log().iter().filter(|line| line.starts_with("GET /hub/")).count();
    assert_eq!(downloads, 3, "{:?}", server.log());
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_named_and_leaves_nothing() {
    let server = Server::start();
    let mut small = small_idx();
    for (file, content) in small.manifest.files.iter().zip(&small.contents) {
        server.file(&format!("idx/{}", file.path), gzip(content, "", 1));
    }
    small.manifest.archives = vec![archive(&server, "idx/", ArchiveFormat::Files)];
    let folder = tempfile::tempdir().unwrap();
    let options = online(folder.path(), &server);
    let part = Cache::of(&options).unwrap().part(&format!("{}/idx/train-images.gz", server.address)).unwrap();
    std::os::unix::fs::symlink("/dev/full", &part).unwrap();
    let room = format!("{} needs room for ", folder.path().join("cache/.partial").display());
    fails(&small, &options, &["No space left", &room, " bytes more", "free some disk space", "SLL_CACHE"]);
    fs::remove_file(part).unwrap();
    same(&load_manifest(&small.manifest, &options).unwrap(), &from_files(&small));
}

/// On a disk of 96 KiB, made for this test in a namespace of its own. Where none can be made it says so and is done:
/// that a full disk is told from a bad archive is tested in `archive.rs`, with a writer that runs full.
#[cfg(target_os = "linux")]
#[test]
fn an_archive_that_fills_the_disk_is_kept_and_unpacked_when_there_is_room() {
    const DISK: &str = "SLL_TEST_DISK";
    let Some(disk) = std::env::var_os(DISK).map(std::path::PathBuf::from) else {
        let folder = tempfile::tempdir().unwrap();
        let test = "fetch::tests::an_archive_that_fills_the_disk_is_kept_and_unpacked_when_there_is_room";
        let mount = "mount -t tmpfs -o size=96k none \"$SLL_TEST_DISK\" || exit 77; exec \"$0\" --exact \"$1\"";
        let program = std::env::current_exe().unwrap();
        let mut unshare = std::process::Command::new("unshare");
        unshare.args(["-rm", "sh", "-c", mount]).arg(program).arg(test).env(DISK, folder.path());
        match unshare.output() {
            Ok(output) if output.status.success() => {
                let text = String::from_utf8_lossy(&output.stdout).into_owned();
                assert!(text.contains("1 passed"), "{text}");
            }
            Ok(output) if output.status.code() == Some(101) => panic!("{output:?}"),
            other => println!("no disk of its own for this test: {other:?}"),
        }
        return;
    };
    let server = Server::start();
    let mut small = small_cifar(1);
    // 70,000 bytes of training images, which are much smaller in an archive: there is room for that, but not for what
    // comes out.
    let record = small.contents[0][..7].to_vec();
    small.contents[0] = record.repeat(10_000);
    small.manifest.counts.train = 10_000;
    small.manifest.files[0].count = 10_000;
    small.manifest.files[0].digest = Digest::sha256(&small.contents[0]);
    let entries: Vec<(String, &[u8])> = (small.manifest.files.iter().zip(&small.contents))
        .map(|(file, content)| (format!("small/{}", file.path), &content[..]))
        .collect();
    let entries: Vec<(&str, &[u8])> = entries.iter().map(|(name, content)| (name.as_str(), *content)).collect();
    server.file("small.tar.gz", gzip(&tar_of(&entries), "", 6));
    small.manifest.archives = vec![archive(&server, "small.tar.gz", ArchiveFormat::TarGz)];
    let options = online(&disk, &server);
    let ballast = disk.join("ballast");
    fs::write(&ballast, [1; 50_000]).unwrap();
    fails(
        &small,
        &options,
        &["No space left", "/cache/.incoming/small-", "needs room for 100000 bytes more", "free some"],
    );
    assert_eq!(fs::read_dir(disk.join("cache/.incoming")).unwrap().count(), 0, "half an archive was left");
    assert_eq!(fs::read_dir(disk.join("cache/.partial")).unwrap().count(), 1, "the download was dropped");
    fs::remove_file(ballast).unwrap();
    let requests = |method: &str| server.log().iter().filter(|line| line.starts_with(method)).count();
    let downloads = requests("GET");
    same(&load_manifest(&small.manifest, &options).unwrap(), &from_files(&small));
    assert_eq!(requests("GET"), downloads, "it was downloaded again");
}

#[cfg(target_os = "linux")]
#[test]
fn a_disk_that_fills_up_on_the_way_from_the_hub_is_named() {
    let server = Server::start();
    let small = on_hub(small_idx(), &server);
    let folder = tempfile::tempdir().unwrap();
    let options = online(folder.path(), &server);
    server.fault("train-00000-of-00002.parquet", Fault::Cut { bytes: 300, times: 1 });
    fails(&small, &options, &["resumes where it stopped"]);
    let blobs = fs::read_dir(folder.path().join("hub/datasets--owner--small/blobs")).unwrap();
    let part = blobs.map(|entry| entry.unwrap().path()).find(|path| path.extension().is_some()).unwrap();
    fs::remove_file(&part).unwrap();
    std::os::unix::fs::symlink("/dev/full", &part).unwrap();
    fails(
        &small,
        &options,
        &["No space left", "/blobs needs room for ", " bytes more", "free some disk space", "HF_HOME"],
    );
    fs::remove_file(part).unwrap();
    same(&load_manifest(&small.manifest, &options).unwrap(), &from_files(&small));
}

#[test]
fn other_content_under_the_right_names_is_refused_and_the_next_source_taken() {
    let server = Server::start();
    let small = small_idx();
    let mut rows = small.pngs(Split::Train);
    rows[1].1 = 0;
    serve(&server, &rows, &small.pngs(Split::Test), false);
    let mut small = small;
    small.manifest.hub = vec![hub("main", false)];
    let folder = tempfile::tempdir().unwrap();
    let options = online(folder.path(), &server);
    fails(
        &small,
        &options,
        &["train-labels is not the official content (expected sha256:", "its shards stay in the hub's cache"],
    );
    // Too few rows, and images of another size.
    serve(&server, &rows[1..], &small.pngs(Split::Test), false);
    let folder = tempfile::tempdir().unwrap();
    fails(&small, &online(folder.path(), &server), &["hold 3 images, not 4"]);
    let mut others = small_cifar(1).pngs(Split::Train);
    others.push(others[0].clone());
    serve(&server, &others, &small.pngs(Split::Test), false);
    let folder = tempfile::tempdir().unwrap();
    fails(&small, &online(folder.path(), &server), &["row 0: the image has 1 x 2 pixels, not 2 x 2"]);

    for (file, content) in small.manifest.files.iter().zip(&small.contents) {
        server.file(&format!("idx/{}", file.path), gzip(content, "", 1));
    }
    small.manifest.archives = vec![archive(&server, "idx/", ArchiveFormat::Files)];
    same(&load_manifest(&small.manifest, &online(folder.path(), &server)).unwrap(), &from_files(&small));
}

#[test]
fn what_the_hubs_cache_has_and_is_refused_is_told_without_a_network_too() {
    let (server, folder) = (Server::start(), tempfile::tempdir().unwrap());
    let mut small = small_idx();
    small.manifest.hub = vec![hub("main", false)];
    let offline = options_in(folder.path());
    let absent = load_manifest(&small.manifest, &offline).unwrap_err().to_string();
    assert!(!absent.contains("the hub's cache"), "what is not there is no news: {absent}");
    let mut rows = small.pngs(Split::Train);
    rows[1].1 = 0;
    serve(&server, &rows, &small.pngs(Split::Test), false);
    fails(&small, &online(folder.path(), &server), &["is not the official content"]);
    let refused = load_manifest(&small.manifest, &offline).unwrap_err();
    assert!(matches!(refused, DataError::Missing { .. }), "{refused:?}");
    let digest = small.manifest.files[1].digest.to_string();
    for words in ["the hub's cache of owner/small: train-labels is not the official content (expected ", &digest] {
        assert!(refused.to_string().contains(words), "no `{words}` in: {refused}");
    }
}

#[test]
fn what_was_fetched_and_is_damaged_is_fetched_again() {
    let (server, folder) = (Server::start(), tempfile::tempdir().unwrap());
    let small = on_hub(small_idx(), &server);
    let options = online(folder.path(), &server);
    let expected = from_files(&small);
    same(&load_manifest(&small.manifest, &options).unwrap(), &expected);
    let victim = folder.path().join("cache/small/train-images");
    let content = fs::read(&victim).unwrap();
    let other = content.iter().map(|byte| byte ^ u8::from(*byte > 10)).collect::<Vec<u8>>();
    for damaged in [&content[..20], &other] {
        fs::write(&victim, damaged).unwrap();
        let problem = load_manifest(&small.manifest, &options).unwrap_err().to_string();
        assert!(
            problem.contains("train-images") && problem.contains("fetch small where there is a network"),
            "{problem}"
        );
        let located = fetch_manifest(&small.manifest, &options).unwrap();
        assert!(located.source.contains("cache/small"), "{}", located.source);
        same(&load_manifest(&small.manifest, &options).unwrap(), &expected);
    }
    // Without any source, the damage is the error.
    fs::write(&victim, &other).unwrap();
    fs::remove_dir_all(folder.path().join("hub")).unwrap();
    let problem = fetch_manifest(&small.manifest, &LoadOptions { online: false, ..options.clone() }).err().unwrap();
    assert!(problem.to_string().contains("train-images is not the official content; fetch small"), "{problem}");
    assert_eq!(fs::read(&victim).unwrap(), other, "nothing is thrown away");
    // A user's own folder is the user's.
    let own = LoadOptions { data_dir: Some(folder.path().join("cache")), cache_dir: None, ..options };
    let own = LoadOptions { cache_dir: Some(folder.path().join("elsewhere")), ..own };
    let problem = load_manifest(&small.manifest, &own).unwrap_err().to_string();
    assert!(problem.contains("replace it with the official file"), "{problem}");
}

#[test]
fn images_that_were_fetched_and_are_damaged_are_fetched_again() {
    let server = Server::start();
    let files = encoded_files("class-folders");
    let named: Vec<(String, &[u8])> = files.iter().map(|(path, image)| (format!("small/{path}"), &image[..])).collect();
    let entries: Vec<(&str, &[u8])> = named.iter().map(|(name, image)| (name.as_str(), *image)).collect();
    server.file("small.tgz", gzip(&tar_of(&entries), "", 6));
    serve(&server, &encoded_images(Split::Train), &encoded_images(Split::Test), false);
    for from_hub in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let mut manifest = small_encoded("class-folders").manifest;
        manifest.images.as_mut().unwrap().stream = true;
        match from_hub {
            true => manifest.hub = vec![hub("main", false)],
            false => manifest.archives = vec![archive(&server, "small.tgz", ArchiveFormat::TarGz)],
        }
        let options = online(folder.path(), &server);
        let first = load_manifest(&manifest, &options).unwrap();
        // What was just fetched is known, and not read again.
        let asked = server.log().len();
        fetch_manifest(&manifest, &options).unwrap();
        assert_eq!(server.log().len(), asked);
        let cache = folder.path().join("hub/datasets--owner--small/snapshots");
        let victim = match from_hub {
            true => cache.join(COMMIT).join("plain/train-00001-of-00002.parquet"),
            false => folder.path().join("cache/small/train/n1/x0.JPEG"),
        };
        fs::write(&victim, b"damaged").unwrap();
        assert!(load_manifest(&manifest, &options).is_err(), "from the hub: {from_hub}");
        fetch_manifest(&manifest, &options).unwrap();
        assert_eq!(load_manifest(&manifest, &options).unwrap().digest, first.digest);
    }
}
