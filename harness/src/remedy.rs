//! What helps against an error of the data, in this program's words: its flags and its commands.

use datasets::{Advice, DataError, Next};

/// One thing that helps.
fn say(next: &Next) -> String {
    match next {
        Next::Again => "run the same command again: it resumes where it stopped".to_string(),
        Next::OwnFiles => "bring the official files with --data-dir".to_string(),
        Next::ByHand(how) => format!("{how} and bring the files with --data-dir"),
        Next::Offline => "use --offline with --data-dir".to_string(),
        Next::Fetch(name) => format!("run `harness data fetch {name}` where there is a network"),
        Next::Refetch(name) => {
            format!("run `harness data fetch {name}` where there is a network, which puts sound content in its place")
        }
        Next::DataDir(holds) => format!("set --data-dir or SLL_DATA_DIR to a folder that holds {holds}"),
        Next::Describe(dir) => {
            format!("run `harness data describe {}` again if the change is meant", dir.display())
        }
        Next::Accept => "pass --allow-unverified to use it and mark every result".to_string(),
        Next::Do(_) | Next::OtherSource | Next::Replace => next.to_string(),
    }
}

/// Several things, each of which helps.
pub fn advice(next: &Advice) -> String {
    next.explain(&say)
}

/// What is wrong and what to do next.
pub fn explain(error: &DataError) -> String {
    error.explain(&say)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_ends_with_a_command_of_this_program() {
        let options = datasets::LoadOptions { system_dirs: false, ..datasets::LoadOptions::default() };
        let options = datasets::LoadOptions { cache_dir: Some("/dev/null/cache".into()), ..options };
        let Ok(datasets::Status::Missing { next, .. }) = datasets::status("cifar-10", &options) else {
            panic!("found")
        };
        let next = advice(&next);
        assert!(
            next.starts_with("run `harness data fetch cifar-10` where there is a network, or set --data-dir"),
            "{next}"
        );
        assert!(next.contains("SLL_DATA_DIR") && next.contains("data_batch_1.bin (the first of 6 files"), "{next}");
        let error = DataError::Corrupt {
            dataset: "mnist".into(),
            file: Some("a".into()),
            problem: "ends early".into(),
            fetched: true,
        };
        assert_eq!(
            explain(&error),
            "data set `mnist`: a ends early; run `harness data fetch mnist` where there is a network, which puts sound \
             content in its place"
        );
    }
}
