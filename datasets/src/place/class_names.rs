//! The numbers that shards give their classes, brought to one numbering by the names in their footers.

use crate::format::shard::Shard;
use crate::manifest::{EncodedImages, Manifest};
use std::collections::HashSet;
use std::path::PathBuf;

/// The order in which shards number the classes, where they name them.
pub(crate) struct ClassNames<'a> {
    images: &'a EncodedImages,
    known: &'a [String],
    /// The first shard with names that are not ours, and these.
    first: Option<(PathBuf, Vec<String>)>,
}

impl<'a> ClassNames<'a> {
    /// Those of a data set, of whose shards none was seen.
    pub(crate) fn new(manifest: &'a Manifest, images: &'a EncodedImages) -> Self {
        Self { images, known: &manifest.class_names, first: None }
    }

    /// Our number of each of a shard's classes; none where they are to be taken as they are. Shards that name their
    /// classes in different orders have one numbering all the same; names that cannot be brought together are a
    /// problem, as a verb phrase.
    pub(crate) fn numbers(&mut self, shard: &Shard) -> Result<Option<Vec<u16>>, String> {
        let Some(declared) = &shard.class_names else { return Ok(None) };
        let own = own_numbers(declared, &self.images.class_ids).or_else(|| own_numbers(declared, self.known));
        match (&self.first, own) {
            (None, Some(own)) => Ok(Some(own)),
            (None, None) => {
                self.first = Some((shard.path().to_owned(), declared.clone()));
                Ok(None)
            }
            (Some((_, first)), None) if first == declared => Ok(None),
            (Some((path, first)), own) => own_numbers(declared, first)
                .filter(|_| own.is_none())
                .map(Some)
                .ok_or_else(|| format!("names other classes than {}", path.display())),
        }
    }
}

/// The place in `known` of each of the `declared` names, if they are the same names in whatever order.
fn own_numbers(declared: &[String], known: &[String]) -> Option<Vec<u16>> {
    let distinct = |names: &[String]| names.iter().collect::<HashSet<_>>().len() == known.len();
    let place = |name: &String| known.iter().position(|known| known == name).map(|class| class as u16);
    (declared.len() == known.len() && distinct(known) && distinct(declared))
        .then(|| declared.iter().map(place).collect())
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::{HubSource, Split};
    use crate::place::cache::ShardList;
    use crate::place::encoded::Store;
    use crate::testing::{encoded_images, parquet, small_encoded};
    use polars_arrow::array::PrimitiveArray;
    use std::fs;

    fn strings(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    #[test]
    fn classes_are_known_by_their_names_whatever_their_order() {
        let own = |declared: &[&str]| own_numbers(&strings(declared), &strings(&["n1", "n2", "n3"]));
        assert_eq!(own(&["n3", "n1", "n2"]), Some(vec![2, 0, 1]));
        // Plain names, names of another data set and repeated names say nothing.
        assert_eq!((own(&["tench", "n1", "n2"]), own(&["n1", "n2"]), own(&["n1", "n1", "n2"])), (None, None, None));
        assert_eq!(own_numbers(&strings(&["crane", "crane"]), &strings(&["crane", "crane"])), None);
    }

    /// The small data set in two shards that name their classes in these orders.
    fn in_named_shards(train: &[&str], test: &[&str]) -> Result<[Vec<u16>; 2], String> {
        let folder = tempfile::tempdir().unwrap();
        let mut manifest = small_encoded("class-folders").manifest;
        manifest.hub = vec![HubSource {
            repo: "a/b".to_owned(),
            revision: "main".to_owned(),
            gated: false,
            train: "t".to_owned(),
            test: "v".to_owned(),
            image: "img".to_owned(),
            label: "label".to_owned(),
            coarse_label: None,
        }];
        let write = |split, names: &[&str]| {
            let path = folder.path().join(format!("{split:?}"));
            let (images, classes): (Vec<_>, Vec<_>) = encoded_images(split).into_iter().unzip();
            let label = [("label", PrimitiveArray::from_vec(classes).boxed())];
            fs::write(&path, parquet::shard("img", &label, &images, 2, names)).unwrap();
            vec![path]
        };
        let list = ShardList {
            repo: "a/b".to_owned(),
            revision: "main".to_owned(),
            commit: "c".to_owned(),
            train: write(Split::Train, train),
            test: write(Split::Test, test),
        };
        let store = Store::in_shards(&manifest, &list).map_err(|error| error.to_string())?;
        Ok([store.train.labels, store.test.labels])
    }

    #[test]
    fn a_split_that_numbers_its_classes_in_another_order_has_the_same_classes() {
        let plain = in_named_shards(&[], &[]).unwrap();
        assert_eq!(plain, [vec![0, 2, 1, 0, 2, 1], vec![0, 2, 1, 0]]);
        let test = |order: [u16; 3]| plain[1].iter().map(|&class| order[usize::from(class)]).collect::<Vec<_>>();
        // By ids, by the manifest's names, and by names that only the shards have.
        for names in [["n1", "n2", "n3"], ["a", "b", "c"], ["x", "y", "z"]] {
            let permuted = [names[2], names[0], names[1]];
            assert_eq!(in_named_shards(&names, &names).unwrap(), plain, "{names:?}");
            let found = in_named_shards(&names, &permuted).unwrap();
            assert_eq!(found, [plain[0].clone(), test([2, 0, 1])], "{names:?}");
        }
        for (train, test) in [(["x", "y", "z"], ["x", "y", "w"]), (["x", "y", "z"], ["n1", "n2", "n3"])] {
            let problem = in_named_shards(&train, &test).unwrap_err();
            assert!(problem.contains("/Test names other classes than ") && problem.contains("/Train"), "{problem}");
        }
    }
}
