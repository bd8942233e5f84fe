//! The table as the page for integrators shows it.

use std::fmt::{Debug, Write as _};

use puente::proto::puente::sales::v1::{LineKind, SaleLine};

use super::table::{Around, TABLE};
use super::{Place, sound};

/// All sections.
pub fn markdown() -> String {
    let mut page = String::new();
    let place = Place {
        around: Around {
            sold: "SOLD".into(),
            cancelled: "CANCELLED".into(),
            partly: "PARTLY".into(),
            returned: "RETURNED".into(),
            refused: "REFUSED".into(),
            elsewhere: "ELSEWHERE".into(),
            before: sound("BEFORE".into()),
        },
        own: "LINE".into(),
        after: sound("AFTER".into()),
    };
    for (section, rows) in TABLE {
        writeln!(page, "\n### {section}\n").unwrap();
        writeln!(page, "| what is sent | as | verdict | reason | field |").unwrap();
        writeln!(page, "|---|---|---|---|---|").unwrap();
        for row in *rows {
            let (verdict, reasons, field) = row.2.told();
            let verdict = verdict.as_str_name().trim_start_matches("VERDICT_");
            let reasons: Vec<_> = reasons.iter().map(|reason| format!("`{reason}`")).collect();
            let field = if field.is_empty() { String::new() } else { format!("`{field}`") };
            let cells =
                [row.0, &differences(&place.line(row)), verdict, &reasons.join(", "), &field];
            let cells =
                cells.map(|cell| if cell.is_empty() { " ".into() } else { format!(" {cell} ") });
            writeln!(page, "|{}|", cells.join("|")).unwrap();
        }
    }
    page.push('\n');
    page
}

/// How a line differs from the sound one, field by field.
fn differences(line: &SaleLine) -> String {
    let base = sound("LINE".into());
    let mut told: Vec<String> = Vec::new();
    if line.kind != base.kind {
        let kind = LineKind::try_from(line.kind).map(|kind| kind.as_str_name());
        let kind = kind.map_or_else(|_| line.kind.to_string(), |k| k.replace("LINE_KIND_", ""));
        told.push(format!("`kind: {kind}`"));
    }
    macro_rules! compare {
        ($($field:ident)*) => { $(
            if line.$field != base.$field {
                told.push(shown(stringify!($field), &line.$field));
            }
        )* };
    }
    compare!(line_id order_id original_line_id sku quantity unit_price currency sold_at destination);
    compare!(declaration declaration_item discount tax shipping platform_fee);
    compare!(settlement_amount settlement_currency);
    told.join(", ")
}

fn shown(field: &str, value: &(impl Debug + ?Sized)) -> String {
    // Letters that look like others are told apart by their numbers.
    let told = format!("{value:?}");
    let text: String = told
        .chars()
        .map(|c| if c.is_ascii() { c.to_string() } else { c.escape_unicode().to_string() })
        .collect();
    match text.chars().count() {
        0..=48 => format!("`{field}: {text}`"),
        long => format!("`{field}: {}...\"`, {} characters", &text[..12], long - 2),
    }
}
