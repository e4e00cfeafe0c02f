//! A picture of who is near whom: t-SNE (van der Maaten and Hinton 2008), by the crate `bhtsne`.

use super::{Rows, Spectrum, squared_distance, wide};
use bhtsne::tSNE;

/// Neighbours that a sample is given, roughly; fewer where there are few samples.
const PERPLEXITY: f64 = 30.0;
/// Steps of the gradient descent.
const STEPS: usize = 500;
/// Standard deviation of the first coordinate at the start.
const START: f64 = 1e-4;
/// Samples below which there is nothing to embed.
const FEWEST: usize = 12;

/// Each sample's place in the plane. It starts from the first two principal components, of `spectrum` (Kobak and Berens
/// 2019), so that the same samples have the same picture. All at 0 where there are fewer than a dozen samples, or all
/// are one.
pub fn neighbours(rows: &Rows, spectrum: &Spectrum) -> Vec<[f64; 2]> {
    let plane = spectrum.plane();
    let count = plane.len() as f64;
    let deviation = (plane.iter().map(|[x, _]| x * x).sum::<f64>() / count).sqrt();
    if rows.len() < FEWEST || deviation.is_nan() || deviation <= 0.0 {
        return vec![[0.0; 2]; rows.len()];
    }
    let start: Vec<f64> = plane.iter().flatten().map(|x| x * START / deviation).collect();
    let samples: Vec<&[f32]> = rows.rows().collect();
    let mut embedding = tSNE::<f64, &[f32], 2>::new(&samples);
    embedding.perplexity(PERPLEXITY.min((count - 1.0) / 3.5)).epochs(STEPS).initial_embedding(start);
    embedding.exact(|a, b| squared_distance(wide(a), b).sqrt());
    embedding.embedding().chunks(2).map(|pair| [pair[0], pair[1]]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::representation::nearest_class_mean;
    use crate::rng::{Purpose, Stream};

    #[test]
    fn clusters_stay_clusters_and_the_picture_is_the_same_again() {
        // Three clusters in eight dimensions, twenty deviations apart.
        let noise = Stream::new(3, Purpose::Noise, &[]).normal(90 * 8, 1.0);
        let labels: Vec<usize> = (0..90).map(|i| i % 3).collect();
        let place = |i: usize| noise[i] + if i % 8 == labels[i / 8] { 20.0 } else { 0.0 };
        let rows = Rows::new((0..noise.len()).map(place).collect(), 8);
        let spectrum = Spectrum::of(&rows);
        let found = neighbours(&rows, &spectrum);
        let flat = Rows::new(found.iter().flatten().map(|x| *x as f32).collect(), 2);
        assert_eq!(nearest_class_mean(&flat, &labels, 3), Some(100.0));
        assert_eq!(found, neighbours(&rows, &spectrum));
    }

    #[test]
    fn what_has_no_neighbours_has_no_place() {
        let rows = Rows::new(vec![1.0; 40], 2);
        assert_eq!(neighbours(&rows, &Spectrum::of(&rows)), [[0.0; 2]; 20]);
    }
}
