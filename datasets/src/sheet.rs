//! A contact sheet: what augmentation makes of some images, with their classes, as a PNG.

use font8x8::legacy::BASIC_LEGACY;

use crate::{augment::Augment, dataset::Dataset, order::epoch_order, picture::Picture};

/// Images in a row.
const COLUMNS: usize = 8;
/// Rows.
const ROWS: usize = 8;
/// The side of an image on the sheet is at least this; small images are enlarged by whole numbers.
const SIDE: usize = 96;
/// Pixels below an image for its class, and between images.
const CAPTION: usize = 12;
const GAP: usize = 4;

/// 64 training images as a PNG: in each row an image as it is and seven augmentations of it, those of seven epochs, with class number and name below. Of a
/// stream, 64 augmented images of the first epoch.
///
/// # Errors
/// A sentence, if a streamed image cannot be read.
pub fn contact_sheet(data: &Dataset, augment: Augment, seed: u64) -> Result<Vec<u8>, String> {
    let cells = match &data.stream {
        None => augmentations(data, augment, seed),
        Some(stream) => {
            let batch =
                stream.train(seed, 0, COLUMNS * ROWS, augment).next().unwrap_or_else(|| Err("no images".into()))?;
            let pictures = batch
                .pixels
                .chunks_exact(stream.image_len())
                .map(|planes| Picture::from_planes(planes, data.train.shape));
            pictures.zip(batch.labels).collect()
        }
    };
    Ok(draw(&cells, &data.class_names).encode_png())
}

fn augmentations(data: &Dataset, augment: Augment, seed: u64) -> Vec<(Picture, u16)> {
    let (images, shape) = (&data.train, data.train.shape);
    let mut cells = Vec::new();
    for index in epoch_order(seed, 0, images.len()).into_iter().take(ROWS) {
        let (image, label) = (images.image(index as usize), images.labels[index as usize]);
        cells.push((Picture::from_planes(image, shape), label));
        for epoch in 0..COLUMNS as u64 - 1 {
            let mut planes = vec![0; image.len()];
            augment.apply(image, shape, &mut planes, seed, epoch, u64::from(index));
            cells.push((Picture::from_planes(&planes, shape), label));
        }
    }
    cells
}

fn draw(cells: &[(Picture, u16)], names: &[String]) -> Picture {
    let Some((first, _)) = cells.first() else {
        return Picture { width: 1, height: 1, channels: 3, pixels: vec![0; 3] };
    };
    let zoom = SIDE.div_ceil(first.width.max(first.height)).max(1);
    let (width, height) = (first.width * zoom + GAP, first.height * zoom + CAPTION + GAP);
    let (columns, rows) = (COLUMNS.min(cells.len()), cells.len().div_ceil(COLUMNS));
    let (width_all, height_all) = (columns * width, rows * height);
    let mut sheet =
        Picture { width: width_all, height: height_all, channels: 3, pixels: vec![255; width_all * height_all * 3] };
    for (place, (picture, label)) in cells.iter().enumerate() {
        let (left, top) = (place % COLUMNS * width, place / COLUMNS * height);
        for (row, column) in
            (0..picture.height * zoom).flat_map(|row| (0..picture.width * zoom).map(move |column| (row, column)))
        {
            let from = ((row / zoom) * picture.width + column / zoom) * picture.channels;
            let pixel = &picture.pixels[from..from + picture.channels];
            let to = ((top + row) * sheet.width + left + column) * 3;
            sheet.pixels[to..to + 3].copy_from_slice(&[
                pixel[0],
                pixel[picture.channels / 2],
                pixel[picture.channels - 1],
            ]);
        }
        let name = names.get(usize::from(*label)).map_or("", String::as_str);
        write(&mut sheet, left, top + picture.height * zoom + 2, &format!("{label} {name}"), (width - GAP) / 8);
    }
    sheet
}

/// Writes at most `room` characters in black from `(left, top)` on; what is not ASCII becomes `?`.
fn write(sheet: &mut Picture, left: usize, top: usize, text: &str, room: usize) {
    for (place, character) in text.chars().take(room).enumerate() {
        let glyph = BASIC_LEGACY[if character.is_ascii() { character as usize } else { usize::from(b'?') }];
        for (row, bits) in glyph.into_iter().enumerate() {
            for column in (0..8).filter(|column| bits >> column & 1 == 1) {
                let at = ((top + row) * sheet.width + left + place * 8 + column) * 3;
                sheet.pixels[at..at + 3].fill(0);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{LoadOptions, load};

    #[test]
    fn a_sheet_shows_images_and_captions() {
        let data = load("mnist-sample", &LoadOptions::default()).unwrap();
        let augment = Augment { flip: true, crop_padding: 4, ..Augment::default() };
        let png = contact_sheet(&data, augment, 1).unwrap();
        let sheet = Picture::decode(&png, 3).unwrap();
        assert_eq!((sheet.width, sheet.height), (8 * (28 * 4 + GAP), 8 * (28 * 4 + CAPTION + GAP)));
        // The first image itself, four times as large.
        let first = epoch_order(1, 0, data.train.len())[0] as usize;
        let image = data.train.image(first);
        for (at, &value) in image.iter().enumerate() {
            let pixel = ((at / 28 * 4) * sheet.width + at % 28 * 4) * 3;
            assert_eq!(sheet.pixels[pixel..pixel + 3], [value; 3]);
        }
        let caption = &sheet.pixels[112 * sheet.width * 3..124 * sheet.width * 3];
        assert!(caption.contains(&0) && caption.contains(&255));
        assert_eq!(png, contact_sheet(&data, augment, 1).unwrap());
        assert_ne!(png, contact_sheet(&data, augment, 2).unwrap());
    }
}
