//! Layers of TOML: a spec is a base with changes on top.

use crate::error::{Error, Result};
use toml::{Table, Value};

/// Puts every key of `over` into `base`, table by table.
pub fn merge(base: &mut Table, over: &Table) {
    for (key, value) in over {
        match (base.get_mut(key), value) {
            (Some(Value::Table(base)), Value::Table(over)) => merge(base, over),
            _ => {
                base.insert(key.clone(), value.clone());
            }
        }
    }
}

/// Sets the value at a dotted path like `network.width`.
pub fn set(base: &mut Table, path: &str, value: Value) -> Result<()> {
    match path.split_once('.') {
        None => {
            base.insert(path.to_string(), value);
            Ok(())
        }
        Some((head, tail)) => match base.entry(head).or_insert_with(|| Value::Table(Table::new())) {
            Value::Table(inner) => set(inner, tail, value),
            _ => Err(Error::Input(format!("`{head}` is no table, so `{path}` cannot be set"))),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_win_over_what_is_below_them() {
        let mut base: Table = toml::from_str("a = 1\n[b]\nc = 2\nd = 3").unwrap();
        merge(&mut base, &toml::from_str("a = 5\n[b]\nc = 6").unwrap());
        set(&mut base, "b.e", Value::Integer(7)).unwrap();
        set(&mut base, "x.y", Value::Integer(8)).unwrap();
        let expected: Table = toml::from_str("a = 5\n[b]\nc = 6\nd = 3\ne = 7\n[x]\ny = 8").unwrap();
        assert_eq!(base, expected);
        assert!(set(&mut base, "a.z", Value::Integer(1)).is_err());
    }
}
