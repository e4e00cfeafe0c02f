//! One table as a Parquet file, by polars' writer.

use crate::atomic::write_atomically;
use crate::error::{Error, Result};
use polars::prelude::{Column, CompatLevel, DataFrame, PolarsError, PolarsResult, Series};
use polars_arrow::datatypes::{ArrowSchema, Field};
use polars_arrow::record_batch::RecordBatchT;
use polars_parquet::read::{BasicDecompressor, PageReader, column_iter_to_arrays, infer_schema, read_metadata};
use polars_parquet::write::{
    CompressionOptions, Encoding, FileWriter, StatisticsOptions, Version, WriteOptions, row_group_iter,
};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

fn options() -> WriteOptions {
    WriteOptions {
        statistics: StatisticsOptions::empty(),
        version: Version::V1,
        compression: CompressionOptions::Snappy,
        data_page_size: None,
    }
}

/// Writes `columns`, which are of one length, to `path`.
pub(crate) fn write(path: &Path, columns: Vec<Column>) -> Result<PathBuf> {
    // In memory first: polars calls a disk that is full a file out of specification.
    let mut bytes = Vec::new();
    rows(&mut bytes, columns).map_err(|e| Error::Failed(format!("cannot make {}: {e}", path.display())))?;
    write_atomically(path, &bytes)?;
    Ok(path.to_path_buf())
}

/// All rows in one row group; none of a table without rows.
fn rows(file: &mut impl Write, columns: Vec<Column>) -> PolarsResult<()> {
    let frame = DataFrame::new_infer_height(columns)?;
    let whole = |column: &Column| column.as_materialized_series().rechunk();
    let arrays: Vec<_> =
        frame.columns().iter().map(|column| whole(column).to_arrow(0, CompatLevel::newest())).collect();
    let named = frame.columns().iter().zip(&arrays);
    let schema: ArrowSchema =
        named.map(|(column, array)| Field::new(column.name().clone(), array.dtype().clone(), true)).collect();
    let mut writer = FileWriter::try_new(file, schema.clone(), options())?;
    if frame.height() > 0 {
        let encodings = vec![vec![Encoding::Plain]; arrays.len()];
        let fields = writer.parquet_schema().fields().to_vec();
        let batch = RecordBatchT::new(frame.height(), Arc::new(schema), arrays);
        writer.write(frame.height() as u64, row_group_iter(batch, encodings.into(), fields, options()))?;
    }
    writer.end(None).map(|_| ())
}

/// The table at `path`.
pub(crate) fn read(path: &Path) -> Result<DataFrame> {
    let bytes = std::fs::read(path).map_err(|e| Error::file("read", path, e))?;
    let wrong = |why: String| {
        Error::Failed(format!(
            "{} is no Parquet file that can be read ({why}); make it again, or name one that `harness` wrote",
            path.display()
        ))
    };
    // The reader panics at some of what is damaged.
    let outcome = std::panic::catch_unwind(|| frame(bytes));
    outcome.map_err(|_| wrong("it is damaged".into()))?.map_err(|e| wrong(e.to_string()))
}

fn frame(bytes: Vec<u8>) -> PolarsResult<DataFrame> {
    let footer = read_metadata(&mut std::io::Cursor::new(&bytes))?;
    let schema = infer_schema(&footer)?;
    let mut columns = Vec::new();
    for (index, field) in schema.iter_values().enumerate() {
        let mut arrays = Vec::new();
        for group in &footer.row_groups {
            let column = &group.parquet_columns()[index];
            let range = column.byte_range();
            let chunk = bytes.get(range.start as usize..range.end as usize);
            let chunk = chunk.ok_or_else(|| polars_err("a column lies beyond the file's end"))?.to_vec();
            let pages = PageReader::new(std::io::Cursor::new(chunk.into()), column, Vec::new(), usize::MAX);
            let types = vec![&column.descriptor().descriptor.primitive_type];
            let pages = vec![BasicDecompressor::new(pages, Vec::new())];
            arrays.extend(column_iter_to_arrays(pages, types, field.clone(), None)?.0);
        }
        if arrays.is_empty() {
            arrays.push(polars_arrow::array::new_empty_array(field.dtype.clone()));
        }
        columns.push(Series::try_from((field, arrays))?.into());
    }
    DataFrame::new_infer_height(columns)
}

fn polars_err(why: &'static str) -> PolarsError {
    PolarsError::ComputeError(why.into())
}
