//! What a projection does to distances.

use super::{Rows, squared_distance, wide};
use serde::{Deserialize, Serialize};

/// How far squared distances between samples are off under a projection, relative, over all pairs.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Distortion {
    /// Mean over pairs.
    #[serde(with = "crate::real")]
    pub mean: f64,
    /// The worst pair's.
    #[serde(with = "crate::real")]
    pub max: f64,
}

/// `|‖v_i - v_j‖² / (gain ‖h_i - h_j‖²) - 1|` over all pairs of samples that differ in `h`; `None` where none do.
/// `gain` is what the projection does to squared lengths in expectation, `d_o E R_jk²`.
pub fn distortion(h: &Rows, v: &Rows, gain: f64) -> Option<Distortion> {
    let (mut sum, mut max, mut pairs) = (0.0, 0.0f64, 0u64);
    for i in 0..h.len() {
        for j in 0..i {
            let before = squared_distance(wide(h.row(i)), h.row(j));
            if before > 0.0 {
                let off = (squared_distance(wide(v.row(i)), v.row(j)) / (gain * before) - 1.0).abs();
                (sum, max, pairs) = (sum + off, max.max(off), pairs + 1);
            }
        }
    }
    (pairs > 0).then(|| Distortion { mean: sum / pairs as f64, max })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::projection::{ProjectionConfig, ProjectionLaw};
    use crate::rng::{Purpose, Stream, upload};
    use burn::tensor::Device;

    #[test]
    fn three_samples_by_hand() {
        let h = Rows::new(vec![0.0, 0.0, 3.0, 4.0, 0.0, 0.0], 2);
        // Squared distances 25 (samples 1 and 2), 0 (1 and 3: no pair), 25 (2 and 3).
        let v = Rows::new(vec![0.0, 5.0, 2.0], 1);
        // 25 / (2 * 25) - 1 = -0.5 and 9 / (2 * 25) - 1 = -0.82.
        let found = distortion(&h, &v, 2.0).unwrap();
        assert!((found.mean - 0.66).abs() < 1e-12 && (found.max - 0.82).abs() < 1e-12, "{found:?}");
        assert_eq!(distortion(&h.first(1), &v.first(1), 2.0), None);
    }

    #[test]
    fn a_gaussian_projection_is_off_as_chi_squared_says() {
        // d_o ‖R u‖² / ‖u‖² is chi-squared with d_o degrees of freedom, whose mean absolute deviation is
        // 2 k^(k/2) e^(-k/2) / (2^(k/2 - 1) Γ(k/2)): 3.5093 of 10, and about √(4 k / π) = 11.28 of 100.
        let h = upload(Stream::new(1, Purpose::Noise, &[]).normal(60 * 300, 1.0), [60, 300], &Device::flex());
        for (codes, expected) in [(10, 0.3509), (100, 0.1127)] {
            let config = ProjectionConfig {
                law: ProjectionLaw::JlNormal,
                gain: 1.0,
                dropout: 0.0,
                learned: false,
                regenerated: false,
            };
            let of = |seed| {
                let r = config.init(300, codes, seed, 0, &Device::flex()).clean();
                distortion(&Rows::of(h.clone()), &Rows::of(h.clone().matmul(r)), 1.0).unwrap()
            };
            let found: Vec<Distortion> = (0..20).map(of).collect();
            let mean = found.iter().map(|d| d.mean).sum::<f64>() / 20.0;
            assert!((mean / expected - 1.0).abs() < 0.05, "{codes} codes: {mean}, expected {expected}");
            assert!(found.iter().all(|d| d.max > 2.0 * d.mean));
        }
    }
}
