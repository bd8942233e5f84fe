//! An export as a Parquet file.
//!
//! Enters: lines as they come, spooled in a part, since a Parquet file that was cut cannot be gone
//! on with. Leaves: the file, made of the whole part, one row group after the other, so that
//! memory stays flat. Decimals are exact, at the most digits that the contract lets them have.

use std::fs::File;
use std::io::{BufReader, BufWriter, Read as _};
use std::str::FromStr as _;
use std::sync::Arc;

use parquet::basic::Compression;
use parquet::data_type::{
    ByteArray, ByteArrayType, DataType, FixedLenByteArray, FixedLenByteArrayType, Int32Type,
    Int64Type,
};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use parquet::schema::parser::parse_message_type;
use parquet::schema::types::ColumnPath;
use prost::Message as _;
use rust_decimal::Decimal;

use crate::cli::csv::sales::explanation;
use crate::cli::output::word;
use crate::cli::{Failure, Outcome};
use crate::proto::puente::sales::v1::{ExportedSaleLine, SaleLine};

/// Rows of a row group: some tens of megabytes in memory.
const GROUP: usize = 50_000;
/// Digits after the point of a quantity and of a price in the file.
const QUANTITY_SCALE: u32 = 6;
const PRICE_SCALE: u32 = 10;
/// Bytes that hold 22 digits and a sign.
const PRICE_BYTES: usize = 10;

/// The columns. `day` is the day of sale: the date of `sold_at` as written there; `sold_at` itself
/// is in UTC, and what it was written with stands in `sold_at_offset`.
const SCHEMA: &str = "
message sale_lines {
  required binary line_id (STRING);
  required binary order_id (STRING);
  required binary kind (STRING);
  optional binary original_line_id (STRING);
  required binary sku (STRING);
  required int64 quantity (DECIMAL(18,6));
  required fixed_len_byte_array(10) unit_price (DECIMAL(22,10));
  required binary currency (STRING);
  required int64 sold_at (TIMESTAMP(MICROS,true));
  required binary sold_at_offset (STRING);
  required int32 day (DATE);
  optional binary destination (STRING);
  optional binary declaration (STRING);
  optional int32 declaration_item;
  optional fixed_len_byte_array(10) discount (DECIMAL(22,10));
  optional fixed_len_byte_array(10) tax (DECIMAL(22,10));
  optional fixed_len_byte_array(10) shipping (DECIMAL(22,10));
  optional fixed_len_byte_array(10) platform_fee (DECIMAL(22,10));
  optional fixed_len_byte_array(10) settlement_amount (DECIMAL(22,10));
  optional binary settlement_currency (STRING);
  required binary report (STRING);
  required binary marketplace (STRING);
  required binary verdict (STRING);
  optional binary reasons (STRING);
  optional binary explanation (STRING);
  required int64 entry_index;
  optional binary seller_cuit (STRING);
  optional binary ncm (STRING);
}";

/// Columns that hardly say anything twice: a dictionary of them is only in the way.
const WITHOUT_DICTIONARY: [&str; 2] = ["line_id", "order_id"];

/// Lines for a part, each after its length.
pub(super) fn spooled(lines: &[ExportedSaleLine]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for line in lines {
        let encoded = line.encode_to_vec();
        bytes.extend_from_slice(&(encoded.len() as u32).to_le_bytes());
        bytes.extend_from_slice(&encoded);
    }
    bytes
}

/// Makes `file` of a whole part.
///
/// # Errors
/// `UNREADABLE_PART`, `INTERNAL` for a line that is none; `FILE_UNUSABLE`.
pub(super) fn write(part: &mut File, file: &mut File) -> Outcome {
    let mut spool = BufReader::with_capacity(1 << 20, part);
    let schema = Arc::new(parse_message_type(SCHEMA).map_err(failed)?);
    let mut properties = WriterProperties::builder().set_compression(Compression::SNAPPY);
    for column in WITHOUT_DICTIONARY {
        properties = properties.set_column_dictionary_enabled(ColumnPath::from(column), false);
    }
    let properties = Arc::new(properties.build());
    let out = BufWriter::with_capacity(1 << 20, file);
    let mut writer = SerializedFileWriter::new(out, schema, properties).map_err(failed)?;
    loop {
        let mut columns: Vec<Column> = Vec::new();
        let mut rows = 0;
        while rows < GROUP
            && let Some(line) = next(&mut spool)?
        {
            let cells = cells(&line).map_err(|column| {
                let message = format!("{column} of a line is not as the contract has it");
                Failure::new("INTERNAL", message)
            })?;
            columns.resize_with(cells.len(), Column::default);
            for (column, cell) in columns.iter_mut().zip(cells) {
                column.push(cell);
            }
            rows += 1;
        }
        if rows == 0 {
            break;
        }
        let mut group = writer.next_row_group().map_err(failed)?;
        for column in &columns {
            let mut to = group.next_column().map_err(failed)?.ok_or_else(|| {
                Failure::new("INTERNAL", "the rows have more columns than the file")
            })?;
            column.write(&mut to).map_err(failed)?;
            to.close().map_err(failed)?;
        }
        group.close().map_err(failed)?;
    }
    let out = writer.into_inner().map_err(failed)?;
    out.into_inner().map_err(|reason| failed(reason.into_error()))?;
    Ok(())
}

/// The next line of a part.
fn next(spool: &mut BufReader<&mut File>) -> Outcome<Option<ExportedSaleLine>> {
    let torn = |reason: String| {
        Failure::new("UNREADABLE_PART", reason).hint("remove the part and run the command again")
    };
    let mut length = [0; 4];
    match spool.read_exact(&mut length) {
        Err(reason) if reason.kind() == std::io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(reason) => return Err(torn(reason.to_string())),
        Ok(()) => {}
    }
    let mut line = Vec::new();
    let length = u64::from(u32::from_le_bytes(length));
    let read = spool.take(length).read_to_end(&mut line).map_err(|e| torn(e.to_string()))?;
    if read as u64 != length {
        return Err(torn("its last line is not whole".into()));
    }
    ExportedSaleLine::decode(line.as_slice()).map(Some).map_err(|e| torn(e.to_string()))
}

/// One value of a row.
enum Cell {
    Absent,
    Text(String),
    Price([u8; PRICE_BYTES]),
    Long(i64),
    Int(i32),
}

/// The values of one column in a row group; one of the lists is in use.
#[derive(Default)]
struct Column {
    texts: Vec<ByteArray>,
    prices: Vec<FixedLenByteArray>,
    longs: Vec<i64>,
    ints: Vec<i32>,
    /// 1 where there is a value, 0 where there is none.
    levels: Vec<i16>,
}

impl Column {
    fn push(&mut self, cell: Cell) {
        self.levels.push(i16::from(!matches!(cell, Cell::Absent)));
        match cell {
            Cell::Absent => {}
            Cell::Text(text) => self.texts.push(text.into_bytes().into()),
            Cell::Price(bytes) => self.prices.push(bytes.to_vec().into()),
            Cell::Long(number) => self.longs.push(number),
            Cell::Int(number) => self.ints.push(number),
        }
    }

    fn write(&self, to: &mut SerializedColumnWriter<'_>) -> Result<(), ParquetError> {
        use parquet::column::writer::ColumnWriter as Writer;
        match to.untyped() {
            Writer::ByteArrayColumnWriter(_) => self.write_as::<ByteArrayType>(to, &self.texts),
            Writer::FixedLenByteArrayColumnWriter(_) => {
                self.write_as::<FixedLenByteArrayType>(to, &self.prices)
            }
            Writer::Int64ColumnWriter(_) => self.write_as::<Int64Type>(to, &self.longs),
            Writer::Int32ColumnWriter(_) => self.write_as::<Int32Type>(to, &self.ints),
            Writer::BoolColumnWriter(_)
            | Writer::Int96ColumnWriter(_)
            | Writer::FloatColumnWriter(_)
            | Writer::DoubleColumnWriter(_) => {
                Err(ParquetError::General("no column is of this type".into()))
            }
        }
    }

    fn write_as<T: DataType>(
        &self,
        to: &mut SerializedColumnWriter<'_>,
        values: &[T::T],
    ) -> Result<(), ParquetError> {
        // A column whose values are all required has no levels; it ignores these.
        to.typed::<T>().write_batch(values, Some(&self.levels), None).map(|_| ())
    }
}

/// The cells of a line in the order of [`SCHEMA`], or the column that is at fault.
fn cells(exported: &ExportedSaleLine) -> Result<[Cell; 28], &'static str> {
    let line = exported.line.as_ref().ok_or("line")?;
    let (micros, offset, day) = moment(line).ok_or("sold_at")?;
    Ok([
        text(&line.line_id),
        text(&line.order_id),
        text(&word(line.kind().as_str_name(), "LINE_KIND_")),
        known(&line.original_line_id),
        text(&line.sku),
        Cell::Long(quantity(&line.quantity).ok_or("quantity")?),
        price(&line.unit_price).ok_or("unit_price")?,
        text(&line.currency),
        Cell::Long(micros),
        text(offset),
        Cell::Int(day),
        known(&line.destination),
        known(&line.declaration),
        match line.declaration_item {
            0 => Cell::Absent,
            item => Cell::Int(item),
        },
        known_price(&line.discount).ok_or("discount")?,
        known_price(&line.tax).ok_or("tax")?,
        known_price(&line.shipping).ok_or("shipping")?,
        known_price(&line.platform_fee).ok_or("platform_fee")?,
        known_price(&line.settlement_amount).ok_or("settlement_amount")?,
        known(&line.settlement_currency),
        text(&exported.report),
        text(&exported.marketplace),
        text(&word(exported.verdict().as_str_name(), "VERDICT_")),
        known(&exported.reasons.join(";")),
        known(&explanation(exported)),
        Cell::Long(exported.entry_index),
        known(&exported.seller_cuit),
        known(&exported.ncm),
    ])
}

fn text(text: &str) -> Cell {
    Cell::Text(text.to_owned())
}

/// What is not known is empty in a message, and absent in the file.
fn known(value: &str) -> Cell {
    if value.is_empty() { Cell::Absent } else { text(value) }
}

fn known_price(value: &str) -> Option<Cell> {
    if value.is_empty() { Some(Cell::Absent) } else { price(value) }
}

fn quantity(text: &str) -> Option<i64> {
    i64::try_from(scaled(text, QUANTITY_SCALE)?).ok()
}

/// Big-endian two's complement, as the format has decimals.
fn price(text: &str) -> Option<Cell> {
    let bytes = scaled(text, PRICE_SCALE)?.to_be_bytes();
    let (high, low) = bytes.split_last_chunk::<PRICE_BYTES>()?;
    let sign = if low[0] & 0x80 == 0 { 0 } else { 0xff };
    high.iter().all(|byte| *byte == sign).then_some(Cell::Price(*low))
}

/// A decimal in units of its last place at that scale; none if it does not fit exactly.
fn scaled(text: &str, scale: u32) -> Option<i128> {
    let decimal = Decimal::from_str_exact(text).ok()?.normalize();
    let missing = scale.checked_sub(decimal.scale())?;
    decimal.mantissa().checked_mul(10_i128.checked_pow(missing)?)
}

/// Microseconds in UTC, the offset as written, and the date as written in days since 1970.
fn moment(line: &SaleLine) -> Option<(i64, &str, i32)> {
    let sold_at = line.sold_at.as_str();
    let instant = jiff::Timestamp::from_str(sold_at).ok()?;
    // What stands after the seconds and their fraction.
    let clock = sold_at.get(19..)?;
    let offset = clock.trim_start_matches(|c: char| c == '.' || c.is_ascii_digit());
    let day = jiff::civil::Date::from_str(sold_at.get(..10)?).ok()?;
    let days = day.duration_since(jiff::civil::date(1970, 1, 1)).as_hours() / 24;
    Some((instant.as_microsecond(), offset, i32::try_from(days).ok()?))
}

fn failed(reason: impl std::fmt::Display) -> Failure {
    Failure::new("FILE_UNUSABLE", format!("the Parquet file: {reason}"))
}
