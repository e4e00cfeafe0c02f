//! Optimisers and schedules by name, and the one place where parameters change.

mod adam;
mod adamax;
mod moments;
mod schedule;
mod sgd;

pub use adam::Adam;
pub use adamax::Adamax;
pub use moments::Moments;
pub use schedule::Schedule;
pub use sgd::Sgd;

use crate::error::{Error, Result};
use crate::learned::Learned;
use crate::memory::gradients_used;
use crate::network::Network;
use burn::module::{Module, ParamGroup};
use burn::optim::ModuleOptimizer;
use burn::tensor::{Bytes, Gradients};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The optimiser's law. `β = (0.9, 0.999)`, `ε = 1e-8` as in PyTorch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OptimizerKind {
    /// Adam with the infinity norm (Kingma & Ba 2015, section 7.1): the paper's MLP recipe.
    #[default]
    Adamax,
    /// Adam: the paper's recipe for convolutional networks.
    Adam,
    /// Adam with decoupled weight decay: the paper's recipe for ViTs.
    AdamW,
    /// Stochastic gradient descent, with momentum if it is not 0.
    Sgd,
}

/// An optimiser with its settings.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct OptimizerConfig {
    /// The law.
    pub kind: OptimizerKind,
    /// Momentum of SGD; 0 for none.
    pub momentum: f64,
    /// Weight decay: decoupled for AdamW, added to the gradient for the others.
    pub weight_decay: f64,
}

impl Default for OptimizerConfig {
    fn default() -> Self {
        Self { kind: OptimizerKind::Adamax, momentum: 0.0, weight_decay: 0.0 }
    }
}

impl OptimizerConfig {
    /// Values of state for each parameter.
    pub fn moments(&self) -> u64 {
        match self.kind {
            OptimizerKind::Adamax | OptimizerKind::Adam | OptimizerKind::AdamW => 2,
            OptimizerKind::Sgd => u64::from(self.momentum > 0.0),
        }
    }

    /// Checks the settings and makes the optimiser.
    ///
    /// # Errors
    /// [`Error::Setting`] for one that is out of its range.
    pub fn init(&self) -> Result<Updater> {
        if !(0.0..1.0).contains(&self.momentum) {
            return Err(Error::setting("momentum", self.momentum, "must lie in [0, 1)"));
        }
        if !(self.weight_decay.is_finite() && self.weight_decay >= 0.0) {
            return Err(Error::setting("weight_decay", self.weight_decay, "must be 0 or positive"));
        }
        let (beta_1, beta_2, epsilon, weight_decay) = (0.9, 0.999, 1e-8, self.weight_decay);
        let optimizer = match self.kind {
            OptimizerKind::Adamax => ModuleOptimizer::from(Adamax { beta_1, beta_2, epsilon, weight_decay }),
            kind @ (OptimizerKind::Adam | OptimizerKind::AdamW) => {
                let decoupled = kind == OptimizerKind::AdamW;
                ModuleOptimizer::from(Adam { beta_1, beta_2, epsilon, weight_decay, decoupled })
            }
            OptimizerKind::Sgd => ModuleOptimizer::from(Sgd { momentum: self.momentum, weight_decay }),
        };
        Ok(Updater { optimizer, lr: 0.0, states: Arc::default() })
    }
}

/// An optimiser with the present learning rate. Its state is per parameter, so that stepping layer by layer gives the
/// same numbers as stepping all layers at once.
pub struct Updater {
    /// The law, of a module that has no state yet.
    optimizer: ModuleOptimizer,
    lr: f64,
    states: Arc<Mutex<States>>,
}

/// The state of every module that has been moved. One that is being moved is out of it.
#[derive(Default)]
struct States {
    /// By the identity of the module, a layer or what a rule learns.
    modules: BTreeMap<String, ModuleOptimizer>,
    /// What a record of before modules had a state each holds of those that have not been moved since.
    undivided: Option<ModuleOptimizer>,
}

impl States {
    /// The state of `module`, whose identity is `name`; a `fresh` one where it has not been moved.
    fn take<M: Module>(&mut self, name: &str, module: &M, fresh: &ModuleOptimizer) -> ModuleOptimizer {
        if let Some(state) = self.modules.remove(name) {
            return state;
        }
        let Some(undivided) = self.undivided.take() else { return fresh.clone() };
        // A group that is added drops the state of its parameters.
        let own = ParamGroup::ids_from_module(module.clone());
        let add = |group| undivided.clone().with_group(group, Sgd { momentum: 0.0, weight_decay: 0.0 }, None);
        let state = add(ParamGroup::all().exclude(own.clone()));
        self.undivided = Some(add(own));
        state
    }
}

impl Updater {
    /// Sets the learning rate of the steps to come.
    pub fn set_lr(&mut self, lr: f64) {
        self.lr = lr;
    }

    /// A second handle on the same state, with a learning rate of its own: for units that are trained at once, no two
    /// of which share a parameter.
    #[must_use]
    pub fn share(&self) -> Self {
        Self { optimizer: self.optimizer.clone(), lr: self.lr, states: self.states.clone() }
    }

    /// Moves the layers `range` by one step, taking their gradients out of `grads` layer by layer.
    pub fn step(&mut self, net: &mut Network, range: Range<usize>, mut grads: Gradients) {
        for index in range.rev() {
            net.update_layer(index, &mut grads, self);
            gradients_used(net.layer_params(index));
        }
    }

    /// Moves parameters that are no layer's, with the learning rate multiplied by `lr_factor`.
    pub fn step_learned<M: Module>(&mut self, module: &mut Learned<M>, grads: &mut Gradients, lr_factor: f64) {
        let name = module.identity();
        if name.is_empty() {
            return;
        }
        let mut state = self.states().take(&name, module.get(), &self.optimizer);
        module.step(grads, &mut state, self.lr * lr_factor);
        self.states().modules.insert(name, state);
    }

    fn states(&self) -> MutexGuard<'_, States> {
        // Whoever panicked with it left whole states: modules are moved while it is free.
        self.states.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many layers and modules of a rule have been moved so far, each of which has state from then on.
    pub fn trained(&self) -> usize {
        self.states().modules.len()
    }

    /// The present learning rate.
    pub fn lr(&self) -> f64 {
        self.lr
    }

    /// The optimiser's state.
    ///
    /// # Errors
    /// [`Error::Record`] if it cannot be written.
    pub fn record(&self) -> Result<Vec<u8>> {
        let states = self.states();
        let undivided = states.undivided.iter().map(|state| ("", state));
        let modules = states.modules.iter().map(|(name, state)| (name.as_str(), state));
        let mut bytes = Vec::from(DIVIDED);
        for (name, state) in undivided.chain(modules) {
            for part in [name.as_bytes(), &state.into_bytes().map_err(bad_record)?] {
                bytes.extend((part.len() as u64).to_le_bytes());
                bytes.extend(part);
            }
        }
        Ok(bytes)
    }

    /// Restores what [`Updater::record`] gave.
    ///
    /// # Errors
    /// [`Error::Record`] if it is no optimiser's state.
    pub fn load(&mut self, bytes: Vec<u8>) -> Result<()> {
        let state =
            |bytes: Vec<u8>| self.optimizer.clone().from_bytes(Bytes::from_bytes_vec(bytes)).map_err(bad_record);
        let mut loaded = States::default();
        match bytes.strip_prefix(DIVIDED) {
            None => loaded.undivided = Some(state(bytes)?),
            Some(mut rest) => {
                while !rest.is_empty() {
                    let (name, own) = (part(&mut rest)?, part(&mut rest)?.to_vec());
                    match String::from_utf8_lossy(name) {
                        name if name.is_empty() => loaded.undivided = Some(state(own)?),
                        name => drop(loaded.modules.insert(name.into_owned(), state(own)?)),
                    }
                }
            }
        }
        *self.states() = loaded;
        Ok(())
    }
}

/// What a record begins with in which each module has a state of its own, named by its identity.
const DIVIDED: &[u8] = b"states by module\n";

/// Takes a part of a record from `rest`: its length as 8 bytes, least first, and its bytes.
fn part<'a>(rest: &mut &'a [u8]) -> Result<&'a [u8]> {
    let cut = |at: usize| rest.split_at_checked(at).ok_or_else(|| bad_record("it ends early"));
    let (length, behind) = cut(size_of::<u64>())?;
    let length = u64::from_le_bytes(length.try_into().expect("eight bytes"));
    *rest = behind;
    let length = usize::try_from(length).map_err(bad_record)?;
    let (part, behind) = rest.split_at_checked(length).ok_or_else(|| bad_record("it ends early"))?;
    *rest = behind;
    Ok(part)
}

fn bad_record(error: impl ToString) -> Error {
    Error::Record { what: "the optimiser".into(), reason: error.to_string() }
}

#[cfg(test)]
mod test {
    use burn::optim::Optimizer;
    use burn::tensor::{Device, Tensor, Tolerance};

    /// Asserts what three steps on a small matrix give; the gradients are those of the references in each law's file.
    pub(super) fn three_steps(optimizer: &impl Optimizer, expected: [[f32; 2]; 2]) {
        let device = Device::flex();
        let mut state = None;
        let mut w = Tensor::<2>::from_floats([[0.5, -0.3], [0.1, 0.8]], &device);
        for grad in [[[0.1, -0.2], [0.3, 0.4]], [[-0.5, 0.0], [0.01, 0.2]], [[0.02, 0.3], [-0.3, 0.0]]] {
            (w, state) = optimizer.step(0.01, w, Tensor::from_floats(grad, &device), state);
        }
        let expected = Tensor::<2>::from_floats(expected, &device);
        w.into_data().assert_approx_eq::<f32>(&expected.into_data(), Tolerance::absolute(1e-6));
    }
}
