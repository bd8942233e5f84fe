//! Reference tables that rules are made of: their names, and what is wrong with their rows.
//!
//! Enters: a table as it is to be loaded. Leaves: every fault of its rows, each with its column.
//! What the rules say stands with them, as in [`requirements`](super::requirements).

use std::collections::BTreeMap;

use super::reference::{ReferenceRow, ReferenceTable};
use super::requirements::Requirements;
use super::simple_regime::SimpleRegimes;
use super::tariff_terms::TariffTerms;

/// The table that says which goods need whose clearance and certificates.
pub const CERTIFICATES: &str = "certificates";

/// The table of limits of simplified regimes.
pub const EXPORTA_SIMPLE: &str = "exporta_simple";

/// The table of the days in which proceeds are to be settled.
pub const SETTLEMENT_TERMS: &str = "settlement_terms";

/// The table of the days in which goods abroad are sold or brought back.
pub const CONSIGNMENT: &str = "consignment";

/// The attribute that says which act a row rests on.
pub const SOURCE: &str = "source";

/// What is wrong with one cell of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowFault {
    /// The row's place in the table, from 0.
    pub row: usize,
    /// The column at fault.
    pub column: &'static str,
    /// What is wrong and what to do.
    pub message: String,
}

/// What a cell is refused for: its column, and why.
pub(super) type CellFault = (&'static str, String);

/// Everything for which the table cannot be loaded; nothing for a table that no rules are made of.
pub fn faults(table: &ReferenceTable) -> Vec<RowFault> {
    let mut faults = match table.id.as_str() {
        CERTIFICATES => {
            let mut faults = Requirements::read(table).1;
            faults.extend(overlaps(&table.rows));
            faults
        }
        EXPORTA_SIMPLE => SimpleRegimes::read(table).1,
        SETTLEMENT_TERMS | CONSIGNMENT => {
            let mut faults = TariffTerms::read(table).1;
            faults.extend(overlaps(&table.rows));
            faults
        }
        _ => Vec::new(),
    };
    faults.sort_by_key(|fault| fault.row);
    faults
}

/// The digits of a row's code, which is the beginning of a tariff code: 2 to 8 digits, with or
/// without points.
pub(super) fn tariff_prefix(row: &ReferenceRow) -> Result<String, CellFault> {
    let prefix: String = row.code.chars().filter(|c| *c != '.').collect();
    let sound = (2..=8).contains(&prefix.len()) && prefix.bytes().all(|byte| byte.is_ascii_digit());
    if sound {
        Ok(prefix)
    } else {
        Err(("code", format!("{} is not 2 to 8 digits of the tariff", row.code)))
    }
}

/// The attributes of these names, all of which must be there, and no others.
pub(super) fn attributes<'r, const N: usize>(
    row: &'r ReferenceRow,
    names: [&str; N],
) -> Result<[&'r str; N], CellFault> {
    if let Some(other) = row.attributes.keys().find(|name| !names.contains(&name.as_str())) {
        let words = format!("{other} is not known here; {} are", names.join(", "));
        return Err(("attributes", words));
    }
    let mut values = [""; N];
    for (value, name) in values.iter_mut().zip(names) {
        *value = row
            .attributes
            .get(name)
            .filter(|value| !value.is_empty())
            .ok_or_else(|| ("attributes", format!("{name} must be given")))?;
    }
    Ok(values)
}

/// Rows of one beginning of tariff codes that hold on some of the same days, however the points
/// are set.
fn overlaps(rows: &[ReferenceRow]) -> Vec<RowFault> {
    let mut met: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    let mut faults = Vec::new();
    for (place, row) in rows.iter().enumerate() {
        let Ok(prefix) = tariff_prefix(row) else { continue };
        let earlier = met.entry(prefix).or_default();
        let clash = earlier.iter().find(|one| rows[**one].validity().overlaps(row.validity()));
        if let Some(other) = clash {
            faults.push(RowFault {
                row: place,
                column: "valid_from",
                message: format!(
                    "{} stands in row {} for some of the same days: end one before the other \
                     begins",
                    row.code,
                    other + 1
                ),
            });
        }
        earlier.push(place);
    }
    faults
}
