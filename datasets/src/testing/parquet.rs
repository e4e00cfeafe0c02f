//! Parquet shards as the hub has them, for the tests and the benchmarks of several crates: a column `struct {bytes,
//! path}` of encoded images and columns of classes, by Snappy.

use polars_arrow::array::{Array, BinaryViewArray, StructArray, Utf8ViewArray};
use polars_arrow::datatypes::{ArrowDataType, ArrowSchema, Field};
use polars_arrow::record_batch::RecordBatchT;
use polars_parquet::write::{
    CompressionOptions, Encoding, FileWriter, KeyValue, StatisticsOptions, Version, WriteOptions, row_group_iter,
    schema_to_metadata_key,
};
use std::sync::Arc;

/// A shard of `images` in row groups of `group` rows. `classes` are columns of one whole number each image. `names`, if
/// any, are the classes' names that the hub's library writes into the footer, by the first of these columns.
pub fn shard<B: AsRef<[u8]>>(
    image: &str,
    classes: &[(&str, Box<dyn Array>)],
    images: &[B],
    group: usize,
    names: &[&str],
) -> Vec<u8> {
    let bytes = BinaryViewArray::from_slice_values(images.iter().map(AsRef::as_ref).collect::<Vec<_>>());
    let path = Utf8ViewArray::new_null(ArrowDataType::Utf8View, images.len());
    let field = |name: &str, dtype: &ArrowDataType| Field::new(name.into(), dtype.clone(), true);
    let parts = vec![field("bytes", bytes.dtype()), field("path", path.dtype())];
    let structs = StructArray::new(ArrowDataType::Struct(parts), images.len(), vec![bytes.boxed(), path.boxed()], None);
    let mut columns = vec![(image, structs.boxed())];
    columns.extend(classes.iter().map(|(name, classes)| (*name, classes.clone())));

    let schema: ArrowSchema = columns.iter().map(|(name, array)| field(name, array.dtype())).collect();
    let options = WriteOptions {
        statistics: StatisticsOptions::empty(),
        version: Version::V1,
        compression: CompressionOptions::Snappy,
        data_page_size: None,
    };
    let mut writer = FileWriter::try_new(Vec::new(), schema.clone(), options).unwrap();
    let leaves = |index: usize| vec![Encoding::Plain; if index == 0 { 2 } else { 1 }];
    let encodings: Vec<Vec<Encoding>> = (0..columns.len()).map(leaves).collect();
    for start in (0..images.len()).step_by(group.max(1)) {
        let rows = group.min(images.len() - start);
        let arrays = columns.iter().map(|(_, array)| array.sliced(start, rows)).collect();
        let batch = RecordBatchT::new(rows, Arc::new(schema.clone()), arrays);
        let fields = writer.parquet_schema().fields().to_vec();
        writer.write(rows as u64, row_group_iter(batch, encodings.clone().into(), fields, options)).unwrap();
    }
    let mut pairs = vec![schema_to_metadata_key(&schema)];
    if !names.is_empty() {
        let label = serde_json::json!({ "names": names, "_type": "ClassLabel" });
        let features = serde_json::json!({ "info": { "features": { classes[0].0: label } } });
        pairs.push(KeyValue { key: "huggingface".to_owned(), value: Some(features.to_string()) });
    }
    writer.end(Some(pairs)).unwrap();
    writer.into_inner()
}
