//! What a row of features between two layers means.

use std::fmt;

/// The meaning of one sample's features. Between layers every activation is a matrix `[batch, len()]`; a layer that
/// needs an image or tokens reshapes it for itself, so that rules never see a rank.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// A plain vector.
    Flat(usize),
    /// A feature map, channels first.
    Map {
        /// Channels.
        c: usize,
        /// Height.
        h: usize,
        /// Width.
        w: usize,
    },
    /// A sequence of tokens.
    Tokens {
        /// Number of tokens; with a class token it is the first.
        t: usize,
        /// Width of a token.
        d: usize,
        /// Whether the first token is a class token.
        class: bool,
    },
}

impl Shape {
    /// Features of one sample.
    #[allow(clippy::len_without_is_empty, reason = "a shape is never empty")]
    pub fn len(&self) -> usize {
        match *self {
            Shape::Flat(n) => n,
            Shape::Map { c, h, w } => c * h * w,
            Shape::Tokens { t, d, .. } => t * d,
        }
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Shape::Flat(n) => write!(f, "{n} features"),
            Shape::Map { c, h, w } => write!(f, "a {c}x{h}x{w} map"),
            Shape::Tokens { t, d, .. } => write!(f, "{t} tokens of {d}"),
        }
    }
}
