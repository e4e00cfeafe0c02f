//! The lines over a picture of several panels: a title, and what stands below it, wrapped to the picture's width.

use super::canvas::{Anchor, Canvas};
use super::colour::{GREY, INK};
use super::font::wrapped;
use super::layout::{MARGIN, TITLE};

/// Its lines, each with the size of its letters.
pub struct Heading(Vec<(String, f64)>);

impl Heading {
    /// Of `parts`, each a text with the size of its letters, in a picture `width` wide.
    pub fn new(parts: impl IntoIterator<Item = (String, f64)>, width: f64) -> Self {
        let lines = |(words, size): (String, f64)| {
            wrapped(&words, size, width - 2.0 * MARGIN).into_iter().map(move |line| (line, size))
        };
        Self(parts.into_iter().flat_map(lines).collect())
    }

    /// Where what it stands over begins.
    pub fn bottom(&self) -> f64 {
        MARGIN + self.0.iter().map(|(_, size)| 1.3 * size).sum::<f64>()
    }

    /// Draws it at the top: titles dark, the rest grey.
    pub fn draw(&self, canvas: &mut Canvas) {
        let mut y = MARGIN;
        for (line, size) in &self.0 {
            canvas.text((MARGIN, y + 0.65 * size), line, *size, if *size == TITLE { INK } else { GREY }, Anchor::Start);
            y += 1.3 * size;
        }
    }
}
