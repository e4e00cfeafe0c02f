//! From parsed TOML to what it should be; a value of another type is named by its key.

use super::{finite, name_rule};
use crate::error::{Error, Result};
use crate::suggest::of_serde;
use serde::de::DeserializeOwned;
use toml::{Table, Value};

/// Parsed TOML as what it should be; `origin` names it in errors.
pub(crate) fn typed<T: DeserializeOwned>(mut table: Table, origin: &str) -> Result<T> {
    if let Some(Value::Table(rule)) = table.get_mut("rule") {
        name_rule(rule);
    }
    table.iter().try_for_each(|(key, value)| finite(key, value))?;
    let parsed = |table: Table| table.try_into::<T>().map_err(|e| of_serde(&e.to_string()));
    parsed(table.clone()).map_err(|problem| {
        let told = told(&table, &problem, &|table| parsed(table).err());
        Error::Input(format!("{origin}: {}", told.unwrap_or(problem)))
    })
}

/// A value of another type than its key's, told with the key, which serde leaves out of what has several forms.
fn told(table: &Table, problem: &str, problem_of: &dyn Fn(Table) -> Option<String>) -> Option<String> {
    let (found, rest) = problem.strip_prefix("invalid type: ")?.split_once(", expected ")?;
    let mut lines = rest.lines();
    let expected = match lines.next()? {
        "f32" | "f64" => "a number",
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number",
        other => other,
    };
    let place = lines.find_map(|line| line.strip_prefix("in `")?.strip_suffix('`')).unwrap_or_default();
    let mut paths = Vec::new();
    leaves(table, &mut Vec::new(), &mut paths);
    // What names a rule is text and cannot be it.
    let may_be = |(path, words): &(Vec<&str>, String)| {
        let path = path.join(".");
        words == found && path != "rule.name" && (path == place || path.starts_with(&format!("{place}.")))
    };
    let paths: Vec<Vec<&str>> = paths.into_iter().filter(may_be).map(|(path, _)| path).collect();
    // The one that makes the problem when it is the only one of its value.
    let alone = |path: &&Vec<&str>| {
        let others = paths.iter().filter(|other| other != path);
        let table = others.fold(table.clone(), |table, other| without(&table, other));
        problem_of(table).as_deref() == Some(problem)
    };
    Some(format!("`{}` is {found}; expected {expected}", paths.iter().find(alone)?.join(".")))
}

/// Every value that is no table, by its keys, with serde's words for it.
fn leaves<'a>(table: &'a Table, above: &mut Vec<&'a str>, found: &mut Vec<(Vec<&'a str>, String)>) {
    for (key, value) in table {
        above.push(key);
        let words = match value {
            Value::Table(inner) => {
                leaves(inner, above, found);
                None
            }
            Value::String(text) => Some(format!("string {text:?}")),
            Value::Integer(number) => Some(format!("integer `{number}`")),
            Value::Float(number) => Some(format!("floating point `{number:?}`")),
            Value::Boolean(is) => Some(format!("boolean `{is}`")),
            Value::Array(_) => Some("sequence".into()),
            Value::Datetime(_) => None,
        };
        found.extend(words.map(|words| (above.clone(), words)));
        above.pop();
    }
}

/// `table` without the value at `path`.
fn without(table: &Table, path: &[&str]) -> Table {
    let mut table = table.clone();
    match path {
        [key] => drop(table.remove(*key)),
        [key, rest @ ..] => {
            if let Some(Value::Table(inner)) = table.get_mut(*key) {
                *inner = without(inner, rest);
            }
        }
        [] => {}
    }
    table
}

#[cfg(test)]
mod tests {
    use crate::spec::RunSpec;

    #[test]
    fn a_value_of_another_type_is_told_with_its_key() {
        let told = |rule: &str, rest: &str| {
            let network = "network = { name = \"mlp-2x800\" }";
            let text = format!("dataset = \"mnist-sample\"\n{rest}\n{network}\nrule = {{ name = \"sll\", {rule} }}");
            RunSpec::from_toml(&text, "my.toml").unwrap_err().to_string()
        };
        for (rule, rest, words) in [
            ("align_weight = \"x\"", "", "`rule.align_weight` is string \"x\"; expected a number"),
            ("units = 2.5", "", "`rule.units` is floating point `2.5`; expected a whole number"),
            ("align_weight = \"sll\"", "", "`rule.align_weight` is string \"sll\"; expected a number"),
            ("units = \"sll\"", "", "`rule.units` is string \"sll\"; expected a whole number"),
            ("align_weight = \"x\", gain = \"x\"", "", "is string \"x\"; expected a number"),
            ("units = 1", "seed = true", "`seed` is boolean `true`; expected a whole number"),
            ("units = 1", "recipe = { flip = 3 }", "`recipe.flip` is integer `3`; expected a boolean"),
        ] {
            assert!(told(rule, rest).contains(words), "{}", told(rule, rest));
        }
    }
}
