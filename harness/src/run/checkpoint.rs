//! Where a run stood after its last finished epoch, so that a killed one goes on with the same numbers.

use crate::error::{Error, Result};
use crate::record::{EpochDiagnostics, EpochPoint, PeakBytes};
use crate::report::atomic::write_atomically;
use serde::{Deserialize, Serialize};
use sll_core::Network;
use sll_core::optim::Updater;
use sll_core::rule::LearningRule;
use std::io::{BufRead, Read, Write};
use std::path::Path;

/// What is kept besides the tensors.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Checkpoint {
    /// SHA-256 of the data set's content; empty in a checkpoint of before it was kept.
    #[serde(default)]
    pub data_digest: String,
    /// Epochs finished.
    pub epochs: usize,
    /// Their points.
    pub curve: Vec<EpochPoint>,
    /// What was measured of each layer so far, where it is asked for.
    #[serde(default)]
    pub diagnostics: Vec<EpochDiagnostics>,
    /// Peaks so far.
    pub peak_bytes: PeakBytes,
    /// Seconds so far.
    pub seconds: f64,
    /// Steps so far.
    pub steps: u64,
}

/// Length-prefixed blocks: the JSON head, the optimiser, one block a layer, then what the rule has learned.
impl Checkpoint {
    /// Writes the state to `path`, whole or not at all.
    pub fn save(&self, path: &Path, net: &Network, rule: &dyn LearningRule, updater: &Updater) -> Result<()> {
        let mut blocks = vec![serde_json::to_vec(self).expect("a checkpoint is plain data"), updater.record()?];
        blocks.extend(net.record()?);
        blocks.extend(rule.record()?);
        write_atomically(path, |file| {
            blocks.iter().try_for_each(|block| {
                file.write_all(&(block.len() as u64).to_le_bytes())?;
                file.write_all(block)
            })
        })
    }

    /// Restores the state at `path` into `net`, `rule` and `updater`; `None` where there is none. A damaged file is an
    /// error that names it.
    pub fn load(
        path: &Path,
        net: &mut Network,
        rule: &mut dyn LearningRule,
        updater: &mut Updater,
    ) -> Result<Option<Self>> {
        let mut file = match std::fs::File::open(path) {
            Ok(file) => std::io::BufReader::new(file),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(Error::file("read", path, e)),
        };
        let damaged = |why: &str| {
            Error::Failed(format!("{} is damaged ({why}); delete it to start the run afresh", path.display()))
        };
        let size = std::fs::metadata(path).map_err(|e| Error::file("read", path, e))?.len();
        let mut blocks = Vec::new();
        let mut length = [0; 8];
        while !file.fill_buf().map_err(|e| damaged(&e.to_string()))?.is_empty() {
            file.read_exact(&mut length).map_err(|_| damaged("it ends inside a length"))?;
            let length = u64::from_le_bytes(length);
            if length > size {
                return Err(damaged("a length is larger than the file"));
            }
            let mut block = vec![0; length as usize];
            file.read_exact(&mut block).map_err(|e| damaged(&e.to_string()))?;
            blocks.push(block);
        }
        if blocks.len() < 2 + net.depth() {
            return Err(damaged("it ends early"));
        }
        let learned = blocks.split_off(2 + net.depth());
        let layers = blocks.split_off(2);
        let state = serde_json::from_slice(&blocks[0]).map_err(|e| damaged(&e.to_string()))?;
        net.load(layers).map_err(|e| damaged(&e.to_string()))?;
        rule.load(learned).map_err(|e| damaged(&e.to_string()))?;
        updater.load(blocks.swap_remove(1)).map_err(|e| damaged(&e.to_string()))?;
        Ok(Some(state))
    }
}
