//! Fixed random projections: the local heads of SLL (paper, section 3.3, "Stochastic Random Projection").

use crate::error::{Error, Result};
use crate::learned::Part;
use crate::learned::{Learned, Matrix};
use crate::op::{Product, keep_mask};
use crate::optim::Updater;
use crate::rng::{Purpose, Stream, key, upload};
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

/// The law of a projection's entries; `n` features are projected to `d_o` codes.
///
/// All are sub-gaussian with mean zero, as the paper asks; they differ in the scale of the logits `v = R h`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProjectionLaw {
    /// `N(0, 1/n)`: logits of order one for activations of order one.
    #[default]
    FanInNormal,
    /// `U(±1/√n)`, a frozen linear layer in PyTorch's default initialisation.
    KaimingUniform,
    /// `N(0, 1/d_o)`: keeps lengths in expectation (Johnson-Lindenstrauss); logits grow with `√n`.
    JlNormal,
    /// `±1/√n` with equal probability (Achlioptas 2003, dense case).
    Rademacher,
}

/// What a projection is drawn from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ProjectionConfig {
    /// The law of the entries.
    pub law: ProjectionLaw,
    /// A factor on every entry: the inverse temperature of the local posteriors.
    pub gain: f64,
    /// Probability of zeroing an entry in each training step; kept ones are scaled by `1/(1 - dropout)`.
    pub dropout: f64,
    /// Whether it is trained by its unit's objective.
    pub learned: bool,
    /// Whether it is drawn from its seed at each use, so that no byte of it is kept.
    pub regenerated: bool,
}

enum Held {
    Fixed(Tensor<2>),
    /// Nothing but the law, the shape and the device it is drawn for.
    Seed(ProjectionConfig, [usize; 2], Device),
    Learned(Learned<Matrix>),
}

/// `R [n, d_o]`, stored so that `v = h R` for rows `h`: fixed, or in one of the paper's ablations learned.
pub struct Projection {
    matrix: Held,
    dropout: f64,
    seed: u64,
    index: u64,
}

impl ProjectionConfig {
    /// Checks the settings.
    ///
    /// # Errors
    /// [`Error::Setting`] for one that is out of its range.
    pub fn validate(&self) -> Result<()> {
        Error::check_gain("projection_gain", self.gain)?;
        if !(0.0..1.0).contains(&self.dropout) {
            return Err(Error::setting("projection_dropout", self.dropout, "must lie in [0, 1)"));
        }
        Ok(())
    }

    fn draw(&self, [n, codes]: [usize; 2], seed: u64, index: u64, device: &Device) -> Tensor<2> {
        let mut stream = Stream::new(seed, Purpose::Projection, &[index]);
        let (count, fan_in) = (n * codes, (n as f64).sqrt());
        let entries = match self.law {
            ProjectionLaw::FanInNormal => stream.normal(count, self.gain / fan_in),
            ProjectionLaw::KaimingUniform => stream.uniform(count, self.gain / fan_in),
            ProjectionLaw::JlNormal => stream.normal(count, self.gain / (codes as f64).sqrt()),
            ProjectionLaw::Rademacher => stream.signs(count, self.gain / fan_in),
        };
        upload(entries, [n, codes], device)
    }

    /// Draws the projection of unit `index`, from `n` features to `codes`, on the host.
    pub fn init(&self, n: usize, codes: usize, seed: u64, index: usize, device: &Device) -> Projection {
        let device = device.clone().inner();
        let drawn = |device: &Device| self.draw([n, codes], seed, index as u64, device);
        let matrix = match (self.learned, self.regenerated) {
            (true, _) => Held::Learned(Learned::new(Matrix::from_plain(drawn(&device)))),
            (false, false) => Held::Fixed(drawn(&device)),
            (false, true) => Held::Seed(*self, [n, codes], device),
        };
        Projection { matrix, dropout: self.dropout, seed, index: index as u64 }
    }
}

impl Projection {
    /// The fixed matrix, without noise.
    pub fn clean(&self) -> Tensor<2> {
        match &self.matrix {
            Held::Fixed(matrix) => matrix.clone(),
            Held::Seed(config, shape, device) => config.draw(*shape, self.seed, self.index, device),
            Held::Learned(matrix) => matrix.get().plain(),
        }
    }

    /// The matrix of one training step: entries multiplied by a fresh mask, one for the whole batch.
    pub fn noisy(&self, step_seed: u64) -> Tensor<2> {
        if self.dropout == 0.0 {
            return self.clean();
        }
        let matrix = self.clean();
        let mask = self.mask(&matrix, step_seed);
        matrix * mask
    }

    fn mask(&self, matrix: &Tensor<2>, step_seed: u64) -> Tensor<2> {
        keep_mask(matrix, key(self.seed, Purpose::ProjectionDropout, &[self.index, step_seed]), self.dropout)
    }

    /// Trains a learned projection on `v = s R~`, and where they were used on noiseless logits `s R`:
    /// `dR = (sᵀ dv) (.) M + sᵀ dv_clean`. A fixed one stays.
    pub fn train(
        &mut self,
        s: Tensor<2>,
        dv: Tensor<2>,
        clean: Option<Tensor<2>>,
        step_seed: u64,
        updater: &mut Updater,
    ) {
        let mask = (self.dropout > 0.0 && self.learned().is_some()).then(|| self.mask(&self.clean(), step_seed));
        if let Held::Learned(matrix) = &mut self.matrix {
            let gradient = s.clone().transpose().product(dv);
            let gradient = match mask {
                Some(mask) => gradient * mask,
                None => gradient,
            };
            let gradient = match clean {
                Some(clean) => gradient + s.transpose().product(clean),
                None => gradient,
            };
            matrix.descend(gradient, updater, 1.0);
        }
    }

    /// The matrix, where it is learned.
    pub fn learned(&self) -> Option<&Learned<Matrix>> {
        match &self.matrix {
            Held::Learned(matrix) => Some(matrix),
            _ => None,
        }
    }

    /// The matrix, where it is learned.
    pub fn learned_mut(&mut self) -> Option<&mut Learned<Matrix>> {
        match &mut self.matrix {
            Held::Learned(matrix) => Some(matrix),
            _ => None,
        }
    }

    /// What of it is kept, under `name`; nothing where it is drawn at each use.
    pub fn part(&self, name: String) -> Option<Part<'_>> {
        match &self.matrix {
            Held::Fixed(matrix) => Some(Part::fixed(name, matrix.clone())),
            Held::Seed(..) => None,
            Held::Learned(matrix) => Some(Part::learned(name, matrix)),
        }
    }

    /// Number of codes `d_o`.
    pub fn codes(&self) -> usize {
        self.shape()[1]
    }

    /// Features projected.
    pub fn features(&self) -> usize {
        self.shape()[0]
    }

    fn shape(&self) -> [usize; 2] {
        match &self.matrix {
            Held::Fixed(matrix) => matrix.dims(),
            Held::Seed(_, shape, _) => *shape,
            Held::Learned(matrix) => matrix.get().value.dims(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn std(law: ProjectionLaw) -> f64 {
        let config = ProjectionConfig { law, gain: 2.0, dropout: 0.0, learned: false, regenerated: false };
        let values = config.init(400, 100, 3, 0, &Device::flex()).clean().into_data().try_to_vec::<f32>().unwrap();
        (values.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>() / values.len() as f64).sqrt()
    }

    #[test]
    fn laws_have_their_scale() {
        for (law, expected) in [
            (ProjectionLaw::FanInNormal, 2.0 / 20.0),
            (ProjectionLaw::KaimingUniform, 2.0 / 20.0 / 3f64.sqrt()),
            (ProjectionLaw::JlNormal, 2.0 / 10.0),
            (ProjectionLaw::Rademacher, 2.0 / 20.0),
        ] {
            assert!((std(law) / expected - 1.0).abs() < 0.02, "{law:?}: {} against {expected}", std(law));
        }
    }

    #[test]
    fn noise_is_fresh_each_step_and_repeatable() {
        let config = ProjectionConfig {
            law: ProjectionLaw::FanInNormal,
            gain: 1.0,
            dropout: 0.5,
            learned: false,
            regenerated: false,
        };
        let projection = config.init(20, 10, 3, 1, &Device::flex());
        let of = |step| projection.noisy(step).into_data().try_to_vec::<f32>().unwrap();
        assert_eq!(of(1), of(1));
        assert_ne!(of(1), of(2));
        let dropped = of(1).iter().filter(|v| **v == 0.0).count();
        assert!((60..140).contains(&dropped), "{dropped} of 200 dropped at rate 0.5");
    }

    #[test]
    fn drawn_anew_it_is_the_same_matrix_and_nothing_is_kept() {
        let kept = ProjectionConfig {
            law: ProjectionLaw::Rademacher,
            gain: 1.0,
            dropout: 0.3,
            learned: false,
            regenerated: false,
        };
        let drawn = ProjectionConfig { regenerated: true, ..kept };
        let of = |config: ProjectionConfig| config.init(20, 10, 3, 1, &Device::flex());
        let parts = |config| of(config).part("r".into()).is_some();
        assert!(parts(kept) && !parts(drawn));
        assert_eq!(of(kept).noisy(4).into_data(), of(drawn).noisy(4).into_data());
        assert_eq!((of(drawn).features(), of(drawn).codes()), (20, 10));
    }

    #[test]
    fn bad_settings_are_named() {
        let config = ProjectionConfig {
            law: ProjectionLaw::FanInNormal,
            gain: 1.0,
            dropout: 1.0,
            learned: false,
            regenerated: false,
        };
        assert!(config.validate().unwrap_err().to_string().contains("projection_dropout"));
        assert!(ProjectionConfig { gain: 0.0, dropout: 0.0, ..config }.validate().is_err());
    }
}
