//! Code tables between the contract's messages and the domain.
//!
//! Enters: messages or domain values. Leaves: the other. Rules are those that
//! stand in `reference.proto`.

use super::super::wire as common;
use crate::app::reference::TableLoaded;
use crate::domain::reference::{ReferenceRow, ReferenceTable};
use crate::error::Result;
use crate::proto::puente::common::v1::Receipt;
use crate::proto::puente::reference::v1 as pb;

/// The id in `referenceTables/{table}`.
pub(super) fn table_id(field: &str, name: &str) -> Result<String> {
    let id = name.strip_prefix("referenceTables/").unwrap_or_default();
    let sound = (2..=40).contains(&id.len())
        && id.starts_with(|c: char| c.is_ascii_lowercase())
        && id.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
    if sound {
        return Ok(id.to_owned());
    }
    Err(common::invalid(
        field,
        "a table's name is referenceTables/ and 2 to 40 small letters, digits or underscores, as \
         referenceTables/ncm",
    ))
}

/// A row of a load.
pub(super) fn parse_row(row: &pb::ReferenceRow) -> Result<ReferenceRow> {
    let code_sound =
        (1..=64).contains(&row.code.len()) && row.code.bytes().all(|b| b.is_ascii_graphic());
    if !code_sound {
        return Err(common::invalid(
            "code",
            "a code is 1 to 64 printable ASCII characters without spaces",
        ));
    }
    if row.attributes.len() > 32 {
        return Err(common::invalid("attributes", "a row has at most 32 attributes"));
    }
    for (name, value) in &row.attributes {
        common::text("attributes", name.clone(), 1, 64)?;
        common::text("attributes", value.clone(), 0, 1000)?;
    }
    let valid_from = common::optional_day("valid_from", row.valid_from.as_ref())?;
    let valid_to = common::optional_day("valid_to", row.valid_to.as_ref())?;
    if valid_from.zip(valid_to).is_some_and(|(first, last)| last < first) {
        return Err(common::invalid("valid_to", "valid_to must not be before valid_from"));
    }
    Ok(ReferenceRow {
        code: row.code.clone(),
        title_es: common::text("title_es", row.title_es.clone(), 0, 2000)?,
        title_en: common::text("title_en", row.title_en.clone(), 0, 2000)?,
        attributes: row.attributes.clone().into_iter().collect(),
        valid_from,
        valid_to,
    })
}

/// A row.
pub(super) fn row(row: &ReferenceRow) -> pb::ReferenceRow {
    pb::ReferenceRow {
        code: row.code.clone(),
        title_es: row.title_es.clone(),
        title_en: row.title_en.clone(),
        attributes: row.attributes.clone().into_iter().collect(),
        valid_from: row.valid_from.map(common::date),
        valid_to: row.valid_to.map(common::date),
    }
}

/// A table without its rows.
pub(super) fn table(table: &ReferenceTable) -> pb::ReferenceTable {
    pb::ReferenceTable {
        name: format!("referenceTables/{}", table.id),
        version: table.version.clone(),
        source: table.source.clone(),
        rows: whole(table.rows.len() as u64),
        load_time: Some(common::timestamp(table.loaded_at)),
        digest: table.digest.clone(),
    }
}

/// The answer to a load.
pub(super) fn loaded(
    loaded: TableLoaded,
    receipt: Option<Receipt>,
) -> pb::LoadReferenceTableResponse {
    pb::LoadReferenceTableResponse {
        table: Some(pb::ReferenceTable {
            name: format!("referenceTables/{}", loaded.id),
            version: loaded.version,
            source: loaded.source,
            rows: whole(loaded.rows),
            load_time: Some(common::timestamp(loaded.loaded_at)),
            digest: loaded.digest,
        }),
        created: whole(loaded.difference.created),
        updated: whole(loaded.difference.updated),
        unchanged: whole(loaded.difference.unchanged),
        removed: whole(loaded.difference.removed),
        receipt,
    }
}

/// A count as the contract carries it.
fn whole(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
