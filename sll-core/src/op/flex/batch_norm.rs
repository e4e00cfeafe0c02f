//! Batch norm, rectification and the largest of each 2x2 square in one pass over the map once its statistics are known,
//! and in two passes on the way back, which make again what they need from the map. (Upstream: burn composes batch norm
//! of whole tensors, twelve of them on the way back, and keeps the maps between the three operations.)

use super::lanes::vectorised;
use super::parts::{by_images, sum};
use super::pool::{Corners, Square, rectified};

/// The sizes of maps `[images, c, h, w]`, and whether the largest of each 2x2 square is all that is left of them.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Maps {
    pub images: usize,
    pub c: usize,
    pub h: usize,
    pub w: usize,
    pub pool: bool,
}

/// What batch norm makes of one channel: `y = (z - mean) scale + beta`, `scale = γ inverse`, `inverse = 1 / √(var +
/// ε)`.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Channel {
    pub mean: f32,
    pub inverse: f32,
    pub scale: f32,
    pub beta: f32,
}

impl Channel {
    /// From statistics and parameters, all `[c]`.
    pub fn all([mean, variance, gamma, beta]: [&[f32]; 4], epsilon: f64) -> Vec<Self> {
        let channels = mean.iter().zip(variance).zip(gamma.iter().zip(beta));
        let channel = |((&mean, &variance), (&gamma, &beta)): ((&f32, &f32), (&f32, &f32))| {
            let inverse = 1.0 / (variance + epsilon as f32).sqrt();
            Self { mean, inverse, scale: gamma * inverse, beta }
        };
        channels.map(channel).collect()
    }

    #[inline(always)]
    fn y(&self, z: f32) -> f32 {
        (z - self.mean) * self.scale + self.beta
    }

    #[inline(always)]
    fn unit(&self, z: f32) -> f32 {
        (z - self.mean) * self.inverse
    }
}

impl Maps {
    fn area(&self) -> usize {
        self.h * self.w
    }

    /// Values of a map that come out.
    pub fn out(&self) -> usize {
        if self.pool { (self.h / 2) * (self.w / 2) } else { self.area() }
    }

    /// Sums of a channel's pairs over all images, each image by itself and then in double precision.
    fn total(&self, pairs: &[[f32; 2]], channel: usize) -> impl Iterator<Item = [f64; 2]> + Clone {
        pairs[channel..].iter().step_by(self.c).map(|pair| pair.map(f64::from))
    }

    /// A pair of numbers for every map, which may use its thread's room for the corners of squares.
    fn pairs(&self, of: impl Fn(&mut Corners, usize) -> [f32; 2] + Sync) -> Vec<[f32; 2]> {
        let mut pairs = vec![[0.0; 2]; self.images * self.c];
        by_images(&mut pairs, self.images, self.c, |images, pairs| {
            let mut corners = self.corners();
            for (pair, map) in pairs.iter_mut().zip(images.start * self.c..) {
                *pair = of(&mut corners, map);
            }
        });
        pairs
    }

    fn corners(&self) -> Corners {
        Corners::new(if self.pool { self.out() } else { 0 })
    }

    /// Mean and biased variance of every channel of `z [images, c, h, w]`, from each map's own (Chan, Golub & LeVeque
    /// 1979).
    pub fn moments(&self, z: &[f32]) -> [Vec<f32>; 2] {
        let area = self.area();
        let pairs = self.pairs(|_, map| {
            let map = &z[map * area..][..area];
            vectorised(
                #[inline(always)]
                || {
                    let mean = sum(map, |value| value) / area as f32;
                    [mean, sum(map, |value| (value - mean) * (value - mean))]
                },
            )
        });
        let count = (self.images * area) as f64;
        let channels = (0..self.c).map(|channel| {
            let mean = self.total(&pairs, channel).map(|[mean, _]| mean).sum::<f64>() / self.images as f64;
            let around = |[own, square]: [f64; 2]| square + area as f64 * (own - mean) * (own - mean);
            (mean as f32, (self.total(&pairs, channel).map(around).sum::<f64>() / count) as f32)
        });
        let (mean, variance) = channels.unzip();
        [mean, variance]
    }

    /// `h = max(y, 0)`, of each square the largest if maps are pooled.
    pub fn forward(&self, z: &[f32], channels: &[Channel]) -> Vec<f32> {
        let mut h = vec![0.0; self.images * self.c * self.out()];
        by_images(&mut h, self.images, self.c * self.out(), |images, h| {
            let z = &z[images.start * self.c * self.area()..];
            let maps = z.chunks_exact(self.area().max(1)).zip(channels.iter().cycle());
            let mut corners = self.corners();
            for (h, (z, channel)) in h.chunks_exact_mut(self.out().max(1)).zip(maps) {
                vectorised(
                    #[inline(always)]
                    || self.rectify(channel, &mut corners, z, h),
                );
            }
        });
        h
    }

    /// The gradients to `γ` and `β`, and in `z` that to `z`, from the signal `dh`.
    ///
    /// `dz = scale (dy - mean(dy) - x̂ mean(dy (.) x̂))`, `dy` being `dh` where it came from and 0 elsewhere.
    pub fn backward(&self, z: &mut [f32], channels: &[Channel], dh: &[f32]) -> [Vec<f32>; 2] {
        let (area, out) = (self.area(), self.out());
        let pairs = self.pairs(|corners, map| {
            let (channel, z, dh) = (&channels[map % self.c], &z[map * area..][..area], &dh[map * out..][..out]);
            vectorised(
                #[inline(always)]
                || self.sums(channel, corners, z, dh),
            )
        });
        let add = |sum: [f64; 2], pair: [f64; 2]| [sum[0] + pair[0], sum[1] + pair[1]];
        let sums: Vec<_> = (0..self.c).map(|channel| self.total(&pairs, channel).fold([0.0; 2], add)).collect();
        let count = (self.images * area) as f64;
        by_images(z, self.images, self.c * area, |images, z| {
            let signals = dh[images.start * self.c * out..].chunks(out.max(1)).chain(std::iter::repeat(&[][..]));
            let given = channels.iter().zip(&sums).cycle().zip(signals);
            let mut corners = self.corners();
            for (z, ((channel, sums), dh)) in z.chunks_exact_mut(area.max(1)).zip(given) {
                let means = sums.map(|sum| (sum / count) as f32);
                vectorised(
                    #[inline(always)]
                    || self.signal((channel, means), &mut corners, z, dh),
                );
            }
        });
        [1, 0].map(|which| sums.iter().map(|sums| sums[which] as f32).collect())
    }

    /// `h` of one map.
    #[inline(always)]
    fn rectify(&self, channel: &Channel, corners: &mut Corners, z: &[f32], h: &mut [f32]) {
        if !self.pool {
            return h.iter_mut().zip(z).for_each(|(h, &z)| *h = rectified(channel.y(z)));
        }
        let [a, b, c, d] = corners.read(z, self.w);
        for (h, ((a, b), (c, d))) in h.iter_mut().zip(a.iter().zip(b).zip(c.iter().zip(d))) {
            *h = rectified(Square([*a, *b, *c, *d]).map(|z| channel.y(z)).largest());
        }
    }

    /// `Σ dy` and `Σ dy (.) x̂` of one map.
    #[inline(always)]
    fn sums(&self, channel: &Channel, corners: &mut Corners, z: &[f32], dh: &[f32]) -> [f32; 2] {
        let mut sums = [[0.0; 8]; 2];
        let mut add = |lane: usize, dy: f32, along: f32| {
            sums[0][lane] += dy;
            sums[1][lane] += along;
        };
        if self.pool {
            let [a, b, c, d] = corners.read(z, self.w);
            for ((a, b), ((c, d), dh)) in a.iter_mut().zip(b.iter_mut()).zip(c.iter().zip(d.iter()).zip(dh)) {
                let z = Square([*a, *b, *c, *d]);
                let y = z.map(|z| channel.y(z));
                let largest = y.largest();
                let dy = if largest <= 0.0 { 0.0 } else { *dh };
                (*a, *b) = (dy, dy * channel.unit(z.at(y.first(largest))));
            }
            let ((dy, dy_rest), (along, along_rest)) = (a.as_chunks::<8>(), b.as_chunks::<8>());
            for (dy, along) in dy.iter().zip(along) {
                (0..8).for_each(|lane| add(lane, dy[lane], along[lane]));
            }
            dy_rest.iter().zip(along_rest).enumerate().for_each(|(lane, (&dy, &along))| add(lane, dy, along));
        } else {
            let dy = |z: f32, dh: f32| if channel.y(z) <= 0.0 { 0.0 } else { dh };
            let mut add = |lane: usize, z: f32, dh: f32| add(lane, dy(z, dh), dy(z, dh) * channel.unit(z));
            let ((z, z_rest), (dh, dh_rest)) = (z.as_chunks::<8>(), dh.as_chunks::<8>());
            for (z, dh) in z.iter().zip(dh) {
                (0..8).for_each(|lane| add(lane, z[lane], dh[lane]));
            }
            z_rest.iter().zip(dh_rest).for_each(|(&z, &dh)| add(0, z, dh));
        }
        sums.map(|lanes| lanes.into_iter().sum())
    }

    /// `dz` in the place of `z`, for one map; the means are those of `dy` and `dy (.) x̂`.
    #[inline(always)]
    fn signal(&self, (channel, means): (&Channel, [f32; 2]), corners: &mut Corners, z: &mut [f32], dh: &[f32]) {
        let [shift, slope] = [-channel.scale * means[0], -channel.scale * channel.inverse * means[1]];
        let rest = |z: f32| shift + (z - channel.mean) * slope;
        if !self.pool {
            for (z, dh) in z.iter_mut().zip(dh) {
                let dy = if channel.y(*z) <= 0.0 { 0.0 } else { *dh };
                *z = rest(*z) + channel.scale * dy;
            }
            return;
        }
        let [a, b, c, d] = corners.read(z, self.w);
        for ((a, b), ((c, d), dh)) in a.iter_mut().zip(b).zip(c.iter_mut().zip(d).zip(dh)) {
            let z = Square([*a, *b, *c, *d]);
            let y = z.map(|z| channel.y(z));
            let largest = y.largest();
            let dy = if largest <= 0.0 { 0.0 } else { channel.scale * dh };
            [*a, *b, *c, *d] = z.map(rest).plus(y.first(largest), dy).0;
        }
        corners.write(z, self.w, rest);
    }
}

#[cfg(test)]
mod tests {
    use super::super::conv::tests::close;
    use super::*;
    use crate::rng::{Purpose, Stream};

    const EPSILON: f64 = 1e-5;

    /// `Σ h (.) dh` in double precision, from the definition.
    fn objective(maps: Maps, z: &[f64], gamma: &[f64], beta: &[f64], dh: &[f32]) -> f64 {
        let (area, out) = (maps.area(), maps.out());
        let mut sum = 0.0;
        for channel in 0..maps.c {
            let of = || (0..maps.images).map(move |image| image * maps.c + channel);
            let values: Vec<f64> = of().flat_map(|map| z[map * area..][..area].iter().copied()).collect();
            let mean = values.iter().sum::<f64>() / values.len() as f64;
            let variance = values.iter().map(|z| (z - mean) * (z - mean)).sum::<f64>() / values.len() as f64;
            for map in of() {
                let y = |at: usize| {
                    let unit = (z[map * area + at] - mean) / (variance + EPSILON).sqrt();
                    (unit * gamma[channel] + beta[channel]).max(0.0)
                };
                for (at, &dh) in dh[map * out..][..out].iter().enumerate() {
                    let corner = 2 * (at / (maps.w / 2).max(1)) * maps.w + 2 * (at % (maps.w / 2).max(1));
                    let h = match maps.pool {
                        true => [0, 1, maps.w, maps.w + 1].map(|step| y(corner + step)).into_iter().fold(0.0, f64::max),
                        false => y(at),
                    };
                    sum += h * f64::from(dh);
                }
            }
        }
        sum
    }

    fn slope(values: &[f64], index: usize, of: impl Fn(&[f64]) -> f64) -> f64 {
        let moved = |by: f64| {
            let mut values = values.to_vec();
            values[index] += by;
            of(&values)
        };
        (moved(1e-6) - moved(-1e-6)) / 2e-6
    }

    #[test]
    fn values_and_gradients_are_those_of_the_definition_for_any_number_of_threads() {
        let mut stream = Stream::new(13, Purpose::Weights, &[]);
        let double = |values: &[f32]| values.iter().map(|&value| f64::from(value)).collect::<Vec<_>>();
        for ([images, c, h, w], pool) in [[3, 2, 4, 6], [2, 3, 5, 3], [5, 1, 3, 7], [1, 2, 2, 2], [7, 3, 1, 1]]
            .into_iter()
            .flat_map(|s| [(s, true), (s, false)])
        {
            let maps = Maps { images, c, h, w, pool };
            let z: Vec<f32> = stream.normal(images * c * h * w, 2.0).iter().map(|z| z + 3.0).collect();
            let (gamma, beta) = (stream.normal(c, 1.0), stream.normal(c, 0.3));
            let dh = stream.normal(images * c * maps.out(), 1.0);
            for threads in [1, 3] {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                let (h, dz, parameters) = pool.install(|| {
                    let [mean, variance] = maps.moments(&z);
                    let channels = Channel::all([&mean, &variance, &gamma, &beta], EPSILON);
                    let (h, mut dz) = (maps.forward(&z, &channels), z.clone());
                    let parameters = maps.backward(&mut dz, &channels, &dh);
                    (h, dz, parameters)
                });
                let [z, gamma, beta] = [&z, &gamma, &beta].map(|values| double(values));
                let what = format!("{maps:?}");
                let expected = objective(maps, &z, &gamma, &beta, &dh);
                let found: f64 = h.iter().zip(&dh).map(|(&h, &dh)| f64::from(h) * f64::from(dh)).sum();
                assert!((found - expected).abs() < 1e-4 * (1.0 + expected.abs()), "{what}: {found} {expected}");
                let slopes = |n: usize, of: &dyn Fn(usize) -> f64| (0..n).map(of).collect::<Vec<_>>();
                let by_z = |at| slope(&z, at, |z| objective(maps, z, &gamma, &beta, &dh));
                let by_gamma = |at| slope(&gamma, at, |gamma| objective(maps, &z, gamma, &beta, &dh));
                let by_beta = |at| slope(&beta, at, |beta| objective(maps, &z, &gamma, beta, &dh));
                let loose = |found: &[f32], expected: Vec<f64>| {
                    let near = |(f, e): (&f32, &f64)| (f64::from(*f) - e).abs() < 1e-3;
                    assert!(found.iter().zip(&expected).all(near), "{what} {found:?} {expected:?}");
                };
                loose(&dz, slopes(z.len(), &by_z));
                loose(&parameters[0], slopes(c, &by_gamma));
                loose(&parameters[1], slopes(c, &by_beta));
            }
        }
    }

    #[test]
    fn moments_hold_where_the_mean_is_large_beside_the_spread() {
        let mut stream = Stream::new(14, Purpose::Weights, &[]);
        let maps = Maps { images: 4, c: 3, h: 5, w: 5, pool: false };
        let z: Vec<f32> = stream.normal(300, 1.0).iter().map(|z| z + 500.0).collect();
        let [mean, variance] = maps.moments(&z);
        let of = |channel: usize| {
            z.iter().enumerate().filter(move |(index, _)| index / 25 % 3 == channel).map(|(_, &z)| f64::from(z))
        };
        let means: Vec<f64> = (0..3).map(|channel| of(channel).sum::<f64>() / 100.0).collect();
        let around = |channel: usize| of(channel).map(|z| (z - means[channel]).powi(2)).sum::<f64>() / 100.0;
        close(&mean, &means, "means");
        close(&variance, &(0..3).map(around).collect::<Vec<_>>(), "variances");
    }
}
