//! Straight lines: memory against depth, and against the batch.

/// `y = a + b x`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Affine {
    /// Value at 0.
    pub a: f64,
    /// Slope.
    pub b: f64,
}

impl Affine {
    /// The line through two points of different `x`.
    pub fn through((x0, y0): (f64, f64), (x1, y1): (f64, f64)) -> Self {
        let b = (y1 - y0) / (x1 - x0);
        Self { a: y0 - b * x0, b }
    }

    /// The line with the least squared distances in `y` to `points`: `b = cov(x, y) / var(x)`. `None` where they do not
    /// have two different `x`.
    pub fn fit(points: &[(f64, f64)]) -> Option<Self> {
        let n = points.len() as f64;
        let mean = |value: fn(&(f64, f64)) -> f64| points.iter().map(value).sum::<f64>() / n;
        let (x, y) = (mean(|p| p.0), mean(|p| p.1));
        let variance: f64 = points.iter().map(|p| (p.0 - x).powi(2)).sum();
        let covariance: f64 = points.iter().map(|p| (p.0 - x) * (p.1 - y)).sum();
        (variance > 0.0).then(|| Self { a: y - covariance / variance * x, b: covariance / variance })
    }

    /// `a + b x`.
    pub fn at(&self, x: f64) -> f64 {
        self.a + self.b * x
    }

    /// By how many percent the line is off a measured `y` at `x`.
    pub fn deviation(&self, (x, y): (f64, f64)) -> f64 {
        100.0 * (self.at(x) / y - 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_found_again() {
        let line = Affine { a: 3.0, b: 2.0 };
        let points = [1.0, 2.0, 7.0].map(|x| (x, line.at(x)));
        let fitted = Affine::fit(&points).unwrap();
        assert!((fitted.a - 3.0).abs() < 1e-9 && (fitted.b - 2.0).abs() < 1e-9, "{fitted:?}");
        assert_eq!(Affine::through(points[0], points[1]), line);
        assert_eq!(Affine::fit(&points[..1]), None);
    }

    #[test]
    fn the_fit_is_least_squares_and_deviations_are_percent_of_what_was_measured() {
        // By hand: x̄ = 1, ȳ = 2/3, cov = 1, var = 2.
        let fitted = Affine::fit(&[(0.0, 0.0), (1.0, 1.0), (2.0, 1.0)]).unwrap();
        assert!((fitted.b - 0.5).abs() < 1e-12 && (fitted.a - 1.0 / 6.0).abs() < 1e-12);
        assert!((Affine { a: 1.0, b: 1.0 }.deviation((1.0, 1.6)) - 25.0).abs() < 1e-9);
    }
}
