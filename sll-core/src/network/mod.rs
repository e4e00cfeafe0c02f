//! The network: a chain of layers that can be cut into units.

pub mod cnn;
pub mod mlp;
pub mod spec;
mod update;
pub mod vit;

pub use spec::{NetworkSpec, catalogue};

use crate::error::{Error, Result};
use crate::layer::{DynLayer, Joins, Layer, LayerCost, Slot, Stages, WeightSlot};
use crate::memory::{Category, LayerMemory, scope};
use crate::named::{Named, Source};
use crate::step::Batch;
use crate::{output::OutputLoss, pass::Pass, precision::Precision, shape::Shape};
use burn::tensor::{Device, Tensor, TensorData};
use std::ops::Range;

/// Where a chain is cut into units; a unit is trained by ordinary backpropagation inside, and by its rule's signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// One unit holds every layer: backpropagation.
    Whole,
    /// This many units of as equal a number of layers as can be, the larger ones first.
    Units(usize),
    /// Every layer is a unit (those that cannot stand alone stay with their neighbour).
    EveryLayer,
}

/// A chain of layers from an input to `K` logits, or a part of one ([`Network::split_off`]).
pub struct Network {
    layers: Vec<Box<dyn DynLayer>>,
    /// Index of the first of `layers` in the whole chain.
    first: usize,
    /// Of the whole chain.
    classes: usize,
    device: Device,
    precision: Precision,
    loss: OutputLoss,
}

/// Builds a [`Network`] layer by layer.
pub struct NetworkBuilder(Vec<Box<dyn DynLayer>>);

impl NetworkBuilder {
    /// Appends a layer.
    #[must_use]
    pub fn layer(mut self, layer: impl Layer + 'static) -> Self {
        self.0.push(Slot::boxed(layer));
        self
    }

    /// Checks that the layers fit together and that the last one gives a vector of logits. `device` is where their
    /// parameters are, with autodiff.
    ///
    /// # Errors
    /// [`Error::Chain`] for two layers that do not fit together, [`Error::Setting`] for none, a last one whose output
    /// is a map, or a device without autodiff.
    pub fn build(self, device: &Device) -> Result<Network> {
        if !device.is_autodiff() {
            let reason = "a network is trained by differentiating its units; make its layers and it on \
                `device.autodiff()`, and take `Network::valid` to predict without";
            return Err(Error::setting("device", format!("{device:?}"), reason));
        }
        for (i, pair) in self.0.windows(2).enumerate() {
            let (found, expected) = (pair[0].output(), pair[1].input());
            if found.len() != expected.len() {
                let (expected, found) = (expected.to_string(), found.to_string());
                return Err(Error::Chain { layer: i + 1, name: pair[1].name(), expected, found });
            }
        }
        match self.0.last().map(|layer| layer.output()) {
            Some(Shape::Flat(classes)) => {
                let (precision, loss) = (Precision::default(), OutputLoss::default());
                Ok(Network { layers: self.0, first: 0, classes, device: device.clone(), precision, loss })
            }
            Some(other) => Err(Error::setting("network", other, "the last layer must give one logit a class")),
            None => Err(Error::setting("network", "empty", "a chain needs at least one layer")),
        }
    }
}

fn of_layer(index: usize, tensor: &str) -> String {
    format!("layers.{index}.{tensor}")
}

impl Network {
    /// Starts a chain.
    pub fn builder() -> NetworkBuilder {
        NetworkBuilder(Vec::new())
    }

    /// Computes between a unit's input and output in `precision`.
    ///
    /// # Errors
    /// If the device has no products of that type: flex is single precision only.
    pub fn in_precision(self, precision: Precision) -> Result<Self> {
        if !precision.is_single() && self.device == Device::flex() {
            let reason = "flex computes in single precision; take one of LibTorch's devices, or leave it out";
            return Err(Error::setting("precision", "bf16", reason));
        }
        Ok(Self { precision, ..self })
    }

    /// See [`in_precision`](Self::in_precision).
    pub fn precision(&self) -> Precision {
        self.precision
    }

    /// Has its output trained by `loss`.
    #[must_use]
    pub fn trained_by(self, loss: OutputLoss) -> Self {
        Self { loss, ..self }
    }

    /// What its output is trained by.
    pub fn loss(&self) -> OutputLoss {
        self.loss
    }

    /// Number of layers.
    pub fn depth(&self) -> usize {
        self.layers.len()
    }

    /// Shape of one input sample.
    pub fn input(&self) -> Shape {
        self.layers[0].input()
    }

    /// Number of classes, the length of the output.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// Shape of what layer `index` gives.
    pub fn output_of(&self, index: usize) -> Shape {
        self.layers[index - self.first].output()
    }

    /// The device of the parameters, with autodiff.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Name of each layer.
    pub fn layer_names(&self) -> Vec<String> {
        self.layers.iter().map(|layer| layer.name()).collect()
    }

    /// Work of each layer for one sample.
    pub fn costs(&self) -> Vec<LayerCost> {
        self.layers.iter().map(|layer| layer.cost()).collect()
    }

    /// What a step of `batch` samples holds of each layer; `None` for layers that are not modelled, and in mixed
    /// precision.
    pub fn memories(&self, batch: usize) -> Vec<Option<LayerMemory>> {
        self.layers.iter().map(|layer| layer.memory(batch).filter(|_| self.precision.is_single())).collect()
    }

    /// Number of trainable values.
    pub fn num_params(&self) -> usize {
        self.layers.iter().map(|layer| layer.num_params()).sum()
    }

    /// Number of trainable values of layer `index`.
    pub fn layer_params(&self, index: usize) -> usize {
        self.layers[index - self.first].num_params()
    }

    /// Parameters and running statistics of each layer.
    pub fn params(&self) -> Vec<Vec<TensorData>> {
        self.layers.iter().map(|layer| layer.params()).collect()
    }

    /// The same by name, `layers.<index>.<tensor>`; see [`crate::named`].
    pub fn tensors(&self) -> Vec<Named> {
        let layers = self.layers.iter().zip(self.first..);
        layers.flat_map(|(l, i)| l.tensors().into_iter().map(move |(name, data)| (of_layer(i, &name), data))).collect()
    }

    /// Takes every parameter and running statistic from `source`, by the names of [`Network::tensors`].
    ///
    /// # Errors
    /// Names the first tensor that is missing or has another shape.
    pub fn set_tensors(&mut self, source: &mut Source) -> Result<()> {
        let layers = self.layers.iter_mut().zip(self.first..);
        let mut each = layers
            .map(|(layer, i)| layer.set_tensors(&mut |name: &str| source(&of_layer(i, name)), &format!("layers.{i}")));
        each.try_for_each(|outcome| outcome)
    }

    /// Layer `index` as an affine map and what follows it; see [`Layer::stages`].
    pub fn stages(&self, index: usize) -> Option<&dyn Stages> {
        self.layers[index - self.first].stages()
    }

    /// What layer `index` makes of `x` before dropout and pooling; `None` where it has no such stages.
    pub fn respond(&self, index: usize, x: Tensor<2>, pass: &Pass) -> Option<Tensor<2>> {
        let (stages, pass) = (self.stages(index)?, pass.at(index));
        let _activations = scope(Category::Activations);
        let z = stages.pre_activation(self.precision.enter(x), &pass);
        Some(self.precision.leave(stages.respond(z, &pass)))
    }

    /// What layer `index` passes on of what [`Network::respond`] gave: dropout and pooling.
    pub fn pass_on(&self, index: usize, h: Tensor<2>, pass: &Pass) -> Tensor<2> {
        let Some(stages) = self.stages(index) else { return h };
        let _activations = scope(Category::Activations);
        let h = stages.drop(self.precision.enter(h), &pass.at(index));
        self.precision.leave(stages.pool(h))
    }

    /// The weights of each layer's affine maps; see [`Layer::weights`].
    pub fn weights(&mut self) -> Vec<Vec<WeightSlot<'_>>> {
        self.layers.iter_mut().map(|layer| layer.weights()).collect()
    }

    /// Runs the layers `range` on `x [b, input of the first]`.
    pub fn forward_range(&self, range: Range<usize>, x: Tensor<2>, pass: &Pass) -> Tensor<2> {
        let _activations = scope(Category::Activations);
        let h =
            range.fold(self.precision.enter(x), |x, index| self.layers[index - self.first].forward(x, &pass.at(index)));
        self.precision.leave(h)
    }

    /// Runs the layers `range` of a training network on a plain `x` and keeps no graph: for forward passes that nobody
    /// differentiates. (A graph that is only dropped stays in burn's memory until some backward pass goes through it.)
    pub fn forward_plain(&self, range: Range<usize>, x: Tensor<2>, pass: &Pass) -> Tensor<2> {
        let _activations = scope(Category::Activations);
        let h = range.fold(self.precision.enter(x), |x, index| {
            let layer = &self.layers[index - self.first];
            match layer.stages() {
                Some(_) => layer.forward(x, &pass.at(index)),
                None => layer.valid().forward(x, &pass.at(index)),
            }
        });
        self.precision.leave(h)
    }

    /// `[b, input]` to logits `[b, K]`.
    pub fn forward(&self, x: Tensor<2>, pass: &Pass) -> Tensor<2> {
        self.forward_range(0..self.depth(), x, pass)
    }

    /// The network for evaluation: the same parameters, no graph.
    #[must_use]
    pub fn valid(&self) -> Network {
        let layers = self.layers.iter().map(|layer| layer.valid()).collect();
        Network { layers, device: self.device.clone().inner(), ..*self }
    }

    /// A copy.
    #[must_use]
    pub fn duplicate(&self) -> Network {
        let layers = self.layers.iter().map(|layer| layer.duplicate()).collect();
        Network { layers, device: self.device.clone(), ..*self }
    }

    /// Checks that a batch fits: an input's features in each row, and a label for each, of a class that there is.
    ///
    /// # Errors
    /// [`Error::Setting`] that names what does not fit.
    pub fn accept(&self, batch: &Batch) -> Result<()> {
        let ([samples, features], labels, classes) = (batch.x.dims(), batch.labels.len(), self.classes());
        if let Some(label) = batch.labels.iter().find(|&&label| label >= classes) {
            return Err(Error::setting(
                "label",
                label,
                format!("the network has {classes} classes, 0 to {}", classes - 1),
            ));
        }
        if samples == 0 || samples != labels {
            return Err(Error::setting(
                "labels",
                labels,
                format!("the batch has {samples} samples; give one label each"),
            ));
        }
        let input = self.input();
        if features != input.len() {
            let reason = format!("each sample has that many features, and the network takes {input}, {}", input.len());
            return Err(Error::setting("x", features, reason));
        }
        Ok(())
    }

    /// The units of `cut`, as ranges of layers.
    ///
    /// # Errors
    /// [`Error::Setting`] for more units than the network can be cut into.
    pub fn units(&self, cut: Cut) -> Result<Vec<Range<usize>>> {
        let places = self.cuttable();
        let count = match cut {
            Cut::Whole => 1,
            Cut::EveryLayer => places.len(),
            Cut::Units(n) if (1..=places.len()).contains(&n) => n,
            Cut::Units(n) => {
                let most = places.len();
                return Err(Error::setting("units", n, format!("this network can be cut into 1 to {most} units")));
            }
        };
        let (size, larger) = (places.len() / count, places.len() % count);
        let mut first = 0;
        Ok((0..count)
            .map(|unit| {
                let next = first + size + usize::from(unit < larger);
                let range = places[first].start..places[next - 1].end;
                first = next;
                range
            })
            .collect())
    }

    /// The smallest ranges that may be units.
    fn cuttable(&self) -> Vec<Range<usize>> {
        let mut places: Vec<Range<usize>> = Vec::new();
        for (i, layer) in self.layers.iter().enumerate() {
            let after_joining = i > 0 && self.layers[i - 1].joins() == Joins::Next;
            match places.last_mut() {
                Some(last) if after_joining || layer.joins() == Joins::Previous => last.end = i + 1,
                _ => places.push(i..i + 1),
            }
        }
        places
    }

    /// Takes the layers from `index` on away into a network of their own, where they keep their indices.
    ///
    /// # Panics
    /// If it has no layer `index`.
    #[must_use]
    pub fn split_off(&mut self, index: usize) -> Network {
        let layers = self.layers.split_off(index - self.first);
        Network { layers, device: self.device.clone(), first: index, ..*self }
    }

    /// Puts back what [`Network::split_off`] took away.
    ///
    /// # Panics
    /// If `above` does not follow on this network's layers.
    pub fn append(&mut self, above: Network) {
        assert_eq!(self.first + self.layers.len(), above.first, "the layers above follow on those below");
        self.layers.extend(above.layers);
    }

    /// Parameters and running statistics, one entry a layer.
    ///
    /// # Errors
    /// [`Error::Record`] if a layer cannot be written.
    pub fn record(&self) -> Result<Vec<Vec<u8>>> {
        self.layers.iter().map(|layer| layer.record()).collect()
    }

    /// Restores what [`Network::record`] gave.
    ///
    /// # Errors
    /// [`Error::Record`] if it is not of a network like this one.
    pub fn load(&mut self, record: Vec<Vec<u8>>) -> Result<()> {
        if record.len() != self.depth() {
            let reason = format!("it has {} layers, this network {}", record.len(), self.depth());
            return Err(Error::Record { what: "the network".into(), reason });
        }
        self.layers.iter_mut().zip(record).try_for_each(|(layer, bytes)| layer.load(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layer::{Dense, Start};
    use crate::rng::{Purpose, Stream};

    #[test]
    fn a_batch_that_does_not_fit_is_named() {
        let net = crate::laws::small_mlp(1);
        let good = crate::laws::batch(&net, 0);
        let error = |batch: &Batch| net.accept(batch).unwrap_err().to_string();
        let with = |labels: Vec<usize>| Batch { labels, ..good.clone() };
        assert!(net.accept(&good).is_ok());
        assert!(error(&with(vec![4; good.len()])).contains("4 classes, 0 to 3"));
        assert!(error(&with(vec![0; 3])).contains("give one label each"));
        let narrow = Batch { x: good.x.clone().narrow(1, 0, 7), ..good.clone() };
        assert!(error(&narrow).contains("`x` = 7"), "{}", error(&narrow));
    }

    #[test]
    fn a_device_that_cannot_differentiate_is_refused_at_once() {
        let on = |device: Device| {
            let layer = Dense::linear(3, 2, Start::default(), &mut Stream::new(1, Purpose::Weights, &[]), &device);
            Network::builder().layer(layer).build(&device)
        };
        assert!(on(Device::flex().autodiff()).is_ok());
        let error = on(Device::flex()).err().unwrap().to_string();
        assert!(error.contains("`device`") && error.contains("device.autodiff()"), "{error}");
    }
}
