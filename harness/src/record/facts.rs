//! The settings of a run as a list of facts, from which both what is written in words and the columns of Parquet files
//! come. The specs are taken apart without `..`, so that a setting nobody tells about does not compile.

use crate::spec::{Recipe, RunSpec};
use datasets::Policy;
use serde::Serialize;
use sll_core::NetworkSpec;
use sll_core::layer::BatchNormAt;

/// One setting.
#[derive(Clone, Debug, PartialEq)]
pub struct Fact {
    /// Its name, also of its column.
    pub name: &'static str,
    /// Its value.
    pub value: Value,
    /// In words, where it does not go without saying.
    pub words: Option<String>,
}

/// A fact's value; absent where the spec leaves it to the named network, or has none.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A name.
    Text(Option<String>),
    /// A count.
    Count(Option<u64>),
    /// A number.
    Number(f64),
    /// Yes or no.
    Flag(bool),
}

fn text(name: &'static str, value: impl Serialize, unsaid: &str) -> Fact {
    let value = word(&value);
    let words = value.clone().filter(|value| value != unsaid);
    Fact { name, value: Value::Text(value), words }
}

/// Plain data as one word: what its JSON has as text, `step { at: [2], factor: 0.1 }` of more.
fn word(value: &impl Serialize) -> Option<String> {
    match serde_json::to_value(value).expect("plain data") {
        serde_json::Value::Null => None,
        serde_json::Value::String(text) => Some(text),
        serde_json::Value::Object(mut fields) => {
            let kind = fields.remove("kind").and_then(|kind| kind.as_str().map(String::from)).unwrap_or_default();
            let fields: Vec<String> = fields.iter().map(|(key, value)| format!("{key} {value}")).collect();
            Some(if fields.is_empty() { kind } else { format!("{kind} ({})", fields.join(", ")) })
        }
        other => Some(other.to_string()),
    }
}

fn count(name: &'static str, value: Option<usize>, words: impl Fn(usize) -> String) -> Fact {
    Fact { name, value: Value::Count(value.map(|n| n as u64)), words: value.map(words) }
}

fn number(name: &'static str, value: f64, words: Option<String>) -> Fact {
    Fact { name, value: Value::Number(value), words }
}

fn flag(name: &'static str, value: bool, words: &str) -> Fact {
    Fact { name, value: Value::Flag(value), words: value.then(|| words.to_string()) }
}

/// The network.
pub fn network(network: &NetworkSpec) -> Vec<Fact> {
    let NetworkSpec {
        name,
        depth,
        width,
        dropout,
        batch_norm,
        activation,
        initial,
        output_initial,
        bias,
        loss,
        mean_token,
        patch,
        precision,
    } = network;
    let normed = match batch_norm {
        BatchNormAt::None => None,
        BatchNormAt::Between => Some("batch norm"),
        BatchNormAt::Before => Some("batch norm before the map"),
        BatchNormAt::After => Some("batch norm behind the activation"),
    };
    let size = |name: &'static str, value: Option<usize>| count(name, value, |n| format!("{name} {n}"));
    vec![
        text("network", name, ""),
        size("depth", *depth),
        size("width", *width),
        size("patch", *patch),
        number("dropout", *dropout, Some(format!("dropout {dropout}"))),
        Fact { words: normed.map(String::from), ..text("batch_norm", batch_norm, "") },
        text("activation", activation, "relu"),
        text("initial", initial, "pytorch").prefixed("weights"),
        text("output_initial", output_initial, "").prefixed("output weights"),
        text("bias", bias, "drawn").prefixed("bias"),
        text("loss", loss, "cross-entropy"),
        flag("mean_token", *mean_token, "mean token"),
        text("precision", precision, "f32"),
    ]
}

/// The recipe; its epochs, seed and held-out images stand elsewhere.
pub fn recipe(recipe: &Recipe) -> Vec<Fact> {
    let Recipe {
        optimizer,
        lr,
        momentum,
        weight_decay,
        schedule,
        warmup,
        inputs,
        epochs: _,
        batch,
        flip,
        crop_padding,
        resized_crop,
        auto_augment,
        train_limit,
        validation,
        diagnostics: _,
        representations: _,
    } = recipe;
    let unless_zero = |name: &str, value: f64| (value != 0.0).then(|| format!("{name} {value}"));
    let policy = auto_augment.map(|policy| match policy {
        Policy::Cifar => "AutoAugment (cifar)",
        Policy::ImageNet => "AutoAugment (imagenet)",
    });
    vec![
        text("optimizer", optimizer, ""),
        number("lr", *lr, Some(format!("lr {lr}"))),
        number("momentum", *momentum, unless_zero("momentum", *momentum)),
        number("weight_decay", *weight_decay, unless_zero("weight decay", *weight_decay)),
        text("schedule", schedule, "constant"),
        count("warmup", Some(*warmup), |n| format!("warm-up {n}")).unsaid_if(*warmup == 0),
        text("inputs", inputs, "normalised").prefixed("inputs"),
        count("batch", Some(*batch), |n| format!("batch {n}")),
        flag("flip", *flip, "flip"),
        count("crop_padding", Some(*crop_padding), |n| format!("crop {n}")).unsaid_if(*crop_padding == 0),
        flag("resized_crop", *resized_crop, "random resized crop"),
        Fact { words: policy.map(String::from), ..text("auto_augment", auto_augment, "") },
        count("train_limit", *train_limit, |n| format!("first {n} images only")),
        count("validation", *validation, |n| format!("{n} held out")),
    ]
}

impl Fact {
    fn prefixed(self, prefix: &str) -> Self {
        Self { words: self.words.map(|words| format!("{prefix} {words}")), ..self }
    }

    fn unsaid_if(self, unsaid: bool) -> Self {
        Self { words: self.words.filter(|_| !unsaid), ..self }
    }
}

/// Every setting that has a column.
pub fn all(spec: &RunSpec) -> Vec<Fact> {
    let mut facts = network(&spec.network);
    facts.extend(recipe(&spec.recipe));
    facts
}

/// The names and types of [`all`]'s columns.
pub fn columns() -> Vec<Fact> {
    let mut facts = network(&NetworkSpec::named(""));
    facts.extend(recipe(&Recipe::default()));
    facts
}

/// Those that do not go without saying, in words.
pub fn in_words(facts: &[Fact]) -> String {
    facts.iter().filter_map(|fact| fact.words.as_deref()).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(network: &str, recipe: &str) -> RunSpec {
        let text = format!(
            "dataset = \"cifar-10\"\ndevice = \"cpu-tch\"\nnetwork = {{ {network} }}\nrule = {{ name = \"bp\" }}\n\
             recipe = {{ {recipe} }}"
        );
        RunSpec::from_toml(&text, "test").unwrap()
    }

    #[test]
    fn words_name_every_setting_that_is_not_the_usual_one() {
        let plain = spec("name = \"cnn-2\"", "");
        assert_eq!(in_words(&network(&plain.network)), "cnn-2, dropout 0");
        assert_eq!(in_words(&recipe(&plain.recipe)), "adamax, lr 0.001, batch 128");
        let full = spec(
            "name = \"cnn-2\", width = 8, batch_norm = true, activation = \"tanh\", precision = \"bf16\"",
            "optimizer = \"sgd\", momentum = 0.9, weight_decay = 1e-4, flip = true, crop_padding = 4, \
             auto_augment = \"cifar\", resized_crop = false, train_limit = 10, validation = 5, \
             schedule = { kind = \"step\", at = [2], factor = 0.1 }",
        );
        assert_eq!(in_words(&network(&full.network)), "cnn-2, width 8, dropout 0, batch norm, tanh, bf16");
        assert_eq!(
            in_words(&recipe(&full.recipe)),
            "sgd, lr 0.001, momentum 0.9, weight decay 0.0001, step (at [2], factor 0.1), batch 128, flip, crop 4, \
             AutoAugment (cifar), first 10 images only, 5 held out"
        );
        assert!(in_words(&recipe(&spec("name = \"cnn-2\"", "resized_crop = true").recipe)).contains("resized crop"));
        let faithful = spec(
            "name = \"mlp-2x800\", batch_norm = \"before\", initial = \"he-uniform\", bias = \"none\", loss = \"bce\"",
            "warmup = 3, inputs = \"raw\"",
        );
        assert_eq!(
            in_words(&network(&faithful.network)),
            "mlp-2x800, dropout 0, batch norm before the map, weights he-uniform, bias none, bce"
        );
        assert_eq!(in_words(&recipe(&faithful.recipe)), "adamax, lr 0.001, warm-up 3, inputs raw, batch 128");
    }

    #[test]
    fn columns_have_one_name_and_one_type_whatever_the_spec() {
        let kind = |fact: &Fact| (fact.name, std::mem::discriminant(&fact.value));
        let expected: Vec<_> = columns().iter().map(kind).collect();
        for spec in
            [spec("name = \"cnn-2\", depth = 3, patch = 4", "auto_augment = \"cifar\""), spec("name = \"x\"", "")]
        {
            assert_eq!(all(&spec).iter().map(kind).collect::<Vec<_>>(), expected);
        }
        let names: std::collections::HashSet<_> = expected.iter().map(|column| column.0).collect();
        assert_eq!(names.len(), expected.len());
    }
}
