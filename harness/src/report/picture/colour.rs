//! Colours.

use std::fmt;

/// Red, green and blue, of 255.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Colour(pub u8, pub u8, pub u8);

/// Paper.
pub const WHITE: Colour = Colour(255, 255, 255);
/// Text.
pub const INK: Colour = Colour(32, 32, 32);
/// Text that comes second, axes.
pub const GREY: Colour = Colour(110, 110, 110);
/// Lines of the grid.
pub const FAINT: Colour = Colour(226, 226, 226);

impl Colour {
    /// `(1 - share) self + share other`, channel by channel.
    pub fn mixed(self, other: Colour, share: f64) -> Self {
        let channel = |a: u8, b: u8| (f64::from(a) + share * (f64::from(b) - f64::from(a))).round() as u8;
        Self(channel(self.0, other.0), channel(self.1, other.1), channel(self.2, other.2))
    }

    /// Lighter, to white at 1.
    pub fn lighter(self, share: f64) -> Self {
        self.mixed(WHITE, share)
    }

    /// Darker, to black at 1.
    pub fn darker(self, share: f64) -> Self {
        self.mixed(Colour(0, 0, 0), share)
    }
}

impl fmt::Display for Colour {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "#{:02x}{:02x}{:02x}", self.0, self.1, self.2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_mix_channel_by_channel_and_are_written_as_svg_has_them() {
        assert_eq!(WHITE.mixed(Colour(0, 0, 255), 0.5), Colour(128, 128, 255));
        assert_eq!((Colour(10, 200, 0).darker(1.0), Colour(10, 200, 0).lighter(1.0)), (Colour(0, 0, 0), WHITE));
        assert_eq!(Colour(0, 114, 178).to_string(), "#0072b2");
    }
}
