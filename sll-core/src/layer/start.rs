//! What the affine maps of hidden layers and classifiers start with.

use crate::rng::Stream;
use serde::{Deserialize, Serialize};

/// How many connections the units of an affine map have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fans {
    /// Inputs of a unit.
    pub inputs: usize,
    /// Units that an input reaches.
    pub outputs: usize,
}

/// The law of initial weights, `n` being a unit's inputs (fan-in) and `m` how many units an input reaches (fan-out).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Initial {
    /// `U(±1/√n)`: PyTorch's default.
    #[default]
    Pytorch,
    /// `U(±√(6/n))` (He et al. 2015).
    HeUniform,
    /// `N(0, 2/n)`.
    HeNormal,
    /// `U(±√(6/(n + m)))` (Glorot & Bengio 2010).
    XavierUniform,
    /// `N(0, 2/(n + m))`.
    XavierNormal,
    /// `N(0, 1/(n + m))` (weight mirrors' in the code of Akrout et al. 2019).
    BothFansNormal,
    /// `N(0, 1/m)` (forward-forward's in the code of Löwe 2023).
    FanOutNormal,
    /// Rows or columns, whichever are fewer, are orthogonal and of length 1 (Saxe, McClelland & Ganguli 2014).
    Orthogonal,
    /// 0, for classifiers alone: hidden units that start alike stay alike (in the code of Nøkland & Eidnes 2019, and of
    /// Löwe 2023).
    Zero,
}

impl Initial {
    /// Weights `[rows, columns]`, row by row, times `gain`, of units with these fans.
    pub fn draw(self, [rows, columns]: [usize; 2], fans: Fans, gain: f64, stream: &mut Stream) -> Vec<f32> {
        let (count, n, both) = (rows * columns, fans.inputs as f64, (fans.inputs + fans.outputs) as f64);
        match self {
            Initial::Pytorch => stream.uniform(count, gain / n.sqrt()),
            Initial::HeUniform => stream.uniform(count, gain * (6.0 / n).sqrt()),
            Initial::HeNormal => stream.normal(count, gain * (2.0 / n).sqrt()),
            Initial::XavierUniform => stream.uniform(count, gain * (6.0 / both).sqrt()),
            Initial::XavierNormal => stream.normal(count, gain * (2.0 / both).sqrt()),
            Initial::BothFansNormal => stream.normal(count, gain / both.sqrt()),
            Initial::FanOutNormal => stream.normal(count, gain / (fans.outputs as f64).sqrt()),
            Initial::Zero => vec![0.0; count],
            Initial::Orthogonal => {
                let (few, many) = (rows.min(columns), rows.max(columns));
                let found = orthonormal(stream.normal(count, 1.0), many);
                let at = |row: usize, column: usize| match rows <= columns {
                    true => row * many + column,
                    false => column * many + row,
                };
                debug_assert_eq!(found.len(), few * many);
                let places = (0..rows).flat_map(|row| (0..columns).map(move |column| (row, column)));
                places.map(|(row, column)| (gain * found[at(row, column)]) as f32).collect()
            }
        }
    }
}

/// Rows of `length` values made orthogonal and of length 1, one after the other, each in two rounds, since one leaves
/// rounding behind (Giraud, Langou, Rozložník & van den Eshof 2005).
fn orthonormal(values: Vec<f32>, length: usize) -> Vec<f64> {
    let mut rows: Vec<f64> = values.into_iter().map(f64::from).collect();
    for index in 0..rows.len() / length {
        let (done, row) = rows.split_at_mut(index * length);
        let row = &mut row[..length];
        for _ in 0..2 {
            for other in done.chunks_exact(length) {
                let along: f64 = other.iter().zip(row.iter()).map(|(a, b)| a * b).sum();
                row.iter_mut().zip(other).for_each(|(value, other)| *value -= along * other);
            }
        }
        let norm = row.iter().map(|value| value * value).sum::<f64>().sqrt();
        row.iter_mut().for_each(|value| *value /= norm);
    }
    rows
}

/// The bias of an affine map.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Bias {
    /// Starts at a draw from `U(±1/√n)`: PyTorch's default.
    #[default]
    Drawn,
    /// Starts at 0.
    Zero,
    /// There is none: it is 0 and not trained.
    None,
}

/// What an affine map starts with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Start {
    /// The law of its weights.
    pub weights: Initial,
    /// Its bias.
    pub bias: Bias,
}

impl Start {
    /// The same, with PyTorch's law in the place of zeros.
    #[must_use]
    pub fn random(self) -> Self {
        match self.weights {
            Initial::Zero => Self { weights: Initial::Pytorch, ..self },
            _ => self,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Purpose;

    fn draw(law: Initial, shape: [usize; 2], (inputs, outputs): (usize, usize)) -> Vec<f32> {
        law.draw(shape, Fans { inputs, outputs }, 1.0, &mut Stream::new(3, Purpose::Weights, &[]))
    }

    #[test]
    fn laws_have_the_deviation_that_they_name() {
        let fans = (50, 150);
        for (law, variance) in [
            (Initial::Pytorch, 1.0 / 3.0 / 50.0),
            (Initial::HeUniform, 2.0 / 50.0),
            (Initial::HeNormal, 2.0 / 50.0),
            (Initial::XavierUniform, 2.0 / 200.0),
            (Initial::XavierNormal, 2.0 / 200.0),
            (Initial::BothFansNormal, 1.0 / 200.0),
            (Initial::FanOutNormal, 1.0 / 150.0),
        ] {
            let values = draw(law, [200, 300], fans);
            let mean = values.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>() / values.len() as f64;
            assert!((mean / variance - 1.0).abs() < 0.03, "{law:?}: {mean}, not {variance}");
            let most = values.iter().fold(0f32, |most, v| most.max(v.abs()));
            let uniform = f64::from(most) <= (3.0 * variance).sqrt() * 1.0001;
            let normal = !matches!(law, Initial::Pytorch | Initial::HeUniform | Initial::XavierUniform);
            assert_eq!(uniform, !normal, "{law:?}: {most}");
        }
    }

    #[test]
    fn the_fewer_of_rows_and_columns_are_orthogonal() {
        for [rows, columns] in [[20, 30], [30, 20], [12, 12]] {
            let values = draw(Initial::Orthogonal, [rows, columns], (columns, rows));
            let of =
                |i: usize, k: usize| f64::from(values[if rows <= columns { i * columns + k } else { k * columns + i }]);
            let (few, many) = (rows.min(columns), rows.max(columns));
            for (i, j) in (0..few).flat_map(|i| (0..few).map(move |j| (i, j))) {
                let inner: f64 = (0..many).map(|k| of(i, k) * of(j, k)).sum();
                assert!((inner - f64::from(u8::from(i == j))).abs() < 1e-6, "{rows}x{columns}, {i} and {j}: {inner}");
            }
        }
    }
}
