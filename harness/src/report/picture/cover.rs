//! Which lines lie on others. One that is drawn before another at the same places is drawn wider, so that both are seen.

use super::canvas::At;

/// Pixels within which two lines are one.
const CLOSE: f64 = 2.5;
/// Places at which lines are compared.
const PLACES: usize = 41;
/// The share of these at which a line must lie on another to be hidden by it.
const MUCH: f64 = 0.4;

/// For each line, given as its points in pixels from left to right, how many of those drawn after it lie on it.
pub fn covers(lines: &[Vec<At>]) -> Vec<usize> {
    let after = |index: usize| lines[index + 1..].iter().filter(|other| hides(&lines[index], other)).count();
    (0..lines.len()).map(after).collect()
}

fn hides(line: &[At], other: &[At]) -> bool {
    let (Some(first), Some(last)) = (line.first(), line.last()) else { return false };
    let place = |i: usize| first.0 + (last.0 - first.0) * i as f64 / (PLACES - 1) as f64;
    let on = |x: f64| matches!((height(line, x), height(other, x)), (Some(a), Some(b)) if (a - b).abs() <= CLOSE);
    (0..PLACES).filter(|i| on(place(*i))).count() as f64 >= MUCH * PLACES as f64
}

/// The line's height at `x`; a line of one point has it within a marker's width.
fn height(line: &[At], x: f64) -> Option<f64> {
    if let [only] = line {
        return ((only.0 - x).abs() <= CLOSE).then_some(only.1);
    }
    let (a, b) = line.windows(2).map(|pair| (pair[0], pair[1])).find(|(a, b)| (a.0..=b.0).contains(&x))?;
    Some(if b.0 > a.0 { a.1 + (b.1 - a.1) * (x - a.0) / (b.0 - a.0) } else { a.1 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_below_others_know_how_many_lie_on_them() {
        let flat = |y: f64| vec![(0.0, y), (50.0, y), (100.0, y)];
        let rising = vec![(0.0, 10.0), (100.0, 90.0)];
        assert_eq!(covers(&[flat(10.0), flat(11.0), rising.clone(), flat(10.5)]), [2, 1, 0, 0]);
        assert_eq!(covers(&[flat(10.0), rising]), [0, 0], "lines that only cross hide nothing");
        assert_eq!(covers(&[vec![(30.0, 5.0)], vec![(30.5, 5.5)], vec![], vec![(90.0, 5.0)]]), [1, 0, 0, 0]);
    }
}
