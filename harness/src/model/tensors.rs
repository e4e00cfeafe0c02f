//! Tensors of f32 by name, as safetensors has them.

use burn::tensor::TensorData;
use safetensors::{Dtype, View};
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Tensors by name.
pub type Tensors = BTreeMap<String, TensorData>;

/// SHA-256 over name, shape and values of every tensor, in the names' order.
pub fn digest(tensors: &Tensors) -> String {
    let mut digest = Sha256::new();
    for (name, data) in tensors {
        digest.update(format!("{name} {:?}\n", &data.shape()[..]));
        digest.update(bytes(data));
    }
    format!("sha256:{}", digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect::<String>())
}

/// The tensor `name` of a file.
pub fn values(name: &str, dtype: Dtype, shape: &[usize], bytes: &[u8]) -> Result<TensorData, String> {
    if dtype != Dtype::F32 {
        return Err(format!("tensor `{name}` is {dtype:?}, and has to be F32"));
    }
    let values = bytes.chunks_exact(4).map(|four| f32::from_le_bytes([four[0], four[1], four[2], four[3]]));
    Ok(TensorData::new(values.collect::<Vec<_>>(), shape.to_vec()))
}

/// A tensor of f32 as safetensors has them: little endian, row by row.
pub struct F32(pub TensorData);

impl View for F32 {
    fn dtype(&self) -> Dtype {
        Dtype::F32
    }

    fn shape(&self) -> &[usize] {
        self.0.shape()
    }

    fn data(&self) -> Cow<'_, [u8]> {
        bytes(&self.0).into()
    }

    fn data_len(&self) -> usize {
        4 * self.0.num_elements()
    }
}

fn bytes(data: &TensorData) -> Vec<u8> {
    data.iter::<f32>().flat_map(f32::to_le_bytes).collect()
}
