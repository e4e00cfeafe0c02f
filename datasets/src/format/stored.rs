//! The decompressed content of one file, never more of it than the manifest allows.

use crate::error::DataError;
use flate2::bufread::GzDecoder;
use std::fs::File;
use std::io::{BufRead, BufReader, Error, ErrorKind, Read};
use std::path::PathBuf;

/// Where a file's bytes are.
#[derive(Clone, Debug)]
pub(crate) enum Bytes {
    /// In the file system.
    At(PathBuf),
    /// In the program.
    Embedded(&'static [u8]),
}

/// One file as it lies: plain or gzipped.
#[derive(Clone, Debug)]
pub(crate) struct StoredFile {
    /// What messages call it.
    pub(crate) name: String,
    /// Its bytes.
    pub(crate) bytes: Bytes,
    /// Whether they are a gzip stream.
    pub(crate) gzip: bool,
}

impl StoredFile {
    /// The content, of which `expected` bytes are wanted. Content that is longer comes back cut after `expected + 1`
    /// bytes, so that neither a large file nor a gzip bomb fills the memory; the caller compares lengths.
    pub(crate) fn read(&self, dataset: &str, expected: usize) -> Result<Vec<u8>, DataError> {
        let refused = |source| DataError::Read { dataset: dataset.to_owned(), file: self.name.clone(), source };
        let stored: Box<dyn BufRead> = match &self.bytes {
            Bytes::At(path) => Box::new(BufReader::with_capacity(1 << 16, File::open(path).map_err(refused)?)),
            Bytes::Embedded(bytes) => Box::new(*bytes),
        };
        let mut content = Vec::with_capacity(expected + 1);
        let limit = expected as u64 + 1;
        let outcome = match self.gzip {
            true => gunzip(stored, limit, &mut content),
            false => stored.take(limit).read_to_end(&mut content).map(drop),
        };
        match outcome {
            Ok(()) => Ok(content),
            Err(error) if self.gzip && error.kind() == ErrorKind::UnexpectedEof => Err(self.corrupt(
                dataset,
                format!("is a gzip stream that ends early, after {} of {expected} bytes of content", content.len()),
            )),
            Err(error) if self.gzip && matches!(error.kind(), ErrorKind::InvalidInput | ErrorKind::InvalidData) => {
                Err(self.corrupt(dataset, format!("is not a sound gzip stream ({error})")))
            }
            Err(error) => Err(refused(error)),
        }
    }

    /// This file's [`DataError::Corrupt`].
    pub(crate) fn corrupt(&self, dataset: &str, problem: String) -> DataError {
        DataError::Corrupt { dataset: dataset.to_owned(), file: Some(self.name.clone()), problem, fetched: false }
    }
}

/// How every member of a gzip stream begins.
const MAGIC: [u8; 2] = [0x1f, 0x8b];

/// The content of a gzip stream's members, no more than `limit` bytes. Zeros behind a member pad it, as for gzip(1):
/// tapes and disks have blocks.
fn gunzip(mut stored: impl BufRead, limit: u64, content: &mut Vec<u8>) -> std::io::Result<()> {
    let mut otherwise = "it begins like none; if it was unpacked already, take .gz off its name";
    loop {
        let head = stored.fill_buf()?;
        if !MAGIC.starts_with(&head[..head.len().min(MAGIC.len())]) {
            return Err(Error::new(ErrorKind::InvalidData, otherwise));
        }
        otherwise = "something else follows its end";
        GzDecoder::new(&mut stored).take(limit - content.len() as u64).read_to_end(content)?;
        if content.len() as u64 == limit {
            return Ok(());
        }
        loop {
            let buffer = stored.fill_buf()?;
            let zeros = buffer.iter().take_while(|byte| **byte == 0).count();
            match buffer.len() {
                0 => return Ok(()),
                length if zeros < length => break stored.consume(zeros),
                _ => stored.consume(zeros),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::gzip;

    fn read(stored: Vec<u8>, gzip: bool, expected: usize) -> Result<Vec<u8>, DataError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, stored).unwrap();
        StoredFile { name: "file".into(), bytes: Bytes::At(path), gzip }.read("set", expected)
    }

    #[test]
    fn plain_and_gzipped_content_is_the_same() {
        assert_eq!(read(b"content".to_vec(), false, 7).unwrap(), b"content");
        assert_eq!(read(gzip(b"content", "", 9), true, 7).unwrap(), b"content");
        assert_eq!(read(gzip(b"content", "a name", 1), true, 7).unwrap(), b"content");
    }

    #[test]
    fn members_follow_each_other_and_zeros_pad_them() {
        let member = |content: &[u8]| gzip(content, "", 9);
        let zeros = vec![0; 100_000];
        let several = [member(b"con"), member(b""), member(b"tent")].concat();
        let padded = [&member(b"con")[..], &zeros, &member(b"tent"), &zeros].concat();
        for stored in [several, [&member(b"content")[..], &zeros].concat(), padded] {
            assert_eq!(read(stored, true, 7).unwrap(), b"content");
        }
        let garbage = [&member(b"content")[..], &zeros, b"more"].concat();
        assert!(read(garbage, true, 7).unwrap_err().to_string().contains("gzip stream"));
    }

    #[test]
    fn content_is_cut_one_byte_after_what_is_wanted() {
        let bomb = gzip(&vec![0; 10_000_000], "", 9);
        assert_eq!(read(bomb, true, 100).unwrap().len(), 101);
        assert_eq!(read(vec![0; 1000], false, 100).unwrap().len(), 101);
    }

    #[test]
    fn a_gzip_stream_cut_anywhere_is_an_error() {
        let content: Vec<u8> = (0..200).map(|i| (i * i % 251) as u8).collect();
        let whole = gzip(&content, "", 9);
        for length in 0..whole.len() {
            let message = read(whole[..length].to_vec(), true, 200).unwrap_err().to_string();
            assert!(
                message.starts_with("data set `set`: file is a gzip stream that ends early"),
                "{length}: {message}"
            );
        }
    }

    #[test]
    fn damage_and_trailing_bytes_are_errors() {
        let mut damaged = gzip(b"some content", "", 9);
        let checksum = damaged.len() - 8;
        damaged[checksum] ^= 1;
        let trailing = [gzip(b"some content", "", 9), b"more".to_vec()].concat();
        for stored in [damaged, trailing, b"not gzip at all".to_vec()] {
            let message = read(stored, true, 12).unwrap_err().to_string();
            assert!(
                message.contains("gzip stream") && message.ends_with("replace it with the official file"),
                "{message}"
            );
        }
    }

    #[test]
    fn a_file_that_was_unpacked_under_its_old_name_and_one_with_more_behind_it_are_told_apart() {
        // As an IDX file begins.
        let told = |stored: Vec<u8>| read(stored, true, 12).unwrap_err().to_string();
        for plain in [&b"\0\0\x08\x03 and more"[..], b"\0", b"<html>"] {
            assert!(told(plain.to_vec()).contains("take .gz off its name"), "{plain:?}");
        }
        let trailing = told([gzip(b"some content", "", 9), b"more".to_vec()].concat());
        assert!(trailing.contains("something else follows its end"), "{trailing}");
    }

    #[test]
    fn a_file_that_cannot_be_read_is_named() {
        let missing =
            StoredFile { name: "gone.bin".into(), bytes: Bytes::At("/nonexistent/gone.bin".into()), gzip: false };
        let message = missing.read("set", 1).unwrap_err().to_string();
        assert!(message.starts_with("data set `set`: cannot read gone.bin ("), "{message}");
    }
}
