//! CIFAR's binary layout: records of label bytes and then the image, red, green, blue plane, with no header.
//!
//! Each problem is a verb phrase that follows the file's name.

use crate::format::idx::checked_label;
use crate::format::images::Images;

/// Appends `count` records to `images`, whose shape gives the image's size; the last of `label_bytes` is the class,
/// below `classes`.
pub(crate) fn append(
    content: &[u8],
    label_bytes: usize,
    count: usize,
    classes: usize,
    images: &mut Images,
) -> Result<(), String> {
    let record = label_bytes + images.image_len();
    if content.len() > count * record {
        return Err(format!("continues after its {count} records of {record} bytes"));
    }
    if !content.len().is_multiple_of(record) {
        return Err(format!("has {} bytes, which is not a multiple of its {record}-byte record", content.len()));
    }
    if content.len() != count * record {
        return Err(format!("has {} records, not {count}", content.len() / record));
    }
    images.labels.reserve(count);
    images.pixels.reserve(count * images.image_len());
    for (index, record) in content.chunks_exact(record).enumerate() {
        images.labels.push(checked_label(index, record[label_bytes - 1], classes)?);
        images.pixels.extend_from_slice(&record[label_bytes..]);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn empty() -> Images {
        Images { shape: [3, 1, 1], pixels: Vec::new(), labels: Vec::new() }
    }

    #[test]
    fn the_last_label_byte_is_the_class() {
        let mut images = empty();
        append(&[1, 10, 20, 30, 0, 40, 50, 60], 1, 2, 2, &mut images).unwrap();
        append(&[9, 1, 70, 80, 90], 2, 1, 2, &mut images).unwrap();
        assert_eq!(images.labels, [1, 0, 1]);
        assert_eq!(images.pixels, [10, 20, 30, 40, 50, 60, 70, 80, 90]);
    }

    #[test]
    fn wrong_sizes_and_labels_are_named() {
        let problem = |content: &[u8]| append(content, 1, 2, 2, &mut empty()).unwrap_err();
        assert_eq!(problem(&[0; 7]), "has 7 bytes, which is not a multiple of its 4-byte record");
        assert_eq!(problem(&[0; 4]), "has 1 records, not 2");
        assert_eq!(problem(&[0; 9]), "continues after its 2 records of 4 bytes");
        assert_eq!(problem(&[0, 0, 0, 0, 2, 0, 0, 0]), "labels image 1 as class 2, of classes 0 to 1");
    }
}
