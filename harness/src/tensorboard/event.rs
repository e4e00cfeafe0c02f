//! The part of TensorFlow's `event.proto` and `summary.proto` that scalars need.

use prost::Message;

/// One record of an event file.
#[derive(Clone, PartialEq, Message)]
pub struct Event {
    /// Seconds since 1970.
    #[prost(double, tag = "1")]
    pub wall_time: f64,
    /// The epoch.
    #[prost(int64, tag = "2")]
    pub step: i64,
    /// Of a file's first record: what the others are.
    #[prost(string, optional, tag = "3")]
    pub file_version: Option<String>,
    /// Values.
    #[prost(message, optional, tag = "5")]
    pub summary: Option<Summary>,
}

/// Values of one moment.
#[derive(Clone, PartialEq, Message)]
pub struct Summary {
    /// Each of them.
    #[prost(message, repeated, tag = "1")]
    pub value: Vec<Scalar>,
}

/// A number by name.
#[derive(Clone, PartialEq, Message)]
pub struct Scalar {
    /// The name, whose part before a slash groups.
    #[prost(string, tag = "1")]
    pub tag: String,
    /// The number.
    #[prost(float, optional, tag = "2")]
    pub simple_value: Option<f32>,
}

impl Event {
    /// What a file begins with.
    pub fn version(wall_time: f64) -> Self {
        Self { wall_time, file_version: Some("brain.Event:2".into()), ..Self::default() }
    }

    /// Numbers at `step`.
    pub fn scalars(wall_time: f64, step: i64, values: &[(String, f64)]) -> Self {
        let scalar = |(tag, value): &(String, f64)| Scalar { tag: tag.clone(), simple_value: Some(*value as f32) };
        let summary = Some(Summary { value: values.iter().map(scalar).collect() });
        Self { wall_time, step, summary, ..Self::default() }
    }

    /// The epoch of `bytes`, where they are one's numbers.
    pub fn epoch(bytes: &[u8]) -> Option<usize> {
        let event = Self::decode(bytes).ok()?;
        event.summary.and_then(|_| usize::try_from(event.step).ok())
    }

    /// As it stands in a file.
    pub fn bytes(&self) -> Vec<u8> {
        self.encode_to_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // python3 -c "
    // from tensorboard.compat.proto.event_pb2 import Event
    // from tensorboard.compat.proto.summary_pb2 import Summary
    // v = Summary.Value(tag='loss/train', simple_value=0.25)
    // print(Event(wall_time=1.5, step=3, summary=Summary(value=[v])).SerializeToString().hex())
    // print(Event(wall_time=1.5, file_version='brain.Event:2').SerializeToString().hex())"
    #[test]
    fn events_are_tensorboards_own_bytes() {
        let hex = |event: Event| event.bytes().iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let scalars = hex(Event::scalars(1.5, 3, &[("loss/train".into(), 0.25)]));
        assert_eq!(scalars, "09000000000000f83f10032a130a110a0a6c6f73732f747261696e150000803e");
        assert_eq!(hex(Event::version(1.5)), "09000000000000f83f1a0d627261696e2e4576656e743a32");
        let epoch = |event: Event| Event::epoch(&event.bytes());
        assert_eq!((epoch(Event::scalars(1.5, 3, &[])), epoch(Event::version(1.5))), (Some(3), None));
    }
}
