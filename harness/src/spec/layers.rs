//! Layers of TOML: a spec is a base with changes on top; of a command line defaults, a file over them, flags over both,
//! and `--set` over all.

use super::{RunSpec, typed};
use crate::error::{Error, Result};
use std::io;
use std::path::Path;
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

/// The table of a command line, and its name in errors.
pub fn assemble(
    defaults: &str,
    file: Option<&Path>,
    flags: Vec<(&'static str, Value)>,
    pairs: &[String],
) -> Result<(Table, String)> {
    let mut table: Table = defaults.parse().expect("valid TOML");
    let mut origin = "the command line".to_string();
    if let Some(path) = file {
        let text = if path == Path::new("-") { io::read_to_string(io::stdin()) } else { std::fs::read_to_string(path) };
        let text = text.map_err(|e| Error::Input(format!("cannot read the spec {}: {e}", path.display())))?;
        let file: Table =
            text.parse().map_err(|e: toml::de::Error| Error::Input(format!("{}: {e}", path.display())))?;
        replace_named(&mut table, &file);
        origin = format!("{} with the flags on top", path.display());
    }
    for (key, value) in flags {
        // Another rule's or network's settings would not fit the one asked for by name.
        if let (Some(head), Value::String(name)) = (key.strip_suffix(".name"), &value) {
            let there = table.get(head).and_then(|table| table.get("name")).and_then(Value::as_str);
            if there.is_some_and(|there| there.eq_ignore_ascii_case(name)) {
                continue;
            }
            table.insert(head.to_string(), Table::new().into());
        }
        set(&mut table, key, value)?;
    }
    for pair in pairs {
        let (key, value) = pair
            .split_once('=')
            .ok_or_else(|| Error::Input(format!("--set {pair}: write it as KEY=VALUE, like rule.align_weight=0.3")))?;
        set(&mut table, key, parse_value(value))?;
    }
    Ok((table, origin))
}

/// `file` over `base`; a rule or network named in the file starts from its own defaults.
fn replace_named(base: &mut Table, file: &Table) {
    for head in ["rule", "network"] {
        if file.contains_key(head) {
            base.remove(head);
        }
    }
    merge(base, file);
}

/// `rule.align_weight` for `align_weight`: where a spec like `table` has this key of its network, rule or recipe.
pub(crate) fn full_key(table: &Table, key: &str) -> Option<String> {
    let fits = |full: &String| {
        let mut table = table.clone();
        table.remove(key);
        let placed = set(&mut table, full, Value::Table(Table::new()));
        let problem = placed.and_then(|()| typed::<RunSpec>(table, "")).err().map(|error| error.to_string());
        problem.is_none_or(|problem| !["unknown field", "missing field"].iter().any(|why| problem.contains(why)))
    };
    ["network", "rule", "recipe"].map(|part| format!("{part}.{key}")).into_iter().find(fits)
}

/// Values between commas, those inside of brackets and quotes aside, each as in `--set`; none where one is empty.
pub fn values(text: &str) -> Option<Vec<Value>> {
    let mut depth = 0;
    let mut quote = None;
    let mut parts = vec![String::new()];
    for c in text.chars() {
        match (c, quote) {
            ('"' | '\'', None) => quote = Some(c),
            (c, Some(open)) if c == open => quote = None,
            ('[' | '{', None) => depth += 1,
            (']' | '}', None) => depth -= 1,
            _ => {}
        }
        match c == ',' && depth == 0 && quote.is_none() {
            true => parts.push(String::new()),
            false => parts.last_mut().expect("one at least").push(c),
        }
    }
    let value = |part: &String| Some(part.trim()).filter(|part| !part.is_empty()).map(parse_value);
    parts.iter().map(value).collect()
}

/// A TOML value; anything else is a string, and so is a value with more behind it.
fn parse_value(text: &str) -> Value {
    let parsed = format!("v = {text}").parse::<Table>().ok().filter(|table| table.len() == 1);
    parsed.and_then(|mut table| table.remove("v")).unwrap_or_else(|| text.into())
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
