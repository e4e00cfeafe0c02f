//! AutoAugment (Cubuk et al. 2019, arXiv 1805.09501): one of 25 pairs of operations, each applied with its probability,
//! as torchvision does it.

use super::ops;
use crate::format::picture::Picture;
use crate::random::below;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::Rng;
use serde::{Deserialize, Serialize};

/// A learned policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Policy {
    /// Learned on CIFAR-10, for CIFAR-10 and CIFAR-100.
    Cifar,
    /// Learned on ImageNet, for it and its subsets.
    ImageNet,
}

use Op::{
    AutoContrast, Brightness, Color, Contrast, Equalize, Invert, Posterize, Rotate, Sharpness, ShearX, ShearY,
    Solarize, TranslateX, TranslateY,
};

/// An operation; what it does with its magnitude is in [`apply`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Op {
    ShearX,
    ShearY,
    TranslateX,
    TranslateY,
    Rotate,
    Brightness,
    Color,
    Contrast,
    Sharpness,
    Posterize,
    Solarize,
    AutoContrast,
    Equalize,
    Invert,
}

/// An operation, its probability in tenths, and its magnitude 0 to 9.
type Step = (Op, u8, u8);

/// The paper's appendix, table 7.
const CIFAR: [[Step; 2]; 25] = [
    [(Invert, 1, 0), (Contrast, 2, 6)],
    [(Rotate, 7, 2), (TranslateX, 3, 9)],
    [(Sharpness, 8, 1), (Sharpness, 9, 3)],
    [(ShearY, 5, 8), (TranslateY, 7, 9)],
    [(AutoContrast, 5, 0), (Equalize, 9, 0)],
    [(ShearY, 2, 7), (Posterize, 3, 7)],
    [(Color, 4, 3), (Brightness, 6, 7)],
    [(Sharpness, 3, 9), (Brightness, 7, 9)],
    [(Equalize, 6, 0), (Equalize, 5, 0)],
    [(Contrast, 6, 7), (Sharpness, 6, 5)],
    [(Color, 7, 7), (TranslateX, 5, 8)],
    [(Equalize, 3, 0), (AutoContrast, 4, 0)],
    [(TranslateY, 4, 3), (Sharpness, 2, 6)],
    [(Brightness, 9, 6), (Color, 2, 8)],
    [(Solarize, 5, 2), (Invert, 0, 0)],
    [(Equalize, 2, 0), (AutoContrast, 6, 0)],
    [(Equalize, 2, 0), (Equalize, 6, 0)],
    [(Color, 9, 9), (Equalize, 6, 0)],
    [(AutoContrast, 8, 0), (Solarize, 2, 8)],
    [(Brightness, 1, 3), (Color, 7, 0)],
    [(Solarize, 4, 5), (AutoContrast, 9, 0)],
    [(TranslateY, 9, 9), (TranslateY, 7, 9)],
    [(AutoContrast, 9, 0), (Solarize, 8, 3)],
    [(Equalize, 8, 0), (Invert, 1, 0)],
    [(TranslateY, 7, 9), (AutoContrast, 9, 0)],
];

/// The paper's appendix, table 9.
const IMAGE_NET: [[Step; 2]; 25] = [
    [(Posterize, 4, 8), (Rotate, 6, 9)],
    [(Solarize, 6, 5), (AutoContrast, 6, 0)],
    [(Equalize, 8, 0), (Equalize, 6, 0)],
    [(Posterize, 6, 7), (Posterize, 6, 6)],
    [(Equalize, 4, 0), (Solarize, 2, 4)],
    [(Equalize, 4, 0), (Rotate, 8, 8)],
    [(Solarize, 6, 3), (Equalize, 6, 0)],
    [(Posterize, 8, 5), (Equalize, 10, 0)],
    [(Rotate, 2, 3), (Solarize, 6, 8)],
    [(Equalize, 6, 0), (Posterize, 4, 6)],
    [(Rotate, 8, 8), (Color, 4, 0)],
    [(Rotate, 4, 9), (Equalize, 6, 0)],
    [(Equalize, 0, 0), (Equalize, 8, 0)],
    [(Invert, 6, 0), (Equalize, 10, 0)],
    [(Color, 6, 4), (Contrast, 10, 8)],
    [(Rotate, 8, 8), (Color, 10, 2)],
    [(Color, 8, 8), (Solarize, 8, 7)],
    [(Sharpness, 4, 7), (Invert, 6, 0)],
    [(ShearX, 6, 5), (Equalize, 10, 0)],
    [(Color, 4, 0), (Equalize, 6, 0)],
    [(Equalize, 4, 0), (Solarize, 2, 4)],
    [(Solarize, 6, 5), (AutoContrast, 6, 0)],
    [(Invert, 6, 0), (Equalize, 10, 0)],
    [(Color, 6, 4), (Contrast, 10, 8)],
    [(Equalize, 8, 0), (Equalize, 6, 0)],
];

impl Policy {
    /// Draws a pair and applies it. Five numbers are drawn, whatever the pair: the pair, two probabilities, two signs.
    pub(super) fn apply(self, picture: &mut Picture, generator: &mut ChaCha8Rng) {
        let pairs = match self {
            Self::Cifar => &CIFAR,
            Self::ImageNet => &IMAGE_NET,
        };
        let pair = &pairs[below(generator, pairs.len())];
        let chances = [uniform(generator), uniform(generator)];
        let negative = [generator.next_u64() >> 63 == 0, generator.next_u64() >> 63 == 0];
        for ((&(op, tenths, magnitude), chance), negative) in pair.iter().zip(chances).zip(negative) {
            if chance <= f64::from(tenths) / 10.0 {
                apply(op, magnitude, negative, picture);
            }
        }
    }
}

/// A number in `[0, 1)` of 53 random bits.
pub(super) fn uniform(generator: &mut ChaCha8Rng) -> f64 {
    (generator.next_u64() >> 11) as f64 / (1u64 << 53) as f64
}

/// The tenth number of ten from 0 to `end`, in 32-bit floats, from the nearer end, as torch counts.
fn linspace(end: f32, magnitude: u8) -> f32 {
    let step = end / 9.0;
    if magnitude < 5 { step * f32::from(magnitude) } else { end - step * f32::from(9 - magnitude) }
}

/// Applies `op` with a magnitude of 0 to 9. Shears up to 0.3, translations up to 150/331 of the side, rotations up to
/// 30 degrees, blends by 1 +- 0.9 at most: of these, `negative` ones go the other way.
fn apply(op: Op, magnitude: u8, negative: bool, picture: &mut Picture) {
    let signed = |end: f32| if negative { -linspace(end, magnitude) } else { linspace(end, magnitude) };
    let pixels = |side: usize| f64::from(signed((150.0 / 331.0 * side as f64) as f32).trunc());
    let factor = || (1.0 + f64::from(signed(0.9))) as f32;
    match op {
        ShearX => ops::affine(picture, [1.0, f64::from(signed(0.3)), 0.0, 0.0, 1.0, 0.0]),
        ShearY => ops::affine(picture, [1.0, 0.0, 0.0, f64::from(signed(0.3)), 1.0, 0.0]),
        TranslateX => {
            let pixels = pixels(picture.width);
            ops::affine(picture, [1.0, 0.0, -pixels, 0.0, 1.0, 0.0]);
        }
        TranslateY => {
            let pixels = pixels(picture.height);
            ops::affine(picture, [1.0, 0.0, 0.0, 0.0, 1.0, -pixels]);
        }
        Rotate => ops::rotate(picture, f64::from(signed(30.0))),
        Brightness => ops::brightness(picture, factor()),
        Color => ops::color(picture, factor()),
        Contrast => ops::contrast(picture, factor()),
        Sharpness => ops::sharpness(picture, factor()),
        Posterize => ops::posterize(picture, 8 - (f64::from(magnitude) / 2.25).round_ties_even() as u32),
        Solarize if magnitude < 5 => ops::solarize(picture, 255.0 - linspace(255.0, magnitude)),
        Solarize => ops::solarize(picture, linspace(255.0, 9 - magnitude)),
        AutoContrast => ops::autocontrast(picture),
        Equalize => ops::equalize(picture),
        Invert => ops::invert(picture),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::augment::reference::{picture, short_digest};
    use crate::random::{POLICY, generator};

    /// The rows of a file of `reference/ops.py`, cut into columns.
    fn table(text: &str) -> impl Iterator<Item = Vec<&str>> {
        text.lines().filter(|line| !line.starts_with('#')).map(|line| line.split('\t').collect())
    }

    /// Expected: `reference/tables.tsv`, read by `reference/ops.py` out of torchvision's source.
    #[test]
    fn every_step_of_every_pair_is_torchvisions() {
        let mut expected = table(include_str!("../../reference/tables.tsv"));
        for (policy, pairs) in [("imagenet", &IMAGE_NET), ("cifar", &CIFAR)] {
            for (pair, steps) in pairs.iter().enumerate() {
                for (place, (op, tenths, magnitude)) in steps.iter().enumerate() {
                    let numbers = format!("{policy} {pair} {place} {op:?} {tenths} {magnitude}");
                    assert_eq!(expected.next().unwrap().join(" "), numbers);
                }
            }
        }
        assert_eq!(expected.next(), None);
    }

    /// Expected: `reference/magnitudes.tsv`, made by `reference/ops.py`; torchvision 0.24's own `_apply_op` gives the
    /// same 840 digests.
    #[test]
    fn every_operation_at_every_magnitude_and_sign_is_torchvisions() {
        let ops = [
            ShearX,
            ShearY,
            TranslateX,
            TranslateY,
            Rotate,
            Brightness,
            Color,
            Contrast,
            Sharpness,
            Posterize,
            Solarize,
            AutoContrast,
            Equalize,
            Invert,
        ];
        let mut checked = 0;
        for row in table(include_str!("../../reference/magnitudes.tsv")) {
            let [size, name, magnitude, sign, expected] = row[..] else { panic!("{row:?}") };
            let op = ops.into_iter().find(|op| format!("{op:?}") == name).unwrap();
            let mut changed = picture(size);
            apply(op, magnitude.parse().unwrap(), sign == "-1", &mut changed);
            assert_eq!(short_digest(&changed.pixels), expected, "{row:?}");
            checked += 1;
        }
        assert_eq!(checked, 3 * 14 * 10 * 2);
    }

    /// Expected: `reference/policy.tsv`, made by `reference/ops.py`: torchvision's formulas and tables, Pillow's
    /// operations, our random numbers.
    #[test]
    fn whole_policies_are_torchvisions() {
        let mut checked = 0;
        for row in table(include_str!("../../reference/policy.tsv")) {
            let [size, name, index, expected] = row[..] else { panic!("{row:?}") };
            let policy = if name == "cifar" { Policy::Cifar } else { Policy::ImageNet };
            let mut changed = picture(size);
            policy.apply(&mut changed, &mut generator(POLICY, 3, 1, index.parse().unwrap()));
            assert_eq!(short_digest(&changed.pixels), expected, "{row:?}");
            checked += 1;
        }
        assert!(checked >= 200, "{checked}");
    }
}
