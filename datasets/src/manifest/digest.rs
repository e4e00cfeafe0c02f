//! Content digests, written `sha256:<hex>`, `sha1:<hex>` or `md5:<hex>`.

use crate::error::DataError;
use sha2::Digest as _;
use std::str::FromStr;
use std::{fmt, io};

/// A hash function that a data set's owner published digests of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// SHA-256, 64 hexadecimal digits.
    Sha256,
    /// SHA-1, 40 hexadecimal digits; only where nothing else is published.
    Sha1,
    /// MD5, 32 hexadecimal digits; only of archives whose makers state nothing else. It tells damage, not malice.
    Md5,
}

/// A digest and what made it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(try_from = "String")]
pub struct Digest {
    /// The hash function.
    pub algorithm: Algorithm,
    /// The digest in lowercase hexadecimal.
    pub hex: String,
}

impl Digest {
    /// The digest of `content`.
    pub fn of(algorithm: Algorithm, content: &[u8]) -> Self {
        let hex = match algorithm {
            Algorithm::Sha256 => hex(&sha2::Sha256::digest(content)),
            Algorithm::Sha1 => hex(&sha1::Sha1::digest(content)),
            Algorithm::Md5 => hex(&md5::Md5::digest(content)),
        };
        Self { algorithm, hex }
    }

    /// The digest of all that `content` gives, in one pass and little memory.
    ///
    /// # Errors
    /// The reader's.
    pub fn of_reader(algorithm: Algorithm, content: &mut impl io::Read) -> io::Result<Self> {
        fn digest<D: sha2::Digest>(content: &mut impl io::Read) -> io::Result<String> {
            let (mut hasher, mut buffer) = (D::new(), vec![0; 1 << 16]);
            loop {
                match content.read(&mut buffer)? {
                    0 => return Ok(hex(&hasher.finalize())),
                    read => hasher.update(&buffer[..read]),
                }
            }
        }
        let hex = match algorithm {
            Algorithm::Sha256 => digest::<sha2::Sha256>(content)?,
            Algorithm::Sha1 => digest::<sha1::Sha1>(content)?,
            Algorithm::Md5 => digest::<md5::Md5>(content)?,
        };
        Ok(Self { algorithm, hex })
    }

    /// The SHA-256 of `content`.
    pub fn sha256(content: &[u8]) -> Self {
        Self::of(Algorithm::Sha256, content)
    }
}

/// Lowercase hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let algorithm = match self.algorithm {
            Algorithm::Sha256 => "sha256",
            Algorithm::Sha1 => "sha1",
            Algorithm::Md5 => "md5",
        };
        write!(f, "{algorithm}:{}", self.hex)
    }
}

impl FromStr for Digest {
    type Err = DataError;

    fn from_str(text: &str) -> Result<Self, DataError> {
        let wrong = |problem| DataError::Manifest { problem: format!("digest `{text}` {problem}") };
        let (algorithm, length, hex) = match text.split_once(':') {
            Some(("sha256", hex)) => (Algorithm::Sha256, 64, hex),
            Some(("sha1", hex)) => (Algorithm::Sha1, 40, hex),
            Some(("md5", hex)) => (Algorithm::Md5, 32, hex),
            _ => {
                return Err(wrong("does not start with `sha256:`, `sha1:` or `md5:`".to_owned()));
            }
        };
        if hex.len() != length || !hex.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f')) {
            return Err(wrong(format!("does not have {length} lowercase hexadecimal digits")));
        }
        Ok(Self { algorithm, hex: hex.to_owned() })
    }
}

impl TryFrom<String> for Digest {
    type Error = DataError;

    fn try_from(text: String) -> Result<Self, DataError> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The values of `printf abc | sha256sum`, and of `sha1sum` and `md5sum` (FIPS 180's and RFC 1321's own example).
    #[test]
    fn known_digests_parse_and_print() {
        for text in [
            "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
            "sha1:a9993e364706816aba3e25717850c26c9cd0d89d",
            "md5:900150983cd24fb0d6963f7d28e17f72",
        ] {
            let digest: Digest = text.parse().unwrap();
            assert_eq!(Digest::of(digest.algorithm, b"abc"), digest);
            assert_eq!(Digest::of_reader(digest.algorithm, &mut &b"abc"[..]).unwrap(), digest);
            assert_eq!(digest.to_string(), text);
        }
    }

    #[test]
    fn malformed_digests_are_named() {
        for text in [
            "abc",
            "crc:900150983cd24fb0d6963f7d28e17f72",
            "sha1:a999",
            "sha1:A9993E364706816ABA3E25717850C26C9CD0D89D",
        ] {
            assert!(text.parse::<Digest>().unwrap_err().to_string().contains(text));
        }
    }
}
