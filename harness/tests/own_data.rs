//! A data set of one's own: 200 images in PNG and JPEG, trained on by the real program from a folder and a manifest.

mod common;

use common::{run, stderr};
use std::path::{Path, PathBuf};
use std::process::Output;

fn text(output: &Output) -> String {
    assert!(output.status.success(), "{}", stderr(output));
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// Fails with exit code `code` and an error that has every one of `words`.
fn fails(output: &Output, code: i32, words: &[&str]) {
    let text = stderr(output);
    assert_eq!(output.status.code(), Some(code), "{text}");
    for word in words {
        assert!(text.contains(word), "no `{word}` in: {text}");
    }
}

/// Image `index` of a class: stripes along one side or the other, of any size, every third a JPEG.
fn draw(folder: &Path, class: usize, index: usize) {
    std::fs::create_dir_all(folder).unwrap();
    let (width, height) = (16 + index as u32 % 5, 16 + index as u32 % 7);
    let image = image::RgbImage::from_fn(width, height, |x, y| {
        let along = if class == 0 { x } else { y };
        let bright = if along / 3 % 2 == 0 { 220 } else { 30 };
        image::Rgb([bright, bright / 2 + index as u8 % 40, (index * 3 % 100) as u8])
    });
    image.save(folder.join(format!("{index}.{}", if index.is_multiple_of(3) { "jpg" } else { "png" }))).unwrap();
}

/// 200 images in a folder a class, or in `train` and `val`.
fn stripes(parent: &Path, split: bool) -> PathBuf {
    let dir = parent.join("stripes");
    for index in 0..200 {
        let class = index % 2;
        let below = match split {
            true => {
                if index < 160 {
                    "train"
                } else {
                    "val"
                }
            }
            false => "",
        };
        draw(&dir.join(below).join(["down", "across"][class]), class, index);
    }
    dir
}

const SMALL: [&str; 12] =
    ["run", "--rule", "bp", "--width", "32", "--batch", "20", "--epochs", "4", "--lr", "0.003", "--dataset"];

#[test]
fn a_folder_and_its_manifest_are_one_run_and_no_result_has_a_path() {
    for split in [false, true] {
        let (parent, results) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let dir = stripes(parent.path(), split);
        let dir = dir.to_str().unwrap();
        let trained = |dataset: &str| run(results.path(), &[&SMALL[..], &[dataset]].concat());
        let first = trained(dir);
        let result: serde_json::Value = serde_json::from_str(&text(&first)).unwrap();
        assert_eq!((&result["data"]["name"], &result["data"]["verified"]), (&"stripes".into(), &true.into()));
        assert_eq!((&result["data"]["train"], &result["data"]["test"]), (&160.into(), &40.into()));
        assert_eq!(result["data"]["digest"].as_str().unwrap().len(), 64);
        assert!(result["test_accuracy"].as_f64().unwrap() > 85.0, "{}", result["test_accuracy"]);
        let run_folder = std::fs::read_dir(results.path().join("runs")).unwrap().next().unwrap().unwrap().path();
        for file in ["spec.toml", "result.json"] {
            let kept = std::fs::read_to_string(run_folder.join(file)).unwrap();
            assert!(kept.contains("stripes") && !kept.contains(parent.path().to_str().unwrap()), "{kept}");
        }

        let manifest = text(&run(results.path(), &["data", "describe", dir]));
        let manifest = manifest.trim();
        assert!(manifest.ends_with("stripes/dataset.toml"), "{manifest}");
        for form in [manifest, dir] {
            let again = trained(form);
            assert!(stderr(&again).contains("is in the store already"), "{}", stderr(&again));
            assert_eq!(text(&again), text(&first));
        }
        // Another manifest of the same images is another run.
        let changed = std::fs::read_to_string(manifest).unwrap().replace("resize = 16", "resize = 18");
        std::fs::write(manifest, changed).unwrap();
        let other = trained(manifest);
        assert!(!stderr(&other).contains("is in the store already") && text(&other) != text(&first));

        assert!(text(&run(results.path(), &["data", "verify", dir])).contains("ok    200 images"));
        assert!(text(&run(results.path(), &["networks", "mlp-2x800", "--input", dir])).contains("3x16x16       2"));
        // A sweep's processes find it, too, and its page has the name alone.
        let sweep = [
            "sweep",
            "--rule",
            "bp",
            "--dataset",
            dir,
            "--network",
            "mlp-2x800",
            "--width",
            "16",
            "--epochs",
            "1",
            "--as",
            "stripes-lr",
            "--over",
            "recipe.lr=0.001,0.003",
            "--jobs",
            "1",
        ];
        let page = text(&run(results.path(), &sweep));
        assert!(page.contains("stripes") && !page.contains(parent.path().to_str().unwrap()), "{page}");
        // What is left of a run names no path: who resumes it names the data set again.
        let spec = run_folder.join("spec.toml");
        fails(
            &run(results.path(), &["run", "--spec", spec.to_str().unwrap()]),
            2,
            &["there is no data set `stripes`", "your own by its folder or manifest"],
        );
    }
}

#[test]
fn what_is_wrong_with_ones_own_data_is_said_before_a_run() {
    let (parent, results) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let dir = stripes(parent.path(), true);
    let trained = || run(results.path(), &[&SMALL[..], &[dir.to_str().unwrap()]].concat());
    let describe = || run(results.path(), &["data", "describe", dir.to_str().unwrap()]);
    text(&describe());
    text(&trained());
    // What somebody wrote into the manifest stays, and a manifest that is none is not written over.
    let manifest = dir.join("dataset.toml");
    let first = std::fs::read_to_string(&manifest).unwrap();
    std::fs::write(&manifest, first.replace("\"none stated\"", "\"CC0\"")).unwrap();
    let again = describe();
    assert!(stderr(&again).contains("kept of the manifest that was there: `licence`"), "{}", stderr(&again));
    assert!(std::fs::read_to_string(&manifest).unwrap().contains("licence = \"CC0\""));
    std::fs::write(&manifest, "name = ").unwrap();
    fails(&describe(), 2, &["dataset.toml is there and is no manifest", "remove it to start afresh"]);
    assert_eq!(std::fs::read_to_string(&manifest).unwrap(), "name = ");
    std::fs::write(&manifest, first).unwrap();
    let nowhere = ["data", "describe", dir.to_str().unwrap(), "--out", "no/such/own.toml"];
    fails(&run(results.path(), &nowhere), 2, &["no/such cannot hold a manifest", "make that folder first"]);
    // Changed content of an image, an image more, a damaged one, a class that is gone.
    let victim = dir.join("val/down/198.jpg");
    let sound = std::fs::read(&victim).unwrap();
    std::fs::copy(dir.join("val/down/160.png"), &victim).unwrap();
    fails(&trained(), 3, &["are not those that were described", "run `harness data describe", "--allow-unverified"]);
    let verified = run(results.path(), &["data", "verify", dir.to_str().unwrap()]);
    fails(&verified, 1, &["not the content that was described", "run `harness data describe", "--allow-unverified"]);
    let allowed = run(results.path(), &[&SMALL[..], &[dir.to_str().unwrap(), "--allow-unverified"]].concat());
    assert!(stderr(&allowed).contains("NOT the content that was described"), "{}", stderr(&allowed));
    // Nobody publishes files or digests of one's own data.
    for output in [&trained(), &verified, &allowed] {
        let said = stderr(output) + &String::from_utf8_lossy(&output.stdout);
        assert!(!said.contains("official") && !said.contains("published"), "{said}");
    }
    std::fs::write(dir.join("val/down/more.png"), &sound).unwrap();
    fails(&trained(), 2, &["has 41 images under val, not 40", "run `harness data describe"]);
    std::fs::remove_file(dir.join("val/down/more.png")).unwrap();
    std::fs::write(&victim, &sound[..sound.len() / 2]).unwrap();
    fails(&trained(), 3, &["are not those that were described"]);
    fails(&describe(), 2, &["198.jpg", "no sound PNG or JPEG", "replace or remove"]);
    std::fs::remove_dir_all(dir.join("val/down")).unwrap();
    fails(&trained(), 2, &["val/down"]);
    fails(&describe(), 2, &["has no class `down` in `val`, which `train` has"]);
    fails(&run(results.path(), &["run", "--dataset", "no/such/folder"]), 2, &["no/such/folder cannot be found"]);
}
