//! "Did you mean": the known word that is closest to a mistyped one.

/// As alike as clap, which suggests flags and subcommands, asks for: Jaro's similarity.
const ALIKE: f64 = 0.7;

/// `; did you mean `table1`?` where one of `known` is close to `word`, whatever its case; else nothing.
pub fn did_you_mean<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let likeness = |known: &str| strsim::jaro(&known.to_lowercase(), &word.to_lowercase());
    let others = known.into_iter().filter(|known| *known != word).map(|known| (likeness(known), known));
    let close = others.filter(|(likeness, _)| *likeness > ALIKE).max_by(|(a, _), (b, _)| a.total_cmp(b));
    close.map_or(String::new(), |(_, known)| format!("; did you mean `{known}`?"))
}

/// The key that serde's message says is unknown.
pub fn unknown_field(message: &str) -> Option<&str> {
    Some(message.split_once("unknown field `")?.1.split_once('`')?.0)
}

/// Serde's message about an unknown key or value, which lists the known ones, with the closest of them behind it.
pub fn of_serde(message: &str) -> String {
    let suggested = |line: &str| {
        let (word, rest) = ["unknown field `", "unknown variant `"].into_iter().find_map(|start| {
            let (_, after) = line.split_once(start)?;
            after.split_once('`')
        })?;
        Some(format!("{line}{}", did_you_mean(word, rest.split('`').skip(1).step_by(2))))
    };
    let lines = message.trim().lines().map(|line| suggested(line).unwrap_or_else(|| line.to_string()));
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_closest_word_is_suggested_and_nothing_for_what_is_like_none() {
        assert_eq!(did_you_mean("minst", ["cifar-10", "mnist", "mnist-sample"]), "; did you mean `mnist`?");
        assert_eq!(did_you_mean("SSL", ["fa", "sll"]), "; did you mean `sll`?");
        assert_eq!(did_you_mean("xyz", ["fa", "sll"]), "");
    }

    #[test]
    fn serdes_list_of_known_words_is_read_whatever_its_form() {
        #[derive(Debug, serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        #[allow(dead_code, reason = "only read by name")]
        struct One {
            align_weight: f64,
        }
        #[derive(Debug, serde::Deserialize)]
        #[serde(rename_all = "lowercase")]
        enum Kind {
            Constant,
            Cosine,
            Step,
        }
        let one = toml::from_str::<One>("align_weigth = 1.0").unwrap_err().to_string();
        assert!(of_serde(&one).contains("expected `align_weight`; did you mean `align_weight`?"), "{}", of_serde(&one));
        let kinds = toml::Value::from("cosin").try_into::<Kind>().unwrap_err().to_string();
        assert!(of_serde(&kinds).contains("`step`; did you mean `cosine`?"), "{}", of_serde(&kinds));
        assert_eq!(of_serde("missing field `x`\n"), "missing field `x`");
    }
}
