//! The pictures' font, which is part of the program: DejaVu Sans, whose letters are as wide as Verdana's, so that an
//! SVG looks the same where either is installed and a PNG everywhere.

use skrifa::instance::{LocationRef, Size};
use skrifa::{FontRef, MetadataProvider};
use std::sync::LazyLock;

/// The font as an SVG names it.
pub const FAMILY: &str = "DejaVu Sans, Verdana, sans-serif";
/// The font as its file names it.
pub const NAME: &str = "DejaVu Sans";

static FONT: LazyLock<FontRef<'static>> =
    LazyLock::new(|| FontRef::new(data()).expect("the tests read the embedded font"));

/// The font's file.
pub fn data() -> &'static [u8] {
    dejavu::sans::regular()
}

/// How wide `text` is in pixels at `size` pixels.
pub fn width(text: &str, size: f64) -> f64 {
    let metrics = FONT.glyph_metrics(Size::new(size as f32), LocationRef::default());
    let letters = FONT.charmap();
    // Glyph 0 stands for what the font does not have.
    text.chars().filter_map(|c| metrics.advance_width(letters.map(c).unwrap_or_default())).map(f64::from).sum()
}

/// `text` in lines that are at most `room` pixels wide, broken between words where that is possible.
pub fn wrapped(text: &str, size: f64, room: f64) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ').flat_map(|word| pieces(word, size, room)) {
        match lines.last_mut() {
            Some(line) if width(&format!("{line} {word}"), size) <= room => *line += &format!(" {word}"),
            _ => lines.push(word),
        }
    }
    // Where a line ends nothing needs to be kept apart.
    lines.into_iter().map(|line| line.trim_end_matches(" ·").to_string()).collect()
}

/// A word, or as many pieces of it as it takes.
fn pieces(word: &str, size: f64, room: f64) -> Vec<String> {
    let mut pieces = vec![String::new()];
    for c in word.chars() {
        let piece = pieces.last_mut().expect("one at least");
        if !piece.is_empty() && width(&format!("{piece}{c}"), size) > room {
            pieces.push(c.to_string());
        } else {
            piece.push(c);
        }
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    // fontTools 4: TTFont("DejaVuSans.ttf")["hmtx"] has S 1300, L 1141 of 2048 units an em.
    #[test]
    fn widths_are_the_fonts_own() {
        let units = (1300.0 + 2.0 * 1141.0) / 2048.0;
        assert!((width("SLL", 20.0) - 20.0 * units).abs() < 1e-3, "{}", width("SLL", 20.0));
        assert_eq!(width("", 20.0), 0.0);
        assert!(width("−2 ln BC · KL(q‖p), β ± ≥ σ", 12.0) > 100.0);
    }

    #[test]
    fn lines_fit_their_room_and_keep_every_word() {
        let text = "Figure 2b: training memory of a convolutional network against its depth, Donaudampfschifffahrt";
        for room in [60.0, 200.0, 2000.0] {
            let lines = wrapped(text, 16.0, room);
            lines.iter().for_each(|line| assert!(width(line, 16.0) <= room, "{line:?} is wider than {room}"));
            let all: String = lines.concat();
            assert_eq!(all.replace(' ', ""), text.replace(' ', ""));
        }
        assert_eq!(wrapped(text, 16.0, 2000.0), [text]);
        assert_eq!(wrapped("one · two", 16.0, width("one · t", 16.0)), ["one", "two"]);
    }
}
