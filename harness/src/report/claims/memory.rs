//! Claims about memory at given sizes, from the measurements of a table.

use super::finding::{Finding, Found, Page, Verdict};
use crate::record::Footprint;
use crate::report::memory::parquet;
use crate::units::MIB;

/// The peak of training of `row` is at least `at_least` percent below that of `against`, at the largest batch at which
/// both were weighed.
pub fn saves<'a>(pages: &[&'a Page], column: &str, [row, against]: [&str; 2], at_least: f64) -> Found<'a> {
    let mut best: Option<(&'a Page, Footprint, Footprint)> = None;
    for &page in pages {
        let path = page.folder.join(parquet::FILE);
        if !path.exists() {
            continue;
        }
        let all = parquet::read(&path)?;
        let of = |label: &str| {
            let wanted = label.to_string();
            all.iter().filter(move |(c, r, _)| c == column && *r == wanted).map(|(.., found)| found)
        };
        for ours in of(row) {
            let network = |found: &Footprint| (found.spec.batch, found.spec.network.clone(), found.spec.image);
            let Some(theirs) = of(against).find(|theirs| network(theirs) == network(ours)) else { continue };
            if best.as_ref().is_none_or(|(_, known, _)| ours.spec.batch > known.spec.batch) {
                best = Some((page, ours.clone(), theirs.clone()));
            }
        }
    }
    let Some((page, ours, theirs)) = best else {
        return Ok((None, Finding::not_done(format!("{row} and {against} on {column}: not weighed at one size"))));
    };
    let saved = 100.0 * (1.0 - ours.peak as f64 / theirs.peak as f64);
    let mib = |bytes: u64| bytes as f64 / MIB;
    let image = ours.spec.image.map(|side| side.to_string()).join("x");
    let finding = Finding {
        verdict: if saved >= at_least { Verdict::Holds } else { Verdict::Fails },
        said: format!(
            "{row} {:.0} MiB, {against} {:.0} MiB: {saved:.1} % less; asked: {at_least}",
            mib(ours.peak),
            mib(theirs.peak)
        ),
        scale: page.scale(format!("{column}: {}, images {image}, batch {}", ours.spec.network.name, ours.spec.batch)),
        source: None,
    };
    Ok((Some(page), finding))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::memory::example::footprint;
    use crate::report::memory::parquet::{Measured, write};
    use crate::report::place::About;

    #[test]
    fn the_largest_batch_that_both_have_decides() {
        let dir = tempfile::tempdir().unwrap();
        let sized = |rule: &str, batch, peak| {
            let mut found = footprint(rule, 3, 1000);
            (found.spec.batch, found.peak) = (batch, peak);
            found
        };
        let of = |row, found| Measured { column: "CIFAR-10", row, role: "law", found };
        let all = [sized("bp", 2, 100), sized("bp", 8, 1000), sized("name = \"sll\"", 8, 300), sized("bp", 16, 2000)];
        write("table3", &[of("BP", &all[0]), of("BP", &all[1]), of("SLL", &all[2]), of("BP", &all[3])], dir.path())
            .unwrap();
        let page = Page::read("table3".into(), dir.path().into(), About::default()).unwrap();
        let found = |at_least| saves(&[&page], "CIFAR-10", ["SLL", "BP"], at_least).unwrap().1;
        assert_eq!((found(70.0).verdict, found(70.1).verdict), (Verdict::Holds, Verdict::Fails));
        assert!(found(64.0).said.contains("70.0 % less") && found(64.0).scale.contains("batch 8"));
        assert_eq!(saves(&[&page], "CIFAR-10", ["LLS", "BP"], 1.0).unwrap().1.verdict, Verdict::NotDone);
    }
}
