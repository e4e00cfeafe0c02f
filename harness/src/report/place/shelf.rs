//! Which part of the results folder a page belongs to: what is kept changes only on purpose.

use super::About;
use clap::Args;
use std::collections::BTreeSet;

/// A part of the results folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shelf {
    /// What is committed.
    Kept,
    /// Of the quick profile.
    Quick,
    /// What must not take the place of something that is kept.
    Local,
}

/// What the user means to change in what is kept.
#[derive(Args, Clone, Copy, Debug, Default)]
pub struct ShelfFlags {
    /// Keep the page of the quick profile among the results that are committed.
    #[arg(long)]
    pub keep: bool,
    /// Keep the page although it holds runs of uncommitted code; they are counted and marked.
    #[arg(long)]
    pub allow_dirty: bool,
    /// Replace a kept page although it holds runs that the new one does not.
    #[arg(long)]
    pub replace: bool,
}

impl Shelf {
    /// Where a page goes that is made of the records called `ids`, and why not among what is kept. `kept` are those of
    /// the page that is there. A record is called by its name and the time when it was finished: the same spec run
    /// again, on another machine perhaps, is another record.
    pub fn of(
        about: &About,
        ids: &BTreeSet<String>,
        kept: &BTreeSet<String>,
        quick: bool,
        flags: ShelfFlags,
    ) -> (Self, Option<String>) {
        let lost = kept.difference(ids).count();
        if quick && !flags.keep {
            (Shelf::Quick, None)
        } else if about.dirty > 0 && !flags.allow_dirty {
            let (dirty, records) = (about.dirty, about.records);
            let why = format!(
                "{dirty} of its {records} records are of uncommitted code, which nobody can get; commit it and run \
                 them again, or --allow-dirty keeps them, marked"
            );
            (Shelf::Local, Some(why))
        } else if lost > 0 && !flags.replace {
            let why = format!(
                "the page that is kept has {lost} records that this one lacks, or has from another time or machine; \
                 remove the new ones (`harness runs rm`) and take the kept ones over from its runs.parquet (`harness \
                 runs import`; --older shows those of earlier numerics), or let them go with --replace"
            );
            (Shelf::Local, Some(why))
        } else {
            (Shelf::Kept, None)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_changes_only_on_purpose() {
        let clean = About { records: 2, ..About::default() };
        let dirty = About { dirty: 1, ..clean.clone() };
        let ids = |names: &[&str]| names.iter().map(std::string::ToString::to_string).collect::<BTreeSet<_>>();
        let none = ShelfFlags::default();
        let of = |about, kept: &[&str], quick, flags| Shelf::of(about, &ids(&["a", "b"]), &ids(kept), quick, flags);
        assert_eq!(of(&clean, &[], false, none), (Shelf::Kept, None));
        assert_eq!(of(&clean, &["a"], false, none).0, Shelf::Kept, "it holds all that was there");
        let (shelf, why) = of(&clean, &["a", "c", "d"], false, none);
        assert!(shelf == Shelf::Local && why.unwrap().contains("has 2 records that this one lacks"));
        assert_eq!(of(&clean, &["c"], false, ShelfFlags { replace: true, ..none }).0, Shelf::Kept);
        let (shelf, why) = of(&dirty, &[], false, none);
        assert!(shelf == Shelf::Local && why.unwrap().contains("1 of its 2"));
        assert_eq!(of(&dirty, &[], false, ShelfFlags { allow_dirty: true, ..none }).0, Shelf::Kept);
        assert_eq!(of(&dirty, &["c"], true, none).0, Shelf::Quick);
        assert_eq!(of(&clean, &[], true, ShelfFlags { keep: true, ..none }).0, Shelf::Kept);
    }
}
