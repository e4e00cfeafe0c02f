//! Columns of a file, each one question asked of every item.

use crate::record::facts::{self, Fact, Value};
use polars::prelude::{Column, NamedFrom, Series};
use sll_core::memory::ByCategory;

/// Columns that are each one question asked of every item. The answers' type is the column's, items or none.
pub(crate) struct Columns<'a, T> {
    items: &'a [T],
    /// Answers so far.
    pub columns: Vec<Column>,
}

impl<'a, T> Columns<'a, T> {
    /// No column yet.
    pub fn of(items: &'a [T]) -> Self {
        Self { items, columns: Vec::new() }
    }

    /// Adds the column `name`.
    pub fn add<V>(mut self, name: &str, value: impl Fn(&T) -> V) -> Self
    where
        Series: NamedFrom<Vec<V>, [V]>,
    {
        let answers: Vec<V> = self.items.iter().map(value).collect();
        self.columns.push(Series::new(name.into(), answers).into());
        self
    }

    /// Adds a column for each category of bytes, behind `prefix`.
    pub fn add_bytes<B: ByCategory>(self, prefix: &str, bytes: impl Fn(&T) -> Option<B>) -> Self {
        B::CATEGORIES.iter().fold(self, |columns, category| {
            columns.add(&format!("{prefix}{}", category.column), |item| bytes(item).map(|bytes| category.of(bytes)))
        })
    }

    /// Adds a column for each fact.
    pub fn add_facts(self, of: impl Fn(&T) -> Vec<Fact>) -> Self {
        let rows: Vec<Vec<Fact>> = self.items.iter().map(of).collect();
        let columns = self.columns;
        let mut with_facts = Columns { items: &rows, columns };
        for (index, Fact { name, value, .. }) in facts::columns().into_iter().enumerate() {
            let of = |row: &Vec<Fact>| row[index].value.clone();
            with_facts = match value {
                Value::Text(_) => with_facts.add(name, |row| if let Value::Text(text) = of(row) { text } else { None }),
                Value::Count(_) => with_facts.add(name, |row| if let Value::Count(n) = of(row) { n } else { None }),
                Value::Number(_) => {
                    with_facts.add(name, |row| if let Value::Number(x) = of(row) { Some(x) } else { None })
                }
                Value::Flag(_) => {
                    with_facts.add(name, |row| if let Value::Flag(yes) = of(row) { Some(yes) } else { None })
                }
            };
        }
        Self { items: self.items, columns: with_facts.columns }
    }
}
