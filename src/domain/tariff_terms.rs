//! Terms in days that depend on the goods and on the day they left, from a reference table.
//!
//! Enters: a reference table such as `settlement_terms` or `consignment`. Leaves: the term of goods
//! that left on a day. What the time is for is said by who asks.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::ncm::NcmCode;
use super::period::Validity;
use super::reference::{ReferenceRow, ReferenceTable};
use super::rule_table::{CellFault, RowFault, SOURCE, attributes, tariff_prefix};

/// The longest term, in days: ten years.
const MAX_DAYS: u16 = 3660;

/// How many days there are for something, by tariff line and day.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TariffTerms(Vec<Rule>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Rule {
    prefix: String,
    term: Term,
    validity: Validity,
}

/// How long there is time, and by which act.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Term {
    /// Days after the shipment.
    pub days: u16,
    /// The act it rests on.
    pub source: String,
}

impl TariffTerms {
    /// The terms of a reference table, and what is wrong with its rows.
    ///
    /// The code is a beginning of a tariff code, 2 to 8 digits; the attributes `days` and `source`
    /// must be there.
    pub fn read(table: &ReferenceTable) -> (Self, Vec<RowFault>) {
        let (mut rules, mut faults) = (Vec::new(), Vec::new());
        for (place, row) in table.rows.iter().enumerate() {
            match Rule::read(row) {
                Ok(rule) => rules.push(rule),
                Err((column, message)) => faults.push(RowFault { row: place, column, message }),
            }
        }
        (Self(rules), faults)
    }

    /// The term of goods of `ncm` that left on `day`; `None` if no rule sets one. The longest code
    /// that fits counts.
    pub fn term(&self, ncm: NcmCode, day: Date) -> Option<&Term> {
        let digits = ncm.digits();
        self.0
            .iter()
            .filter(|rule| digits.starts_with(&rule.prefix) && rule.validity.holds_on(day))
            .max_by_key(|rule| rule.prefix.len())
            .map(|rule| &rule.term)
    }
}

impl Rule {
    fn read(row: &ReferenceRow) -> Result<Self, CellFault> {
        let prefix = tariff_prefix(row)?;
        let [days, source] = attributes(row, ["days", SOURCE])?;
        let days = days.parse().ok().filter(|days| (1..=MAX_DAYS).contains(days));
        let days = days.ok_or(("attributes", format!("days must be 1 to {MAX_DAYS}")))?;
        let term = Term { days, source: source.to_owned() };
        Ok(Self { prefix, term, validity: row.validity() })
    }
}
