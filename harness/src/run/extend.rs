//! A run that resumes where a finished run of the same spec and fewer epochs ended.

use super::Checkpoint;
use crate::atomic::write_parts;
use crate::error::{Error, Result};
use crate::spec::{Recipe, Request, RunSpec};
use crate::store::{CheckpointFiles, Store, pack, unpack};
use sll_core::optim::Schedule;
use std::path::Path;

/// Fewer epochs that are looked for.
const MOST: usize = 1000;

/// Puts the last state of the longest finished run that `spec` only makes longer into `kept`; gives a sentence about
/// it, or about why the run starts anew although there is one. Nothing where there is none.
pub fn extend(spec: &RunSpec, store: &Store, kept: &CheckpointFiles) -> Result<Option<String>> {
    let shorter = |epochs| RunSpec { recipe: Recipe { epochs, ..spec.recipe.clone() }, ..spec.clone() };
    for epochs in (spec.recipe.epochs.saturating_sub(MOST).max(1)..spec.recipe.epochs).rev() {
        let spec_before = shorter(epochs);
        let id = spec_before.id();
        if !store.has_record::<RunSpec>(&id) {
            continue;
        }
        // One that cannot be used is of no use here either; whoever asks for it hears why.
        let Ok(Some(before)) = store.find(&spec_before) else { continue };
        let anew =
            |why: &str| Some(format!("run {id} of {epochs} epochs cannot be extended: {why}; this one starts anew"));
        if before.diverged_at_step.is_some() {
            return Ok(anew("it diverged"));
        }
        if matches!(spec.recipe.schedule, Schedule::Cosine {}) {
            return Ok(anew("with the schedule `cosine` each step's learning rate depends on the number of epochs"));
        }
        let state = store.state(&id);
        return match adopt(state.path(), &id, kept, &spec.id())? {
            None => Ok(anew("its last state was not kept, which --keep-state does")),
            Some(Err(why)) => Ok(anew(&format!("{}: {why}", state.path().display()))),
            Some(Ok(())) => Ok(Some(format!("extends run {id} of {epochs} epochs"))),
        };
    }
    Ok(None)
}

/// Copies the state of run `id` at `from` to `kept` under the name `new_id`; none where there is no state.
fn adopt(
    from: &Path,
    id: &str,
    kept: &CheckpointFiles,
    new_id: &str,
) -> Result<Option<std::result::Result<(), String>>> {
    let bytes = match std::fs::read(from) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(Error::file("read", from, e)),
    };
    let renamed = unpack(&bytes).and_then(|mut blocks| {
        let head = blocks.first().ok_or("it ends early")?;
        let mut state: Checkpoint =
            serde_json::from_slice(head).map_err(|e| format!("its head cannot be read: {e}"))?;
        if state.run_id != id {
            return Err(format!("it is run {}'s", state.run_id));
        }
        state.run_id = new_id.to_string();
        blocks[0] = serde_json::to_vec(&state).expect("a checkpoint is plain data");
        Ok(blocks)
    });
    match renamed {
        Ok(blocks) => write_parts(kept.path(), &pack(&blocks)).map(|()| Some(Ok(()))),
        Err(why) => Ok(Some(Err(why))),
    }
}
