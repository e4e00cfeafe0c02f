//! Runs that differ in nothing but their seed.

use crate::record::RunResult;
use crate::spec::RunSpec;

/// `runs` by their specs, of which the seed is left out, in order of appearance.
pub fn by_settings(runs: &[RunResult]) -> Vec<(RunSpec, Vec<&RunResult>)> {
    let mut found: Vec<(RunSpec, Vec<&RunResult>)> = Vec::new();
    for run in runs {
        let spec = run.spec.with_seed(0);
        match found.iter_mut().find(|(other, _)| *other == spec) {
            Some((_, seeds)) => seeds.push(run),
            None => found.push((spec, vec![run])),
        }
    }
    found
}
