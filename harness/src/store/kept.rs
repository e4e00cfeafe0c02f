//! The file that a run's state is kept in, the one before it, and the seal that tells a whole one.
//!
//! ```text
//! "sll checkpoint 2\n"   SHA-256 of all that follows [32]   blocks, each behind its length as u64, little endian
//! ```
//!
//! A file of before, without that line, is set aside like a damaged one: nothing in it says whether it is whole.

use crate::atomic::remove;
use crate::error::{Error, Result};
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

const FIRST_LINE: &[u8] = b"sll checkpoint 2\n";
const DIGEST: usize = 32;

/// Where a run's state is kept.
#[derive(Clone, Debug)]
pub struct CheckpointFiles(PathBuf);

impl CheckpointFiles {
    /// At `path`, with the state before it in `<path>.previous`.
    pub fn at(path: PathBuf) -> Self {
        Self(path)
    }

    /// In a run's folder.
    pub(super) fn of(folder: &Path) -> Self {
        Self::at(folder.join("checkpoint.bin"))
    }

    /// The latest.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The one before it.
    pub fn previous(&self) -> PathBuf {
        beside(&self.0, "previous")
    }

    /// Both, latest first.
    pub fn all(&self) -> [PathBuf; 2] {
        [self.0.clone(), self.previous()]
    }

    /// Whether there is any, whole or not.
    pub fn exist(&self) -> bool {
        self.all().iter().any(|path| path.exists())
    }

    /// Moves the latest to the place of the one before it.
    pub(crate) fn make_room(&self) -> Result<()> {
        match fs::rename(&self.0, self.previous()) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(Error::file("move", &self.0, e)),
            _ => Ok(()),
        }
    }

    /// Forgets the one before the latest.
    pub fn remove_previous(&self) -> Result<()> {
        remove(&self.previous())
    }

    /// Forgets both.
    pub fn remove(&self) -> Result<()> {
        self.all().iter().try_for_each(|path| remove(path))
    }
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(ending);
    name.into()
}

/// Moves a file that cannot be used to `<path>.damaged`, for whoever wants to look at it; gives the sentence about it.
pub fn set_aside(path: &Path, why: &str) -> Result<String> {
    let aside = beside(path, "damaged");
    fs::rename(path, &aside).map_err(|e| Error::file("set aside", path, e))?;
    Ok(format!("{} cannot be used ({why}); it is set aside as {}", path.display(), aside.display()))
}

/// The parts of a file of `blocks` whose wholeness can be told.
pub(crate) fn pack(blocks: &[Vec<u8>]) -> Vec<Cow<'_, [u8]>> {
    let length = |block: &Vec<u8>| (block.len() as u64).to_le_bytes().to_vec();
    let content: Vec<Cow<[u8]>> =
        blocks.iter().flat_map(|block| [length(block).into(), block.as_slice().into()]).collect();
    let mut digest = Sha256::new();
    content.iter().for_each(|part| digest.update(part));
    let seal = [FIRST_LINE, digest.finalize().as_slice()].concat();
    std::iter::once(seal.into()).chain(content).collect()
}

/// The first block of the file at `path`, to look at while somebody else may replace it: whether the file is whole is
/// not asked. Nothing where there is no such file or block.
pub(crate) fn first_block(path: &Path) -> Option<Vec<u8>> {
    let mut file = fs::File::open(path).ok()?;
    let mut start = [0; FIRST_LINE.len() + DIGEST + 8];
    file.read_exact(&mut start).ok()?;
    let length = u64::from_le_bytes(*start.strip_prefix(FIRST_LINE)?.last_chunk()?);
    let mut block = Vec::new();
    file.take(length).read_to_end(&mut block).ok()?;
    (block.len() as u64 == length).then_some(block)
}

/// The blocks of a file that is whole.
pub(crate) fn unpack(bytes: &[u8]) -> std::result::Result<Vec<Vec<u8>>, String> {
    let sealed =
        bytes.strip_prefix(FIRST_LINE).ok_or("it is damaged, or an earlier version wrote it, without a digest")?;
    let (digest, mut rest) = sealed.split_at_checked(DIGEST).ok_or("it ends inside its digest")?;
    if Sha256::digest(rest)[..] != *digest {
        return Err("its content is not the one that was written: the digest differs".into());
    }
    let mut blocks = Vec::new();
    while !rest.is_empty() {
        let (length, after) = rest.split_first_chunk().ok_or("it ends inside a length")?;
        let length = usize::try_from(u64::from_le_bytes(*length)).map_err(|e| e.to_string())?;
        let (block, after) = after.split_at_checked(length).ok_or("a length is larger than the file")?;
        blocks.push(block.to_vec());
        rest = after;
    }
    Ok(blocks)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(blocks: &[Vec<u8>]) -> Vec<u8> {
        pack(blocks).concat()
    }

    #[test]
    fn blocks_come_back_and_every_flipped_bit_and_every_cut_is_seen() {
        let blocks = vec![b"head".to_vec(), Vec::new(), vec![0; 9], vec![255]];
        let whole = file(&blocks);
        assert_eq!(unpack(&whole).unwrap(), blocks);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        assert_eq!(first_block(&path), None);
        for (length, found) in
            [(whole.len(), Some(b"head".to_vec())), (FIRST_LINE.len() + DIGEST + 11, None), (9, None)]
        {
            fs::write(&path, &whole[..length]).unwrap();
            assert_eq!(first_block(&path), found, "{length} bytes");
        }
        for bit in 0..8 * whole.len() {
            let mut flipped = whole.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(unpack(&flipped).is_err(), "bit {bit}");
        }
        for length in 0..whole.len() {
            assert!(unpack(&whole[..length]).is_err(), "{length} bytes");
        }
        assert!(unpack(&[&whole[..], b"more"].concat()).is_err());
    }

    #[test]
    fn the_latest_makes_room_and_what_is_of_no_use_is_set_aside() {
        let folder = tempfile::tempdir().unwrap();
        let kept = CheckpointFiles::at(folder.path().join("checkpoint.bin"));
        kept.make_room().unwrap();
        assert!(!kept.exist());
        fs::write(kept.path(), "1").unwrap();
        kept.make_room().unwrap();
        assert!(kept.exist(), "the one before the latest is one");
        fs::write(kept.path(), "2").unwrap();
        assert_eq!(kept.all().map(|path| fs::read_to_string(path).unwrap()), ["2", "1"]);
        let sentence = set_aside(kept.path(), "it is wrong").unwrap();
        assert!(sentence.contains("it is wrong") && sentence.contains("checkpoint.bin.damaged"), "{sentence}");
        assert_eq!(fs::read_to_string(folder.path().join("checkpoint.bin.damaged")).unwrap(), "2");
        kept.remove().unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
