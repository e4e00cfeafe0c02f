//! What the paper claims, and what would decide it.

use super::depth::Part;
use super::layers::Layers;
use super::theorem::Assumption;
use serde::Deserialize;

/// The paper's claims.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Claims {
    claims: Vec<Claim>,
}

/// One claim.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claim {
    /// What is claimed, in our words.
    pub claim: String,
    /// The paper's.
    pub quote: String,
    /// Where they stand.
    pub place: String,
    /// What has to be known beside the verdict.
    #[serde(default)]
    pub note: String,
    /// What decides it.
    pub evidence: Vec<Evidence>,
}

/// What decides a claim.
#[derive(Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Evidence {
    /// The accuracy of `row` is at least `at_least` points above that of `against`.
    Above { experiment: String, column: String, row: String, against: String, at_least: f64 },
    /// The accuracy of `row` is above that of every row of its column but `except`.
    AboveAll { experiment: String, column: String, row: String, except: Vec<String> },
    /// A training step of `row` takes fewer multiply-accumulates than one of `against`.
    Fewer { experiment: String, column: String, row: String, against: String },
    /// From the swept value `from` to `to` the accuracy of `row` rises, by at least `at_least` points.
    Rises { experiment: String, row: String, from: f64, to: f64, at_least: f64 },
    /// From the swept value `over` to `to` the accuracy of `row` rises by less than from `from` to `over`, both for a
    /// value twice as large.
    Slows { experiment: String, row: String, from: f64, over: f64, to: f64 },
    /// Memory of `row` does not grow with depth, as [`crate::experiment::memory::figure`] judges it.
    Flat { experiment: String, column: String, row: String, of: Part },
    /// The peak of training of `row` is at least `at_least` percent below that of `against`.
    Saves { experiment: String, column: String, row: String, against: String, at_least: f64 },
    /// An assumption of Theorem 1 held in every measurement of `row` on `column`.
    Theorem { experiment: String, column: String, row: String, assumption: Assumption },
    /// Something measured of every hidden layer.
    Layers(Layers),
    /// Steps by `workers` that train units at once are at least `at_least` times as fast as serial ones.
    Gains { experiment: String, network: String, workers: u64, at_least: f64 },
    /// A page has numbers, of which no single one decides.
    Read { experiment: String, why: String },
    /// Nothing measures it.
    NotDone { why: String },
}

/// Every claim of `claims.toml`.
pub fn claims() -> Vec<Claim> {
    toml::from_str::<Claims>(include_str!("../../../claims.toml")).expect("the tests read claims.toml").claims
}
