//! Whether a JPEG is whole, from its markers alone.

const START_OF_SCAN: u8 = 0xda;
const END: u8 = 0xd9;
/// Markers without a length, and the zero that makes a byte 0xff of an image's data be one.
const BARE: [u8; 10] = [0x00, 0x01, 0xd0, 0xd1, 0xd2, 0xd3, 0xd4, 0xd5, 0xd6, 0xd7];

/// Whether `encoded`, from the start marker on, comes to the end marker of its own image: segments, thumbnails in them
/// included, are stepped over, and what follows the end does not matter. Like libjpeg it passes over bytes that belong
/// to no segment; a scan's data are such bytes to it.
pub(crate) fn is_whole(encoded: &[u8]) -> bool {
    let (mut rest, mut scans) = (encoded.get(2..).unwrap_or_default(), 0);
    loop {
        let Some(marker) = next_marker(&mut rest) else { return false };
        match marker {
            END => return scans > 0,
            marker if BARE.contains(&marker) => continue,
            START_OF_SCAN => scans += 1,
            _ => {}
        }
        let Some((&[high, low], _)) = rest.split_first_chunk() else { return false };
        let Some(after) = rest.get(usize::from(u16::from_be_bytes([high, low])).max(2)..) else { return false };
        rest = after;
    }
}

/// The byte after the next run of 0xff; `rest` continues behind it.
fn next_marker(rest: &mut &[u8]) -> Option<u8> {
    let run = &rest[rest.iter().position(|&byte| byte == 0xff)?..];
    let behind = &run[run.iter().position(|&byte| byte != 0xff)?..];
    let (&marker, after) = behind.split_first()?;
    *rest = after;
    Some(marker)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::picture::Picture;

    /// From `reference/jpegs.py`: a scan for each part of the spectrum; restart markers; a thumbnail in an EXIF
    /// segment.
    const SAMPLES: [&[u8]; 3] = [
        include_bytes!("../../reference/progressive.jpg"),
        include_bytes!("../../reference/restarts.jpg"),
        include_bytes!("../../reference/thumbnail.jpg"),
    ];

    #[test]
    fn whole_ones_are_whole_with_anything_behind_them() {
        for jpeg in SAMPLES {
            assert!(is_whole(jpeg));
            for garbage in [&b"\0\0\0"[..], b"\xff", b"\xff\xd8\xff\xe1\xff\xff", b"text"] {
                let longer = [jpeg, garbage].concat();
                assert!(is_whole(&longer));
                assert_eq!(Picture::decode(&longer, 3), Picture::decode(jpeg, 3));
            }
            assert_eq!(Picture::decode(jpeg, 3).map(|picture| (picture.width, picture.height)), Ok((48, 40)));
        }
    }

    #[test]
    fn no_truncation_is_whole() {
        for jpeg in SAMPLES {
            for length in 0..jpeg.len() {
                assert!(!is_whole(&jpeg[..length]), "{length} of {}", jpeg.len());
                assert!(Picture::decode(&jpeg[..length], 3).is_err(), "{length} of {}", jpeg.len());
            }
        }
        let thumbnail = SAMPLES[2].windows(2).filter(|pair| *pair == [0xff, END]).count();
        assert_eq!(thumbnail, 2, "the sample holds a second end");
    }

    /// What libjpeg lets pass with a warning: bytes between segments, and fill bytes before a marker.
    #[test]
    fn strays_between_segments_are_passed_over() {
        let jpeg = SAMPLES[1];
        let end = jpeg.len() - 2;
        assert!(is_whole(&[&jpeg[..end], b"\x12\xff\xff", &jpeg[end..]].concat()));
        assert!(is_whole(&[&jpeg[..2], b"\x34\xff", &jpeg[2..]].concat()));
        assert!(!is_whole(&[0xff, 0xd8, 0xff, END]), "no image at all");
    }
}
