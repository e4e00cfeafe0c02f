//! `harness runs best`: settings by what their runs reached.

use super::{by_settings, rule_settings};
use crate::cli::stdout::print as line;
use crate::error::Result;
use crate::record::{RunResult, facts};
use crate::report::stats::{Aggregate, aggregate_text};
use crate::spec::RunSpec;
use std::collections::BTreeSet;

/// A list for each data set and kind of images, since accuracies on different ones cannot be ranked: the `top` settings
/// by the mean over their seeds.
pub fn print(runs: &[RunResult], top: usize) -> Result<()> {
    let kinds: BTreeSet<(&str, &str)> = runs.iter().map(kind).collect();
    for (dataset, images) in kinds {
        let here: Vec<RunResult> = runs.iter().filter(|run| kind(run) == (dataset, images)).cloned().collect();
        line(&format!("{dataset}, {images} images{}", caveat(images)))?;
        for (accuracy, spec, runs) in ranked(&here).into_iter().take(top) {
            let (rule, network) = (spec.rule.title(), facts::in_words(&facts::network(&spec.network)));
            let recipe = rule_settings(&spec.rule) + &facts::in_words(&facts::recipe(&spec.recipe));
            let ids = names(&runs);
            let (epochs, accuracy) = (spec.recipe.epochs, aggregate_text(accuracy, 2));
            line(&format!("  {accuracy:<22} {rule:<22} {network}; {recipe}; {epochs} epochs; {}; {ids}", spec.device))?;
        }
    }
    Ok(())
}

fn kind(run: &RunResult) -> (&str, &str) {
    (&run.spec.dataset, &run.evaluated_on)
}

/// What a choice by these images is worth.
fn caveat(images: &str) -> &'static str {
    if images == "test" { " (what is chosen by test images looks better than it is)" } else { "" }
}

/// Settings with the accuracy of their seeds, best first; those of which every run diverged are left out.
fn ranked(runs: &[RunResult]) -> Vec<(Aggregate, RunSpec, Vec<&RunResult>)> {
    let accuracy =
        |runs: &[&RunResult]| Aggregate::of(&runs.iter().filter_map(|run| run.test_accuracy).collect::<Vec<_>>());
    let groups = by_settings(runs).into_iter();
    let mut found: Vec<_> = groups.filter_map(|(spec, runs)| Some((accuracy(&runs)?, spec, runs))).collect();
    found.sort_by(|(a, ..), (b, ..)| b.mean.total_cmp(&a.mean));
    found
}

fn names(runs: &[&RunResult]) -> String {
    runs.iter().map(|run| run.run_id.as_str()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::example;

    #[test]
    fn settings_are_ranked_by_the_mean_of_their_seeds_and_diverged_ones_left_out() {
        let wide = |seed, accuracy| {
            let mut run = example::run(seed, accuracy);
            run.spec.network.width = Some(50);
            run
        };
        let mut lost = example::diverged(0);
        lost.spec.network.width = Some(60);
        let runs = [example::run(0, 99.0), wide(0, 97.0), wide(1, 98.0), example::run(1, 94.0), lost];
        let found = ranked(&runs);
        let told = found.iter().map(|(accuracy, spec, runs)| (accuracy.mean, spec.network.width, runs.len()));
        assert_eq!(told.collect::<Vec<_>>(), [(97.5, Some(50), 2), (96.5, None, 2)]);
    }
}
