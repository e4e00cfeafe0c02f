//! Parquet shards with a column `struct {bytes, path}` of encoded images and a column of classes, read by polars'
//! Parquet reader, a row group at a time.
//!
//! The footer is read once, when a shard is opened: reading it again for every row group would cost the square of their
//! number. Of a row group that is read in parts only the pages are read that hold them.

use crate::format::guarded;
use polars_arrow::array::{Array, BinaryViewArray, PrimitiveArray, StructArray};
use polars_arrow::datatypes::{ArrowDataType, ArrowSchema, Field};
use polars_buffer::Buffer;
use polars_parquet::parquet::page::CompressedPage;
use polars_parquet::parquet::read::{PageMetaData, PageReader};
use polars_parquet::read::{
    BasicDecompressor, ColumnChunkMetadata, FileMetadata, Filter, PhysicalType, column_iter_to_arrays, infer_schema,
    read_metadata,
};
use polars_utils::mmap::MMapSemaphore;
use std::fs::File;
use std::io::Cursor;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

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
    footer: Arc<FileMetadata>,
    image: Leaf,
    label: Leaf,
    coarse: Option<Leaf>,
    /// Rows of each row group, counted from the shard's start.
    pub(crate) groups: Vec<Range<usize>>,
    /// The classes' names in the order of their numbers, where the shard's maker wrote them into its footer.
    pub(crate) class_names: Option<Vec<String>>,
}

/// A column of the file.
#[derive(Clone, Debug)]
struct Leaf {
    /// Its place in every row group.
    index: usize,
    /// How it is read: alone, or as the only part of its struct.
    field: Field,
    /// The pages of each row group, once one of them was read in parts.
    pages: Arc<Vec<OnceLock<Pages>>>,
}

/// Where the pages of a column are in its bytes.
#[derive(Clone, Debug, Default)]
struct Pages {
    /// The bytes of the dictionary, if there is one.
    dictionary: Range<usize>,
    /// The bytes and rows of each page.
    data: Vec<(Range<usize>, Range<usize>)>,
}

/// Some rows of a shard.
pub(crate) struct Rows {
    images: Vec<Images>,
    /// One class for each row.
    pub(crate) labels: Vec<i64>,
    /// One coarse class for each row, where the shard has them.
    pub(crate) coarse: Option<Vec<i64>>,
}

/// A run of encoded images.
struct Images {
    bytes: BinaryViewArray,
    /// The struct that they are part of, if they are.
    whole: Option<Box<dyn Array>>,
}

impl Rows {
    /// The encoded image of row `index`.
    pub(crate) fn image(&self, index: usize) -> Result<&[u8], String> {
        let mut left = index;
        for Images { bytes, whole } in &self.images {
            if left < bytes.len() {
                let there = whole.as_ref().is_none_or(|whole| !whole.is_null(left)).then(|| bytes.get(left)).flatten();
                return there.ok_or_else(|| format!("has no image in row {index}"));
            }
            left -= bytes.len();
        }
        Err(format!("has no image in row {index}"))
    }
}

impl Shard {
    /// Reads the footer. Problems here and below are verb phrases after the shard's name.
    pub(crate) fn open(path: &Path, columns: &Columns) -> Result<Self, String> {
        let mut file = File::open(path).map_err(unreadable)?;
        let (footer, schema) = sound(|| {
            let footer = read_metadata(&mut file).map_err(text)?;
            let schema = infer_schema(&footer).map_err(text)?;
            Ok((footer, schema))
        })?;
        let mut groups = Vec::with_capacity(footer.row_groups.len());
        let mut start = 0usize;
        for group in &footer.row_groups {
            let end = start.checked_add(group.num_rows()).ok_or("declares more rows than there can be")?;
            groups.push(start..end);
            start = end;
        }
        let pairs = footer.key_value_metadata().iter().flatten();
        let features = pairs.filter(|pair| pair.key == "huggingface").find_map(|pair| pair.value.as_ref());
        let class_names = features.and_then(|features| declared_classes(features, &columns.label));
        let classes = |name: &String| Leaf::of_classes(&footer, name);
        let (image, label) = (Leaf::of_images(&footer, &schema, &columns.image)?, classes(&columns.label)?);
        let coarse = columns.coarse.as_ref().map(classes).transpose()?;
        Ok(Self { path: path.to_owned(), footer: Arc::new(footer), image, label, coarse, groups, class_names })
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
        let file = self.map()?;
        sound(|| self.classes(&file, &self.label, 0..self.len()))
    }

    /// The given rows; reads the row groups that hold them and no others.
    pub(crate) fn read(&self, rows: Range<usize>) -> Result<Rows, String> {
        let file = self.map()?;
        sound(|| {
            let images = self.column(&file, &self.image, rows.clone())?.into_iter().map(Images::of);
            let images = images.collect::<Result<Vec<_>, String>>()?;
            let found: usize = images.iter().map(|images| images.bytes.len()).sum();
            if found != rows.len() {
                return Err(format!("it ends after {} of {} rows", rows.start + found, rows.end));
            }
            let labels = self.classes(&file, &self.label, rows.clone())?;
            let coarse = self.coarse.as_ref().map(|leaf| self.classes(&file, leaf, rows.clone())).transpose()?;
            Ok(Rows { images, labels, coarse })
        })
    }

    /// The file's bytes, of which only those that are looked at are read.
    fn map(&self) -> Result<Buffer<u8>, String> {
        let file = File::open(&self.path).map_err(unreadable)?;
        MMapSemaphore::new_from_file(&file).map(Buffer::from_owner).map_err(unreadable)
    }

    /// The arrays of a column, row group by row group.
    fn column(&self, file: &Buffer<u8>, leaf: &Leaf, rows: Range<usize>) -> Result<Vec<Box<dyn Array>>, String> {
        let first = self.groups.partition_point(|group| group.end <= rows.start);
        let mut arrays = Vec::new();
        for (number, group) in self.groups.iter().enumerate().skip(first).take_while(|(_, g)| g.start < rows.end) {
            let part = rows.start.max(group.start) - group.start..rows.end.min(group.end) - group.start;
            if part.is_empty() {
                continue;
            }
            let column = &self.footer.row_groups[number].parquet_columns()[leaf.index];
            if usize::try_from(column.num_values()) != Ok(group.len()) {
                return Err(format!("row group {number} declares {} rows and has others", group.len()));
            }
            let bytes = chunk(file, column)?;
            let (pages, filter) = match part == (0..group.len()) {
                true => (reader(bytes, column.into()), None),
                false => leaf.part(number, bytes, column, part)?,
            };
            let types = vec![&column.descriptor().descriptor.primitive_type];
            let pages = vec![BasicDecompressor::new(pages, Vec::new())];
            arrays.extend(column_iter_to_arrays(pages, types, leaf.field.clone(), filter).map_err(text)?.0);
        }
        Ok(arrays)
    }

    /// A class that is missing is none: -1 is refused where classes are checked.
    fn classes(&self, file: &Buffer<u8>, leaf: &Leaf, rows: Range<usize>) -> Result<Vec<i64>, String> {
        let mut classes = Vec::with_capacity(rows.len().min(self.len()));
        for array in self.column(file, leaf, rows.clone())? {
            let any = array.as_any();
            if let Some(array) = any.downcast_ref::<PrimitiveArray<i32>>() {
                classes.extend(array.iter().map(|class| class.map_or(-1, |&class| i64::from(class))));
            } else if let Some(array) = any.downcast_ref::<PrimitiveArray<i64>>() {
                classes.extend(array.iter().map(|class| class.map_or(-1, |&class| class)));
            }
        }
        match classes.len() == rows.len() {
            true => Ok(classes),
            false => Err(format!("it declares {} rows and has {}", rows.len(), classes.len())),
        }
    }
}

impl Leaf {
    /// The only column of `footer` with this path, which repeats nothing.
    fn new(footer: &FileMetadata, path: &[&str], field: impl Fn(PhysicalType) -> Option<Field>) -> Option<Self> {
        let columns = footer.schema().columns();
        let index = columns.iter().position(|column| column.path_in_schema.iter().eq(path.iter()))?;
        let descriptor = &columns[index].descriptor;
        let field = field(descriptor.primitive_type.physical_type).filter(|_| descriptor.max_rep_level == 0)?;
        let pages = Arc::new(footer.row_groups.iter().map(|_| OnceLock::new()).collect());
        Some(Self { index, field, pages })
    }

    /// The encoded images of the column `name`: a field `bytes` in a struct, or plain binary.
    fn of_images(footer: &FileMetadata, schema: &ArrowSchema, name: &str) -> Result<Self, String> {
        let binary = |name: &str, nullable| Field::new(name.into(), ArrowDataType::BinaryView, nullable);
        let whole = schema.get(name);
        let part = whole.and_then(|whole| match whole.dtype.to_storage() {
            ArrowDataType::Struct(parts) => parts.iter().find(|part| part.name == "bytes"),
            _ => None,
        });
        let bytes = |field: Field| move |found| (found == PhysicalType::ByteArray).then(|| field.clone());
        let leaf = whole.and_then(|whole| match part {
            None => Self::new(footer, &[name], bytes(binary(name, whole.is_nullable))),
            Some(part) => {
                let parts = ArrowDataType::Struct(vec![binary("bytes", part.is_nullable)]);
                Self::new(footer, &[name, "bytes"], bytes(Field::new(name.into(), parts, whole.is_nullable)))
            }
        });
        leaf.ok_or_else(|| unsound(&format!("it has no column `{name}` of encoded images")))
    }

    /// The classes of the column `name`: whole numbers of any kind.
    fn of_classes(footer: &FileMetadata, name: &str) -> Result<Self, String> {
        let field = |found| {
            let dtype = match found {
                PhysicalType::Int32 => ArrowDataType::Int32,
                PhysicalType::Int64 => ArrowDataType::Int64,
                _ => return None,
            };
            Some(Field::new(name.into(), dtype, true))
        };
        let leaf = Self::new(footer, &[name], field);
        leaf.ok_or_else(|| unsound(&format!("it has no column `{name}` of whole numbers")))
    }

    /// The pages of a row group that hold the rows `part`, and where in them these are.
    fn part(
        &self,
        group: usize,
        bytes: Buffer<u8>,
        column: &ColumnChunkMetadata,
        part: Range<usize>,
    ) -> Result<(PageReader, Option<Filter>), String> {
        let known = &self.pages[group];
        let pages = match known.get() {
            Some(pages) => pages,
            None => {
                let found = Pages::find(&bytes, column)?;
                known.get_or_init(|| found)
            }
        };
        let first = pages.data.partition_point(|(_, rows)| rows.end <= part.start);
        let held: Vec<_> = pages.data[first..].iter().take_while(|(_, rows)| rows.start < part.end).collect();
        let [(from, start), .., (to, end)] = [&held[..], &held[..]].concat()[..] else {
            return Err("a row group has fewer rows than it declares".to_owned());
        };
        let wanted = [&bytes[pages.dictionary.clone()], &bytes[from.start..to.end]].concat();
        let meta = PageMetaData { num_values: (end.end - start.start) as i64, ..column.into() };
        let filter = Filter::Range(part.start - start.start..part.end - start.start);
        Ok((reader(wanted.into(), meta), Some(filter)))
    }
}

impl Pages {
    /// Reads the pages' headers.
    fn find(bytes: &Buffer<u8>, column: &ColumnChunkMetadata) -> Result<Self, String> {
        let mut reader = reader(bytes.clone(), column.into());
        reader.read_dict().map_err(text)?;
        let mut at = reader.into_inner().0.position() as usize;
        let mut pages = Self { dictionary: 0..at, data: Vec::new() };
        let (mut row, rows) = (0, usize::try_from(column.num_values()).unwrap_or(0));
        while row < rows {
            let mut reader = self::reader(bytes.clone().sliced(at..bytes.len()), column.into());
            let Some(CompressedPage::Data(page)) = reader.next().transpose().map_err(text)? else {
                return Err("a row group has fewer pages than it declares".to_owned());
            };
            let (held, length) = (page.num_values(), reader.into_inner().0.position() as usize);
            if length == 0 {
                return Err("a page has no bytes".to_owned());
            }
            pages.data.push((at..at + length, row..row + held));
            (at, row) = (at + length, row + held);
        }
        Ok(pages)
    }
}

impl Images {
    fn of(array: Box<dyn Array>) -> Result<Self, String> {
        let binary = |array: &dyn Array| array.as_any().downcast_ref::<BinaryViewArray>().cloned();
        let part = array.as_any().downcast_ref::<StructArray>().map(|whole| whole.values()[0].clone());
        let (bytes, whole) = match part {
            Some(part) => (binary(part.as_ref()), Some(array)),
            None => (binary(array.as_ref()), None),
        };
        bytes.map(|bytes| Self { bytes, whole }).ok_or_else(|| "its images are no bytes".to_owned())
    }
}

/// The bytes of a column in a row group.
fn chunk(file: &Buffer<u8>, column: &ColumnChunkMetadata) -> Result<Buffer<u8>, String> {
    let Range { start, end } = column.byte_range();
    let range = usize::try_from(start).ok().zip(usize::try_from(end).ok()).map(|(start, end)| start..end);
    let inside = range.filter(|range| range.start <= range.end && range.end <= file.len());
    inside.map(|range| file.clone().sliced(range)).ok_or_else(|| "a row group lies outside of it".to_owned())
}

/// No page is larger than the bytes that it is in.
fn reader(bytes: Buffer<u8>, meta: PageMetaData) -> PageReader {
    let most = bytes.len();
    PageReader::new_with_page_meta(Cursor::new(bytes), meta, Vec::new(), most)
}

/// The names of the class label `column` in what the hub's library writes into a shard's footer.
fn declared_classes(features: &str, column: &str) -> Option<Vec<String>> {
    let features: serde_json::Value = serde_json::from_str(features).ok()?;
    let names = features.pointer("/info/features")?.get(column)?.get("names")?.as_array()?;
    names.iter().map(|name| name.as_str().map(str::to_owned)).collect()
}

fn unreadable(error: impl std::fmt::Display) -> String {
    format!("cannot be read ({error})")
}

fn unsound(problem: &str) -> String {
    format!("is no sound Parquet file of images ({problem})")
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

/// polars panics on some damaged files where others make it return an error; to a user both are damage.
fn sound<T>(read: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    guarded("its reader gave up", read).map_err(|problem| unsound(&problem))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::parquet;

    fn columns() -> Columns {
        Columns { image: "img".to_owned(), label: "label".to_owned(), coarse: None }
    }

    /// A shard of rows with these classes, whose images are their numbers in 200 bytes, so that some thousands take
    /// several pages.
    fn written(classes: Box<dyn Array>, group: usize) -> (tempfile::TempDir, Shard) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("shard");
        let images: Vec<Vec<u8>> = (0..classes.len()).map(|row| row.to_le_bytes().repeat(25)).collect();
        std::fs::write(&path, parquet::shard("img", &[("label", classes)], &images, group, &[])).unwrap();
        let shard = Shard::open(&path, &columns()).unwrap();
        (folder, shard)
    }

    #[test]
    fn every_part_of_every_grouping_has_its_rows() {
        const ROWS: usize = 20_000;
        for group in [ROWS, 7000, 1000, 64] {
            let classes: Vec<i64> = (0..ROWS as i64).map(|row| row % 10).collect();
            let (_folder, shard) = written(PrimitiveArray::from_vec(classes.clone()).boxed(), group);
            assert_eq!((shard.len(), shard.groups.len()), (ROWS, ROWS.div_ceil(group)));
            assert_eq!(shard.labels().unwrap(), classes);
            for rows in [0..ROWS, 0..1, 999..1001, 6999..7002, 5000..6000, 19_999..20_000] {
                let read = shard.read(rows.clone()).unwrap();
                assert_eq!(read.labels, classes[rows.clone()]);
                for (index, row) in rows.clone().enumerate() {
                    assert_eq!(read.image(index).unwrap()[..8], row.to_le_bytes(), "{rows:?} in groups of {group}");
                }
                assert!(read.image(rows.len()).is_err());
            }
        }
        let (_folder, shard) = written(PrimitiveArray::from_vec(vec![0i64; ROWS]).boxed(), ROWS);
        let _ = shard.read(5000..6000).unwrap();
        assert!(shard.image.pages[0].get().unwrap().data.len() > 2, "one page tells nothing");
    }

    #[test]
    fn classes_are_whole_numbers_of_any_kind() {
        let arrays: [Box<dyn Array>; 8] = [
            PrimitiveArray::from_vec(vec![2u8, 0, 1]).boxed(),
            PrimitiveArray::from_vec(vec![2i8, 0, 1]).boxed(),
            PrimitiveArray::from_vec(vec![2u16, 0, 1]).boxed(),
            PrimitiveArray::from_vec(vec![2i16, 0, 1]).boxed(),
            PrimitiveArray::from_vec(vec![2u32, 0, 1]).boxed(),
            PrimitiveArray::from_vec(vec![2i32, 0, 1]).boxed(),
            PrimitiveArray::from_vec(vec![2u64, 0, 1]).boxed(),
            PrimitiveArray::from_vec(vec![2i64, 0, 1]).boxed(),
        ];
        for classes in arrays {
            let kind = format!("{:?}", classes.dtype());
            let (_folder, shard) = written(classes, 2);
            assert_eq!(shard.labels().unwrap(), [2, 0, 1], "{kind}");
            assert_eq!(shard.read(1..3).unwrap().labels, [0, 1], "{kind}");
        }
        let missing = PrimitiveArray::from_vec(vec![1i64, 1]).with_validity(Some([true, false].into_iter().collect()));
        assert_eq!(written(missing.boxed(), 2).1.labels().unwrap(), [1, -1]);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("shard");
        let fractions = PrimitiveArray::from_vec(vec![1.0f32]).boxed();
        std::fs::write(&path, parquet::shard("img", &[("label", fractions)], &[b"x"], 1, &[])).unwrap();
        let problem = Shard::open(&path, &columns()).unwrap_err();
        assert!(problem.contains("it has no column `label` of whole numbers"), "{problem}");
        let other = Columns { image: "label".to_owned(), ..columns() };
        let problem = Shard::open(&path, &other).unwrap_err();
        assert!(problem.contains("it has no column `label` of encoded images"), "{problem}");
    }

    #[test]
    fn class_names_come_from_the_footer() {
        let features = r#"{"info": {"features": {
            "image": {"_type": "Image"}, "label": {"names": ["n2", "n1"], "_type": "ClassLabel"}}}}"#;
        assert_eq!(declared_classes(features, "label").unwrap(), ["n2", "n1"]);
        assert_eq!(declared_classes(features, "image"), None);
        assert_eq!(declared_classes("{", "label"), None);
    }
}
