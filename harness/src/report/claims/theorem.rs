//! Claims about Theorem 1's assumptions, from what was measured of every layer.

use super::finding::{Finding, Found, Page, Verdict, scale_of, weight};
use crate::record::RunResult;
use serde::Deserialize;
use sll_core::bound::Bound;

/// One of Theorem 1's assumptions (appendix A.3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Assumption {
    /// 3: no layer predicts better than the output.
    MonotoneGain,
    /// 4: the divergences (KL) cost no more than depth gains, which is the theorem's inequality itself.
    KlBudget,
}

/// How often the assumption held in the measurements after training began, on the page that [`weight`] chooses.
pub fn held<'a>(pages: &[&'a Page], column: &str, row: &str, assumption: Assumption) -> Found<'a> {
    let holds: fn(&Bound) -> bool = match assumption {
        Assumption::MonotoneGain => Bound::gains_hold,
        Assumption::KlBudget => Bound::budget_holds,
    };
    let bounds = |run: &RunResult| -> Vec<Bound> {
        let trained = run.diagnostics.iter().filter(|epoch| epoch.epoch > 0);
        trained.filter_map(|epoch| epoch.bound(|a| a.kl)).filter(|bound| bound.gains.len() > 1).collect()
    };
    let measured = pages.iter().map(|page| {
        let own = page.runs.iter().filter(|run| run.row == row && run.is_of(column)).map(|run| &run.run);
        let own = own.filter(|run| !run.is_of_a_former_rule() && !bounds(run).is_empty());
        (*page, own.collect::<Vec<&RunResult>>())
    });
    let measured = measured.filter(|(_, own)| !own.is_empty());
    let Some((page, own)) = measured.max_by_key(|(_, own)| weight(own.len(), own[0])) else {
        return Ok((None, Finding::not_done(format!("{row} on {column}: no layer was measured"))));
    };
    let bounds: Vec<Bound> = own.iter().flat_map(|run| bounds(run)).collect();
    let (held, all) = (bounds.iter().filter(|bound| holds(bound)).count(), bounds.len());
    let verdict = if held == all { Verdict::Holds } else { Verdict::Fails };
    let said = format!("held in {held} of {all} measurements after an epoch or more (n={})", own.len());
    Ok((Some(page), Finding { verdict, said, scale: scale_of(&own), source: None }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::place::About;
    use crate::report::{example, parquet};

    // example::measured() has gains of 0.4, 0.2, 0 after its third epoch, and KL of 0.1 and 0.3: (1 - 1/3) 0.4 = 0.27
    // is more than (1/3) 0.6 = 0.2.
    #[test]
    fn each_assumption_is_counted_over_seeds() {
        let dir = tempfile::tempdir().unwrap();
        parquet::write(&example::measured(), dir.path()).unwrap();
        let page = Page::read("theorem1".into(), dir.path().into(), About::default()).unwrap();
        let found = |assumption| held(&[&page], "MNIST", "SLL", assumption).unwrap().1;
        assert_eq!(found(Assumption::MonotoneGain).verdict, Verdict::Holds);
        assert_eq!(found(Assumption::KlBudget).verdict, Verdict::Fails);
        assert!(found(Assumption::KlBudget).said.contains("0 of 2"));
        assert_eq!(held(&[&page], "MNIST", "BP", Assumption::KlBudget).unwrap().1.verdict, Verdict::NotDone);
    }
}
