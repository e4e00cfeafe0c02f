//! Which lines lie on others. One that is drawn before another at the same places is drawn wider, so that both are
//! seen.

use super::frame::At;

/// Pixels within which two lines are one.
const CLOSE: f64 = 2.5;
/// Places at which lines are compared.
const PLACES: usize = 41;
/// The share of these at which a line must lie on another to be hidden by it.
const MUCH: f64 = 0.4;

/// How one line lies under others.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Cover {
    /// How many of those drawn after it hide it.
    pub by: usize,
    /// The parts of it that they hide, each as its points.
    pub parts: Vec<Vec<At>>,
}

/// For each line, given as its points in pixels, how those drawn after it lie on it.
pub fn covers(lines: &[Vec<At>]) -> Vec<Cover> {
    let cover = |index: usize| {
        let line = &lines[index];
        let above: Vec<&Vec<At>> = lines[index + 1..].iter().filter(|other| hides(line, other)).collect();
        Cover { by: above.len(), parts: if above.is_empty() { Vec::new() } else { parts(line, &above) } }
    };
    (0..lines.len()).map(cover).collect()
}

fn hides(line: &[At], other: &[At]) -> bool {
    let (Some(first), Some(last)) = (line.first(), line.last()) else { return false };
    let place = |i: usize| first.0 + (last.0 - first.0) * i as f64 / (PLACES - 1) as f64;
    (0..PLACES).filter(|i| lies_on(line, other, place(*i))).count() as f64 >= MUCH * PLACES as f64
}

fn lies_on(line: &[At], other: &[At], x: f64) -> bool {
    matches!((height(line, x), height(other, x)), (Some(a), Some(b)) if (a - b).abs() <= CLOSE)
}

/// Pieces of `line` between two points of which the middle is hidden, those that touch as one.
fn parts(line: &[At], above: &[&Vec<At>]) -> Vec<Vec<At>> {
    let mut parts: Vec<Vec<At>> = Vec::new();
    for pair in line.windows(2) {
        let middle = (pair[0].0 + pair[1].0) / 2.0;
        if above.iter().any(|other| lies_on(line, other, middle)) {
            match parts.last_mut().filter(|part| part.last() == Some(&pair[0])) {
                Some(part) => part.push(pair[1]),
                None => parts.push(pair.to_vec()),
            }
        }
    }
    parts
}

/// The line's height at `x`; a line of one point has it within a marker's width.
fn height(line: &[At], x: f64) -> Option<f64> {
    if let [only] = line {
        return ((only.0 - x).abs() <= CLOSE).then_some(only.1);
    }
    let (a, b) =
        line.windows(2).map(|pair| (pair[0], pair[1])).find(|(a, b)| (a.0.min(b.0)..=a.0.max(b.0)).contains(&x))?;
    Some(if b.0 != a.0 { a.1 + (b.1 - a.1) * (x - a.0) / (b.0 - a.0) } else { a.1 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_below_others_know_how_many_lie_on_them() {
        let flat = |y: f64| vec![(0.0, y), (50.0, y), (100.0, y)];
        let rising = vec![(0.0, 10.0), (100.0, 90.0)];
        let by = |lines: &[Vec<At>]| covers(lines).iter().map(|cover| cover.by).collect::<Vec<_>>();
        assert_eq!(by(&[flat(10.0), flat(11.0), rising.clone(), flat(10.5)]), [2, 1, 0, 0]);
        assert_eq!(by(&[flat(10.0), rising]), [0, 0], "lines that only cross hide nothing");
        assert_eq!(by(&[vec![(30.0, 5.0)], vec![(30.5, 5.5)], vec![], vec![(90.0, 5.0)]]), [1, 0, 0, 0]);
    }

    #[test]
    fn only_what_is_hidden_is_marked() {
        let line = [10.0, 10.0, 10.0, 60.0].iter().enumerate().map(|(i, y)| (30.0 * i as f64, *y)).collect::<Vec<_>>();
        let other = vec![(0.0, 10.0), (90.0, 10.0)];
        assert_eq!(covers(&[line.clone(), other])[0], Cover { by: 1, parts: vec![line[..3].to_vec()] });
    }
}
