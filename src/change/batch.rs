//! Sale lines on their way into a report, ready to be stored.
//!
//! Enters: parsed lines, each with what is known of its listing. Leaves: a [`LineBatch`] in which
//! all that needs no look at the store is worked out already, as the writer is one for all:
//! the texts of columns, amounts, and which lines add up in the same cell of the rollups.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::Arc;

use jiff::civil::Date;

use super::LineNote;
use crate::domain::currency::Currency;
use crate::domain::decimal::Totals;
use crate::domain::listing::Channel;
use crate::domain::partner::PartnerId;
use crate::domain::period::Period;
use crate::domain::place::Destination;
use crate::domain::sale::{SaleKind, SaleLine, WarningReason};
use crate::domain::text::Sku;

/// Sale lines on their way into a report.
#[derive(Clone, Debug)]
pub struct LineBatch {
    /// The marketplace whose lines these are.
    pub marketplace: PartnerId,
    /// Key of the report.
    pub report: String,
    /// The days that the report is about.
    pub period: Period,
    /// Place of the first line in the sequence the client sends, from 0.
    pub first_line: u64,
    /// How many lines the client sent, refused ones included.
    pub sent: u32,
    /// Lines refused before they came here: place in the batch, and the verdict to answer.
    pub refused: Vec<LineNote>,
    lines: Vec<ReadyLine>,
    cells: Vec<CellKey>,
}

/// A well-formed line with what was known of its listing when it came.
#[derive(Clone, Debug)]
pub struct LineRow {
    /// Place in the batch, from 0.
    pub position: u32,
    /// The line.
    pub line: SaleLine,
    /// Its listing, if the sku is known; lines of one listing share it.
    pub listing: Option<Arc<LineListing>>,
    /// What is odd about it, judged before the head is held.
    pub warnings: Vec<WarningReason>,
}

/// What rollups need to know of a line's listing, as of the moment the line came.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LineListing {
    /// Key of the listing.
    pub key: String,
    /// CUIT of the seller, 11 digits.
    pub seller: String,
    /// NCM leaf, 8 digits.
    pub ncm: String,
    /// Where on the platform it is sold.
    pub channel: Channel,
    /// Province of the seller, ISO 3166-2; empty if not known.
    pub province: String,
    /// Size class of the seller; empty if not known.
    pub size_class: String,
}

/// A line with what a store writes of it.
#[derive(Clone, Debug)]
pub struct ReadyLine {
    /// The line, as it was judged so far.
    pub row: LineRow,
    /// Its columns as text.
    pub texts: LineTexts,
    /// Quantity and amount as written, no sign from the kind.
    pub written: Totals,
    /// Where it adds up, among [`LineBatch::cells`].
    pub cell: usize,
}

/// Columns of a line in their canonical text, end to end.
#[derive(Clone, Debug)]
pub struct LineTexts {
    text: Box<str>,
    /// Where quantity, unit price and the moment of sale end.
    ends: [usize; 3],
}

/// What the lines of one cell of the rollups of a report have in common.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CellKey {
    /// The day, by the offset of each line.
    pub day: Date,
    /// What was sold.
    pub goods: Goods,
    /// Where to, if known.
    pub destination: Option<Destination>,
    /// The currency.
    pub currency: Currency,
    /// What kind of event.
    pub kind: SaleKind,
}

/// What was sold: a known listing, or the sku of one that is not.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Goods {
    /// A listing as it was known when the line came.
    Listed(Arc<LineListing>),
    /// No listing has this sku.
    Unlisted(Sku),
}

impl LineBatch {
    /// A batch of these lines, in the order sent.
    pub fn new(
        marketplace: PartnerId,
        report: String,
        period: Period,
        first_line: u64,
        sent: u32,
        rows: Vec<LineRow>,
        refused: Vec<LineNote>,
    ) -> Self {
        let (cells, places) = gathered(&rows);
        let ready = |(row, cell): (LineRow, usize)| {
            let (texts, written) = (LineTexts::of(&row.line), row.line.as_written());
            ReadyLine { row, texts, written, cell }
        };
        let lines = rows.into_iter().zip(places).map(ready).collect();
        Self { marketplace, report, period, first_line, sent, refused, lines, cells }
    }

    /// The well-formed lines in the order sent.
    pub fn lines(&self) -> &[ReadyLine] {
        &self.lines
    }

    /// The cells in which the lines add up. The same one may stand here more than once.
    pub fn cells(&self) -> &[CellKey] {
        &self.cells
    }
}

impl CellKey {
    /// Where the line adds up.
    pub fn of(row: &LineRow) -> Self {
        let LineRow { line, listing, .. } = row;
        Self {
            day: line.sold_at.day(),
            goods: match listing {
                Some(listing) => Goods::Listed(listing.clone()),
                None => Goods::Unlisted(line.sku.clone()),
            },
            destination: line.destination,
            currency: line.currency,
            kind: line.kind,
        }
    }
}

/// The cells in which the rows add up, and the place of each row's among them.
fn gathered(rows: &[LineRow]) -> (Vec<CellKey>, Vec<usize>) {
    let (mut cells, mut known) = (Vec::new(), HashMap::new());
    let places = rows
        .iter()
        .map(|row| {
            let LineRow { line, listing, .. } = row;
            // Lines of one listing share it, so where it lies says which it is.
            let goods = match listing {
                Some(listing) => Ok(Arc::as_ptr(listing)),
                None => Err(line.sku.as_str()),
            };
            let place = (line.sold_at.day(), goods, line.destination, line.currency, line.kind);
            *known.entry(place).or_insert_with(|| {
                cells.push(CellKey::of(row));
                cells.len() - 1
            })
        })
        .collect();
    (cells, places)
}

impl LineTexts {
    /// The texts of the line.
    pub fn of(line: &SaleLine) -> Self {
        let mut text = String::with_capacity(64);
        let mut ends = [0; 3];
        let columns: [&dyn std::fmt::Display; 3] =
            [&line.quantity, &line.unit_price, &line.sold_at];
        for (end, column) in ends.iter_mut().zip(columns) {
            // A string takes whatever is written to it.
            let _ = write!(text, "{column}");
            *end = text.len();
        }
        if let Some(destination) = &line.destination {
            let _ = write!(text, "{destination}");
        }
        Self { text: text.into_boxed_str(), ends }
    }

    /// The quantity.
    pub fn quantity(&self) -> &str {
        &self.text[..self.ends[0]]
    }

    /// The unit price.
    pub fn unit_price(&self) -> &str {
        &self.text[self.ends[0]..self.ends[1]]
    }

    /// The moment of sale.
    pub fn sold_at(&self) -> &str {
        &self.text[self.ends[1]..self.ends[2]]
    }

    /// The day of sale: the date that the moment begins with.
    pub fn day(&self) -> &str {
        &self.sold_at()[..10]
    }

    /// The destination; empty where not known.
    pub fn destination(&self) -> &str {
        &self.text[self.ends[2]..]
    }
}

/// The orders of a report: distinct pairs of order and listing over its lines of kind SALE.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OrderCounts {
    /// Key of the report.
    pub report: String,
    /// How many there are.
    pub orders: u64,
    /// Rollup cells with lines that repeat an order of an earlier line, and how many do.
    pub repeats: Vec<(u64, u64)>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::sale::RawLine;

    fn row(listing: Option<&Arc<LineListing>>, sku: &str, sold_at: &str) -> LineRow {
        let line = SaleLine::parse(&RawLine {
            line_id: "L1",
            order_id: "O1",
            kind: "SALE",
            sku,
            quantity: "2.50",
            unit_price: "007.10",
            currency: "CNY",
            sold_at,
            destination: "CN-SH",
            ..RawLine::default()
        });
        LineRow { position: 0, line: line.unwrap(), listing: listing.cloned(), warnings: vec![] }
    }

    #[test]
    fn texts_are_those_of_the_values() {
        let row = row(None, "A", "2026-11-11T00:00:03.50+08:00");
        let texts = LineTexts::of(&row.line);
        assert_eq!(texts.quantity(), "2.5");
        assert_eq!(texts.unit_price(), "7.1");
        assert_eq!(texts.sold_at(), "2026-11-11T00:00:03.5+08:00");
        assert_eq!(texts.day(), row.line.sold_at.day().to_string());
        assert_eq!(texts.destination(), "CN-SH");
    }

    #[test]
    fn lines_that_differ_in_the_hour_share_a_cell_and_others_do_not() {
        let listing = |key: &str| {
            Arc::new(LineListing {
                key: key.to_owned(),
                seller: "20267565393".to_owned(),
                ncm: "22042100".to_owned(),
                channel: "OFFICIAL_STORE".parse().unwrap(),
                province: String::new(),
                size_class: String::new(),
            })
        };
        let (a, b) = (listing("a"), listing("b"));
        let rows = vec![
            row(Some(&a), "A", "2026-11-11T00:00:03Z"),
            row(Some(&a), "A", "2026-11-11T23:00:03Z"),
            row(Some(&a), "A", "2026-11-12T00:00:03Z"),
            row(Some(&b), "B", "2026-11-11T00:00:03Z"),
            row(None, "C", "2026-11-11T00:00:03Z"),
            row(None, "D", "2026-11-11T00:00:03Z"),
        ];
        let keys: Vec<CellKey> = rows.iter().map(CellKey::of).collect();
        let period = "2026-01-01..2026-12-31".parse().unwrap();
        let market = "market".parse().unwrap();
        let batch = LineBatch::new(market, "r".into(), period, 0, 6, rows, vec![]);
        let cells: Vec<usize> = batch.lines().iter().map(|line| line.cell).collect();
        assert_eq!(cells, [0, 0, 1, 2, 3, 4]);
        assert!(
            batch.lines().iter().zip(&keys).all(|(line, key)| batch.cells()[line.cell] == *key)
        );
    }
}
