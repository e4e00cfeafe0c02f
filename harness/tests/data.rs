//! `harness data` and automatic fetching: the real program against a hub on this machine.

#[allow(dead_code)]
#[path = "../../datasets/src/testing/server.rs"]
mod server;

use server::{Server, TOKEN};
use std::path::Path;
use std::process::{Command, Output};

/// The program with every cache in `folder` and `server` as the hub. Data sets with an archive on the internet are not fetched here.
fn harness(folder: &Path, server: &Server, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_harness"));
    command.env("SLL_RESULTS", folder.join("results")).env("SLL_CACHE", folder.join("cache"));
    command.env("HF_ENDPOINT", &server.address).env("HF_HOME", folder.join("hub"));
    for name in ["SLL_DATA_DIR", "SLL_OFFLINE", "HF_TOKEN", "HF_TOKEN_PATH", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"] {
        command.env_remove(name);
    }
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

#[test]
fn gated_data_are_asked_for_with_the_token_of_the_environment() {
    let (folder, server) = (tempfile::tempdir().unwrap(), Server::start());
    server.hub_file("ILSVRC/imagenet-1k/data/train-00000-of-00001.parquet", b"no shard".to_vec());
    server.hub_file("ILSVRC/imagenet-1k/data/validation-00000-of-00001.parquet", b"no shard".to_vec());
    server.gate();
    let fetch =
        |more: &[&str]| harness(folder.path(), &server, &[&["data", "fetch", "imagenet-1k"][..], more].concat());
    fails(&fetch(&[]), 3, &["hub ILSVRC/imagenet-1k", "401", "accept the licence", "HF_TOKEN"]);
    fails(&fetch(&["token=hf_stranger"]), 3, &["403", "ask for access"]);
    let token = format!("token={TOKEN}");
    fails(&fetch(&[&token]), 3, &["train-00000-of-00001.parquet", "no sound Parquet file", "SLL_DATA_DIR"]);

    // A run fetches by itself, and nothing is asked for offline.
    fails(&harness(folder.path(), &server, &["run", "--dataset", "imagenet-1k"]), 3, &["accept the licence"]);
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
    fails(&run(&["data", "path", "minst"]), 2, &["minst", "fashion-mnist"]);
    fails(&run(&["data", "path", "mnist", "--offline"]), 3, &["no data directory is set", "harness data fetch mnist"]);
    let png = folder.path().join("sheet.png");
    let show = ["data", "show", "mnist-sample", "--crop-padding", "2", "--auto-augment", "cifar", "--out"];
    let shown = run(&[&show[..], &[png.to_str().unwrap()]].concat());
    assert!(shown.status.success() && std::fs::read(&png).unwrap().starts_with(b"\x89PNG"), "{shown:?}");
    fails(&run(&["data", "show", "mnist-sample", "--auto-augment", "svhn"]), 2, &["`cifar` and `imagenet`"]);
    assert!(server.log().is_empty(), "{:?}", server.log());
}

#[test]
fn augmentation_is_part_of_a_run() {
    let (folder, server) = (tempfile::tempdir().unwrap(), Server::start());
    let small = ["run", "--width", "16", "--train-limit", "512", "--epochs", "1"];
    let run = |more: &[&str]| {
        let output = harness(folder.path(), &server, &[&small[..], more].concat());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap()
    };
    let (plain, policy) = (run(&[]), run(&["--auto-augment", "cifar", "--resized-crop"]));
    assert_eq!(plain["spec"]["recipe"].get("auto_augment"), None, "a spec without it keeps its name");
    assert_eq!(policy["spec"]["recipe"]["auto_augment"], "cifar");
    assert_ne!(plain["run_id"], policy["run_id"]);
    assert_ne!(plain["curve"][0]["train_loss"], policy["curve"][0]["train_loss"]);
    let wrong = harness(folder.path(), &server, &["run", "--auto-augment", "svhn"]);
    fails(&wrong, 2, &["svhn", "cifar", "imagenet"]);
}
