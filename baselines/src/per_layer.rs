//! A setting that may differ from layer to layer: a value, or a list of them.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// The longest list.
const MOST: usize = 8;

/// One value for all layers, or a list whose first value is the first layer's and whose last is all further ones'.
#[derive(Clone, Copy, Debug)]
pub struct PerLayer<T> {
    values: [T; MOST],
    len: usize,
}

impl<T: Copy> PerLayer<T> {
    /// The same for all layers.
    pub fn all(value: T) -> Self {
        Self { values: [value; MOST], len: 1 }
    }

    /// A list, of which the last value holds for all further layers.
    ///
    /// # Errors
    /// If there is no value, or more than there is room for.
    pub fn list(given: &[T]) -> Result<Self, String> {
        let Some(&last) = given.last() else { return Err("an empty list; give one value or more".into()) };
        if given.len() > MOST {
            return Err(format!(
                "a list of {} values; give at most {MOST}, the last holds for all further layers",
                given.len()
            ));
        }
        let mut values = [last; MOST];
        values[..given.len()].copy_from_slice(given);
        Ok(Self { values, len: given.len() })
    }

    /// The value of layer `index`, counted from 0.
    pub fn at(&self, index: usize) -> T {
        self.values[index.min(self.len - 1)]
    }

    /// The values as they were given.
    pub fn given(&self) -> &[T] {
        &self.values[..self.len]
    }
}

impl<T: Copy + PartialEq> PartialEq for PerLayer<T> {
    fn eq(&self, other: &Self) -> bool {
        self.given() == other.given()
    }
}

impl<T: Copy + Serialize> Serialize for PerLayer<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.given() {
            [one] => one.serialize(serializer),
            list => list.serialize(serializer),
        }
    }
}

impl<'de, T: Copy + Deserialize<'de>> Deserialize<'de> for PerLayer<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "expected one value, or a list of one a layer")]
        enum Given<T> {
            One(T),
            List(Vec<T>),
        }
        match Given::deserialize(deserializer)? {
            Given::One(value) => Ok(Self::all(value)),
            Given::List(values) => Self::list(&values).map_err(de::Error::custom),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_of_a_list_holds_for_all_further_layers() {
        let read = |text: &str| serde_json::from_str::<PerLayer<f64>>(text);
        let (one, list) = (read("2").unwrap(), read("[0.5, 3]").unwrap());
        assert_eq!((0..3).map(|layer| one.at(layer)).collect::<Vec<_>>(), [2.0, 2.0, 2.0]);
        assert_eq!((0..3).map(|layer| list.at(layer)).collect::<Vec<_>>(), [0.5, 3.0, 3.0]);
        assert_eq!(serde_json::to_string(&one).unwrap(), "2.0");
        assert_eq!(serde_json::to_string(&list).unwrap(), "[0.5,3.0]");
        assert_eq!(one, PerLayer::all(2.0));
        assert!(read("[]").unwrap_err().to_string().contains("empty"));
        assert!(read("\"x\"").unwrap_err().to_string().contains("list"));
        assert!(PerLayer::list(&[1; MOST + 1]).is_err());
    }
}
