//! Simplified regimes of export (Exporta Simple), which are bounded: by operation and by year.
//!
//! Enters: the reference table `exporta_simple`, the number of a declaration, and values free on
//! board. Leaves: how much of the year is used then, or a fault that says which limit is in the way.
//! What is used so far is for the caller to keep.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::cuit::Cuit;
use super::currency::Currency;
use super::decimal::Amount;
use super::declaration::DeclarationNumber;
use super::fault::{Fault, InField as _};
use super::period::Validity;
use super::reference::{ReferenceRow, ReferenceTable};
use super::rule_table::{CellFault, RowFault, SOURCE, attributes};

/// The regimes that are bounded; none where no table is loaded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SimpleRegimes(Vec<Regime>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Regime {
    /// What the subregime in the number begins with.
    subregime: String,
    limits: Limits,
    validity: Validity,
}

/// How much may be exported under a regime.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The most of one declaration, free on board.
    pub per_operation: Amount,
    /// The most of one exporter in a calendar year.
    pub per_year: Amount,
    /// The currency of both; nothing is converted.
    pub currency: Currency,
    /// The act they rest on.
    pub source: String,
}

impl SimpleRegimes {
    /// The regimes of the reference table `exporta_simple`, and what is wrong with its rows.
    ///
    /// The code is what the subregime in a declaration's number begins with, 2 to 4 characters;
    /// the attributes `per_operation`, `per_year`, `currency` and `source` must be there.
    pub fn read(table: &ReferenceTable) -> (Self, Vec<RowFault>) {
        let (mut regimes, mut faults) = (Vec::new(), Vec::new());
        for (place, row) in table.rows.iter().enumerate() {
            match Regime::read(row) {
                Ok(regime) => regimes.push(regime),
                Err((column, message)) => faults.push(RowFault { row: place, column, message }),
            }
        }
        (Self(regimes), faults)
    }

    /// The limits of a declaration that became official on `day`; `None` if its subregime is not
    /// bounded on that day. Of several rows the one with the longest code counts.
    pub fn limits(&self, number: DeclarationNumber, day: Date) -> Option<&Limits> {
        self.0
            .iter()
            .filter(|regime| number.subregime().starts_with(&regime.subregime))
            .filter(|regime| regime.validity.holds_on(day))
            .max_by_key(|regime| regime.subregime.len())
            .map(|regime| &regime.limits)
    }
}

impl Regime {
    fn read(row: &ReferenceRow) -> Result<Self, CellFault> {
        let code = &row.code;
        let sound = (2..=4).contains(&code.len())
            && code.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
        if !sound {
            let words = format!("{code} is not the beginning of a subregime, 2 to 4 characters");
            return Err(("code", words));
        }
        let [per_operation, per_year, currency, source] =
            attributes(row, ["per_operation", "per_year", "currency", SOURCE])?;
        let cell = |name: &str, fault: Fault| ("attributes", format!("{name}: {}", fault.message));
        let amount = |name: &str, text: &str| -> Result<Amount, CellFault> {
            let amount: Amount = text.parse().map_err(|fault| cell(name, fault))?;
            if amount > Amount::ZERO {
                Ok(amount)
            } else {
                Err(("attributes", format!("{name} must be above zero")))
            }
        };
        Ok(Self {
            subregime: code.clone(),
            limits: Limits {
                per_operation: amount("per_operation", per_operation)?,
                per_year: amount("per_year", per_year)?,
                currency: currency.parse().map_err(|fault| cell("currency", fault))?,
                source: source.to_owned(),
            },
            validity: row.validity(),
        })
    }
}

/// What an exporter declared under bounded regimes in a calendar year.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct YearUse {
    /// The exporter.
    pub exporter: Cuit,
    /// The year.
    pub year: i16,
    /// The currency of the limits.
    pub currency: Currency,
    /// The sum of all values free on board.
    pub total: Amount,
}

impl YearUse {
    /// Nothing declared yet.
    pub fn none(exporter: Cuit, year: i16, currency: Currency) -> Self {
        Self { exporter, year, currency, total: Amount::ZERO }
    }

    /// The key under which the sum is kept.
    pub fn key(&self) -> String {
        format!("{}/{}/{}", self.exporter, self.year, self.currency)
    }

    /// Adds `added`, below zero where less is declared than before, to this year and to
    /// `operation`, what the declaration came to so far. Less is never refused.
    ///
    /// # Errors
    /// `SIMPLE_REGIME_LIMIT` (metadata `limit`, `per`, `sum`, `asked`, `currency`, `source`);
    /// nothing is touched then.
    pub fn add(
        &mut self,
        limits: &Limits,
        operation: &mut Amount,
        added: Amount,
    ) -> Result<(), Fault> {
        let (of_operation, of_year) = (operation.plus(added)?, self.total.plus(added)?);
        let bounds = [
            ("OPERATION", limits.per_operation, *operation, of_operation),
            ("YEAR", limits.per_year, self.total, of_year),
        ];
        for (per, limit, sum, after) in bounds {
            if !added.is_negative() && after > limit {
                return Err(above(limits, per, limit, sum, added));
            }
        }
        (*operation, self.total) = (of_operation, of_year);
        Ok(())
    }
}

/// Refuses a value in another currency than that of the limits, which cannot be held against them.
///
/// # Errors
/// `SIMPLE_REGIME_CURRENCY` (metadata `given`, `currency`, `source`).
pub fn same_currency(limits: &Limits, given: Currency) -> Result<(), Fault> {
    if given == limits.currency {
        return Ok(());
    }
    Err(Fault::illegal_state(
        "SIMPLE_REGIME_CURRENCY",
        format!(
            "the limits of this regime are in {}, and nothing is converted: declare the value in \
             that currency, or under another regime",
            limits.currency
        ),
    )
    .with("given", given)
    .with("currency", limits.currency)
    .with("source", &limits.source))
    .at("currency")
}

fn above(limits: &Limits, per: &str, limit: Amount, sum: Amount, asked: Amount) -> Fault {
    let (currency, source) = (limits.currency, &limits.source);
    let what = if per == "YEAR" { "the exporter's year" } else { "one operation" };
    Fault::illegal_state(
        "SIMPLE_REGIME_LIMIT",
        format!(
            "under this regime {what} may come to {limit} {currency} free on board ({source}); \
             {sum} are declared so far, and {asked} more would be above: declare under another \
             regime"
        ),
    )
    .with("per", per)
    .with("limit", limit)
    .with("sum", sum)
    .with("asked", asked)
    .with("currency", currency)
    .with("source", source)
    .at("fob")
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use proptest::prelude::*;

    use super::*;

    pub(super) fn table(rows: &[(&str, &str, Option<Date>)]) -> ReferenceTable {
        let row = |(code, attributes, to): &(&str, &str, Option<Date>)| ReferenceRow {
            code: (*code).to_owned(),
            title_es: String::new(),
            title_en: String::new(),
            attributes: attributes
                .split(';')
                .filter_map(|pair| pair.split_once('='))
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
            valid_from: None,
            valid_to: *to,
        };
        ReferenceTable {
            id: "exporta_simple".to_owned(),
            version: "1".to_owned(),
            source: "test".to_owned(),
            loaded_at: jiff::Timestamp::UNIX_EPOCH,
            digest: String::new(),
            rows: rows.iter().map(row).collect(),
        }
    }

    const LIMITS: &str = "per_operation=15000;per_year=600000;currency=USD;source=RG 4458/2019";

    #[test]
    fn the_subregime_and_the_day_say_which_limits_hold() {
        let tight = LIMITS.replace("15000", "9000");
        let (regimes, faults) = SimpleRegimes::read(&table(&[
            ("ES", LIMITS, None),
            ("ES02", &tight, Some(date(2026, 12, 31))),
        ]));
        assert_eq!(faults, []);
        let per_operation = |number: &str, day| {
            let limits = regimes.limits(number.parse().unwrap(), day)?;
            Some(limits.per_operation.to_string())
        };
        let day = date(2026, 12, 31);
        assert_eq!(per_operation("26001ES01000001A", day).as_deref(), Some("15000"));
        assert_eq!(per_operation("26001ES02000001A", day).as_deref(), Some("9000"));
        assert_eq!(per_operation("26001ES02000001A", date(2027, 1, 1)).as_deref(), Some("15000"));
        assert_eq!(per_operation("26001EC01000001A", day), None);
    }

    #[test]
    fn a_row_without_its_limits_is_refused() {
        let rows = [
            ("E", LIMITS.to_owned(), "code"),
            ("es", LIMITS.to_owned(), "code"),
            ("ES", LIMITS.replace("per_year", "year"), "attributes"),
            ("ES", LIMITS.replace("15000", "x"), "attributes"),
            ("ES", LIMITS.replace("15000", "0"), "attributes"),
            ("ES", LIMITS.replace("USD", "dollars"), "attributes"),
            ("ES", LIMITS.replace(";source=RG 4458/2019", ""), "attributes"),
        ];
        let sent: Vec<_> =
            rows.iter().map(|(code, text, _)| (*code, text.as_str(), None)).collect();
        let faults = SimpleRegimes::read(&table(&sent)).1;
        let found: Vec<_> = faults.iter().map(|fault| (fault.row, fault.column)).collect();
        let expected: Vec<_> =
            rows.iter().enumerate().map(|(at, (.., column))| (at, *column)).collect();
        assert_eq!(found, expected, "{faults:?}");
    }

    proptest! {
        /// Whatever is declared, amended and refused: no operation and no year is above its limit,
        /// and the year is the sum of its operations.
        #[test]
        fn no_history_goes_above(steps in prop::collection::vec((0usize..4, -9_000i64..16_000), 1..60)) {
            let (regimes, _) = SimpleRegimes::read(&table(&[("ES", &LIMITS.replace("600000", "40000"), None)]));
            let limits = regimes.limits("26001ES01000001A".parse().unwrap(), date(2026, 1, 1)).unwrap();
            let (exporter, currency) = ("30500010912".parse().unwrap(), limits.currency);
            let mut year = YearUse::none(exporter, 2026, currency);
            let mut operations = [Amount::ZERO; 4];
            for (operation, added) in steps {
                let added: Amount = added.to_string().parse().unwrap_or(Amount::of(added.into()));
                if operations[operation].plus(added).unwrap().is_negative() {
                    continue;
                }
                let before = (year.clone(), operations);
                if let Err(fault) = year.add(limits, &mut operations[operation], added) {
                    prop_assert_eq!(fault.reason, "SIMPLE_REGIME_LIMIT");
                    prop_assert_eq!((year.clone(), operations), before);
                }
                prop_assert!(operations.iter().all(|one| *one <= limits.per_operation));
                prop_assert!(year.total <= limits.per_year);
                let sum = operations.iter().try_fold(Amount::ZERO, |sum, one| sum.plus(*one));
                prop_assert_eq!(sum.unwrap(), year.total);
            }
        }
    }
}
