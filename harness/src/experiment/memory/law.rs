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
        assert_eq!(Affine::through(points[0], points[1]), line);
    }

    #[test]
    fn deviations_are_percent_of_what_was_measured() {
        assert!((Affine { a: 1.0, b: 1.0 }.deviation((1.0, 1.6)) - 25.0).abs() < 1e-9);
    }
}
