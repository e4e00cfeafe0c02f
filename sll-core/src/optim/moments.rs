//! What an optimiser keeps of a parameter between steps.

use crate::parameter::apart;
use burn::optim::{RecordState, StateSink, StateSource};
use burn::tensor::{Device, Tensor};

/// Steps taken and running averages of one parameter.
#[derive(Clone)]
pub struct Moments<const N: usize, const D: usize> {
    /// Steps taken, `t`.
    pub time: usize,
    /// The averages, each of the shape of the parameter, begun at 0.
    pub values: [Tensor<D>; N],
}

impl<const N: usize, const D: usize> Moments<N, D> {
    /// The state before a parameter like `theta` has moved.
    pub fn zeros(theta: &Tensor<D>) -> Self {
        Self { time: 0, values: std::array::from_fn(|_| theta.zeros_like()) }
    }

    /// The same on `device`.
    #[must_use]
    pub fn to_device(self, device: &Device) -> Self {
        Self { values: self.values.map(|values| values.to_device(device)), ..self }
    }
}

// By hand: burn's derive names paths that exist only inside burn.
impl<const N: usize, const D: usize> RecordState for Moments<N, D> {
    fn state_flatten(&self, prefix: &str, out: &mut StateSink) {
        out.push_scalar(prefix, "time", self.time.into());
        for (index, values) in self.values.iter().enumerate() {
            out.push_tensor(prefix, &format!("moment_{}", index + 1), values.clone().into_data());
        }
    }

    fn state_unflatten(prefix: &str, src: &mut StateSource, device: &Device) -> Option<Self> {
        let time = usize::try_from(src.take_scalar(prefix, "time")?).ok()?;
        let mut values = Vec::with_capacity(N);
        for index in 0..N {
            // What is loaded looks into the whole record, which would stay for as long as one parameter has not moved.
            let loaded = src.take_tensor(prefix, &format!("moment_{}", index + 1))?;
            values.push(Tensor::from_data(apart(loaded), device));
        }
        Some(Self { time, values: values.try_into().ok()? })
    }
}
