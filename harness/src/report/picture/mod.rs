//! Pictures: charts as data ([`plot`]), their look (`palette`, `stroke`), and their drawing, as SVG and as PNG of the
//! same size.

pub mod canvas;
mod chart;
pub mod colour;
mod cover;
mod cut;
pub mod font;
pub mod frame;
mod heading;
mod layout;
mod palette;
mod panels;
pub mod plot;
mod png;
mod scale;
pub mod sheet;
mod spread;
mod stroke;
mod tags;
#[cfg(test)]
mod tests;
mod variants;

pub use heading::Heading;
pub use layout::{LABEL, MARGIN, SUBTITLE, TITLE};
pub use palette::{of_part, of_rule};
pub use plot::{Line, Plot, Point, Spread};
pub use scale::Scale;
pub use sheet::Sheet;
pub use stroke::Stroke;
pub use variants::strokes;

use crate::atomic::write_atomically;
use crate::error::{Error, Result};
use std::path::{Path, PathBuf};

/// Writes `<name>.svg` and `<name>.png` into `folder` and says where they are.
pub fn save(svg: &str, folder: &Path, name: &str) -> Result<Vec<PathBuf>> {
    let paths = ["svg", "png"].map(|ending| folder.join(format!("{name}.{ending}")));
    paths.iter().try_for_each(|path| write(svg, path))?;
    Ok(paths.to_vec())
}

/// Writes a picture to `path`, by its ending `.svg` or `.png`.
pub fn write(svg: &str, path: &Path) -> Result<()> {
    let drawn = |why: String| Error::Failed(format!("cannot draw {}: {why}", path.display()));
    match is_png(path)? {
        false => write_atomically(path, svg.as_bytes()),
        true => write_atomically(path, &png::of_svg(svg).map_err(drawn)?),
    }
}

/// Refuses a name that does not end in `.svg` or `.png`.
pub fn check_name(path: &Path) -> Result<()> {
    is_png(path).map(|_| ())
}

fn is_png(path: &Path) -> Result<bool> {
    match path.extension().and_then(|ending| ending.to_str()) {
        Some("svg") => Ok(false),
        Some("png") => Ok(true),
        _ => Err(Error::Input(format!("{}: a picture's name must end in .svg or .png", path.display()))),
    }
}

/// Saves every plot under its name; those without a point leave nothing.
pub fn save_all(plots: impl IntoIterator<Item = (String, Plot)>, folder: &Path) -> Result<Vec<PathBuf>> {
    let mut written = Vec::new();
    for (name, plot) in plots {
        if let Some(svg) = plot.svg() {
            written.extend(save(&svg, folder, &name)?);
        }
    }
    Ok(written)
}
