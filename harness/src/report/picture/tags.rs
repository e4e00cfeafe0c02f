//! Words beside points, where they hide and are hidden least.

use super::frame::{At, Frame};

/// Between a point and its words.
const APART: f64 = 8.0;
/// Pixels from one probe of a line to the next.
const STEP: f64 = 3.0;

/// What words should not lie on.
#[derive(Default)]
pub struct Ink {
    /// Probes of lines, bars and markers.
    probes: Vec<At>,
    /// Words placed before.
    words: Vec<Frame>,
}

impl Ink {
    /// A line, a bar, or the like.
    pub fn add_line(&mut self, from: At, to: At) {
        let steps = ((to.0 - from.0).hypot(to.1 - from.1) / STEP).ceil().max(1.0) as usize;
        let share = |step: usize| step as f64 / steps as f64;
        let at = |share: f64| (from.0 + share * (to.0 - from.0), from.1 + share * (to.1 - from.1));
        self.probes.extend((0..=steps).map(|step| at(share(step))));
    }

    /// The middle of words of this size beside `point`, within `room`: the first of eight places at which they lie on
    /// least. From then on they are ink themselves.
    pub fn place(&mut self, point: At, (width, height): (f64, f64), room: Frame) -> At {
        let (far, near) = (width / 2.0 + APART, height / 2.0 + APART - 2.0);
        let (aside, above) = (width / 2.0 + 4.0, height / 2.0 + 4.0);
        let places = [(0.0, -near), (aside, -above), (-aside, -above), (aside, above), (-aside, above), (0.0, near)];
        let all = places.into_iter().chain([(far, 0.0), (-far, 0.0)]);
        let frame = |(dx, dy): At| {
            let (x, y) = (point.0 + dx, point.1 + dy);
            let (half, high) = (width / 2.0, height / 2.0);
            Frame { left: x - half, top: y - high, right: x + half, bottom: y + high }
        };
        let frames: Vec<Frame> = all.map(frame).collect();
        let best = (0..frames.len()).min_by_key(|index| self.cost(frames[*index], room)).unwrap_or(0);
        let best = frames[best];
        self.words.push(best);
        ((best.left + best.right) / 2.0, (best.top + best.bottom) / 2.0)
    }

    /// Probes that words would hide; other words and the room's edge count for many.
    fn cost(&self, at: Frame, room: Frame) -> usize {
        let inside = |(x, y): &&At| at.left <= *x && *x <= at.right && at.top <= *y && *y <= at.bottom;
        let over = |other: &&Frame| {
            other.left < at.right && at.left < other.right && other.top < at.bottom && at.top < other.bottom
        };
        let beyond = at.left < room.left || at.right > room.right || at.top < room.top || at.bottom > room.bottom;
        let words = self.words.iter().filter(over).count();
        self.probes.iter().filter(inside).count() + 100 * words + 1000 * usize::from(beyond)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOM: Frame = Frame { left: 0.0, top: 0.0, right: 200.0, bottom: 100.0 };

    #[test]
    fn words_stand_above_where_nothing_is_and_elsewhere_where_something_is() {
        let mut ink = Ink::default();
        let above = ink.place((100.0, 50.0), (20.0, 10.0), ROOM);
        assert!(above.0 == 100.0 && above.1 < 45.0, "{above:?}");
        // A bar through another point.
        ink.add_line((50.0, 20.0), (50.0, 80.0));
        let beside = ink.place((50.0, 50.0), (20.0, 10.0), ROOM);
        assert!((beside.0 - 50.0).abs() > 10.0, "{beside:?}");
        // The same point again: its place is taken.
        let again = ink.place((50.0, 50.0), (20.0, 10.0), ROOM);
        assert!((again.0 - beside.0).abs() >= 20.0 || (again.1 - beside.1).abs() >= 10.0, "{again:?} {beside:?}");
    }

    #[test]
    fn words_stay_in_the_room() {
        let (x, y) = Ink::default().place((199.0, 1.0), (40.0, 10.0), ROOM);
        assert!(x + 20.0 <= 200.0 && y - 5.0 >= 0.0, "{x} {y}");
    }
}
