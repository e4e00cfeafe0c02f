//! Unpacking archives whose digest was compared before: nothing leaves the folder, nothing grows beyond its bounds.

use crate::manifest::ArchiveFormat;
use flate2::bufread::GzDecoder;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, Read, Write};
use std::path::{Component, Path, PathBuf};

/// No archive here has more entries; Tiny-ImageNet's has 120,609.
const MAX_ENTRIES: usize = 400_000;

/// What may come out of an archive.
pub(crate) struct Bounds<'a> {
    /// Bytes of everything inside, wanted or not, headers included.
    pub(crate) bytes: u64,
    /// The folder inside the archive from which files are taken; everything else stays in it.
    pub(crate) root: &'a str,
    /// Whether a file is wanted, by its path below `root`.
    pub(crate) wanted: &'a dyn Fn(&Path) -> bool,
}

/// Why an archive does not come out.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The archive is at fault: a verb phrase after its name.
    #[error("{0}")]
    Archive(String),
    /// This machine is: the file cannot be written.
    #[error("cannot be unpacked to {} ({})", .0.display(), .1)]
    Disk(PathBuf, io::Error),
}

impl Failure {
    fn damaged(error: impl std::fmt::Display) -> Self {
        Self::Archive(format!("cannot be unpacked ({error})"))
    }

    /// A file that cannot be made: for its name, which is the archive's fault, or else this machine's.
    fn making(target: &Path, error: io::Error) -> Self {
        use io::ErrorKind as Kind;
        match error.kind() {
            Kind::AlreadyExists | Kind::IsADirectory | Kind::NotADirectory => {}
            Kind::InvalidFilename | Kind::InvalidInput => {}
            _ => return Self::Disk(target.to_owned(), error),
        }
        Self::Archive(format!("cannot be unpacked to {} ({error})", target.display()))
    }
}

/// Unpacks the wanted files of `archive` into `folder`.
///
/// An entry with a path that leaves the archive's own tree, a link, a device, a second file of one name, or more bytes
/// than the bounds allow ends it with [`Failure::Archive`]. Files written before that stay in `folder`, for the caller
/// to remove.
pub(crate) fn unpack(format: ArchiveFormat, archive: &Path, folder: &Path, bounds: &Bounds) -> Result<(), Failure> {
    let unreadable = |error| Failure::Archive(format!("cannot be read ({error})"));
    let file = BufReader::new(File::open(archive).map_err(unreadable)?);
    match format {
        ArchiveFormat::TarGz => untar(file, folder, bounds),
        ArchiveFormat::Zip => unzip(file, folder, bounds),
        ArchiveFormat::Files => Err(Failure::Archive("is no archive".to_owned())),
    }
}

/// [`unpack`] of a gzipped tar.
pub(crate) fn untar(archive: impl io::BufRead, folder: &Path, bounds: &Bounds) -> Result<(), Failure> {
    let content = Bounded { inner: GzDecoder::new(archive), left: bounds.bytes };
    let mut tar = tar::Archive::new(content);
    for (count, entry) in tar.entries().map_err(Failure::damaged)?.enumerate() {
        let mut entry = entry.map_err(Failure::damaged)?;
        let kind = entry.header().entry_type();
        if kind.is_pax_global_extensions() {
            continue;
        }
        let name = entry.path().map_err(Failure::damaged)?.into_owned();
        if !(kind.is_file() || kind.is_dir()) {
            return Err(neither(&name));
        }
        if let Some(target) = target(&name, count, folder, bounds)?
            && kind.is_file()
        {
            write(&mut entry, &target)?;
        }
    }
    // The checksum stands at the end of the stream, behind the last entry.
    io::copy(&mut tar.into_inner(), &mut io::sink()).map(drop).map_err(Failure::damaged)
}

/// [`unpack`] of a zip.
pub(crate) fn unzip(archive: impl io::Read + io::Seek, folder: &Path, bounds: &Bounds) -> Result<(), Failure> {
    let mut zip = zip::ZipArchive::new(archive).map_err(Failure::damaged)?;
    let mut left = bounds.bytes;
    for index in 0..zip.len() {
        let entry = zip.by_index(index).map_err(Failure::damaged)?;
        let name = PathBuf::from(&*entry.name().map_err(Failure::damaged)?);
        if entry.is_symlink() {
            return Err(neither(&name));
        }
        let is_file = !entry.is_dir();
        if let Some(target) = target(&name, index, folder, bounds)?
            && is_file
        {
            let mut content = Bounded { inner: entry, left };
            write(&mut content, &target)?;
            left = content.left;
        }
    }
    Ok(())
}

fn neither(name: &Path) -> Failure {
    Failure::Archive(format!("holds {}, which is neither a file nor a folder", name.display()))
}

/// Where the entry `name` goes; nowhere if it is not wanted.
fn target(name: &Path, count: usize, folder: &Path, bounds: &Bounds) -> Result<Option<PathBuf>, Failure> {
    if count >= MAX_ENTRIES {
        return Err(Failure::Archive(format!("has more than {MAX_ENTRIES} entries")));
    }
    let mut path = PathBuf::new();
    for component in name.components() {
        match component {
            Component::Normal(part) => path.push(part),
            Component::CurDir => {}
            _ => return Err(Failure::Archive(format!("holds {}, a path that leaves its folder", name.display()))),
        }
    }
    let inside =
        path.strip_prefix(bounds.root).ok().filter(|rest| !rest.as_os_str().is_empty() && (bounds.wanted)(rest));
    Ok(inside.map(|rest| folder.join(rest)))
}

/// A new file: what is there already, link or not, is never written through.
fn write(content: &mut impl Read, target: &Path) -> Result<(), Failure> {
    let making = |error| Failure::making(target, error);
    fs::create_dir_all(target.parent().expect("a file in a folder")).map_err(making)?;
    let mut file = OpenOptions::new().write(true).create_new(true).open(target).map_err(making)?;
    copy(content, &mut file, target)
}

/// Like [`io::copy`], which does not tell whether reading or writing failed.
fn copy(content: &mut impl Read, file: &mut impl Write, target: &Path) -> Result<(), Failure> {
    let mut buffer = [0; 1 << 14];
    loop {
        let read = match content.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(Failure::damaged(error)),
        };
        file.write_all(&buffer[..read]).map_err(|error| Failure::Disk(target.to_owned(), error))?;
    }
}

/// A reader that fails once it has given `left` bytes and there are more.
struct Bounded<R> {
    inner: R,
    left: u64,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let room = buffer.len().min(usize::try_from(self.left).unwrap_or(usize::MAX).saturating_add(1));
        let read = self.inner.read(&mut buffer[..room])?;
        self.left = self
            .left
            .checked_sub(read as u64)
            .ok_or_else(|| io::Error::other("it unpacks to more bytes than the data set has"))?;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{gzip, tar_of, zip_of};
    use std::io::Cursor;

    fn unpacked(format: ArchiveFormat, archive: &[u8], bytes: u64) -> Result<Vec<(String, Vec<u8>)>, String> {
        let outside = tempfile::tempdir().unwrap();
        let folder = outside.path().join("inside");
        fs::create_dir(&folder).unwrap();
        let bounds = Bounds { bytes, root: "set", wanted: &|path| path.extension().is_some_and(|e| e == "bin") };
        let outcome = match format {
            ArchiveFormat::Zip => unzip(Cursor::new(archive), &folder, &bounds),
            _ => untar(archive, &folder, &bounds),
        };
        assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 1, "something was written outside");
        let mut files = Vec::new();
        let mut folders = vec![folder.clone()];
        while let Some(next) = folders.pop() {
            for entry in fs::read_dir(next).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    let name = path.strip_prefix(&folder).unwrap().to_string_lossy().into_owned();
                    files.push((name, fs::read(&path).unwrap()));
                }
            }
        }
        files.sort_unstable();
        outcome.map(|()| files).map_err(|failure| match failure {
            Failure::Archive(problem) => problem,
            Failure::Disk(..) => panic!("{failure}"),
        })
    }

    #[test]
    fn a_full_disk_is_not_the_archives_fault() {
        /// A disk with room for some bytes.
        struct Disk(usize);
        impl Write for Disk {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                let room = self.0.min(bytes.len());
                self.0 -= room;
                if room == 0 { Err(io::ErrorKind::StorageFull.into()) } else { Ok(room) }
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let copy = |disk: usize, bound: u64| {
            copy(&mut Bounded { inner: &[7; 40_000][..], left: bound }, &mut Disk(disk), Path::new("x/a.bin"))
        };
        assert!(copy(40_000, 40_000).is_ok());
        let Err(Failure::Disk(path, error)) = copy(20_000, 40_000) else { panic!("there is no room") };
        assert_eq!((path.to_str(), error.kind()), (Some("x/a.bin"), io::ErrorKind::StorageFull));
        assert!(matches!(copy(40_000, 20_000), Err(Failure::Archive(_))), "too long is the archive's fault");
    }

    #[test]
    fn wanted_files_come_out_and_nothing_else() {
        let files: &[(&str, &[u8])] =
            &[("set/a.bin", b"a"), ("./set/sub/b.bin", b"bb"), ("set/readme.txt", b"no"), ("other/c.bin", b"no")];
        let expected = vec![("a.bin".to_owned(), b"a".to_vec()), ("sub/b.bin".to_owned(), b"bb".to_vec())];
        assert_eq!(unpacked(ArchiveFormat::TarGz, &gzip(&tar_of(files), "", 6), 1 << 20).unwrap(), expected);
        assert_eq!(unpacked(ArchiveFormat::Zip, &zip_of(files), 1 << 20).unwrap(), expected);
    }

    #[test]
    fn paths_that_leave_the_folder_are_refused() {
        for name in ["../evil.bin", "set/../../evil.bin", "/tmp/evil.bin", "set/x/../../../evil.bin"] {
            let zip = unpacked(ArchiveFormat::Zip, &zip_of(&[(name, b"x")]), 1 << 20).unwrap_err();
            assert!(zip.contains("leaves its folder"), "{zip}");
            let tar = unpacked(ArchiveFormat::TarGz, &gzip(&tar_of(&[(name, b"x")]), "", 6), 1 << 20).unwrap_err();
            assert!(tar.contains("leaves its folder"), "{tar}");
        }
    }

    #[test]
    fn links_and_second_files_of_one_name_are_refused() {
        for kind in [tar::EntryType::Symlink, tar::EntryType::Link, tar::EntryType::Fifo] {
            let mut tar = tar::Builder::new(Vec::new());
            let mut header = tar::Header::new_gnu();
            header.set_entry_type(kind);
            header.set_size(0);
            tar.append_link(&mut header, "set/a.bin", "/etc/passwd").unwrap();
            let problem =
                unpacked(ArchiveFormat::TarGz, &gzip(&tar.into_inner().unwrap(), "", 6), 1 << 20).unwrap_err();
            assert!(problem.contains("set/a.bin, which is neither"), "{problem}");
        }
        let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
        zip.add_symlink("set/a.bin", "/etc/passwd", zip::write::SimpleFileOptions::default()).unwrap();
        let problem = unpacked(ArchiveFormat::Zip, &zip.finish().unwrap().into_inner(), 1 << 20).unwrap_err();
        assert!(problem.contains("neither a file"), "{problem}");
        let twice: &[(&str, &[u8])] = &[("set/a.bin", b"first"), ("./set/a.bin", b"second")];
        assert!(unpacked(ArchiveFormat::TarGz, &gzip(&tar_of(twice), "", 6), 1 << 20).unwrap_err().contains("exists"));
    }

    #[test]
    fn bombs_stop_at_their_bound() {
        let zeros = vec![0; 5_000_000];
        let tar = gzip(&tar_of(&[("set/a.bin", &zeros)]), "", 9);
        assert!(tar.len() < 20_000);
        assert!(
            unpacked(ArchiveFormat::TarGz, &tar, 100_000).unwrap_err().contains("more bytes than the data set has")
        );
        // Nobody wants it, but it would be decompressed all the same.
        let hidden = gzip(&tar_of(&[("other/a.bin", &zeros)]), "", 9);
        assert!(unpacked(ArchiveFormat::TarGz, &hidden, 100_000).unwrap_err().contains("more bytes"));
        let zip = zip_of(&[("set/a.bin", &zeros)]);
        assert!(zip.len() < 20_000);
        assert!(unpacked(ArchiveFormat::Zip, &zip, 100_000).unwrap_err().contains("more bytes"));
        let many: &[(&str, &[u8])] = &[("set/a.bin", &zeros[..60_000]), ("set/b.bin", &zeros[..60_000])];
        assert!(unpacked(ArchiveFormat::Zip, &zip_of(many), 100_000).unwrap_err().contains("more bytes"));
    }

    #[test]
    fn sizes_that_lie_do_not_help_a_bomb() {
        // A zip that declares ten bytes, in its directory and at the entry.
        let mut zip = zip_of(&[("set/a.bin", &vec![0; 5_000_000])]);
        for (mark, at) in [(b"PK\x03\x04", 22), (b"PK\x01\x02", 24)] {
            let start = zip.windows(4).position(|window| window == mark).unwrap() + at;
            zip[start..start + 4].copy_from_slice(&10u32.to_le_bytes());
        }
        assert!(unpacked(ArchiveFormat::Zip, &zip, 100_000).is_err());
        // A file that declares more than there is, and a name of five megabytes, which a reader holds in memory.
        let entry = |kind: tar::EntryType, size: u64, content: &[u8]| {
            let mut header = tar::Header::new_gnu();
            header.set_path("set/a.bin").unwrap();
            header.set_entry_type(kind);
            header.set_size(size);
            header.set_cksum();
            gzip(&[&header.as_bytes()[..], content].concat(), "", 9)
        };
        let name = entry(tar::EntryType::GNULongName, 5_000_000, &vec![b'a'; 5_000_000]);
        assert!(unpacked(ArchiveFormat::TarGz, &name, 100_000).unwrap_err().contains("more bytes"));
        let short = entry(tar::EntryType::Regular, 1 << 40, b"short");
        assert!(unpacked(ArchiveFormat::TarGz, &short, 100_000).is_err());
    }

    #[test]
    fn long_names_are_names() {
        let (long, folder) = ("x".repeat(180), "set/".to_owned() + &"y".repeat(90));
        let name = format!("{folder}/{long}.bin");
        let expected = vec![(name.strip_prefix("set/").unwrap().to_owned(), b"a".to_vec())];
        let mut header = tar::Header::new_gnu();
        header.set_size(1);
        header.set_mode(0o644);
        let mut gnu = tar::Builder::new(Vec::new());
        gnu.append_data(&mut header.clone(), &name, &b"a"[..]).unwrap();
        let gnu = gnu.into_inner().unwrap();
        let mut pax = tar::Builder::new(Vec::new());
        pax.append_pax_extensions([("mtime", &b"1.5"[..]), ("path", name.as_bytes())]).unwrap();
        pax.append_data(&mut header, "short", &b"a"[..]).unwrap();
        let pax = pax.into_inner().unwrap();
        for tar in [gnu, pax] {
            assert_eq!(unpacked(ArchiveFormat::TarGz, &gzip(&tar, "", 6), 1 << 20).unwrap(), expected);
        }
        let mut evil = tar::Builder::new(Vec::new());
        evil.append_pax_extensions([("path", &b"set/../../evil.bin"[..])]).unwrap();
        let mut header = tar::Header::new_gnu();
        header.set_size(1);
        evil.append_data(&mut header, "set/a.bin", &b"a"[..]).unwrap();
        let problem = unpacked(ArchiveFormat::TarGz, &gzip(&evil.into_inner().unwrap(), "", 6), 1 << 20).unwrap_err();
        assert!(problem.contains("leaves its folder"), "{problem}");
    }

    #[test]
    fn damage_and_truncation_are_errors() {
        let files: &[(&str, &[u8])] = &[("set/a.bin", b"some bytes that do not repeat 0123456789")];
        for (format, whole) in
            [(ArchiveFormat::TarGz, gzip(&tar_of(files), "", 6)), (ArchiveFormat::Zip, zip_of(files))]
        {
            for length in (1..whole.len()).step_by(7) {
                assert!(unpacked(format, &whole[..length], 1 << 20).is_err(), "{format:?} cut at {length}");
            }
        }
        // Every byte of the file inside: caught by the checksum.
        let whole = zip_of(files);
        let word = |at: usize| usize::from(u16::from_le_bytes([whole[at], whole[at + 1]]));
        let (start, length) = (30 + word(26) + word(28), word(18));
        assert!(length > 20 && start + length < whole.len());
        for at in start..start + length {
            let mut lies = whole.clone();
            lies[at] ^= 0x55;
            assert!(unpacked(ArchiveFormat::Zip, &lies, 1 << 20).is_err(), "byte {at}");
        }
        let mut page = gzip(b"<html>not found</html>", "", 6);
        assert!(unpacked(ArchiveFormat::TarGz, &page, 1 << 20).is_err());
        page.write_all(b"x").unwrap();
        assert!(unpacked(ArchiveFormat::Zip, &page, 1 << 20).is_err());
    }
}
