//! Apache Parquet: a row group for each few thousand records, each column compressed with zstd.

use std::{
    io::{self, Write},
    sync::{Arc, Mutex, PoisonError},
};

use ::parquet::{
    basic::{Compression, LogicalType, Repetition, TimeUnit, Type as Physical, ZstdLevel},
    data_type::{BoolType, ByteArray, ByteArrayType, Int32Type, Int64Type},
    errors::ParquetError,
    file::{
        properties::WriterProperties,
        writer::{SerializedColumnWriter, SerializedFileWriter},
    },
    schema::types::{Type, TypePtr},
};
use proto::v1::Fault;

use super::{
    ExportError,
    columns::{COLUMNS, Cell, Kind},
};

/// Rows of a row group at most.
const ROWS: usize = 10_000;
/// Bytes of text that are gathered for a row group before it is written.
const BYTES: usize = 16 * 1024 * 1024;

/// Where the writer puts what it has written, until it is taken.
#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl Written {
    fn take(&self) -> Vec<u8> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut written = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        written.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A file that is being written.
pub(super) struct Encoder {
    writer: SerializedFileWriter<Written>,
    written: Written,
    /// A row group's columns, which are written at once.
    columns: [Vec<Cell>; COLUMNS.len()],
    bytes: usize,
}

impl Encoder {
    pub(super) fn new() -> Result<Self, ExportError> {
        let compression = Compression::ZSTD(ZstdLevel::default());
        let properties = WriterProperties::builder()
            .set_compression(compression)
            .set_created_by(concat!("telemetrics ", env!("CARGO_PKG_VERSION")).to_owned())
            .build();
        let written = Written::default();
        Ok(Self {
            writer: SerializedFileWriter::new(written.clone(), schema()?, Arc::new(properties))?,
            written,
            columns: [const { Vec::new() }; COLUMNS.len()],
            bytes: 0,
        })
    }

    pub(super) fn add(&mut self, faults: &[Fault]) -> Result<(), ExportError> {
        for fault in faults {
            for (cells, column) in self.columns.iter_mut().zip(&COLUMNS) {
                let cell = column.cell(fault);
                if let Cell::Text(text) = &cell {
                    self.bytes += text.len();
                }
                cells.push(cell);
            }
            if self.columns[0].len() >= ROWS || self.bytes >= BYTES {
                self.write_group()?;
            }
        }
        Ok(())
    }

    fn write_group(&mut self) -> Result<(), ExportError> {
        let mut group = self.writer.next_row_group()?;
        for (cells, column) in self.columns.iter_mut().zip(&COLUMNS) {
            if let Some(writer) = group.next_column()? {
                write(writer, column.kind, &std::mem::take(cells))?;
            }
        }
        group.close()?;
        self.bytes = 0;
        Ok(())
    }

    pub(super) fn take(&mut self) -> Vec<u8> {
        self.written.take()
    }

    pub(super) fn finish(mut self) -> Result<Vec<u8>, ExportError> {
        if !self.columns[0].is_empty() {
            self.write_group()?;
        }
        self.writer.close()?;
        Ok(self.written.take())
    }
}

fn schema() -> Result<TypePtr, ParquetError> {
    let columns: Result<Vec<TypePtr>, ParquetError> = COLUMNS
        .iter()
        .map(|column| {
            let (physical, logical, repetition) = match column.kind {
                Kind::Text => (
                    Physical::BYTE_ARRAY,
                    Some(LogicalType::String),
                    Repetition::REQUIRED,
                ),
                Kind::Moment => {
                    let moment = LogicalType::timestamp(true, TimeUnit::NANOS);
                    (Physical::INT64, Some(moment), Repetition::OPTIONAL)
                }
                Kind::Severity => (Physical::INT32, None, Repetition::REQUIRED),
                Kind::Flag => (Physical::BOOLEAN, None, Repetition::REQUIRED),
            };
            Type::primitive_type_builder(column.name, physical)
                .with_logical_type(logical)
                .with_repetition(repetition)
                .build()
                .map(Arc::new)
        })
        .collect();
    let table = Type::group_type_builder("fault").with_fields(columns?).build()?;
    Ok(Arc::new(table))
}

fn write(mut writer: SerializedColumnWriter<'_>, kind: Kind, cells: &[Cell]) -> Result<(), ParquetError> {
    match kind {
        Kind::Text => {
            let of = |cell: &Cell| match cell {
                Cell::Text(text) => Some(ByteArray::from(text.as_str())),
                _ => None,
            };
            let values: Vec<ByteArray> = cells.iter().filter_map(of).collect();
            writer.typed::<ByteArrayType>().write_batch(&values, None, None)?;
        }
        Kind::Moment => {
            let of = |cell: &Cell| match cell {
                Cell::Moment(moment) => *moment,
                _ => None,
            };
            let values: Vec<i64> = cells.iter().filter_map(of).collect();
            let known: Vec<i16> = cells.iter().map(|cell| of(cell).is_some().into()).collect();
            writer
                .typed::<Int64Type>()
                .write_batch(&values, Some(&known), None)?;
        }
        Kind::Severity => {
            let of = |cell: &Cell| match cell {
                Cell::Severity(severity) => Some(*severity),
                _ => None,
            };
            let values: Vec<i32> = cells.iter().filter_map(of).collect();
            writer.typed::<Int32Type>().write_batch(&values, None, None)?;
        }
        Kind::Flag => {
            let of = |cell: &Cell| match cell {
                Cell::Flag(flag) => Some(*flag),
                _ => None,
            };
            let values: Vec<bool> = cells.iter().filter_map(of).collect();
            writer.typed::<BoolType>().write_batch(&values, None, None)?;
        }
    }
    writer.close()
}
