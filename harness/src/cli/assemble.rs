//! A spec from what a command line says: defaults, a file over them, flags over both, and `--set` over all.

use crate::error::{Error, Result};
use crate::experiment::{merge, set};
use std::io;
use std::path::Path;
use toml::{Table, Value};

/// The table, and its name in errors.
pub fn assemble(
    defaults: &str,
    file: Option<&Path>,
    flags: Vec<(&'static str, Value)>,
    pairs: &[String],
) -> Result<(Table, String)> {
    let mut table: Table = defaults.parse().expect("valid TOML");
    let mut origin = "flags".to_string();
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
        if let (Some(head), Value::String(name)) = (key.strip_suffix(".name"), &value)
            && table.get(head).and_then(|t| t.get("name")).and_then(Value::as_str) != Some(name)
        {
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

/// A TOML value; what is none is text, and so is one with more behind it.
fn parse_value(text: &str) -> Value {
    let parsed = format!("v = {text}").parse::<Table>().ok().filter(|table| table.len() == 1);
    parsed.and_then(|mut table| table.remove("v")).unwrap_or_else(|| text.into())
}
