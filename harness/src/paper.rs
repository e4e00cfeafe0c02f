//! The paper's printed numbers (arXiv 2505.05181 v4), from `paper.toml`.
//!
//! Many of its rows are other papers' numbers on other networks; each entry says so. Where an entry says `probably`,
//! the digits match another paper's and this paper does not say where it has them from.

use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::OnceLock;

/// A number printed in the paper.
#[derive(Clone, Debug, PartialEq)]
pub struct Quoted {
    /// Percent.
    pub mean: f64,
    /// The paper's ±, where it prints one.
    pub std: Option<f64>,
    /// The network the number really comes from.
    pub network: String,
    /// A caveat, where the number is not from the paper's own runs.
    pub note: Option<String>,
}

/// Training memory that the paper prints beside an accuracy.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QuotedMemory {
    /// Gigabytes.
    pub gb: f64,
    /// The reduction against BP in percent as printed.
    pub reduction: Option<f64>,
}

/// One printed number: [`Quoted`] with its place.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    row: String,
    column: String,
    mean: f64,
    std: Option<f64>,
    network: String,
    note: Option<String>,
    memory: Option<QuotedMemory>,
}

/// Entries by table.
fn entries() -> &'static BTreeMap<String, Vec<Entry>> {
    static ENTRIES: OnceLock<BTreeMap<String, Vec<Entry>>> = OnceLock::new();
    ENTRIES.get_or_init(|| toml::from_str(include_str!("../paper.toml")).expect("the tests read paper.toml"))
}

fn find(table: &str, column: &str, row: &str) -> Option<&'static Entry> {
    // The paper marks rows run on a convolutional network, as in `SLL-CNN`; the rule is the same one.
    let rule = |row: &str| row.strip_suffix("-CNN").unwrap_or(row).to_ascii_lowercase();
    entries().get(table)?.iter().find(|entry| entry.column == column && rule(&entry.row) == rule(row))
}

/// The accuracy at `row`, `column` of `table1`, `table2`, `table3` or `small_cnn` (appendix A.2.1), if there is one.
pub fn quoted(table: &str, column: &str, row: &str) -> Option<Quoted> {
    find(table, column, row).map(|entry| Quoted {
        mean: entry.mean,
        std: entry.std,
        network: entry.network.clone(),
        note: entry.note.clone(),
    })
}

/// The training memory printed beside that accuracy; only `table3` has any.
pub fn quoted_memory(table: &str, column: &str, row: &str) -> Option<QuotedMemory> {
    find(table, column, row)?.memory
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_entry_is_a_percentage_with_a_network_and_stands_once() {
        for (table, entries) in entries() {
            for (i, entry) in entries.iter().enumerate() {
                let place = format!("{table} {} {}", entry.row, entry.column);
                assert!((0.0..100.0).contains(&entry.mean), "{place}");
                assert!(entry.std.is_none_or(|std| std > 0.0 && std < 5.0), "{place}");
                assert!(!entry.network.is_empty() && entry.note.as_deref() != Some(""), "{place}");
                let again = |other: &Entry| other.row == entry.row && other.column == entry.column;
                assert!(!entries[i + 1..].iter().any(again), "{place} stands twice");
            }
        }
    }

    #[test]
    fn tables_have_as_many_numbers_as_the_paper_prints() {
        let counts: Vec<_> = entries().iter().map(|(table, entries)| (table.as_str(), entries.len())).collect();
        assert_eq!(counts, [("small_cnn", 10), ("table1", 20), ("table2", 42), ("table3", 10)]);
    }

    #[test]
    fn numbers_are_found_by_table_column_and_row() {
        let sll = quoted("table1", "mnist", "SLL").unwrap();
        assert_eq!((sll.mean, sll.std, sll.note), (99.32, Some(0.05), None));
        assert!(quoted("table1", "mnist", "PEPITA").unwrap().network.contains("1x1024"));
        assert_eq!(quoted("table2", "cifar-100", "FA").unwrap().mean, 19.49);
        assert_eq!(quoted("table2", "cifar-10", "BP"), quoted("table2", "cifar-10", "BP-CNN"));
        assert_eq!(quoted("table1", "cifar-100", "TP"), None);
        assert_eq!(quoted("table9", "mnist", "SLL"), None);
    }

    #[test]
    fn memory_is_as_printed() {
        let memory = quoted_memory("table3", "imagenette", "SLL7+").unwrap();
        assert_eq!(memory, QuotedMemory { gb: 5.43, reduction: Some(75.45) });
        assert_eq!(quoted_memory("table3", "imagenette", "BP").unwrap().reduction, None);
        assert_eq!(quoted_memory("table1", "mnist", "SLL"), None);
    }
}
