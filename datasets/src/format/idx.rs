//! IDX, MNIST's format: a big-endian header (magic, then one `u32` for each dimension), then bytes.
//!
//! Each problem is a verb phrase that follows the file's name.

/// Bytes before the pixels: magic, count, rows, columns.
pub(crate) const IMAGES_HEADER: usize = 16;
/// Bytes before the labels: magic, count.
pub(crate) const LABELS_HEADER: usize = 8;

/// Unsigned bytes in three dimensions, and in one.
const IMAGES_MAGIC: u32 = 0x0803;
const LABELS_MAGIC: u32 = 0x0801;

/// The pixels of `count` images of `shape` (one channel), `count * H * W` bytes.
pub(crate) fn images(mut content: Vec<u8>, count: usize, shape: [usize; 3]) -> Result<Vec<u8>, String> {
    check(&content, IMAGES_MAGIC, &[count, shape[1], shape[2]])?;
    content.drain(..IMAGES_HEADER);
    Ok(content)
}

/// `count` labels, each below `classes`.
pub(crate) fn labels(content: &[u8], count: usize, classes: usize) -> Result<Vec<u16>, String> {
    check(content, LABELS_MAGIC, &[count])?;
    content[LABELS_HEADER..].iter().enumerate().map(|(index, &label)| checked_label(index, label, classes)).collect()
}

/// A label of image `index` that is below `classes`.
pub(crate) fn checked_label(index: usize, label: u8, classes: usize) -> Result<u16, String> {
    if usize::from(label) < classes {
        Ok(u16::from(label))
    } else {
        Err(format!("labels image {index} as class {label}, of classes 0 to {}", classes - 1))
    }
}

/// Compares header and length with what the manifest says; nothing is taken from the header.
fn check(content: &[u8], magic: u32, dimensions: &[usize]) -> Result<(), String> {
    let word = |index: usize| {
        content.get(4 * index..4 * index + 4).map(|bytes| u32::from_be_bytes(bytes.try_into().expect("four bytes")))
    };
    let header = 4 * (1 + dimensions.len());
    if let Some(found) = word(0)
        && found != magic
    {
        return Err(format!("starts with {found:#010x}, where IDX has {magic:#010x}"));
    }
    let declared: Option<Vec<u32>> = (1..=dimensions.len()).map(word).collect();
    let Some(declared) = declared else {
        return Err(format!("ends inside its header, after {} of {header} bytes", content.len()));
    };
    if declared.iter().zip(dimensions).any(|(&declared, &expected)| declared as usize != expected) {
        return Err(format!("declares dimensions {declared:?}, not {dimensions:?}"));
    }
    let expected = header + dimensions.iter().product::<usize>();
    if content.len() < expected {
        return Err(format!("ends after {} of {expected} bytes", content.len()));
    }
    if content.len() > expected {
        return Err(format!("continues after its {expected} bytes"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LABELS: [u8; 11] = [0, 0, 8, 1, 0, 0, 0, 3, 2, 0, 1];

    /// Two images of 1 x 2, the header written out.
    fn two_images() -> Vec<u8> {
        [&[0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2][..], &[10, 20, 30, 40]].concat()
    }

    #[test]
    fn reads_what_the_header_announces() {
        assert_eq!(images(two_images(), 2, [1, 1, 2]).unwrap(), [10, 20, 30, 40]);
        assert_eq!(labels(&LABELS, 3, 3).unwrap(), [2, 0, 1]);
    }

    #[test]
    fn every_truncation_is_an_error_that_says_where() {
        for length in 0..two_images().len() {
            let problem = images(two_images()[..length].to_vec(), 2, [1, 1, 2]).unwrap_err();
            let expected = if length < 16 {
                format!("ends inside its header, after {length} of 16 bytes")
            } else {
                format!("ends after {length} of 20 bytes")
            };
            assert_eq!(problem, expected);
        }
        for length in 0..LABELS.len() {
            assert!(labels(&LABELS[..length], 3, 3).unwrap_err().starts_with("ends "));
        }
    }

    #[test]
    fn wrong_headers_labels_and_lengths_are_named() {
        assert_eq!(
            images(LABELS.to_vec(), 3, [1, 1, 1]).unwrap_err(),
            "starts with 0x00000801, where IDX has 0x00000803"
        );
        assert_eq!(images(two_images(), 2, [1, 2, 1]).unwrap_err(), "declares dimensions [2, 1, 2], not [2, 2, 1]");
        assert_eq!(labels(&LABELS, 4, 3).unwrap_err(), "declares dimensions [3], not [4]");
        assert_eq!(labels(&LABELS, 3, 2).unwrap_err(), "labels image 0 as class 2, of classes 0 to 1");
        assert_eq!(labels(&[&LABELS[..], &[0]].concat(), 3, 3).unwrap_err(), "continues after its 11 bytes");
    }

    #[test]
    fn a_huge_declared_count_allocates_nothing() {
        let huge = [0, 0, 8, 3, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255];
        assert!(images(huge.to_vec(), 2, [1, 1, 2]).unwrap_err().contains("4294967295"));
    }
}
