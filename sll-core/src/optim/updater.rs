//! An optimiser with its learning rate and its state of each module that has been moved.

use super::Sgd;
use crate::error::{Error, Result};
use burn::module::{Module, ParamGroup};
use burn::optim::ModuleOptimizer;
use burn::tensor::Bytes;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

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
    /// Nothing has been moved yet.
    pub(super) fn new(optimizer: ModuleOptimizer) -> Self {
        Self { optimizer, lr: 0.0, states: Arc::default() }
    }

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

    /// The state of `module`, whose identity is `name`, out of the map until [`Updater::put_state`].
    pub(crate) fn take_state<M: Module>(&self, name: &str, module: &M) -> ModuleOptimizer {
        self.states().take(name, module, &self.optimizer)
    }

    /// Keeps the state of the module whose identity is `name`, which has moved.
    pub(crate) fn put_state(&self, name: String, state: ModuleOptimizer) {
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
mod tests {
    use super::*;
    use crate::learned::{Learned, Matrix};
    use crate::optim::{Adam, OptimizerConfig, OptimizerKind};
    use burn::tensor::Device;

    fn matrices() -> [Learned<Matrix>; 2] {
        let device = Device::flex().autodiff();
        [1.0, 2.0].map(|start| Learned::new(Matrix::new(vec![start, -start], [1, 2], &device)))
    }

    fn gradient(step: usize) -> burn::tensor::Tensor<2> {
        burn::tensor::Tensor::from_floats([[0.3 + step as f32, -0.2]], &Device::flex())
    }

    fn adam() -> Updater {
        let config = OptimizerConfig { kind: OptimizerKind::Adam, momentum: 0.0, weight_decay: 0.0 };
        let mut updater = config.init().unwrap();
        updater.set_lr(0.1);
        updater
    }

    fn values(matrices: &[Learned<Matrix>]) -> Vec<burn::tensor::TensorData> {
        matrices.iter().flat_map(Learned::params).collect()
    }

    fn descend(matrices: &mut [Learned<Matrix>], updater: &mut Updater, step: usize) {
        matrices.iter_mut().for_each(|matrix| matrix.descend(gradient(step), updater, 1.0));
    }

    #[test]
    fn a_record_goes_on_and_so_does_one_that_is_not_divided_by_module() {
        let (mut whole, mut updater) = (matrices(), adam());
        (0..3).for_each(|step| descend(&mut whole, &mut updater, step));
        // Two steps as they were taken with one state for all modules.
        let law = Adam { beta_1: 0.9, beta_2: 0.999, epsilon: 1e-8, weight_decay: 0.0, decoupled: false };
        let (mut before, mut optimizer) = (matrices(), ModuleOptimizer::from(law));
        for step in 0..2 {
            for matrix in &mut before {
                let mut grads = matrix.get().gradients(gradient(step));
                matrix.step(&mut grads, &mut optimizer, 0.1);
            }
        }
        let mut resumed = adam();
        resumed.load(optimizer.into_bytes().unwrap().to_vec()).unwrap();
        // One module has moved on when the state is written, the other has not.
        before[0].descend(gradient(2), &mut resumed, 1.0);
        let mut again = adam();
        again.load(resumed.record().unwrap()).unwrap();
        before[1].descend(gradient(2), &mut again, 1.0);
        assert_eq!(values(&before), values(&whole));
        descend(&mut before, &mut again, 3);
        descend(&mut whole, &mut updater, 3);
        assert_eq!(values(&before), values(&whole));
        assert_eq!((updater.trained(), again.trained()), (2, 2));
    }

    #[test]
    fn a_record_that_ends_early_is_refused_and_shares_see_one_state() {
        let (mut matrices, mut updater) = (matrices(), adam());
        descend(&mut matrices, &mut updater.share(), 0);
        let record = updater.record().unwrap();
        assert_eq!(updater.trained(), 2);
        for cut in [DIVIDED.len() + 3, record.len() - 1] {
            assert!(matches!(updater.load(record[..cut].to_vec()), Err(Error::Record { .. })), "cut at {cut}");
        }
        assert_eq!(updater.trained(), 2, "what was there stays");
    }
}
