//! Parquet shards with a column `struct {bytes, path}` of encoded images and a column of classes, read by polars, a row group at a time.

use std::{
    fs::File,
    ops::Range,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
};

use polars::prelude::{BinaryChunked, DataFrame, DataType, ParallelStrategy, ParquetReader, SerReader};

/// The columns of a data set's shards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Columns {
    /// Of images.
    pub(crate) image: String,
    /// Of classes.
    pub(crate) label: String,
    /// Of CIFAR-100's coarse classes.
    pub(crate) coarse: Option<String>,
}

/// A shard whose footer has been read.
#[derive(Clone, Debug)]
pub(crate) struct Shard {
    path: PathBuf,
    columns: Columns,
    /// Rows of each row group, counted from the shard's start.
    pub(crate) groups: Vec<Range<usize>>,
    /// The classes' names in the order of their numbers, where the shard's maker wrote them into its footer.
    pub(crate) class_names: Option<Vec<String>>,
}

/// Some rows of a shard.
pub(crate) struct Rows {
    images: BinaryChunked,
    /// One class for each row.
    pub(crate) labels: Vec<i64>,
    /// One coarse class for each row, where the shard has them.
    pub(crate) coarse: Option<Vec<i64>>,
}

impl Rows {
    /// The encoded image of row `index`.
    pub(crate) fn image(&self, index: usize) -> Result<&[u8], String> {
        self.images.get(index).ok_or_else(|| format!("has no image in row {index}"))
    }
}

impl Shard {
    /// Reads the footer. Problems here and below are verb phrases after the shard's name.
    pub(crate) fn open(path: &Path, columns: &Columns) -> Result<Self, String> {
        let file = File::open(path).map_err(|error| format!("cannot be read ({error})"))?;
        let (lengths, class_names) = guarded(|| {
            let mut reader = ParquetReader::new(file);
            let metadata = reader.get_metadata()?;
            let lengths: Vec<usize> = metadata.row_groups.iter().map(|group| group.num_rows()).collect();
            let pairs = metadata.key_value_metadata().iter().flatten();
            let features = pairs.filter(|pair| pair.key == "huggingface").find_map(|pair| pair.value.as_ref());
            Ok((lengths, features.and_then(|features| declared_classes(features, &columns.label))))
        })?;
        let mut groups = Vec::with_capacity(lengths.len());
        let mut start = 0usize;
        for length in lengths {
            let end = start.checked_add(length).ok_or("declares more rows than there can be")?;
            groups.push(start..end);
            start = end;
        }
        Ok(Self { path: path.to_owned(), columns: columns.clone(), groups, class_names })
    }

    /// Where it lies.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Rows in all.
    pub(crate) fn len(&self) -> usize {
        self.groups.last().map_or(0, |group| group.end)
    }

    /// The classes of all rows; reads no image.
    pub(crate) fn labels(&self) -> Result<Vec<i64>, String> {
        let file = File::open(&self.path).map_err(|error| format!("cannot be read ({error})"))?;
        let name = &self.columns.label;
        let labels = guarded(|| {
            let reader = ParquetReader::new(file).with_columns(Some(vec![name.clone()]));
            classes(&reader.read_parallel(ParallelStrategy::None).finish()?, name)
        })?;
        match labels.len() == self.len() {
            true => Ok(labels),
            false => Err(format!("declares {} rows and has {}", self.len(), labels.len())),
        }
    }

    /// The given rows; reads the row groups that hold them and no others.
    pub(crate) fn read(&self, rows: Range<usize>) -> Result<Rows, String> {
        let Columns { image, label, coarse } = &self.columns;
        let names = [Some(image), Some(label), coarse.as_ref()].into_iter().flatten().cloned().collect();
        let file = File::open(&self.path).map_err(|error| format!("cannot be read ({error})"))?;
        let frame = guarded(|| {
            let reader = ParquetReader::new(file).with_columns(Some(names)).read_parallel(ParallelStrategy::None);
            reader.with_slice(Some((rows.start, rows.len()))).finish()
        })?;
        if frame.height() != rows.len() {
            return Err(format!("ends after {} of {} rows", rows.start + frame.height(), rows.end));
        }
        guarded(|| {
            Ok(Rows {
                images: bytes(&frame, image)?,
                labels: classes(&frame, label)?,
                coarse: coarse.as_ref().map(|name| classes(&frame, name)).transpose()?,
            })
        })
    }
}

/// The names of the class label `column` in what the hub's library writes into a shard's footer.
fn declared_classes(features: &str, column: &str) -> Option<Vec<String>> {
    let features: serde_json::Value = serde_json::from_str(features).ok()?;
    let names = features.pointer("/info/features")?.get(column)?.get("names")?.as_array()?;
    names.iter().map(|name| name.as_str().map(str::to_owned)).collect()
}

/// The images of the column `name`: a field `bytes` in a struct, or plain binary.
fn bytes(frame: &DataFrame, name: &str) -> polars::prelude::PolarsResult<BinaryChunked> {
    let column = frame.column(name)?;
    let series = match column.dtype() {
        DataType::Struct(_) => column.struct_()?.field_by_name("bytes")?,
        _ => column.as_materialized_series().clone(),
    };
    Ok(series.binary()?.clone())
}

fn classes(frame: &DataFrame, name: &str) -> polars::prelude::PolarsResult<Vec<i64>> {
    // A class that is missing is none: -1 is refused where classes are checked.
    let column = frame.column(name)?.cast(&DataType::Int64)?;
    Ok(column.i64()?.iter().map(|class| class.unwrap_or(-1)).collect())
}

/// polars panics on some damaged files where others make it return an error; to a user both are damage.
fn guarded<T>(read: impl FnOnce() -> polars::prelude::PolarsResult<T>) -> Result<T, String> {
    match catch_unwind(AssertUnwindSafe(read)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(format!("is no sound Parquet file of images ({error})")),
        Err(_) => Err("is no sound Parquet file of images (its reader gave up)".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn class_names_come_from_the_footer() {
        let features = r#"{"info": {"features": {"image": {"_type": "Image"}, "label": {"names": ["n2", "n1"], "_type": "ClassLabel"}}}}"#;
        assert_eq!(declared_classes(features, "label").unwrap(), ["n2", "n1"]);
        assert_eq!(declared_classes(features, "image"), None);
        assert_eq!(declared_classes("{", "label"), None);
    }
}
