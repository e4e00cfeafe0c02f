//! Parameters by name, in the layout that PyTorch has, for files that others read.
//!
//! burn keeps an affine map's weight as `[in, out]`, names it by the field that holds the map, and calls a norm's
//! factor `gamma`. Here layer 0 of an MLP has `weight [out, in]` and `bias [out]`, and a convolution with batch norm
//! has `weight [out, in, k, k]`, `bias`, `norm.weight`, `norm.bias`, `norm.running_mean` and `norm.running_var`.

use crate::error::{Error, Result};
use crate::parameter::{apart, renew};
use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Tensor, TensorData};

/// Values under a name.
pub type Named = (String, TensorData);

/// Where values come from: by name, each once.
pub type Source<'a> = dyn FnMut(&str) -> Option<TensorData> + 'a;

/// Fields that add nothing to a name, by the struct that holds them.
const SILENT: [(&str, &str); 5] = [
    ("Struct:Dense", "affine"),
    ("Struct:Conv", "kernel"),
    ("Struct:PatchEmbedding", "affine"),
    ("Struct:TokenHead", "affine"),
    ("Struct:Matrix", "value"),
];

/// Structs whose `gamma` and `beta` are PyTorch's `weight` and `bias`.
const NORMS: [&str; 3] = ["Struct:Norm", "Struct:BatchNorm", "Struct:LayerNorm"];

/// Structs whose `weight [in, out]` is PyTorch's `weight [out, in]`.
const AFFINE: [&str; 2] = ["Struct:Affine", "Struct:Linear"];

pub(crate) fn joined(parts: &[&str]) -> String {
    parts.iter().filter(|part| !part.is_empty()).copied().collect::<Vec<_>>().join(".")
}

/// The values called `name`, which must have `shape`.
pub(crate) fn taken(name: &str, shape: &[usize], source: &mut Source) -> Result<TensorData> {
    let wrong = |reason: String| Error::Tensor { name: name.into(), reason };
    let data = source(name).ok_or_else(|| wrong("it is missing".into()))?;
    match data.shape()[..] == *shape {
        true => Ok(data),
        false => Err(wrong(format!("it is {:?}, and has to be {shape:?}", &data.shape()[..]))),
    }
}

pub(crate) fn floats(data: TensorData) -> Vec<f32> {
    data.convert::<f32>().try_to_vec().expect("converted")
}

/// The tensors of `module`, in a fixed order.
pub(crate) fn of_module(module: &impl Module) -> Vec<Named> {
    let mut reader = Reader::default();
    module.visit(&mut reader);
    reader.named
}

/// `module` with values from `source`; `prefix` stands before each name in errors.
pub(crate) fn replaced<M: Module>(module: M, source: &mut Source, prefix: &str) -> Result<M> {
    let mut writer = Writer { place: Place::default(), source, prefix, problem: None };
    let module = module.map(&mut writer);
    writer.problem.map_or(Ok(module), Err)
}

/// Where a walk through a module is.
#[derive(Default)]
struct Place {
    names: Vec<String>,
    containers: Vec<String>,
}

impl Place {
    fn enter(&mut self, field: &str, container: &str) {
        let name = match field {
            field if SILENT.contains(&(container, field)) => "",
            "gamma" if NORMS.contains(&container) => "weight",
            "beta" if NORMS.contains(&container) => "bias",
            field => field,
        };
        self.names.push(name.into());
        self.containers.push(container.into());
    }

    fn exit(&mut self) {
        self.names.pop();
        self.containers.pop();
    }

    fn name(&self) -> String {
        joined(&self.names.iter().map(String::as_str).collect::<Vec<_>>())
    }

    /// Whether PyTorch has rows where burn has columns.
    fn is_transposed(&self) -> bool {
        let holder = self.containers.last().is_some_and(|container| AFFINE.contains(&container.as_str()));
        holder && self.names.last().is_some_and(|name| name == "weight")
    }

    fn turned(&self, data: TensorData) -> TensorData {
        if self.is_transposed() { transposed(data) } else { data }
    }
}

/// A matrix's transpose, row by row.
fn transposed(data: TensorData) -> TensorData {
    let [rows, columns] = data.shape()[..] else { return data };
    let values = floats(data);
    let turned = (0..columns).flat_map(|column| (0..rows).map(move |row| (row, column)));
    TensorData::new(turned.map(|(row, column)| values[row * columns + column]).collect::<Vec<_>>(), [columns, rows])
}

#[derive(Default)]
struct Reader {
    place: Place,
    named: Vec<Named>,
}

impl ModuleVisitor for Reader {
    fn enter_module(&mut self, name: &str, container_type: &str) {
        self.place.enter(name, container_type);
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.place.exit();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let data = self.place.turned(param.val().into_data());
        self.named.push((self.place.name(), data));
    }
}

struct Writer<'a, 'b> {
    place: Place,
    source: &'a mut Source<'b>,
    prefix: &'a str,
    problem: Option<Error>,
}

impl ModuleMapper for Writer<'_, '_> {
    fn enter_module(&mut self, name: &str, container_type: &str) {
        self.place.enter(name, container_type);
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.place.exit();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let (mut shape, name) = (param.shape().to_vec(), self.place.name());
        if self.place.is_transposed() {
            shape.reverse();
        }
        let source = &mut *self.source;
        match taken(&joined(&[self.prefix, &name]), &shape, &mut |_| source(&name)) {
            Ok(data) => {
                let data = apart(self.place.turned(data));
                renew(param, |old| Tensor::from_data(data, &old.device()))
            }
            Err(problem) => {
                self.problem.get_or_insert(problem);
                param
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Network, laws};
    use burn::tensor::Device;

    fn names(net: &Network) -> Vec<String> {
        net.tensors().into_iter().map(|(name, data)| format!("{name} {:?}", &data.shape()[..])).collect()
    }

    #[test]
    fn names_and_shapes_are_pytorchs() {
        let mlp = names(&laws::plain_mlp(6, 5, 4));
        assert_eq!(mlp, ["layers.0.weight [5, 6]", "layers.0.bias [5]", "layers.1.weight [4, 5]", "layers.1.bias [4]"]);
        let cnn = names(&laws::small_cnn());
        let first = ["weight [4, 1, 3, 3]", "bias [4]", "norm.weight [4]", "norm.bias [4]"];
        let first = first.iter().chain(&["norm.running_mean [4]", "norm.running_var [4]"]);
        assert_eq!(cnn[..6], first.map(|name| format!("layers.0.{name}")).collect::<Vec<_>>(), "{cnn:?}");
        let vit = names(&laws::small_vit(false));
        for name in ["layers.0.positions", "layers.0.class", "layers.1.norm1.weight", "layers.1.qkv.weight"] {
            assert!(vit.iter().any(|found| found.starts_with(name)), "{name} in {vit:?}");
        }
    }

    #[test]
    fn a_weight_lies_as_pytorch_has_it() {
        // y = W x + b by hand is what the network gives.
        let net = laws::plain_mlp(3, 2, 2).valid();
        let tensors = net.tensors();
        let [w0, b0, w1, b1] = [0, 1, 2, 3].map(|i| floats(tensors[i].1.clone()));
        let x = [0.5, -1.0, 2.0];
        let dense = |w: &[f32], b: &[f32], x: &[f32]| -> Vec<f32> {
            b.iter()
                .zip(w.chunks(x.len()))
                .map(|(b, row)| b + row.iter().zip(x).map(|(w, x)| w * x).sum::<f32>())
                .collect()
        };
        let h: Vec<f32> = dense(&w0, &b0, &x).into_iter().map(|z| z.max(0.0)).collect();
        let rows = Tensor::<2>::from_data([x], &Device::flex());
        let found = laws::floats(net.forward(rows, &crate::Pass::Eval));
        for (found, expected) in found.iter().zip(dense(&w1, &b1, &h)) {
            assert!((found - expected).abs() < 1e-5, "{found}, by hand {expected}");
        }
    }

    #[test]
    fn what_is_missing_or_of_another_shape_is_named() {
        let error = |change: &dyn Fn(&str, TensorData) -> Option<TensorData>| {
            let mut net = laws::plain_mlp(6, 5, 4);
            let mut all: std::collections::HashMap<_, _> = net.tensors().into_iter().collect();
            let mut source = |name: &str| all.remove(name).and_then(|data| change(name, data));
            net.set_tensors(&mut source).unwrap_err().to_string()
        };
        let missing = error(&|name, data| (name != "layers.1.bias").then_some(data));
        assert!(missing.contains("`layers.1.bias`") && missing.contains("missing"), "{missing}");
        let turned = error(&|name, data| Some(if name == "layers.0.weight" { transposed(data) } else { data }));
        assert!(
            turned.contains("`layers.0.weight`") && turned.contains("[6, 5]") && turned.contains("[5, 6]"),
            "{turned}"
        );
    }
}
