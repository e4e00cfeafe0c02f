//! Stored JSON that tells whether it is whole: an object whose first line is the digest of the rest of the text.

use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

const DIGEST_LINE: [&str; 2] = ["{\n  \"digest\": \"", "\",\n"];

fn digest(text: &str) -> String {
    format!("sha256:{}", Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect::<String>())
}

/// `value` as it is stored.
pub fn seal(value: &impl Serialize) -> String {
    let text = serde_json::to_string_pretty(value).expect("plain data");
    let rest = text.strip_prefix("{\n").expect("an object");
    format!("{}{}{}{rest}", DIGEST_LINE[0], digest(rest), DIGEST_LINE[1])
}

/// Whether `text` tells its digest, as all that [`seal`] makes does.
pub fn is_sealed(text: &str) -> bool {
    text.starts_with(DIGEST_LINE[0])
}

/// What [`seal`] was given. A text of before there were digests is taken as it is.
///
/// # Errors
/// What is wrong with the text, in words.
pub fn unseal<T: DeserializeOwned>(text: &str) -> std::result::Result<T, String> {
    let told = text.strip_prefix(DIGEST_LINE[0]).and_then(|text| text.split_once(DIGEST_LINE[1]));
    if told.is_some_and(|(told, rest)| told != digest(rest)) {
        return Err("its content is not the one that was written: the digest differs".into());
    }
    serde_json::from_str(text).map_err(|e| format!("it cannot be read: {e}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    type Value = BTreeMap<String, u64>;

    #[test]
    fn every_flipped_bit_and_every_cut_is_seen() {
        let value: Value = [("one".to_string(), 1), ("many".to_string(), 123_456_789)].into();
        let whole = seal(&value);
        // In the words before the digest nothing of the value can be hit; they then say less than they did.
        for place in DIGEST_LINE[0].len()..whole.len() {
            for bit in 0..8 {
                let mut flipped = whole.clone().into_bytes();
                flipped[place] ^= 1 << bit;
                let read = String::from_utf8(flipped).map_err(|e| e.to_string());
                assert!(read.and_then(|text| unseal::<Value>(&text)).is_err(), "bit {bit} of byte {place}");
            }
            assert!(unseal::<Value>(&whole[..place]).is_err(), "{place} bytes");
        }
        let before = serde_json::to_string_pretty(&value).unwrap();
        assert_eq!(unseal::<Value>(&before).unwrap(), value);
    }
}
