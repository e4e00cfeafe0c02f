//! Layers without their type, so that one chain can mix a user's layers with ours.

use super::{Joins, Layer, LayerCost, Stages, WeightSlot};
use crate::error::{Error, Result};
use crate::learned::Learned;
use crate::memory::LayerMemory;
use crate::named::{Named, Source};
use crate::optim::Updater;
use crate::{pass::Pass, shape::Shape};
use burn::tensor::{Gradients, Tensor, TensorData};

/// A [`Layer`] behind a pointer: everything a rule, an optimiser or a checkpoint does with one.
pub(crate) trait DynLayer: Send {
    /// See [`Layer::input`].
    fn input(&self) -> Shape;
    /// See [`Layer::output`].
    fn output(&self) -> Shape;
    /// See [`Layer::forward`].
    fn forward(&self, x: Tensor<2>, pass: &Pass) -> Tensor<2>;
    /// See [`Layer::cost`].
    fn cost(&self) -> LayerCost;
    /// See [`Layer::memory`].
    fn memory(&self, batch: usize) -> Option<LayerMemory>;
    /// See [`Layer::stages`].
    fn stages(&self) -> Option<&dyn Stages>;
    /// See [`Layer::weights`].
    fn weights(&mut self) -> Vec<WeightSlot<'_>>;
    /// See [`Layer::joins`].
    fn joins(&self) -> Joins;
    /// See [`Layer::name`].
    fn name(&self) -> String;
    /// Number of trainable values of a layer on a training device.
    fn num_params(&self) -> usize;
    /// Parameters and running statistics, one entry each, in a fixed order.
    fn params(&self) -> Vec<TensorData>;
    /// The same by name; see [`crate::named`].
    fn tensors(&self) -> Vec<Named>;
    /// Takes every parameter and running statistic from `source`; `prefix` stands before each name in errors.
    fn set_tensors(&mut self, source: &mut Source, prefix: &str) -> Result<()>;
    /// Takes this layer's gradients out of `grads` and moves the parameters by one step.
    fn update(&mut self, grads: &mut Gradients, updater: &mut Updater);
    /// The layer for evaluation: same parameters, no graph.
    fn valid(&self) -> Box<dyn DynLayer>;
    /// A copy, whose parameters share memory with this one's until either is updated.
    fn duplicate(&self) -> Box<dyn DynLayer>;
    /// Parameters and running statistics as bytes.
    ///
    /// # Errors
    /// [`Error::Record`] if they cannot be written.
    fn record(&self) -> Result<Vec<u8>>;
    /// Restores what [`DynLayer::record`] gave.
    ///
    /// # Errors
    /// [`Error::Record`] if they are not of a layer like this one.
    fn load(&mut self, bytes: Vec<u8>) -> Result<()>;
}

/// A layer of a known type.
pub(crate) struct Slot<L>(Learned<L>);

impl<L: Layer + 'static> Slot<L> {
    pub(crate) fn boxed(layer: L) -> Box<dyn DynLayer> {
        Box::new(Self(Learned::new(layer)))
    }
}

impl<L: Layer + 'static> DynLayer for Slot<L> {
    fn input(&self) -> Shape {
        self.0.get().input()
    }

    fn output(&self) -> Shape {
        self.0.get().output()
    }

    fn forward(&self, x: Tensor<2>, pass: &Pass) -> Tensor<2> {
        self.0.get().forward(x, pass)
    }

    fn memory(&self, batch: usize) -> Option<LayerMemory> {
        self.0.get().memory(batch)
    }

    fn stages(&self) -> Option<&dyn Stages> {
        self.0.get().stages()
    }

    fn cost(&self) -> LayerCost {
        self.0.get().cost()
    }

    fn weights(&mut self) -> Vec<WeightSlot<'_>> {
        self.0.get_mut().weights()
    }

    fn joins(&self) -> Joins {
        self.0.get().joins()
    }

    fn name(&self) -> String {
        self.0.get().name()
    }

    fn num_params(&self) -> usize {
        self.0.num_params()
    }

    fn params(&self) -> Vec<TensorData> {
        self.0.params()
    }

    fn tensors(&self) -> Vec<Named> {
        self.0.tensors()
    }

    fn set_tensors(&mut self, source: &mut Source, prefix: &str) -> Result<()> {
        self.0.set_tensors(source, prefix)
    }

    fn update(&mut self, grads: &mut Gradients, updater: &mut Updater) {
        self.0.update(grads, updater, 1.0);
    }

    fn valid(&self) -> Box<dyn DynLayer> {
        Self::boxed(self.0.get().valid())
    }

    fn duplicate(&self) -> Box<dyn DynLayer> {
        Self::boxed(self.0.get().clone())
    }

    fn record(&self) -> Result<Vec<u8>> {
        self.0.record().map_err(|e| self.name_in(e))
    }

    fn load(&mut self, bytes: Vec<u8>) -> Result<()> {
        self.0.load(bytes).map_err(|e| self.name_in(e))
    }
}

impl<L: Layer + 'static> Slot<L> {
    fn name_in(&self, error: Error) -> Error {
        match error {
            Error::Record { reason, .. } => Error::Record { what: format!("layer `{}`", self.name()), reason },
            other => other,
        }
    }
}
