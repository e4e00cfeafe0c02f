//! Colours.

use std::fmt;

/// Red, green and blue, of 255.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
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

    /// As dark as letters on white paper must be, a contrast of 4.5 to 1 (WCAG 2.2, 1.4.3).
    pub fn readable(self) -> Self {
        let darker = (0..=20).map(|step| self.darker(f64::from(step) / 20.0));
        darker.into_iter().find(|colour| 1.05 / (colour.luminance() + 0.05) >= 4.5).unwrap_or(INK)
    }

    /// The relative luminance of sRGB, from 0 to 1.
    fn luminance(self) -> f64 {
        let linear = |channel: u8| {
            let share = f64::from(channel) / 255.0;
            if share <= 0.04045 { share / 12.92 } else { ((share + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * linear(self.0) + 0.7152 * linear(self.1) + 0.0722 * linear(self.2)
    }

    /// Darker, to black at 1.
    pub fn darker(self, share: f64) -> Self {
        self.mixed(Colour(0, 0, 0), share)
    }
}

impl fmt::Display for Colour {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "#{:02X}{:02X}{:02X}", self.0, self.1, self.2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_mix_channel_by_channel_and_are_written_as_svg_has_them() {
        assert_eq!(WHITE.mixed(Colour(0, 0, 255), 0.5), Colour(128, 128, 255));
        assert_eq!((Colour(10, 200, 0).darker(1.0), Colour(10, 200, 0).lighter(1.0)), (Colour(0, 0, 0), WHITE));
        assert_eq!(Colour(0, 114, 178).to_string(), "#0072B2");
    }

    #[test]
    fn letters_are_dark_enough_and_dark_ones_stay() {
        assert_eq!(Colour(0, 114, 178).readable(), Colour(0, 114, 178));
        assert!((WHITE.luminance() - 1.0).abs() < 1e-9);
        for colour in [WHITE, Colour(230, 159, 0), Colour(200, 220, 240)] {
            assert!(1.05 / (colour.readable().luminance() + 0.05) >= 4.5, "{colour}");
        }
    }
}
