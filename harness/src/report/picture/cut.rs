//! Lines and areas cut: at a frame, and into dashes.

use super::frame::{At, Frame};

/// Whether `at` lies in `frame`, its edges included.
pub fn inside((x, y): At, frame: Frame) -> bool {
    (frame.left..=frame.right).contains(&x) && (frame.top..=frame.bottom).contains(&y)
}

fn between(from: At, to: At, share: f64) -> At {
    (from.0 + share * (to.0 - from.0), from.1 + share * (to.1 - from.1))
}

/// The part of a straight line within `frame` (Liang & Barsky 1984).
fn straight(from: At, to: At, frame: Frame) -> Option<(At, At)> {
    let (dx, dy) = (to.0 - from.0, to.1 - from.1);
    let (mut enters, mut leaves) = (0.0f64, 1.0f64);
    let edges = [
        (-dx, from.0 - frame.left),
        (dx, frame.right - from.0),
        (-dy, from.1 - frame.top),
        (dy, frame.bottom - from.1),
    ];
    for (towards, room) in edges {
        if towards == 0.0 {
            if room < 0.0 {
                return None;
            }
        } else if towards < 0.0 {
            enters = enters.max(room / towards);
        } else {
            leaves = leaves.min(room / towards);
        }
    }
    (enters <= leaves).then(|| (between(from, to, enters), between(from, to, leaves)))
}

/// The pieces of a line through `points` within `frame`.
pub fn line(points: &[At], frame: Frame) -> Vec<Vec<At>> {
    let mut pieces: Vec<Vec<At>> = Vec::new();
    for pair in points.windows(2) {
        let Some((from, to)) = straight(pair[0], pair[1], frame) else { continue };
        match pieces.last_mut() {
            Some(piece) if piece.last() == Some(&from) => piece.push(to),
            _ => pieces.push(vec![from, to]),
        }
    }
    pieces
}

/// The part of an area within `frame` (Sutherland & Hodgman 1974).
pub fn area(points: &[At], frame: Frame) -> Vec<At> {
    type Room = Box<dyn Fn(At) -> f64>;
    let edges: [Room; 4] = [
        Box::new(move |at| at.0 - frame.left),
        Box::new(move |at| frame.right - at.0),
        Box::new(move |at| at.1 - frame.top),
        Box::new(move |at| frame.bottom - at.1),
    ];
    edges.iter().fold(points.to_vec(), |points, room| {
        let mut kept = Vec::new();
        for (index, &to) in points.iter().enumerate() {
            let from = points[(index + points.len() - 1) % points.len()];
            let (before, after) = (room(from), room(to));
            if (before < 0.0) != (after < 0.0) {
                kept.push(between(from, to, before / (before - after)));
            }
            if after >= 0.0 {
                kept.push(to);
            }
        }
        kept
    })
}

/// The dashes of a line through `points`: lengths of `pattern` are drawn and left out in turns.
pub fn dashes(points: &[At], pattern: &[f64]) -> Vec<Vec<At>> {
    let (mut dashes, mut turn, mut left) = (Vec::new(), 0, pattern[0]);
    let mut dash: Vec<At> = points.first().copied().into_iter().collect();
    for pair in points.windows(2) {
        let (from, to) = (pair[0], pair[1]);
        let length = (to.0 - from.0).hypot(to.1 - from.1);
        let mut gone = 0.0;
        while length - gone > left {
            gone += left;
            let at = between(from, to, gone / length);
            if turn % 2 == 0 {
                dash.push(at);
                dashes.push(std::mem::take(&mut dash));
            } else {
                dash = vec![at];
            }
            turn = (turn + 1) % pattern.len();
            left = pattern[turn];
        }
        left -= length - gone;
        if turn % 2 == 0 {
            dash.push(to);
        }
    }
    dashes.extend((dash.len() > 1).then_some(dash));
    dashes
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: Frame = Frame { left: 0.0, top: 0.0, right: 10.0, bottom: 10.0 };

    #[test]
    fn a_line_that_leaves_and_comes_back_is_two_pieces() {
        let points = [(-5.0, 5.0), (5.0, 5.0), (5.0, 15.0), (8.0, 15.0), (8.0, 5.0)];
        let pieces = line(&points, FRAME);
        assert_eq!(pieces, [vec![(0.0, 5.0), (5.0, 5.0), (5.0, 10.0)], vec![(8.0, 10.0), (8.0, 5.0)]]);
        assert!(line(&[(-5.0, -1.0), (20.0, -1.0)], FRAME).is_empty());
        assert_eq!(line(&[(1.0, 1.0), (2.0, 2.0)], FRAME), [vec![(1.0, 1.0), (2.0, 2.0)]]);
    }

    #[test]
    fn an_area_is_cut_at_every_edge() {
        let square = [(-5.0, -5.0), (15.0, -5.0), (15.0, 15.0), (-5.0, 15.0)];
        let mut corners = area(&square, FRAME);
        corners.sort_by(|a, b| a.partial_cmp(b).unwrap());
        assert_eq!(corners, [(0.0, 0.0), (0.0, 10.0), (10.0, 0.0), (10.0, 10.0)]);
        assert!(area(&[(20.0, 20.0), (30.0, 20.0), (30.0, 30.0)], FRAME).is_empty());
    }

    #[test]
    fn dashes_go_on_around_corners() {
        // 3 drawn, 2 left out: 0..3, 5..8 around the corner at 6, 10..12.
        let found = dashes(&[(0.0, 0.0), (6.0, 0.0), (6.0, 6.0)], &[3.0, 2.0]);
        let wanted =
            [vec![(0.0, 0.0), (3.0, 0.0)], vec![(5.0, 0.0), (6.0, 0.0), (6.0, 2.0)], vec![(6.0, 4.0), (6.0, 6.0)]];
        assert_eq!(found, wanted);
    }
}
