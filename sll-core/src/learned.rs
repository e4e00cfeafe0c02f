//! Parameters that an optimiser moves, outside the network or in it: a burn module that can be updated, saved and
//! restored. [`Learned::update`] is the one place where an optimiser moves parameters.

use crate::error::{Error, Result};
use crate::memory::{gradients_made, gradients_used};
use crate::named::{self, Named, Source};
use crate::op::{inject, together};
use crate::optim::Updater;
use crate::parameter::{owned, renew};
use crate::rng::upload;
use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::store::ModuleRecord;
use burn::tensor::{Bytes, Device, Gradients, Tensor, TensorData};

/// Holds a module; empty only while it is being updated, so that no second handle on its parameters exists then.
pub struct Learned<M>(Option<M>);

impl<M: Module> Learned<M> {
    /// Wraps `module`, which lives on a training device.
    pub fn new(module: M) -> Self {
        Self(Some(module))
    }

    /// The module.
    pub fn get(&self) -> &M {
        self.0.as_ref().expect("a module is absent only inside its own update")
    }

    /// The module, to be changed in place by something that is not a gradient.
    pub fn get_mut(&mut self) -> &mut M {
        self.0.as_mut().expect("a module is absent only inside its own update")
    }

    /// Takes the module's gradients out of `grads` and moves it by one step of `updater`, whose learning rate is
    /// multiplied by `lr_factor`.
    pub fn update(&mut self, grads: &mut Gradients, updater: &mut Updater, lr_factor: f64) {
        let name = self.identity();
        if name.is_empty() {
            return;
        }
        let mut state = updater.take_state(&name, self.get());
        self.step(grads, &mut state, updater.lr() * lr_factor);
        updater.put_state(name, state);
        gradients_used(self.num_params());
    }

    /// The name of its first parameter, which no other module shares.
    pub(crate) fn identity(&self) -> String {
        let mut first = First(None);
        self.get().visit(&mut first);
        first.0.unwrap_or_default()
    }

    pub(crate) fn step(&mut self, grads: &mut Gradients, optimizer: &mut ModuleOptimizer, lr: f64) {
        let grads = GradientsParams::from_module(grads, self.get());
        self.0 = self.0.take().map(|module| together(|| optimizer.step(lr, module, grads)));
    }

    /// Number of trainable values.
    pub fn num_params(&self) -> usize {
        let mut count = Trainable(0);
        self.get().visit(&mut count);
        count.0
    }

    /// Parameters and running statistics, one entry each, in a fixed order.
    pub fn params(&self) -> Vec<TensorData> {
        let mut values = Values(Vec::new());
        self.settled().visit(&mut values);
        values.0
    }

    /// The same by the names and in the layout of [`crate::named`].
    pub fn tensors(&self) -> Vec<Named> {
        named::of_module(self.settled())
    }

    /// Takes every parameter and running statistic from `source`; `prefix` stands before each name in errors.
    pub(crate) fn set_tensors(&mut self, source: &mut Source, prefix: &str) -> Result<()> {
        self.0 = Some(named::replaced(self.get().clone(), source, prefix)?);
        Ok(())
    }

    /// Parameters and running statistics as bytes.
    ///
    /// # Errors
    /// [`Error::Record`] if they cannot be written.
    pub fn record(&self) -> Result<Vec<u8>> {
        let bytes = self.settled().clone().into_record().into_bytes();
        Ok(bytes.map_err(bad_record)?.to_vec())
    }

    /// Restores what [`Learned::record`] gave.
    ///
    /// # Errors
    /// [`Error::Record`] if they are not of a module like this one.
    pub fn load(&mut self, bytes: Vec<u8>) -> Result<()> {
        let record = ModuleRecord::from_bytes(Bytes::from_bytes_vec(bytes)).map_err(bad_record)?;
        let loaded = self.get().clone().try_load_record(record).map_err(bad_record)?;
        self.0 = Some(loaded.map(&mut Owned));
        Ok(())
    }

    /// The module with its running statistics brought up to date: burn holds the last batch's back until the next one,
    /// or until `valid` is asked for.
    fn settled(&self) -> &M {
        drop(self.get().valid());
        self.get()
    }
}

/// A [`Learned`] module behind a pointer, as a rule shows what it has learned.
///
/// ```
/// use burn::tensor::Device;
/// use sll_core::learned::{Learnable, Learned, Matrix};
///
/// let head = Learned::new(Matrix::new(vec![1.0, 2.0, 3.0, 4.0], [2, 2], &Device::flex().autodiff()));
/// let learned: &dyn Learnable = &head;
/// assert_eq!((learned.num_params(), learned.tensors().len()), (4, 1));
/// ```
pub trait Learnable {
    /// See [`Learned::num_params`].
    fn num_params(&self) -> usize;
    /// See [`Learned::record`].
    ///
    /// # Errors
    /// As [`Learned::record`].
    fn record(&self) -> Result<Vec<u8>>;
    /// See [`Learned::tensors`].
    fn tensors(&self) -> Vec<Named>;
    /// What [`Learnable::record`] would give of this module with the values of `source`; `prefix` stands before each
    /// name in errors.
    ///
    /// # Errors
    /// [`Error::Tensor`] that names the first one that is missing or has another shape.
    fn record_of(&self, source: &mut Source, prefix: &str) -> Result<Vec<u8>>;
}

impl<M: Module> Learnable for Learned<M> {
    fn num_params(&self) -> usize {
        self.num_params()
    }

    fn record(&self) -> Result<Vec<u8>> {
        self.record()
    }

    fn tensors(&self) -> Vec<Named> {
        self.tensors()
    }

    fn record_of(&self, source: &mut Source, prefix: &str) -> Result<Vec<u8>> {
        Learned::new(named::replaced(self.get().clone(), source, prefix)?).record()
    }
}

/// Something that a rule keeps besides the network's parameters.
pub struct Part<'a> {
    /// Its name within the rule.
    pub name: String,
    /// What it is.
    pub kept: Kept<'a>,
}

/// What a rule keeps.
pub enum Kept<'a> {
    /// A matrix that stays as it was drawn.
    Fixed(Box<Tensor<2>>),
    /// What the rule learns.
    Learned(&'a dyn Learnable),
}

impl<'a> Part<'a> {
    /// A fixed matrix.
    pub fn fixed(name: impl Into<String>, matrix: Tensor<2>) -> Self {
        Self { name: name.into(), kept: Kept::Fixed(Box::new(matrix)) }
    }

    /// A learned module.
    pub fn learned(name: impl Into<String>, module: &'a dyn Learnable) -> Self {
        Self { name: name.into(), kept: Kept::Learned(module) }
    }

    /// `name.0`, `name.1`, ... of fixed matrices.
    pub fn fixed_list(name: &str, matrices: impl IntoIterator<Item = Tensor<2>>) -> Vec<Self> {
        matrices.into_iter().enumerate().map(|(i, matrix)| Self::fixed(format!("{name}.{i}"), matrix)).collect()
    }

    /// `name.0`, `name.1`, ... of learned modules.
    pub fn learned_list<L: Learnable + 'a>(name: &str, modules: impl IntoIterator<Item = &'a L>) -> Vec<Self> {
        modules.into_iter().enumerate().map(|(i, module)| Self::learned(format!("{name}.{i}"), module)).collect()
    }

    /// Number of fixed values.
    pub(crate) fn fixed_values(&self) -> usize {
        match &self.kept {
            Kept::Fixed(matrix) => matrix.shape().num_elements(),
            Kept::Learned(_) => 0,
        }
    }

    /// What is learned, where it is.
    pub(crate) fn as_learned(&self) -> Option<&'a dyn Learnable> {
        match self.kept {
            Kept::Fixed(_) => None,
            Kept::Learned(module) => Some(module),
        }
    }
}

/// Restores several modules of one rule from their records, in order.
///
/// # Errors
/// [`Error::Record`] if there are more or fewer, or one is not of its module.
pub fn load_all<'a, M: Module + 'a>(
    modules: impl IntoIterator<Item = &'a mut Learned<M>>,
    records: Vec<Vec<u8>>,
) -> Result<()> {
    let modules: Vec<_> = modules.into_iter().collect();
    if modules.len() != records.len() {
        return Err(bad_record(format!("it has {} parts, this rule {}", records.len(), modules.len())));
    }
    modules.into_iter().zip(records).try_for_each(|(module, bytes)| module.load(bytes))
}

fn bad_record(error: impl ToString) -> Error {
    Error::Record { what: "learned parameters".into(), reason: error.to_string() }
}

/// A learned matrix: feedback weights, a local head, label codes.
#[derive(Module, Debug)]
pub struct Matrix {
    /// `[rows, columns]`.
    pub value: Param<Tensor<2>>,
}

impl Matrix {
    /// A matrix of `values`, row by row, on a training device.
    pub fn new(values: Vec<f32>, [rows, columns]: [usize; 2], device: &Device) -> Self {
        Self::from_plain(upload(values, [rows, columns], &device.clone().inner()))
    }

    /// A matrix that starts at `values`, which lie on a plain device.
    pub fn from_plain(values: Tensor<2>) -> Self {
        Self { value: Param::from_tensor(Tensor::from_inner(values)) }
    }

    /// Multiplies every value: decay.
    pub fn scale(&mut self, factor: f64) {
        self.value = self.value.clone().map(|value| Tensor::from_inner(value.inner() * factor).require_grad());
    }

    /// The present values, without a graph.
    pub fn plain(&self) -> Tensor<2> {
        self.value.val().inner()
    }

    /// `gradient` as gradients of this matrix, for [`Learned::update`].
    pub fn gradients(&self, gradient: Tensor<2>) -> Gradients {
        inject(self.value.val(), gradient)
    }
}

impl Learned<Matrix> {
    /// One step along a gradient that was computed by hand.
    pub fn descend(&mut self, gradient: Tensor<2>, updater: &mut Updater, lr_factor: f64) {
        let mut grads = self.get().gradients(gradient);
        gradients_made(self.num_params());
        self.update(&mut grads, updater, lr_factor);
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

struct First(Option<String>);

impl ModuleVisitor for First {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.0.get_or_insert_with(|| param.id.to_string());
    }
}

/// Gives every parameter memory of its own: what is loaded looks into the record's bytes, all of which would stay for
/// as long as one parameter is not moved.
struct Owned;

impl ModuleMapper for Owned {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        renew(param, owned)
    }
}

struct Values(Vec<TensorData>);

impl ModuleVisitor for Values {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.0.push(param.val().into_data());
    }
}
