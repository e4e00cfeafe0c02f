//! From bytes to numbers: `x = pixel scale_c + shift_c`, which is `(pixel / 255 - mean_c) / std_c` with
//! `scale_c = 1 / (255 std_c)` and `shift_c = -mean_c / std_c`.

/// What every channel is multiplied by, and what is added to it.
#[derive(Clone, Debug, PartialEq)]
pub struct Normalise {
    /// Of a channel: its factor and its summand.
    pub channels: Vec<[f32; 2]>,
    /// Pixels of a channel.
    pub area: usize,
}

impl Normalise {
    /// For images `[C, H, W] = shape` whose channels have these means and standard deviations, of pixels from 0 to 1.
    pub fn new([_, height, width]: [usize; 3], mean: &[f32], std: &[f32]) -> Self {
        let channel = |(mean, std): (&f32, &f32)| [1.0 / (255.0 * std), -mean / std];
        Self { channels: mean.iter().zip(std).map(channel).collect(), area: height * width }
    }

    /// The features of whole images `[.., C, H, W]`, in one pass.
    pub fn apply(&self, pixels: &[u8]) -> Vec<f32> {
        let mut features = vec![0.0; pixels.len()];
        let area = self.area.max(1);
        let planes = features.chunks_exact_mut(area).zip(pixels.chunks_exact(area));
        for ((features, pixels), [scale, shift]) in planes.zip(self.channels.iter().cycle()) {
            features.iter_mut().zip(pixels).for_each(|(x, &pixel)| *x = f32::from(pixel) * scale + shift);
        }
        features
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_channel_of_every_image_has_its_own_mean_and_deviation() {
        let normalise = Normalise::new([2, 1, 3], &[0.5, 0.1], &[0.25, 2.0]);
        let pixels: Vec<u8> = (0..12).map(|pixel| pixel * 20).collect();
        for (index, (x, &pixel)) in normalise.apply(&pixels).into_iter().zip(&pixels).enumerate() {
            let (mean, std) = [(0.5, 0.25), (0.1, 2.0)][index / 3 % 2];
            let expected = (f64::from(pixel) / 255.0 - mean) / std;
            assert!((f64::from(x) - expected).abs() < 1e-6, "{index}: {x} {expected}");
        }
    }
}
