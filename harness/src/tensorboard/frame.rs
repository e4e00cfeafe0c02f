//! TFRecord: a record between its length and checksums.

/// `data` as a record: its length as u64, a masked CRC-32C of that, the data, a masked CRC-32C of them; little-endian.
pub fn of(data: &[u8]) -> Vec<u8> {
    let length = (data.len() as u64).to_le_bytes();
    [&length[..], &masked(&length), data, &masked(data)].concat()
}

/// The records at the beginning of `bytes` that are whole.
pub fn whole(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let length = usize::try_from(u64::from_le_bytes(rest.get(..8)?.try_into().ok()?)).ok()?;
        let data = rest.get(12..length.checked_add(12)?)?;
        let end = length.checked_add(16)?;
        (rest.get(length + 12..end)? == masked(data)).then(|| rest = &rest[end..])?;
        Some(data)
    })
}

/// The checksum as TFRecord hides it, so that one of data with checksums in it is not weaker.
fn masked(data: &[u8]) -> [u8; 4] {
    crc32c::crc32c(data).rotate_right(15).wrapping_add(0xa282_ead8).to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    // python3 -c "
    // from tensorboard.summary.writer.record_writer import RecordWriter
    // import io; f = io.BytesIO(); RecordWriter(f).write(b'123456789'); print(f.getvalue().hex())"
    #[test]
    fn a_record_is_tensorboards_own_bytes() {
        let hex: String = of(b"123456789").iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, "090000000000000037f97139313233343536373839e5b08ac7");
    }

    #[test]
    fn whole_records_come_back_up_to_one_that_is_cut_or_changed() {
        let mut bytes = [of(b"one"), of(b""), of(b"three")].concat();
        assert_eq!(whole(&bytes).collect::<Vec<_>>(), [&b"one"[..], b"", b"three"]);
        assert_eq!(whole(&bytes[..bytes.len() - 1]).count(), 2);
        let last = bytes.len() - 6;
        bytes[last] ^= 1;
        assert_eq!(whole(&bytes).count(), 2);
        assert_eq!(whole(&u64::MAX.to_le_bytes().repeat(3)).count(), 0);
    }
}
