//! Floats in stored JSON, which has no numbers for all of them: finite ones are numbers, the others `"NaN"`, `"inf"`,
//! `"-inf"`.
//!
//! For `#[serde(with = "sll_core::real")]`; [`option`] and [`list`] are the same for `Option<f64>` and `Vec<f64>`.

use serde::de::{Deserialize, Deserializer, Error, Unexpected, Visitor};
use serde::ser::{Serialize, Serializer};
use std::fmt;

/// Writes `value`.
///
/// # Errors
/// The serializer's.
pub fn serialize<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    match value {
        value if value.is_finite() => serializer.serialize_f64(*value),
        value if value.is_nan() => serializer.serialize_str("NaN"),
        value => serializer.serialize_str(if *value > 0.0 { "inf" } else { "-inf" }),
    }
}

/// Reads what [`serialize`] wrote. `null` is NaN: so it stood in files of before.
///
/// # Errors
/// Where there is something else.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    deserializer.deserialize_any(Stored)
}

struct Stored;

impl Visitor<'_> for Stored {
    type Value = f64;

    fn expecting(&self, out: &mut fmt::Formatter) -> fmt::Result {
        out.write_str("a number, \"NaN\", \"inf\" or \"-inf\"")
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<f64, E> {
        Ok(value)
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<f64, E> {
        Ok(value as f64)
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<f64, E> {
        Ok(value as f64)
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<f64, E> {
        match value {
            "NaN" => Ok(f64::NAN),
            "inf" => Ok(f64::INFINITY),
            "-inf" => Ok(f64::NEG_INFINITY),
            other => Err(E::invalid_value(Unexpected::Str(other), &self)),
        }
    }

    fn visit_unit<E: Error>(self) -> Result<f64, E> {
        Ok(f64::NAN)
    }
}

/// One float, in places where serde takes types alone.
#[derive(serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
struct Real(#[serde(with = "self")] f64);

/// `Option<f64>`; `null` is `None`.
pub mod option {
    use super::{Deserialize, Deserializer, Real, Serialize, Serializer};

    /// Writes `value`.
    ///
    /// # Errors
    /// The serializer's.
    pub fn serialize<S: Serializer>(value: &Option<f64>, serializer: S) -> Result<S::Ok, S::Error> {
        value.map(Real).serialize(serializer)
    }

    /// Reads what [`serialize`] wrote.
    ///
    /// # Errors
    /// Where there is something else.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
        Ok(Option::<Real>::deserialize(deserializer)?.map(|real| real.0))
    }
}

/// `Vec<f64>`.
pub mod list {
    use super::{Deserialize, Deserializer, Real, Serializer};

    /// Writes `values`.
    ///
    /// # Errors
    /// The serializer's.
    pub fn serialize<S: Serializer>(values: &[f64], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(values.iter().copied().map(Real))
    }

    /// Reads what [`serialize`] wrote.
    ///
    /// # Errors
    /// Where there is something else.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<f64>, D::Error> {
        Ok(Vec::<Real>::deserialize(deserializer)?.into_iter().map(|real| real.0).collect())
    }
}

#[cfg(test)]
mod tests {
    #[derive(serde::Serialize, serde::Deserialize)]
    struct Numbers {
        #[serde(with = "super")]
        one: f64,
        #[serde(with = "super::option")]
        maybe: Option<f64>,
        #[serde(with = "super::list")]
        all: Vec<f64>,
    }

    #[test]
    fn every_float_reads_back_as_what_it_was_from_valid_json() {
        let all = [0.0, -0.0, 0.1, f64::MIN_POSITIVE, 5e-324, f64::MAX, f64::INFINITY, f64::NEG_INFINITY, f64::NAN];
        for one in all {
            let text = serde_json::to_string(&Numbers { one, maybe: Some(one), all: all.to_vec() }).unwrap();
            let read: Numbers = serde_json::from_str(&text).unwrap();
            let same = |a: f64, b: f64| a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan());
            assert!(same(read.one, one) && same(read.maybe.unwrap(), one), "{text}");
            assert!(read.all.iter().zip(all).all(|(a, b)| same(*a, b)) && read.all.len() == all.len(), "{text}");
        }
        let none = serde_json::to_string(&Numbers { one: 1.0, maybe: None, all: Vec::new() }).unwrap();
        assert_eq!(none, r#"{"one":1.0,"maybe":null,"all":[]}"#);
        assert!(serde_json::from_str::<Numbers>(&none).unwrap().maybe.is_none());
    }

    #[test]
    fn null_of_older_files_is_no_number_and_other_words_are_refused() {
        let read = |one: &str| serde_json::from_str::<Numbers>(&format!(r#"{{"one":{one},"maybe":null,"all":[]}}"#));
        assert!(read("null").unwrap().one.is_nan());
        assert_eq!(read("7").unwrap().one, 7.0);
        assert!(read("\"7\"").is_err() && read("\"nan\"").is_err() && read("[1.0]").is_err());
    }
}
