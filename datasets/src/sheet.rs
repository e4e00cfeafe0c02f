//! A contact sheet: what augmentation makes of some images, with their classes, as a PNG.

use crate::augment::{Augment, Policy};
use crate::error::DataError;
use crate::format::images::Images;
use crate::format::picture::Picture;
use crate::serve::order::epoch_order;
use crate::serve::{Dataset, Served};
use font8x8::legacy::BASIC_LEGACY;

/// Images in a row.
const COLUMNS: usize = 8;
/// Rows.
const ROWS: usize = 8;
/// The side of an image on the sheet is at least this; small images are enlarged by whole numbers.
const SIDE: usize = 128;
/// White between images, and around the sheet.
const GAP: usize = 8;
/// Height of a line of text at scale 1, with its white.
const LINE: usize = 12;

/// One image and what stands below it.
type Cell = (Picture, String);

/// Some images of a data set on one sheet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContactSheet {
    /// The sheet.
    pub png: Vec<u8>,
    /// What is on it, in words.
    pub shown: String,
}

/// Training images with class number and name below: eight, each as it is and augmented as in epochs 1 to 7; 64
/// different ones where nothing is augmented, or of a stream. A heading says which data set, which augmentation and
/// which seed.
///
/// # Errors
/// [`DataError::Image`] if a streamed image cannot be read, [`DataError::Empty`] if there is none.
pub fn contact_sheet(data: &Dataset, augment: Augment, seed: u64) -> Result<ContactSheet, DataError> {
    let caption = |label: u16| {
        let name = data.class_names.get(usize::from(label)).map_or("", String::as_str);
        if name == label.to_string() { name.to_owned() } else { format!("{label} {name}") }
    };
    let (order, cells): (_, Vec<Cell>) = match &data.images {
        Served::Memory(splits) if augment == Augment::default() => (
            "the first images of epoch 1",
            in_order(&splits.train, seed, COLUMNS * ROWS, caption).map(|(_, cell)| cell).collect(),
        ),
        Served::Memory(splits) => {
            let cells = augmentations(&splits.train, augment, seed, caption);
            ("first column as it is, then epochs 1 to 7", cells)
        }
        Served::Stream(stream) => {
            let none = || DataError::Empty { dataset: data.name.clone() };
            let batch = stream.train(seed, 0, COLUMNS * ROWS, augment).next().unwrap_or_else(|| Err(none()))?;
            let planes = batch.pixels.chunks_exact(stream.image_len());
            let pictures = planes.map(|planes| Picture::from_planes(planes, data.shape));
            ("the first images of epoch 1", pictures.zip(batch.labels.into_iter().map(caption)).collect())
        }
    };
    let how = format!("{}, seed {seed}; {order}", described(augment));
    let shown = format!("training images of {}: {how}", data.name);
    Ok(ContactSheet { png: draw(&[data.name.clone(), how], &cells).encode_png(), shown })
}

/// What is done to images, in words.
fn described(augment: Augment) -> String {
    let parts = [
        augment.resized_crop.then(|| "random resized crop".to_owned()),
        (augment.crop_padding > 0).then(|| format!("random crop after padding by {}", augment.crop_padding)),
        augment.flip.then(|| "random flip".to_owned()),
        augment.policy.map(|policy| match policy {
            Policy::Cifar => "AutoAugment (cifar)".to_owned(),
            Policy::ImageNet => "AutoAugment (imagenet)".to_owned(),
        }),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    if parts.is_empty() { "no augmentation".to_owned() } else { parts.join(", ") }
}

/// The first training images of the first epoch, with their place.
fn in_order(
    images: &Images,
    seed: u64,
    count: usize,
    caption: impl Fn(u16) -> String,
) -> impl Iterator<Item = (usize, Cell)> {
    epoch_order(seed, 0, images.len()).into_iter().take(count).map(move |index| {
        let index = index as usize;
        (index, (Picture::from_planes(images.image(index), images.shape), caption(images.labels[index])))
    })
}

fn augmentations(images: &Images, augment: Augment, seed: u64, caption: impl Fn(u16) -> String) -> Vec<Cell> {
    let shape = images.shape;
    let mut cells = Vec::new();
    for (index, (picture, caption)) in in_order(images, seed, ROWS, caption) {
        cells.push((picture, caption.clone()));
        for epoch in 0..COLUMNS as u64 - 1 {
            let mut planes = vec![0; images.image_len()];
            augment.apply(images.image(index), shape, &mut planes, seed, epoch, index as u64);
            cells.push((Picture::from_planes(&planes, shape), caption.clone()));
        }
    }
    cells
}

/// Where things are on a sheet.
struct Place {
    zoom: usize,
    /// Of an image, enlarged.
    width: usize,
    height: usize,
    /// Pixels above the images.
    head: usize,
}

impl Place {
    fn of(first: &Picture) -> Self {
        let zoom = SIDE.div_ceil(first.width.max(first.height)).max(1);
        Self { zoom, width: first.width * zoom, height: first.height * zoom, head: GAP + 4 * LINE }
    }

    /// The upper left corner of cell `index`.
    fn corner(&self, index: usize) -> (usize, usize) {
        let (column, row) = (index % COLUMNS, index / COLUMNS);
        (GAP + column * (self.width + GAP), self.head + row * (self.height + 2 * LINE + GAP))
    }
}

fn draw(heading: &[String; 2], cells: &[Cell]) -> Picture {
    let blank = |width, height| Picture { width, height, channels: 3, pixels: vec![255; width * height * 3] };
    let Some((first, _)) = cells.first() else { return blank(1, 1) };
    let place = Place::of(first);
    let (columns, rows) = (COLUMNS.min(cells.len()), cells.len().div_ceil(COLUMNS));
    let mut sheet = blank(GAP + columns * (place.width + GAP), place.corner(rows * COLUMNS).1);
    let room = sheet.width - 2 * GAP;
    write(&mut sheet, (GAP, GAP), &heading[0], room);
    write(&mut sheet, (GAP, GAP + 2 * LINE), &heading[1], room);
    for (index, (picture, caption)) in cells.iter().enumerate() {
        let (left, top) = place.corner(index);
        for row in 0..place.height {
            for column in 0..place.width {
                let from = ((row / place.zoom) * picture.width + column / place.zoom) * picture.channels;
                let pixel = &picture.pixels[from..from + picture.channels];
                let to = ((top + row) * sheet.width + left + column) * 3;
                let [red, green, blue] = [0, picture.channels / 2, picture.channels - 1].map(|channel| pixel[channel]);
                sheet.pixels[to..to + 3].copy_from_slice(&[red, green, blue]);
            }
        }
        write(&mut sheet, (left, top + place.height + 4), caption, place.width);
    }
    sheet
}

/// Writes in black from the upper left corner on: in large letters if `room` pixels hold them, else in small ones, as
/// many as they hold. What is not ASCII becomes `?`.
fn write(sheet: &mut Picture, (left, top): (usize, usize), text: &str, room: usize) {
    let scale = if text.chars().count() * 16 <= room { 2 } else { 1 };
    for (place, character) in text.chars().take(room / (8 * scale)).enumerate() {
        let glyph = BASIC_LEGACY[if character.is_ascii() { character as usize } else { usize::from(b'?') }];
        for (row, column) in (0..8 * scale).flat_map(|row| (0..8 * scale).map(move |column| (row, column))) {
            if glyph[row / scale] >> (column / scale) & 1 == 1 {
                let at = ((top + row) * sheet.width + left + place * 8 * scale + column) * 3;
                sheet.pixels[at..at + 3].fill(0);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load;
    use crate::options::LoadOptions;

    #[test]
    fn a_sheet_shows_images_and_captions() {
        let data = load("mnist-sample", &LoadOptions::default()).unwrap();
        let augment = Augment { flip: true, crop_padding: 4, ..Augment::default() };
        let drawn = contact_sheet(&data, augment, 1).unwrap();
        assert!(drawn.shown.starts_with("training images of mnist-sample: random crop after"), "{}", drawn.shown);
        let sheet = Picture::decode(&drawn.png, 3).unwrap();
        assert_eq!((sheet.width, sheet.height), (GAP + 8 * (140 + GAP), 56 + 8 * (140 + 2 * LINE + GAP)));
        // The first image itself, five times as large.
        let first = epoch_order(1, 0, data.in_memory().unwrap().train.len())[0] as usize;
        for (at, &value) in data.in_memory().unwrap().train.image(first).iter().enumerate() {
            let pixel = ((56 + at / 28 * 5) * sheet.width + GAP + at % 28 * 5) * 3;
            assert_eq!(sheet.pixels[pixel..pixel + 3], [value; 3]);
        }
        let dark = |rows: std::ops::Range<usize>| {
            let rows = &sheet.pixels[rows.start * sheet.width * 3..rows.end * sheet.width * 3];
            rows.iter().filter(|&&value| value == 0).count()
        };
        assert!(dark(0..8) == 0 && dark(8..24) > 100 && dark(32..48) > 100, "the heading");
        assert!(dark(196..200) == 0 && dark(200..216) > 100, "the captions");
        assert_eq!(drawn, contact_sheet(&data, augment, 1).unwrap());
        assert_ne!(drawn, contact_sheet(&data, augment, 2).unwrap());
    }

    #[test]
    fn without_augmentation_all_images_are_different() {
        let data = load("mnist-sample", &LoadOptions::default()).unwrap();
        let drawn = contact_sheet(&data, Augment::default(), 1).unwrap();
        assert!(drawn.shown.contains("no augmentation") && drawn.shown.contains("the first images"), "{}", drawn.shown);
        let sheet = Picture::decode(&drawn.png, 3).unwrap();
        let place = Place::of(&Picture::from_planes(data.in_memory().unwrap().train.image(0), data.shape));
        let image = |cell: usize| {
            let (left, top) = place.corner(cell);
            let row = |row: usize| ((top + row) * sheet.width + left) * 3;
            (0..place.height).flat_map(|y| sheet.pixels[row(y)..row(y) + place.width * 3].to_vec()).collect::<Vec<_>>()
        };
        let different: std::collections::HashSet<_> = (0..COLUMNS * ROWS).map(image).collect();
        assert_eq!(different.len(), COLUMNS * ROWS);
    }

    #[test]
    fn long_captions_are_small_and_cut() {
        let mut sheet = Picture { width: 80, height: 16, channels: 3, pixels: vec![255; 80 * 16 * 3] };
        write(&mut sheet, (0, 0), "Labrador retriever", 80);
        assert!(sheet.pixels[8 * 80 * 3..].iter().all(|&value| value == 255));
        assert!(sheet.pixels.contains(&0));
    }
}
