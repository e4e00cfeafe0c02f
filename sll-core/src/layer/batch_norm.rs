//! Batch norm in hidden layers: where it stands, and its statistics by the pass.

use super::affine::beside;
use crate::op::{Normed, batch_norm_rectify, batch_norm_rectify_with};
use crate::pass::Pass;
use burn::nn::BatchNorm;
use burn::tensor::module::batch_norm_train;
use burn::tensor::{DType, Tensor};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Where batch norm stands in a hidden layer. In a spec `false`, `true`, `"before"` or `"after"`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BatchNormAt {
    /// Nowhere.
    #[default]
    None,
    /// Between the affine map and the activation.
    Between,
    /// Before the affine map, on the layer's input.
    Before,
    /// Behind the activation, before dropout and pooling.
    After,
}

impl BatchNormAt {
    /// Whether there is none.
    pub fn is_none(self) -> bool {
        self == Self::None
    }

    /// What a layer's name says of it.
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Between => " batchnorm",
            Self::Before => " batchnorm before",
            Self::After => " batchnorm after",
        }
    }
}

impl From<bool> for BatchNormAt {
    fn from(between: bool) -> Self {
        if between { Self::Between } else { Self::None }
    }
}

impl Serialize for BatchNormAt {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::None => serializer.serialize_bool(false),
            Self::Between => serializer.serialize_bool(true),
            Self::Before => serializer.serialize_str("before"),
            Self::After => serializer.serialize_str("after"),
        }
    }
}

impl<'de> Deserialize<'de> for BatchNormAt {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Given {
            Switch(bool),
            Place(String),
        }
        match Given::deserialize(deserializer)? {
            Given::Switch(between) => Ok(between.into()),
            Given::Place(place) => match place.as_str() {
                "before" => Ok(Self::Before),
                "after" => Ok(Self::After),
                other => {
                    let expected = "false, true (between the map and the activation), \"before\" or \"after\"";
                    Err(de::Error::custom(format!("`{other}` is no place of batch norm, expected {expected}")))
                }
            },
        }
    }
}

/// Batch norm by the pass, not by the device: burn's own looks at the device, and a training pass without a graph is
/// one too.
pub(super) fn normalise(norm: &BatchNorm, z: Tensor<4>, pass: &Pass) -> Tensor<4> {
    if z.dtype() == DType::BF16 {
        return normalise(norm, z.cast(DType::F32), pass).cast(DType::BF16);
    }
    if *pass == Pass::Eval || (z.is_autodiff() && !matches!(pass, Pass::Replay { .. })) {
        return norm.forward(z);
    }
    let (gamma, beta) = (beside(&norm.gamma, &z), beside(&norm.beta, &z));
    let result = batch_norm_train(z, gamma, beta, norm.epsilon);
    run_on(norm, pass, [result.mean, result.variance]);
    result.output
}

/// Batch norm, rectification and pooling at once, by the same statistics as [`normalise`].
pub(super) fn normalise_rectified(norm: &BatchNorm, z: Tensor<4>, pass: &Pass, pool: bool) -> Tensor<4> {
    if z.dtype() == DType::BF16 {
        return normalise_rectified(norm, z.cast(DType::F32), pass, pool).cast(DType::BF16);
    }
    let (gamma, beta) = (beside(&norm.gamma, &z), beside(&norm.beta, &z));
    if *pass == Pass::Eval && !z.is_autodiff() {
        let running = [&norm.running_mean, &norm.running_var].map(|running| match running.value() {
            value if value.is_autodiff() => value.inner(),
            value => value,
        });
        return batch_norm_rectify_with(z, [gamma, beta], running, norm.epsilon, pool);
    }
    let Normed { h, mean, variance } = batch_norm_rectify(z, gamma, beta, norm.epsilon, pool);
    run_on(norm, pass, [mean, variance]);
    h
}

/// Moves the running statistics towards those a training pass has seen; any other pass leaves them alone.
fn run_on(norm: &BatchNorm, pass: &Pass, seen: [Tensor<1>; 2]) {
    if !matches!(pass, Pass::Train { .. }) {
        return;
    }
    for (running, seen) in [&norm.running_mean, &norm.running_var].into_iter().zip(seen) {
        let old = running.value_sync();
        let seen = if old.is_autodiff() && !seen.is_autodiff() { Tensor::from_inner(seen) } else { seen };
        running.update((old * (1.0 - norm.momentum) + seen * norm.momentum).detach());
        // burn would take the mean over threads: the next batch may be another one's.
        running.value_sync();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_switch_or_a_word() {
        for (text, at) in [
            ("false", BatchNormAt::None),
            ("true", BatchNormAt::Between),
            ("\"before\"", BatchNormAt::Before),
            ("\"after\"", BatchNormAt::After),
        ] {
            assert_eq!(serde_json::from_str::<BatchNormAt>(text).unwrap(), at);
            assert_eq!(serde_json::to_string(&at).unwrap(), text);
        }
        let error = serde_json::from_str::<BatchNormAt>("\"behind\"").unwrap_err().to_string();
        assert!(error.contains("behind") && error.contains("before"), "{error}");
    }
}
