//! What is declared under simplified regimes, held against their limits.
//!
//! Enters: declarations with what they add. Leaves: the exporters' years as they are from then on, or
//! a fault. A year's sum is read by index from the items themselves, and written with the change, so
//! that two declarations of one exporter are judged one after the other, under the head.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::app::reference::Tables;
use crate::app::write::put;
use crate::app::{App, Page, Versioned};
use crate::change::{Expect, Kind, Write};
use crate::domain::customs_declaration::{Declaration, DeclaredItem, Terms};
use crate::domain::decimal::Amount;
use crate::domain::declaration::DeclarationNumber;
use crate::domain::fault::Fault;
use crate::domain::simple_regime::{Limits, YearUse, same_currency};
use crate::error::Result;
use crate::store::PageQuery;

/// Items read at a time.
const READ: u32 = 1000;

/// The years of exporters whose declarations are bounded, while a change is judged.
pub(super) struct YearBook {
    tables: Arc<Tables>,
    years: BTreeMap<String, Year>,
}

#[derive(Clone)]
pub(super) struct Year {
    used: YearUse,
    /// What each declaration comes to.
    operations: BTreeMap<DeclarationNumber, Amount>,
    version: u64,
    touched: bool,
}

impl App {
    /// The years that these declarations count in; none for those that are not bounded.
    pub(super) async fn year_book(
        &self,
        declarations: impl Iterator<Item = (DeclarationNumber, Terms)>,
    ) -> Result<YearBook> {
        let mut book = YearBook { tables: self.reference.tables(), years: BTreeMap::new() };
        for (number, terms) in declarations {
            let Some(used) = book.counted(number, &terms).map(|(_, used)| used) else { continue };
            let key = used.key();
            if !book.years.contains_key(&key) {
                let year = self.year(used, &book.tables).await?;
                book.years.insert(key, year);
            }
        }
        Ok(book)
    }

    /// What was declared in that year so far.
    async fn year(&self, none: YearUse, tables: &Tables) -> Result<Year> {
        // Before the items: whoever declares between changes the version.
        let held: Option<Versioned<YearUse>> = self.document(Kind::RegimeYear, &none.key()).await?;
        let mut year = Year {
            used: none,
            operations: BTreeMap::new(),
            version: held.map_or(0, |held| held.version),
            touched: false,
        };
        let mut query = PageQuery::all(Kind::DeclarationItem, READ);
        query.equal.push(("exporter_cuit", year.used.exporter.to_string()));
        let days = ["01-01", "12-31"].map(|day| format!("{:04}-{day}", year.used.year));
        let [first, last] = days;
        query.between.push(("officialised_on", first, last));
        loop {
            let page: Page<Versioned<DeclaredItem>> = self.documents(query.clone()).await?;
            for item in page.items.into_iter().map(|held| held.value) {
                let limits = tables.simple_regimes.limits(item.declaration, item.officialised_on);
                let counts = limits.is_some_and(|limits| limits.currency == year.used.currency)
                    && item.goods.currency == year.used.currency;
                if counts {
                    let operation = year.operations.entry(item.declaration).or_default();
                    *operation = operation.plus(item.goods.fob)?;
                    year.used.total = year.used.total.plus(item.goods.fob)?;
                }
            }
            match page.next {
                Some(next) => query.after = next,
                None => return Ok(year),
            }
        }
    }
}

impl YearBook {
    /// Adds what `item` is worth from now on, where `before` is what it was declared as; nothing
    /// for a declaration that is not bounded.
    ///
    /// # Errors
    /// `SIMPLE_REGIME_LIMIT`, `SIMPLE_REGIME_CURRENCY`; nothing is touched then.
    pub(super) fn declare(
        &mut self,
        declaration: &Declaration,
        before: Option<&DeclaredItem>,
        item: &DeclaredItem,
    ) -> std::result::Result<(), Fault> {
        let (number, terms) = (declaration.number, &declaration.terms);
        let tables = self.tables.clone();
        let Some(limits) = tables.simple_regimes.limits(number, terms.officialised_on) else {
            return Ok(());
        };
        let added = match before {
            Some(before) => item.goods.fob.plus(-before.goods.fob)?,
            None => item.goods.fob,
        };
        if before.is_some() && added.is_zero() {
            return Ok(());
        }
        same_currency(limits, item.goods.currency)?;
        let key = none(limits, terms).key();
        let Some(year) = self.years.get_mut(&key) else { return Ok(()) };
        let mut operation = year.operations.get(&number).copied().unwrap_or_default();
        year.used.add(limits, &mut operation, added)?;
        year.operations.insert(number, operation);
        year.touched = true;
        Ok(())
    }

    /// The year that `declaration` counts in, to be put back by [`YearBook::restore`] if what was
    /// added is not taken after all.
    pub(super) fn keep(&self, declaration: &Declaration) -> Kept {
        let (_, used) = self.counted(declaration.number, &declaration.terms)?;
        let key = used.key();
        self.years.get(&key).map(|year| (key, Box::new(year.clone())))
    }

    pub(super) fn restore(&mut self, kept: Kept) {
        if let Some((key, year)) = kept {
            self.years.insert(key, *year);
        }
    }

    /// The years as the store keeps them, if they are still as they were read.
    pub(super) fn changes(self) -> Result<Vec<(Expect, Write)>> {
        let touched = self.years.into_values().filter(|year| year.touched);
        touched
            .map(|Year { used, version, .. }| {
                put(Kind::RegimeYear, &used.key(), "", "USED", vec![], &used, version)
            })
            .collect()
    }

    fn counted(&self, number: DeclarationNumber, terms: &Terms) -> Option<(&Limits, YearUse)> {
        let limits = self.tables.simple_regimes.limits(number, terms.officialised_on)?;
        Some((limits, none(limits, terms)))
    }
}

/// A year as it was kept.
pub(super) type Kept = Option<(String, Box<Year>)>;

fn none(limits: &Limits, terms: &Terms) -> YearUse {
    YearUse::none(terms.exporter, terms.officialised_on.year(), limits.currency)
}

#[cfg(test)]
#[path = "simple_tests.rs"]
mod tests;
