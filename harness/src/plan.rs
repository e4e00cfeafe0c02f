//! A plan: a line of JSON a run, with its spec, its name and what it will take, for whoever makes the runs elsewhere.

use crate::error::{Error, Result};
use crate::pool::Job;
use crate::spec::{Request, RunSpec, name_of};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::path::Path;
use std::str::FromStr;

/// One run of a plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanLine {
    /// The run's name.
    pub id: String,
    /// What it is called for people.
    pub title: String,
    /// Seconds that it is estimated to take, where that is known.
    pub seconds: Option<f64>,
    /// Bytes of tensors and images that it is estimated to need, where that is known.
    pub bytes: Option<u64>,
    /// The run.
    pub spec: RunSpec,
}

impl PlanLine {
    /// The run as a pool makes it.
    pub fn job(&self) -> Job<RunSpec> {
        Job { title: self.title.clone(), request: self.spec.clone(), need: self.bytes }
    }
}

/// The lines as they are stored.
pub fn text(lines: &[PlanLine]) -> String {
    lines.iter().map(|line| format!("{}\n", serde_json::to_string(line).expect("plain data"))).collect()
}

/// The name of a plan: a digest of its runs' names, in their order.
pub fn digest(lines: &[PlanLine]) -> String {
    name_of(&lines.iter().map(|line| &line.id).collect::<Vec<_>>())
}

/// The plan in the file at `path`, or on stdin if that is `-`.
///
/// # Errors
/// Names the line that is none, or whose run has other numbers in this version.
pub fn read(path: &Path) -> Result<Vec<PlanLine>> {
    let text =
        if path == Path::new("-") { std::io::read_to_string(std::io::stdin()) } else { std::fs::read_to_string(path) };
    parse(&text.map_err(|e| Error::file("read", path, e))?, &path.display().to_string())
}

fn parse(text: &str, origin: &str) -> Result<Vec<PlanLine>> {
    let line = |(number, line): (usize, &str)| -> Result<PlanLine> {
        let place = format!("{origin}, line {}", number + 1);
        let next = "write it anew with `harness plan`";
        let line: PlanLine = serde_json::from_str(line).map_err(|e| Error::Input(format!("{place}: {e}; {next}")))?;
        line.spec.validate()?;
        match line.spec.id() {
            id if id == line.id => Ok(line),
            id => Err(Error::Input(format!(
                "{place}: run {} is called {id} here: it was planned by a version whose numbers are other ones; {next}",
                line.id
            ))),
        }
    };
    text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()).map(line).collect()
}

/// Line numbers of a plan, counted from 1: `3`, `1-4`, `1-4,7`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LineNumbers(BTreeSet<usize>);

impl LineNumbers {
    /// Those of `all` that are named; all where none is.
    ///
    /// # Errors
    /// If a number is beyond the plan's end.
    pub fn of(&self, all: &[PlanLine]) -> Result<Vec<PlanLine>> {
        match self.0.last() {
            None => Ok(all.to_vec()),
            Some(last) if *last > all.len() => {
                Err(Error::Input(format!("--line {last}: the plan has {} lines", all.len())))
            }
            Some(_) => Ok(self.0.iter().map(|number| all[number - 1].clone()).collect()),
        }
    }

    /// The numbers as they are written: neighbours as a range.
    pub fn written(numbers: &[usize]) -> String {
        let mut ranges: Vec<(usize, usize)> = Vec::new();
        for &number in &BTreeSet::from_iter(numbers.iter().copied()) {
            match ranges.last_mut() {
                Some((_, last)) if *last + 1 == number => *last = number,
                _ => ranges.push((number, number)),
            }
        }
        let range = |(first, last): (usize, usize)| match first == last {
            true => first.to_string(),
            false => format!("{first}-{last}"),
        };
        ranges.into_iter().map(range).collect::<Vec<_>>().join(",")
    }
}

impl FromStr for LineNumbers {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let number = |text: &str| text.trim().parse().ok().filter(|&number| (1..=1_000_000).contains(&number));
        let range = |part: &str| {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            Some(number(first)?..=number(last)?).filter(|range| !range.is_empty())
        };
        let ranges: Option<Vec<_>> = text.split(',').map(range).collect();
        let wrong = || format!("write lines as numbers from 1 on and ranges, like 3 or 1-4,7, not `{text}`");
        Ok(Self(ranges.ok_or_else(wrong)?.into_iter().flatten().collect()))
    }
}

/// Every `of`-th run, from the `number`-th on: `2/8`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    number: usize,
    of: usize,
}

impl Shard {
    /// Those of `all` that are this shard's: the same ones, whatever is done already.
    pub fn of<T: Clone>(self, all: &[T]) -> Vec<T> {
        all.iter().skip(self.number - 1).step_by(self.of).cloned().collect()
    }
}

impl std::fmt::Display for Shard {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        write!(f, "{}/{}", self.number, self.of)
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let pair = text.split_once('/').and_then(|(number, of)| Some((number.parse().ok()?, of.parse().ok()?)));
        match pair {
            Some((number, of)) if (1..=of).contains(&number) => Ok(Self { number, of }),
            _ => Err(format!("write a shard as i/n with i from 1 to n, like 2/8, not `{text}`")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::example;

    fn lines() -> Vec<PlanLine> {
        let line = |seed| {
            let spec = example::run(seed, 98.0).spec;
            PlanLine { id: spec.id(), title: format!("BP | seed {seed}"), seconds: Some(1.5), bytes: None, spec }
        };
        (0..5).map(line).collect()
    }

    #[test]
    fn a_plan_comes_back_and_a_line_that_is_none_or_of_other_numbers_is_named() {
        let all = lines();
        let text = text(&all);
        assert_eq!(text.lines().count(), 5);
        assert_eq!(parse(&text, "plan.jsonl").unwrap(), all);
        assert_eq!(parse("\n", "plan.jsonl").unwrap(), []);
        let wrong = parse(&text.replacen("\"title\"", "\"titel\"", 1), "plan.jsonl").unwrap_err().to_string();
        assert!(wrong.contains("plan.jsonl, line 1") && wrong.contains("titel"), "{wrong}");
        let other = parse(&text.replace(&all[2].id, "0123456789abcdef"), "plan.jsonl").unwrap_err().to_string();
        assert!(other.contains("line 3") && other.contains("other ones"), "{other}");
        assert_ne!(digest(&all), digest(&all[1..]));
    }

    #[test]
    fn lines_and_shards_are_chosen_by_number_and_mistakes_say_how_to_write_them() {
        let all = lines();
        let chosen = |text: &str| text.parse::<LineNumbers>().unwrap().of(&all).unwrap();
        assert_eq!(chosen("2"), all[1..2]);
        assert_eq!(chosen("4-5,1"), [&all[..1], &all[3..]].concat());
        assert_eq!(LineNumbers::default().of(&all).unwrap(), all);
        assert!("6".parse::<LineNumbers>().unwrap().of(&all).unwrap_err().to_string().contains("5 lines"));
        assert_eq!(LineNumbers::written(&[3, 1, 2, 7]), "1-3,7");
        for wrong in ["", "0", "3-1", "a", "1,,2", "-3"] {
            assert!(wrong.parse::<LineNumbers>().unwrap_err().contains("1-4,7"), "{wrong}");
        }
        let shard = |text: &str| text.parse::<Shard>().unwrap().of(&all);
        assert_eq!(shard("2/3"), [all[1].clone(), all[4].clone()]);
        let parts: usize = ["1/3", "2/3", "3/3"].map(|text| shard(text).len()).iter().sum();
        assert_eq!((parts, shard("9/9").len(), shard("1/1").len()), (5, 0, 5));
        for wrong in ["0/3", "4/3", "1", "1/0", "a/b"] {
            assert!(wrong.parse::<Shard>().unwrap_err().contains("2/8"), "{wrong}");
        }
    }
}
