//! No room of a crate (a module at its root) imports one that imports it, whatever lies between; tests may.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// What each room imports.
type Imports = BTreeMap<String, BTreeSet<String>>;

fn is_word(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}

/// The modules at the root that a file's code names, without its tests.
fn named(text: &str) -> BTreeSet<String> {
    let lines: Vec<&str> = text.lines().collect();
    let tests =
        |line: usize| lines[line] == "#[cfg(test)]" && lines.get(line + 1).is_some_and(|next| next.ends_with('{'));
    let end = (0..lines.len()).find(|line| tests(*line) && lines[line + 1].contains("mod ")).unwrap_or(lines.len());
    let code: String =
        lines[..end].iter().filter(|line| !line.trim_start().starts_with("//")).map(|l| l.trim()).collect();
    let paths = code.match_indices("crate::").filter(|(at, _)| !code[..*at].ends_with(is_word));
    paths.flat_map(|(at, word)| heads(&code[at + word.len()..])).collect()
}

/// The first words of a path, or of each path in a group.
fn heads(path: &str) -> Vec<String> {
    let word = |text: &str| text.chars().take_while(|letter| is_word(*letter)).collect::<String>();
    let Some(group) = path.strip_prefix('{') else { return vec![word(path)] };
    let (mut depth, mut words) = (0, vec![word(group)]);
    for (at, letter) in group.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => words.push(word(group[at + 1..].trim_start())),
            _ => {}
        }
    }
    words
}

/// Adds what the files in `folder` import; `room` is theirs, where `folder` is not the crate's root.
fn read(folder: &Path, room: Option<&str>, imports: &mut Imports) {
    let mut entries: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        let stem = path.file_stem().unwrap().to_str().unwrap();
        let own = room.unwrap_or(stem).to_string();
        // These are there for tests alone.
        if ["tests", "testing", "layouts", "example", "laws"].contains(&stem) || ["lib", "main"].contains(&own.as_str())
        {
            continue;
        }
        if path.is_dir() {
            read(&path, Some(&own), imports);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            let found = named(&std::fs::read_to_string(&path).unwrap());
            imports.entry(own).or_default().extend(found);
        }
    }
}

/// A way from `room` along `way` back into `way`, if there is one.
fn circle(room: &str, imports: &Imports, way: &mut Vec<String>, sound: &mut BTreeSet<String>) -> Option<String> {
    if let Some(first) = way.iter().position(|other| other == room) {
        return Some([&way[first..], &[room.to_string()]].concat().join(" -> "));
    }
    if sound.contains(room) {
        return None;
    }
    way.push(room.to_string());
    let next = imports.get(room).into_iter().flatten().filter(|next| *next != room);
    let found = next.filter(|next| imports.contains_key(*next)).find_map(|next| circle(next, imports, way, sound));
    way.pop();
    sound.insert(room.to_string());
    found
}

#[test]
fn rooms_have_floors() {
    for (name, known) in [
        ("sll-core", ("network", "layer")),
        ("baselines", ("register", "bp")),
        ("datasets", ("load", "fetch")),
        ("harness", ("report", "experiment")),
    ] {
        let mut imports = Imports::new();
        read(&Path::new("..").join(name).join("src"), None, &mut imports);
        assert!(imports[known.0].contains(known.1), "{name}: {} imports {}", known.0, known.1);
        let mut sound = BTreeSet::new();
        let circles: Vec<String> =
            imports.keys().filter_map(|room| circle(room, &imports, &mut Vec::new(), &mut sound)).collect();
        assert!(circles.is_empty(), "{name}: {circles:?}");
    }
}

#[test]
fn a_circle_is_found_and_tests_are_not_looked_at() {
    let rooms = |a: &str| {
        Imports::from([
            ("a".into(), named(a)),
            ("b".into(), named("fn x() { crate::c::y() }")),
            ("c".into(), named("use crate::{Error, a::{b, c}};")),
        ])
    };
    let found = |a: &str| circle("a", &rooms(a), &mut Vec::new(), &mut BTreeSet::new());
    assert_eq!(found("use crate::b;").as_deref(), Some("a -> b -> c -> a"));
    assert_eq!(found("// crate::b\nuse other_crate::b;\n#[cfg(test)]\nmod tests {\n    use crate::b;\n}"), None);
}
