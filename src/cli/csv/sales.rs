//! Sale lines as files have them: a marketplace's own, and what an export makes.
//!
//! Enters: rows, or stored lines. Leaves: messages for `PushSaleLines`, or rows. Quantities, prices
//! and times stay text: the gateway judges them, line by line.
//!
//! An export has the columns of a marketplace's file first and more behind them, so that it can be
//! pushed again. Whoever opens it in a spreadsheet runs what others chose as their numbers: so
//! there an id that a spreadsheet takes for a formula stands behind an apostrophe, which is taken
//! off again when the file is read here.

use std::borrow::Cow;

use super::{Layout, Row, RowFault};
use crate::cli::output::word;
use crate::cli::parse;
use crate::proto::puente::sales::v1::{ExportedSaleLine, SaleLine};

/// The columns.
pub const LAYOUT: Layout = Layout {
    required: &[
        "line_id",
        "order_id",
        "kind",
        "sku",
        "quantity",
        "unit_price",
        "currency",
        "sold_at",
    ],
    optional: &[
        "original_line_id",
        "destination",
        "declaration",
        "declaration_item",
        "discount",
        "tax",
        "shipping",
        "platform_fee",
        "settlement_amount",
        "settlement_currency",
    ],
    added: &[
        "report",
        "marketplace",
        "verdict",
        "reasons",
        "explanation",
        "entry_index",
        "seller_cuit",
        "ncm",
    ],
};

/// The columns of an export, in order: those of a marketplace's file, then what the gateway says.
pub const EXPORTED: [&str; 26] = [
    "line_id",
    "order_id",
    "kind",
    "original_line_id",
    "sku",
    "quantity",
    "unit_price",
    "currency",
    "sold_at",
    "destination",
    "declaration",
    "declaration_item",
    "discount",
    "tax",
    "shipping",
    "platform_fee",
    "settlement_amount",
    "settlement_currency",
    "report",
    "marketplace",
    "verdict",
    "reasons",
    "explanation",
    "entry_index",
    "seller_cuit",
    "ncm",
];

/// One row.
pub fn read(row: &Row<'_>) -> Result<SaleLine, RowFault> {
    let exported = row.has("entry_index");
    let id = |column: &str| match row.text(column) {
        text if exported => bared(text).to_owned(),
        text => text.to_owned(),
    };
    Ok(SaleLine {
        line_id: id("line_id"),
        order_id: id("order_id"),
        kind: row.parse("kind", parse::kind)?.into(),
        original_line_id: id("original_line_id"),
        sku: id("sku"),
        quantity: row.owned("quantity"),
        unit_price: row.owned("unit_price"),
        currency: row.owned("currency"),
        sold_at: row.owned("sold_at"),
        destination: row.owned("destination"),
        declaration: row.owned("declaration"),
        declaration_item: row.maybe("declaration_item", item)?.unwrap_or_default(),
        discount: row.owned("discount"),
        tax: row.owned("tax"),
        shipping: row.owned("shipping"),
        platform_fee: row.owned("platform_fee"),
        settlement_amount: row.owned("settlement_amount"),
        settlement_currency: row.owned("settlement_currency"),
    })
}

/// The cells of an exported line, in the order of [`EXPORTED`].
pub fn cells(exported: &ExportedSaleLine) -> [Cow<'_, str>; EXPORTED.len()] {
    let empty = SaleLine::default();
    // A line that is not there has nothing to say; the gateway sends none such.
    let line = exported.line.as_ref();
    let text = |field: fn(&SaleLine) -> &String| Cow::Borrowed(line.map_or("", |l| field(l)));
    let id = |field: fn(&SaleLine) -> &String| line.map_or("".into(), |line| guarded(field(line)));
    let kind = line.unwrap_or(&empty).kind().as_str_name();
    let item = line.map_or(0, |line| line.declaration_item);
    [
        id(|line| &line.line_id),
        id(|line| &line.order_id),
        word(kind, "LINE_KIND_").into(),
        id(|line| &line.original_line_id),
        id(|line| &line.sku),
        text(|line| &line.quantity),
        text(|line| &line.unit_price),
        text(|line| &line.currency),
        text(|line| &line.sold_at),
        text(|line| &line.destination),
        text(|line| &line.declaration),
        if item == 0 { "".into() } else { item.to_string().into() },
        text(|line| &line.discount),
        text(|line| &line.tax),
        text(|line| &line.shipping),
        text(|line| &line.platform_fee),
        text(|line| &line.settlement_amount),
        text(|line| &line.settlement_currency),
        exported.report.as_str().into(),
        exported.marketplace.as_str().into(),
        word(exported.verdict().as_str_name(), "VERDICT_").into(),
        exported.reasons.join(";").into(),
        explanation(exported).into(),
        exported.entry_index.to_string().into(),
        exported.seller_cuit.as_str().into(),
        exported.ncm.as_str().into(),
    ]
}

/// The cause by which a line that exceeds its sale counts all the same; empty where there is none.
pub fn explanation(exported: &ExportedSaleLine) -> String {
    let cause = exported.explanation.as_ref().map(|explained| explained.cause().as_str_name());
    cause.map(|name| word(name, "EXPLANATION_CAUSE_")).unwrap_or_default()
}

/// Text behind an apostrophe where a spreadsheet would take it for a formula, or where it begins
/// with one by itself.
fn guarded(text: &str) -> Cow<'_, str> {
    match text.as_bytes().first() {
        Some(b'=' | b'+' | b'-' | b'@' | b'\t' | b'\r' | b'\'') => Cow::Owned(format!("'{text}")),
        Some(_) | None => Cow::Borrowed(text),
    }
}

/// What [`guarded`] was given.
fn bared(cell: &str) -> &str {
    cell.strip_prefix('\'').unwrap_or(cell)
}

fn item(text: &str) -> Result<i32, String> {
    text.parse()
        .ok()
        .filter(|item| (1..=9999).contains(item))
        .ok_or_else(|| "an item's number is from 1 to 9999".into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::csv::CsvFile;
    use crate::proto::puente::sales::v1::{ExplanationCause, LineExplanation, LineKind, Verdict};

    #[test]
    fn an_export_has_every_column_of_the_layout_once() {
        let layout = LAYOUT.required.iter().chain(LAYOUT.optional).chain(LAYOUT.added);
        let mut known: Vec<_> = layout.copied().collect();
        let mut exported = EXPORTED.to_vec();
        known.sort_unstable();
        exported.sort_unstable();
        assert_eq!(known, exported);
    }

    #[test]
    fn what_is_exported_reads_back_whatever_its_ids_are() {
        let line = |id: &str| ExportedSaleLine {
            line: Some(SaleLine {
                line_id: id.into(),
                order_id: format!("{id}o"),
                kind: LineKind::Adjustment.into(),
                sku: id.into(),
                quantity: "-1.5".into(),
                unit_price: "-0.10".into(),
                currency: "CNY".into(),
                sold_at: "2026-11-11T00:00:03+08:00".into(),
                declaration: "18817EC08028500L".into(),
                declaration_item: 7,
                tax: "0.1".into(),
                ..SaleLine::default()
            }),
            verdict: Verdict::AcceptedWithWarning.into(),
            reasons: vec!["UNKNOWN_SKU".into(), "EXCEEDS_ORIGINAL".into()],
            explanation: Some(LineExplanation {
                cause: ExplanationCause::UnitError.into(),
                ..LineExplanation::default()
            }),
            ..ExportedSaleLine::default()
        };
        let ids = ["L1", "=1+1", "'=1", "''", "+x", "-x", "@x", "a,\"b\"", "\"", "a'b", "-1"];
        let lines = ids.map(line);
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record(EXPORTED).unwrap();
        for line in &lines {
            let cells = cells(line);
            assert!(!cells[0].starts_with(['=', '+', '-', '@']), "{}", cells[0]);
            assert_eq!(cells[5], "-1.5", "numbers stay numbers");
            let said = EXPORTED.iter().zip(&cells).find(|(name, _)| **name == "explanation");
            assert_eq!(said.unwrap().1, "UNIT_ERROR");
            writer.write_record(cells.iter().map(|cell| cell.as_bytes())).unwrap();
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("e.csv");
        std::fs::write(&path, writer.into_inner().unwrap()).unwrap();
        let file = CsvFile::open(&path, LAYOUT).unwrap();
        let mut rows = file.rows().unwrap();
        for line in &lines {
            let row = rows.next().unwrap().unwrap();
            assert_eq!(read(&row).unwrap(), line.line.clone().unwrap());
        }
        assert!(rows.next().is_none());
    }

    #[test]
    fn a_file_of_a_marketplace_means_what_it_says() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s.csv");
        let text = "line_id,order_id,kind,sku,quantity,unit_price,currency,sold_at\n\
                    '=1,O,SALE,S,1,2,CNY,2026-11-11T00:00:03+08:00\n";
        std::fs::write(&path, text).unwrap();
        let file = CsvFile::open(&path, LAYOUT).unwrap();
        let mut rows = file.rows().unwrap();
        assert_eq!(read(&rows.next().unwrap().unwrap()).unwrap().line_id, "'=1");
    }
}
