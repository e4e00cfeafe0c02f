//! A saved network's bytes: safetensors whose metadata have one entry, `sll`, the card as sealed JSON
//! ([`crate::sealed`]).

use super::card::{Card, VERSION};
use super::tensors::{F32, Tensors, digest, values};
use crate::atomic::write_atomically;
use crate::error::{Error, Result};
use crate::sealed;
use burn::tensor::{Tensor, TensorData};
use safetensors::{SafeTensors, serialize};
use serde::Deserialize;
use std::collections::HashMap;
use std::fmt::Display;
use std::path::Path;

/// The one entry of the metadata.
const ENTRY: &str = "sll";

/// Checks that a file can be written at `path`, before there is something to write.
pub fn check_path(path: &Path) -> Result<()> {
    if path.is_dir() {
        return Err(Error::Input(format!("{} is a folder; name a file in it", path.display())));
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    match tempfile::tempfile_in(folder) {
        Ok(_) => Ok(()),
        Err(error) => {
            let folder = folder.display();
            Err(Error::Missing(format!("cannot write in {folder}: {error}; name a file in a folder that is there")))
        }
    }
}

/// Writes `tensors`, all of them f32, and their card, whole or not at all.
pub fn write(path: &Path, card: &Card, tensors: Tensors) -> Result<()> {
    write_text(path, sealed::seal(card), tensors)
}

fn write_text(path: &Path, card: String, tensors: Tensors) -> Result<()> {
    let tensors = tensors.into_iter().map(|(name, data)| (name, F32(data)));
    write_all(path, tensors, Some(HashMap::from([(ENTRY.to_string(), card)])))
}

fn write_all<N: AsRef<str> + Ord + Display>(
    path: &Path,
    tensors: impl IntoIterator<Item = (N, F32)>,
    metadata: Option<HashMap<String, String>>,
) -> Result<()> {
    let content = serialize(tensors, metadata);
    let content = content.map_err(|e| Error::Failed(format!("{} cannot be made: {e}", path.display())))?;
    write_atomically(path, &content)
}

/// Card and tensors of a file's `bytes`, or what is wrong with it, in words.
pub fn read(bytes: &[u8]) -> std::result::Result<(Card, Tensors), String> {
    let foreign = "it is no network that `harness run --save` wrote";
    let damaged = |e| format!("{foreign}, or it is damaged ({e})");
    let (_, head) = SafeTensors::read_metadata(bytes).map_err(damaged)?;
    let card = head.metadata().as_ref().and_then(|entries| entries.get(ENTRY));
    let card = card.ok_or_else(|| format!("{foreign}: its metadata have no entry `{ENTRY}`"))?;
    let card = checked(card)?;
    let found = SafeTensors::deserialize(bytes).map_err(damaged)?;
    let tensors =
        found.iter().map(|(name, view)| Ok((name.to_string(), values(name, view.dtype(), view.shape(), view.data())?)));
    let tensors = tensors.collect::<std::result::Result<Tensors, String>>()?;
    match digest(&tensors) == card.tensors {
        true => Ok((card, tensors)),
        false => Err("it is damaged: the digest of its tensors differs".into()),
    }
}

/// The card, if it is of a version that this program reads, and whole.
fn checked(text: &str) -> std::result::Result<Card, String> {
    #[derive(Deserialize)]
    struct Versioned {
        version: Option<u32>,
    }
    let version = serde_json::from_str::<Versioned>(text).ok().and_then(|card| card.version);
    match version {
        Some(version) if version != VERSION => Err(format!(
            "it is of version {version} of the layout and this program reads version {VERSION}; use the \
             program that wrote it"
        )),
        _ if !sealed::is_sealed(text) => Err("it is damaged: its card has no digest".into()),
        _ => sealed::unseal(text).map_err(|why| format!("its card: {why}")),
    }
}

/// Class scores of images, and their labels.
#[derive(Default)]
pub struct Scores {
    scores: Vec<f32>,
    labels: Vec<f32>,
}

impl Scores {
    /// Appends a batch's scores `[b, K]` and its labels.
    pub fn add(&mut self, scores: &Tensor<2>, labels: &[u16]) {
        self.scores.extend(scores.to_data().convert::<f32>().iter::<f32>());
        self.labels.extend(labels.iter().map(|&label| f32::from(label)));
    }

    /// Writes `scores [n, K]` and `labels [n]` to `path`, both f32.
    pub fn write(self, path: &Path) -> Result<()> {
        let images = self.labels.len();
        let classes = self.scores.len() / images.max(1);
        let tensors = [("scores", self.scores, vec![images, classes]), ("labels", self.labels, vec![images])];
        let tensors = tensors.map(|(name, values, shape)| (name, F32(TensorData::new(values, shape))));
        write_all(path, tensors, None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::card::{CardResult, TrainedOn};
    use crate::record::example;
    use safetensors::Dtype;
    use serde_json::Value;

    fn tensors() -> Tensors {
        let weight = TensorData::new(vec![0.5f32, -1.0, 2.0, 0.25, 1e-30, -7.5], [2, 3]);
        [("layers.0.weight".to_string(), weight), ("layers.0.bias".into(), TensorData::new(vec![1.0f32, 2.0], [2]))]
            .into()
    }

    fn card() -> Card {
        let run = example::run(3, 97.25);
        Card {
            version: VERSION,
            run_id: run.run_id,
            numerics: run.numerics,
            layers: vec!["dense 3 -> 2".into()],
            data: TrainedOn {
                name: run.data.name,
                digest: run.data.digest,
                verified: true,
                shape: [1, 1, 3],
                classes: 2,
                class_names: vec!["a".into(), "b".into()],
                mean: vec![0.1307],
                std: vec![0.3081],
            },
            result: CardResult { test_accuracy: Some(97.25), evaluated_on: "test".into(), epochs: 3, seed: 3 },
            provenance: run.provenance,
            spec: run.spec,
            tensors: digest(&tensors()),
        }
    }

    /// The bytes of a file whose card is `text`.
    fn file(text: String) -> Vec<u8> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.safetensors");
        write_text(&path, text, tensors()).unwrap();
        std::fs::read(path).unwrap()
    }

    #[test]
    fn card_and_tensors_come_back_and_the_bytes_are_the_same_each_time() {
        let whole = file(sealed::seal(&card()));
        assert_eq!(read(&whole).unwrap(), (card(), tensors()));
        assert_eq!(whole, file(sealed::seal(&card())));
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_refused_or_changes_nothing() {
        let whole = file(sealed::seal(&card()));
        for place in 0..whole.len() {
            for bit in 0..8 {
                let mut flipped = whole.clone();
                flipped[place] ^= 1 << bit;
                let read = read(&flipped);
                assert!(read.is_err() || read == Ok((card(), tensors())), "bit {bit} of byte {place}");
            }
            assert!(read(&whole[..place]).is_err(), "{place} bytes");
        }
    }

    #[test]
    fn what_is_missing_or_of_another_version_or_foreign_is_said() {
        let without = |key: &str| {
            let mut card = serde_json::to_value(card()).unwrap();
            card.as_object_mut().unwrap().remove(key);
            read(&file(sealed::seal(&card))).unwrap_err()
        };
        for key in ["spec", "data", "result", "version", "tensors"] {
            assert!(without(key).contains(&format!("`{key}`")), "{}", without(key));
        }
        let newer = read(&file(sealed::seal(&Card { version: 2, ..card() }))).unwrap_err();
        assert!(newer.contains("version 2") && newer.contains("version 1"), "{newer}");
        let edited = read(&file(sealed::seal(&card()).replace("97.25", "98.25"))).unwrap_err();
        assert!(edited.contains("digest"), "{edited}");
        let bare = read(&file(serde_json::to_string(&serde_json::to_value(card()).unwrap()).unwrap())).unwrap_err();
        assert!(bare.contains("no digest"), "{bare}");
        let foreign = serialize(tensors().into_iter().map(|(name, data)| (name, F32(data))), None).unwrap();
        assert!(read(&foreign).unwrap_err().contains("no entry `sll`"));
        assert!(read(b"a text").unwrap_err().contains("damaged"));
    }

    #[test]
    fn it_is_plain_safetensors_with_one_entry_of_metadata() {
        // Read by the crate alone, as any other reader would.
        let whole = file(sealed::seal(&card()));
        let found = SafeTensors::deserialize(&whole).unwrap();
        let bias = found.tensor("layers.0.bias").unwrap();
        assert_eq!(
            (bias.dtype(), bias.shape(), bias.data()),
            (Dtype::F32, &[2][..], &[0, 0, 128, 63, 0, 0, 0, 64][..])
        );
        let (_, head) = SafeTensors::read_metadata(&whole).unwrap();
        let card: Value = serde_json::from_str(&head.metadata().as_ref().unwrap()["sll"]).unwrap();
        assert_eq!(card["spec"]["dataset"], "mnist-sample");
        assert_eq!(card["data"]["mean"][0].as_f64().unwrap() as f32, 0.1307);
    }

    #[test]
    fn a_file_that_cannot_be_written_is_known_beforehand() {
        let folder = tempfile::tempdir().unwrap();
        check_path(&folder.path().join("model.safetensors")).unwrap();
        assert!(check_path(folder.path()).unwrap_err().to_string().contains("is a folder"));
        let nowhere = check_path(&folder.path().join("no/model.safetensors")).unwrap_err().to_string();
        assert!(nowhere.contains("a folder that is there"), "{nowhere}");
        // A bare name lies in the present folder.
        check_path(Path::new("model.safetensors")).unwrap();
    }
}
