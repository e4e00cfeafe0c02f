//! TFRecord: a record between its length and checksums.

/// `data` as a record: its length as u64, a masked CRC-32C of that, the data, a masked CRC-32C of them; little-endian.
pub fn of(data: &[u8]) -> Vec<u8> {
    let length = (data.len() as u64).to_le_bytes();
    [&length[..], &masked(&length), data, &masked(data)].concat()
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
}
