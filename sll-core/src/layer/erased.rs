//! Layers without their type, so that one chain can mix a user's layers with ours.

use super::{FeedbackSlot, Joins, Layer, LayerCost};
use crate::error::{Error, Result};
use crate::{pass::Pass, shape::Shape};
use burn::module::{ModuleVisitor, Param};
use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::store::ModuleRecord;
use burn::tensor::{Bytes, Gradients, Tensor, TensorData};

/// A [`Layer`] behind a pointer: everything a rule, an optimiser or a checkpoint does with one.
pub trait DynLayer: Send {
    /// See [`Layer::input`].
    fn input(&self) -> Shape;
    /// See [`Layer::output`].
    fn output(&self) -> Shape;
    /// See [`Layer::forward`].
    fn forward(&self, x: Tensor<2>, pass: &Pass) -> Tensor<2>;
    /// See [`Layer::cost`].
    fn cost(&self) -> LayerCost;
    /// See [`Layer::feedback`].
    fn feedback(&mut self) -> Vec<FeedbackSlot<'_>>;
    /// See [`Layer::joins`].
    fn joins(&self) -> Joins;
    /// See [`Layer::name`].
    fn name(&self) -> String;
    /// Number of trainable values of a layer on a training device.
    fn num_params(&self) -> usize;
    /// Parameters and running statistics, one entry each, in a fixed order.
    fn params(&self) -> Vec<TensorData>;
    /// Takes this layer's gradients out of `grads` and moves the parameters by one step.
    fn update(&mut self, grads: &mut Gradients, optimizer: &mut ModuleOptimizer, lr: f64);
    /// The layer for evaluation: same parameters, no graph.
    fn valid(&self) -> Box<dyn DynLayer>;
    /// A copy, whose parameters share memory with this one's until either is updated.
    fn duplicate(&self) -> Box<dyn DynLayer>;
    /// Parameters and running statistics as bytes.
    fn record(&self) -> Result<Vec<u8>>;
    /// Restores what [`DynLayer::record`] gave.
    fn load(&mut self, bytes: Vec<u8>) -> Result<()>;
}

/// Holds the layer; empty only while it is being updated, so that no second handle on its parameters exists then.
pub(crate) struct Slot<L>(Option<L>);

impl<L: Layer + 'static> Slot<L> {
    pub(crate) fn boxed(layer: L) -> Box<dyn DynLayer> {
        Box::new(Self(Some(layer)))
    }

    fn get(&self) -> &L {
        self.0.as_ref().expect("a layer is absent only inside its own update")
    }
}

impl<L: Layer + 'static> DynLayer for Slot<L> {
    fn input(&self) -> Shape {
        self.get().input()
    }

    fn output(&self) -> Shape {
        self.get().output()
    }

    fn forward(&self, x: Tensor<2>, pass: &Pass) -> Tensor<2> {
        self.get().forward(x, pass)
    }

    fn cost(&self) -> LayerCost {
        self.get().cost()
    }

    fn feedback(&mut self) -> Vec<FeedbackSlot<'_>> {
        self.0.as_mut().map(Layer::feedback).unwrap_or_default()
    }

    fn joins(&self) -> Joins {
        self.get().joins()
    }

    fn name(&self) -> String {
        self.get().name()
    }

    fn num_params(&self) -> usize {
        let mut count = Trainable(0);
        self.get().visit(&mut count);
        count.0
    }

    fn params(&self) -> Vec<TensorData> {
        let mut values = Values(Vec::new());
        self.settled().visit(&mut values);
        values.0
    }

    fn update(&mut self, grads: &mut Gradients, optimizer: &mut ModuleOptimizer, lr: f64) {
        let grads = GradientsParams::from_module(grads, self.get());
        self.0 = self.0.take().map(|layer| optimizer.step(lr, layer, grads));
    }

    fn valid(&self) -> Box<dyn DynLayer> {
        Self::boxed(self.get().valid())
    }

    fn duplicate(&self) -> Box<dyn DynLayer> {
        Self::boxed(self.get().clone())
    }

    fn record(&self) -> Result<Vec<u8>> {
        let bytes = self.settled().clone().into_record().into_bytes();
        Ok(bytes.map_err(|e| self.bad_record(e))?.to_vec())
    }

    fn load(&mut self, bytes: Vec<u8>) -> Result<()> {
        let record = ModuleRecord::from_bytes(Bytes::from_bytes_vec(bytes)).map_err(|e| self.bad_record(e))?;
        self.0 = Some(self.get().clone().try_load_record(record).map_err(|e| self.bad_record(e))?);
        Ok(())
    }
}

impl<L: Layer + 'static> Slot<L> {
    /// The layer with its running statistics brought up to date: burn holds the last batch's back until the next one,
    /// or until `valid` is asked for.
    fn settled(&self) -> &L {
        drop(self.get().valid());
        self.get()
    }

    fn bad_record(&self, error: impl ToString) -> Error {
        Error::Record { what: format!("layer `{}`", self.get().name()), reason: error.to_string() }
    }
}

/// Counts values that are trained, which running statistics are not.
struct Trainable(usize);

impl ModuleVisitor for Trainable {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if param.is_require_grad() {
            self.0 += param.shape().num_elements();
        }
    }
}

struct Values(Vec<TensorData>);

impl ModuleVisitor for Values {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.0.push(param.val().into_data());
    }
}
