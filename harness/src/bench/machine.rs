//! What the machine can do: products and copies, with as many threads as the steps have.

use burn::tensor::{Device, Distribution, Tensor};
use std::time::{Duration, Instant};

/// Bytes that a copy reads and as many that it writes, on every thread: beyond any cache.
const COPIED: usize = 64 << 20;

/// Rates of the machine.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rates {
    /// Multiply-accumulates a second in products of a network's shapes.
    pub macs: f64,
    /// Bytes a second, read and written, of copies.
    pub bytes: f64,
}

impl Rates {
    /// Seconds below which a step of `macs` multiply-accumulates and `bytes` of traffic cannot come, as if neither hid
    /// behind the other: `macs / rate + bytes / rate`.
    pub fn floor(&self, macs: f64, bytes: f64) -> f64 {
        macs / self.macs + bytes / self.bytes
    }
}

/// Bytes that a step with Adam moves for `values` trained values, f32: parameter, gradient and two moments are read,
/// parameter and moments written.
pub fn adam_bytes(values: usize) -> f64 {
    (7 * size_of::<f32>() * values) as f64
}

/// The best of as many seconds a pass as fit into `time`, at least one.
fn best(time: Duration, mut pass: impl FnMut()) -> f64 {
    let (mut best, until) = (f64::INFINITY, Instant::now() + time);
    while best.is_infinite() || Instant::now() < until {
        let started = Instant::now();
        pass();
        best = best.min(started.elapsed().as_secs_f64());
    }
    best
}

/// Multiply-accumulates a second of products `[a, b] [b, c]` of these shapes in turn, by the tensor library.
pub fn products(shapes: &[[usize; 3]], device: &Device, time: Duration) -> f64 {
    let random = |shape: [usize; 2]| Tensor::<2>::random(shape, Distribution::Default, device);
    let pairs: Vec<_> = shapes.iter().map(|&[a, b, c]| (random([a, b]), random([b, c]))).collect();
    let macs: usize = shapes.iter().map(|[a, b, c]| a * b * c).sum();
    let seconds = best(time, || {
        let mut last = None;
        for (left, right) in &pairs {
            last = Some(left.clone().matmul(right.clone()));
        }
        // Waits for a device that is not the host.
        if let Some(last) = last {
            last.slice([0..1, 0..1]).into_scalar::<f32>();
        }
    });
    macs as f64 / seconds
}

/// Bytes a second, read and written: `threads` threads that each copy on a processor, or the device's own copies.
pub fn copies(device: &Device, threads: usize, on_card: bool, time: Duration) -> f64 {
    if on_card {
        let values = 4 * COPIED / size_of::<f32>();
        let x = Tensor::<2>::ones([values, 1], device);
        let seconds = best(time, || {
            (x.clone() + 1.0).slice([0..1, 0..1]).into_scalar::<f32>();
        });
        return (2 * values * size_of::<f32>()) as f64 / seconds;
    }
    let mut buffers: Vec<(Vec<u8>, Vec<u8>)> = (0..threads).map(|_| (vec![1; COPIED], vec![2; COPIED])).collect();
    let seconds = best(time, || {
        std::thread::scope(|scope| {
            for (from, to) in &mut buffers {
                scope.spawn(|| to.copy_from_slice(std::hint::black_box(from)));
            }
        });
    });
    (2 * threads * COPIED) as f64 / seconds
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_floor_is_the_sum_of_both_times() {
        let rates = Rates { macs: 100e9, bytes: 20e9 };
        // 1.3 GMAC and 142 MB.
        let floor = rates.floor(1.3e9, adam_bytes(5_085_010));
        assert!((floor - (0.013 + 0.00711901)).abs() < 1e-6, "{floor}");
    }

    #[test]
    fn rates_are_measured() {
        let device = Device::flex();
        assert!(products(&[[32, 48, 16], [16, 16, 16]], &device, Duration::ZERO) > 1e6);
        assert!(copies(&device, 1, false, Duration::ZERO) > 1e7);
    }
}
