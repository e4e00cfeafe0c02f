//! `harness data` and automatic fetching: the real program against a hub on this machine.

#[allow(dead_code, reason = "each test takes what it needs of it")]
#[path = "../../datasets/src/testing/server.rs"]
mod server;

#[path = "../../datasets/src/testing/parquet.rs"]
mod parquet;

use datasets::{HubSource, Manifest};
use polars_arrow::array::PrimitiveArray;
use server::{Server, TOKEN};
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// The program with every cache in `folder` and `server` as the hub. The internet is out of reach: its proxy is a
/// closed port.
fn command(folder: &Path, server: &Server) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_harness"));
    command.env("SLL_RESULTS", folder.join("results")).env("SLL_CACHE", folder.join("cache"));
    command.env("HF_ENDPOINT", &server.address).env("HF_HOME", folder.join("hub")).env("HOME", folder.join("home"));
    for name in ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy"] {
        command.env(name, "http://127.0.0.1:9");
    }
    command
        .env("NO_PROXY", "127.0.0.1,localhost")
        .env("no_proxy", "127.0.0.1,localhost")
        .env_remove("ALL_PROXY")
        .env_remove("all_proxy");
    for name in ["SLL_DATA_DIR", "SLL_OFFLINE", "HF_TOKEN", "HF_TOKEN_PATH", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"] {
        command.env_remove(name);
    }
    command
}

/// What it does with `args`, of which `token=..` is the account's token.
fn harness(folder: &Path, server: &Server, args: &[&str]) -> Output {
    let mut command = command(folder, server);
    if let Some(token) = args.iter().find_map(|arg| arg.strip_prefix("token=")) {
        command.env("HF_TOKEN", token);
    }
    command.args(args.iter().filter(|arg| !arg.starts_with("token="))).output().expect("the program starts")
}

fn fails(output: &Output, code: i32, words: &[&str]) {
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{text}");
    for word in words {
        assert!(text.contains(word), "no `{word}` in: {text}");
    }
}

fn works(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap().trim_end().to_owned()
}

/// A PNG of one grey.
fn png(channels: usize, width: u32, height: u32, grey: u8) -> Vec<u8> {
    let color = if channels == 1 { image::ExtendedColorType::L8 } else { image::ExtendedColorType::Rgb8 };
    let pixels = vec![grey; channels * (width * height) as usize];
    let mut png = Vec::new();
    let encoder = image::codecs::png::PngEncoder::new(&mut png);
    image::ImageEncoder::write_image(encoder, &pixels, width, height, color).unwrap();
    png
}

/// A shard as the hub has them, of `rows` images of some greys and of all classes in turn.
fn shard(source: &HubSource, manifest: &Manifest, rows: usize) -> Vec<u8> {
    let [channels, height, width] = manifest.shape;
    let (height, width) = if manifest.images.is_some() { (6, 9) } else { (height as u32, width as u32) };
    let pngs: Vec<Vec<u8>> = (0..50).map(|grey| png(channels, width, height, 5 * grey)).collect();
    let images: Vec<&[u8]> = (0..rows).map(|row| pngs[row % 50].as_slice()).collect();
    let classes =
        |count: usize| PrimitiveArray::from_vec((0..rows).map(|row| (row % count) as i64).collect::<Vec<_>>()).boxed();
    let mut columns = vec![(source.label.as_str(), classes(manifest.classes))];
    columns.extend(source.coarse_label.as_ref().map(|name| (name.as_str(), classes(20))));
    parquet::shard(&source.image, &columns, &images, 1000, &[])
}

/// The hub's entry of the data set `name`, which `server` now has at the pinned commit.
fn pinned(server: &Server, name: &str) -> &'static HubSource {
    let source = &datasets::manifest(name).unwrap().hub[0];
    server.hub_at(&source.repo, &source.revision);
    source
}

/// Serves all images of the data set `name` as the hub has them.
fn serve(server: &Server, name: &str) {
    let (manifest, source) = (datasets::manifest(name).unwrap(), pinned(server, name));
    for (pattern, rows) in [(&source.train, manifest.counts.train), (&source.test, manifest.counts.test)] {
        let path = format!("{}/{}", source.repo, pattern.replace('*', "00000-of-00001"));
        server.hub_file(&path, shard(source, manifest, rows));
    }
}

#[test]
fn encoded_images_are_fetched_as_the_hub_has_them() {
    for name in ["imagenette-160", "imagenette-320"] {
        let (folder, server) = (tempfile::tempdir().unwrap(), Server::start());
        serve(&server, name);
        let run = |args: &[&str]| harness(folder.path(), &server, args);
        let fetched = works(&run(&["data", "fetch", name]));
        let source = &datasets::manifest(name).unwrap().hub[0];
        let source = format!("hub {} at {}", source.repo, source.revision);
        assert_eq!(fetched, format!("{name}: {source}"));
        let path = works(&run(&["data", "path", name, "--offline"]));
        assert!(path.starts_with(folder.path().join("hub").to_str().unwrap()) && Path::new(&path).is_dir(), "{path}");
        let list = works(&run(&["data", "list", "--offline"]));
        let line = list.lines().find(|line| line.starts_with(name)).unwrap();
        assert!(line.contains(&source) && line.contains("nobody published a digest"), "{line}");
        let verified = works(&run(&["data", "verify", name, "--offline"]));
        assert!(verified.contains("ok") && verified.contains("no digest of them is published"), "{verified}");
        // As if another program had brought it.
        std::fs::remove_dir_all(folder.path().join("cache")).unwrap();
        for command in [&["data", "list", "--offline"][..], &["doctor", "--offline"]] {
            let text = works(&run(command));
            let line = text.lines().find(|line| line.contains(&format!("{name} "))).unwrap();
            assert!(
                line.contains("in the Hugging Face cache (content not checked") && line.contains(&source),
                "{line}"
            );
        }
        assert_eq!(works(&run(&["data", "path", name, "--offline"])), path);
        std::fs::remove_dir_all(folder.path().join("cache")).unwrap();
        assert_eq!(works(&run(&["data", "verify", name, "--offline"])), verified);
    }
}

#[test]
fn other_images_in_the_layout_of_a_data_set_are_refused() {
    // `datasets/src/fetch/layouts.rs` fetches the others too: Fashion-MNIST may be here already, from a system package.
    for (name, file) in [("mnist", "train-images-idx3-ubyte"), ("cifar-10", "data_batch_1.bin")] {
        let (folder, server) = (tempfile::tempdir().unwrap(), Server::start());
        serve(&server, name);
        let run = |args: &[&str]| harness(folder.path(), &server, args);
        let refused = format!("{file} is not the official content");
        let failed = run(&["data", "fetch", name]);
        fails(&failed, 3, &[&refused, "its shards stay in the hub's cache", "cannot connect to", "--data-dir"]);
        // A line for each source between what failed and what to do.
        let manifest = datasets::manifest(name).unwrap();
        let text = String::from_utf8(failed.stderr).unwrap();
        let lines: Vec<&str> = text.lines().skip_while(|line| !line.starts_with("error: ")).collect();
        let sources = manifest.hub.iter().map(|hub| format!("  hub {}: ", hub.repo));
        let sources: Vec<String> = sources.chain(manifest.archives.iter().map(|a| format!("  {}: ", a.url))).collect();
        assert_eq!(lines.len(), sources.len() + 2, "{text}");
        assert!(lines[1..].iter().zip(&sources).all(|(line, source)| line.starts_with(source)), "{text}");
        assert!(lines.last().unwrap().contains("set --data-dir"), "{text}");
        fails(&run(&["data", "path", name, "--offline"]), 3, &["not on this machine"]);
    }
}

/// The full sets of `SLL_DATA_DIR`, served as the hub has them, give the official content.
#[test]
#[ignore = "needs SLL_DATA_DIR with MNIST and Fashion-MNIST"]
fn the_official_content_comes_out_of_shards() {
    let official = std::env::var("SLL_DATA_DIR").expect("a folder");
    let options = datasets::LoadOptions { data_dir: Some(official.into()), ..datasets::LoadOptions::default() };
    for name in ["mnist", "fashion-mnist"] {
        let (folder, server) = (tempfile::tempdir().unwrap(), Server::start());
        let (source, data) = (pinned(&server, name), datasets::load(name, &options).unwrap());
        for (pattern, images) in
            [(&source.train, &data.in_memory().unwrap().train), (&source.test, &data.in_memory().unwrap().test)]
        {
            let encode = |index: usize| {
                let mut png = Vec::new();
                let encoder = image::codecs::png::PngEncoder::new(&mut png);
                let color = image::ExtendedColorType::L8;
                image::ImageEncoder::write_image(encoder, images.image(index), 28, 28, color).unwrap();
                png
            };
            let pngs: Vec<Vec<u8>> = (0..images.len()).map(encode).collect();
            let labels = PrimitiveArray::from_vec(images.labels.clone()).boxed();
            let shard = parquet::shard(&source.image, &[(&source.label, labels)], &pngs, 1000, &[]);
            server.hub_file(&format!("{}/{}", source.repo, pattern.replace('*', "0000")), shard);
        }
        let run = |args: &[&str]| harness(folder.path(), &server, args);
        println!("{}", works(&run(&["data", "fetch", name])));
        println!("{}", works(&run(&["data", "verify", name, "--offline"])));
    }
}

#[test]
fn two_processes_fetch_once() {
    let (folder, server) = (tempfile::tempdir().unwrap(), Server::start());
    serve(&server, "imagenette-160");
    let start = || {
        let mut command = command(folder.path(), &server);
        command.args(["data", "fetch", "imagenette-160"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let processes: Vec<_> = (0..3).map(|_| start()).collect();
    let said: Vec<_> = processes.into_iter().map(|process| works(&process.wait_with_output().unwrap())).collect();
    assert!(
        said.iter()
            .all(|line| *line == said[0]
                && line.contains(&datasets::manifest("imagenette-160").unwrap().hub[0].revision)),
        "{said:?}"
    );
    let downloads = server.log().iter().filter(|line| line.starts_with("GET /hub/")).count();
    assert_eq!(downloads, 2, "{:?}", server.log());
}

#[test]
fn a_killed_fetch_leaves_nothing_that_is_taken_for_data_and_is_gone_on_with() {
    let (folder, server) = (tempfile::tempdir().unwrap(), Server::start());
    serve(&server, "imagenette-160");
    server.fault("train-00000-of-00001.parquet", server::Fault::Silent { bytes: 4000 });
    let mut command = command(folder.path(), &server);
    let mut process = command.args(["data", "fetch", "imagenette-160"]).stderr(Stdio::null()).spawn().unwrap();
    let part = || {
        let blobs = std::fs::read_dir(folder.path().join("hub/hub/datasets--frgfm--imagenette/blobs"));
        blobs.into_iter().flatten().flatten().any(|entry| entry.metadata().is_ok_and(|file| file.len() == 4000))
    };
    let started = std::time::Instant::now();
    while !part() {
        assert!(started.elapsed().as_secs() < 60, "no partial file: {:?}", server.log());
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    process.kill().unwrap();
    process.wait().unwrap();
    server.heal();
    let run = |args: &[&str]| harness(folder.path(), &server, args);
    fails(&run(&["data", "path", "imagenette-160", "--offline"]), 3, &["not on this machine"]);
    works(&run(&["data", "fetch", "imagenette-160"]));
    assert!(server.log().iter().any(|line| line.contains("bytes=4000-")), "{:?}", server.log());
}

#[test]
fn a_run_names_the_image_that_it_cannot_read() {
    let (folder, server) = (tempfile::tempdir().unwrap(), Server::start());
    let manifest = datasets::manifest("imagenette-320").unwrap();
    for split in ["train", "val"] {
        for (class, id) in manifest.images.as_ref().unwrap().class_ids.iter().enumerate() {
            let images = folder.path().join("data/imagenette2-320").join(split).join(id);
            std::fs::create_dir_all(&images).unwrap();
            let all = if split == "train" { manifest.counts.train } else { manifest.counts.test };
            for image in (0..all).filter(|image| image % 10 == class) {
                std::fs::write(images.join(format!("{image}.JPEG")), b"cut off while it was copied").unwrap();
            }
        }
    }
    let data = folder.path().join("data");
    let few = ["--train-limit", "64", "--validation", "64", "--width", "4", "--epochs", "1"];
    let run = [&["run", "--dataset", "imagenette-320", "--data-dir", data.to_str().unwrap()], &few[..]].concat();
    let words = [".JPEG is no sound PNG or JPEG", "replace that file", "imagenette2-320/train/n0"];
    fails(&harness(folder.path(), &server, &run), 3, &words);
}

#[test]
fn gated_data_are_asked_for_with_the_token_of_the_environment() {
    let (folder, server) = (tempfile::tempdir().unwrap(), Server::start());
    pinned(&server, "imagenet-1k");
    server.hub_file("ILSVRC/imagenet-1k/data/train-00000-of-00001.parquet", b"no shard".to_vec());
    server.hub_file("ILSVRC/imagenet-1k/data/validation-00000-of-00001.parquet", b"no shard".to_vec());
    server.gate();
    let fetch =
        |more: &[&str]| harness(folder.path(), &server, &[&["data", "fetch", "imagenet-1k"][..], more].concat());
    fails(&fetch(&[]), 3, &["hub ILSVRC/imagenet-1k", "401", "accept the licence", "HF_TOKEN"]);
    fails(&fetch(&["token=hf_stranger"]), 3, &["403", "ask for access"]);
    fails(&fetch(&["token="]), 3, &["401", "accept the licence", "HF_TOKEN"]);
    // A run fetches by itself.
    fails(&harness(folder.path(), &server, &["run", "--dataset", "imagenet-1k"]), 3, &["accept the licence"]);
    let token = format!("token={TOKEN}");
    fails(&fetch(&[&token]), 3, &["train-00000-of-00001.parquet", "no sound Parquet file", "SLL_DATA_DIR"]);

    // Nothing is asked for offline.
    let asked = server.log().len();
    for args in [&["run", "--dataset", "imagenet-1k", "--offline"][..], &["data", "fetch", "imagenet-1k", "--offline"]]
    {
        fails(&harness(folder.path(), &server, args), 3, &["was not found", "where there is a network"]);
    }
    assert_eq!(server.log().len(), asked);
}

#[test]
fn data_sets_are_listed_found_and_shown() {
    let (folder, server) = (tempfile::tempdir().unwrap(), Server::start());
    let run = |args: &[&str]| harness(folder.path(), &server, args);
    let list = String::from_utf8(run(&["data", "list", "--offline"]).stdout).unwrap();
    for name in ["mnist", "cifar-100", "imagenette-160", "imagenette-320", "tiny-imagenet-200", "imagenet-1k"] {
        assert!(list.lines().any(|line| line.starts_with(&format!("{name} "))), "{list}");
    }
    for command in [&["data", "list", "--offline"][..], &["data", "verify", "--offline"], &["doctor", "--offline"]] {
        let text = works(&run(command));
        assert!(text.lines().all(|line| line == line.trim_end()), "{command:?} leaves spaces at an end: {text}");
    }
    fails(&run(&["data", "path", "minst"]), 2, &["minst", "fashion-mnist"]);
    fails(&run(&["data", "path", "mnist", "--offline"]), 3, &["no data directory is set", "harness data fetch mnist"]);
    let png = folder.path().join("sheet.png");
    let show = ["data", "show", "mnist-sample", "--crop-padding", "2", "--auto-augment", "cifar", "--out"];
    let shown = run(&[&show[..], &[png.to_str().unwrap()]].concat());
    assert!(shown.status.success() && std::fs::read(&png).unwrap().starts_with(b"\x89PNG"), "{shown:?}");
    fails(&shown, 0, &["training images of mnist-sample: random crop after padding by 2, AutoAugment (cifar), seed 0"]);
    fails(&run(&["data", "show", "mnist-sample", "--auto-augment", "svhn"]), 2, &["`cifar` and `imagenet`"]);
    for command in [&["data", "show", "mnist-sample"][..], &["run", "--dataset", "mnist-sample"]] {
        let padded = [command, &["--crop-padding", "28"]].concat();
        fails(&run(&padded), 2, &["`crop_padding` = 28", "28 x 28 pixels take at most 27"]);
    }
    fails(&run(&["data", "list", "--data-dir", "/nonexistent"]), 3, &["no such folder", "official layouts"]);
    fails(&run(&["data", "list", "--data-dir", png.to_str().unwrap()]), 3, &["cannot be read (Not a directory"]);
    assert!(server.log().is_empty(), "{:?}", server.log());
}

#[test]
fn a_list_says_what_is_known_of_the_content() {
    let (folder, server) = (tempfile::tempdir().unwrap(), Server::start());
    let data = folder.path().join("data");
    let manifest = datasets::manifest("cifar-10").unwrap();
    let files = data.join(&manifest.folder);
    std::fs::create_dir_all(&files).unwrap();
    for file in &manifest.files {
        // As long as it must be, and empty.
        std::fs::File::create(files.join(&file.path)).unwrap().set_len(file.count as u64 * 3073).unwrap();
    }
    let line = |command: &[&str]| {
        let args = [command, &["--offline", "--data-dir", data.to_str().unwrap()]].concat();
        let text = works(&harness(folder.path(), &server, &args));
        text.lines().find(|line| line.contains("cifar-10 ")).unwrap().to_owned()
    };
    let unchecked = "found (content not checked; harness data verify cifar-10): data directory ";
    assert!(line(&["data", "list"]).contains(unchecked) && line(&["doctor"]).contains(unchecked));
    let verify = ["data", "verify", "cifar-10", "--data-dir", data.to_str().unwrap()];
    fails(&harness(folder.path(), &server, &verify), 1, &["not the official content", "data_batch_1.bin"]);
    let lacking = format!("missing: no folder {}; run", data.join("mnist").display());
    let list =
        works(&harness(folder.path(), &server, &["data", "list", "--offline", "--data-dir", data.to_str().unwrap()]));
    assert!(list.contains(&lacking), "{list}");
    // Images that are damaged are a check that failed, and the data sets after them are checked, too.
    for below in ["imagenette2-160/train", "imagenette2-160/val"] {
        std::fs::create_dir_all(data.join(below)).unwrap();
    }
    let all = harness(folder.path(), &server, &["data", "verify", "--offline", "--data-dir", data.to_str().unwrap()]);
    fails(&all, 1, &["not the official content", "imagenette-160: ", "cifar-10: "]);
    let text = String::from_utf8(all.stdout).unwrap();
    assert!(text.contains("it lacks ") && text.contains("imagenet-1k: "), "{text}");
    std::fs::write(files.join("test_batch.bin"), "short").unwrap();
    for command in [&["data", "list"][..], &["doctor"]] {
        assert!(
            line(command).contains("WRONG: ") && line(command).contains("has 5 bytes, not 30730000"),
            "{command:?}"
        );
    }
}

#[test]
fn augmentation_is_part_of_a_run() {
    let (folder, server) = (tempfile::tempdir().unwrap(), Server::start());
    let small = ["run", "--width", "16", "--train-limit", "512", "--epochs", "1"];
    let run = |more: &[&str]| {
        let output = harness(folder.path(), &server, &[&small[..], more].concat());
        serde_json::from_str::<serde_json::Value>(&works(&output)).unwrap()
    };
    let (plain, policy) = (run(&[]), run(&["--auto-augment", "cifar", "--resized-crop"]));
    assert_eq!(plain["spec"]["recipe"].get("auto_augment"), None, "a spec without it keeps its name");
    assert_eq!(policy["spec"]["recipe"]["auto_augment"], "cifar");
    assert_ne!(plain["run_id"], policy["run_id"]);
    assert_ne!(plain["curve"][0]["train_loss"], policy["curve"][0]["train_loss"]);
    let wrong = harness(folder.path(), &server, &["run", "--auto-augment", "svhn"]);
    fails(&wrong, 2, &["svhn", "cifar", "imagenet"]);
}
