//! An SVG of ours as a PNG of the same size, drawn with the embedded font alone.

use super::font;
use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::{Options, Tree, fontdb::Database};
use std::sync::{Arc, LazyLock};

/// No font of the machine is in it.
static FONTS: LazyLock<Arc<Database>> = LazyLock::new(|| {
    let mut fonts = Database::new();
    fonts.load_font_data(font::data().to_vec());
    fonts.set_sans_serif_family(font::NAME);
    Arc::new(fonts)
});

/// The PNG's bytes.
///
/// # Errors
/// Where `svg` is none, or has no size.
pub fn of_svg(svg: &str) -> Result<Vec<u8>, String> {
    let options = Options { fontdb: FONTS.clone(), font_family: font::NAME.into(), ..Options::default() };
    let tree = Tree::from_str(svg, &options).map_err(|e| e.to_string())?;
    let size = tree.size().to_int_size();
    let mut pixels = Pixmap::new(size.width(), size.height()).ok_or("a picture of no size")?;
    resvg::render(&tree, Transform::identity(), &mut pixels.as_mut());
    pixels.encode_png().map_err(|e| e.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::picture::canvas::{Anchor, Canvas};
    use crate::report::picture::colour::INK;

    #[test]
    fn a_png_decodes_has_the_svgs_size_and_shows_its_letters_in_the_embedded_font() {
        let drawn = |words: &str| {
            let mut canvas = Canvas::new(120.0, 40.0);
            canvas.text((10.0, 20.0), words, 16.0, INK, Anchor::Start);
            image::load_from_memory(&of_svg(&canvas.finish()).unwrap()).unwrap().to_rgb8()
        };
        let (empty, full) = (drawn(""), drawn("SLL"));
        assert_eq!(full.dimensions(), (120, 40));
        let inked: Vec<u32> = full.enumerate_pixels().filter(|(_, _, p)| p.0[0] < 128).map(|(x, ..)| x).collect();
        let (first, last) = (*inked.iter().min().unwrap(), *inked.iter().max().unwrap());
        let expected = 10.0 + font::width("SLL", 16.0);
        assert!(first >= 10 && f64::from(last) < expected && f64::from(last) > expected - 3.0, "{first} to {last}");
        assert!(empty.pixels().all(|pixel| pixel.0 == [255; 3]));
    }

    #[test]
    fn what_is_no_svg_is_an_error() {
        assert!(of_svg("no SVG").is_err());
    }
}
